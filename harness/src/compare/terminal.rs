//! The comparison for people, on a screen.
//!
//! On a terminal it takes no more lines than fit: it says the least that must be said, and then as much more as there is room for. Of the
//! figures those that changed are shown there, and those that are better or worse before all others.

use super::words::{self, Line, Lines, Tone};
use super::{Comparison, Outcome};
use crate::report::escape::plain;
use crate::report::terminal::{Amount, Style, broken, columns, cut, fitted};

/// How wide the names of tables and notes are.
const NAMES: usize = 12;
/// The least columns of a figure's name.
const LEAST_NAME: usize = 12;
/// The least columns of a figure.
const LEAST_FIGURE: usize = 8;

/// How much of a comparison is said.
#[derive(Clone, Copy)]
struct Detail {
    /// The most lines of a sentence; it is cut after that.
    lines: usize,
    /// How many entries of a list are shown: doubts, caveats, what is worse.
    listed: usize,
    /// How many findings are shown.
    findings: usize,
    /// How many figures are shown; with an end to them, only those that changed.
    figures: usize,
}

impl Amount for Detail {
    const ALL: Self = Self {
        lines: usize::MAX,
        listed: usize::MAX,
        findings: 8,
        figures: usize::MAX,
    };

    const LEAST: Self = Self {
        lines: 1,
        listed: 1,
        findings: 1,
        figures: 0,
    };

    const MORE: &'static [fn(&mut Self)] = &[
        |detail| detail.findings = 3,
        |detail| detail.figures = 4,
        |detail| detail.listed = 2,
        |detail| detail.lines = 2,
        |detail| detail.figures = 8,
        |detail| detail.listed = 4,
        |detail| detail.findings = Self::ALL.findings,
        |detail| detail.figures = 12,
        |detail| detail.lines = 4,
        |detail| detail.listed = 8,
        |detail| detail.figures = 24,
    ];
}

/// The comparison: what came of it, why it may not be comparable, the findings, the figures; no higher than the screen.
pub fn render(comparison: &Comparison, style: Style) -> String {
    fitted(style, |style, detail| drawn(comparison, style, detail))
}

fn drawn(comparison: &Comparison, style: Style, detail: Detail) -> String {
    let mut out = Screen {
        text: String::new(),
        style,
        detail,
    };
    let tone = match comparison.outcome {
        Outcome::Regression => "1;31",
        Outcome::Undecided => "1;33",
        Outcome::NoRegression => "1;32",
    };
    out.line(&style.headline(&comparison.headline, tone, &[':', ';']));
    out.noted("A", &words::side(&comparison.a));
    out.noted("B", &words::side(&comparison.b));
    out.listed("in doubt", &comparison.doubts);
    out.listed("beware", &comparison.caveats);
    out.listed("worse", &words::regressions(comparison));
    if !comparison.findings.is_empty() {
        out.line("");
    }
    for finding in comparison.findings.iter().take(detail.findings) {
        let word = words::change_word(finding.change);
        out.marked(word, words::finding_tone(finding), &words::finding(finding));
    }
    if comparison.findings.len() > detail.findings {
        let more = comparison.findings.len() - detail.findings;
        out.noted("", &format!("and {more} more kinds of findings"));
    }
    out.figures(words::tables(comparison));
    out.text
}

struct Screen {
    text: String,
    style: Style,
    detail: Detail,
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
        self.marked(name, Tone::Neutral, text);
    }

    fn marked(&mut self, name: &str, tone: Tone, text: &str) {
        let lines = broken(&plain(text), self.style.width - NAMES, self.detail.lines);
        for (place, line) in lines.iter().enumerate() {
            let name = if place == 0 { name } else { "" };
            let name = self.toned(&format!("{name:<NAMES$}"), tone);
            self.line(&format!("{name}{line}"));
        }
    }

    /// As many of these as there is room for, and how many there are beside.
    fn listed(&mut self, name: &str, texts: &[String]) {
        for text in texts.iter().take(self.detail.listed) {
            self.noted(name, text);
        }
        if texts.len() > self.detail.listed {
            let more = texts.len() - self.detail.listed;
            self.noted("", &format!("and {more} more"));
        }
    }

    /// Figures in one table, the name of each part before its first line.
    fn figures(&mut self, tables: Vec<Lines>) {
        let all: usize = tables.iter().map(|table| table.lines.len()).sum();
        let tables = chosen(tables, self.detail.figures);
        let shown: usize = tables.iter().map(|table| table.lines.len()).sum();
        if shown > 0 {
            self.line("");
            self.table(tables);
        }
        if shown < all {
            let more = all - shown;
            let lead = if shown == 0 { "" } else { "and " };
            self.noted("", &format!("{lead}{more} more figures: --format markdown"));
        }
    }

    fn table(&mut self, mut tables: Vec<Lines>) {
        let mut widths = Columns::of(&tables);
        if widths.width() > self.style.width {
            for line in tables.iter_mut().flat_map(|table| &mut table.lines) {
                without_interval(&mut line.a);
                without_interval(&mut line.b);
            }
            widths = Columns::of(&tables);
        }
        if self.style.height.is_some() {
            widths.shrink(self.style.width);
        }
        let Columns {
            names,
            a,
            b,
            change,
            each,
        } = widths;
        let head = if each > 0 { "per session" } else { "" };
        let change_head = left("change", change);
        self.line(&format!(
            "{:NAMES$}{:names$}  {}  {}  {change_head}  {head}",
            "",
            "",
            right("A", a),
            right("B", b)
        ));
        for table in &tables {
            // A name that is longer than its column goes on before the next figures.
            let parts = broken(&plain(&table.name), NAMES - 1, table.lines.len());
            for (place, line) in table.lines.iter().enumerate() {
                let part = parts.get(place).map_or("", String::as_str);
                let word = self.toned(&left(&plain(&line.change), change), line.tone);
                let per_session = if each > 0 {
                    plain(&line.each)
                } else {
                    "".into()
                };
                self.line(&format!(
                    "{}{}  {}  {}  {word}  {per_session}",
                    left(part, NAMES),
                    left(&plain(&line.name), names),
                    right(&plain(&line.a), a),
                    right(&plain(&line.b), b),
                ));
            }
        }
    }
}

/// A text at the left of so many columns.
fn left(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let space = " ".repeat(width.saturating_sub(columns(&text)));
    text + &space
}

/// A text at the right of so many columns.
fn right(text: &str, width: usize) -> String {
    let text = cut(text, width);
    " ".repeat(width.saturating_sub(columns(&text))) + &text
}

/// The widths of a table's columns.
struct Columns {
    names: usize,
    a: usize,
    b: usize,
    change: usize,
    /// Nothing where the column is left out.
    each: usize,
}

impl Columns {
    /// As wide as the widest of their texts.
    fn of(tables: &[Lines]) -> Self {
        let widest = |of: fn(&Line) -> &str, least: usize| {
            let lines = tables.iter().flat_map(|table| &table.lines);
            let lengths = lines.map(|line| columns(&plain(of(line))));
            lengths.max().unwrap_or(0).max(least)
        };
        Self {
            names: widest(|line| &line.name, 0),
            a: widest(|line| &line.a, 1),
            b: widest(|line| &line.b, 1),
            change: widest(|line| &line.change, "change".len()),
            each: match widest(|line| &line.each, 0) {
                0 => 0,
                each => each.max("per session".len()),
            },
        }
    }

    fn width(&self) -> usize {
        let each = if self.each > 0 { 2 + self.each } else { 0 };
        NAMES + self.names + 2 + self.a + 2 + self.b + 2 + self.change + each
    }

    /// Makes them fit: without the figures per session, then with shorter names, then with shorter figures.
    fn shrink(&mut self, width: usize) {
        let too_much = |columns: &Self| columns.width().saturating_sub(width);
        if too_much(self) > 0 {
            self.each = 0;
        }
        let least = LEAST_NAME.min(self.names);
        self.names = self.names.saturating_sub(too_much(self)).max(least);
        let least = |column: usize| column.min(LEAST_FIGURE);
        self.a = self.a.saturating_sub(too_much(self)).max(least(self.a));
        self.b = self.b.saturating_sub(too_much(self)).max(least(self.b));
        let least = least(self.change);
        self.change = self.change.saturating_sub(too_much(self)).max(least);
    }
}

/// So many figures: with an end to them those that changed alone, and those that are better or worse before all others. Their order stays.
fn chosen(mut tables: Vec<Lines>, most: usize) -> Vec<Lines> {
    if most == usize::MAX {
        return tables;
    }
    let lines = || tables.iter().flat_map(|table| &table.lines);
    let matters = lines().filter(|line| line.tone != Tone::Neutral).count();
    let mut of_these = most.min(matters);
    let mut of_others = most - of_these;
    for table in &mut tables {
        table.lines.retain(|line| {
            let room = if line.tone == Tone::Neutral {
                &mut of_others
            } else {
                &mut of_these
            };
            let shown = line.has_changed() && *room > 0;
            *room -= usize::from(shown);
            shown
        });
    }
    tables.retain(|table| !table.lines.is_empty());
    tables
}

/// A slope without the interval in which it surely lies.
fn without_interval(text: &mut String) {
    if let Some(at) = text.find(" (") {
        text.truncate(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::compare;
    use crate::compare::examples::{cured, doubtful, regressed, same};
    use crate::judge::finding::Finding;
    use crate::report::hostile::{report, texts};

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

    /// A screen without colours.
    fn screen(width: usize, height: usize) -> Style {
        Style {
            colour: false,
            width,
            height: Some(height),
        }
    }

    #[test]
    fn a_small_screen_has_what_matters_most() {
        insta::assert_snapshot!(render(&regressed(), screen(80, 24)));
    }

    #[test]
    fn a_larger_screen_has_more() {
        insta::assert_snapshot!(render(&cured(), screen(120, 30)));
    }

    #[test]
    fn nothing_is_higher_or_wider_than_the_screen() {
        let mut comparisons = vec![regressed(), cured(), doubtful(), same()];
        for text in texts().iter().chain([&"進程漏れ 🧵".repeat(40)]) {
            let (a, mut b) = (report(&format!("{text}.")), report(text));
            let many = |one: &Finding| {
                let numbered = |number| Finding {
                    signature: format!("{} {number}", one.signature),
                    ..one.clone()
                };
                (0..20).map(numbered).collect::<Vec<_>>()
            };
            b.findings = b.findings.iter().flat_map(many).collect();
            comparisons.push(compare((text, &a), (text, &b), 0));
            comparisons.push(compare((text, &b), (text, &a), 0));
        }
        for comparison in comparisons {
            for (width, height) in [(80, 24), (120, 30), (60, 12), (80, 3), (200, 60)] {
                let text = render(&comparison, screen(width, height));
                let lines = text.lines().count();
                assert!(lines <= height, "{lines} lines of {height}: {text}");
                for line in text.lines() {
                    let columns = ratatui::text::Span::raw(line).width();
                    assert!(columns <= width, "{columns} columns of {width}: {line}");
                }
            }
        }
    }

    #[test]
    fn only_colours_control_the_terminal_and_only_where_they_may() {
        for colour in [false, true] {
            let style = Style {
                colour,
                ..Style::default()
            };
            let text = render(&regressed(), style);
            assert_eq!(text.contains('\x1b'), colour);
            for (at, _) in text.match_indices('\x1b') {
                let colours = ["\x1b[1;31m", "\x1b[31m", "\x1b[32m", "\x1b[0m"];
                assert!(colours.iter().any(|colour| text[at..].starts_with(colour)));
            }
        }
    }
}
