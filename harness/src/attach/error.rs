//! Why a process cannot be attached to.

use std::fmt;
use std::io;

/// Why a process cannot be attached to.
#[derive(Debug)]
pub enum AttachError {
    /// There is no process with this pid.
    NoSuchProcess {
        /// The pid.
        pid: u32,
    },
    /// The number is that of a thread.
    Thread {
        /// The number.
        pid: u32,
        /// The process that the thread belongs to.
        of: u32,
    },
    /// The process belongs to another user.
    SomebodyElses {
        /// The pid.
        pid: u32,
        /// The user that it runs as.
        uid: u32,
        /// The user who asks.
        own: u32,
    },
    /// The process is this one.
    Itself {
        /// The pid.
        pid: u32,
    },
    /// The process has ended and only waits to be reaped.
    HasEnded {
        /// The pid.
        pid: u32,
        /// The parent that has not waited for it.
        parent: u32,
    },
    /// A data folder that was named is none.
    NoFolder {
        /// What was named.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// The system refuses what is needed.
    System {
        /// What cannot be done.
        doing: &'static str,
        /// Why.
        cause: io::Error,
    },
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchProcess { pid } => write!(
                f,
                "there is no process {pid}; `ps -eo pid,etime,args` lists what runs, and in a container only what runs in it"
            ),
            Self::Thread { pid, of } => write!(
                f,
                "{pid} is a thread of process {of}; attach to that: leak-harness attach {of}"
            ),
            Self::SomebodyElses { pid, uid, own } => write!(
                f,
                "process {pid} belongs to user {uid} and you are user {own}, who may not read its environment, files and memory; attach as that user: sudo -u '#{uid}' leak-harness attach {pid}"
            ),
            Self::Itself { pid } => {
                write!(f, "{pid} is this very program; give the pid of the daemon")
            }
            Self::HasEnded { pid, parent } => write!(
                f,
                "process {pid} has ended and only waits for its parent, {parent}, to take notice; that one may be attached to"
            ),
            Self::NoFolder { path, cause } => write!(
                f,
                "the data folder {path} cannot be used: {cause}; give a folder that exists, or leave --data out"
            ),
            Self::System { doing, cause } => write!(f, "cannot {doing}: {cause}"),
        }
    }
}

impl std::error::Error for AttachError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoFolder { cause, .. } | Self::System { cause, .. } => Some(cause),
            _ => None,
        }
    }
}
