//! `judge` and `report`: from a recording to a verdict, and to a page.

use super::args::{JudgeArguments, ReportArguments};
use super::exit_code::ExitCode;
use super::failure::Failure;
use super::output;
use super::plan::baseline;
use super::run::{code_of, show};
use crate::report::escape::plain;
use crate::run::{self, Baseline, JudgedError};

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
        .map(baseline)
        .transpose()?
        .unwrap_or_default();
    let (report, lanes) = run::judge_with_lanes(&arguments.recording, &arguments.set, known)?;
    show(&report, &lanes, arguments.format)?;
    Ok(code_of(&report))
}

/// Renders the report of a recording. Rendering is no test: the exit code is 0 whatever the verdict.
pub fn report(arguments: &ReportArguments) -> Result<ExitCode, Failure> {
    let (report, lanes) = run::judge_with_lanes(&arguments.recording, &[], Baseline::default())?;
    if report.checkpoint {
        output::note(format_args!(
            "{}: still being recorded; this is what was seen until now",
            plain(&arguments.recording.to_string_lossy())
        ));
    } else if report.cut_off {
        output::note(format_args!(
            "{}: the recording was cut off; this is what was seen until then",
            plain(&arguments.recording.to_string_lossy())
        ));
    }
    show(&report, &lanes, arguments.format)
}
