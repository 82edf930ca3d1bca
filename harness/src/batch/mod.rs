//! Many runs, a few at a time: what the gym and the matrix are built on.
//!
//! Each run is a process of its own, this program's `run` command, and not a thread of this one. The guardian of the fallback ends
//! whatever descends from *its process* when its run is over, and would end the neighbours' trees too; the kernel ties the life of an
//! inner process to the *thread* that started it; and a bug of ours in one run must cost that run alone.
//!
//! The runs are started by the thread that calls [`carry_out`], which waits for all of them, and each is told to die with that thread:
//! when this process is killed, so are they, and with them all that they have started. They have process groups of their own, so that
//! Ctrl-C reaches this process alone, which passes it on: once to stop in order, twice to stop at once.

mod child;
mod pool;

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::report::Report;

pub use pool::{carry_out, default_at_once};

/// One run that is to be made.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// What it is called where it is spoken of, and in the name of its folder.
    pub name: String,
    /// The scenario's text.
    pub scenario: String,
    /// Changes of single keys, as `--set` takes them.
    pub changes: Vec<String>,
    /// The seed, where it is not the scenario's own.
    pub seed: Option<u64>,
    /// The worker, where it is not the scenario's own.
    pub worker: Option<String>,
    /// The isolation, as `--isolation` takes it.
    pub isolation: Option<&'static str>,
    /// The folder of its results: the scenario, the recording, the reports, the worker's log.
    pub out: PathBuf,
}

/// How a run came out.
#[derive(Debug)]
pub enum Outcome {
    /// It was judged.
    Judged(Box<Report>),
    /// There is nothing to judge.
    Failed(Failed),
}

/// A run of which nothing could be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The exit code of its process; none when a signal ended it.
    pub code: Option<i32>,
    /// What it said.
    pub message: String,
}

/// Why the runs could not be carried out.
#[derive(Debug)]
pub enum BatchError {
    /// The user stopped them.
    Interrupted {
        /// How many had been finished.
        done: usize,
        /// How many were meant.
        total: usize,
    },
    /// Something that is needed for starting runs does not work.
    Machine {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        cause: io::Error,
    },
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted { done, total } => {
                write!(f, "interrupted after {done} of {total} runs")
            }
            Self::Machine { doing, cause } => write!(f, "cannot {doing}: {cause}"),
        }
    }
}

impl std::error::Error for BatchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Interrupted { .. } => None,
            Self::Machine { cause, .. } => Some(cause),
        }
    }
}
