//! Why a process leaked or ended, from evidence alone. What the evidence does not show is called unknown.

use std::fmt;

use fake_claude::control::Why;

/// Why something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Nobody, or nobody successfully, ended a process that had to go.
    NotEnded {
        /// How it was told to go.
        told: Told,
        /// What became of its stdin.
        stdin: Stdin,
        /// What sets it apart from a plain child of the worker.
        lineage: Lineage,
    },
    /// A process is dead and its parent has not waited for it.
    NotWaitedFor {
        /// Whether the parent is the worker itself.
        by_worker: bool,
    },
    /// A process was ended from outside.
    Killed {
        /// By which signal, where that is known.
        signal: Option<i32>,
        /// By whom.
        by: Sender,
        /// Whether its session was open at that moment, or over.
        open: bool,
        /// Whether it had work under way.
        working: bool,
    },
    /// Its stdin was closed while it had work, and the work stayed unfinished.
    StdinClosed,
    /// It ended by itself.
    EndedItself {
        /// Whether the scenario had told it to.
        planned: bool,
        /// Why, in its own words, where it spoke.
        why: Option<Why>,
    },
    /// The evidence does not show it.
    Unknown,
}

/// How a process was told to go before it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// No signal reached it.
    Never,
    /// A signal reached it, and it ignored that.
    Ignored {
        /// The signal.
        signal: i32,
        /// Who sent it.
        by: Sender,
    },
    /// A signal reached it that it obeys, and it is still there.
    Slow {
        /// The signal.
        signal: i32,
        /// Who sent it.
        by: Sender,
    },
    /// No signal reached it before it was overdue, and this one did after that, while the run still left the worker alone.
    TooLate {
        /// The signal.
        signal: i32,
        /// Who sent it.
        by: Sender,
    },
    /// No signal reached it before it was overdue, and after that it died without a word, while the run still left the worker alone.
    KilledTooLate,
    /// It does not report signals, so nobody knows.
    Unseen,
}

/// What became of a process's stdin before it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdin {
    /// The worker holds the other end.
    HeldByWorker,
    /// A process of the run other than the worker holds it: it inherited it.
    HeldBySibling,
    /// Somebody else holds it.
    HeldByStranger,
    /// It ended in time, the process saw that, and stayed.
    EndedAndSeen,
    /// It ended only after the process was overdue, while the run still left the worker alone.
    ClosedTooLate,
    /// Nobody holds it, and the process has not noticed.
    EndedUnseen,
    /// It has not ended, but who holds it is not known.
    OpenByUnknown,
    /// Nothing is known.
    Unknown,
}

/// What sets a leaked process apart from a plain child of the worker: whom it comes from, and whether it moved away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lineage {
    /// What became of those it comes from.
    pub relation: Relation,
    /// Whether it set itself apart.
    pub apart: Apart,
}

/// What became of those that a leaked process comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The worker started it, and nothing is to be said about it.
    Plain,
    /// Its wrapper was ended, and it was not.
    WrapperEnded,
    /// The process that started it was ended, and it was not.
    StarterEnded,
    /// Another process of its session started it, and lives too.
    StarterLives,
    /// A later primary of its session was started before it was overdue.
    Replaced,
    /// The worker that started it is gone; a later one was started.
    WorkerGone,
    /// A worker that was started beside the one that serves has started it.
    SecondWorker,
    /// It was started for a session of which it had been said that it is over.
    AfterTheEnd,
}

/// Whether a process set itself apart from the one that started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apart {
    /// It did not.
    No,
    /// It is a daemon: the process between it and its starter made a session and ended.
    DoubleFork,
    /// It moved into a process session of its own, where signals to the group miss it.
    OwnSession,
    /// It leads a process group of its own in the session of its starter, where signals to that one's group miss it.
    OwnGroup,
}

/// Who sent a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// The worker.
    Worker,
    /// The harness.
    Harness,
    /// The process that started it.
    Starter,
    /// Another process of the run.
    Sibling,
    /// A process outside of the run, or the kernel.
    Outside,
    /// A process that it had started itself.
    Descendant,
    /// A process that serves another session, or that such a one has started.
    OtherSession,
    /// A process that the run does not know.
    Stranger,
    /// Nobody saw who.
    Unknown,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotEnded {
                told,
                stdin,
                lineage,
            } => {
                write!(f, "{lineage}{told}")?;
                match stdin {
                    Stdin::Unknown => Ok(()),
                    _ => write!(f, ", {stdin}"),
                }
            }
            Self::NotWaitedFor { by_worker: true } => f.write_str("the worker never waited for it"),
            Self::NotWaitedFor { by_worker: false } => {
                f.write_str("its parent, not the worker, never waited for it")
            }
            Self::Killed {
                signal,
                by,
                open,
                working,
            } => {
                match signal {
                    // Whether the number is known depends on the kernel and on who was watching; the sender is what counts.
                    Some(signal) if by != Sender::Unknown => {
                        write!(f, "ended by {} from {by}", SignalName(signal))?;
                    }
                    _ => write!(f, "killed, {by},")?,
                }
                f.write_str(if open {
                    " while its session was open"
                } else {
                    " after its session's end"
                })?;
                if working {
                    f.write_str(", with work under way")?;
                }
                Ok(())
            }
            Self::StdinClosed => f.write_str("its stdin was closed while it had work under way"),
            Self::EndedItself { planned, why } => {
                f.write_str("ended by itself with work under way")?;
                if planned {
                    return f.write_str(", as the scenario told it to");
                }
                match why {
                    Some(Why::Refused) => f.write_str(": it refused its arguments or its input"),
                    Some(_) | None => Ok(()),
                }
            }
            Self::Unknown => f.write_str("cause unknown"),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Never => f.write_str("never signalled"),
            Self::Ignored { signal, by } => {
                write!(f, "ignored {} from {by}", SignalName(signal))
            }
            Self::Slow { signal, by } => {
                write!(f, "still there after {} from {by}", SignalName(signal))
            }
            Self::TooLate { signal, by } => {
                write!(f, "signalled too late: {} from {by}", SignalName(signal))
            }
            Self::KilledTooLate => f.write_str("killed too late, sender unknown"),
            Self::Unseen => f.write_str("signals unknown"),
        }
    }
}

impl fmt::Display for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeldByWorker => "stdin still held open by the worker",
            Self::HeldBySibling => "stdin still held open by a sibling that inherited it",
            Self::HeldByStranger => "stdin still held open by a process outside of the run",
            Self::EndedAndSeen => "stayed after its stdin had ended",
            Self::ClosedTooLate => "its stdin was closed too late",
            Self::EndedUnseen => "stdin closed, which it has not noticed",
            Self::OpenByUnknown => "stdin still open, holder unknown",
            Self::Unknown => "stdin unknown",
        })
    }
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.relation {
            Relation::Plain => "",
            Relation::WrapperEnded => "its wrapper was ended and it was not, ",
            Relation::StarterEnded => "the process that started it was ended and it was not, ",
            Relation::StarterLives => "started by a process that still lives, ",
            Relation::Replaced => "replaced by a later claude of its session, ",
            Relation::WorkerGone => "left by a worker that is gone, ",
            Relation::SecondWorker => "started by a second worker, ",
            Relation::AfterTheEnd => "started after its session's end, ",
        })?;
        f.write_str(match self.apart {
            Apart::No => "",
            Apart::DoubleFork => "daemonized by a double fork, ",
            Apart::OwnSession => "in a process session of its own, ",
            Apart::OwnGroup => "in a process group of its own, ",
        })
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Worker => "the worker",
            Self::Harness => "the harness",
            Self::Starter => "the process that started it",
            Self::Descendant => "a process that it started",
            Self::OtherSession => "a process of another session",
            Self::Sibling => "another process of the run",
            Self::Outside => "outside of the run",
            Self::Stranger => "an unknown process",
            Self::Unknown => "sender unknown",
        })
    }
}

/// A signal's name, the same on every Unix that this runs on; its number where there is no such name.
pub struct SignalName(
    /// The number.
    pub i32,
);

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "SIGHUP",
            2 => "SIGINT",
            3 => "SIGQUIT",
            6 => "SIGABRT",
            9 => "SIGKILL",
            11 => "SIGSEGV",
            13 => "SIGPIPE",
            15 => "SIGTERM",
            other => return write!(f, "signal {other}"),
        };
        f.write_str(name)
    }
}
