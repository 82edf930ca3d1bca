//! `compare`: two runs side by side, and whether the second is worse.

use std::fs;
use std::path::Path;

use super::args::{CompareArguments, CompareFormat};
use super::exit_code::ExitCode;
use super::failure::Failure;
use super::output;
use super::plan;
use super::run::style;
use crate::compare::{self, Comparison, Outcome, html, json, markdown, terminal};
use crate::recording::RecordingError;
use crate::report::Report;
use crate::report::escape::plain;
use crate::run::{self, Baseline, JudgedError};

/// The report in the folder of a run.
const REPORT: &str = "report.json";

/// Compares two runs.
pub fn compare(arguments: &CompareArguments, quiet: bool) -> Result<ExitCode, Failure> {
    let (a, b) = (read(&arguments.a)?, read(&arguments.b)?);
    let named = |path: &Path| path.to_string_lossy().into_owned();
    let comparison = compare::compare(
        (&named(&arguments.a), &a),
        (&named(&arguments.b), &b),
        arguments.tolerance,
    );
    if let Some(out) = &arguments.out {
        write(&comparison, (&a, &b), out)?;
        if !quiet {
            output::note(format_args!("results: {}", plain(&out.to_string_lossy())));
        }
    }
    output::result(&render(&comparison, (&a, &b), arguments.format)?)?;
    Ok(match comparison.outcome {
        Outcome::Regression => ExitCode::Unexpected,
        Outcome::Undecided => ExitCode::Inconclusive,
        Outcome::NoRegression => ExitCode::Expected,
    })
}

/// The report of a run: judged from its recording, or as it was written where there is no recording.
fn read(path: &Path) -> Result<Report, Failure> {
    let written = path.join(REPORT);
    if path.is_dir() {
        match run::judge(path, &[], Baseline::default()) {
            Err(JudgedError::Recording(RecordingError::NotARecording { .. }))
                if written.exists() =>
            {
                plan::report(&written)
            }
            Err(JudgedError::Recording(RecordingError::NotARecording { .. })) => {
                Err(Failure::usage(format_args!(
                    "{}: neither a recording nor a {REPORT} is there; give the folder of a run, its folder `recording/`, or a {REPORT}",
                    path.display()
                )))
            }
            judged => judged.map_err(Failure::from),
        }
    } else {
        plan::report(path)
    }
}

/// Writes every format into a folder.
fn write(comparison: &Comparison, of: (&Report, &Report), folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|cause| Failure::file(folder, &cause))?;
    for (name, format) in [
        ("compare.json", CompareFormat::Json),
        ("compare.md", CompareFormat::Markdown),
        ("compare.html", CompareFormat::Html),
    ] {
        let path = folder.join(name);
        let content = render(comparison, of, format)?;
        fs::write(&path, content).map_err(|cause| Failure::file(&path, &cause))?;
    }
    Ok(())
}

fn render(
    comparison: &Comparison,
    (a, b): (&Report, &Report),
    format: CompareFormat,
) -> Result<String, Failure> {
    Ok(match format {
        CompareFormat::Human => terminal::render(comparison, style()),
        CompareFormat::Json => json::render(comparison).map_err(Failure::internal)?,
        CompareFormat::Markdown => markdown::render(comparison),
        CompareFormat::Html => html::render(comparison, a, b).map_err(Failure::internal)?,
    })
}
