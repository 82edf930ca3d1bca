//! The exit codes, a public and stable list.

use std::process;

/// How the program ends. When several scenarios are run, the gravest of their codes is the program's, in the order of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExitCode {
    /// 0: as expected.
    Expected,
    /// 3: inconclusive; the report names what would decide it.
    Inconclusive,
    /// 1: not as expected.
    Unexpected,
    /// 4: the worker would not start.
    WorkerWouldNotStart,
    /// 2: usage, or a bad scenario or adapter file.
    Usage,
    /// 70: our bug, or a machine that refuses what the harness needs.
    Internal,
    /// 130: interrupted.
    Interrupted,
}

impl ExitCode {
    /// The number that the shell sees.
    pub const fn number(self) -> u8 {
        match self {
            Self::Expected => 0,
            Self::Unexpected => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::WorkerWouldNotStart => 4,
            Self::Internal => 70,
            Self::Interrupted => 130,
        }
    }
}

impl From<ExitCode> for process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}
