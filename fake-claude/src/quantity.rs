//! Durations, sizes and rates with units, as people write them: `"250ms"`, `"372MiB"`, `"20/h"`.
//!
//! A number without its unit is refused: in this field the same bare number has been read as seconds by one program and as
//! milliseconds by the next.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time, held in nanoseconds and written with its unit (`ns`, `us`, `ms`, `s`, `m`, `h`).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

/// A number of bytes, written with its unit: `B`, decimal (`kB`, `MB`, `GB`) or binary (`KiB`, `MiB`, `GiB`).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// How often something arrives, written as `count/unit`: `"20/h"`, `"2/s"`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate {
    per_second: f64,
}

/// Why a text is no quantity; the message names the text and what would have been understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantityError {
    text: String,
    wanted: &'static str,
}

impl fmt::Display for QuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not {}", self.text.escape_debug(), self.wanted)
    }
}

impl std::error::Error for QuantityError {}

const SPAN_WANTED: &str = "a duration with a unit, such as \"250ms\", \"3s\" or \"6h\"";
const SIZE_WANTED: &str = "a size with a unit, such as \"372MiB\" (2^20) or \"372MB\" (10^6)";
const RATE_WANTED: &str = "a rate with a unit, such as \"20/h\" or \"2/s\"";

const SPAN_UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];
const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Splits `"1.5h"` into its number and what follows it.
fn split(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    Some((number, unit.trim_start()))
}

fn scaled(text: &str, units: &[(&str, u64)], wanted: &'static str) -> Result<u64, QuantityError> {
    let refuse = || QuantityError {
        text: text.to_owned(),
        wanted,
    };
    let (number, unit) = split(text.trim()).ok_or_else(refuse)?;
    let (_, factor) = units
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(refuse)?;
    let value = number * *factor as f64;
    // 2^63 rather than 2^64: sums of two quantities must not overflow.
    if value.is_finite() && value < 9.2e18 {
        Ok(value.round() as u64)
    } else {
        Err(refuse())
    }
}

fn exact(value: u64, units: &[(&str, u64)]) -> String {
    let (name, factor) = units
        .iter()
        .find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor))
        .unwrap_or(units.last().expect("units are listed"));
    format!("{}{name}", value / factor)
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// A span of whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000_000_000)
    }

    /// A span of nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The span in nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The span in milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The span in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Whether the span is empty.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The span divided by a factor above zero, as a time scale does.
    pub fn divided(self, factor: f64) -> Self {
        Self((self.0 as f64 / factor).round() as u64)
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        Self::from_nanos(span.0)
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Size {
    /// A size in bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The size in bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

impl Rate {
    /// How many per second.
    pub const fn per_second(self) -> f64 {
        self.per_second
    }

    /// The mean time between two arrivals.
    pub fn interval(self) -> Span {
        Span((1e9 / self.per_second).round() as u64)
    }
}

impl FromStr for Span {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        if text.trim() == "0" {
            return Ok(Self::ZERO);
        }
        scaled(text, &SPAN_UNITS, SPAN_WANTED).map(Self)
    }
}

impl FromStr for Size {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        scaled(text, &SIZE_UNITS, SIZE_WANTED).map(Self)
    }
}

impl FromStr for Rate {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let refuse = || QuantityError {
            text: text.to_owned(),
            wanted: RATE_WANTED,
        };
        let (count, unit) = text.split_once('/').ok_or_else(refuse)?;
        let count: f64 = count.trim().parse().map_err(|_| refuse())?;
        let (_, nanos) = SPAN_UNITS
            .iter()
            .find(|(name, _)| *name == unit.trim())
            .ok_or_else(refuse)?;
        if count.is_finite() && count > 0.0 {
            Ok(Self {
                per_second: count * 1e9 / *nanos as f64,
            })
        } else {
            Err(refuse())
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            f.write_str("0s")
        } else {
            f.write_str(&exact(self.0, &SPAN_UNITS))
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            f.write_str("0B")
        } else {
            f.write_str(&exact(self.0, &SIZE_UNITS))
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, nanos) in [("s", 1e9), ("m", 60e9), ("h", 3_600e9)] {
            let count = self.per_second * nanos / 1e9;
            let near = count.round();
            if near >= 1.0 && (count - near).abs() < 1e-9 {
                return write!(f, "{near}/{unit}");
            }
        }
        write!(f, "{}/h", self.per_second * 3_600.0)
    }
}

macro_rules! as_text {
    ($type:ident, $pattern:literal, $description:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $description })
            }
        }
    };
}

as_text!(
    Span,
    r"^(0|[0-9.]+ *(ns|us|ms|s|m|h))$",
    "A duration with its unit: 250ms, 3s, 6h."
);
as_text!(
    Size,
    r"^[0-9.]+ *([kMGT]B|[KMGT]iB|B)$",
    "A size with its unit: 372MiB is 2^20, 372MB is 10^6."
);
as_text!(
    Rate,
    r"^[0-9.]+ */ *(ns|us|ms|s|m|h)$",
    "A rate with its unit: 20/h."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written_with_their_unit() {
        for (text, nanos, printed) in [
            ("250ms", 250_000_000, "250ms"),
            ("1.5h", 5_400_000_000_000, "90m"),
            ("0", 0, "0s"),
            ("1000 ms", 1_000_000_000, "1s"),
        ] {
            let span: Span = text.parse().expect(text);
            assert_eq!(span.as_nanos(), nanos, "{text}");
            assert_eq!(span.to_string(), printed, "{text}");
        }
    }

    #[test]
    fn sizes_tell_binary_from_decimal() {
        assert_eq!("372MiB".parse::<Size>().unwrap().as_bytes(), 372 << 20);
        assert_eq!("372MB".parse::<Size>().unwrap().as_bytes(), 372_000_000);
        assert_eq!(Size::from_bytes(372 << 20).to_string(), "372MiB");
    }

    #[test]
    fn rates_are_per_unit_of_time() {
        let rate: Rate = "20/h".parse().unwrap();
        assert_eq!(rate.interval(), Span::from_secs(180));
        assert_eq!(rate.to_string(), "20/h");
    }

    #[test]
    fn a_number_without_its_unit_is_refused() {
        assert!("250".parse::<Span>().is_err());
        assert!("372".parse::<Size>().is_err());
        assert!("20".parse::<Rate>().is_err());
        assert!("-1s".parse::<Span>().is_err());
        assert!("0/h".parse::<Rate>().is_err());
        assert!("99999999999999h".parse::<Span>().is_err());
    }

    #[test]
    fn the_error_says_what_would_have_been_understood() {
        let error = "12 parsecs".parse::<Span>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`12 parsecs` is not a duration with a unit, such as \"250ms\", \"3s\" or \"6h\""
        );
    }
}
