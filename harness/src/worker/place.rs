//! Where a worker runs, and what it asks of the operating system: both are given to it by the run.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;

use super::folder::RunFolder;
use crate::process::ProcessIdentity;
use crate::units::RunTime;

/// Where a worker runs.
#[derive(Debug, Clone)]
pub struct Place {
    /// The folder of the run, prepared.
    pub folder: RunFolder,
    /// Whether the run has a network of its own, so that the adapter's port is surely free.
    pub own_network: bool,
    /// The factor by which the worker's own timers are divided.
    pub time_scale: f64,
    /// More variables for its environment, such as the run's cookie.
    pub environment: Vec<(String, String)>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// When.
    pub at: RunTime,
    /// Its exit code.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit code {code}"),
            (None, Some(signal)) => write!(f, "signal {signal}"),
            (None, None) => f.write_str("nobody knows how"),
        }
    }
}

/// What a worker is among those of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The one that serves.
    First,
    /// One that was started beside it.
    Second,
}

/// Tells how a process ended, once it has.
pub type ExitWatch = watch::Receiver<Option<Exit>>;

/// What a worker asks of the operating system and of the one waiter of the process.
#[derive(Clone)]
pub struct System {
    /// Runs in the new process between fork and exec, where only calls that are safe after a fork are allowed: gives back the
    /// limits that the user had, and lets the worker die with the harness. The session of its own is not its business.
    pub before_exec: Arc<dyn Fn() -> io::Result<()> + Send + Sync>,
    /// The identity of a live child, which is a worker of this standing.
    pub identity: Rc<dyn Fn(u32, Standing) -> io::Result<ProcessIdentity>>,
    /// Promises to tell when a child was waited for. Called right after its start, before anything else can be waited for.
    pub exit: Rc<dyn Fn(ProcessIdentity) -> ExitWatch>,
    /// Sends a signal once the identity was compared again, and says so in an event; `false` when that process is gone.
    pub signal: Rc<dyn Fn(ProcessIdentity, i32) -> io::Result<bool>>,
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("System")
    }
}
