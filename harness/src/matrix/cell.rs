//! One cell: what became of a scenario with a worker.

use serde::{Deserialize, Serialize};

use super::{Column, Row};
use crate::report::Report;
use crate::scenario::Verdict;

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
    /// Why there is nothing to judge, where there is not.
    pub failed: Option<String>,
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
