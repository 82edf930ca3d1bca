//! What can keep the witnesses from their work, and the open files that they need for it.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Open files that the harness needs beside those of the processes.
const FILES_OF_ITS_OWN: u64 = 128;
/// Open files that each live process costs: its stat file, its pidfd, its control connection.
const FILES_PER_PROCESS: u64 = 3;

/// Why the witnesses cannot do their work.
#[derive(Debug)]
pub enum WitnessError {
    /// The process table cannot be read.
    Table(io::Error),
    /// The ends of processes cannot be waited for.
    Endings(io::Error),
    /// The control socket cannot be opened.
    Control {
        /// Its path.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The process that was started cannot be watched.
    Started {
        /// Its pid.
        pid: u32,
        /// Why.
        cause: io::Error,
    },
    /// Too few files may be open for so many processes.
    Files {
        /// The processes that may live at once.
        processes: u64,
        /// The files that they need.
        required: u64,
        /// The files that are allowed.
        allowed: u64,
    },
}

impl fmt::Display for WitnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(cause) => write!(f, "the process table cannot be read: {cause}"),
            Self::Endings(cause) => {
                write!(f, "the ends of processes cannot be waited for: {cause}")
            }
            Self::Control { path, cause } => {
                write!(
                    f,
                    "control socket {} cannot be opened: {cause}",
                    path.display()
                )
            }
            Self::Started { pid, cause } => {
                write!(f, "process {pid}, just started, cannot be watched: {cause}")
            }
            Self::Files {
                processes,
                required,
                allowed,
            } => write!(
                f,
                "{processes} processes need {required} open files ({FILES_PER_PROCESS} for each, {FILES_OF_ITS_OWN} for the harness), and \
                 the hard limit is {allowed}: raise it (`ulimit -Hn`) or plan fewer sessions"
            ),
        }
    }
}

impl std::error::Error for WitnessError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Table(cause)
            | Self::Endings(cause)
            | Self::Control { cause, .. }
            | Self::Started { cause, .. } => Some(cause),
            Self::Files { .. } => None,
        }
    }
}

/// The open files that the harness needs while so many processes live.
pub const fn required_files(processes: u64) -> u64 {
    FILES_OF_ITS_OWN + FILES_PER_PROCESS * processes
}

/// The open files that this process may ever have: the hard limit, to which the inner process raises itself.
pub fn allowed_files() -> u64 {
    use nix::sys::resource::{Resource, getrlimit};
    getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard)
}

/// Checks that this process may open enough files for so many processes. The soft limit should have been raised before.
pub fn check_files(processes: u64) -> Result<(), WitnessError> {
    use nix::sys::resource::{Resource, getrlimit};
    let required = required_files(processes);
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((allowed, _)) if allowed < required => Err(WitnessError::Files {
            processes,
            required,
            allowed,
        }),
        // A limit that cannot be asked for will speak for itself.
        Ok(_) | Err(_) => Ok(()),
    }
}
