//! The format of a recording, and the reasons for it.
//!
//! 1. *A run may be cut off at any byte*, by SIGKILL or by a machine that dies. So events are lines, each whole in itself, appended
//!    in order and handed to the kernel as soon as no further one waits, or 64 KiB are full; a torn last line is ordinary and costs
//!    that line alone.
//! 2. *A judge of tomorrow must read a run of today.* So the manifest carries a version: a reader refuses a larger major one and
//!    reads a larger minor one, whose new kinds of events it could not judge and therefore reports.
//! 3. *A run must be judged without the machine that made it.* So the scenario's text as it was run and the worker's adapter lie
//!    beside the events, and no event holds a type of an operating system.
//! 4. *Samples are most of it.* So a sample holds sums, and only those rows that changed.
//! 5. *A run may take days.* So the events go into segments: a file that reaches 16 MiB is finished, and packed to about a tenth of that.
//!    The one that is being written stays plain, so that reason 1 holds for it; a short run has no other. An older program, which knows no
//!    segments, finds `events.jsonl` missing once it is packed, and says so, rather than judge a part for the whole.
//! 6. *A reader must know whether more will come.* So the recorder holds a lock (`flock`) on the folder for as long as it lives. A
//!    recording without `run_ended` whose folder is not locked was cut off.
//!
//! Layout of the folder:
//!
//! | file | what |
//! |---|---|
//! | `manifest.json` | [`Manifest`], written first |
//! | `scenario.toml` | the scenario as it was run, changes of the command line included |
//! | `adapter.toml` | the adapter as it was used |
//! | `overhead.json` | [`Overhead`], written last; absent when the run was cut off |
//! | `events.jsonl` | one [`Event`](crate::timeline::event::Event) per line; the last of all is `run_ended` unless the run was cut off |
//! | `events-00001.jsonl`, `events-00002.jsonl`, … | the segments after it, in order; `seq` goes on without a gap |
//! | `events.jsonl.gz`, `events-00001.jsonl.gz`, … | a finished segment, packed by gzip. Where both are there, both are whole and the same |
//! | `….gz.part` | a segment that was being packed when the run was cut off; not to be read |

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::units::Drift;

/// The format's version: a larger major one cannot be read by an older program.
pub const MAJOR: u32 = 1;
/// The format's minor version: additions that an older program may ignore.
pub const MINOR: u32 = 1;

/// The file of the manifest.
pub const MANIFEST: &str = "manifest.json";
/// The file of the scenario's text.
pub const SCENARIO: &str = "scenario.toml";
/// The file of the adapter's text.
pub const ADAPTER: &str = "adapter.toml";
/// The file of what watching cost.
pub const OVERHEAD: &str = "overhead.json";
/// The file of the events, or the first of them.
pub const EVENTS: &str = "events.jsonl";

/// What a recording is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format's major version.
    pub major: u32,
    /// The format's minor version.
    pub minor: u32,
    /// The version of the harness that recorded.
    pub harness: String,
    /// The scenario file's name, as the user gave it.
    pub scenario_file: String,
    /// The seed in force.
    pub seed: u64,
    /// The worker's name, such as `model` or `claude-mem`.
    pub worker: String,
    /// The worker's version, by its own package.
    pub worker_version: String,
    /// The cleanup policies of the model; empty for a real worker.
    pub cleanup: Vec<String>,
    /// The program that runs the worker, with its version, such as `bun 1.3.5`; none where there is none or it does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// What `leak-harness install` is told to have this worker, such as `claude-mem@13.25.3`, with `--source CLONE` before it where it came
    /// from a tag and not from npm; empty where nothing has to be fetched, or
    /// where nobody knows what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub install: Vec<String>,
    /// The worker's settings as its adapter writes them, placeholders unfilled.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// What asks the worker to stop at the end of a run, such as `SIGTERM`; none in a recording of an older harness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
    /// The wall clock's time at the start of the run, with its zone.
    pub started: String,
    /// The kernel that it ran on.
    pub kernel: String,
    /// The number of processors.
    pub cores: u32,
    /// The command that runs this again.
    pub again: String,
}

/// What watching cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overhead {
    /// Processor time of the inner process, in milliseconds: driver, witnesses and recorder together.
    pub cpu_ms: u64,
    /// RSS of the inner process at the samples, in bytes, where that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<Drift>,
}
