//! Writes a recording while the run goes on.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;

use tokio::sync::mpsc;

use super::format::{ADAPTER, MANIFEST, Manifest, OVERHEAD, Overhead, SCENARIO};
use super::segments::{Disk, Segments};
use crate::timeline::event::Event;

/// From which size on, in bytes, a file of events is finished and packed.
pub const SEGMENT_BYTES: u64 = 16 << 20;

/// The one owner of the recording's files and of the sequence numbers. It has a thread of its own, so that a slow disk delays no
/// witness until the channel is full, and then delays all of them alike.
#[derive(Debug)]
pub struct Recorder {
    thread: thread::JoinHandle<io::Result<u64>>,
    disk: Disk,
    /// The folder, locked for as long as this is there: what tells a reader that the recording goes on, and goes with this process.
    _lock: File,
}

impl Recorder {
    /// Writes what stands before the events, and starts to take events. Files of events that reach `segment` bytes are packed.
    ///
    /// # Errors
    ///
    /// When the folder or one of its files cannot be written, or another run is being recorded there.
    pub fn start(
        folder: &Path,
        manifest: &Manifest,
        scenario: &str,
        adapter: &str,
        segment: u64,
        events: mpsc::Receiver<Event>,
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let lock = lock(folder)?;
        forget_others(folder)?;
        fs::write(folder.join(SCENARIO), scenario)?;
        fs::write(folder.join(ADAPTER), adapter)?;
        let mut text = serde_json::to_vec_pretty(manifest)?;
        text.push(b'\n');
        fs::write(folder.join(MANIFEST), text)?;
        let segments = Segments::start(folder, segment)?;
        let disk = segments.disk();
        let thread = thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || record(segments, events))?;
        Ok(Self {
            thread,
            disk,
            _lock: lock,
        })
    }

    /// How much of the disk the events take.
    pub fn disk(&self) -> Disk {
        self.disk.clone()
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

/// Locks a folder for its one recorder.
fn lock(folder: &Path) -> io::Result<File> {
    let opened = File::open(folder)?;
    match opened.try_lock() {
        Ok(()) => Ok(opened),
        Err(TryLockError::WouldBlock) => Err(io::Error::other(format!(
            "{}: another run is being recorded there; give this one another folder (--out)",
            folder.display()
        ))),
        // A file system without locks records as well; nobody can then tell a run that goes on from one that was cut off.
        Err(TryLockError::Error(_)) => Ok(opened),
    }
}

/// Removes the segments of an earlier recording: those that the new one does not reach would be read as its own.
fn forget_others(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_segment = entry
            .file_name()
            .to_str()
            .is_some_and(|name| super::segments::number(name).is_some());
        if is_segment {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
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
fn record(mut segments: Segments, mut events: mpsc::Receiver<Event>) -> io::Result<u64> {
    let mut seq = 0;
    loop {
        let event = match events.try_recv() {
            Ok(event) => Some(event),
            Err(mpsc::error::TryRecvError::Empty) => {
                segments.flush()?;
                events.blocking_recv()
            }
            Err(mpsc::error::TryRecvError::Disconnected) => None,
        };
        let Some(mut event) = event else { break };
        event.seq = seq;
        seq += 1;
        segments.write(&event)?;
    }
    segments.finish()?;
    Ok(seq)
}
