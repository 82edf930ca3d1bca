//! `gym`: runs every planted defect and clean control, prints the confusion matrix.

use std::fs;
use std::path::{Path, PathBuf};

use super::args::{GymArguments, TableFormat};
use super::exit_code::ExitCode;
use super::failure::Failure;
use super::many::{ManyLine, at_once};
use super::output;
use super::run::style;
use crate::gym::results::{GymReport, Standing};
use crate::gym::{self, GymError, Order};
use crate::gym::{markdown, terminal};
use crate::worker::find_program;

impl From<GymError> for Failure {
    fn from(error: GymError) -> Self {
        match error {
            GymError::Batch(error) => error.into(),
            error => Self::usage(error),
        }
    }
}

/// Runs the gym.
pub fn gym(arguments: &GymArguments, quiet: bool) -> Result<ExitCode, Failure> {
    // Each run would say so for itself otherwise.
    for program in ["fake-claude", "model-worker"] {
        find_program(program).map_err(Failure::usage)?;
    }
    let folders = Folders::new(arguments.out.as_deref())?;
    let order = Order {
        seeds: arguments.seeds,
        at_once: at_once(arguments.jobs),
        only: arguments.only.clone(),
        without: arguments.without.clone(),
        soundness: arguments.soundness,
        isolation: arguments.isolation.name(),
        folder: folders.runs.clone(),
        keep: arguments.out.is_some(),
    };
    let mut line = ManyLine::new("gym", quiet);
    let report = gym::run(&order, &mut |going| {
        line.show(going.phase, going.done, going.total, going.wrong.as_deref());
    })?;
    drop(line);
    let json = report.json().map_err(Failure::internal)?;
    let page = markdown::render(&report);
    if let Some(out) = &arguments.out {
        write(out, "gym.json", &json)?;
        write(out, "gym.md", &page)?;
    }
    output::result(&match arguments.format {
        TableFormat::Human => terminal::render(&report, style()),
        TableFormat::Json => json,
        TableFormat::Markdown => page,
    })?;
    Ok(code(&report))
}

/// 1 if anything is off, 3 if nothing is and not all could be decided.
fn code(report: &GymReport) -> ExitCode {
    match report.standing() {
        standing if standing.is_off() => ExitCode::Unexpected,
        Standing::Inconclusive => ExitCode::Inconclusive,
        _ => ExitCode::Expected,
    }
}

/// Where many runs put their results.
pub struct Folders {
    /// The folder in which each run has its own.
    pub runs: PathBuf,
    /// Goes with everything in it, where nothing is to be kept.
    _temporary: Option<tempfile::TempDir>,
}

impl Folders {
    /// The folder `runs` of the results, or a temporary one.
    pub fn new(out: Option<&Path>) -> Result<Self, Failure> {
        let temporary = match out {
            Some(_) => None,
            None => Some(
                tempfile::Builder::new()
                    .prefix("leak-harness-")
                    .tempdir()
                    .map_err(|cause| {
                        Failure::internal(format_args!("cannot make a temporary folder: {cause}"))
                    })?,
            ),
        };
        let runs = match (&temporary, out) {
            (Some(temporary), _) => temporary.path().to_owned(),
            (None, out) => out.unwrap_or(Path::new(".")).join("runs"),
        };
        fs::create_dir_all(&runs).map_err(|cause| Failure::file(&runs, &cause))?;
        let runs = runs
            .canonicalize()
            .map_err(|cause| Failure::file(&runs, &cause))?;
        Ok(Self {
            runs,
            _temporary: temporary,
        })
    }
}

/// Writes one file of results.
pub fn write(folder: &Path, name: &str, content: &str) -> Result<(), Failure> {
    let path = folder.join(name);
    fs::write(&path, content).map_err(|cause| Failure::file(&path, &cause))
}
