//! The block to paste into an issue.

use comfy_table::{CellAlignment, Table, presets};
use fake_claude::quantity::Span;

use super::report::{AttachReport, Daemon, Family, Group, Line};
use super::words;
use crate::report::escape::{markdown, plain_cut};
use crate::units::{self, Count};

/// How many groups are shown.
const GROUPS: usize = 12;
/// How many of the oldest, and of the relatives, are shown.
const LINES: usize = 6;
/// How much of a command line is shown.
const COMMAND: usize = 160;
/// How much of a kind of command is shown.
const KIND: usize = 110;
/// How much of a name is shown.
const TITLE: usize = 80;

/// The block.
pub fn render(report: &AttachReport) -> String {
    let mut out = String::new();
    let daemon = &report.daemon;
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    line(&format!(
        "### `{}` (pid {}): {}, {} RSS",
        code(&daemon.signature, TITLE),
        daemon.process.pid,
        words::family(&report.family),
        units::bytes(report.family.rss_bytes)
    ));
    line("");
    if let Some(end) = words::end(report) {
        line(&format!("**{end}**"));
        line("");
    }
    line("| | |");
    line("|---|---|");
    for (name, text) in facts(report) {
        line(&format!("| {name} | {text} |"));
    }
    line("");
    if report.groups.is_empty() {
        line("It has no children, and nothing that left its tree was found.");
    } else {
        line(&groups(report));
        let more = report.groups.len().saturating_sub(GROUPS);
        if more > 0 {
            line(&format!("\nand {more} more kinds"));
        }
    }
    line("");
    if !report.oldest.is_empty() {
        line("The oldest:");
        line("");
        line("```text");
        line(&processes(&report.oldest));
        line("```");
        line("");
    }
    if !report.relatives.is_empty() {
        line("Outside its tree:");
        line("");
        for relative in report.relatives.iter().take(LINES) {
            line(&format!(
                "- {} (parent {}, {}): {}. `{}`",
                relative.process.pid,
                relative.ppid,
                relative.relation.word(),
                markdown(&plain_cut(&relative.evidence.words(), COMMAND)),
                code(&relative.command, COMMAND)
            ));
        }
        let more = report.relatives.len().saturating_sub(LINES);
        if more > 0 {
            line(&format!("- and {more} more"));
        }
        line("");
    }
    let watching = &report.watching;
    line(&format!(
        "Measured by `{}`.",
        code(&watching.command, COMMAND)
    ));
    line(&format!(
        "<sub>leak-harness {}, {}, one each {}; nothing was signalled or written to. RSS counts shared pages for each process, PSS shares them out. Secrets, home folders and user names in commands are masked.</sub>",
        markdown(&report.harness_version),
        Count(watching.looks, "look"),
        Span::from_millis(watching.every_ms)
    ));
    out
}

/// The rows of the first table, as Markdown.
fn facts(report: &AttachReport) -> Vec<(&'static str, String)> {
    let daemon = &report.daemon;
    let mut program = code_cell(&daemon.name, COMMAND);
    if let Some(executable) = &daemon.executable {
        program += &format!(" ({})", code_cell(executable, COMMAND));
    }
    for package in &daemon.packages {
        program += &format!(
            "; {} {}, as {} says",
            markdown(&plain_cut(&package.name, TITLE)),
            markdown(&plain_cut(&package.version, TITLE)),
            code_cell(&package.file, COMMAND)
        );
    }
    let host = &report.host;
    let mut machine = format!(
        "{}, {} memory",
        markdown(&host.system),
        units::bytes(host.memory_bytes)
    );
    if let Some(available) = host.available_memory_bytes {
        machine += &format!(", {} available", units::bytes(available));
    }
    let mut rows = vec![
        (
            "Daemon",
            format!(
                "{}, parent {}, up {}",
                code_cell(&daemon.command, COMMAND),
                daemon.ppid,
                words::age(daemon.age_ms)
            ),
        ),
        ("Program", program),
        ("Machine", machine),
        ("Itself", itself(daemon)),
        ("Belong to it", words::family(&report.family)),
        ("Their memory", memory(&report.family)),
        (
            "Growth",
            words::growth(&report.growth, report.watching.for_ms),
        ),
    ];
    if let Some(forecast) = &report.forecast {
        rows.push(("Forecast", forecast.words()));
    }
    let path = |path: &str| code_cell(path, COMMAND);
    rows.push(("Relatives sought by", words::sought(report, path)));
    for unseen in &report.unseen {
        rows.push(("Not seen", markdown(unseen)));
    }
    rows
}

/// The daemon's own figures.
fn itself(daemon: &Daemon) -> String {
    let mut own = format!(
        "{} RSS ({})",
        units::bytes(daemon.rss_bytes.after),
        words::bytes(daemon.rss_bytes)
    );
    match daemon.pss_bytes {
        Some(pss) => own += &format!(", {} PSS ({})", units::bytes(pss.after), words::bytes(pss)),
        None => own += ", PSS cannot be read",
    }
    for (figure, noun) in [(daemon.open_files, "open file"), (daemon.threads, "thread")] {
        if let Some(figure) = figure {
            own += &format!(
                ", {} ({})",
                Count(figure.after, noun),
                words::counts(figure)
            );
        }
    }
    own
}

/// The memory of those who belong to it.
fn memory(family: &Family) -> String {
    let mut memory = format!("{} RSS", units::bytes(family.rss_bytes));
    if family.living() > family.without_pss {
        memory += &format!(", {} PSS", units::bytes(family.pss_bytes));
    }
    if family.without_pss > 0 {
        memory += &format!(" (PSS cannot be read of {})", family.without_pss);
    }
    memory
}

fn groups(report: &AttachReport) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "",
        "count",
        "zombies",
        "youngest",
        "median",
        "oldest",
        "RSS",
        "PSS",
        "since attached",
        "command",
    ]);
    for group in report.groups.iter().take(GROUPS) {
        table.add_row(row(group));
    }
    for column in table.column_iter_mut().skip(1).take(7) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = table.trim_fmt();
    let rates: Vec<String> = report
        .groups
        .iter()
        .take(GROUPS)
        .filter_map(|group| {
            let rate = group.per_hour_by_ages?;
            let span = words::time(group.oldest_ms - group.youngest_ms);
            Some(format!(
                "By their ages, {} of `{}` came within {span}: {rate:.1} per hour that still live.",
                group.count,
                code(&group.signature, COMMAND)
            ))
        })
        .collect();
    if !rates.is_empty() {
        text += "\n\n";
        text += &rates.join("\n");
    }
    text
}

fn row(group: &Group) -> [String; 10] {
    let age = |ms| match group.count {
        0 => "-".to_owned(),
        _ => words::age(ms),
    };
    let pss = match (group.count, group.without_pss) {
        (0, _) => "-".to_owned(),
        (_, 0) => units::bytes(group.pss_bytes),
        (count, without) if count == without => "?".to_owned(),
        (_, without) => format!("{} and {without} unread", units::bytes(group.pss_bytes)),
    };
    [
        group.relation.word().to_owned(),
        group.count.to_string(),
        group.zombies.to_string(),
        age(group.youngest_ms),
        age(group.median_ms),
        age(group.oldest_ms),
        units::bytes(group.rss_bytes),
        pss,
        format!(
            "{}, {}",
            words::counts(group.count_change),
            words::bytes(group.rss_change)
        ),
        code_cell(&group.signature, KIND),
    ]
}

/// Lines as `ps -o pid,ppid,rss,etime,args` shows them, with PSS, inside a fence, where nothing is markup.
fn processes(lines: &[Line]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["PID", "PPID", "RSS(KB)", "PSS(KB)", "ELAPSED", "COMMAND"]);
    for line in lines.iter().take(LINES) {
        table.add_row([
            line.process.pid.to_string(),
            line.ppid.to_string(),
            (line.rss_bytes / 1_024).to_string(),
            line.pss_bytes
                .map_or_else(|| "-".to_owned(), |pss| (pss / 1_024).to_string()),
            words::age(line.age_ms),
            plain_cut(&line.command, COMMAND),
        ]);
    }
    for column in table.column_iter_mut().take(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// Text for between backticks: nothing there is markup but the backtick itself.
fn code(text: &str, most: usize) -> String {
    plain_cut(text, most).replace('`', "'")
}

/// The same with its backticks, for a table, where a bar ends a cell even there, and its escape can be undone by a backslash before it.
fn code_cell(text: &str, most: usize) -> String {
    format!("`{}`", code(text, most).replace('|', "¦"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::examples::{ended, growing, short};

    #[test]
    fn growth_is_shown() {
        insta::assert_snapshot!(render(&growing()));
    }

    #[test]
    fn a_minute_is_shown() {
        insta::assert_snapshot!(render(&short()));
    }

    #[test]
    fn a_daemon_that_ended_is_shown() {
        insta::assert_snapshot!(render(&ended()));
    }

    #[test]
    fn no_process_gets_markup_in() {
        let text = render(&growing());
        // What lies between backticks is no markup: every second part.
        let outside: String = text.split("```").step_by(2).collect();
        let bare: String = outside.split('`').step_by(2).collect();
        for hostile in ["<script>", "@someone", "#603", "evil"] {
            assert!(!bare.contains(hostile), "{hostile} in {bare}");
            assert!(text.contains(hostile), "{hostile}");
        }
        assert!(!text.contains('\x1b'));
        assert!(!text.contains('\u{202e}'));
    }
}
