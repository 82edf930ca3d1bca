//! One cell: what became of a scenario with a worker.

use std::path::Path;

use fake_claude::quantity::Span;
use serde::{Deserialize, Serialize};

use super::{Column, Row};
use crate::report::Report;
use crate::run::alive_after_the_load;
use crate::scenario::{Bin, End, Verdict};

/// One cell: what became of a scenario with a worker.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The row's name.
    pub row: String,
    /// The row's group.
    pub row_group: String,
    /// The column's name.
    pub column: String,
    /// The column's group.
    pub column_group: String,
    /// The verdict; none where there is nothing to judge.
    pub verdict: Option<Verdict>,
    /// Processes that were started.
    pub spawned: u32,
    /// Processes that outlived what they were there for, by bin: what this column misses.
    pub missed: Leaked,
    /// What was broken.
    pub broken: Broken,
    /// Leaked processes of the column that is compared with that do not leak here; none where nothing is compared.
    pub fixed: Option<u32>,
    /// What is broken here and not in the column that is compared with; none where nothing is compared.
    pub newly_broken: Option<Broken>,
    /// Processes that the harness had to end itself, when the worker had stopped and the time to follow it was over.
    pub left_after_the_stop: Option<u32>,
    /// How long processes took to go after their session's end, in milliseconds.
    pub time_to_reap_ms: Times,
    /// The worker's version, where that is known.
    #[serde(default)]
    pub version: Option<String>,
    /// How the sessions ended.
    #[serde(default)]
    pub end: Option<End>,
    /// The factor by which the worker's and the fakes' times were divided; 0 where nothing was run.
    #[serde(default)]
    pub time_scale: f64,
    /// Work items that the worker accepted.
    #[serde(default)]
    pub accepted: u32,
    /// Work items that were answered.
    #[serde(default)]
    pub answered: u32,
    /// How many claudes, and what descends from them, lived so long after the last session's end.
    #[serde(default)]
    pub alive_after_ms: AliveAfter,
    /// What was found, by shape.
    #[serde(default)]
    pub findings: Vec<Found>,
    /// Why there is nothing to judge, where there is not.
    pub failed: Option<String>,
}

/// One finding: its rule, its shape, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Found {
    /// The rule.
    pub rule: Bin,
    /// The shape, as a text that is the same in every run.
    pub signature: String,
    /// How many processes, work items or sessions, as the rule counts.
    pub count: u32,
}

/// How many claudes, and what descends from them, lived so many milliseconds of the worker's own time after the last session's end; none
/// where the recording cannot tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliveAfter {
    /// At its end.
    #[serde(rename = "0")]
    pub at_the_end: Option<u32>,
    /// After 5 s.
    #[serde(rename = "5000")]
    pub five_seconds: Option<u32>,
    /// After 15 s: longer than the longest escalation in the field takes.
    #[serde(rename = "15000")]
    pub fifteen_seconds: Option<u32>,
    /// After a minute.
    #[serde(rename = "60000")]
    pub one_minute: Option<u32>,
    /// After four minutes: longer than the longest idle limit in the field.
    #[serde(rename = "240000")]
    pub four_minutes: Option<u32>,
}

impl AliveAfter {
    /// What the recording of a run tells.
    pub(super) fn of(folder: &Path, time_scale: f64) -> Self {
        let spans = [0, 5, 15, 60, 240].map(|seconds| Span::from_secs(seconds).divided(time_scale));
        match alive_after_the_load(folder, &spans).as_deref() {
            Ok(
                &[
                    at_the_end,
                    five_seconds,
                    fifteen_seconds,
                    one_minute,
                    four_minutes,
                ],
            ) => Self {
                at_the_end,
                five_seconds,
                fifteen_seconds,
                one_minute,
                four_minutes,
            },
            _ => Self::default(),
        }
    }
}

/// Processes that outlived what they were there for, by bin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaked {
    /// Past the grace, under a live owner.
    pub retained: u32,
    /// Past the grace, without its owner.
    pub reparented: u32,
    /// Dead, and never waited for.
    pub zombie: u32,
    /// Alive after the worker.
    pub residue: u32,
    /// Taken over by a worker that was started later.
    pub readopted: u32,
}

impl Leaked {
    /// All of them.
    pub const fn sum(&self) -> u32 {
        self.retained + self.reparented + self.zombie + self.residue + self.readopted
    }

    /// The bins that are not empty, by name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u32)> {
        [
            ("retained", self.retained),
            ("reparented", self.reparented),
            ("zombie", self.zombie),
            ("residue", self.residue),
            ("readopted", self.readopted),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
    }
}

/// What was broken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// Processes that were ended before their time.
    pub killed_early: u32,
    /// Work items that were lost.
    pub lost: u32,
    /// Work items that were answered twice or more.
    pub duplicated: u32,
    /// Work items that still waited at the end.
    #[serde(default)]
    pub pending: u32,
}

impl Broken {
    /// All of it.
    pub const fn sum(&self) -> u32 {
        self.killed_early + self.lost + self.duplicated + self.pending
    }

    /// What there is, by name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u32)> {
        [
            ("killed early", self.killed_early),
            ("lost", self.lost),
            ("answered twice", self.duplicated),
            ("never done", self.pending),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
    }

    /// What is broken here and not there.
    const fn beyond(&self, other: &Self) -> Self {
        Self {
            killed_early: self.killed_early.saturating_sub(other.killed_early),
            lost: self.lost.saturating_sub(other.lost),
            duplicated: self.duplicated.saturating_sub(other.duplicated),
            pending: self.pending.saturating_sub(other.pending),
        }
    }
}

/// How long something took, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Half of them took at most this long; none where there are none.
    pub p50: Option<u64>,
    /// Of a hundred, 95 took at most this long; none where there are none.
    pub p95: Option<u64>,
    /// How many there are.
    pub count: u64,
}

impl Cell {
    /// What a report comes to.
    pub fn new(row: &Row, column: &Column, report: &Report) -> Self {
        let (processes, work) = (&report.processes, &report.work);
        let times = &report.time_to_reap_ms;
        let some = times.count > 0;
        Self {
            verdict: Some(report.verdict),
            spawned: processes.spawned,
            missed: Leaked {
                retained: processes.retained,
                reparented: processes.reparented,
                zombie: processes.zombie,
                residue: processes.residue,
                readopted: processes.readopted,
            },
            broken: Broken {
                killed_early: processes.killed_early,
                lost: work.lost,
                duplicated: work.duplicated,
                pending: work.pending,
            },
            version: report.worker.version.clone(),
            time_scale: report.scenario.time_scale,
            accepted: work.offered - work.refused - work.skipped - work.unknown,
            answered: work.answered,
            findings: found(report),
            time_to_reap_ms: Times {
                p50: some.then_some(times.p50),
                p95: some.then_some(times.p95),
                count: times.count,
            },
            ..Self::empty(row, column)
        }
    }

    /// A cell in which there is nothing to judge.
    pub fn failed(row: &Row, column: &Column, message: String) -> Self {
        Self {
            failed: Some(message),
            ..Self::empty(row, column)
        }
    }

    fn empty(row: &Row, column: &Column) -> Self {
        Self {
            row: row.name.clone(),
            row_group: row.group.clone(),
            column: column.name.clone(),
            column_group: column.group.clone(),
            ..Self::default()
        }
    }

    /// What is broken, as far as the column that is compared with does not break it too.
    pub fn breaks(&self) -> Broken {
        self.newly_broken.unwrap_or(self.broken)
    }
}

/// What was found, sorted, so that two runs can be compared.
fn found(report: &Report) -> Vec<Found> {
    let mut found: Vec<Found> = report
        .findings
        .iter()
        .map(|finding| Found {
            rule: finding.rule,
            signature: finding.signature.clone(),
            count: finding.count,
        })
        .collect();
    found.sort();
    found
}

/// Compares every cell with the one of its row that stands in the column of this name and group.
pub(super) fn compare(cells: &mut [Cell], column: &str, group: &str) {
    let baselines: Vec<Cell> = cells
        .iter()
        .filter(|cell| cell.column == column && cell.column_group == group && cell.failed.is_none())
        .cloned()
        .collect();
    for cell in cells.iter_mut().filter(|cell| cell.failed.is_none()) {
        let same_row = |other: &&Cell| other.row == cell.row && other.row_group == cell.row_group;
        if let Some(baseline) = baselines.iter().find(same_row) {
            cell.fixed = Some(baseline.missed.sum().saturating_sub(cell.missed.sum()));
            cell.newly_broken = Some(cell.broken.beyond(&baseline.broken));
        }
    }
}
