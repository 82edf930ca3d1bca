//! The course of single sessions and processes, for a picture of a run: what a judgement itself does not keep.
//!
//! A judge keeps lanes only when it is asked to ([`Judge::keeping_lanes`](super::Judge::keeping_lanes)), and no more than
//! [`SESSIONS`] of them, so that its memory stays bounded however long a run was.

use fake_claude::control::Role;
use serde::{Deserialize, Serialize};

use super::books::Fate;
use crate::process::ProcessIdentity;
use crate::scenario::End;

/// The most sessions whose lanes are kept. Of more, those are kept first in which something was found, then the earliest.
pub const SESSIONS: usize = 10_000;
/// The most processes that are kept for each session, chosen likewise.
pub const BARS: usize = 64;
/// The most processes that are kept for all sessions together: beyond it lanes are left out as beyond [`SESSIONS`].
pub const PROCESSES: usize = 100_000;
/// The most signals that are kept for each process.
pub const MARKS: usize = 16;

/// The course of a run's sessions and processes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lanes {
    /// One lane for each session, in the order in which they opened; sessions that never opened come last, by name.
    pub sessions: Vec<Lane>,
    /// Processes that belong to no session: helpers, probes, and what nobody could attribute. At most [`SESSIONS`].
    pub others: Vec<Bar>,
    /// The lives of the workers, in milliseconds since the run's start: start, and end where there was one.
    pub workers: Vec<(u64, Option<u64>)>,
    /// The moment, in milliseconds, at which the last worker was asked to stop.
    pub stop_ms: Option<u64>,
    /// Sessions that were left out because there were too many.
    pub sessions_omitted: u32,
    /// Processes that were left out because there were too many, those of omitted sessions included. A lane that was left out in the
    /// course of a long run and in which something was found only later is back, without what was known of it before.
    pub bars_omitted: u32,
}

/// One session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lane {
    /// Its id, chosen by the driver. Not to be trusted: a scenario or a worker may have made it up.
    pub session: String,
    /// When it opened, in milliseconds since the run's start.
    pub opened_ms: Option<u64>,
    /// When and how it ended.
    pub ended: Option<(u64, End)>,
    /// Whether the judge found that it could not go on.
    pub stalled: bool,
    /// Its processes, in the order of their first sighting.
    pub bars: Vec<Bar>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// Who it is.
    pub process: ProcessIdentity,
    /// Its pid as the user's `ps` showed it, where that is known.
    pub host_pid: Option<u32>,
    /// Its role.
    pub role: Role,
    /// Its bin.
    pub fate: Fate,
    /// Its first sighting, in milliseconds since the run's start.
    pub first_ms: u64,
    /// When it ended, in milliseconds; none where it lived to the end of the recording. One that the table alone watched may have ended
    /// one tick earlier.
    pub died_ms: Option<u64>,
    /// When it was waited for or no longer in the table, in milliseconds, where that was seen.
    pub gone_ms: Option<u64>,
    /// Where it is in a leak bin: when it should have been gone, or waited for, in milliseconds. From then on it outlives its session, or,
    /// for residue, its worker.
    pub due_ms: Option<u64>,
    /// When its stdin ended, as it said itself, in milliseconds.
    pub eof_ms: Option<u64>,
    /// The signals that it heard, as it said itself, those that the harness sent, and the one that killed it, in order of time.
    pub marks: Vec<Mark>,
    /// Signals that were left out because there were more than [`MARKS`].
    pub marks_omitted: u32,
    /// Its last known RSS in bytes while it lived.
    pub rss_bytes: u64,
    /// Its command line. Not to be trusted.
    pub command: String,
}

/// A signal on a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When it came, in milliseconds since the run's start; for one that killed it and was never heard, when it died.
    pub at_ms: u64,
    /// Its number.
    pub signal: i32,
    /// The sender's pid, where that is known; 0 when it was outside of the run.
    pub sender: Option<u32>,
    /// Whether the harness itself sent it.
    pub ours: bool,
    /// Whether the process ignores it, as it said itself.
    pub ignored: bool,
}
