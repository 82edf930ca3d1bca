//! Two processes of ours, and the walls around a run.
//!
//! *Outer* is what the user started: terminal, Ctrl-C, guardian of last resort. *Inner* is the same program, executed again with
//! [`INNER_ARGUMENT`]: driver, witnesses, recorder. Where the kernel allows it, inner is PID 1 of a PID namespace with a mount
//! namespace (for a `/proc` of its own) and a network namespace, inside a user namespace where that is what it takes. Otherwise inner
//! is an ordinary child, and both are child subreapers.
//!
//! A pair of sockets joins them. It carries the plan and commands inwards, messages outwards, and is the lifeline:
//!
//! | who dies | in namespaces | in fallback |
//! |---|---|---|
//! | inner | the kernel kills all that is left in its PID namespace | outer, now the parent of every orphan, kills them by pidfd |
//! | outer | inner gets SIGKILL from the kernel, and the rest as above | inner reads the end of the lifeline, kills the tree, and exits |
//!
//! **Terminal and signals.** Inner has a session of its own, so Ctrl-C, Ctrl-Z and a hang-up reach outer alone, which decides what they
//! mean and says so by [`outer::Inner::stop`]. Inner ignores no signal, because an ignored signal would be inherited by the worker.
//!
//! **Threads.** [`outer::launch`] must be called on a thread that lives as long as the run (the main thread), because the kernel ties
//! the life of inner to that thread; and best before any other thread exists.

pub mod inner;
mod link;
mod ordinary;
pub mod outer;
mod tree;

#[cfg(target_os = "linux")]
mod namespaces;

use std::fmt;
use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

pub use inner::{Adopted, Command, adopt};
pub use ordinary::own_program;
pub use outer::{Inner, InnerEnd, launch};
pub use tree::{Ended, end_descendants};

/// The first argument of the inner process. Hidden from the user.
pub const INNER_ARGUMENT: &str = "__inner";

/// How much isolation is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wanted {
    /// As much as the kernel allows.
    #[default]
    Best,
    /// None: an ordinary child, as on systems that allow nothing.
    Fallback,
}

/// Why there is no inner process, or it cannot work.
#[derive(Debug)]
pub enum IsolationError {
    /// The inner process cannot be started.
    Start(io::Error),
    /// The plan cannot be handed over.
    HandOver(io::Error),
    /// The inner process was started by hand.
    NotByOuter,
    /// The inner process cannot take over orphans.
    Subreaper(io::Error),
}

impl fmt::Display for IsolationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(cause) => write!(f, "the inner process cannot be started: {cause}"),
            Self::HandOver(cause) => {
                write!(f, "the plan cannot be handed to the inner process: {cause}")
            }
            Self::NotByOuter => write!(
                f,
                "`{INNER_ARGUMENT}` is for the program itself and not to be used by hand"
            ),
            Self::Subreaper(cause) => {
                write!(
                    f,
                    "the inner process cannot become the parent of orphans: {cause}"
                )
            }
        }
    }
}

impl std::error::Error for IsolationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start(cause) | Self::HandOver(cause) | Self::Subreaper(cause) => Some(cause),
            Self::NotByOuter => None,
        }
    }
}

/// The soft and hard limit of open files that the user had, to be given back to the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserLimits {
    /// Above this nothing can be opened; a process may raise it up to the hard limit.
    pub soft_files: u64,
    /// The most that the soft limit can be.
    pub hard_files: u64,
}

impl UserLimits {
    /// Raises the soft limit of this process to the hard one, and remembers what it was.
    fn raise() -> io::Result<Self> {
        let (soft_files, hard_files) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, hard_files, hard_files)?;
        Ok(Self {
            soft_files,
            hard_files,
        })
    }

    /// Gives the calling process the user's limits again, and takes away what the inner process may do beyond the user. For use between
    /// fork and exec.
    pub fn restore(&self) -> io::Result<()> {
        setrlimit(Resource::RLIMIT_NOFILE, self.soft_files, self.hard_files)?;
        #[cfg(target_os = "linux")]
        namespaces::keep_nothing();
        Ok(())
    }
}

/// Something that isolation is made of, and whether this machine gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What was tried.
    pub name: &'static str,
    /// Why it does not work; none when it does.
    pub why_not: Option<String>,
}

/// Tries every part of isolation on its own, by short-lived children.
pub fn probe() -> Vec<Probe> {
    let mut probes = Vec::new();
    #[cfg(target_os = "linux")]
    probes.extend(namespaces::probe());
    probes.push(Probe {
        name: "orphans come to the harness (child subreaper)",
        why_not: (!crate::platform::KEEPS_ORPHANS)
            .then(|| "this system gives orphans to its own first process".to_owned()),
    });
    probes
}
