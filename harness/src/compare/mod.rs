//! Two runs side by side: two releases, two commits, two workers, before and after.
//!
//! [`compare`] is a pure function of two reports; the renderers are pure functions of the [`Comparison`]. A is what there was, B what
//! there is now. Runs of different scenarios, workers or sizes are compared too: [`Comparison::caveats`] says then why the figures are
//! not comparable as they are, and figures that grow with the load are also given per session.
//!
//! # What a regression is
//!
//! B has regressed against A when one of these holds ([`Kind`]):
//!
//! 1. *New finding.* B has a finding that speaks against the worker, and A has none of its signature. That a baseline knew it when B was
//!    judged changes nothing: here A is the baseline. The same leak for another cause is another signature, and new.
//! 2. *More of the same.* Both have it, and B has more than A's count times the size of B's load by that of A's, rounded up, plus the
//!    tolerance that was asked for. The size is the number of work items for what counts work items, and of sessions for all else.
//! 3. *Faster growth.* A figure of the worker grows in both, and surely faster in B: the intervals of the two slopes lie apart, per
//!    session where both runs had sessions, and per hour otherwise.
//! 4. *A threshold crossed* in B that was kept in A, or that A did not have. One that both cross is shown and is none.
//! 5. *Verdict.* A passes and B fails.
//!
//! Times, memory and what watching cost are shown with their ratio and are never a regression, unless a threshold of the scenario says
//! so. Undecided, pending, blind and skipped are no regression either: the first three are doubt, the last is the worker's good right.
//!
//! *Sure.* What A did not live to see may have been in A as well. So where A's evidence leaves doubt, a regression is sure only when A
//! carried out its whole load, its process table and control socket worked, and none of the kind that the rule counts is undecided
//! (processes) or pending (work items). The outcome is a regression when one is sure; undecided when none is and a run is inconclusive or
//! was cut off, or when all regressions are unsure; else there is none.

mod difference;
#[cfg(test)]
mod escaping_tests;
#[cfg(test)]
mod examples;
mod headline;
pub mod html;
pub mod json;
pub mod markdown;
mod regression;
mod scenario;
pub mod schema;
pub mod terminal;
mod words;

use schemars::JsonSchema;
use serde::Serialize;

use crate::judge::GrowthFigure;
use crate::report::Report;
use crate::scenario::{Bin, Verdict};

pub use regression::{Kind, Outcome, Regression};
pub use scenario::KeyDifference;

/// The version of the JSON form. It grows when a field changes its meaning or goes; new fields do not change it.
pub const SCHEMA: u32 = 1;

/// Two runs side by side, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Comparison {
    /// The version of this form.
    pub schema: u32,
    /// What came of it, in one line.
    pub headline: String,
    /// What came of it, for programs.
    pub outcome: Outcome,
    /// Where B is worse than A; the gravest first.
    pub regressions: Vec<Regression>,
    /// Why it is not decided, where it is not.
    pub doubts: Vec<String>,
    /// Why the two are not comparable as they are; empty where they are.
    pub caveats: Vec<String>,
    /// In which keys the scenarios differ, in the order of their names; empty also where a report does not hold its scenario. The names,
    /// the seed, the model's cleanup and what was expected are left out.
    pub scenario: Vec<KeyDifference>,
    /// By how many percent more of the same is still no regression.
    pub tolerance: u32,
    /// The first run: what there was.
    pub a: Side,
    /// The second run: what there is now.
    pub b: Side,
    /// Findings by signature: what is new first, then what became more, what stayed, what became less, and what is gone.
    pub findings: Vec<FindingDifference>,
    /// The thresholds of either.
    pub thresholds: Vec<ThresholdDifference>,
    /// The figures that are watched for growth, of either.
    pub growth: Vec<GrowthDifference>,
    /// The books and all other figures, in tables.
    pub tables: Vec<Table>,
}

/// One of the two runs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Side {
    /// Where it was taken from, as it was typed.
    pub given: String,
    /// The scenario's name.
    pub scenario: String,
    /// Its seed.
    pub seed: u64,
    /// The worker's name.
    pub worker: String,
    /// Its version, where that is known.
    pub version: Option<String>,
    /// The model's cleanup policies; empty for another worker.
    pub cleanup: Vec<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// Sessions that ended, or opened where none ended: what figures per session are divided by.
    pub sessions: u32,
    /// How long the recording is, in milliseconds.
    pub elapsed_ms: u64,
}

/// Figures of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Table {
    /// What they are of: `processes`, `role helper`, `work`, `time to go`.
    pub name: String,
    /// The figures.
    pub rows: Vec<Row>,
}

/// One figure of both runs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Whether more of it is worse.
    pub wish: Wish,
    /// What it is in A; none where it is not known.
    pub a: Option<Amount>,
    /// What it is in B; none where it is not known.
    pub b: Option<Amount>,
    /// B by A; none where A is nothing or either is not known.
    pub ratio: Option<f64>,
    /// The same for each session, where the two runs differ in size and it grows with the load.
    pub per_session: Option<Each>,
}

/// A figure of both runs, divided by their sessions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Each {
    /// A's.
    pub a: f64,
    /// B's.
    pub b: f64,
}

/// A figure's amount.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Amount {
    /// A count, bytes or milliseconds.
    Whole(u64),
    /// A rate or a share.
    Part(f64),
}

impl Amount {
    /// As a number for calculations.
    pub fn number(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Part(part) => part,
        }
    }
}

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Things that are counted.
    Count,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// A rate: something for each session or each hour.
    Rate,
    /// A part of a whole.
    Share,
}

/// What one wishes of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// The less the better.
    Less,
    /// The more the better.
    More,
    /// Neither: it belongs to the load or to chance.
    Neither,
}

/// How a finding changed from A to B.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// B alone has it.
    New,
    /// B has more of it.
    More,
    /// Both have as many.
    Same,
    /// B has less of it.
    Fewer,
    /// A alone has it.
    Gone,
}

/// A finding of either run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FindingDifference {
    /// How it changed.
    pub change: Change,
    /// The rule.
    pub rule: Bin,
    /// Its shape, the same in every run.
    pub signature: String,
    /// Whether it speaks against the worker: in B where B has it, else in A.
    pub blames: bool,
    /// How many A has.
    pub a: u32,
    /// How many B has.
    pub b: u32,
    /// How many the size of B's load explains, the tolerance included; none where A has none.
    pub explained: Option<u32>,
    /// Why, from evidence: B's where B has it.
    pub cause: String,
    /// The first sessions that it concerns, three at most: B's where B has it.
    pub sessions: Vec<String>,
    /// What was seen: B's where B has it.
    pub seen: String,
}

/// A threshold of either run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ThresholdDifference {
    /// What was measured, with its unit in the name.
    pub metric: String,
    /// A's limit and what was measured against it; none where A has no such threshold.
    pub a: Option<Measured>,
    /// B's.
    pub b: Option<Measured>,
    /// Whether B crosses it and A does not.
    pub newly_crossed: bool,
}

/// A threshold and what was measured against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Measured {
    /// The most that is allowed.
    pub limit: u64,
    /// What it was.
    pub actual: u64,
    /// Whether that is allowed.
    pub ok: bool,
}

/// A figure that is watched for growth, of either run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GrowthDifference {
    /// Its name.
    pub figure: String,
    /// A's measurement, with the interval of its slope; none where A has none.
    pub a: Option<GrowthFigure>,
    /// B's.
    pub b: Option<GrowthFigure>,
    /// Whether it grows in both, and surely faster in B; none where one of them was not judged.
    pub surely_faster: Option<bool>,
}

/// Compares two runs, each with the place that it was taken from. `tolerance` is by how many percent more of the same is no regression.
pub fn compare(a: (&str, &Report), b: (&str, &Report), tolerance: u32) -> Comparison {
    let findings = difference::findings(a.1, b.1, tolerance);
    let thresholds = difference::thresholds(a.1, b.1);
    let growth = difference::growth(a.1, b.1);
    let regressions = regression::regressions(a.1, b.1, &findings, &thresholds, &growth);
    let doubts = regression::doubts(a.1, b.1, &regressions);
    let outcome = regression::outcome(&regressions, &doubts);
    let scenario = scenario::differences(a.1, b.1);
    let mut caveats: Vec<String> = scenario::sentence(&scenario).into_iter().collect();
    caveats.extend(difference::caveats(a.1, b.1));
    Comparison {
        schema: SCHEMA,
        headline: headline::headline(a.1, b.1, outcome, &regressions, &doubts),
        outcome,
        regressions,
        doubts,
        caveats,
        scenario,
        tolerance,
        a: difference::side(a.0, a.1),
        b: difference::side(b.0, b.1),
        findings,
        thresholds,
        growth,
        tables: difference::tables(a.1, b.1),
    }
}
