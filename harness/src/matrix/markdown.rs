//! The matrix as Markdown: `matrix.md`.

use fake_claude::quantity::Span;

use super::cell::{Broken, Cell};
use super::results::{MatrixReport, in_order};
use super::terminal::{LEGEND, columns, rows, symbols};
use crate::report::escape::{html, markdown};
use crate::units;

/// The matrix as Markdown.
pub fn render(report: &MatrixReport) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    line("# What fixes, misses and breaks what");
    line("");
    line(&format!("Made by `{}`.", report.command.replace('`', "'")));
    line("");
    if !report.answer.is_empty() {
        line("## What really works");
        line("");
        for sentence in &report.answer {
            line(&format!("- {}", markdown(sentence)));
        }
        line("");
    }
    for (row_group, column_group) in report.tables() {
        let title: Vec<&str> = [row_group, column_group]
            .into_iter()
            .filter(|group| !group.is_empty())
            .collect();
        if !title.is_empty() {
            line(&format!("## {}", markdown(&title.join(", "))));
            line("");
        }
        let columns = columns(report, column_group);
        let names: Vec<String> = columns
            .iter()
            .map(|column| markdown(&column.name))
            .collect();
        line(&format!("| | {} |", names.join(" | ")));
        line(&format!("|---|{}", "---|".repeat(names.len())));
        for row in rows(report, row_group) {
            let cells: Vec<String> = columns
                .iter()
                .map(|column| report.cell(row, column).map_or_else(String::new, symbols))
                .collect();
            line(&format!(
                "| {} | {} |",
                markdown(&row.name),
                cells.join(" | ")
            ));
        }
        line("");
        let every = [&title[..], &["every cell"]].concat().join(", ");
        line(&format!("<details><summary>{}</summary>\n", html(&every)));
        line(
            "| row | column | fixed | missed | broken | half gone after | 95 % gone after | left after the stop | verdict |",
        );
        line("|---|---|--:|---|---|--:|--:|--:|---|");
        for row in rows(report, row_group) {
            for column in &columns {
                if let Some(cell) = report.cell(row, column) {
                    line(&whole(cell));
                }
            }
        }
        line("");
        line("</details>");
        line("");
    }
    line(&format!("{}.", markdown(LEGEND)));
    line("");
    for (name, lines) in [
        (
            "Rows",
            report
                .rows
                .iter()
                .map(|row| (&row.name, &row.about))
                .collect::<Vec<_>>(),
        ),
        (
            "Columns",
            report
                .columns
                .iter()
                .map(|column| (&column.name, &column.about))
                .collect(),
        ),
    ] {
        line(&format!("{name}:"));
        line("");
        let once = in_order(lines.iter().map(|(name, _)| name.as_str()));
        for name in once {
            let about = lines
                .iter()
                .find(|line| line.0 == name)
                .map_or("", |line| line.1);
            line(&format!("- **{}**: {}", markdown(name), markdown(about)));
        }
        line("");
    }
    out.trim_end().to_owned() + "\n"
}

/// A cell as a line of its own.
fn whole(cell: &Cell) -> String {
    let time = |millis: Option<u64>| {
        millis.map_or("-".to_owned(), |millis| {
            units::span(Span::from_millis(millis))
        })
    };
    let number = |count: Option<u32>| count.map_or("-".to_owned(), |count| count.to_string());
    let verdict = match (&cell.failed, cell.verdict) {
        (Some(why), _) => format!("nothing to judge: {}", markdown(why)),
        (None, verdict) => verdict.map_or_else(String::new, |verdict| verdict.to_string()),
    };
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {verdict} |",
        markdown(&cell.row),
        markdown(&cell.column),
        number(cell.fixed),
        counted(cell.missed.named()),
        broken(&cell.breaks()),
        time(cell.time_to_reap_ms.p50),
        time(cell.time_to_reap_ms.p95),
        number(cell.left_after_the_stop),
    )
}

fn broken(broken: &Broken) -> String {
    counted(broken.named())
}

fn counted(counts: impl Iterator<Item = (&'static str, u32)>) -> String {
    let counts: Vec<String> = counts
        .map(|(what, count)| format!("{count} {}", markdown(what)))
        .collect();
    if counts.is_empty() {
        "-".to_owned()
    } else {
        counts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::examples::{solutions, workers};

    #[test]
    fn solutions_are_shown_with_the_answer() {
        insta::assert_snapshot!(render(&solutions()));
    }

    #[test]
    fn workers_are_shown() {
        insta::assert_snapshot!(render(&workers()));
    }
}
