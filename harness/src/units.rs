//! Time since the start of the run, and how times, sizes and counts are written for people.

use std::fmt;
use std::ops::{Add, Sub};

use fake_claude::quantity::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an amount that was measured again and again went over a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// The first one.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// The highest one.
    pub max: u64,
}

impl Drift {
    /// What is known once this amount was measured too.
    pub fn with(known: Option<Self>, amount: u64) -> Self {
        Self {
            first: known.map_or(amount, |known| known.first),
            last: amount,
            max: known.map_or(amount, |known| known.max.max(amount)),
        }
    }
}

/// A moment of the run: nanoseconds since its start on the monotonic clock.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct RunTime(pub u64);

impl RunTime {
    /// The start of the run.
    pub const START: Self = Self(0);
    /// Later than every moment of a run.
    pub const NEVER: Self = Self(u64::MAX);

    /// A moment this many milliseconds after the start.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// Milliseconds since the start, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// How long after `earlier` this is; nothing when it is not after it.
    pub const fn since(self, earlier: Self) -> Span {
        Span::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for RunTime {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.as_nanos()))
    }
}

impl Sub<Span> for RunTime {
    type Output = Self;

    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.as_nanos()))
    }
}

/// Bytes as people read them: `43.9 GiB`, `372 MiB`, `12 KiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
    ];
    match UNITS.iter().find(|(_, size)| count >= *size) {
        Some((unit, size)) => {
            let value = count as f64 / *size as f64;
            if value < 10.0 {
                format!("{value:.1} {unit}")
            } else {
                format!("{value:.0} {unit}")
            }
        }
        None => format!("{count} B"),
    }
}

/// A span as people read it, with two units at the most: `6 h 21 min`, `12.3 s`, `250 ms`.
pub fn span(span: Span) -> String {
    let millis = span.as_millis();
    let seconds = millis / 1_000;
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{:.1} s", span.as_secs_f64()),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// The elapsed time as `ps -o etime` writes it: `[[dd-]hh:]mm:ss`.
pub fn elapsed(span: Span) -> String {
    let seconds = span.as_millis() / 1_000;
    let (days, hours, minutes, seconds) = (
        seconds / 86_400,
        seconds % 86_400 / 3_600,
        seconds % 3_600 / 60,
        seconds % 60,
    );
    match (days, hours) {
        (0, 0) => format!("{minutes:02}:{seconds:02}"),
        (0, _) => format!("{hours:02}:{minutes:02}:{seconds:02}"),
        _ => format!("{days}-{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// A count with its noun: `1 session`, `121 sessions`. Irregular plurals are listed here and nowhere else.
pub struct Count(pub u64, pub &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, noun) = self;
        match (*count, *noun) {
            (1, noun) => write!(f, "1 {noun}"),
            (_, "process") => write!(f, "{count} processes"),
            (_, "child") => write!(f, "{count} children"),
            (_, noun) => write!(f, "{count} {noun}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_spans_and_counts_read_well() {
        assert_eq!(bytes(121 * (372 << 20)), "44 GiB");
        assert_eq!(bytes(900), "900 B");
        assert_eq!(span(Span::from_millis(12_340)), "12.3 s");
        assert_eq!(span(Span::from_secs(22_876)), "6 h 21 min");
        assert_eq!(elapsed(Span::from_secs(22_876)), "06:21:16");
        assert_eq!(elapsed(Span::from_secs(61)), "01:01");
        assert_eq!(Count(1, "process").to_string(), "1 process");
        assert_eq!(Count(121, "process").to_string(), "121 processes");
    }
}
