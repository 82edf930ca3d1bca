//! The figures of a run that goes on, as OpenMetrics (<https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>).

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::judge::finding::rule_name;
use crate::report::Report;
use crate::run::Progress;
use crate::scenario::Verdict;

/// What all names begin with.
const PREFIX: &str = "leak_harness";

/// The figures of a run, brought up to date while it goes on. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Figures>);

#[derive(Debug, Default)]
struct Figures(Mutex<Latest>);

#[derive(Debug, Clone, Default)]
struct Latest {
    progress: Option<Progress>,
    /// Of the last checkpoint, or the final one.
    report: Option<Report>,
}

impl Metrics {
    /// Takes in how the run goes.
    pub fn progress(&self, progress: &Progress) {
        self.latest().progress = Some(progress.clone());
    }

    /// Takes in what would be reported.
    pub fn report(&self, report: &Report) {
        self.latest().report = Some(report.clone());
    }

    /// All figures, in the text format of OpenMetrics.
    ///
    /// # Errors
    ///
    /// Never with a string behind it; the format's writer wants it so.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register_collector(Box::new(Arc::clone(&self.0)));
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let latest = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut page = Page(encoder);
        if let Some(progress) = &latest.progress {
            of_progress(&mut page, progress)?;
        }
        if let Some(report) = &latest.report {
            of_report(&mut page, report)?;
        }
        let failed = latest
            .progress
            .is_some_and(|progress| progress.so_far.failed.is_some());
        let verdict = match latest.report.map(|report| report.verdict) {
            _ if failed => Verdict::Fail,
            Some(verdict) => verdict,
            None => Verdict::Inconclusive,
        };
        let verdicts = [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive]
            .map(|each| (each.to_string(), u64::from(each == verdict)));
        page.gauges(
            "verdict",
            "The verdict so far: 1 for the one that holds. A run that goes on and in which nothing was found is inconclusive",
            "verdict",
            verdicts,
        )
    }
}

fn of_progress(page: &mut Page<'_>, progress: &Progress) -> fmt::Result {
    let so_far = &progress.so_far;
    page.gauge(
        "children",
        "Live children of the worker, and what descends from them",
        progress.children,
    )?;
    page.bytes(
        "children_rss",
        "The sum of the RSS of all live children",
        progress.rss_bytes,
    )?;
    page.gauges(
        "leftovers",
        "Live processes past the time of their session or worker, by bin",
        "bin",
        so_far.over.named(),
    )?;
    page.gauges(
        "processes",
        "Processes whose bin is decided, by bin",
        "bin",
        so_far.processes.named(),
    )?;
    page.gauges(
        "findings",
        "What was found so far, by rule; what needs the end of the run, such as the loss of work, comes with it",
        "rule",
        so_far
            .findings
            .iter()
            .map(|(rule, count)| (rule_name(*rule), *count)),
    )?;
    page.gauge(
        "sessions_open",
        "Sessions that opened and have not ended",
        progress.sessions_open,
    )?;
    page.counter(
        "sessions_opened",
        "Sessions that opened",
        progress.sessions_opened,
    )?;
    page.counter(
        "sessions_ended",
        "Sessions that ended",
        progress.sessions_opened - progress.sessions_open,
    )?;
    page.gauge(
        "worker_up",
        "Whether a worker is there and takes requests",
        u32::from(progress.worker_up),
    )?;
    if let Some(bytes) = progress.worker_rss_bytes {
        page.bytes("worker_rss", "The worker's own RSS", bytes)?;
    }
    page.bytes(
        "recording",
        "The size of the recording's events on disk",
        progress.recording_bytes,
    )?;
    if let Some(bytes) = progress.recording_bytes_per_hour {
        page.bytes(
            "recording_hourly_growth",
            "By how much the recording grows in an hour of the run",
            bytes,
        )?;
    }
    page.gauges_of(
        "harness_rss",
        "The harness's own RSS: the inner process drives, watches and records, the outer one shows",
        Some(Unit::Bytes),
        "process",
        [
            ("inner", progress.harness_rss_bytes),
            ("outer", progress.outer_rss_bytes),
        ],
    )?;
    let seconds = progress.elapsed_ms as f64 / 1_000.0;
    page.seconds("elapsed", "How long the run has been going on", seconds)
}

fn of_report(page: &mut Page<'_>, report: &Report) -> fmt::Result {
    page.gauges(
        "work_items",
        "Work items at the last checkpoint, by bin",
        "bin",
        report.work.named(),
    )?;
    let run = Info::new([
        ("scenario", report.scenario.name.clone()),
        ("seed", report.scenario.seed.to_string()),
        ("worker", report.worker.name.clone()),
        ("version", report.worker.version.clone().unwrap_or_default()),
        ("time_scale", report.scenario.time_scale.to_string()),
    ]);
    let encoder = page
        .0
        .encode_descriptor("run", "What is run", None, MetricType::Info)?;
    run.encode(encoder)
}

/// The page that is being written.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: u32) -> fmt::Result {
        let encoder = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(i64::from(value)).encode(encoder)
    }

    fn bytes(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let encoder =
            self.0
                .encode_descriptor(name, help, Some(&Unit::Bytes), MetricType::Gauge)?;
        ConstGauge::new(signed(value)).encode(encoder)
    }

    fn seconds(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let encoder =
            self.0
                .encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
        ConstGauge::new(value).encode(encoder)
    }

    fn counter(&mut self, name: &str, help: &str, value: u32) -> fmt::Result {
        let encoder = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(u64::from(value)).encode(encoder)
    }

    fn gauges<K: AsRef<str>, V: Into<u64>>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (K, V)>,
    ) -> fmt::Result {
        self.gauges_of(name, help, None, label, values)
    }

    fn gauges_of<K: AsRef<str>, V: Into<u64>>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        label: &str,
        values: impl IntoIterator<Item = (K, V)>,
    ) -> fmt::Result {
        let mut encoder = self
            .0
            .encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
        for (key, value) in values {
            let labels = [(label, key.as_ref())];
            let of_one = encoder.encode_family(&labels)?;
            ConstGauge::new(signed(value.into())).encode(of_one)?;
        }
        Ok(())
    }
}

/// Gauges are signed in the format's own types.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::SoFar;
    use crate::scenario::Bin;

    fn progress() -> Progress {
        Progress {
            phase: "load".to_owned(),
            elapsed_ms: 61_500,
            lasts_ms: Some(120_000),
            load_ms: Some(60_000),
            sessions_done: 7,
            sessions: None,
            sessions_opened: 9,
            sessions_open: 2,
            children: 5,
            rss_bytes: 5 << 20,
            leftovers: 3,
            so_far: SoFar {
                findings: [(Bin::Retained, 3)].into(),
                failed: Some("retained: primary".to_owned()),
                over: crate::judge::Over {
                    retained: 3,
                    ..Default::default()
                },
                ..SoFar::default()
            },
            worker_up: true,
            worker_rss_bytes: Some(1 << 20),
            recording_bytes: 1_000,
            recording_bytes_per_hour: Some(60_000),
            harness_rss_bytes: 10 << 20,
            outer_rss_bytes: 5 << 20,
        }
    }

    #[test]
    fn the_page_has_names_help_units_and_its_end() {
        let metrics = Metrics::default();
        metrics.progress(&progress());
        insta::assert_snapshot!(metrics.text().unwrap());
    }

    #[test]
    fn before_anything_is_known_the_page_is_whole_too() {
        let text = Metrics::default().text().unwrap();
        assert!(text.ends_with("# EOF\n"), "{text}");
        assert!(text.contains("leak_harness_verdict{verdict=\"inconclusive\"} 1"));
    }
}
