//! The literal comparisons on which every renderer is tested.

pub(super) use crate::report::examples::{failing, inconclusive, passing};

use super::{Comparison, compare};
use crate::judge::GrowthFigure;
use crate::report::Report;

/// The figure that grows, by so many bytes an hour.
pub(super) fn grows(slope: f64) -> GrowthFigure {
    GrowthFigure {
        figure: "the worker's RSS".to_owned(),
        judged: true,
        grows: slope > 0.0,
        rise: slope / 60.0,
        slope_per_hour: slope,
        slope_per_hour_low: slope - slope.abs() / 10.0 - 100_000.0,
        slope_per_hour_high: slope + slope.abs() / 10.0 + 100_000.0,
        per_session: Some(slope / 60.0 / 40.0),
        detectable: Some(1_000_000.0),
        seconds: 60.0,
        sessions: 40,
        ..GrowthFigure::default()
    }
}

fn measured(mut report: Report, slope: f64) -> Report {
    report.growth = vec![grows(slope)];
    report
}

/// A clean run, and one that leaks.
pub(super) fn regressed() -> Comparison {
    let (a, b) = (measured(passing(), 0.0), measured(failing(), 9e7));
    compare(("reports/before", &a), ("reports/after", &b), 0)
}

/// A run that leaks, and a clean one.
pub(super) fn cured() -> Comparison {
    let (a, b) = (measured(failing(), 9e7), measured(passing(), 0.0));
    compare(("reports/before", &a), ("reports/after", &b), 0)
}

/// A clean run, and one that proves nothing.
pub(super) fn doubtful() -> Comparison {
    compare(("a", &passing()), ("b", &inconclusive()), 0)
}

/// Twice the same run.
pub(super) fn same() -> Comparison {
    compare(("a", &passing()), ("a", &passing()), 0)
}
