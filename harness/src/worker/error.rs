//! What can go wrong with a worker, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use fake_claude::quantity::Span;

use super::place::Exit;
use super::programs::ProgramMissing;
use crate::strict_toml::TomlError;
use crate::units;

/// What can go wrong with a worker.
#[derive(Debug)]
pub enum WorkerError {
    /// The text that names a worker is not understood.
    Spec {
        /// The text.
        spec: String,
        /// What is wrong with it.
        problem: String,
        /// What would be right.
        remedy: String,
    },
    /// An adapter file is not understood.
    Adapter(Box<TomlError>),
    /// Something that the worker needs is not there.
    Missing {
        /// What.
        what: String,
        /// How to get it.
        remedy: String,
    },
    /// A program of this project is not there.
    Program(ProgramMissing),
    /// A file or folder could not be made or read.
    Files {
        /// What was being done.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why it failed.
        cause: io::Error,
    },
    /// The adapter wants to write outside the folder of the run.
    Outside {
        /// Where.
        path: PathBuf,
    },
    /// A placeholder of the adapter has no value for this worker.
    Unset {
        /// Which.
        placeholder: String,
    },
    /// A setting that the scenario gives is not one that this worker can have.
    Setting {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: String,
        /// What would be right.
        remedy: String,
    },
    /// No port was free.
    NoPort(io::Error),
    /// This worker's own timers cannot be divided.
    NotScalable {
        /// The worker.
        worker: String,
    },
    /// Its timers were to be divided, and are not.
    WouldNotScale {
        /// The factor by which they were to be divided.
        factor: f64,
        /// How that is known.
        why: String,
    },
    /// It cannot be driven as the load asks.
    Lacks {
        /// The worker.
        worker: String,
        /// The key of `[load]` that asks for it.
        key: &'static str,
        /// What it lacks.
        what: String,
        /// What would be possible.
        remedy: String,
    },
    /// The process could not be started.
    Start {
        /// The program.
        program: String,
        /// Why.
        cause: io::Error,
    },
    /// It ended before it was ready.
    DiedAtStart {
        /// How it ended.
        exit: Exit,
        /// The last lines that it wrote.
        log: String,
    },
    /// It was not ready in time.
    NotReady {
        /// How long was waited.
        waited: Span,
        /// What the last attempt to ask it gave.
        last: String,
        /// The last lines that it wrote.
        log: String,
    },
    /// It could not be signalled.
    Signal {
        /// The signal.
        signal: i32,
        /// Why.
        cause: io::Error,
    },
    /// It did not even go when it was killed.
    WouldNotGo {
        /// How long was waited in all.
        waited: Span,
    },
}

impl fmt::Display for WorkerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec {
                spec,
                problem,
                remedy,
            } => write!(
                f,
                "`{}` names no worker: {problem}; {remedy}",
                spec.escape_debug()
            ),
            Self::Adapter(error) => error.fmt(f),
            Self::Missing { what, remedy } => write!(f, "{what} is not there; {remedy}"),
            Self::Program(error) => error.fmt(f),
            Self::Files { doing, path, cause } => {
                write!(f, "cannot {doing} {}: {cause}", path.display())
            }
            Self::Outside { path } => write!(
                f,
                "the adapter wants to write {}, outside the folder of the run",
                path.display()
            ),
            Self::Unset { placeholder } => write!(
                f,
                "the adapter uses {{{placeholder}}}, which this worker has no value for"
            ),
            Self::Setting {
                problem, remedy, ..
            } => write!(f, "{problem}; {remedy}"),
            Self::NoPort(cause) => write!(f, "no port below 32768 is free for the worker: {cause}"),
            Self::NotScalable { worker } => {
                write!(
                    f,
                    "the timers of {worker} cannot be divided; leave out `time_scale`, or use `compress`, which divides arrival and think times alone"
                )
            }
            Self::WouldNotScale { factor, why } => write!(
                f,
                "the worker would not scale its time by {factor}: {why}; run it in real time (`time_scale = 1`), or use `compress`, which divides arrival and think times alone"
            ),
            Self::Lacks {
                worker,
                what,
                remedy,
                ..
            } => write!(f, "{worker} has {what}; {remedy}"),
            Self::Start { program, cause } => write!(f, "cannot start {program}: {cause}"),
            Self::DiedAtStart { exit, log } => write!(
                f,
                "the worker ended ({exit}) before it was ready; it last said:\n{}",
                or_nothing(log)
            ),
            Self::NotReady { waited, last, log } => write!(
                f,
                "the worker was not ready after {}: {last}; it last said:\n{}",
                units::span(*waited),
                or_nothing(log)
            ),
            Self::Signal { signal, cause } => {
                write!(f, "cannot send signal {signal} to the worker: {cause}")
            }
            Self::WouldNotGo { waited } => write!(
                f,
                "the worker still lives {} after it was asked to stop, SIGKILL included",
                units::span(*waited)
            ),
        }
    }
}

fn or_nothing(log: &str) -> &str {
    if log.is_empty() { "(nothing)" } else { log }
}

impl std::error::Error for WorkerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Adapter(error) => Some(error),
            Self::Program(error) => Some(error),
            Self::Files { cause, .. }
            | Self::NoPort(cause)
            | Self::Start { cause, .. }
            | Self::Signal { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

impl From<TomlError> for WorkerError {
    fn from(error: TomlError) -> Self {
        Self::Adapter(Box::new(error))
    }
}

impl From<ProgramMissing> for WorkerError {
    fn from(error: ProgramMissing) -> Self {
        Self::Program(error)
    }
}
