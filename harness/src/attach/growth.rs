//! What became more while it was watched, and what that comes to.

use fake_claude::quantity::Span;
use serde::{Deserialize, Serialize};

use crate::units;

/// How long a daemon must be watched, in milliseconds, before a rate means anything: three minutes.
pub const LEAST_MS: u64 = 180_000;
/// How many looks a rate must rest on.
const LEAST_LOOKS: usize = 9;
/// How many processes more are growth.
const LEAST_PROCESSES: u64 = 2;
/// How many bytes more are growth, and how large a share of what there was.
const LEAST_BYTES: u64 = 16 << 20;
const LEAST_SHARE: u64 = 50;
/// How many processes of one kind must be alive before their ages mean anything.
const LEAST_AGES: usize = 10;

/// A figure at the first look and at the last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When it was attached.
    pub before: u64,
    /// At the end.
    pub after: u64,
}

impl Change {
    /// How much more, or less, it is at the end.
    pub fn difference(&self) -> i64 {
        i64::try_from(i128::from(self.after) - i128::from(self.before)).unwrap_or(i64::MAX)
    }
}

/// One look, in figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Milliseconds since it was attached.
    pub t_ms: u64,
    /// Living processes that belong to the daemon, itself left out.
    pub processes: u64,
    /// Their resident memory in bytes.
    pub rss_bytes: u64,
    /// The daemon's own resident memory in bytes.
    pub daemon_rss_bytes: u64,
}

/// What can be said of growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trend {
    /// Watched for less than three minutes, or at fewer than nine looks: no rate is given.
    TooShort,
    /// No growth that stands out.
    Steady,
    /// The middle third of the time lies above the first, the last above the middle, and the difference is not small.
    Growing,
}

/// Growth since it was attached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// What can be said.
    pub trend: Trend,
    /// Processes that came since the first look.
    pub came: u64,
    /// Processes that ended since the first look.
    pub ended: u64,
    /// Living processes, the daemon left out.
    pub processes: Change,
    /// Resident memory of all, the daemon included, in bytes.
    pub rss_bytes: Change,
    /// Proportional memory of all, the daemon included, in bytes; none where it could not be read of every process.
    pub pss_bytes: Option<Change>,
    /// Processes more in an hour, at the pace at which it was watched; none where it is too short to say.
    pub processes_per_hour: Option<f64>,
    /// Bytes of RSS more in an hour; none where it is too short to say.
    pub rss_bytes_per_hour: Option<f64>,
    /// Bytes of PSS more in an hour; none where it is too short to say, or where PSS is not known.
    pub pss_bytes_per_hour: Option<f64>,
}

/// What growth is judged on.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// The looks, in order.
    pub points: &'a [Point],
    /// Processes that came.
    pub came: u64,
    /// Processes that ended.
    pub ended: u64,
    /// Proportional memory of all, where it is known of all.
    pub pss_bytes: Option<Change>,
}

/// Judges growth.
pub fn growth(observed: Observed<'_>) -> Growth {
    let Observed {
        points,
        came,
        ended,
        pss_bytes,
    } = observed;
    let first = points.first().copied().unwrap_or_default();
    let last = points.last().copied().unwrap_or_default();
    let memory = |point: &Point| point.rss_bytes + point.daemon_rss_bytes;
    let elapsed = last.t_ms.saturating_sub(first.t_ms);
    let mut growth = Growth {
        trend: Trend::TooShort,
        came,
        ended,
        processes: Change {
            before: first.processes,
            after: last.processes,
        },
        rss_bytes: Change {
            before: memory(&first),
            after: memory(&last),
        },
        pss_bytes,
        processes_per_hour: None,
        rss_bytes_per_hour: None,
        pss_bytes_per_hour: None,
    };
    if elapsed < LEAST_MS || points.len() < LEAST_LOOKS {
        return growth;
    }
    let processes = Thirds::of(points, |point| point.processes);
    let bytes = Thirds::of(points, memory);
    let enough_bytes = LEAST_BYTES.max(bytes.first / LEAST_SHARE);
    let grows = processes.rise() >= LEAST_PROCESSES || bytes.rise() >= enough_bytes;
    growth.trend = if grows { Trend::Growing } else { Trend::Steady };
    let hours = |ms: f64| ms / 3_600_000.0;
    // From the middle of the first third to that of the last.
    let between = hours(Thirds::of(points, |point| point.t_ms).difference());
    growth.processes_per_hour = Some(processes.difference() / between);
    growth.rss_bytes_per_hour = Some(bytes.difference() / between);
    growth.pss_bytes_per_hour =
        pss_bytes.map(|pss| pss.difference() as f64 / hours(elapsed as f64));
    growth
}

/// The medians of three thirds of the looks: neither a peak nor a dip at an end changes them.
struct Thirds {
    first: u64,
    middle: u64,
    last: u64,
}

impl Thirds {
    fn of(points: &[Point], figure: impl Fn(&Point) -> u64) -> Self {
        let third = points.len() / 3;
        let of = |points: &[Point]| median(&points.iter().map(&figure).collect::<Vec<_>>());
        Self {
            first: of(&points[..third]),
            middle: of(&points[third..points.len() - third]),
            last: of(&points[points.len() - third..]),
        }
    }

    /// How far it rose, if it rose all the time.
    fn rise(&self) -> u64 {
        if self.first <= self.middle && self.middle <= self.last {
            self.last - self.first
        } else {
            0
        }
    }

    fn difference(&self) -> f64 {
        self.last as f64 - self.first as f64
    }
}

/// The median, the lower one of two; 0 of nothing.
pub fn median(figures: &[u64]) -> u64 {
    let mut figures = figures.to_vec();
    figures.sort_unstable();
    figures
        .len()
        .checked_sub(1)
        .and_then(|last| figures.get(last / 2).copied())
        .unwrap_or(0)
}

/// How many processes of one kind came in an hour and still live, by their ages alone: those of a kind that accumulates lie evenly
/// between the oldest and the youngest. None where there are few, where all came at once, or where they lie unevenly.
pub fn rate_by_ages(ages_ms: &[u64]) -> Option<f64> {
    let oldest = *ages_ms.iter().max()?;
    let youngest = *ages_ms.iter().min()?;
    let spread = oldest - youngest;
    let middle = median(ages_ms) - youngest;
    let is_even = (spread / 4..=spread - spread / 4).contains(&middle);
    (ages_ms.len() >= LEAST_AGES && spread >= LEAST_MS && is_even)
        .then(|| (ages_ms.len() - 1) as f64 / (spread as f64 / 3_600_000.0))
}

/// What a forecast rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Growth of PSS while it was watched.
    Pss,
    /// Growth of RSS while it was watched; RSS counts shared pages again and again.
    Rss,
    /// The ages of what lives, as if none of it had ended and none ever will. Nothing was measured.
    Ages,
}

/// What growth comes to if it goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// What it rests on.
    pub basis: Basis,
    /// Bytes more in an hour.
    pub bytes_per_hour: f64,
    /// Memory in bytes that could still be had at the end.
    pub available_bytes: u64,
    /// Seconds until that is used up.
    pub exhausts_in_s: u64,
}

impl Forecast {
    /// From a rate and what is left. None where nothing grows or nothing is known of the machine.
    pub fn new(basis: Basis, bytes_per_hour: f64, available_bytes: Option<u64>) -> Option<Self> {
        let available_bytes = available_bytes?;
        let seconds = available_bytes as f64 / bytes_per_hour * 3_600.0;
        (bytes_per_hour >= 1.0 && seconds < 1e12).then(|| Self {
            basis,
            bytes_per_hour,
            available_bytes,
            exhausts_in_s: seconds.round() as u64,
        })
    }

    /// The forecast of growth that was watched: by PSS where it is known and grows, else by RSS.
    pub fn of(growth: &Growth, available_bytes: Option<u64>) -> Option<Self> {
        if growth.trend != Trend::Growing {
            return None;
        }
        growth
            .pss_bytes_per_hour
            .and_then(|rate| Self::new(Basis::Pss, rate, available_bytes))
            .or_else(|| Self::new(Basis::Rss, growth.rss_bytes_per_hour?, available_bytes))
    }

    /// The forecast in words.
    pub fn words(&self) -> String {
        let basis = match self.basis {
            Basis::Pss => "by PSS",
            Basis::Rss => "by RSS, which counts shared pages again for each process",
            Basis::Ages => {
                "by the ages of what lives alone, if none of it ends; this was not measured"
            }
        };
        format!(
            "{} more in an hour: the {} that are available are used up in {} ({basis})",
            units::bytes(self.bytes_per_hour.round() as u64),
            units::bytes(self.available_bytes),
            units::span(Span::from_secs(self.exhausts_in_s.min(9_000_000_000))),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks each two seconds: at each the processes that the function says, of a MiB each.
    fn looks(count: u64, processes: impl Fn(u64) -> u64) -> Vec<Point> {
        (0..count)
            .map(|number| Point {
                t_ms: number * 2_000,
                processes: processes(number),
                rss_bytes: processes(number) << 20,
                daemon_rss_bytes: 100 << 20,
            })
            .collect()
    }

    fn judged(points: &[Point]) -> Growth {
        growth(Observed {
            points,
            came: 0,
            ended: 0,
            pss_bytes: None,
        })
    }

    #[test]
    fn a_minute_is_too_short_and_says_what_changed() {
        let growth = judged(&looks(31, |number| 10 + number));
        assert_eq!(growth.trend, Trend::TooShort);
        assert_eq!(growth.processes.difference(), 30);
        assert_eq!(growth.processes_per_hour, None);
        assert_eq!(Forecast::of(&growth, Some(1 << 30)), None);
    }

    #[test]
    fn steady_growth_has_a_rate_and_a_forecast() {
        // A process each ten seconds: 360 in an hour.
        let growth = judged(&looks(301, |number| 10 + number / 5));
        assert_eq!(growth.trend, Trend::Growing);
        let rate = growth.processes_per_hour.unwrap();
        assert!((355.0..370.0).contains(&rate), "{rate}");
        let forecast = Forecast::of(&growth, Some(36 << 30)).unwrap();
        assert_eq!(forecast.basis, Basis::Rss);
        let hours = forecast.exhausts_in_s as f64 / 3_600.0;
        assert!((100.0..102.0).contains(&hours), "{hours}");
        assert_eq!(
            forecast.words(),
            "367 MiB more in an hour: the 36 GiB that are available are used up in 4 d 4 h (by RSS, which counts shared pages again for each process)"
        );
    }

    #[test]
    fn a_sawtooth_a_single_step_back_and_noise_are_no_growth() {
        for processes in [
            &(|number: u64| 10 + number % 20) as &dyn Fn(u64) -> u64,
            &|number: u64| if number < 100 { 10 } else { 5 },
            &|number: u64| 10 + number % 2,
            &|_| 0,
        ] {
            let growth = judged(&looks(301, processes));
            assert_eq!(growth.trend, Trend::Steady);
            assert_eq!(Forecast::of(&growth, Some(1)), None);
        }
    }

    #[test]
    fn pss_goes_before_rss_where_it_grows() {
        let points = looks(301, |number| 10 + number / 5);
        let with = |after| {
            growth(Observed {
                points: &points,
                came: 60,
                ended: 0,
                pss_bytes: Some(Change {
                    before: 100 << 20,
                    after,
                }),
            })
        };
        let forecast = |after| Forecast::of(&with(after), Some(1 << 30)).unwrap();
        assert_eq!(forecast(110 << 20).basis, Basis::Pss);
        assert_eq!(
            forecast(110 << 20).bytes_per_hour,
            6.0 * f64::from(10 << 20)
        );
        assert_eq!(forecast(90 << 20).basis, Basis::Rss);
        assert_eq!(Forecast::of(&with(1), None), None);
    }

    #[test]
    fn ages_tell_a_rate_where_they_lie_evenly() {
        // As in the report #603: one each three minutes for six hours.
        let ages: Vec<u64> = (0..121).map(|number| 600_000 + number * 180_000).collect();
        assert!((rate_by_ages(&ages).unwrap() - 20.0).abs() < 0.01);
        let at_once: Vec<u64> = (0..121).map(|number| 600_000 + number).collect();
        assert_eq!(rate_by_ages(&at_once), None);
        let mut uneven = at_once;
        uneven.push(20_000_000);
        assert_eq!(rate_by_ages(&uneven), None);
        assert_eq!(rate_by_ages(&[1, 2_000_000]), None);
        assert_eq!(rate_by_ages(&[]), None);
        assert_eq!(median(&[3, 1, 2, 9]), 2);
    }
}
