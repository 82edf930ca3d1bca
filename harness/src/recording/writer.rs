//! Writes a recording while the run goes on.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::thread;

use tokio::sync::{mpsc, watch};

use super::format::{ADAPTER, EVENTS, MANIFEST, Manifest, OVERHEAD, Overhead, SCENARIO};
use crate::timeline::event::Event;

/// The one owner of the recording's file and of the sequence numbers. It has a thread of its own, so that a slow disk delays no
/// witness until the channel is full, and then delays all of them alike.
#[derive(Debug)]
pub struct Recorder {
    thread: thread::JoinHandle<io::Result<u64>>,
    failed: watch::Receiver<Option<String>>,
}

impl Recorder {
    /// Writes what stands before the events, and starts to take events.
    ///
    /// # Errors
    ///
    /// When the folder or one of its files cannot be written.
    pub fn start(
        folder: &Path,
        manifest: &Manifest,
        scenario: &str,
        adapter: &str,
        events: mpsc::Receiver<Event>,
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(SCENARIO), scenario)?;
        fs::write(folder.join(ADAPTER), adapter)?;
        let mut text = serde_json::to_vec_pretty(manifest)?;
        text.push(b'\n');
        fs::write(folder.join(MANIFEST), text)?;
        let file = File::create(folder.join(EVENTS))?;
        let (tell, failed) = watch::channel(None);
        let thread = thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || {
                let outcome = record(file, events);
                if let Err(error) = &outcome {
                    tell.send_replace(Some(error.to_string()));
                }
                outcome
            })?;
        Ok(Self { thread, failed })
    }

    /// Why the recording could not be written on, once that is so.
    pub fn failure(&self) -> Option<String> {
        self.failed.borrow().clone()
    }

    /// Waits until every event is written; all emitters must be gone by then. Gives the number of events.
    ///
    /// # Errors
    ///
    /// When an event could not be written: the recording ends before it.
    pub fn finish(self) -> io::Result<u64> {
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the recorder's thread ended in a panic")))
    }
}

/// Writes what watching cost beside the events, when all is over.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_overhead(folder: &Path, overhead: Overhead) -> io::Result<()> {
    fs::write(folder.join(OVERHEAD), serde_json::to_vec(&overhead)?)
}

/// Takes events until the last emitter is gone. Whenever none waits, all that came is handed to the kernel, which keeps it even if
/// this process is killed the next moment.
fn record(file: File, mut events: mpsc::Receiver<Event>) -> io::Result<u64> {
    let mut file = BufWriter::with_capacity(1 << 16, file);
    let mut seq = 0;
    loop {
        let event = match events.try_recv() {
            Ok(event) => Some(event),
            Err(mpsc::error::TryRecvError::Empty) => {
                file.flush()?;
                events.blocking_recv()
            }
            Err(mpsc::error::TryRecvError::Disconnected) => None,
        };
        let Some(mut event) = event else { break };
        event.seq = seq;
        seq += 1;
        serde_json::to_writer(&mut file, &event)?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    file.get_ref().sync_data()?;
    Ok(seq)
}
