//! Why evidence does not suffice, each with the knob that would decide it.

use std::fmt;

use super::coverage::untold;
use crate::timeline::event::Source;
use crate::units::{self, Count};

/// Why the fate of one process is undecided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unsure {
    /// The run stopped the worker before the process's grace was over.
    GraceNotCovered,
    /// The recording ends before the time that processes have after the worker's stop.
    ResidueNotCovered,
    /// It lived when the recording ended, and its session had not ended.
    SessionOpen,
    /// The run goes on.
    GoesOn,
    /// The recording was cut off.
    CutOff,
    /// The run was interrupted while it lived.
    Interrupted,
    /// It was ended while sessions were open, and which one it served is not known.
    SessionUnknown,
    /// How it ended could not be seen, because the control socket had failed.
    EndUnseen,
    /// No session is known to which it could be held.
    NoSession,
    /// It stayed, nobody saw which part it plays, and one that is meant to live is declared by its part.
    RoleUnknown,
}

impl Unsure {
    /// Why, in words that are the same in every run.
    pub const fn words(self) -> &'static str {
        match self {
            Self::GraceNotCovered => "the worker was stopped before the grace was over",
            Self::ResidueNotCovered => {
                "the recording ends before the time after the worker's stop was over"
            }
            Self::SessionOpen => "its session had not ended when the recording did",
            Self::GoesOn => "the run goes on",
            Self::CutOff => "the recording was cut off",
            Self::Interrupted => "the run was interrupted",
            Self::SessionUnknown => {
                "it was ended while sessions were open, and it never said which one it served"
            }
            Self::EndUnseen => "the control socket had failed, so nobody saw how it ended",
            Self::NoSession => "no session is known to which it could be held",
            Self::RoleUnknown => {
                "it may be one of those that are meant to live, which are declared by a role that nobody saw"
            }
        }
    }

    /// What would decide it.
    const fn knob(self) -> &'static str {
        match self {
            Self::GraceNotCovered => "a shorter `[expect] grace` or a longer `[run] timeout`",
            Self::ResidueNotCovered => "a shorter `[expect] residue_grace`",
            Self::SessionOpen => "a longer `[run] timeout`",
            Self::GoesOn => "its end",
            Self::CutOff | Self::Interrupted => "a complete run",
            Self::SessionUnknown => "`[load] concurrency = 1`",
            Self::EndUnseen => "another run",
            Self::NoSession => "a scenario",
            Self::RoleUnknown => {
                "a `command` for each `[[expect.survivors]]`, or the control socket"
            }
        }
    }
}

impl fmt::Display for Unsure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {} would decide it", self.words(), self.knob())
    }
}

/// Why the whole run proves less than it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// The recording holds nothing.
    Empty,
    /// The recording has no last event.
    CutOff,
    /// The run goes on: this is what was seen so far.
    GoesOn,
    /// The run was stopped early.
    Interrupted,
    /// The load was stopped before its time, because the recording came near what it may take.
    DiskFull {
        /// What it may take, in bytes.
        bytes: u64,
    },
    /// Some sessions never opened, or the load was not finished.
    LoadUnfinished {
        /// Sessions that the schedule plans; 0 where the load lasts a time.
        planned: u32,
        /// Sessions that opened.
        opened: u32,
    },
    /// The process table was never read.
    NoSamples,
    /// Samples were lost that no other witness covers.
    SamplesLost {
        /// How many.
        count: u32,
    },
    /// A witness failed on whom the verdict rests.
    WitnessFailed {
        /// Which.
        witness: Source,
        /// Why.
        reason: String,
    },
    /// A witness was switched off on whom the verdict rests.
    WitnessMissing {
        /// Which.
        witness: Source,
    },
    /// The fate of some processes is undecided.
    Undecided {
        /// How many.
        count: u32,
        /// Why, for the first of them.
        why: Unsure,
    },
    /// Work still waits.
    Pending {
        /// How many items.
        count: u32,
    },
    /// A witness missed what another saw.
    Blind {
        /// How often.
        count: u32,
    },
    /// What the worker stored could not be read back completely.
    StoreUnread {
        /// Answered items of which nobody knows whether they were stored.
        count: u32,
    },
    /// The books do not balance: a fault of this program.
    Unbalanced(String),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the recording is empty; a run would decide it"),
            Self::CutOff => {
                f.write_str("the recording was cut off; a run that ends by itself would decide it")
            }
            Self::GoesOn => f.write_str("the run goes on; its end will decide it"),
            Self::DiskFull { bytes } => write!(
                f,
                "the load was stopped before its time: the recording came near the {} that it may take; a larger `--disk` would decide it",
                units::bytes(*bytes)
            ),
            Self::Interrupted => {
                f.write_str("the run was interrupted; one that is left alone would decide it")
            }
            Self::LoadUnfinished { planned: 0, opened } => write!(
                f,
                "the load was not finished ({} opened); a longer `[run] timeout` would decide it",
                Count(u64::from(*opened), "session")
            ),
            Self::LoadUnfinished { planned, opened } => write!(
                f,
                "the load was not finished ({opened} of {} opened); a longer `[run] timeout` would decide it",
                Count(u64::from(*planned), "session")
            ),
            Self::NoSamples => f.write_str(
                "the process table was never read; a shorter `[run] tick` would decide it",
            ),
            Self::SamplesLost { count } => write!(
                f,
                "{} lost and not covered by another witness; a longer `[run] tick` would decide it",
                Count(u64::from(*count), "sample")
            ),
            Self::WitnessFailed { witness, reason } => write!(
                f,
                "a witness failed ({}: {reason}), so {}; another run would decide it",
                witness_name(*witness),
                untold(*witness)
            ),
            Self::WitnessMissing { witness } => write!(
                f,
                "the {} was switched off, so {}; a shorter list in `[run] without` would decide it",
                witness_name(*witness),
                untold(*witness)
            ),
            Self::Undecided { count, why } => {
                write!(
                    f,
                    "{} undecided: {why}",
                    Count(u64::from(*count), "process")
                )
            }
            Self::Pending { count } => write!(
                f,
                "{} still waiting; a longer `[run] drain` would decide it, or `[expect] allow_pending = true`",
                Count(u64::from(*count), "work item")
            ),
            Self::Blind { count } => write!(
                f,
                "a witness missed what another saw ({}); a shorter `[run] tick` would decide it",
                Count(u64::from(*count), "time")
            ),
            Self::StoreUnread { count } => write!(
                f,
                "what the worker stored could not be read back completely ({} in doubt); another run would decide it",
                Count(u64::from(*count), "work item")
            ),
            Self::Unbalanced(what) => {
                write!(
                    f,
                    "the books do not balance, which is a fault of this program: {what}"
                )
            }
        }
    }
}

/// A witness's name, as reports print it.
pub const fn witness_name(witness: Source) -> &'static str {
    match witness {
        Source::Run => "run",
        Source::Driver => "driver",
        Source::Reaper => "reaper",
        Source::Table => "process table",
        Source::Portable => "portable process table",
        Source::Control => "control socket",
        Source::Cookie => "environment cookie",
    }
}
