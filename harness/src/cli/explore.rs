//! `explore`: searches moments of failure, and makes what it finds as small as it can.

use super::args::{ExploreArguments, TableFormat};
use super::exit_code::ExitCode;
use super::failure::Failure;
use super::gym::{Folders, write};
use super::many::{ManyLine, at_once};
use super::output;
use super::plan::{self, ScenarioText};
use crate::explore::results::ExploreReport;
use crate::explore::{self, ExploreError, Order, markdown};
use crate::worker::find_program;

impl From<ExploreError> for Failure {
    fn from(error: ExploreError) -> Self {
        match error {
            ExploreError::Batch(error) => error.into(),
            ExploreError::Unsuited {
                inconclusive: true, ..
            } => Self::inconclusive(error),
            ExploreError::Unsuited { .. } => Self::unexpected(error),
            ExploreError::NotRun(Some(4), _) => Self::worker(error),
            ExploreError::Scenario(_) | ExploreError::NotRun(..) | ExploreError::Write(..) => {
                Self::usage(error)
            }
        }
    }
}

/// Searches, and says what was found.
pub fn explore(arguments: &ExploreArguments, quiet: bool) -> Result<ExitCode, Failure> {
    // Each run would say so for itself otherwise.
    for program in ["fake-claude", "model-worker"] {
        find_program(program).map_err(Failure::usage)?;
    }
    let text = ScenarioText::read(&arguments.scenario)?;
    let name = arguments.scenario.file_stem().unwrap_or_default();
    let out = arguments
        .out
        .clone()
        .unwrap_or_else(|| plan::default_out(&format!("explore-{}", name.to_string_lossy())));
    let folders = Folders::new(Some(&out))?;
    let order = Order {
        file: text.file,
        text: text.text,
        worker: arguments.worker.clone(),
        tries: arguments.tries,
        limit: arguments.limit,
        seed: arguments.seed,
        at_once: at_once(arguments.jobs),
        isolation: arguments.isolation.name(),
        runs: folders.runs.clone(),
        out: out.clone(),
    };
    let mut line = ManyLine::new("explore", quiet);
    let report = explore::explore(&order, &mut |going| {
        line.show(
            &going.phase,
            going.done,
            going.total,
            going.found.as_deref(),
        );
    })?;
    drop(line);
    let json = serde_json::to_string_pretty(&report).map_err(Failure::internal)? + "\n";
    let page = markdown::render(&report);
    write(&out, "explore.json", &json)?;
    write(&out, "explore.md", &page)?;
    if !quiet {
        output::note(format_args!("results: {}", out.display()));
    }
    output::result(&match arguments.format {
        TableFormat::Human => markdown::terminal(&report),
        TableFormat::Json => json,
        TableFormat::Markdown => page,
    })?;
    Ok(code(&report))
}

/// 1 if a schedule was found, 0 if none was; a search that was stopped and has found nothing has not said that there is nothing.
fn code(report: &ExploreReport) -> ExitCode {
    if report.confirmed().next().is_some() {
        ExitCode::Unexpected
    } else if report.interrupted {
        ExitCode::Interrupted
    } else {
        ExitCode::Expected
    }
}
