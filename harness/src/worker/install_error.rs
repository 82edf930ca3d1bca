//! Why something was not installed, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use semver::Version;

use super::install::Installable;

/// Why something was not installed.
#[derive(Debug)]
pub enum InstallError {
    /// The text names nothing that can be installed.
    Unknown {
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A program that fetches is not on PATH.
    NoProgram(&'static str),
    /// A program could not be started.
    Program {
        /// Which.
        name: &'static str,
        /// Why.
        cause: io::Error,
    },
    /// There is no such version.
    NoVersion {
        /// What was wanted.
        wanted: Installable,
        /// Versions near it that there are, oldest first.
        near: Vec<Version>,
        /// What else was tried.
        tried: Option<String>,
    },
    /// A clone does not hold it.
    Source {
        /// What was wanted.
        wanted: Installable,
        /// The clone.
        source: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// Versions near it that the clone has, oldest first.
        near: Vec<Version>,
    },
    /// The program that fetches reached nothing.
    NoNetwork {
        /// The program: npm or pip.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// It failed for another reason.
    Failed {
        /// The program: npm or pip.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// What was fetched is not what was expected.
    Incomplete {
        /// What was wanted.
        wanted: Installable,
        /// What is missing in it.
        missing: String,
    },
    /// There is no such build for this machine.
    Platform {
        /// The operating system and the processor.
        machine: String,
    },
    /// The cache cannot be written.
    Files {
        /// Where.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { text, problem } => write!(
                f,
                "`{}` cannot be installed: {problem}; use claude-mem@VERSION, bun@VERSION, claude-agent-sdk@VERSION or claude-agent-sdk-py@VERSION",
                text.escape_debug()
            ),
            Self::NoProgram(name) => write!(
                f,
                "the program `{name}` is not on PATH; install {}",
                from_where(name)
            ),
            Self::Program { name, cause } => write!(f, "cannot run `{name}`: {cause}"),
            Self::NoVersion {
                wanted,
                near,
                tried,
            } => {
                write!(f, "there is no {wanted}")?;
                if let Some(tried) = tried {
                    write!(f, " ({tried})")?;
                }
                near_it(f, near)
            }
            Self::Source {
                wanted,
                source,
                problem,
                near,
            } => {
                write!(
                    f,
                    "{wanted} cannot be taken from {}: {problem}",
                    source.display()
                )?;
                near_it(f, near)
            }
            Self::NoNetwork { program, said } => write!(
                f,
                "`{program}` reaches nothing: {said}; check the network, and the registry and proxy that `{program} config list` shows"
            ),
            Self::Failed { program, said } => write!(f, "`{program}` failed: {said}"),
            Self::Incomplete { wanted, missing } => {
                write!(f, "{wanted} was fetched, but {missing} is missing in it")
            }
            Self::Platform { machine } => {
                write!(f, "there is no build of bun for {machine}; put one on PATH")
            }
            Self::Files { path, cause } => write!(
                f,
                "cannot write the cache at {}: {cause}; LEAK_HARNESS_CACHE names another folder",
                path.display()
            ),
        }
    }
}

impl std::error::Error for InstallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Program { cause, .. } | Self::Files { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

fn near_it(f: &mut fmt::Formatter<'_>, near: &[Version]) -> fmt::Result {
    if near.is_empty() {
        return Ok(());
    }
    let near: Vec<_> = near.iter().map(Version::to_string).collect();
    write!(f, "; near it are {}", near.join(", "))
}

fn from_where(name: &str) -> &'static str {
    match name {
        "npm" => "Node.js, which brings it along",
        "python3" => "Python, with pip",
        _ => "it",
    }
}
