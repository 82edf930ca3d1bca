//! What a leak comes to if it goes on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::memory::Memory;
use crate::units;

/// How long a load must last in its own time, in seconds, for its measured rate to mean anything.
const LEAST_SECONDS: f64 = 60.0;

/// What a leak comes to if it goes on, at the load's own rate: a compressed run is stretched back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Forecast {
    /// Leaked processes for each session that ended.
    pub leaked_per_session: f64,
    /// Leaked processes per hour of the load's own time; 0 where nothing leaks or the load was too short to have a rate.
    pub per_hour: f64,
    /// Seconds until the leaked RSS equals the machine's physical memory, from nothing; none where nothing leaks.
    pub exhausts_in_s: Option<u64>,
    /// The same by PSS, where leaked processes were examined: what really happens when RSS counts shared pages again and again.
    #[serde(default)]
    pub exhausts_in_s_by_pss: Option<u64>,
    /// The same in words.
    #[serde(default)]
    pub words: String,
}

/// The forecast for so many leaked processes.
pub(super) fn forecast(facts: &Facts, memory: &Memory) -> Forecast {
    let leaked = memory.leaked;
    let sessions = if facts.ended > 0 {
        facts.ended
    } else {
        facts.opened
    };
    if leaked == 0 || sessions == 0 {
        return Forecast::default();
    }
    let leaked_per_session = f64::from(leaked) / f64::from(sessions);
    let Some(sessions_per_hour) = sessions_per_hour(facts) else {
        return Forecast {
            leaked_per_session,
            words: format!(
                "{leaked_per_session:.2} processes leak per session; the load was too short to have a rate"
            ),
            ..Forecast::default()
        };
    };
    let per_hour = leaked_per_session * sessions_per_hour;
    let total = facts.run.as_ref().map_or(0, |run| run.memory_bytes);
    let exhausts = |bytes: u64, processes: u32| {
        let each = bytes as f64 / f64::from(processes.max(1));
        let seconds = total as f64 / (each * per_hour) * 3_600.0;
        (bytes > 0 && total > 0 && seconds.is_finite() && seconds < 1e15)
            .then_some(seconds.round() as u64)
    };
    let by_rss = exhausts(memory.leaked_rss, leaked);
    let by_pss = memory
        .leaked_pss
        .and_then(|pss| exhausts(pss, memory.leaked_with_pss));
    let mut words = format!(
        "{leaked_per_session:.2} processes leak per session, {per_hour:.1} per hour at {sessions_per_hour:.1} sessions per hour"
    );
    let span = |seconds: u64| {
        units::span(fake_claude::quantity::Span::from_millis(
            seconds.saturating_mul(1_000).min(9_000_000_000_000),
        ))
    };
    if let Some(seconds) = by_rss {
        words += &format!(
            "; by RSS that fills {} in {}",
            units::bytes(total),
            span(seconds)
        );
    }
    if let Some(seconds) = by_pss {
        words += &format!("; by PSS in {}", span(seconds));
    }
    Forecast {
        leaked_per_session,
        per_hour,
        exhausts_in_s: by_rss,
        exhausts_in_s_by_pss: by_pss,
        words,
    }
}

/// Sessions per hour in the load's own time: as the scenario says, or as measured and stretched back.
fn sessions_per_hour(facts: &Facts) -> Option<f64> {
    if let Some(arrival) = facts.expectations.arrival {
        return Some(arrival.per_second() * 3_600.0);
    }
    let run = facts.run.as_ref()?;
    let first = facts.sessions.first_opened?;
    let last = facts.load_finished.unwrap_or(facts.horizon);
    let elapsed = last.since(first).as_secs_f64() * run.compress * run.time_scale;
    (elapsed >= LEAST_SECONDS && elapsed.is_finite())
        .then(|| f64::from(facts.opened) / elapsed * 3_600.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Expectations;
    use crate::timeline::event::RunFacts;
    use crate::units::RunTime;
    use fake_claude::quantity::Span;

    fn facts(arrival: Option<&str>, compress: f64) -> Facts {
        let expectations = Expectations {
            arrival: arrival.map(|rate| rate.parse().unwrap()),
            ..Expectations::default()
        };
        let mut facts = Facts::new(expectations);
        facts.run = Some(RunFacts {
            isolation: Default::default(),
            witnesses: Vec::new(),
            sessions_planned: 121,
            lasts: None,
            tick: Span::from_millis(100),
            memory_bytes: 64_000_000_000,
            ballast: true,
            time_scale: 1.0,
            compress,
        });
        for number in 0..121 {
            facts
                .sessions
                .open(&format!("s{number}"), RunTime::from_millis(0));
        }
        facts.opened = 121;
        facts.ended = 121;
        facts.load_finished = Some(RunTime::from_millis(18_150));
        facts
    }

    fn leaked() -> Memory {
        let mut memory = Memory::default();
        for _ in 0..121 {
            memory.leaked(372_000_000, Some(1_000_000));
        }
        memory
    }

    #[test]
    fn the_reports_own_figures_fill_its_machine_in_nine_hours_not_three() {
        let found = forecast(&facts(Some("20/h"), 1_200.0), &leaked());
        assert!((found.per_hour - 20.0).abs() < 1e-9);
        let hours = found.exhausts_in_s.unwrap() as f64 / 3_600.0;
        assert!((8.5..8.7).contains(&hours), "{hours}");
        assert_eq!(
            found.words,
            "1.00 processes leak per session, 20.0 per hour at 20.0 sessions per hour; by RSS that fills 60 GiB in 8 h 36 min; by PSS in 133 d 8 h"
        );
    }

    #[test]
    fn a_measured_rate_is_stretched_back_by_the_compression() {
        let found = forecast(&facts(None, 1_200.0), &leaked());
        assert!((found.per_hour - 20.0).abs() < 0.01);
    }

    #[test]
    fn a_load_that_is_over_at_once_has_no_rate() {
        let found = forecast(&facts(None, 1.0), &leaked());
        assert_eq!((found.per_hour, found.exhausts_in_s), (0.0, None));
        assert_eq!(
            found.words,
            "1.00 processes leak per session; the load was too short to have a rate"
        );
    }

    #[test]
    fn without_a_leak_there_is_no_forecast() {
        let found = forecast(&facts(None, 1.0), &Memory::default());
        assert_eq!(found, Forecast::default());
    }
}
