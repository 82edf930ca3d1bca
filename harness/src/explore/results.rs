//! What a search tried and what came of it: `explore.json`.

use serde::{Deserialize, Serialize};

use super::guilt::Guilt;
use super::lattice::Moment;

/// The version of this form.
pub const SCHEMA: u32 = 1;

/// A search, finished or stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExploreReport {
    /// The version of this form.
    pub schema: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The worker, as the scenario or the command named it.
    pub worker: String,
    /// The seed of the order in which moments were tried.
    pub seed: u64,
    /// How many moments the lattice has.
    pub lattice: usize,
    /// Whether the user stopped the search.
    pub interrupted: bool,
    /// How many runs were made in all.
    pub runs: usize,
    /// What the scenario finds without a fault.
    pub without: Vec<Guilt>,
    /// The moments that were tried, in their order.
    pub tried: Vec<Tried>,
    /// The schedules that were found, one for each rule and subject.
    pub found: Vec<Schedule>,
}

impl ExploreReport {
    /// How many moments came out so.
    pub fn count(&self, which: impl Fn(&Came) -> bool) -> usize {
        let tried = self.tried.iter();
        tried.filter(|tried| which(&tried.came)).count()
    }

    /// Schedules that two of three runs found again.
    pub fn confirmed(&self) -> impl Iterator<Item = &Schedule> {
        self.found.iter().filter(|schedule| schedule.is_confirmed())
    }
}

/// One moment that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// The moment.
    #[serde(flatten)]
    pub moment: Moment,
    /// What came of it.
    #[serde(flatten)]
    pub came: Came,
}

/// What came of a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "came", rename_all = "snake_case")]
pub enum Came {
    /// Nothing that the scenario has not anyway.
    AsBefore,
    /// The step was not reached in that run.
    Never,
    /// The step was reached, and the fault could not be made.
    Nothing {
        /// Why.
        because: String,
    },
    /// Something that the scenario has not without the fault.
    Found {
        /// What.
        guilt: Vec<Guilt>,
    },
    /// The run could not be decided.
    Inconclusive {
        /// Why.
        reasons: Vec<String>,
    },
    /// The run left nothing that could be judged.
    Failed {
        /// What it said.
        message: String,
    },
}

/// A schedule that leaks or loses work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// What it shows.
    pub guilt: Guilt,
    /// The moment at which it was found first.
    pub moment: Moment,
    /// At how many moments of the lattice the same rule and subject were found.
    pub moments: usize,
    /// How many of the runs that were made again found it again.
    pub again: u32,
    /// How many were made again.
    pub of: u32,
    /// What was left out or made smaller, in that order.
    pub smaller: Vec<String>,
    /// How many runs making it smaller took.
    pub runs: usize,
    /// The scenario file, in the folder of the results; none where it was not confirmed, or the search was stopped before.
    pub file: Option<String>,
    /// Whether two of three runs of that file were as it expects.
    pub holds: bool,
    /// The file's text.
    pub text: Option<String>,
}

impl Schedule {
    /// Whether two of three runs found it again.
    pub const fn is_confirmed(&self) -> bool {
        self.of > 0 && self.again * 3 >= self.of * 2
    }
}
