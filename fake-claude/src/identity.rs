//! Ids and moments as the real program writes them: UUIDs of version 4, and UTC with milliseconds.

use std::cell::Cell;
use std::fmt;

use crate::os;

/// Makes UUIDs that no other fake makes: from pid, start and a counter rather than from a source of randomness.
#[derive(Debug)]
pub struct Uuids {
    seed: u64,
    made: Cell<u64>,
}

/// A UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uuid(u128);

impl Uuids {
    /// A maker for this process.
    pub fn new() -> Self {
        Self {
            seed: mixed(os::monotonic_ns()) ^ mixed(u64::from(std::process::id()) << 32),
            made: Cell::new(0),
        }
    }

    /// The next one.
    pub fn make(&self) -> Uuid {
        self.made.set(self.made.get() + 1);
        let high = mixed(self.seed.wrapping_add(self.made.get()));
        let low = mixed(high ^ self.seed.rotate_left(32));
        let bits = u128::from(high) << 64 | u128::from(low);
        // Version 4, variant 1.
        Uuid(bits & !(0xf << 76 | 0b11 << 62) | 0x4 << 76 | 0b10 << 62)
    }
}

impl Default for Uuids {
    fn default() -> Self {
        Self::new()
    }
}

/// Spreads the bits of a number (the finaliser of SplitMix64); different numbers stay different.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            bits >> 96,
            bits >> 80 & 0xffff,
            bits >> 64 & 0xffff,
            bits >> 48 & 0xffff,
            bits & 0xffff_ffff_ffff
        )
    }
}

impl serde::Serialize for Uuid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether a text has the form of a UUID, of any version.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A moment of the wall clock, written as `2026-11-22T05:18:16.337Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    unix_ms: u64,
}

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        Self {
            unix_ms: os::wall_clock_ms(),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms) = (self.unix_ms / 86_400_000, self.unix_ms % 86_400_000);
        // Days into years that begin in March, so that the leap day comes last; in eras of 400 years, which are all alike.
        let days = days + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = (march_month + 2) % 12 + 1;
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
        let ms = ms % 1_000;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z"
        )
    }
}

impl serde::Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_uuid_is_new_and_of_version_4() {
        let uuids = Uuids::new();
        let mut seen = HashSet::new();
        for _ in 0..10_000 {
            let text = uuids.make().to_string();
            assert!(is_uuid(&text), "{text}");
            assert_eq!(&text[14..15], "4", "{text}");
            assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "{text}");
            assert!(seen.insert(text));
        }
    }

    #[test]
    fn what_is_no_uuid_is_told_apart() {
        assert!(is_uuid("11111111-2222-4333-8444-555555555555"));
        for text in [
            "",
            "default",
            "11111111-2222-4333-8444-55555555555é",
            "11111111222243338444555555555555",
        ] {
            assert!(!is_uuid(text), "{text}");
        }
    }

    #[test]
    fn moments_are_written_in_utc() {
        for (unix_ms, written) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_324_696_337, "2026-11-22T05:18:16.337Z"),
        ] {
            assert_eq!(Moment { unix_ms }.to_string(), written);
        }
    }
}
