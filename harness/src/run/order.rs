//! What the two processes of a run say to each other.

use std::collections::BTreeSet;
use std::path::PathBuf;

use fake_claude::quantity::Span;
use serde::{Deserialize, Serialize};

use crate::judge::{GrowthFigure, SoFar};
use crate::recording::{Manifest, SEGMENT_BYTES};
use crate::report::Report;
use crate::worker::ResolvedWorker;

/// The least size, in bytes, from which on a file of events is packed.
const LEAST_SEGMENT_BYTES: u64 = 64 << 10;

/// What the outer process asks of the inner one: everything that a run needs, looked up and checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// The scenario file's name, for messages.
    pub scenario_file: String,
    /// The scenario's text as it is to be run.
    pub scenario: String,
    /// The worker.
    pub worker: ResolvedWorker,
    /// What stands before the recording's events.
    pub manifest: Manifest,
    /// Where the results go: `recording/` and `worker.log`.
    pub out: PathBuf,
    /// The run's own temporary folder: the worker's home and data, the fake's executable, the control socket.
    pub folder: PathBuf,
    /// The run's id, which its processes carry in their environment.
    pub cookie: String,
    /// The program that plays `claude`.
    pub fake_claude: PathBuf,
    /// What a long run does besides; nothing for any other.
    pub soak: Option<Soak>,
}

/// What a long run does besides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Soak {
    /// The time between two reports of what was seen so far.
    pub checkpoint: Span,
    /// Whether the load ends as soon as something is found that fails the run whatever comes later.
    pub stop_on_fail: bool,
    /// How large the recording may become, in bytes: the load ends when it comes near.
    pub disk_bytes: u64,
    /// The signatures of a baseline: what they name is no failure.
    pub known: BTreeSet<String>,
    /// What a baseline measured of the figures that may grow.
    pub known_growth: Vec<GrowthFigure>,
}

impl Soak {
    /// The size from which on a file of events is packed, in bytes: small against what the whole recording may take, so that the plain
    /// one is not most of that.
    pub fn segment_bytes(&self) -> u64 {
        (self.disk_bytes / 16).clamp(LEAST_SEGMENT_BYTES, SEGMENT_BYTES)
    }

    /// The size of the recording, in bytes, at which the load ends, so that the rest of the run has room: the sessions that are open, the
    /// drain, the graces; and a segment that is not packed yet.
    pub fn near_bytes(&self) -> u64 {
        let reserve = (self.disk_bytes / 10).max(self.segment_bytes());
        self.disk_bytes - reserve.min(self.disk_bytes / 2)
    }
}

/// How a run goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done.
    pub phase: String,
    /// How long the run has been going on, in milliseconds.
    pub elapsed_ms: u64,
    /// For how long new sessions open, in milliseconds by the wall clock since the load began, where the load lasts a time.
    pub lasts_ms: Option<u64>,
    /// For how long sessions have been opening, in milliseconds; none before the load.
    pub load_ms: Option<u64>,
    /// Sessions that ended or stalled.
    pub sessions_done: u32,
    /// Sessions that are planned; none where the load lasts a time.
    pub sessions: Option<u32>,
    /// Sessions that opened.
    pub sessions_opened: u32,
    /// Sessions that opened and have not ended.
    pub sessions_open: u32,
    /// Live children of the worker.
    pub children: u32,
    /// The sum of their RSS, in bytes.
    pub rss_bytes: u64,
    /// Processes past the time of their session or worker, alive or dead and never waited for.
    pub leftovers: u32,
    /// What is sure so far: nothing that comes later takes it back.
    pub so_far: SoFar,
    /// Whether a worker is there and takes requests.
    pub worker_up: bool,
    /// The worker's own RSS, in bytes; none while it does not live or is not sampled.
    pub worker_rss_bytes: Option<u64>,
    /// The size of the recording's events on disk, in bytes.
    pub recording_bytes: u64,
    /// By how much the recording grows in an hour of the run, in bytes; none in the first seconds.
    pub recording_bytes_per_hour: Option<u64>,
    /// The RSS of the inner process, in bytes: driver, witnesses and recorder together.
    pub harness_rss_bytes: u64,
    /// The RSS of the process that shows this, in bytes; filled in by it.
    pub outer_rss_bytes: u64,
}

/// What the inner process tells the outer one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum Told {
    /// How the run goes.
    Progress(Box<Progress>),
    /// What would be reported of what was seen so far. The recording holds, on disk, all that it rests on.
    Checkpoint(Box<Report>),
    /// The worker would not start; the run is over.
    WorkerWouldNotStart {
        /// Why, with the worker's last lines of output.
        message: String,
    },
    /// This machine does not give what the scenario asks for; nothing was started.
    Refused {
        /// What, and why.
        message: String,
    },
    /// The run could not be carried out: our bug, or a machine that refuses what is needed.
    Failed {
        /// Why.
        message: String,
    },
    /// The recording is complete.
    Finished {
        /// Whether the run was stopped early.
        interrupted: bool,
    },
}
