//! The report for people, on a screen.

use comfy_table::{CellAlignment, Table, presets};
use fake_claude::quantity::Span;

use super::escape::{plain, plain_cut};
use super::{Report, sentences};
use crate::judge::finding::{Finding, ProcessLine};
use crate::scenario::Verdict;
use crate::units;

/// How many processes are shown of each finding.
const ROWS: usize = 5;
/// How many findings are shown in full.
const FINDINGS: usize = 6;
/// The narrowest screen that is laid out for.
const NARROWEST: usize = 60;

/// How to draw.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Whether colours may be used.
    pub colour: bool,
    /// How many columns there are.
    pub width: usize,
}

impl Style {
    /// A text in a colour, given as the parameters of the terminal's escape sequence, where colours may be used.
    pub(crate) fn painted(self, text: &str, colour: &str) -> String {
        if self.colour {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

impl Default for Style {
    fn default() -> Self {
        Self {
            colour: false,
            width: 120,
        }
    }
}

/// The report in at most about a screen: the verdict first, then the books, what was found, and what it rests on.
pub fn render(report: &Report, style: Style) -> String {
    let mut out = Screen {
        text: String::new(),
        style: Style {
            width: style.width.max(NARROWEST),
            ..style
        },
    };
    let colour = match report.verdict {
        Verdict::Pass => "32",
        Verdict::Inconclusive => "33",
        Verdict::Fail => "31",
    };
    out.headline(&sentences::headline(report), colour);
    out.wrapped("", &sentences::run_line(report));
    out.gap();

    for (name, line) in sentences::process_books(report) {
        out.wrapped(name, &line);
    }
    let work = &report.work;
    if work.offered > 0 {
        let line = sentences::balance(("offered", work.offered), &work.named());
        out.wrapped("work", &line);
    }
    if let Some(unbalanced) = &report.unbalanced {
        out.wrapped("books", unbalanced);
    }

    for finding in report.findings.iter().take(FINDINGS) {
        out.gap();
        out.finding(finding);
    }
    if report.findings.len() > FINDINGS {
        out.gap();
        let more = report.findings.len() - FINDINGS;
        out.wrapped("", &format!("and {more} more kinds of findings"));
    }

    out.gap();
    out.wrapped("memory", &sentences::memory(report));
    if report.time_to_reap_ms.count > 0 {
        out.wrapped("time to go", &sentences::times(&report.time_to_reap_ms));
    }
    if !report.forecast.words.is_empty() {
        out.wrapped("forecast", &report.forecast.words);
    }
    for threshold in &report.thresholds {
        let relation = if threshold.ok { "within" } else { "ABOVE" };
        out.wrapped(
            "limit",
            &format!(
                "{} is {}, {relation} {}",
                threshold.metric, threshold.actual, threshold.limit
            ),
        );
    }
    out.wrapped("watched", &sentences::watching(report));
    out.wrapped("would see", &report.smallest_leak);
    if report.verdict == Verdict::Inconclusive {
        for reason in &report.reasons {
            out.wrapped("in doubt", reason);
        }
    }
    for unexpected in &report.unexpected {
        out.wrapped("unexpected", unexpected);
    }
    if !report.command.is_empty() {
        out.wrapped("again", &report.command);
    }
    out.text
}

/// A text broken into lines of at most so many columns, where its words allow it; every line but the first is indented by so many.
/// Nothing in it controls a terminal.
pub fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    for word in plain(text).split(' ') {
        let word_length = word.chars().count();
        if length > 0 && length + 1 + word_length > width.max(NARROWEST) {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            length = indent;
        } else if length > 0 {
            out.push(' ');
            length += 1;
        }
        out.push_str(word);
        length += word_length;
    }
    out
}

struct Screen {
    text: String,
    style: Style,
}

impl Screen {
    fn gap(&mut self) {
        self.text.push('\n');
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// The first sentence, its verdict painted.
    fn headline(&mut self, sentence: &str, colour: &str) {
        let safe = plain(sentence);
        let (verdict, rest) = safe.split_once(':').unwrap_or((&safe, ""));
        let painted = self.style.painted(verdict, &format!("1;{colour}"));
        self.line(&format!("{painted}:{rest}"));
    }

    /// A name and what there is to say about it, broken into lines that fit, later lines indented.
    fn wrapped(&mut self, name: &str, text: &str) {
        const INDENT: usize = 12;
        let first = if name.is_empty() {
            String::new()
        } else {
            format!("{:<INDENT$}", name)
        };
        let indent = first.chars().count();
        let mut line = first;
        let mut empty = true;
        for word in plain(text).split(' ') {
            let room = line.chars().count() + 1 + word.chars().count() <= self.style.width;
            if !empty && !room {
                let full = std::mem::replace(&mut line, " ".repeat(indent));
                self.line(&full);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.line(&line);
    }

    fn finding(&mut self, finding: &Finding) {
        let first = plain_cut(&sentences::finding_line(finding), 2 * self.style.width);
        let colour = if finding.known || !finding.blames {
            "33"
        } else {
            "31"
        };
        let painted = self.style.painted(&first, colour);
        self.line(&painted);
        self.wrapped("", &format!("  {}", sentences::evidence_line(finding)));
        if finding.processes.is_empty() {
            return;
        }
        let table = processes(&finding.processes, self.style.width);
        for line in table.lines() {
            self.line(line);
        }
        let shown = finding.processes.len().min(ROWS);
        let more = (finding.count as usize).saturating_sub(shown);
        if more > 0 {
            self.line(&format!("  and {more} more"));
        }
    }
}

/// The table that `ps` would show, as people paste it into reports.
fn processes(lines: &[ProcessLine], width: usize) -> String {
    let shown = &lines[..lines.len().min(ROWS)];
    let with_host = shown
        .iter()
        .any(|line| line.host_pid.is_some_and(|host| host != line.pid));
    let with_pss = shown.iter().any(|line| line.pss_bytes.is_some());
    let mut header = vec!["PID", "PPID"];
    if with_host {
        header.push("HOST PID");
    }
    header.push("RSS(KB)");
    if with_pss {
        header.push("PSS(KB)");
    }
    header.push("ELAPSED");
    header.push("COMMAND");
    let columns = header.len();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    // Numbers take up to ten columns each, and the command has what is left.
    let room = width.saturating_sub(10 * (columns - 1) + 2).max(20);
    for line in shown {
        let mut row = vec![line.pid.to_string(), line.ppid.to_string()];
        if with_host {
            row.push(line.host_pid.map_or("-".to_owned(), |pid| pid.to_string()));
        }
        row.push((line.rss_bytes / 1_024).to_string());
        if with_pss {
            let pss = line.pss_bytes.map(|pss| (pss / 1_024).to_string());
            row.push(pss.unwrap_or_else(|| "-".to_owned()));
        }
        row.push(units::elapsed(Span::from_millis(line.age_ms)));
        let command = match line.command.as_str() {
            "" => "(no command line)",
            command => command,
        };
        row.push(plain_cut(command, room));
        table.add_row(row);
    }
    for column in table.column_iter_mut().take(columns - 1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::examples::{failing, inconclusive, passing};

    #[test]
    fn words_are_broken_into_lines_that_fit() {
        let text = "word ".repeat(40);
        let wrapped = wrap(text.trim(), 70, 4);
        assert!(wrapped.lines().all(|line| line.chars().count() <= 70));
        assert!(
            wrapped
                .lines()
                .skip(1)
                .all(|line| line.starts_with("    word"))
        );
        assert_eq!(wrapped.split_whitespace().count(), 40);
        assert_eq!(wrap("a\x1bb", 70, 0), "a\\x1bb");
    }

    #[test]
    fn a_failure_is_shown() {
        insta::assert_snapshot!(render(&failing(), Style::default()));
    }

    #[test]
    fn a_pass_is_shown() {
        insta::assert_snapshot!(render(&passing(), Style::default()));
    }

    #[test]
    fn doubt_is_shown_with_the_knob_that_would_decide_it() {
        insta::assert_snapshot!(render(&inconclusive(), Style::default()));
    }

    #[test]
    fn a_narrow_screen_is_kept() {
        let style = Style {
            colour: false,
            width: 80,
        };
        let text = render(&failing(), style);
        insta::assert_snapshot!(text);
        for line in text.lines().skip(1) {
            assert!(line.chars().count() <= 160, "{line}");
        }
    }

    #[test]
    fn without_colour_nothing_controls_the_terminal() {
        for report in [failing(), passing(), inconclusive()] {
            let text = render(&report, Style::default());
            let controls = text.chars().filter(|c| c.is_control() && *c != '\n');
            assert_eq!(controls.count(), 0);
        }
    }

    #[test]
    fn with_colour_only_colours_do() {
        let style = Style {
            colour: true,
            width: 100,
        };
        let text = render(&failing(), style);
        assert!(text.starts_with("\x1b[1;31mFail, not as expected\x1b[0m:"));
        for (_, rest) in text.match_indices('\x1b').map(|(at, _)| text.split_at(at)) {
            assert!(
                ["\x1b[1;31m", "\x1b[31m", "\x1b[33m", "\x1b[0m"]
                    .iter()
                    .any(|colour| rest.starts_with(colour))
            );
        }
    }
}
