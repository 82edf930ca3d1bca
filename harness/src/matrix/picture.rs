//! The matrix as a picture: a heat map as SVG. Each cell is two halves, what outlived its session and what was killed, lost or done twice,
//! since a worker that ends everything at once has one of them clean and is no better for it.

use super::cell::Cell;
use super::results::{ColumnLine, MatrixReport, RowLine};
use super::terminal::symbols;
use crate::report::escape::{html, plain_cut};
use crate::scenario::Verdict;

/// The size of a cell, in units of the picture.
const CELL: (usize, usize) = (100, 36);
/// The room for the names of rows on the left.
const LEFT: usize = 190;
/// The room for the names of columns above: they stand at a slant.
const TOP: usize = 130;
/// The room for the legend below.
const BELOW: usize = 70;
/// The width that the legend needs.
const LEGEND: usize = 1_180;
/// From which opacity on a colour is strong, so that what is written on it takes the colour of the page.
const STRONG: f64 = 0.75;
/// How much of a name is shown.
const NAME: usize = 26;

/// Colours follow the reader's own choice of light or dark.
const STYLE: &str = "\
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 10px }
.on { fill: #ffffff }
.mark { fill: #1f2328 }
.page { fill: #ffffff }
.line { stroke: #d0d7de; fill: none }
.ok { fill: #d8f0dc }
.leaked { fill: #d1242f }
.broken { fill: #8250df }
.unsure { fill: #d4a72c }
.absent { fill: #d0d7de }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.on, .mark { fill: #0d1117 }
.page { fill: #0d1117 }
.line { stroke: #30363d }
.ok { fill: #12361c }
.leaked { fill: #f85149 }
.broken { fill: #a371f7 }
.unsure { fill: #bb8009 }
.absent { fill: #30363d }
}";

/// The matrix as SVG. A row for each row of the table, whatever its group.
pub fn render(report: &MatrixReport) -> String {
    let width = (LEFT + report.columns.len() * CELL.0 + TOP / 2).max(LEGEND);
    let height = TOP + report.rows.len() * CELL.1 + BELOW;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n\
         <title>What leaks, and what is killed, lost or done twice</title>\n<style>\n{STYLE}\n</style>\n\
         <rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n"
    );
    for (place, column) in report.columns.iter().enumerate() {
        let (x, y) = (LEFT + place * CELL.0 + CELL.0 / 2, TOP - 8);
        out += &format!(
            "<text transform=\"translate({x} {y}) rotate(-45)\">{}</text>\n",
            html(&plain_cut(&titled(&column.name, &column.group), NAME))
        );
    }
    for (line, row) in report.rows.iter().enumerate() {
        let y = TOP + line * CELL.1;
        out += &format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n",
            LEFT - 8,
            y + CELL.1 / 2 + 4,
            html(&plain_cut(&titled(&row.name, &row.group), NAME))
        );
        for (place, column) in report.columns.iter().enumerate() {
            out += &drawn(report, row, column, (LEFT + place * CELL.0, y));
        }
    }
    out += &legend(TOP + report.rows.len() * CELL.1 + 18);
    out + "</svg>\n"
}

fn titled(name: &str, group: &str) -> String {
    if group.is_empty() {
        name.to_owned()
    } else {
        format!("{name}, {group}")
    }
}

fn drawn(
    report: &MatrixReport,
    row: &RowLine,
    column: &ColumnLine,
    (x, y): (usize, usize),
) -> String {
    let Some(cell) = report.cell(row, column) else {
        return String::new();
    };
    let (width, height) = CELL;
    let half = width / 2;
    let told = html(&format!(
        "{}, {}: {}",
        plain_cut(&row.name, NAME),
        plain_cut(&column.name, NAME),
        symbols(cell)
    ));
    let mut out = format!("<g><title>{told}</title>\n");
    let base = match (&cell.failed, cell.verdict) {
        (Some(_), _) | (None, None) => "absent",
        (None, Some(Verdict::Inconclusive)) => "unsure",
        (None, Some(Verdict::Pass | Verdict::Fail)) => "ok",
    };
    out += &format!(
        "<rect class=\"{base}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>\n"
    );
    let broken = cell.breaks();
    let work = broken.lost + broken.duplicated + broken.pending;
    let whole = if work >= broken.killed_early {
        cell.accepted.max(cell.spawned)
    } else {
        cell.spawned
    };
    let leaked = opacity(cell.missed.sum(), cell.spawned);
    let broken = opacity(broken.killed_early.max(work), whole);
    let (left, right) = written(cell);
    // A word of its own stands in the middle of the cell.
    let alone = right.is_empty() && leaked == 0.0 && base != "unsure";
    let left_middle = if alone { half } else { half / 2 };
    for (class, opacity, x, middle, words) in [
        ("leaked", leaked, x, left_middle, left),
        ("broken", broken, x + half, half / 2, right),
    ] {
        if opacity > 0.0 {
            out += &format!(
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{half}\" height=\"{height}\" fill-opacity=\"{opacity:.2}\"/>\n"
            );
        }
        let ink = match base {
            _ if opacity >= STRONG => " on",
            "unsure" if opacity == 0.0 => " mark",
            _ => "",
        };
        for (index, line) in words.iter().enumerate() {
            out += &format!(
                "<text class=\"small{ink}\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{line}</text>\n",
                x + middle,
                y + height / 2 + 10 + 12 * index - 6 * words.len(),
            );
        }
    }
    out += &format!(
        "<rect class=\"line\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>\n</g>\n"
    );
    out
}

/// What stands in the halves of a cell: in each at most two lines.
fn written(cell: &Cell) -> (Vec<String>, Vec<String>) {
    let symbols = symbols(cell);
    let (left, right): (Vec<&str>, Vec<&str>) = symbols
        .split(' ')
        .partition(|word| !word.starts_with(['K', 'W', 'T', 'P']));
    let lines = |words: Vec<&str>| {
        words
            .chunks(words.len().div_ceil(2).max(1))
            .map(|line| line.join(" "))
            .collect()
    };
    (lines(left), lines(right))
}

/// How strongly a share is painted: never so weakly that one of many is not seen, and nothing not at all.
fn opacity(count: u32, whole: u32) -> f64 {
    if count == 0 {
        return 0.0;
    }
    let share = f64::from(count) / f64::from(whole.max(count));
    0.25 + 0.75 * share
}

fn legend(y: usize) -> String {
    let marks = [
        (
            "leaked",
            "left half: L outlived its session, S left after the worker's stop",
        ),
        (
            "broken",
            "right half: K killed early, work W lost, T done twice, P never done",
        ),
        ("ok", "nothing of either (other: something else was found)"),
        ("unsure", "? inconclusive"),
        ("absent", "! nothing to judge"),
    ];
    let mut out = String::new();
    for (index, (class, words)) in marks.iter().enumerate() {
        let (x, y) = match index {
            0 | 1 => (16 + 500 * index, y),
            _ => (16 + 500 * (index - 2), y + 22),
        };
        out += &format!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"14\" height=\"12\"/><text x=\"{}\" y=\"{}\">{words}</text>\n",
            x + 20,
            y + 10
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::cell::{Broken, Leaked};
    use crate::matrix::examples::workers;

    #[test]
    fn workers_are_painted_and_their_names_escaped() {
        let picture = render(&workers());
        assert!(!picture.contains("<i>") && !picture.contains('\x1b'));
        insta::assert_snapshot!(picture);
    }

    /// The longest cell that was met: everything at once.
    #[test]
    fn what_stands_in_a_cell_is_parted_between_its_halves() {
        let cell = Cell {
            verdict: Some(Verdict::Fail),
            missed: Leaked {
                retained: 12,
                ..Leaked::default()
            },
            broken: Broken {
                killed_early: 12,
                lost: 15,
                duplicated: 3,
                pending: 19,
            },
            left_after_the_stop: Some(12),
            ..Cell::default()
        };
        let (left, right) = written(&cell);
        assert_eq!(left, ["L12", "S12"]);
        assert_eq!(right, ["K12 W15", "T3 P19"]);
    }

    #[test]
    fn one_of_many_is_seen_and_all_are_strongest() {
        assert!(opacity(1, 1_000) > 0.25 && opacity(1, 1_000) < 0.26);
        assert!(opacity(20, 20) > 0.99);
        // More broken than counted is no more than all.
        assert!(opacity(5, 0) <= 1.0);
        assert!(opacity(0, 20) == 0.0);
    }
}
