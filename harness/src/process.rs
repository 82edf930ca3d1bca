//! Who a process is: pid and start time, never pid alone.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The identity of a process. Two processes may share a pid over time, but not a pid and a start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The pid as the worker sees it.
    pub pid: u32,
    /// The start time in kernel ticks since boot (field 22 of `/proc/PID/stat`); elsewhere the finest unit that the system gives.
    pub start_time: u64,
}

impl ProcessIdentity {
    /// The identity of a pid with its start time.
    pub const fn new(pid: u32, start_time: u64) -> Self {
        Self { pid, start_time }
    }
}

impl fmt::Display for ProcessIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.pid, self.start_time)
    }
}

/// The state of a process, from the letter that the kernel gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProcessState {
    /// Running or runnable.
    #[serde(rename = "R")]
    Running,
    /// Asleep, interruptibly or not.
    #[serde(rename = "S")]
    Sleeping,
    /// Stopped by a signal or a tracer.
    #[serde(rename = "T")]
    Stopped,
    /// Dead and not yet waited for.
    #[serde(rename = "Z")]
    Zombie,
}

impl ProcessState {
    /// The state behind a letter of `/proc/PID/stat` (see proc(5)); unknown letters are taken as asleep.
    pub const fn from_letter(letter: u8) -> Self {
        match letter {
            b'R' => Self::Running,
            b'T' | b't' => Self::Stopped,
            b'Z' | b'X' | b'x' => Self::Zombie,
            _ => Self::Sleeping,
        }
    }
}

/// One process in a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRow {
    /// Who it is.
    pub process: ProcessIdentity,
    /// Its parent at the moment of the sample, as the worker sees it; 0 when the parent is outside.
    pub ppid: u32,
    /// Its state.
    pub state: ProcessState,
    /// Its resident set size in bytes, shared pages included: what `ps` shows.
    pub rss_bytes: u64,
}
