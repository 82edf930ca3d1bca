//! The report for people, on a screen.
//!
//! On a terminal it takes no more lines than fit, so that the verdict, which comes first, stays in sight: it says the least that must be
//! said, and then as much more as there is room for, what matters most first. Where nobody says how high the screen is, all is said.

mod detail;
mod lines;
mod processes;
mod room;

pub use lines::wrap;
pub(crate) use lines::{broken, columns, cut};
pub(crate) use room::{Amount, fitted};

use super::escape::plain;
use super::{Report, sentences};
use crate::judge::Threshold;
use crate::judge::finding::Finding;
use crate::scenario::Verdict;
use detail::{Detail, Watching};

/// How far what belongs to a name is indented.
const INDENT: usize = 12;

/// How to draw.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Whether colours may be used.
    pub colour: bool,
    /// How many columns there are.
    pub width: usize,
    /// How many lines there are; none where there is no end of them, as in a file.
    pub height: Option<usize>,
}

impl Style {
    /// A text in a colour, given as the parameters of the terminal's escape sequence, where colours may be used.
    pub(crate) fn painted(self, text: &str, colour: &str) -> String {
        if self.colour && !text.is_empty() {
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
            height: None,
        }
    }
}

/// The report: the verdict first, then the books, what was found, and what it rests on; no higher than the screen.
pub fn render(report: &Report, style: Style) -> String {
    fitted(style, |style, detail| drawn(report, style, detail))
}

fn drawn(report: &Report, style: Style, detail: Detail) -> String {
    let mut out = Screen {
        text: String::new(),
        style,
        detail,
    };
    let colour = match report.verdict {
        Verdict::Pass => "32",
        Verdict::Inconclusive => "33",
        Verdict::Fail => "31",
    };
    let verdict = sentences::headline(report);
    out.line(&style.headline(&verdict, &format!("1;{colour}"), &[':']));
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

    for (place, finding) in report.findings.iter().take(detail.findings).enumerate() {
        if place == 0 || detail.gaps {
            out.gap();
        }
        out.finding(finding, place < detail.proven);
    }
    if report.findings.len() > detail.findings {
        if detail.gaps {
            out.gap();
        }
        let more = report.findings.len() - detail.findings;
        out.wrapped("", &format!("and {more} more kinds of findings"));
    }

    out.gap();
    if report.verdict == Verdict::Inconclusive {
        out.listed("in doubt", &report.reasons);
    }
    out.listed("unexpected", &report.unexpected);
    let limits: Vec<String> = report.thresholds.iter().map(limit).collect();
    out.listed("limit", &limits);
    out.wrapped("memory", &sentences::memory(report));
    if report.time_to_reap_ms.count > 0 {
        out.wrapped("gone after", &sentences::times(&report.time_to_reap_ms));
    }
    if !report.forecast.words.is_empty() {
        out.wrapped("forecast", &report.forecast.words);
    }
    let told = match detail.watching {
        Watching::Never => false,
        Watching::InDoubt => report.verdict == Verdict::Inconclusive,
        Watching::Always => true,
    };
    if told {
        out.wrapped("watched", &sentences::watching(report));
        let smallest = format!("leak that would be seen: {}", report.smallest_leak);
        out.wrapped("smallest", &smallest);
    }
    if !report.command.is_empty() {
        out.wrapped("again", &report.command);
    }
    out.text
}

/// A threshold and what was measured against it.
fn limit(threshold: &Threshold) -> String {
    let measured = |value| sentences::measured(&threshold.metric, value);
    let relation = if threshold.ok { "within" } else { "ABOVE" };
    format!(
        "{} is {}, {relation} {}",
        threshold.metric,
        measured(threshold.actual),
        measured(threshold.limit)
    )
}

struct Screen {
    text: String,
    style: Style,
    detail: Detail,
}

impl Screen {
    fn gap(&mut self) {
        self.text.push('\n');
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A name and what there is to say about it, broken into lines that fit, later lines indented.
    fn wrapped(&mut self, name: &str, text: &str) {
        let indent = if name.is_empty() { 0 } else { INDENT };
        let room = self.style.width - indent;
        let lines = broken(&plain(text), room, self.detail.lines);
        for (place, line) in lines.iter().enumerate() {
            let name = if place == 0 { name } else { "" };
            self.line(&format!("{name:<indent$}{line}"));
        }
    }

    /// As many of these as there is room for, and how many there are beside.
    fn listed(&mut self, name: &str, texts: &[String]) {
        for text in texts.iter().take(self.detail.listed) {
            self.wrapped(name, text);
        }
        if texts.len() > self.detail.listed {
            let more = texts.len() - self.detail.listed;
            self.wrapped("", &format!("{:<INDENT$}and {more} more", ""));
        }
    }

    fn finding(&mut self, finding: &Finding, proven: bool) {
        let colour = if finding.known || !finding.blames {
            "33"
        } else {
            "31"
        };
        let first = plain(&sentences::finding_line(finding));
        for line in broken(&first, self.style.width, self.detail.signature) {
            let painted = self.style.painted(&line, colour);
            self.line(&painted);
        }
        if !proven {
            return;
        }
        let evidence = if self.detail.places {
            sentences::evidence_line(finding)
        } else {
            let evidence = &finding.evidence;
            format!("expected {}; seen: {}", evidence.expected, evidence.seen)
        };
        for line in broken(&plain(&evidence), self.style.width - 2, self.detail.lines) {
            self.line(&format!("  {line}"));
        }
        let rows = self.detail.rows.min(finding.processes.len());
        if rows == 0 {
            return;
        }
        let table = processes::table(&finding.processes[..rows], self.style.width);
        for line in table.lines() {
            self.line(&cut(line, self.style.width));
        }
        let more = (finding.count as usize).saturating_sub(rows);
        if more > 0 {
            self.line(&format!("  and {more} more"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::examples::{failing, inconclusive, passing};
    use crate::report::hostile::{report, texts};

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

    /// A screen without colours.
    fn screen(width: usize, height: usize) -> Style {
        Style {
            colour: false,
            width,
            height: Some(height),
        }
    }

    #[test]
    fn a_failure_is_shown_on_a_small_screen_with_what_matters_most() {
        insta::assert_snapshot!(render(&failing(), screen(80, 24)));
    }

    #[test]
    fn a_failure_is_shown_on_a_larger_screen_with_more() {
        insta::assert_snapshot!(render(&failing(), screen(120, 30)));
    }

    #[test]
    fn a_narrow_file_has_everything() {
        let style = Style {
            width: 80,
            ..Style::default()
        };
        let text = render(&failing(), style);
        insta::assert_snapshot!(text);
        for line in text.lines().skip(1) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    /// Reports of every size: the examples, hostile ones, and these with more of everything than any screen is high.
    fn reports() -> Vec<Report> {
        let mut reports = vec![failing(), passing(), inconclusive()];
        reports.extend(texts().iter().map(|text| report(text)));
        let wide = "進程漏れ e\u{301} 🧵".repeat(40);
        reports.push(report(&wide));
        let larger = reports.clone().into_iter().map(|mut report| {
            let many = |one: &Finding| vec![one.clone(); 20];
            report.findings = report.findings.iter().flat_map(many).collect();
            report.thresholds = vec![report.thresholds[0].clone(); 30];
            report.reasons = vec!["a reason of many words ".repeat(20); 30];
            report.unexpected.clone_from(&report.reasons);
            report.verdict = Verdict::Inconclusive;
            report
        });
        let larger: Vec<Report> = larger.collect();
        reports.extend(larger);
        reports
    }

    #[test]
    fn nothing_is_higher_or_wider_than_the_screen() {
        for report in reports() {
            for (width, height) in [(80, 24), (120, 30), (60, 12), (80, 3), (200, 60)] {
                let text = render(&report, screen(width, height));
                let lines = text.lines().count();
                assert!(lines <= height, "{lines} lines of {height}: {text}");
                for line in text.lines() {
                    let columns = ratatui::text::Span::raw(line).width();
                    assert!(columns <= width, "{columns} columns of {width}: {line}");
                }
                assert!(
                    text.starts_with(sentences::capital(report.verdict)),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_small_screen_holds_every_cause_that_there_is_room_for_and_what_was_not_expected() {
        let text = render(&failing(), screen(80, 24));
        let parts = [
            "121 retained: primary `claude` after complete: never signalled, stdin still",
            "1 killed early",
            "2 lost (known)",
            "unexpected  killed_early 1, and none was expected",
            "again       leak-harness repro 603",
        ];
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
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
            height: None,
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
