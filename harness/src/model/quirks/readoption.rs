//! `readopts-children`: children are written down, and the next daemon on the same data ends those of its forerunner when their
//! sessions end.
//!
//! What is written is a pid and its start time, so a child of the forerunner is told from a stranger who was given its pid.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::model::json_lines::StoreError;
use crate::model::lock;
use crate::model::processes::Child;
use crate::platform::{self, Watched};
use crate::process::ProcessIdentity;

/// A child, as it is written down.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    session: i64,
    process: ProcessIdentity,
}

/// The children of the forerunner by session, and the file in which the present daemon writes its own.
#[derive(Debug)]
pub(in crate::model) struct Readoption {
    file: File,
    inherited: Mutex<HashMap<i64, Vec<ProcessIdentity>>>,
}

impl Readoption {
    /// Reads what the forerunner has written.
    pub(in crate::model) fn open(data: &Path) -> Result<Self, StoreError> {
        let path = data.join("children.jsonl");
        let failed = |cause| StoreError::new(&path, cause);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failed(error)),
        };
        let mut inherited: HashMap<i64, Vec<ProcessIdentity>> = HashMap::new();
        // A line that a killed daemon left half written names nobody.
        for entry in text
            .lines()
            .filter_map(|line| serde_json::from_str::<Entry>(line).ok())
        {
            inherited
                .entry(entry.session)
                .or_default()
                .push(entry.process);
        }
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(failed)?;
        Ok(Self {
            file,
            inherited: Mutex::new(inherited),
        })
    }

    /// Writes a child down.
    pub(in crate::model) fn write(&self, session: i64, child: &Child) {
        let Ok(Some(stat)) = platform::stat_of(child.pid()) else {
            return;
        };
        let entry = Entry {
            session,
            process: stat.process,
        };
        if let Ok(line) = serde_json::to_string(&entry) {
            // A child that is not on record is a child that no later daemon ends.
            let _ = (&self.file).write_all(format!("{line}\n").as_bytes());
        }
    }

    /// A session has ended: SIGTERM for what the forerunner has started for it, as far as it still lives.
    pub(in crate::model) fn end(&self, session: i64) {
        for process in lock(&self.inherited).remove(&session).unwrap_or_default() {
            if let Ok(Some(watched)) = Watched::open_identity(process) {
                let _ = watched.signal(Signal::SIGTERM as i32);
            }
        }
    }
}
