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
    Packed(Box<BufReader<GzDecoder<BufReader<File>>>>),
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
                Ok(Self::Packed(Box::new(BufReader::with_capacity(
                    1 << 16,
                    packed,
                ))))
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
    use crate::units::RunTime;

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
            stop: None,
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
                // Moments of one length: how many files there are must not hang on how fast this machine is.
                let at = RunTime::from_millis(1_000 + session);
                let session = format!("s{session}");
                emitter
                    .emit_at(at, EventKind::SessionOpened { session })
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

    /// All events of a folder, and what ended them.
    fn all(folder: &Path) -> (Vec<Event>, Option<String>) {
        let mut events = Recording::open(folder).unwrap().events().unwrap();
        let all = events.by_ref().collect();
        (all, events.damage().map(str::to_owned))
    }

    fn files(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("events"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_short_recording_is_one_plain_file_and_a_long_one_is_packed_but_for_its_end() {
        let folder = tempfile::tempdir().unwrap();
        record(folder.path());
        assert_eq!(files(folder.path()), [EVENTS]);
        let whole = all(folder.path());
        record_in(folder.path(), 2_400);
        assert_eq!(
            files(folder.path()),
            [
                "events-00001.jsonl.gz",
                "events-00002.jsonl.gz",
                "events-00003.jsonl",
                "events.jsonl.gz"
            ]
        );
        let (segmented, damage) = all(folder.path());
        assert_eq!((segmented.len(), damage), (whole.0.len(), None));
        let recording = Recording::open(folder.path()).unwrap();
        let sizes = files(folder.path())
            .iter()
            .map(|name| fs::metadata(folder.path().join(name)).unwrap().len())
            .sum::<u64>();
        assert_eq!(recording.bytes(), sizes);
        // A new recording in the same place leaves nothing of the old one.
        record(folder.path());
        assert_eq!(files(folder.path()), [EVENTS]);
    }

    /// A recording of which every segment is plain.
    fn plain_segments(folder: &Path) {
        record_in(folder, 2_500);
        for name in files(folder) {
            if let Some(plain) = name.strip_suffix(PACKED) {
                let mut packed = GzDecoder::new(File::open(folder.join(&name)).unwrap());
                let mut file = File::create(folder.join(plain)).unwrap();
                io::copy(&mut packed, &mut file).unwrap();
                fs::remove_file(folder.join(name)).unwrap();
            }
        }
    }

    #[test]
    fn plain_and_packed_segments_read_the_same_in_whatever_mixture() {
        let folder = tempfile::tempdir().unwrap();
        plain_segments(folder.path());
        let names = files(folder.path());
        assert!(
            names.iter().all(|name| !name.ends_with(PACKED)),
            "{names:?}"
        );
        let whole = all(folder.path());
        assert_eq!((whole.0.len(), &whole.1), (100, &None));
        for packed in 0_u32..1 << names.len() {
            plain_segments(folder.path());
            let again = all(folder.path()).0;
            for (place, name) in names.iter().enumerate() {
                if packed & 1 << place != 0 {
                    let plain = folder.path().join(name);
                    let kept = fs::read(&plain).unwrap();
                    segments::pack(&plain).unwrap();
                    // As after a kill between the packing and the removal: both are there.
                    if place % 2 == 0 {
                        fs::write(plain, kept).unwrap();
                    }
                }
            }
            // One that was being packed is not read.
            fs::write(folder.path().join("events.jsonl.gz.part"), "half").unwrap();
            assert_eq!(all(folder.path()), (again, None), "{packed:b}");
        }
    }

    #[test]
    fn a_cut_at_any_byte_of_the_last_segment_costs_only_its_torn_last_line() {
        let folder = tempfile::tempdir().unwrap();
        record_in(folder.path(), 2_400);
        let (events, _) = all(folder.path());
        let last = folder.path().join("events-00003.jsonl");
        let whole = fs::read(&last).unwrap();
        let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
        let before = events.len() - lines(&whole);
        for cut in 0..whole.len() {
            fs::write(&last, &whole[..cut]).unwrap();
            let (left, damage) = all(folder.path());
            let kept = before + lines(&whole[..cut]);
            // A line may be whole but for its newline.
            assert!(left.len() == kept || left.len() == kept + 1, "cut at {cut}");
            assert_eq!(left, events[..left.len()]);
            let torn = cut > 0 && whole[cut - 1] != b'\n' && left.len() == kept;
            assert_eq!(damage.is_some(), torn, "cut at {cut}: {damage:?}");
        }
    }

    #[test]
    fn a_segment_that_is_missing_ends_the_events_before_it() {
        let folder = tempfile::tempdir().unwrap();
        record_in(folder.path(), 2_400);
        fs::remove_file(folder.path().join("events-00001.jsonl.gz")).unwrap();
        let (events, damage) = all(folder.path());
        assert!(!events.is_empty() && events.len() < 100);
        assert!(damage.unwrap().starts_with("events-00001.jsonl: "));
        fs::remove_file(folder.path().join("events.jsonl.gz")).unwrap();
        let error = Recording::open(folder.path())
            .unwrap()
            .events()
            .unwrap_err();
        assert!(error.to_string().contains(EVENTS), "{error}");
    }

    #[test]
    fn whether_a_recording_goes_on_is_seen_by_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let (emitter, receiver) = Emitter::channel(Clock::start());
        let start = |events| Recorder::start(folder.path(), &manifest(), "", "", 1_000, events);
        let recorder = start(receiver).unwrap();
        let recording = Recording::open(folder.path()).unwrap();
        assert!(recording.is_being_recorded());
        let refused = start(Emitter::channel(Clock::start()).1).unwrap_err();
        assert!(refused.to_string().contains("--out"), "{refused}");
        drop(emitter);
        recorder.finish().unwrap();
        assert!(!recording.is_being_recorded());
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
