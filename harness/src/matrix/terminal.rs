//! The matrix for people, on a screen: a table for each pair of groups, and what follows from them.

use comfy_table::{Table, presets};
use fake_claude::quantity::Span;

use super::cell::Cell;
use super::results::{ColumnLine, MatrixReport, RowLine};
use crate::report::escape::{plain, plain_cut};
use crate::report::terminal::{Style, wrap};
use crate::scenario::Verdict;
use crate::units::{self, Count};

/// What the letters in the cells mean.
pub(super) const LEGEND: &str = "L leaked processes, K killed early, W work items lost, T answered twice, P never done, S still there when the worker had stopped; ok: none of these; other: something else was found; ?: inconclusive; !: nothing to judge";
/// How much of a row's name is shown.
const NAME: usize = 24;

/// The matrix in tables and words.
pub fn render(report: &MatrixReport, style: Style) -> String {
    let mut out = format!(
        "{} in {}\n",
        Count(report.cells.len() as u64, "run"),
        units::span(Span::from_millis(report.elapsed_ms))
    );
    for (row_group, column_group) in report.tables() {
        let title: Vec<&str> = [row_group, column_group]
            .into_iter()
            .filter(|group| !group.is_empty())
            .collect();
        out += "\n";
        if !title.is_empty() {
            out += &format!("{}\n", plain(&title.join(", ")));
        }
        out += &table(report, row_group, column_group, style);
        out += "\n";
    }
    out += &format!("\n{}\n", wrap(LEGEND, style.width, 0));
    for cell in report.cells.iter().filter(|cell| cell.failed.is_some()) {
        let why = cell.failed.as_deref().unwrap_or_default();
        out += &format!(
            "{}, {}: {}\n",
            plain(&cell.row),
            plain(&cell.column),
            plain_cut(why, 3 * style.width)
        );
    }
    if !report.answer.is_empty() {
        out += "\n";
    }
    for sentence in &report.answer {
        out += &format!("{}\n", wrap(sentence, style.width, 4));
    }
    out
}

fn table(report: &MatrixReport, row_group: &str, column_group: &str, style: Style) -> String {
    let columns = columns(report, column_group);
    let mut header = vec![String::new()];
    header.extend(columns.iter().map(|column| plain_cut(&column.name, NAME)));
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for row in rows(report, row_group) {
        let cells = columns.iter().map(|column| report.cell(row, column));
        let mut line = vec![plain_cut(&row.name, NAME)];
        for cell in cells {
            line.push(cell.map_or_else(String::new, symbols));
        }
        table.add_row(line);
    }
    let drawn = table.trim_fmt();
    if !style.colour {
        return drawn;
    }
    // A cell that is well stands between blanks; names of rows and columns that look like it do no harm.
    let painted = drawn.lines().map(|line| {
        format!("{line} ")
            .replace(" ok ", " \x1b[32mok\x1b[0m ")
            .trim_end()
            .to_owned()
    });
    painted.collect::<Vec<_>>().join("\n")
}

pub(super) fn rows<'a>(report: &'a MatrixReport, group: &str) -> Vec<&'a RowLine> {
    let rows = report.rows.iter();
    rows.filter(|row| row.group == group).collect()
}

pub(super) fn columns<'a>(report: &'a MatrixReport, group: &str) -> Vec<&'a ColumnLine> {
    let columns = report.columns.iter();
    columns.filter(|column| column.group == group).collect()
}

/// A cell in a few letters.
pub(super) fn symbols(cell: &Cell) -> String {
    if cell.failed.is_some() {
        return "!".to_owned();
    }
    let broken = cell.breaks();
    let parts: Vec<String> = [
        ('L', cell.missed.sum()),
        ('K', broken.killed_early),
        ('W', broken.lost),
        ('T', broken.duplicated),
        ('P', broken.pending),
        ('S', cell.left_after_the_stop.unwrap_or_default()),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(letter, count)| format!("{letter}{count}"))
    .collect();
    match (parts.is_empty(), cell.verdict) {
        (_, Some(Verdict::Inconclusive)) => (parts.join(" ") + " ?").trim_start().to_owned(),
        // Such as two claudes at once for one session, which is in no bin.
        (true, Some(Verdict::Fail)) => "other".to_owned(),
        (true, _) => "ok".to_owned(),
        (false, _) => parts.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::examples::{solutions, workers};

    #[test]
    fn solutions_are_shown_with_the_answer() {
        insta::assert_snapshot!(render(&solutions(), Style::default()));
    }

    #[test]
    fn workers_are_shown() {
        insta::assert_snapshot!(render(&workers(), Style::default()));
    }

    #[test]
    fn colours_are_all_that_controls_a_terminal() {
        let style = Style {
            colour: true,
            ..Style::default()
        };
        let text = render(&solutions(), style);
        assert!(text.contains("\x1b[32mok\x1b[0m"));
        let known = text.matches("\x1b[32m").count() + text.matches("\x1b[0m").count();
        assert_eq!(text.matches('\x1b').count(), known);
    }
}
