//! Reads a recording, whole or cut off.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::format::{ADAPTER, EVENTS, MAJOR, MANIFEST, Manifest, OVERHEAD, Overhead, SCENARIO};
use super::segments::{self, PACKED};
use crate::timeline::event::Event;

/// Why a recording cannot be read.
#[derive(Debug)]
pub enum RecordingError {
    /// The folder is no recording.
    NotARecording {
        /// The folder.
        folder: PathBuf,
    },
    /// A file cannot be read.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The manifest is damaged.
    Manifest {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: serde_json::Error,
    },
    /// The recording comes from a newer program.
    TooNew {
        /// The recording's major version.
        major: u32,
    },
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecording { folder } => {
                write!(
                    f,
                    "{}: no recording is there (no {MANIFEST}); give the folder `recording/` of a run, or the run's folder",
                    folder.display()
                )
            }
            Self::Unreadable { file, cause } => write!(f, "{}: {cause}", file.display()),
            Self::Manifest { file, cause } => {
                write!(f, "{}: the manifest is damaged: {cause}", file.display())
            }
            Self::TooNew { major } => {
                write!(
                    f,
                    "the recording has format {major}, this program reads up to {MAJOR}; use the leak-harness that made it, or a newer one"
                )
            }
        }
    }
}

impl std::error::Error for RecordingError {}

/// A recording on disk.
#[derive(Debug)]
pub struct Recording {
    folder: PathBuf,
    /// What it is of.
    pub manifest: Manifest,
    /// The scenario's text as it was run.
    pub scenario: String,
    /// The adapter's text as it was used; empty when it was lost.
    pub adapter: String,
    /// What watching cost; none when the run was cut off.
    pub overhead: Option<Overhead>,
}

impl Recording {
    /// Opens the recording in a folder, or in the folder `recording` of it.
    ///
    /// # Errors
    ///
    /// When there is none, or when it cannot be read.
    pub fn open(folder: &Path) -> Result<Self, RecordingError> {
        let inner = folder.join("recording");
        let folder = if folder.join(MANIFEST).exists() {
            folder.to_owned()
        } else if inner.join(MANIFEST).exists() {
            inner
        } else {
            return Err(RecordingError::NotARecording {
                folder: folder.to_owned(),
            });
        };
        let read = |name: &str| {
            let file = folder.join(name);
            fs::read_to_string(&file).map_err(|cause| RecordingError::Unreadable { file, cause })
        };
        let manifest: Manifest =
            serde_json::from_str(&read(MANIFEST)?).map_err(|cause| RecordingError::Manifest {
                file: folder.join(MANIFEST),
                cause,
            })?;
        if manifest.major > MAJOR {
            return Err(RecordingError::TooNew {
                major: manifest.major,
            });
        }
        Ok(Self {
            scenario: read(SCENARIO)?,
            adapter: read(ADAPTER).unwrap_or_default(),
            overhead: read(OVERHEAD)
                .ok()
                .and_then(|text| serde_json::from_str(&text).ok()),
            folder,
            manifest,
        })
    }

    /// Whether its run goes on: its recorder holds the folder locked. Never so where the file system has no locks.
    pub fn is_being_recorded(&self) -> bool {
        let locked = File::open(&self.folder).map(|folder| folder.try_lock_shared());
        matches!(locked, Ok(Err(TryLockError::WouldBlock)))
    }

    /// How much space its events take on disk, in bytes.
    pub fn bytes(&self) -> u64 {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries
            .filter(|entry| segment_of(entry).is_some())
            .filter_map(|entry| entry.metadata().ok())
            .map(|metadata| metadata.len())
            .sum()
    }

    /// The events, one at a time. Of a recording that goes on, those that are there now.
    ///
    /// # Errors
    ///
    /// When there are none, or their file cannot be opened.
    pub fn events(&self) -> Result<Events, RecordingError> {
        let unreadable = |file: PathBuf| move |cause| RecordingError::Unreadable { file, cause };
        let entries = fs::read_dir(&self.folder).map_err(unreadable(self.folder.clone()))?;
        let last = entries
            .flatten()
            .filter_map(|entry| segment_of(&entry))
            .max()
            .unwrap_or_default();
        Ok(Events {
            folder: self.folder.clone(),
            left: (1..=last).collect(),
            file: EVENTS.to_owned(),
            lines: Lines::open(&self.folder, 0).map_err(unreadable(self.folder.join(EVENTS)))?,
            line: Vec::new(),
            number: 0,
            next_seq: 0,
            damage: None,
        })
    }
}

/// The number of the segment that a file of the folder is.
fn segment_of(entry: &fs::DirEntry) -> Option<u32> {
    segments::number(entry.file_name().to_str()?)
}

/// The lines of one segment.
#[derive(Debug)]
enum Lines {
    Plain(BufReader<File>),
    Packed(BufReader<GzDecoder<BufReader<File>>>),
}

impl Lines {
    /// Opens a segment as it is there: plain, or packed. It may be packed in between.
    fn open(folder: &Path, segment: u32) -> io::Result<Self> {
        let name = segments::name(segment);
        match File::open(folder.join(&name)) {
            Ok(file) => Ok(Self::Plain(BufReader::with_capacity(1 << 16, file))),
            Err(missing) if missing.kind() == ErrorKind::NotFound => {
                // Said of the plain one: it is the name that whoever looks for it knows.
                let file = File::open(folder.join(name + PACKED)).map_err(|_| missing)?;
                let packed = GzDecoder::new(BufReader::new(file));
                Ok(Self::Packed(BufReader::with_capacity(1 << 16, packed)))
            }
            Err(cause) => Err(cause),
        }
    }

    fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(lines) => lines.read_until(b'\n', line),
            Self::Packed(lines) => lines.read_until(b'\n', line),
        }
    }
}

/// The events of a recording, up to its end or to the first line that is damaged.
#[derive(Debug)]
pub struct Events {
    folder: PathBuf,
    /// The segments after the present one.
    left: VecDeque<u32>,
    /// The name of the present one.
    file: String,
    lines: Lines,
    line: Vec<u8>,
    number: u64,
    next_seq: u64,
    damage: Option<String>,
}

impl Events {
    /// What ended the events early: a torn last line, or damage in the middle. None after a whole recording.
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Goes on with the next segment. Tells whether there is one.
    fn turn_over(&mut self) -> bool {
        let Some(next) = self.left.pop_front() else {
            return false;
        };
        self.file = segments::name(next);
        self.number = 0;
        match Lines::open(&self.folder, next) {
            Ok(lines) => {
                self.lines = lines;
                true
            }
            Err(cause) => {
                self.damage = Some(format!("{}: {cause}", self.file));
                false
            }
        }
    }

    /// Ends the events here.
    fn damaged(&mut self, what: &str) -> Option<Event> {
        self.damage = Some(format!("{}:{}: {what}", self.file, self.number));
        None
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.damage.is_some() {
            return None;
        }
        self.line.clear();
        self.number += 1;
        let read = match self.lines.read_line(&mut self.line) {
            Ok(0) => {
                if !self.turn_over() {
                    return None;
                }
                return self.next();
            }
            Ok(_) => serde_json::from_slice::<Event>(&self.line),
            Err(cause) => return self.damaged(&cause.to_string()),
        };
        match read {
            Ok(event) if event.seq == self.next_seq => {
                self.next_seq += 1;
                Some(event)
            }
            Ok(event) => {
                let missing = format!("event {} comes where {} belongs", event.seq, self.next_seq);
                self.damaged(&missing)
            }
            Err(cause) => {
                let torn = !self.line.ends_with(b"\n");
                let what = if torn {
                    "the last line is torn"
                } else {
                    "the line is damaged"
                };
                self.damaged(&format!("{what}: {cause}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Recorder, SEGMENT_BYTES};
    use super::*;
    use crate::clock::Clock;
    use crate::emitter::Emitter;
    use crate::timeline::event::EventKind;

    fn manifest() -> Manifest {
        Manifest {
            major: MAJOR,
            minor: 0,
            harness: "0.1.0".to_owned(),
            scenario_file: "x.toml".to_owned(),
            seed: 1,
            worker: "model".to_owned(),
            worker_version: "0.1.0".to_owned(),
            cleanup: Vec::new(),
            runtime: None,
            install: Vec::new(),
            settings: BTreeMap::new(),
            started: "2026-01-01T00:00:00+00:00[UTC]".to_owned(),
            kernel: String::new(),
            cores: 2,
            again: String::new(),
        }
    }

    fn record(folder: &Path) {
        record_in(folder, SEGMENT_BYTES);
    }

    fn record_in(folder: &Path, segment: u64) {
        let (emitter, receiver) = Emitter::channel(Clock::start());
        let text = "name = \"x\"";
        let recorder = Recorder::start(folder, &manifest(), text, "", segment, receiver).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            for session in 0..100 {
                emitter
                    .emit(EventKind::SessionOpened {
                        session: format!("s{session}"),
                    })
                    .await;
            }
        });
        drop(emitter);
        assert_eq!(recorder.finish().unwrap(), 100);
    }

    #[test]
    fn what_was_recorded_is_read_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        record(folder.path());
        let recording = Recording::open(folder.path()).unwrap();
        assert_eq!(recording.manifest, manifest());
        let mut events = recording.events().unwrap();
        for (seq, event) in events.by_ref().enumerate() {
            assert_eq!(event.seq, seq as u64);
            assert_eq!(
                event.event,
                EventKind::SessionOpened {
                    session: format!("s{seq}")
                }
            );
        }
        assert_eq!(events.damage(), None);
    }

    #[test]
    fn a_recording_cut_at_any_byte_gives_all_whole_events_before_the_cut() {
        let folder = tempfile::tempdir().unwrap();
        record(folder.path());
        let file = folder.path().join(EVENTS);
        let whole = fs::read(&file).unwrap();
        for cut in (0..whole.len()).step_by(7) {
            fs::write(&file, &whole[..cut]).unwrap();
            let mut events = Recording::open(folder.path()).unwrap().events().unwrap();
            let count = events.by_ref().count();
            // A line may be whole but for its newline.
            let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
            assert!(
                count == lines || count == lines + 1,
                "cut at {cut}: {count} of {lines}"
            );
            assert_eq!(
                events.damage().is_some(),
                cut > 0 && whole[cut - 1] != b'\n' && count == lines
            );
        }
    }

    #[test]
    fn a_folder_without_a_recording_is_refused_with_what_to_give_instead() {
        let folder = tempfile::tempdir().unwrap();
        let error = Recording::open(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("give the folder `recording/` of a run"),
            "{error}"
        );
    }
}
