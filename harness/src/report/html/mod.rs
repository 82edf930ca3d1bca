//! The report as one HTML page, which needs no network and no other file.
//!
//! The page says everything without its scripts; these only draw the charts and the lanes. Whatever a process chose, such as a command
//! line or a session's name, reaches the page as escaped text ([`embed::Visible`]) or as JSON that a script puts into the page as text
//! ([`embed::script_json`]).

mod charts;
pub mod embed;
mod lanes;

use std::fmt;

use askama::Template;

use super::{Report, sentences};
use crate::judge::lanes::Lanes;

/// How pages look: colours for light, dark and paper as custom properties, and the parts that pages share.
pub const STYLE: &str = include_str!("style.css");
/// Apache ECharts, the library that draws the charts, with its licence at its head.
pub const CHART_LIBRARY: &str = include_str!(concat!(env!("OUT_DIR"), "/echarts.js"));
/// The version of that library.
pub const CHART_LIBRARY_VERSION: &str = env!("ECHARTS_VERSION");
/// Draws the charts that `<script type="application/json" id="charts-data">` describes.
pub const CHART_SCRIPT: &str = include_str!("page.js");

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
    headline: String,
    style: &'static str,
    library: &'static str,
    chart_script: &'static str,
    lanes_style: &'static str,
    lanes_script: &'static str,
    charts: String,
    lanes: String,
}

/// The report as a page.
///
/// # Errors
///
/// When the page cannot be written, which no report is known to cause.
pub fn render(report: &Report, lanes: &Lanes) -> Result<String, HtmlError> {
    Ok(Page {
        report,
        headline: sentences::headline(report),
        style: STYLE,
        library: CHART_LIBRARY,
        chart_script: CHART_SCRIPT,
        lanes_style: lanes::STYLE,
        lanes_script: lanes::SCRIPT,
        charts: embed::script_json(&charts::charts(report))?,
        lanes: lanes::data(lanes, report.elapsed_ms)?,
    }
    .render()?)
}
