//! What the charts show, as options of Apache ECharts.
//!
//! Colours are names of the page's custom properties: the charts are drawn as SVG, so the browser itself fills in what holds for light,
//! dark and paper. How values are written is the script's part, since JSON holds no functions.

use charming::Chart;
use charming::component::{Axis, DataZoom, DataZoomType, FilterMode, Grid, Legend};
use charming::datatype::{CompositeValue, DataPoint};
use charming::element::{
    AreaStyle, AxisLabel, AxisLine, AxisPointer, AxisPointerType, AxisTick, AxisType, Emphasis,
    ItemStyle, Label, LabelAlign, LineStyle, LineStyleType, MarkLine, MarkLineData,
    MarkLineVariant, SplitLine, Step, Symbol, TextStyle, Tooltip, Trigger,
};
use charming::series::Line;
use serde::Serialize;

use crate::judge::lanes::Lanes;
use crate::judge::{Over, Point};
use crate::report::Report;
use crate::units::{self, Count};

/// One chart of a page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChartOf {
    /// The id of the element that it is drawn into.
    pub id: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What it comes to, for those who do not see it.
    pub says: String,
    /// What its values are.
    pub unit: Unit,
    /// What the sum of its values is called in the tip, where they are parts of a whole.
    pub whole: Option<&'static str>,
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

/// What the line of a threshold is called; the script does not list it among the values of a moment.
const LIMIT: &str = "limit";
/// What processes are called whose time has not passed.
const IN_TIME: &str = "within their time";
/// A threshold so many times as high as what was measured would leave no room for the curve.
const NEAR: u64 = 4;

/// A bin of leftovers.
struct Leftover {
    /// As it is read.
    name: &'static str,
    colour: &'static str,
    /// Its number at a moment.
    count: fn(&Over) -> u32,
}

const LEFTOVERS: [Leftover; 5] = [
    Leftover {
        name: "retained",
        colour: "var(--retained)",
        count: |over| over.retained,
    },
    Leftover {
        name: "reparented",
        colour: "var(--reparented)",
        count: |over| over.reparented,
    },
    Leftover {
        name: "zombie",
        colour: "var(--zombie)",
        count: |over| over.zombie,
    },
    Leftover {
        name: "residue",
        colour: "var(--residue)",
        count: |over| over.residue,
    },
    Leftover {
        name: "readopted",
        colour: "var(--readopted)",
        count: |over| over.readopted,
    },
];

/// The charts of a report; none where no sample was taken.
pub(super) fn charts(report: &Report, lanes: &Lanes) -> Vec<ChartOf> {
    if report.series.is_empty() {
        return Vec::new();
    }
    vec![
        children(report, lanes),
        memory(report, lanes),
        worker(report, lanes),
        sessions(report, lanes),
    ]
}

fn children(report: &Report, lanes: &Lanes) -> ChartOf {
    let points = &report.series;
    let most = points.iter().map(|point| point.children).max();
    let left = points.iter().map(|point| point.over.all()).max();
    let in_time = |point: &Point| Some(point.children.saturating_sub(point.over.all()).into());
    let left = left.unwrap_or(0);
    let mut says = format!(
        "{} at most at once",
        Count(most.unwrap_or(0).into(), "process")
    );
    // What ran out of its time after the last sample alone is in no sample.
    if left > 0 {
        says += &format!("; at most {left} at once beyond their time");
    } else if report.roles.all().leaked() == 0 {
        says += "; none beyond its time";
    }
    let mut chart = frame(report.elapsed_ms, Unit::Count, 0)
        .series(stacked(IN_TIME, "var(--working)", points, in_time).mark_line(stops(lanes, true)));
    let mut names = vec![IN_TIME];
    for Leftover {
        name,
        colour,
        count,
    } in LEFTOVERS
    {
        if points.iter().any(|point| count(&point.over) > 0) {
            let found = |point: &Point| Some(count(&point.over).into());
            chart = chart.series(stacked(name, colour, points, found));
            names.push(name);
        }
    }
    ChartOf {
        id: "chart-children",
        title: "Processes alive",
        says,
        unit: Unit::Count,
        whole: Some("alive"),
        option: with_limit(chart, report, "peak_children").legend(
            legend()
                .item_width(13)
                .data(names.into_iter().map(|name| (name, "roundRect")).collect()),
        ),
    }
}

fn memory(report: &Report, lanes: &Lanes) -> ChartOf {
    let points = &report.series;
    let figures = &report.memory;
    let mut says = format!("RSS {} at most", units::bytes(figures.peak_rss_bytes));
    let most = points.iter().map(|point| point.rss_bytes).max();
    let most = with_near_limit(most.unwrap_or(0), report, "peak_rss_bytes");
    let mut chart = frame(report.elapsed_ms, Unit::Bytes, most).series(
        line("RSS", "var(--rss)")
            .area_style(AreaStyle::new().opacity(0.12))
            .mark_line(stops(lanes, false))
            .data(data(points, |point| Some(point.rss_bytes))),
    );
    if points.iter().any(|point| point.pss_bytes.is_some()) {
        chart = chart.series(
            line("PSS", "var(--pss)")
                .line_style(
                    LineStyle::new()
                        .color("var(--pss)")
                        .width(2)
                        .type_(LineStyleType::Dashed),
                )
                .data(data(points, |point| point.pss_bytes)),
        );
    }
    if let Some(pss) = figures.peak_pss_bytes {
        says += &format!(", PSS {} at most", units::bytes(pss));
        if points
            .iter()
            .filter(|point| point.pss_bytes.is_some())
            .count()
            < 2
        {
            says += ", which is read once, at the end";
        }
    }
    if figures.ballast {
        says += "; RSS counts the shared ballast again for each process, PSS does not";
    }
    ChartOf {
        id: "chart-memory",
        title: "Memory of the worker’s processes",
        says,
        unit: Unit::Bytes,
        whole: None,
        option: with_limit(chart, report, "peak_rss_bytes")
            // Without the dot that would stand for symbols; the lines have none.
            .legend(
                legend()
                    .item_width(24)
                    .item_style(ItemStyle::new().opacity(0)),
            ),
    }
}

fn worker(report: &Report, lanes: &Lanes) -> ChartOf {
    let points = &report.series;
    let most = points
        .iter()
        .filter_map(|point| point.worker_rss_bytes)
        .max();
    let most = with_near_limit(most.unwrap_or(0), report, "worker_rss_bytes");
    let chart = frame(report.elapsed_ms, Unit::Bytes, most).series(
        line("worker’s RSS", "var(--worker)")
            .mark_line(stops(lanes, false))
            .data(data(points, |point| point.worker_rss_bytes)),
    );
    ChartOf {
        id: "chart-worker",
        title: "Memory of the worker itself",
        says: format!(
            "RSS {} at most; a gap is a time without a worker",
            units::bytes(report.memory.worker_peak_rss_bytes)
        ),
        unit: Unit::Bytes,
        whole: None,
        option: with_limit(chart, report, "worker_rss_bytes"),
    }
}

fn sessions(report: &Report, lanes: &Lanes) -> ChartOf {
    let points = &report.series;
    let most = points.iter().map(|point| point.sessions).max();
    let chart = frame(report.elapsed_ms, Unit::Count, 0).series(
        line("open sessions", "var(--accent)")
            .step(Step::End)
            .area_style(AreaStyle::new().opacity(0.12))
            .mark_line(stops(lanes, false))
            .data(data(points, |point| Some(point.sessions.into()))),
    );
    ChartOf {
        id: "chart-sessions",
        title: "Sessions in flight",
        says: format!(
            "{} open at most at once",
            Count(most.unwrap_or(0).into(), "session")
        ),
        unit: Unit::Count,
        whole: None,
        option: chart,
    }
}

/// An empty chart over the time of a run, in milliseconds: axes, tip, and a zoom that goes with those of the page's other charts.
///
/// `most` is the highest value; only an axis of bytes asks for it.
pub fn frame(elapsed_ms: u64, unit: Unit, most: u64) -> Chart {
    let text = |size: f64| AxisLabel::new().color("var(--muted)").font_size(size);
    let line = LineStyle::new().color("var(--line)").width(1);
    let value = Axis::new()
        .type_(AxisType::Value)
        .min(0)
        .split_number(4)
        .axis_label(text(11.0))
        .axis_line(AxisLine::new().show(false))
        .axis_tick(AxisTick::new().show(false))
        .split_line(SplitLine::new().line_style(line.clone()));
    Chart::new()
        .animation(false)
        .grid(Grid::new().left(64).right(12).top(12).bottom(24))
        // A time axis, since its ticks fall on whole seconds, minutes and hours; its zero is the start of the run.
        .x_axis(
            Axis::new()
                .type_(AxisType::Time)
                .min(0)
                .max(whole(elapsed_ms))
                .axis_label(text(11.0))
                .axis_line(AxisLine::new().show(false))
                .axis_tick(AxisTick::new().line_style(line))
                .split_line(SplitLine::new().show(false)),
        )
        .y_axis(match unit {
            Unit::Count => value.min_interval(1),
            Unit::Bytes => {
                let step = binary_step(most);
                value
                    .interval(step as f64)
                    .max(whole(most.div_ceil(step).max(1) * step))
            }
        })
        .tooltip(
            Tooltip::new().trigger(Trigger::Axis).axis_pointer(
                AxisPointer::new()
                    .type_(AxisPointerType::Line)
                    .animation(false)
                    .label(Label::new().show(false))
                    .line_style(
                        LineStyle::new()
                            .color("var(--muted)")
                            .width(1)
                            .type_(LineStyleType::Solid),
                    ),
            ),
        )
        // Nothing is filtered away: a line goes on beyond the edge of what is shown.
        .data_zoom(
            DataZoom::new()
                .type_(DataZoomType::Inside)
                .filter_mode(FilterMode::None),
        )
}

/// How far apart the marks of an axis of bytes are: ECharts counts in tens, and gibibytes are not round then.
fn binary_step(most: u64) -> u64 {
    let mut unit = 1;
    while most / unit >= 1_024 {
        unit *= 1_024;
    }
    let wanted = most.div_ceil(unit).div_ceil(5);
    let round = [1, 2, 5, 10, 20, 50, 100, 200];
    let steps = round.into_iter().find(|step| *step >= wanted);
    steps.unwrap_or(256).saturating_mul(unit)
}

/// A line without symbols.
pub fn line(name: &str, colour: &str) -> Line {
    Line::new()
        .name(name)
        .show_symbol(false)
        .symbol(Symbol::None)
        .line_style(LineStyle::new().color(colour).width(2))
        .item_style(ItemStyle::new().color(colour))
        .emphasis(Emphasis::new().disabled(true))
}

/// Where the lines of a chart are told apart.
pub fn legend() -> Legend {
    Legend::new()
        .left(0)
        .top(0)
        .padding((3, 0, 0, 0))
        .item_height(10)
        .item_gap(14)
        .text_style(TextStyle::new().color("var(--ink)").font_size(12))
}

/// A part of a whole: the area above the parts that were added before it.
fn stacked(
    name: &str,
    colour: &str,
    points: &[Point],
    value: impl Fn(&Point) -> Option<u64>,
) -> Line {
    line(name, colour)
        .stack("alive")
        .step(Step::End)
        .line_style(LineStyle::new().color(colour).width(1))
        .area_style(AreaStyle::new().color(colour).opacity(0.85))
        .data(data(points, value))
}

/// The limit of this metric, where it is near enough to what was measured to be of use in a chart.
fn near_limit(report: &Report, metric: &str) -> Option<u64> {
    let mut thresholds = report.thresholds.iter();
    thresholds
        .find(|threshold| threshold.metric == metric)
        .filter(|threshold| threshold.limit / NEAR <= threshold.actual)
        .map(|threshold| threshold.limit)
}

fn with_near_limit(most: u64, report: &Report, metric: &str) -> u64 {
    near_limit(report, metric).map_or(most, |limit| limit.max(most))
}

/// The chart with the limit of this metric as a line across it.
fn with_limit(chart: Chart, report: &Report, metric: &str) -> Chart {
    let Some(limit) = near_limit(report, metric) else {
        return chart;
    };
    let end = |moment: u64| CompositeValue::Array(vec![number(moment), number(limit)]);
    chart.series(
        line(LIMIT, "var(--bad)")
            .line_style(
                LineStyle::new()
                    .color("var(--bad)")
                    .width(1)
                    .type_(LineStyleType::Dotted),
            )
            .data(vec![end(0), end(report.elapsed_ms)]),
    )
}

/// The moments at which the load was over for a worker: a line through every chart, named in the first one.
fn stops(lanes: &Lanes, named: bool) -> MarkLine {
    // It stands above the end of its line and ends there: a stop is near the end of a run, where there is no room beyond it.
    let label = Label::new()
        .show(named)
        .formatter("worker asked to stop")
        .align(LabelAlign::Right)
        .color("var(--muted)")
        .font_size(11);
    let marks = lanes
        .stop_ms
        .into_iter()
        .map(|moment| MarkLineVariant::Simple(MarkLineData::new().x_axis(number(moment))));
    MarkLine::new()
        .silent(true)
        .symbol(vec![Symbol::None, Symbol::None])
        .line_style(
            LineStyle::new()
                .color("var(--muted)")
                .width(1)
                .type_(LineStyleType::Dashed),
        )
        .label(label)
        .data(marks.collect::<Vec<_>>())
}

/// Points as ECharts takes them: moment and value; a moment without a value is a gap.
pub fn data<'a>(points: &'a [Point], value: impl Fn(&Point) -> Option<u64> + 'a) -> Vec<DataPoint> {
    points
        .iter()
        .map(|point| {
            let moment = CompositeValue::from(whole(point.t_ms));
            let value = match value(point) {
                Some(value) => number(value),
                // What ECharts takes for no value.
                None => CompositeValue::from("-"),
            };
            DataPoint::from(CompositeValue::Array(vec![moment, value]))
        })
        .collect()
}

fn number(value: u64) -> CompositeValue {
    CompositeValue::from(whole(value))
}

/// Numbers of ECharts are signed; no time, size or count of a run comes near the difference.
fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marks_of_an_axis_of_bytes_are_round_and_few() {
        const MIB: u64 = 1 << 20;
        for (most, step) in [
            (0, 1),
            (3, 1),
            (9 * MIB + 5, 2 * MIB),
            (44 << 30, 10 << 30),
            (700 * MIB, 200 * MIB),
            (1_023 * MIB, 256 * MIB),
        ] {
            assert_eq!(binary_step(most), step, "{most}");
            assert!(most.div_ceil(step) <= 5, "{most}");
        }
    }
}
