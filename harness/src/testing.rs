//! For tests of other people's daemons: run a scenario from `cargo test` and assert on its report.
//!
//! ```no_run
//! use leak_harness::testing::Harness;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let report = Harness::scenario("scenarios/smoke/clean.toml").worker("my-daemon.toml").run()?;
//! assert_eq!(report.processes.retained, 0, "{}", report.summary());
//! assert_eq!(report.work.lost, 0, "{}", report.summary());
//! # Ok(())
//! # }
//! ```
//!
//! The program `leak-harness` does the work in processes of its own: nothing process-wide is set in the test's process, so such
//! tests may run in parallel. It is looked for beside the test, in the parent folder of a test binary, in `LEAK_HARNESS_BIN`, and
//! on `PATH`.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use crate::report::Report;
use crate::worker::find_program;

/// A run to be made.
#[derive(Debug, Clone)]
pub struct Harness {
    scenario: PathBuf,
    arguments: Vec<String>,
}

/// Why there is no report.
#[derive(Debug)]
pub enum HarnessError {
    /// The program `leak-harness` was not found, or could not be started.
    NotStarted(String),
    /// It ended without a report, as it does for a bad scenario or a worker that does not start.
    NoReport {
        /// Its exit code.
        code: Option<i32>,
        /// What it said.
        said: String,
    },
}

impl fmt::Display for HarnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted(reason) => f.write_str(reason),
            Self::NoReport {
                code: Some(code),
                said,
            } => write!(
                f,
                "leak-harness ended with code {code} and no report: {said}"
            ),
            Self::NoReport { code: None, said } => {
                write!(f, "leak-harness was killed and gave no report: {said}")
            }
        }
    }
}

impl std::error::Error for HarnessError {}

impl Harness {
    /// A run of a scenario file.
    pub fn scenario(file: impl Into<PathBuf>) -> Self {
        Self {
            scenario: file.into(),
            arguments: Vec::new(),
        }
    }

    /// Drives this worker instead of the scenario's: a specification as the command line takes it.
    #[must_use]
    pub fn worker(self, worker: &str) -> Self {
        self.argument("--worker", worker)
    }

    /// Changes one key of the scenario, such as `load.sessions` to `20`.
    #[must_use]
    pub fn set(self, key: &str, value: &str) -> Self {
        self.argument("--set", &format!("{key}={value}"))
    }

    /// Keeps the results in a folder. Without it they are in a temporary folder and gone after the run.
    #[must_use]
    pub fn out(self, folder: &str) -> Self {
        self.argument("--out", folder)
    }

    fn argument(mut self, name: &str, value: &str) -> Self {
        self.arguments.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// Runs the scenario and gives the report, whatever its verdict.
    ///
    /// # Errors
    ///
    /// When there is no report: the program is missing, the scenario is wrong, the worker does not start.
    pub fn run(&self) -> Result<Report, HarnessError> {
        let program = find_program("leak-harness")
            .map_err(|error| HarnessError::NotStarted(error.to_string()))?;
        let mut command = Command::new(program);
        command
            .args(["--quiet", "run", "--format", "json"])
            .arg(&self.scenario)
            .args(&self.arguments);
        let folder = (!self.arguments.iter().any(|argument| argument == "--out"))
            .then(tempfile::tempdir)
            .transpose();
        let not_started = |error: io::Error| HarnessError::NotStarted(error.to_string());
        let folder = folder.map_err(not_started)?;
        if let Some(folder) = &folder {
            command.arg("--out").arg(folder.path());
        }
        let output = command.output().map_err(not_started)?;
        serde_json::from_slice(&output.stdout).map_err(|_| HarnessError::NoReport {
            code: output.status.code(),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}
