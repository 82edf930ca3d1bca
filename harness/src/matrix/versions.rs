//! The matrix as rows of data, one to a line: `history.json`, for comparing tables of several versions.

use serde::{Deserialize, Serialize};

use super::cell::{AliveAfter, Cell, Found};
use super::results::{MatrixReport, SCHEMA};
use crate::scenario::{End, Verdict};

/// What stands before the rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The version of this form.
    pub schema: u32,
    /// The version of the program.
    pub harness: String,
    /// The command that makes the same table again.
    pub command: String,
    /// The rows, scenario by scenario, the versions in order.
    pub rows: Vec<HistoryRow>,
}

/// What became of one scenario with one version. Times are in the worker's own time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// The worker's version; where that is not known, the column's name.
    pub version: String,
    /// The scenario.
    pub scenario: String,
    /// How the sessions ended; none where nothing was run.
    pub end: Option<End>,
    /// The factor by which the worker's and the fakes' times were divided; 0 where nothing was run.
    pub time_scale: f64,
    /// Claudes, and what descends from them, that were started.
    pub spawned: u32,
    /// How many of them lived so many milliseconds after the last session's end.
    pub alive_after_ms: AliveAfter,
    /// Work items that the worker accepted.
    pub accepted: u32,
    /// Work items that were answered once, and stored where that can be read back.
    pub answered: u32,
    /// Work items that were answered or stored twice or more.
    pub duplicated: u32,
    /// Work items that were accepted, and neither answered nor waiting at the end.
    pub lost: u32,
    /// Work items that still waited at the end.
    pub pending: u32,
    /// Claudes that were ended before their time.
    pub killed_early: u32,
    /// Processes that lived on when the worker had been stopped by SIGTERM and the time to follow it was over; none where the run did
    /// not get so far.
    pub left_after_sigterm: Option<u32>,
    /// The verdict; none where there is nothing to judge.
    pub verdict: Option<Verdict>,
    /// What was found, by shape.
    pub findings: Vec<Found>,
    /// Why there is nothing to judge, where there is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl HistoryRow {
    fn new(cell: &Cell) -> Self {
        Self {
            version: cell.version.clone().unwrap_or_else(|| cell.column.clone()),
            scenario: cell.row.clone(),
            end: cell.end,
            time_scale: cell.time_scale,
            spawned: cell.spawned,
            alive_after_ms: cell.alive_after_ms,
            accepted: cell.accepted,
            answered: cell.answered,
            duplicated: cell.broken.duplicated,
            lost: cell.broken.lost,
            pending: cell.broken.pending,
            killed_early: cell.broken.killed_early,
            left_after_sigterm: cell.left_after_the_stop,
            verdict: cell.verdict,
            findings: cell.findings.clone(),
            failed: cell.failed.clone(),
        }
    }
}

impl History {
    /// The rows of a matrix.
    pub fn new(report: &MatrixReport) -> Self {
        Self {
            schema: SCHEMA,
            harness: report.harness.clone(),
            command: report.command.clone(),
            rows: report.cells.iter().map(HistoryRow::new).collect(),
        }
    }

    /// As JSON with one row to a line, so that a change of one cell is a change of one line.
    ///
    /// # Errors
    ///
    /// When a figure cannot be written, which does not happen.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        let rows = self
            .rows
            .iter()
            .map(serde_json::to_string)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(format!(
            "{{\"schema\":{},\"harness\":{},\"command\":{},\"rows\":[\n{}\n]}}\n",
            self.schema,
            serde_json::to_string(&self.harness)?,
            serde_json::to_string(&self.command)?,
            rows.join(",\n")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::examples::workers;

    #[test]
    fn each_row_is_a_line_and_all_of_it_json() {
        let history = History::new(&workers());
        let json = history.json().expect("it can be written");
        insta::assert_snapshot!(json);
        let read: History = serde_json::from_str(&json).expect("it can be read");
        assert_eq!(read, history);
    }
}
