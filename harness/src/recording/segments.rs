//! The events of a recording on disk: one file, and from a certain size on one after the other, the finished ones packed.
//!
//! The first file is `events.jsonl`, the next ones `events-00001.jsonl` and so on. A finished one is packed on a thread of its own, so
//! that nobody waits for that: into a file beside it, which is renamed once it is on disk; only then the plain one is removed. So at every
//! moment each segment is there at least once, whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::format::EVENTS;
use crate::timeline::event::Event;

/// What a packed segment's name ends with.
pub(super) const PACKED: &str = ".gz";
/// What the name of one ends with that is being packed.
const PARTLY: &str = ".part";

/// The name of a segment, the first one being 0.
pub(super) fn name(number: u32) -> String {
    match number {
        0 => EVENTS.to_owned(),
        _ => format!("events-{number:05}.jsonl"),
    }
}

/// The number of the segment that a file is or was packed from; none for any other file.
pub(super) fn number(file: &str) -> Option<u32> {
    let plain = file.strip_suffix(PACKED).unwrap_or(file);
    if plain == EVENTS {
        return Some(0);
    }
    let digits = plain.strip_prefix("events-")?.strip_suffix(".jsonl")?;
    let number = digits.parse().ok()?;
    (name(number) == plain).then_some(number)
}

/// How much of the disk a recording takes, and a way to make sure that it is there. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Disk(Arc<OnDisk>);

#[derive(Debug)]
struct OnDisk {
    bytes: AtomicU64,
    current: Mutex<File>,
}

impl Disk {
    /// The size of all events on disk, in bytes.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Makes sure that everything handed to the kernel so far survives a machine that dies. Waits for the disk.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn sync(&self) -> io::Result<()> {
        let current = self.current().try_clone()?;
        current.sync_data()
    }

    fn current(&self) -> MutexGuard<'_, File> {
        self.0
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn grow(&self, bytes: u64) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn replace(&self, plain: u64, packed: u64) {
        self.grow(packed);
        self.0.bytes.fetch_sub(plain, Ordering::Relaxed);
    }
}

/// Writes events, one segment after the other.
#[derive(Debug)]
pub(super) struct Segments {
    folder: PathBuf,
    /// From which size on, in bytes, a segment is finished.
    full: u64,
    number: u32,
    file: BufWriter<File>,
    line: Vec<u8>,
    /// The size of the present segment, in bytes.
    written: u64,
    disk: Disk,
    packer: Option<Packer>,
}

impl Segments {
    /// Begins with the first one.
    pub fn start(folder: &Path, full: u64) -> io::Result<Self> {
        let file = File::create(folder.join(name(0)))?;
        let disk = Disk(Arc::new(OnDisk {
            bytes: AtomicU64::new(0),
            current: Mutex::new(file.try_clone()?),
        }));
        Ok(Self {
            folder: folder.to_owned(),
            full,
            number: 0,
            file: BufWriter::with_capacity(1 << 16, file),
            line: Vec::new(),
            written: 0,
            disk,
            packer: None,
        })
    }

    pub fn disk(&self) -> Disk {
        self.disk.clone()
    }

    /// Writes one event.
    pub fn write(&mut self, event: &Event) -> io::Result<()> {
        if self.written >= self.full {
            self.turn_over()?;
        }
        self.line.clear();
        serde_json::to_writer(&mut self.line, event)?;
        self.line.push(b'\n');
        self.file.write_all(&self.line)?;
        let length = self.line.len() as u64;
        self.written += length;
        self.disk.grow(length);
        Ok(())
    }

    /// Hands to the kernel what was written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// Finishes the present segment and begins the next one.
    fn turn_over(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_data()?;
        let finished = Finished {
            file: self.folder.join(name(self.number)),
            size: self.written,
        };
        self.number += 1;
        let file = File::create(self.folder.join(name(self.number)))?;
        *self.disk.current() = file.try_clone()?;
        self.file = BufWriter::with_capacity(1 << 16, file);
        self.written = 0;
        let packer = match &mut self.packer {
            Some(packer) => packer,
            none => none.insert(Packer::start(self.disk.clone())?),
        };
        packer.pack(finished);
        Ok(())
    }

    /// Writes everything to the disk, and waits for what is being packed.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_data()?;
        self.packer.take().map_or(Ok(()), Packer::finish)
    }
}

/// A segment that is finished.
#[derive(Debug)]
struct Finished {
    file: PathBuf,
    size: u64,
}

/// Packs finished segments on a thread of its own.
#[derive(Debug)]
struct Packer {
    finished: mpsc::Sender<Finished>,
    thread: thread::JoinHandle<io::Result<()>>,
}

impl Packer {
    fn start(disk: Disk) -> io::Result<Self> {
        let (finished, to_pack) = mpsc::channel::<Finished>();
        let thread = thread::Builder::new()
            .name("packer".to_owned())
            .spawn(move || {
                for Finished { file, size } in to_pack {
                    disk.replace(size, pack(&file)?);
                }
                Ok(())
            })?;
        Ok(Self { finished, thread })
    }

    fn pack(&self, finished: Finished) {
        // A packer that failed says so at the end; until then the plain segments stay, which is as good.
        let _ = self.finished.send(finished);
    }

    fn finish(self) -> io::Result<()> {
        drop(self.finished);
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the packer's thread ended in a panic")))
    }
}

/// Packs one segment and gives the packed one's size. Whenever this is cut off, one whole copy of the segment is there.
pub(super) fn pack(plain: &Path) -> io::Result<u64> {
    let with = |ending: &str| {
        let mut path = plain.as_os_str().to_owned();
        path.push(ending);
        PathBuf::from(path)
    };
    let (packed, partly) = (with(PACKED), with(&format!("{PACKED}{PARTLY}")));
    let mut encoder = GzEncoder::new(File::create(&partly)?, Compression::default());
    io::copy(&mut File::open(plain)?, &mut encoder)?;
    let file = encoder.finish()?;
    file.sync_data()?;
    let size = file.metadata()?.len();
    fs::rename(&partly, &packed)?;
    // The name must be on disk before the other one goes.
    if let Some(folder) = plain.parent() {
        File::open(folder)?.sync_all()?;
    }
    fs::remove_file(plain)?;
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_of_segments_belong_together() {
        for segment in [0, 1, 42, 99_999, 100_000] {
            assert_eq!(number(&name(segment)), Some(segment));
            assert_eq!(number(&format!("{}{PACKED}", name(segment))), Some(segment));
        }
        for other in [
            "manifest.json",
            "events-1.jsonl",
            "events-00000.jsonl",
            "events-x.jsonl",
            "events.jsonl.gz.part",
            "events-00001.jsonl.gz.part",
        ] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
