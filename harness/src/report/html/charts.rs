//! What the charts show, as options of Apache ECharts.

use charming::Chart;
use serde::Serialize;

use crate::report::Report;

/// One chart of a page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChartOf {
    /// The id of the element that it is drawn into.
    pub id: &'static str,
    /// What its values are.
    pub unit: Unit,
    /// The chart.
    pub option: Chart,
}

/// What the values of a chart are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Things that are counted.
    Count,
    /// Bytes.
    Bytes,
}

/// The charts of a report.
pub(super) fn charts(_report: &Report) -> Vec<ChartOf> {
    Vec::new()
}
