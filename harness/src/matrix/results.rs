//! What came of the matrix: `matrix.json`, and what the other forms are drawn from.

use serde::{Deserialize, Serialize};

use super::answer::answer;
use super::cell::Cell;
use super::{Column, Row};

/// The version of the JSON form. It grows when a field changes its meaning or goes; new fields do not change it.
pub const SCHEMA: u32 = 1;

/// What came of the matrix.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MatrixReport {
    /// The version of this form.
    pub schema: u32,
    /// The version of the program.
    pub harness: String,
    /// The command that makes the same table again.
    pub command: String,
    /// How many runs were made at a time.
    pub jobs: u32,
    /// How long all of it took, in milliseconds.
    pub elapsed_ms: u64,
    /// The column that the others are compared with, where there is one.
    pub baseline: Option<ColumnLine>,
    /// The rows.
    pub rows: Vec<RowLine>,
    /// The columns.
    pub columns: Vec<ColumnLine>,
    /// The cells, row by row.
    pub cells: Vec<Cell>,
    /// What follows from the cells, a sentence or two for each column.
    pub answer: Vec<String>,
}

/// A row of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowLine {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub about: String,
    /// The table that it stands in.
    pub group: String,
}

impl RowLine {
    /// The line of a row.
    pub fn new(row: &Row) -> Self {
        Self {
            name: row.name.clone(),
            about: row.about.clone(),
            group: row.group.clone(),
        }
    }
}

/// A column of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnLine {
    /// Its name.
    pub name: String,
    /// What it is.
    pub about: String,
    /// The table that it stands in.
    pub group: String,
}

impl ColumnLine {
    /// The line of a column.
    pub fn new(column: &Column) -> Self {
        Self {
            name: column.name.clone(),
            about: column.about.clone(),
            group: column.group.clone(),
        }
    }
}

impl MatrixReport {
    /// Puts in what follows from the cells.
    pub fn with_answer(mut self) -> Self {
        self.answer = answer(&self);
        self
    }

    /// The tables that rows and columns make: each pair of groups, in their order.
    pub fn tables(&self) -> Vec<(&str, &str)> {
        let row_groups = in_order(self.rows.iter().map(|row| row.group.as_str()));
        let column_groups = in_order(self.columns.iter().map(|column| column.group.as_str()));
        let pairs = row_groups.iter().flat_map(|row_group| {
            column_groups
                .iter()
                .map(move |column_group| (*row_group, *column_group))
        });
        pairs.collect()
    }

    /// The cell of a row and a column.
    pub fn cell(&self, row: &RowLine, column: &ColumnLine) -> Option<&Cell> {
        self.cells.iter().find(|cell| {
            cell.row == row.name
                && cell.row_group == row.group
                && cell.column == column.name
                && cell.column_group == column.group
        })
    }

    /// As indented JSON with a line break at its end.
    ///
    /// # Errors
    ///
    /// When a figure cannot be written, which does not happen.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

/// Each of several names once, in the order of their first use.
pub(super) fn in_order<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut once = Vec::new();
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}
