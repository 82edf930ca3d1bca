//! The matrix: scenarios against workers, or against the cleanup policies of the model, in one table.
//!
//! One engine serves both: rows are scenarios, columns are workers with changes of single keys. Where a column is the one to compare
//! with, a cell says what is fixed and what is broken against it; otherwise what leaks and what is broken at all.

mod answer;
pub mod cell;
pub mod history;
pub mod markdown;
pub mod picture;
pub mod results;
pub mod solutions;
pub mod terminal;
pub mod versions;

#[cfg(test)]
mod examples;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::batch::{BatchError, Job, Outcome, carry_out};
use crate::clock::monotonic_ns;
use crate::run::{left_after_the_stop, recorded_end};

use cell::{AliveAfter, Cell};
use results::{MatrixReport, SCHEMA};

/// One scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What it is about, in a few words.
    pub about: String,
    /// The table that it stands in, where there are several: how its sessions end.
    pub group: String,
    /// Its text.
    pub scenario: String,
    /// Changes of single keys.
    pub changes: Vec<String>,
}

/// One worker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it is, in a few words.
    pub about: String,
    /// The table that it stands in, where there are several.
    pub group: String,
    /// The worker, as `--worker` takes it; without it, the scenario's own.
    pub worker: Option<String>,
    /// Changes of single keys.
    pub changes: Vec<String>,
}

/// What is asked of the matrix.
#[derive(Debug, Clone)]
pub struct Order {
    /// The rows.
    pub rows: Vec<Row>,
    /// The columns.
    pub columns: Vec<Column>,
    /// The place among the columns of the one that the others are compared with.
    pub baseline: Option<usize>,
    /// Changes of single keys of every scenario.
    pub changes: Vec<String>,
    /// How many runs are made at a time.
    pub at_once: usize,
    /// The isolation, as `--isolation` takes it.
    pub isolation: &'static str,
    /// The folder in which each run has its own.
    pub folder: PathBuf,
    /// Whether the runs' folders stay.
    pub keep: bool,
    /// The command that makes the same table again.
    pub command: String,
}

/// Runs every cell. `tell` takes how many are over, of how many, and why there is nothing to judge in the one that just ended.
///
/// # Errors
///
/// When the runs cannot be made or were stopped; then nothing of them lives.
pub fn run(
    order: &Order,
    tell: &mut dyn FnMut(usize, usize, Option<&str>),
) -> Result<MatrixReport, BatchError> {
    let start = monotonic_ns();
    let mut jobs = Vec::new();
    let mut places = BTreeMap::new();
    for (row_place, row) in order.rows.iter().enumerate() {
        for (column_place, column) in order.columns.iter().enumerate() {
            // Numbers first: names of workers may be paths.
            let name = format!("{row_place}-{column_place}-{}", file_name(&row.name));
            places.insert(name.clone(), (row_place, column_place));
            let changes = row.changes.iter().chain(&column.changes);
            jobs.push(Job {
                scenario: row.scenario.clone(),
                changes: changes.chain(&order.changes).cloned().collect(),
                seed: None,
                worker: column.worker.clone(),
                isolation: Some(order.isolation),
                out: order.folder.join(&name),
                name,
            });
        }
    }
    let total = jobs.len();
    let mut cells = BTreeMap::new();
    carry_out(jobs, order.at_once, &mut |done, job, outcome| {
        let Some(&place) = places.get(&job.name) else {
            return;
        };
        let (row, column) = (&order.rows[place.0], &order.columns[place.1]);
        let cell = match outcome {
            Outcome::Judged(report) => Cell {
                left_after_the_stop: left_after_the_stop(&job.out).ok().flatten(),
                alive_after_ms: AliveAfter::of(&job.out, report.scenario.time_scale),
                end: recorded_end(&job.out).ok(),
                ..Cell::new(row, column, &report)
            },
            Outcome::Failed(failed) => Cell::failed(row, column, failed.message),
        };
        tell(done, total, cell.failed.as_deref());
        cells.insert(place, cell);
        if !order.keep {
            // What cannot be removed lies in a temporary folder that is removed later.
            let _ = fs::remove_dir_all(&job.out);
        }
    })?;
    let mut cells: Vec<Cell> = cells.into_values().collect();
    let baseline = order.baseline.and_then(|place| order.columns.get(place));
    if let Some(baseline) = baseline {
        cell::compare(&mut cells, &baseline.name, &baseline.group);
    }
    let report = MatrixReport {
        schema: SCHEMA,
        harness: env!("CARGO_PKG_VERSION").to_owned(),
        command: order.command.clone(),
        jobs: u32::try_from(order.at_once).unwrap_or(u32::MAX),
        elapsed_ms: (monotonic_ns() - start) / 1_000_000,
        baseline: baseline.map(results::ColumnLine::new),
        rows: order.rows.iter().map(results::RowLine::new).collect(),
        columns: order.columns.iter().map(results::ColumnLine::new).collect(),
        cells,
        answer: Vec::new(),
    };
    Ok(report.with_answer())
}

/// A name as a part of a file's name.
fn file_name(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}
