//! `judge` and `report`: from a recording to a verdict, and to a page.

use std::collections::BTreeSet;

use super::args::{JudgeArguments, ReportArguments};
use super::exit_code::ExitCode;
use super::failure::Failure;
use super::plan::known_signatures;
use super::run::{code_of, show};
use crate::run::{self, JudgedError};

impl From<JudgedError> for Failure {
    fn from(error: JudgedError) -> Self {
        match error {
            JudgedError::Recording(error) => error.into(),
            JudgedError::Scenario(error) => error.into(),
        }
    }
}

/// Judges a recording again.
pub fn judge(arguments: &JudgeArguments) -> Result<ExitCode, Failure> {
    let known = arguments
        .baseline
        .as_deref()
        .map(known_signatures)
        .transpose()?
        .unwrap_or_default();
    let report = run::judge(&arguments.recording, &arguments.set, known)?;
    show(&report, arguments.format)?;
    Ok(code_of(&report))
}

/// Renders the report of a recording. Rendering is no test: the exit code is 0 whatever the verdict.
pub fn report(arguments: &ReportArguments) -> Result<ExitCode, Failure> {
    let report = run::judge(&arguments.recording, &[], BTreeSet::new())?;
    show(&report, arguments.format)
}
