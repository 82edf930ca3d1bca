//! The gym: planted defects and clean controls, run for real, which show how often the judge errs in either direction.
//!
//! Every defect and every control is a scenario file that `leak-harness run` runs by hand as well. A defect must be found in the bin
//! where it belongs, with the cause that its file names word for word, and nothing else beside it; a control must be silent. Each
//! recording is judged a second time, by another process, and must give the same report byte for byte.

mod burners;
pub mod catalogue;
pub mod judged;
pub mod markdown;
pub mod results;
mod runs;
mod soundness;
pub mod terminal;

#[cfg(test)]
mod examples;

use std::fmt;
use std::path::PathBuf;

use crate::batch::BatchError;
use crate::clock::monotonic_ns;
use crate::scenario::Witness;
use crate::strict_toml::TomlError;

use catalogue::{Case, Kind, cases};
use results::{GymReport, SCHEMA};
use runs::Runs;

/// What is asked of the gym.
#[derive(Debug, Clone)]
pub struct Order {
    /// How often each case is run, each time with another seed.
    pub seeds: u32,
    /// How many runs are made at a time.
    pub at_once: usize,
    /// The names of the cases that are run; without any, all are.
    pub only: Vec<String>,
    /// The witnesses that are switched off.
    pub without: Vec<Witness>,
    /// How many clean sessions are run under load.
    pub soundness: Option<u64>,
    /// The isolation, as `--isolation` takes it.
    pub isolation: &'static str,
    /// The folder in which each run has its own.
    pub folder: PathBuf,
    /// Whether the runs' folders stay.
    pub keep: bool,
}

/// How the gym goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Going {
    /// What is being run.
    pub phase: &'static str,
    /// Runs that are over.
    pub done: usize,
    /// Runs that are meant.
    pub total: usize,
    /// What was not right in the run that is just over: its name and how it stands. None when it was right.
    pub wrong: Option<String>,
}

/// Why there are no results.
#[derive(Debug)]
pub enum GymError {
    /// No case has this name.
    NoSuchCase {
        /// The name.
        name: String,
        /// The name that is nearest to it.
        nearest: String,
    },
    /// A scenario of the gym is not understood.
    Scenario(TomlError),
    /// The runs could not be made.
    Batch(BatchError),
}

impl fmt::Display for GymError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchCase { name, nearest } => write!(
                f,
                "the gym has no case `{}`; did you mean `{nearest}`?",
                name.escape_debug()
            ),
            Self::Scenario(error) => error.fmt(f),
            Self::Batch(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for GymError {}

impl From<BatchError> for GymError {
    fn from(error: BatchError) -> Self {
        Self::Batch(error)
    }
}

impl From<TomlError> for GymError {
    fn from(error: TomlError) -> Self {
        Self::Scenario(error)
    }
}

/// Runs what was asked for and puts the results together.
///
/// # Errors
///
/// When a name is no case, or when the runs cannot be made or were stopped; then nothing of them lives.
pub fn run(order: &Order, tell: &mut dyn FnMut(Going)) -> Result<GymReport, GymError> {
    let start = monotonic_ns();
    let selected = select(order)?;
    let mut runs = Runs::new(order, tell);
    let (defects, controls) = runs.cases(&selected)?;
    let soundness = match order.soundness {
        Some(sessions) => Some(runs.soundness(sessions, &cases(Kind::Sound)?)?),
        None => None,
    };
    let report = GymReport {
        schema: SCHEMA,
        harness: env!("CARGO_PKG_VERSION").to_owned(),
        seeds: order.seeds,
        jobs: u32::try_from(order.at_once).unwrap_or(u32::MAX),
        isolation: order.isolation.to_owned(),
        without: order.without.clone(),
        gaps: runs::gaps(&order.without),
        elapsed_ms: (monotonic_ns() - start) / 1_000_000,
        defects,
        controls,
        soundness,
        ..GymReport::default()
    };
    Ok(report.with_totals())
}

/// The cases that were asked for, defects first.
fn select(order: &Order) -> Result<Vec<Case>, GymError> {
    let mut all = cases(Kind::Defect)?;
    all.extend(cases(Kind::Control)?);
    for name in &order.only {
        if !all.iter().any(|case| case.name == name) {
            let likeness = |case: &Case| strsim::jaro_winkler(name, case.name);
            let nearest = all
                .iter()
                .max_by(|left, right| likeness(left).total_cmp(&likeness(right)));
            return Err(GymError::NoSuchCase {
                name: name.clone(),
                nearest: nearest.map_or_else(String::new, |case| case.name.to_owned()),
            });
        }
    }
    if !order.only.is_empty() {
        all.retain(|case| order.only.iter().any(|name| case.name == name));
    }
    Ok(all)
}
