//! What the program says when a command cannot be carried out: the only place that chooses the words' frame and the exit code.

use std::fmt;
use std::io;
use std::path::Path;

use super::exit_code::ExitCode;
use crate::recording::RecordingError;
use crate::report::escape::plain;
use crate::strict_toml::TomlError;

/// A command that failed, with its message and its exit code.
#[derive(Debug)]
pub struct Failure {
    message: String,
    code: ExitCode,
}

impl Failure {
    /// The user asked for something that does not exist or makes no sense.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            code: ExitCode::Usage,
        }
    }

    /// The worker would not start.
    pub fn worker(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            code: ExitCode::WorkerWouldNotStart,
        }
    }

    /// What the command rests on is not as expected.
    pub fn unexpected(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            code: ExitCode::Unexpected,
        }
    }

    /// What the command rests on could not be decided.
    pub fn inconclusive(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            code: ExitCode::Inconclusive,
        }
    }

    /// Our bug, or a machine that refuses what the harness needs.
    pub fn internal(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            code: ExitCode::Internal,
        }
    }

    /// A file that cannot be read or written.
    pub fn file(path: &Path, cause: &io::Error) -> Self {
        Self::usage(format_args!("{}: {cause}", plain(&path.to_string_lossy())))
    }

    /// Stopped by the user before there was anything to report.
    pub fn interrupted() -> Self {
        Self {
            message: "interrupted".to_owned(),
            code: ExitCode::Interrupted,
        }
    }

    /// Stopped by the user in the middle of many runs.
    pub fn interrupted_with(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            code: ExitCode::Interrupted,
        }
    }

    /// The exit code.
    pub const fn code(&self) -> ExitCode {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<TomlError> for Failure {
    fn from(error: TomlError) -> Self {
        Self::usage(error)
    }
}

impl From<RecordingError> for Failure {
    fn from(error: RecordingError) -> Self {
        Self::usage(error)
    }
}
