//! What the witnesses are told before they begin.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use fake_claude::behaviour::Behaviour;
use fake_claude::control::Role;
use fake_claude::quantity::Span;

use super::Scope;
use crate::timeline::event::Source;

/// Which witnesses speak. One that is switched off still does what the run needs of it (orphans are reaped, fakes are told how to
/// behave), but nothing that it sees becomes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switches {
    /// PID 1 or subreaper, and pidfds.
    pub reaper: bool,
    /// The process table.
    pub table: bool,
    /// The control socket.
    pub control: bool,
    /// The environment cookie.
    pub cookie: bool,
    /// The portable process table.
    pub portable: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            reaper: true,
            table: true,
            control: true,
            cookie: true,
            portable: true,
        }
    }
}

impl Switches {
    /// Whether this source speaks; sources that are no witnesses always do.
    pub const fn speaks(&self, source: Source) -> bool {
        match source {
            Source::Reaper => self.reaper,
            Source::Table => self.table,
            Source::Control => self.control,
            Source::Cookie => self.cookie,
            Source::Portable => self.portable,
            Source::Run | Source::Driver => true,
        }
    }

    /// The witnesses that speak, for the facts of a run.
    pub fn sources(&self) -> Vec<Source> {
        [
            Source::Reaper,
            Source::Table,
            Source::Portable,
            Source::Control,
            Source::Cookie,
        ]
        .into_iter()
        .filter(|source| self.speaks(*source))
        .collect()
    }
}

/// The role of a process by its command line, where the adapter names one.
pub type RoleOf = Box<dyn Fn(&str) -> Option<Role>>;
/// How a fake behaves: asked at its hello with the session that it inherited, if any, and again once it serves one.
pub type BehaviourOf = Box<dyn FnMut(Option<&str>) -> Behaviour>;

/// What the witnesses need to know.
pub struct Settings {
    /// Which processes are the run's.
    pub scope: Scope,
    /// The host's `/proc`, where the run has its own: gives the pids that the user's `ps` shows.
    pub host_proc: Option<OwnedFd>,
    /// The time between two samples.
    pub tick: Span,
    /// Which witnesses speak.
    pub switches: Switches,
    /// The value of [`COOKIE_VARIABLE`](super::COOKIE_VARIABLE) in this run's processes, where it was set.
    pub cookie: Option<String>,
    /// The folder of the control socket: made with mode 0700, or found so. None: no control socket, as when a live daemon is watched.
    pub control_folder: Option<PathBuf>,
    /// The role of a process by its command line, where the adapter names one.
    pub role: RoleOf,
    /// How a fake behaves: asked at its hello with the session that it inherited, if any, and again once it serves one.
    pub behaviour: BehaviourOf,
}
