//! The comparison as one HTML page, which needs no network and no other file. It shares the look, the charts' library and their script
//! with the page of a report.

use askama::Template;
use charming::Chart;
use charming::element::{ItemStyle, LineStyle, LineStyleType};

use super::words::{self, Line};
use super::{Comparison, Outcome};
use crate::judge::Point;
use crate::report::Report;
use crate::report::html::charts::{ChartOf, Unit, data, frame, legend, line};
use crate::report::html::embed::{self, Prose};
use crate::report::html::{
    CHART_LIBRARY, CHART_LIBRARY_VERSION, CHART_SCRIPT, HtmlError, STYLE, with_capital,
};
use crate::units::{self, Count};

/// What this page has beside the looks that it shares.
const OWN_STYLE: &str = include_str!("compare.css");
/// How many sessions are named with a finding; the others are in the reports.
const SESSIONS: usize = 3;

/// A table of figures on the page.
struct Figures {
    name: String,
    lines: Vec<Cells>,
}

/// One line of such a table.
struct Cells {
    name: String,
    a: String,
    b: String,
    change: String,
    each: String,
    tone: &'static str,
}

/// A finding on the page.
struct Found {
    word: &'static str,
    tone: &'static str,
    text: String,
    seen: String,
    sessions: String,
}

#[derive(Template)]
#[template(path = "compare/compare.html")]
struct Page<'a> {
    comparison: &'a Comparison,
    tone: &'static str,
    outcome: &'static str,
    headline: String,
    a: String,
    b: String,
    regressions: Vec<String>,
    findings: Vec<Found>,
    tables: Vec<Figures>,
    per_session: bool,
    charts: Vec<ChartOf>,
    charts_data: String,
    style: &'static str,
    own_style: &'static str,
    library: &'static str,
    library_version: &'static str,
    chart_script: &'static str,
}

/// The comparison as a page, with the curves of both reports.
///
/// # Errors
///
/// When the page cannot be written, which no report is known to cause.
pub fn render(comparison: &Comparison, a: &Report, b: &Report) -> Result<String, HtmlError> {
    let charts = charts(a, b);
    let findings = comparison.findings.iter().map(|finding| Found {
        word: words::change_word(finding.change),
        tone: words::finding_tone(finding).name(),
        text: arrows(&words::finding(finding)),
        seen: finding.seen.clone(),
        sessions: sessions(&finding.sessions),
    });
    let tables: Vec<Figures> = words::tables(comparison)
        .into_iter()
        .map(|table| Figures {
            name: table.name,
            lines: table.lines.iter().flat_map(cells).collect(),
        })
        .collect();
    let mut lines = tables.iter().flat_map(|table| &table.lines);
    Ok(Page {
        comparison,
        per_session: lines.any(|line| !line.each.is_empty()),
        tone: match comparison.outcome {
            Outcome::Regression => "fail",
            Outcome::Undecided => "inconclusive",
            Outcome::NoRegression => "pass",
        },
        outcome: words::outcome(comparison.outcome),
        headline: arrows(&with_capital(&comparison.headline)),
        a: words::side(&comparison.a),
        b: words::side(&comparison.b),
        regressions: words::regressions(comparison)
            .iter()
            .map(|text| arrows(text))
            .collect(),
        findings: findings.collect(),
        tables,
        charts_data: embed::script_json(&charts)?,
        charts,
        style: STYLE,
        own_style: OWN_STYLE,
        library: CHART_LIBRARY,
        library_version: CHART_LIBRARY_VERSION,
        chart_script: CHART_SCRIPT,
    }
    .render()?)
}

/// From what to what, with the sign that a terminal may lack.
fn arrows(text: &str) -> String {
    text.replace(" -> ", " → ")
}

/// A figure as it is printed: the sign of less is as wide as that of more, and a value that there is not is a dash.
fn figure(text: &str) -> String {
    let text = arrows(text);
    match text.strip_prefix('-') {
        Some("") => "–".to_owned(),
        Some(less) => format!("−{less}"),
        None => text,
    }
}

/// A line of words as lines of the page: percentiles, which are one line elsewhere, have one each, for they are columns of a phone's
/// width otherwise.
fn cells(line: &Line) -> Vec<Cells> {
    let parts = |text: &str| -> Vec<String> { text.split(" / ").map(figure).collect() };
    let (a, b, change) = (parts(&line.a), parts(&line.b), parts(&line.change));
    let names = line.name.split(" / ");
    names
        .enumerate()
        .map(|(place, name)| {
            let part = |of: &[String]| of.get(place).cloned().unwrap_or_default();
            Cells {
                name: name.to_owned(),
                a: part(&a),
                b: part(&b),
                change: part(&change),
                each: figure(&line.each),
                tone: line.tone.name(),
            }
        })
        .collect()
}

/// The first of these sessions, and how many more there are.
fn sessions(names: &[String]) -> String {
    let named = names[..names.len().min(SESSIONS)].join(", ");
    match names.len().saturating_sub(SESSIONS) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Both curves in one chart, for each figure that has one; none where neither run was sampled.
fn charts(a: &Report, b: &Report) -> Vec<ChartOf> {
    if a.series.is_empty() && b.series.is_empty() {
        return Vec::new();
    }
    let most = |of: fn(&Point) -> Option<u64>| {
        let most = |report: &Report| report.series.iter().filter_map(of).max().unwrap_or(0);
        (most(a), most(b))
    };
    let children: fn(&Point) -> Option<u64> = |point| Some(point.children.into());
    let rss: fn(&Point) -> Option<u64> = |point| Some(point.rss_bytes);
    let worker: fn(&Point) -> Option<u64> = |point| point.worker_rss_bytes;
    let alive = |count| Count(count, "process").to_string();
    let (alive_a, alive_b) = most(children);
    let bytes = |of| {
        let (of_a, of_b) = most(of);
        format!("A {} at most, B {}", units::bytes(of_a), units::bytes(of_b))
    };
    vec![
        ChartOf {
            id: "chart-children",
            title: "Processes alive",
            says: format!("A {} at most at once, B {}", alive(alive_a), alive(alive_b)),
            unit: Unit::Count,
            whole: None,
            option: both(a, b, Unit::Count, children),
        },
        ChartOf {
            id: "chart-memory",
            title: "RSS of the worker’s processes",
            says: bytes(rss),
            unit: Unit::Bytes,
            whole: None,
            option: both(a, b, Unit::Bytes, rss),
        },
        ChartOf {
            id: "chart-worker",
            title: "RSS of the worker itself",
            says: bytes(worker),
            unit: Unit::Bytes,
            whole: None,
            option: both(a, b, Unit::Bytes, worker),
        },
    ]
}

/// A dashed and B drawn through, each in its colour, from the start of its own run.
fn both(a: &Report, b: &Report, unit: Unit, of: fn(&Point) -> Option<u64>) -> Chart {
    let curve = |name: &str, colour: &str, dash: LineStyleType, report: &Report| {
        line(name, colour)
            .line_style(LineStyle::new().color(colour).width(2).type_(dash))
            .data(data(&report.series, of))
    };
    let points = a.series.iter().chain(&b.series);
    let most = points.filter_map(of).max().unwrap_or(0);
    frame(a.elapsed_ms.max(b.elapsed_ms), unit, most)
        // Without the dot that would stand for symbols; the lines have none.
        .legend(
            legend()
                .item_width(24)
                .item_style(ItemStyle::new().opacity(0)),
        )
        .series(curve(
            "A (dashed)",
            "var(--side-a)",
            LineStyleType::Dashed,
            a,
        ))
        .series(curve("B", "var(--side-b)", LineStyleType::Solid, b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::compare;
    use crate::compare::examples::{doubtful, failing, inconclusive, passing};

    /// The page without what it shares with the page of a report: style, library, script.
    fn own(page: &str) -> String {
        let mut own = page.to_owned();
        for shared in [STYLE, OWN_STYLE, CHART_LIBRARY, CHART_SCRIPT] {
            own = own.replace(shared, "");
        }
        own.replace(CHART_LIBRARY_VERSION, "VERSION")
    }

    #[test]
    fn a_regression_is_shown_with_both_curves() {
        let (a, b) = (passing(), failing());
        let comparison = compare(("reports/before", &a), ("reports/after", &b), 0);
        insta::assert_snapshot!(own(&render(&comparison, &a, &b).unwrap()));
    }

    #[test]
    fn doubt_has_its_own_colour() {
        let page = render(&doubtful(), &passing(), &inconclusive()).unwrap();
        assert!(page.contains("data-verdict=\"inconclusive\""));
        assert!(page.contains("Not decided"));
    }

    #[test]
    fn runs_without_samples_have_no_charts() {
        let mut bare = passing();
        bare.series.clear();
        let comparison = compare(("a", &bare), ("b", &bare), 0);
        let page = own(&render(&comparison, &bare, &bare).unwrap());
        assert!(!page.contains("class=\"plot\""));
        assert!(page.contains("there is nothing to draw"));
    }
}
