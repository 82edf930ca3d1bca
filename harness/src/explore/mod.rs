//! The search for moments: at which step of the protocol, to whom, must what happen, for a worker to leak or to lose work?
//!
//! A scenario that is as expected is run again and again, each time with one fault more, taken from a lattice ([`lattice`]): step of
//! the protocol × victim × signal × delay. What is found then and not without the fault ([`guilt`]) is a schedule that the worker does not
//! bear. It is run three times again; two of three must find the same rule and subject. Then it is made smaller ([`shrink`]), as long
//! as two of three runs still find it, and written as a scenario file that expects what it shows ([`write`]).

pub mod guilt;
pub mod lattice;
pub mod markdown;
pub mod results;
mod search;
pub mod shrink;
pub mod write;

use std::fmt;
use std::io;
use std::path::PathBuf;

use fake_claude::quantity::Span;

use crate::batch::BatchError;

pub use search::explore;

/// What is asked of the search.
#[derive(Debug, Clone)]
pub struct Order {
    /// The scenario's file, for messages.
    pub file: String,
    /// Its text.
    pub text: String,
    /// The worker, where it is not the scenario's own.
    pub worker: Option<String>,
    /// How many moments are tried at the most; without it, as many as the time allows, or each step, victim and signal once.
    pub tries: Option<u32>,
    /// How long is searched; what was found is confirmed and made smaller after that.
    pub limit: Option<Span>,
    /// The seed of the order in which moments are tried.
    pub seed: u64,
    /// How many runs are made at a time.
    pub at_once: usize,
    /// The isolation, as `--isolation` takes it.
    pub isolation: &'static str,
    /// The folder in which each run has its own.
    pub runs: PathBuf,
    /// The folder of the scenario files that are written.
    pub out: PathBuf,
}

/// How the search goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Going {
    /// What is being done.
    pub phase: String,
    /// How many runs of it are over.
    pub done: usize,
    /// Of how many.
    pub total: usize,
    /// What was just found.
    pub found: Option<String>,
}

/// Why there is nothing to report.
#[derive(Debug)]
pub enum ExploreError {
    /// The scenario is not understood.
    Scenario(String),
    /// The scenario cannot be run at all: the exit code of its run, and what it said.
    NotRun(Option<i32>, String),
    /// The scenario without a fault is not as expected, so that nothing would follow from what comes with one: the reasons, and whether
    /// it only could not be decided.
    Unsuited {
        /// Why it is not as expected.
        reasons: Vec<String>,
        /// Whether the verdict is inconclusive.
        inconclusive: bool,
    },
    /// The runs could not be made.
    Batch(BatchError),
    /// A scenario file could not be written.
    Write(PathBuf, io::Error),
}

impl fmt::Display for ExploreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scenario(error) => f.write_str(error),
            Self::NotRun(_, message) => {
                write!(f, "the scenario cannot be run without a fault: {message}")
            }
            Self::Unsuited { reasons, .. } => write!(
                f,
                "the scenario is not as expected without a fault, so nothing would follow from one: {}; run it by itself first",
                reasons.join("; ")
            ),
            Self::Batch(error) => error.fmt(f),
            Self::Write(path, cause) => write!(f, "{}: {cause}", path.display()),
        }
    }
}

impl std::error::Error for ExploreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Batch(error) => Some(error),
            Self::Write(_, cause) => Some(cause),
            Self::Scenario(_) | Self::NotRun(..) | Self::Unsuited { .. } => None,
        }
    }
}

impl From<BatchError> for ExploreError {
    fn from(error: BatchError) -> Self {
        Self::Batch(error)
    }
}
