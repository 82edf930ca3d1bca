//! Tables written by hand, on which every form is shown.

use super::cell::{Broken, Cell, Leaked, Times, compare};
use super::results::{ColumnLine, MatrixReport, RowLine, SCHEMA};
use super::{Column, Row};
use crate::scenario::Verdict;

fn rows(names: &[&str], groups: &[&str]) -> Vec<Row> {
    let groups = groups.iter();
    let rows = groups.flat_map(|group| {
        names.iter().map(move |name| Row {
            name: (*name).to_owned(),
            about: format!("what {name} means"),
            group: (*group).to_owned(),
            ..Row::default()
        })
    });
    rows.collect()
}

fn columns(names: &[&str], groups: &[&str]) -> Vec<Column> {
    let groups = groups.iter();
    let columns = groups.flat_map(|group| {
        names.iter().map(move |name| Column {
            name: (*name).to_owned(),
            about: format!("what {name} does"),
            group: (*group).to_owned(),
            ..Column::default()
        })
    });
    columns.collect()
}

/// A cell of four processes: so many retained, killed early, lost.
fn cell(row: &Row, column: &Column, [retained, killed_early, lost]: [u32; 3]) -> Cell {
    let bad = retained + killed_early + lost > 0;
    Cell {
        verdict: Some(if bad { Verdict::Fail } else { Verdict::Pass }),
        spawned: 4,
        missed: Leaked {
            retained,
            ..Leaked::default()
        },
        broken: Broken {
            killed_early,
            lost,
            ..Broken::default()
        },
        left_after_the_stop: Some(if column.group == "enumerate" {
            0
        } else {
            retained
        }),
        time_to_reap_ms: Times {
            p50: (retained < 4).then_some(120),
            p95: (retained < 4).then_some(2_450),
            count: u64::from(4 - retained),
        },
        ..Cell::failed(row, column, String::new())
    }
}

fn report(rows: &[Row], columns: &[Column], cells: Vec<Cell>) -> MatrixReport {
    MatrixReport {
        schema: SCHEMA,
        harness: "0.1.0".to_owned(),
        command: "leak-harness matrix --out reports/solutions-matrix".to_owned(),
        jobs: 4,
        elapsed_ms: 61_000,
        baseline: None,
        rows: rows.iter().map(RowLine::new).collect(),
        columns: columns.iter().map(ColumnLine::new).collect(),
        cells,
        answer: Vec::new(),
    }
}

/// Policies against misbehaviours, compared with the first column.
pub(super) fn solutions() -> MatrixReport {
    let rows = rows(&["ignores-eof", "long-turn"], &["complete", "abandon"]);
    let columns = columns(&["none", "A", "C"], &["windows-only", "enumerate"]);
    let mut cells = Vec::new();
    for row in &rows {
        for column in &columns {
            let counts = match (row.name.as_str(), column.name.as_str(), row.group.as_str()) {
                (_, "none", _) | (_, "A", "abandon") => [4, 0, 1],
                ("long-turn", "C", _) => [0, 4, 2],
                _ => [0, 0, 0],
            };
            let failed = None;
            cells.push(Cell {
                failed,
                ..cell(row, column, counts)
            });
        }
    }
    compare(&mut cells, "none", "windows-only");
    MatrixReport {
        baseline: Some(ColumnLine::new(&columns[0])),
        ..report(&rows, &columns, cells)
    }
    .with_answer()
}

/// Workers against scenarios, with nothing to compare; names that nobody vouches for.
pub(super) fn workers() -> MatrixReport {
    let rows = rows(&["clean", "603-as-it-happens"], &[""]);
    let columns = columns(&["claude-mem@9.0.0", "./a|b<i>.toml"], &[""]);
    let mut cells = Vec::new();
    for row in &rows {
        for column in &columns {
            cells.push(Cell {
                failed: None,
                ..cell(row, column, [2, 0, 0])
            });
        }
    }
    cells[1] = Cell {
        verdict: Some(Verdict::Inconclusive),
        missed: Leaked::default(),
        left_after_the_stop: None,
        ..cells[1].clone()
    };
    cells[3] = Cell::failed(
        &rows[1],
        &columns[1],
        "the worker would not start: \x1b[2J| <b>".to_owned(),
    );
    report(&rows, &columns, cells).with_answer()
}

#[test]
fn a_cell_is_compared_with_the_one_of_its_row() {
    let report = solutions();
    let of = |row: &str, group: &str, column: &str| {
        let cell = report
            .cells
            .iter()
            .find(|cell| cell.row == row && cell.row_group == group && cell.column == column);
        cell.expect("it is there").clone()
    };
    let fixed = of("ignores-eof", "complete", "A");
    assert_eq!((fixed.fixed, fixed.breaks().sum()), (Some(4), 0));
    let nothing = of("ignores-eof", "abandon", "A");
    assert_eq!((nothing.fixed, nothing.missed.sum()), (Some(0), 4));
    // What the worker as shipped loses too is not laid at the policy's door.
    let broken = of("long-turn", "complete", "C").breaks();
    assert_eq!((broken.killed_early, broken.lost), (4, 1));
}

#[test]
fn the_json_form_has_the_promised_names() {
    let report = workers();
    let json = report.json().expect("it can be written");
    insta::assert_snapshot!(json);
    assert_eq!(
        serde_json::from_str::<MatrixReport>(&json).expect("it can be read"),
        report
    );
}
