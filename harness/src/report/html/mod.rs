//! The report as one HTML page, which needs no network and no other file.
//!
//! The page says everything without its scripts; these only draw the charts and the lanes. Whatever a process chose, such as a command
//! line or a session's name, reaches the page as escaped text ([`embed::Visible`]) or as JSON that a script puts into the page as text
//! ([`embed::script_json`]).

mod basis;
mod books;
pub mod charts;
pub mod embed;
mod findings;
mod lanes;

use std::fmt;

use askama::Template;

use super::{Report, markdown, sentences};
use crate::judge::lanes::Lanes;
use crate::scenario::Verdict;

use basis::{Fact, Growth, Limit, Times, Unjudged, Watcher};
use books::{Book, Figure, RoleRow};
use charts::ChartOf;
use embed::{Lines, Prose};
use findings::{Cause, Group};

/// How pages look: colours for light, dark and paper as custom properties, and the parts that pages share.
pub const STYLE: &str = include_str!("style.css");
/// Apache ECharts, the library that draws the charts, with its licence at its head.
pub const CHART_LIBRARY: &str = include_str!(concat!(env!("OUT_DIR"), "/echarts.js"));
/// The version of that library.
pub const CHART_LIBRARY_VERSION: &str = env!("ECHARTS_VERSION");
/// Draws the charts that `<script type="application/json" id="charts-data">` describes.
pub const CHART_SCRIPT: &str = include_str!("page.js");

/// How many causes stand below the verdict; all are with the findings.
const CAUSES: usize = 3;

/// Why a page cannot be written.
#[derive(Debug)]
pub enum HtmlError {
    /// Its data cannot be written as JSON.
    Data(serde_json::Error),
    /// Its template cannot be filled.
    Template(askama::Error),
}

impl fmt::Display for HtmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(cause) => write!(f, "the data of the page cannot be written: {cause}"),
            Self::Template(cause) => write!(f, "the page cannot be written: {cause}"),
        }
    }
}

impl std::error::Error for HtmlError {}

impl From<serde_json::Error> for HtmlError {
    fn from(cause: serde_json::Error) -> Self {
        Self::Data(cause)
    }
}

impl From<askama::Error> for HtmlError {
    fn from(cause: askama::Error) -> Self {
        Self::Template(cause)
    }
}

#[derive(Template)]
#[template(path = "report/html/page.html")]
struct Page<'a> {
    report: &'a Report,
    headline: Headline,
    tone: &'static str,
    causes: Vec<Cause<'a>>,
    more_causes: usize,
    run_line: String,
    figures: Vec<Figure>,
    books: Vec<Book>,
    roles: Vec<&'static str>,
    role_rows: Vec<RoleRow>,
    charts: &'a [ChartOf],
    groups: Vec<Group<'a>>,
    limits: Vec<Limit<'a>>,
    growth: Vec<Growth<'a>>,
    unjudged: Vec<Unjudged<'a>>,
    slope: String,
    times: Vec<Times>,
    watchers: Vec<Watcher<'a>>,
    place: Vec<Fact>,
    memory: String,
    made: Vec<(&'static str, String)>,
    preface: String,
    again: String,
    other_books: Vec<(&'static str, String)>,
    style: &'static str,
    library: &'static str,
    library_version: &'static str,
    chart_script: &'static str,
    lanes_style: &'static str,
    lanes_script: &'static str,
    charts_data: String,
    lanes_data: String,
}

/// The verdict in one sentence, parted so that its first words can be set apart.
struct Headline {
    /// Whose colour and sign it has.
    tone: &'static str,
    /// `Fail`.
    short: &'static str,
    /// `Fail, as expected`.
    words: String,
    /// What the verdict rests on, as a sentence.
    facts: String,
}

impl Headline {
    fn of(report: &Report) -> Self {
        let sentence = sentences::headline(report);
        let (_, facts) = sentence.split_once(": ").unwrap_or(("", &sentence));
        let expected = if report.as_expected {
            "as expected"
        } else {
            "not as expected"
        };
        let verdict = sentences::capital(report.verdict);
        let (tone, short, words, facts) = match (report.checkpoint, report.verdict) {
            // What a run that goes on was expected to come to is not to be asked yet.
            (true, Verdict::Fail) => (
                "fail",
                "Fail so far",
                "Fail so far, and the run goes on".to_owned(),
                facts.strip_prefix("fail, ").unwrap_or(facts),
            ),
            (true, Verdict::Pass | Verdict::Inconclusive) => (
                "so_far",
                "So far",
                "So far, and the run goes on".to_owned(),
                facts,
            ),
            (false, Verdict::Pass) => ("pass", verdict, format!("{verdict}, {expected}"), facts),
            (false, Verdict::Fail) => ("fail", verdict, format!("{verdict}, {expected}"), facts),
            (false, Verdict::Inconclusive) => (
                "inconclusive",
                verdict,
                format!("{verdict}, {expected}"),
                facts,
            ),
        };
        Self {
            tone,
            short,
            words,
            facts: with_capital(facts),
        }
    }
}

/// A sentence that begins with a capital letter.
pub(crate) fn with_capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// The report as a page.
///
/// # Errors
///
/// When the page cannot be written, which no report is known to cause.
pub fn render(report: &Report, lanes: &Lanes) -> Result<String, HtmlError> {
    let charts = charts::charts(report, lanes);
    let (roles, role_rows) = books::by_role(report);
    let headline = Headline::of(report);
    let groups = findings::groups(report);
    let mut causes = findings::causes(&groups);
    let more_causes = causes.len().saturating_sub(CAUSES);
    causes.truncate(CAUSES);
    Ok(Page {
        report,
        tone: headline.tone,
        headline,
        causes,
        more_causes,
        run_line: sentences::run_line(report),
        figures: books::figures(report),
        books: books::books(report),
        roles,
        role_rows,
        charts: &charts,
        groups,
        limits: basis::limits(report),
        growth: basis::growth(report),
        unjudged: basis::unjudged(report),
        slope: format!("Slope {}", sentences::per_hour(report)),
        times: basis::times(report),
        watchers: basis::watchers(report),
        place: basis::place(report),
        memory: sentences::memory(report),
        made: sentences::made(report),
        preface: sentences::preface(&report.made.scenario),
        again: markdown::from_nothing(report).join("\n"),
        other_books: sentences::process_books(report).split_off(1),
        style: STYLE,
        library: CHART_LIBRARY,
        library_version: CHART_LIBRARY_VERSION,
        chart_script: CHART_SCRIPT,
        lanes_style: lanes::STYLE,
        lanes_script: lanes::SCRIPT,
        charts_data: embed::script_json(&charts)?,
        lanes_data: lanes::data(lanes, report.elapsed_ms)?,
    }
    .render()?)
}

#[cfg(test)]
mod tests;
