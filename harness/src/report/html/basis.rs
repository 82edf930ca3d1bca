//! What a verdict rests on: thresholds, growth, times, the place of the run and who watched.

use fake_claude::quantity::Span;

use crate::judge::{GrowthFigure, TimeToReap, witness_name};
use crate::report::sentences::measured;
use crate::report::{Report, sentences};
use crate::units;

/// A threshold.
pub(super) struct Limit<'a> {
    /// What was measured.
    pub metric: &'a str,
    /// The most that is allowed.
    pub limit: String,
    /// What it was.
    pub actual: String,
    /// Whether that is allowed.
    pub ok: bool,
}

/// A figure that is watched for growth.
pub(super) struct Growth<'a> {
    /// Its name.
    pub figure: &'a str,
    /// What is said of it.
    pub says: &'static str,
    /// Whether it grows.
    pub grows: bool,
    /// Its rise over the load.
    pub rise: String,
    /// Its slope per hour with its bounds.
    pub slope: String,
    /// The smallest rise that would be seen.
    pub detectable: String,
}

/// Figures that were not judged, for one reason.
pub(super) struct Unjudged<'a> {
    /// Their names.
    pub figures: Vec<&'a str>,
    /// Why.
    pub reason: &'a str,
}

/// Times by their percentiles.
pub(super) struct Times {
    /// Of what.
    pub what: &'static str,
    /// Median, 95 %, 99 %, longest, each with its name.
    pub spans: [(&'static str, String); 4],
    /// How many there were.
    pub count: u64,
}

/// A witness.
pub(super) struct Watcher<'a> {
    /// Which.
    pub name: &'static str,
    /// Whether it watched to the end.
    pub ok: bool,
    /// What became of it.
    pub state: &'static str,
    /// Why, or what cannot be told without it.
    pub why: &'a str,
}

/// A name and what there is to say about it.
pub(super) struct Fact {
    /// The name.
    pub name: &'static str,
    /// What there is to say.
    pub text: String,
}

/// The thresholds.
pub(super) fn limits(report: &Report) -> Vec<Limit<'_>> {
    let thresholds = report.thresholds.iter();
    thresholds
        .map(|threshold| Limit {
            metric: &threshold.metric,
            limit: measured(&threshold.metric, threshold.limit),
            actual: measured(&threshold.metric, threshold.actual),
            ok: threshold.ok,
        })
        .collect()
}

/// The figures that were judged for growth.
pub(super) fn growth(report: &Report) -> Vec<Growth<'_>> {
    let figures = report.growth.iter();
    figures.filter(|figure| figure.judged).map(grown).collect()
}

/// The figures that were not, by the reason why not.
pub(super) fn unjudged(report: &Report) -> Vec<Unjudged<'_>> {
    let mut groups: Vec<Unjudged<'_>> = Vec::new();
    for figure in report.growth.iter().filter(|figure| !figure.judged) {
        let reason = figure.reason.as_deref().unwrap_or("no reason is known");
        match groups.iter_mut().find(|group| group.reason == reason) {
            Some(group) => group.figures.push(&figure.figure),
            None => groups.push(Unjudged {
                figures: vec![&figure.figure],
                reason,
            }),
        }
    }
    groups
}

fn grown(figure: &GrowthFigure) -> Growth<'_> {
    let amount = |value: f64| signed(&figure.figure, value);
    Growth {
        figure: &figure.figure,
        says: if figure.grows { "grows" } else { "steady" },
        grows: figure.grows,
        rise: amount(figure.rise),
        slope: format!(
            "{} ({} to {})",
            amount(figure.slope_per_hour),
            amount(figure.slope_per_hour_low),
            amount(figure.slope_per_hour_high)
        ),
        detectable: figure
            .detectable
            .map_or_else(|| "–".to_owned(), |least| signed(&figure.figure, least)),
    }
}

/// A change of a figure with its sign: memory in bytes, all others as counts.
fn signed(figure: &str, value: f64) -> String {
    let sign = match value {
        v if v > 0.0 => "+",
        v if v < 0.0 => "−",
        _ => "",
    };
    let size = value.abs();
    if figure.ends_with("RSS") {
        format!("{sign}{}", units::bytes(size.round() as u64))
    } else {
        format!("{sign}{size:.1}")
    }
}

/// How long processes took to go, and the worker to answer.
pub(super) fn times(report: &Report) -> Vec<Times> {
    let of = |what, times: &TimeToReap| {
        let spans = [
            ("Median", times.p50),
            ("95 %", times.p95),
            ("99 %", times.p99),
            ("Longest", times.max),
        ]
        .map(|(name, millis)| (name, units::span(Span::from_millis(millis))));
        (times.count > 0).then_some(Times {
            what,
            spans,
            count: times.count,
        })
    };
    [
        of(
            "Time to reap: from a session’s end until its process is gone",
            &report.time_to_reap_ms,
        ),
        of("Answer to end requests", &report.end_answer_ms),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Who watched.
pub(super) fn watchers(report: &Report) -> Vec<Watcher<'_>> {
    let lines = report.witnesses.iter();
    lines
        .map(|line| {
            let (ok, state, why) = match (&line.failed, &line.off) {
                (Some(reason), _) => (false, "failed", reason.as_str()),
                (None, Some(untold)) => (false, "off", untold.as_str()),
                (None, None) => (true, "watched", ""),
            };
            Watcher {
                name: witness_name(line.witness),
                ok,
                state,
                why,
            }
        })
        .collect()
}

/// Where the run took place, and what watching cost.
pub(super) fn place(report: &Report) -> Vec<Fact> {
    let span = |millis| units::span(Span::from_millis(millis));
    let mut facts = vec![Fact {
        name: "Isolation",
        text: match report.isolation {
            None => "unknown: the recording does not say".to_owned(),
            Some(place) => {
                let own: Vec<&str> = [
                    (place.pid_namespace, "process"),
                    (place.mount_namespace, "mount"),
                    (place.network_namespace, "network"),
                    (place.user_namespace, "user"),
                ]
                .into_iter()
                .filter_map(|(own, name)| own.then_some(name))
                .collect();
                if own.is_empty() {
                    "no namespaces of its own: a sweep for parent pid 1 finds nothing here"
                        .to_owned()
                } else {
                    format!("own namespaces: {}", own.join(", "))
                }
            }
        },
    }];
    if report.machine_memory_bytes > 0 {
        facts.push(Fact {
            name: "Machine",
            text: format!("{} of memory", units::bytes(report.machine_memory_bytes)),
        });
    }
    let overhead = &report.overhead;
    let mut text = format!(
        "{} samples of the process table, {} late, {} lost",
        overhead.ticks, overhead.late_ticks, overhead.lost_ticks
    );
    if let Some(cpu) = overhead.cpu_ms {
        text += &format!(
            "; the harness used {} of CPU in {}",
            span(cpu),
            span(report.elapsed_ms)
        );
    }
    if let Some(rss) = overhead.rss_bytes {
        text += &format!("; its own RSS {}", sentences::drift(rss));
    }
    facts.push(Fact {
        name: "What watching cost",
        text,
    });
    if let Some(recording) = &report.recording {
        let mut text = units::bytes(recording.bytes);
        if let Some(growth) = recording.bytes_per_hour {
            let hour = sentences::per_hour(report);
            text += &format!(", {} {hour}", units::bytes(growth));
        }
        facts.push(Fact {
            name: "The recording",
            text,
        });
    }
    facts
}
