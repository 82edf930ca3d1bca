//! The comparison for people, on a screen.

use super::words::{self, Line, Tone};
use super::{Comparison, Outcome};
use crate::report::escape::{plain, plain_cut};
use crate::report::terminal::{Style, wrap};

/// How many findings are shown; the others are in the JSON form.
const FINDINGS: usize = 8;
/// How wide the names of tables and notes are.
const NAMES: usize = 12;

/// The comparison in at most about a screen: what came of it, why it may not be comparable, the findings, the figures.
pub fn render(comparison: &Comparison, style: Style) -> String {
    let mut out = Screen {
        text: String::new(),
        style,
    };
    let tone = match comparison.outcome {
        Outcome::Regression => "1;31",
        Outcome::Undecided => "1;33",
        Outcome::NoRegression => "1;32",
    };
    // One line, however long: it is what a script takes with `head -1`.
    let headline = plain(&comparison.headline);
    let (first, rest) = headline.split_at(headline.find([':', ';']).unwrap_or(headline.len()));
    let painted = out.style.painted(first, tone);
    out.line(&format!("{painted}{rest}"));
    out.noted("A", &words::side(&comparison.a));
    out.noted("B", &words::side(&comparison.b));
    for doubt in &comparison.doubts {
        out.noted("in doubt", doubt);
    }
    for caveat in &comparison.caveats {
        out.noted("beware", caveat);
    }
    for regression in words::regressions(comparison) {
        out.noted("worse", &regression);
    }
    if !comparison.findings.is_empty() {
        out.line("");
    }
    for finding in comparison.findings.iter().take(FINDINGS) {
        let word = format!("{:<NAMES$}", words::change_word(finding.change));
        let word = out.toned(&word, words::finding_tone(finding));
        let text = plain_cut(&words::finding(finding), 2 * out.style.width);
        let text = wrap(&text, out.style.width.saturating_sub(NAMES), 0);
        let text = text.replace('\n', &format!("\n{}", " ".repeat(NAMES)));
        out.line(&format!("{word}{text}"));
    }
    if comparison.findings.len() > FINDINGS {
        let more = comparison.findings.len() - FINDINGS;
        out.noted("", &format!("and {more} more kinds of findings"));
    }
    out.line("");
    out.tables(comparison);
    out.text
}

struct Screen {
    text: String,
    style: Style,
}

impl Screen {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn toned(&self, text: &str, tone: Tone) -> String {
        match tone {
            Tone::Better => self.style.painted(text, "32"),
            Tone::Worse => self.style.painted(text, "31"),
            Tone::Neutral => text.to_owned(),
        }
    }

    /// A name and what there is to say about it, in lines that fit.
    fn noted(&mut self, name: &str, text: &str) {
        let text = wrap(text, self.style.width.saturating_sub(NAMES), 0);
        let text = text.replace('\n', &format!("\n{}", " ".repeat(NAMES)));
        self.line(&format!("{name:<NAMES$}{text}"));
    }

    /// All figures in one table, the name of each part before its first line.
    fn tables(&mut self, comparison: &Comparison) {
        let tables = words::tables(comparison);
        let lines: Vec<&Line> = tables.iter().flat_map(|table| &table.lines).collect();
        let widest = |of: fn(&Line) -> &str, least: usize| {
            let lengths = lines.iter().map(|line| plain(of(line)).chars().count());
            lengths.max().unwrap_or(0).max(least)
        };
        let (names, of_a, of_b, changes) = (
            widest(|line| &line.name, 0),
            widest(|line| &line.a, 1),
            widest(|line| &line.b, 1),
            widest(|line| &line.change, 6),
        );
        let with_each = lines.iter().any(|line| !line.each.is_empty());
        let each = if with_each { "  per session" } else { "" };
        self.line(&format!(
            "{:<NAMES$}{:<names$}  {:>of_a$}  {:>of_b$}  {:<changes$}{each}",
            "", "", "A", "B", "change"
        ));
        for table in &tables {
            for (place, line) in table.lines.iter().enumerate() {
                let part = if place == 0 { table.name.as_str() } else { "" };
                let change = format!("{:<changes$}", plain(&line.change));
                let change = self.toned(&change, line.tone);
                self.line(&format!(
                    "{part:<NAMES$}{:<names$}  {:>of_a$}  {:>of_b$}  {change}  {}",
                    plain(&line.name),
                    plain(&line.a),
                    plain(&line.b),
                    plain(&line.each)
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::examples::{cured, doubtful, regressed, same};

    #[test]
    fn a_regression_is_shown() {
        insta::assert_snapshot!(render(&regressed(), Style::default()));
    }

    #[test]
    fn a_cure_is_shown() {
        insta::assert_snapshot!(render(&cured(), Style::default()));
    }

    #[test]
    fn doubt_is_shown_with_its_reason() {
        insta::assert_snapshot!(render(&doubtful(), Style::default()));
    }

    #[test]
    fn that_nothing_matters_is_shown() {
        insta::assert_snapshot!(render(&same(), Style::default()));
    }

    #[test]
    fn it_fits_a_screen() {
        for comparison in [regressed(), cured(), doubtful(), same()] {
            let lines = render(&comparison, Style::default()).lines().count();
            assert!(lines <= 60, "{lines} lines");
        }
    }

    #[test]
    fn only_colours_control_the_terminal_and_only_where_they_may() {
        for colour in [false, true] {
            let style = Style { colour, width: 100 };
            let text = render(&regressed(), style);
            assert_eq!(text.contains('\x1b'), colour);
            for (at, _) in text.match_indices('\x1b') {
                let colours = ["\x1b[1;31m", "\x1b[31m", "\x1b[32m", "\x1b[0m"];
                assert!(colours.iter().any(|colour| text[at..].starts_with(colour)));
            }
        }
    }
}
