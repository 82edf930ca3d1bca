//! What follows from the cells: which columns really work. Derived, never written by hand.

use super::cell::{Broken, Cell};
use super::results::{ColumnLine, MatrixReport, in_order};
use crate::units::Count;

/// How many rows are named of those in which a column falls short.
const NAMED: usize = 6;

/// A sentence for each column, one for what the groups of columns differ in, and a conclusion for each group of rows.
pub(super) fn answer(report: &MatrixReport) -> Vec<String> {
    let Some(baseline) = &report.baseline else {
        return agreements(report);
    };
    let row_groups = in_order(report.rows.iter().map(|row| row.group.as_str()));
    let columns = || {
        let all = report.columns.iter();
        all.filter(|column| column.group == baseline.group && column.name != baseline.name)
    };
    let mut sentences = Vec::new();
    for column in columns() {
        let parts: Vec<String> = row_groups
            .iter()
            .map(|group| {
                let standing = Standing::of(report, column, group);
                format!("with {group} it {}", standing.words())
            })
            .collect();
        sentences.push(format!(
            "{} ({}): {}.",
            column.name,
            column.about,
            parts.join("; ")
        ));
    }
    sentences.extend(differences(report));
    for group in row_groups {
        let stands: Vec<_> = columns()
            .map(|column| (column, Standing::of(report, column, group)))
            .collect();
        sentences.extend(conclusion(group, &stands));
    }
    sentences
}

/// For each worker that was run at several scales of time, whether it was found the same at each.
fn agreements(report: &MatrixReport) -> Vec<String> {
    let workers = in_order(report.columns.iter().map(|column| column.about.as_str()));
    let said = workers.into_iter().filter_map(|worker| {
        let columns: Vec<&ColumnLine> = report
            .columns
            .iter()
            .filter(|column| column.about == worker)
            .collect();
        let (first, others) = columns
            .split_first()
            .filter(|(_, others)| !others.is_empty())?;
        let mut differing: Vec<&str> = Vec::new();
        for row in &report.rows {
            let shown = |column: &ColumnLine| {
                let cell = report.cell(row, column)?;
                cell.failed
                    .is_none()
                    .then(|| (cell.verdict, cell.findings.clone()))
            };
            let expected = shown(first);
            // A cell without a result agrees with nothing.
            if expected.is_none() || others.iter().any(|column| shown(column) != expected) {
                differing.push(&row.name);
            }
        }
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let names = names.join(" and ");
        Some(if differing.is_empty() {
            format!(
                "{names}: the same verdicts and findings, signatures and counts, in {}.",
                Count(report.rows.len() as u64, "row")
            )
        } else {
            format!("{names}: findings differ with {}.", listed(&differing))
        })
    });
    said.collect()
}

/// What a column comes to over several rows.
#[derive(Debug, Default)]
struct Standing<'a> {
    fixed: u32,
    leaking: u32,
    missed: u32,
    broken: Broken,
    missed_in: Vec<&'a str>,
    broken_in: Vec<&'a str>,
}

impl<'a> Standing<'a> {
    fn of(report: &'a MatrixReport, column: &ColumnLine, group: &str) -> Self {
        Self::sum(cells(report, column).filter(|cell| cell.row_group == group))
    }

    fn sum(cells: impl Iterator<Item = &'a Cell>) -> Self {
        let mut sum = Self::default();
        for cell in cells {
            let (fixed, missed) = (cell.fixed.unwrap_or_default(), cell.missed.sum());
            let broken = cell.breaks();
            sum.fixed += fixed;
            sum.missed += missed;
            sum.leaking += fixed + missed;
            sum.broken.killed_early += broken.killed_early;
            sum.broken.lost += broken.lost;
            sum.broken.duplicated += broken.duplicated;
            sum.broken.pending += broken.pending;
            if missed > 0 {
                sum.missed_in.push(&cell.row);
            }
            if broken.sum() > 0 {
                sum.broken_in.push(&cell.row);
            }
        }
        sum
    }

    fn words(&self) -> String {
        let fixes = match (self.fixed, self.missed) {
            (0, 0) => "has nothing to fix".to_owned(),
            (0, _) => format!("fixes none of {}", Count(self.leaking.into(), "leak")),
            (_, 0) => format!("fixes all of {}", Count(self.leaking.into(), "leak")),
            (fixed, _) => format!(
                "fixes {fixed} of {} and misses some with {}",
                Count(self.leaking.into(), "leak"),
                listed(&self.missed_in)
            ),
        };
        let broken: Vec<String> = self
            .broken
            .named()
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        let breaks = if broken.is_empty() {
            "breaks nothing".to_owned()
        } else {
            format!(
                "breaks something with {} ({})",
                listed(&self.broken_in),
                broken.join(", ")
            )
        };
        format!("{fixes}, and {breaks}")
    }
}

/// The cells of a column in which there is something to judge.
fn cells<'a>(report: &'a MatrixReport, column: &ColumnLine) -> impl Iterator<Item = &'a Cell> {
    let (name, group) = (column.name.clone(), column.group.clone());
    report.cells.iter().filter(move |cell| {
        cell.column == name && cell.column_group == group && cell.failed.is_none()
    })
}

fn listed(rows: &[&str]) -> String {
    let once = in_order(rows.iter().copied());
    let named = once.iter().take(NAMED).copied().collect::<Vec<_>>();
    match once.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// What was left at the worker's end, by the groups of columns.
fn differences(report: &MatrixReport) -> Option<String> {
    let groups = in_order(report.columns.iter().map(|column| column.group.as_str()));
    if groups.len() < 2 {
        return None;
    }
    let left = groups.iter().map(|group| {
        let cells = report
            .cells
            .iter()
            .filter(|cell| cell.column_group == *group);
        let (mut left, mut spawned) = (0_u64, 0_u64);
        for cell in cells {
            left += u64::from(cell.left_after_the_stop.unwrap_or_default());
            spawned += u64::from(cell.spawned);
        }
        format!(
            "{group}, {left} of {} were still there when the worker had stopped",
            Count(spawned, "process")
        )
    });
    Some(format!(
        "With {}.",
        left.collect::<Vec<_>>().join("; with ")
    ))
}

/// Which of the columns works best without breaking anything, and which fixes most at any price.
fn conclusion(group: &str, stands: &[(&ColumnLine, Standing<'_>)]) -> Option<String> {
    let name = |stands: &(&ColumnLine, Standing<'_>)| stands.0.name.clone();
    let most = stands.iter().map(|(_, standing)| standing.fixed).max()?;
    let harmless = stands
        .iter()
        .filter(|(_, standing)| standing.broken.sum() == 0 && standing.fixed > 0);
    let best = harmless.clone().map(|(_, standing)| standing.fixed).max();
    let at_any_price: Vec<String> = stands
        .iter()
        .filter(|(_, standing)| standing.fixed == most)
        .map(name)
        .collect();
    let leaking = stands
        .iter()
        .map(|(_, standing)| standing.leaking)
        .max()
        .unwrap_or_default();
    let careful = match best {
        Some(best) => {
            let names: Vec<String> = harmless
                .filter(|(_, standing)| standing.fixed == best)
                .map(name)
                .collect();
            format!(
                "of those that break nothing, {} fixes most ({best} of {leaking})",
                names.join(" or ")
            )
        }
        None => "none fixes anything without breaking something".to_owned(),
    };
    Some(format!(
        "With {group}, {careful}; at any price, {} fixes most ({most} of {leaking}).",
        at_any_price.join(" or ")
    ))
}
