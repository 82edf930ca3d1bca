//! Whether a figure trends upward: Theil–Sen slope and Mann–Kendall test on the minima of windows, after a warm-up.
//!
//! Minima, because healthy figures rise and fall like a saw, and only the floor of the saw tells of a leak. Mann–Kendall alone cries wolf
//! (Machida and others, ISSREW 2013), so a size is asked for as well, and the last part of the run has to rise like the whole.

use crate::units::RunTime;

/// How many windows are kept; when there are more, neighbours are joined.
const WINDOWS: usize = 128;
/// How many windows must remain after the warm-up.
const LEAST_WINDOWS: usize = 40;
/// How many samples a window must hold for its minimum to mean anything.
const LEAST_SAMPLES: u32 = 4;
/// How long the run must last after the warm-up, in seconds. Below this a daemon is still starting.
const LEAST_SECONDS: f64 = 60.0;
/// The normal deviate beyond which a monotone rise is no chance: one in ten thousand, one-sided.
const DEVIATE: f64 = 3.72;

/// From which size on a rise counts: both must be exceeded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Floor {
    /// By how much the figure must rise from the end of the warm-up to the end of the run.
    pub absolute: f64,
    /// By which part of its middle value.
    pub relative: f64,
}

/// What a trend test says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Trend {
    /// The run is too short, or the figure was not taken.
    NotJudged,
    /// No rise that matters.
    Flat,
    /// It rises, by so much per second, and by so much in all.
    Rising {
        /// Per second.
        slope: f64,
        /// From the end of the warm-up to the end.
        rise: f64,
    },
}

#[derive(Debug, Clone, Copy)]
struct Window {
    at: f64,
    least: f64,
    samples: u32,
}

/// A figure's minima as they come in.
#[derive(Debug, Clone)]
pub(super) struct Floors {
    windows: Vec<Window>,
    stride: u32,
}

impl Default for Floors {
    fn default() -> Self {
        Self {
            windows: Vec::new(),
            stride: 1,
        }
    }
}

impl Floors {
    pub fn push(&mut self, at: RunTime, value: f64) {
        let window = Window {
            at: at.0 as f64 / 1e9,
            least: value,
            samples: 1,
        };
        match self.windows.last_mut() {
            Some(last) if last.samples < self.stride => *last = join(*last, window),
            _ => {
                if self.windows.len() == WINDOWS {
                    let pairs = self.windows.chunks(2);
                    self.windows = pairs
                        .filter_map(|pair| pair.iter().copied().reduce(join))
                        .collect();
                    self.stride = self.stride.saturating_mul(2);
                }
                self.windows.push(window);
            }
        }
    }

    /// Judges what came in.
    pub fn trend(&self, floor: Floor) -> Trend {
        let warm = &self.windows[self.windows.len().div_ceil(4)..];
        // The last window may be a single sample on its way down, or up.
        let warm = &warm[..warm.len().saturating_sub(1)];
        let (Some(first), Some(last)) = (warm.first(), warm.last()) else {
            return Trend::NotJudged;
        };
        if warm.len() < LEAST_WINDOWS
            || self.stride < LEAST_SAMPLES
            || last.at - first.at < LEAST_SECONDS
        {
            return Trend::NotJudged;
        }
        let slope = theil_sen(warm);
        let rise = slope * (last.at - first.at);
        let mut values: Vec<f64> = warm.iter().map(|window| window.least).collect();
        values.sort_by(f64::total_cmp);
        let middle = values[values.len() / 2];
        let tail = theil_sen(&warm[warm.len() / 2..]);
        if rise > floor.absolute
            && rise > floor.relative * middle
            && tail > slope / 2.0
            && deviate(warm) > DEVIATE
        {
            Trend::Rising { slope, rise }
        } else {
            Trend::Flat
        }
    }
}

fn join(a: Window, b: Window) -> Window {
    Window {
        at: if a.least <= b.least { a.at } else { b.at },
        least: a.least.min(b.least),
        samples: a.samples + b.samples,
    }
}

/// The median of the slopes between all pairs: one wild value in four does not move it.
fn theil_sen(windows: &[Window]) -> f64 {
    let mut slopes = Vec::with_capacity(windows.len() * windows.len() / 2);
    for (place, a) in windows.iter().enumerate() {
        for b in &windows[place + 1..] {
            if b.at > a.at {
                slopes.push((b.least - a.least) / (b.at - a.at));
            }
        }
    }
    slopes.sort_by(f64::total_cmp);
    slopes.get(slopes.len() / 2).copied().unwrap_or(0.0)
}

/// The normal deviate of the Mann–Kendall test, with its correction for ties.
fn deviate(windows: &[Window]) -> f64 {
    let n = windows.len() as f64;
    let mut score = 0.0;
    for (place, a) in windows.iter().enumerate() {
        for b in &windows[place + 1..] {
            score += match b.least.total_cmp(&a.least) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.0,
                std::cmp::Ordering::Less => -1.0,
            };
        }
    }
    let mut values: Vec<f64> = windows.iter().map(|window| window.least).collect();
    values.sort_by(f64::total_cmp);
    let ties: f64 = values
        .chunk_by(|a, b| a == b)
        .map(|same| same.len() as f64)
        .map(|t| t * (t - 1.0) * (2.0 * t + 5.0))
        .sum();
    let variance = (n * (n - 1.0) * (2.0 * n + 5.0) - ties) / 18.0;
    if variance <= 0.0 || score <= 0.0 {
        0.0
    } else {
        (score - 1.0) / variance.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: Floor = Floor {
        absolute: 10.0,
        relative: 0.25,
    };

    /// The trend of a figure over 1,000 seconds, ten samples a second.
    fn trend(value: impl Fn(f64) -> f64) -> Trend {
        let mut floors = Floors::default();
        for sample in 0..10_000_u64 {
            floors.push(
                RunTime::from_millis(sample * 100),
                value(sample as f64 / 10.0),
            );
        }
        floors.trend(FLOOR)
    }

    #[test]
    fn a_steady_rise_is_found_under_a_saw() {
        let found = trend(|t| 20.0 + 0.1 * t + (t % 7.0) * 5.0);
        let Trend::Rising { slope, .. } = found else {
            panic!("{found:?}");
        };
        assert!((slope - 0.1).abs() < 0.01, "{slope}");
    }

    #[test]
    fn a_saw_a_warm_up_and_a_step_are_no_growth() {
        assert_eq!(trend(|t| 50.0 + (t % 60.0)), Trend::Flat);
        assert_eq!(trend(|t| 100.0 - 80.0 * (-t / 80.0).exp()), Trend::Flat);
        assert_eq!(trend(|t| if t < 400.0 { 10.0 } else { 60.0 }), Trend::Flat);
        assert_eq!(trend(|_| 50.0), Trend::Flat);
        // A rise that has come to an end.
        assert_eq!(trend(|t| t.min(700.0)), Trend::Flat);
    }

    #[test]
    fn a_rise_below_the_floor_is_no_growth() {
        assert_eq!(trend(|t| 1_000.0 + 0.02 * t), Trend::Flat);
    }

    #[test]
    fn a_short_run_is_not_judged() {
        let mut floors = Floors::default();
        for sample in 0..500_u64 {
            floors.push(RunTime::from_millis(sample * 100), sample as f64 * 100.0);
        }
        assert_eq!(floors.trend(FLOOR), Trend::NotJudged);
        assert_eq!(Floors::default().trend(FLOOR), Trend::NotJudged);
    }
}
