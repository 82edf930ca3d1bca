//! Limit: a threshold of the scenario was crossed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::finding::Found;
use crate::scenario::{Bin, Limits};

/// A threshold, and what was measured against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Threshold {
    /// What was measured, with its unit in the name.
    pub metric: String,
    /// The most that is allowed.
    pub limit: u64,
    /// What it was.
    pub actual: u64,
    /// Whether that is allowed.
    pub ok: bool,
}

/// What thresholds are held against.
#[derive(Debug, Clone, Copy)]
pub(in crate::judge) struct Measured {
    pub peak_children: u32,
    pub peak_rss: u64,
    pub worker_rss: u64,
    pub time_to_reap_p95_ms: u64,
    pub spawned: u32,
}

/// The thresholds of a scenario with what was measured, and a finding for each one that was crossed.
pub(in crate::judge) fn limits(
    limits: &Limits,
    measured: Measured,
) -> (Vec<Threshold>, Vec<Found>) {
    let wanted = [
        (
            "peak_children",
            "peak_children",
            limits.peak_children.map(u64::from),
            u64::from(measured.peak_children),
        ),
        (
            "peak_rss",
            "peak_rss_bytes",
            limits.peak_rss.map(|size| size.as_bytes()),
            measured.peak_rss,
        ),
        (
            "worker_rss",
            "worker_rss_bytes",
            limits.worker_rss.map(|size| size.as_bytes()),
            measured.worker_rss,
        ),
        (
            "time_to_reap_p95",
            "time_to_reap_p95_ms",
            limits.time_to_reap_p95.map(|span| span.as_millis()),
            measured.time_to_reap_p95_ms,
        ),
        (
            "spawned",
            "spawned",
            limits.spawned.map(u64::from),
            u64::from(measured.spawned),
        ),
    ];
    let (mut thresholds, mut found) = (Vec::new(), Vec::new());
    for (key, metric, limit, actual) in wanted {
        let Some(limit) = limit else {
            continue;
        };
        let ok = actual <= limit;
        thresholds.push(Threshold {
            metric: metric.to_owned(),
            limit,
            actual,
            ok,
        });
        if !ok {
            found.push(Found {
                rule: Bin::Limit,
                subject: key.to_owned(),
                shape: format!("{metric} is above its limit"),
                cause: "above its limit".to_owned(),
                blames: true,
                session: None,
                process: None,
                expected: format!("{metric} at most {limit}"),
                seen: format!("{metric} {actual}"),
                by: None,
                events: Vec::new(),
            });
        }
    }
    (thresholds, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::check::check_with;

    const RUN: &str = "
        0s run; 0s worker 5; 1s open s1; 1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1
        1s..3s tick 4; 2s end s1 complete; 2.5s bye 10 eof; 2.5s exited 10; 2.5s gone 10
        3s load; 3s drained quiet; 3s grace; 4s over";

    #[test]
    fn each_threshold_that_is_crossed_is_a_finding() {
        let crossed = |expect: &mut crate::judge::Expectations| {
            expect.limits.peak_children = Some(3);
            expect.limits.time_to_reap_p95 = Some(fake_claude::quantity::Span::from_millis(499));
        };
        check_with(RUN, crossed, "fail limit=2");
    }

    #[test]
    fn a_threshold_that_is_just_met_is_kept() {
        let met = |expect: &mut crate::judge::Expectations| {
            expect.limits.peak_children = Some(4);
            expect.limits.time_to_reap_p95 = Some(fake_claude::quantity::Span::from_millis(500));
            expect.limits.spawned = Some(1);
        };
        check_with(RUN, met, "pass");
    }

    #[test]
    fn a_peak_between_lost_samples_is_not_known() {
        let met = |expect: &mut crate::judge::Expectations| expect.limits.peak_children = Some(4);
        check_with(&format!("{RUN}; 2.05s missed"), met, "inconclusive");
    }

    #[test]
    fn thresholds_are_listed_with_what_was_measured() {
        let wanted = Limits {
            spawned: Some(2),
            ..Limits::default()
        };
        let measured = Measured {
            peak_children: 0,
            peak_rss: 0,
            worker_rss: 0,
            time_to_reap_p95_ms: 0,
            spawned: 3,
        };
        let (thresholds, found) = limits(&wanted, measured);
        assert_eq!(
            (thresholds[0].actual, thresholds[0].ok, found.len()),
            (3, false, 1)
        );
        assert_eq!(
            (found[0].subject.as_str(), found[0].cause.as_str()),
            ("spawned", "above its limit")
        );
    }
}
