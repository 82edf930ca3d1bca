//! What the two processes of a run say to each other.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::recording::Manifest;
use crate::worker::ResolvedWorker;

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
}

/// How a run goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done.
    pub phase: String,
    /// Sessions that ended or stalled.
    pub sessions_done: u32,
    /// Sessions that are planned.
    pub sessions: u32,
    /// Live children of the worker.
    pub children: u32,
    /// The sum of their RSS, in bytes.
    pub rss_bytes: u64,
    /// Live children whose session ended longer ago than its grace.
    pub leftovers: u32,
}

/// What the inner process tells the outer one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum Told {
    /// How the run goes.
    Progress(Progress),
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
