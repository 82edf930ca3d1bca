//! A recording: everything that was seen in a run, as facts, on disk before anything is judged.

pub mod format;
pub mod reader;
mod segments;
pub mod writer;

pub use format::{Manifest, Overhead};
pub use reader::{Events, Recording, RecordingError};
pub use segments::Disk;
pub use writer::{Recorder, SEGMENT_BYTES, write_overhead};
