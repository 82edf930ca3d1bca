//! How long processes take to go after their session's end.

use std::collections::BTreeMap;

use fake_claude::quantity::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Percentiles of the time from a session's end, or a process's own first sighting where that is later, to its exit, for each process
/// that outlived that end; in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimeToReap {
    /// The median.
    pub p50: u64,
    /// The 95th percentile.
    pub p95: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The longest.
    pub max: u64,
    /// How many processes went at all. Those that never did are leaks, and not in here.
    pub count: u64,
}

/// Times as they come in. Rounded to three digits, so that their number is bounded whatever the run's length.
#[derive(Debug, Clone, Default)]
pub(super) struct ReapTimes {
    counts: BTreeMap<u64, u64>,
    max: u64,
}

impl ReapTimes {
    pub fn add(&mut self, time: Span) {
        let millis = time.as_millis();
        *self.counts.entry(three_digits(millis)).or_default() += 1;
        self.max = self.max.max(millis);
    }

    pub fn finish(&self) -> TimeToReap {
        let count = self.counts.values().sum();
        TimeToReap {
            p50: self.percentile(count, 50),
            p95: self.percentile(count, 95),
            p99: self.percentile(count, 99),
            max: self.max,
            count,
        }
    }

    /// The least time that at least this share of all do not exceed.
    fn percentile(&self, count: u64, percent: u64) -> u64 {
        let rank = (count * percent).div_ceil(100);
        let mut seen = 0;
        for (millis, times) in &self.counts {
            seen += times;
            if seen >= rank.max(1) {
                return (*millis).min(self.max);
            }
        }
        0
    }
}

/// A number rounded up to three digits: a limit must not be met by rounding.
const fn three_digits(number: u64) -> u64 {
    let mut unit = 1;
    while number / unit >= 1_000 {
        unit *= 10;
    }
    number.div_ceil(unit) * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_below_a_second() {
        let mut times = ReapTimes::default();
        for millis in 1..=100 {
            times.add(Span::from_millis(millis));
        }
        let found = times.finish();
        assert_eq!(
            (found.p50, found.p95, found.p99, found.max, found.count),
            (50, 95, 99, 100, 100)
        );
        assert_eq!(ReapTimes::default().finish(), TimeToReap::default());
    }

    #[test]
    fn long_times_are_rounded_up_but_the_longest_is_not() {
        let mut times = ReapTimes::default();
        times.add(Span::from_millis(1_234_567));
        assert_eq!(times.finish().max, 1_234_567);
        assert_eq!(times.finish().p95, 1_234_567);
        assert_eq!(three_digits(1_234), 1_240);
        for millis in 0..1_000_000 {
            times.add(Span::from_millis(millis));
        }
        assert!(times.counts.len() < 4_000);
    }
}
