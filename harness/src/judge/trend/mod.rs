//! Whether a figure trends upward: Theil–Sen slope and Mann–Kendall test on the minima of windows, after a warm-up.
//!
//! *Minima*, because healthy figures rise and fall like a saw (collection of garbage), and only the floor of the saw tells of a leak. The
//! part that is judged is cut into at most 96 windows. These are looked at as they are and two, four and eight together, so that one of the widths
//! covers a whole cycle; the look that would have seen the smallest leak decides, or one that shows a leak.
//!
//! *Slope*: the median of the slopes between all pairs (Theil 1950; Sen 1968, also for its interval). Spikes and a single step do not
//! move it.
//!
//! *Monotone*: the Mann–Kendall test (Mann 1945; Kendall 1975, with ties) at one in ten thousand. Neighbours are alike, so its variance is
//! corrected by the autocorrelation of the ranks of the residuals (Hamed and Rao 1998). That correction was chosen over pre-whitening,
//! which takes a part of the trend away with the noise, and over Yue and Wang (2004), which corrects by all lags whether or not they are
//! significant. Two changes make it more careful: only the first, positive lags count, and never less than a first-order autoregression
//! would ask for, with the correlations' own bias put right. A score of four fifths of what is possible always suffices: a leak that
//! dwarfs the noise leaves residuals that say nothing about chance.
//!
//! *Large*: Mann–Kendall alone cries wolf over a leak that matters to nobody and over warm-ups (Machida and others, ISSREW 2013). So the
//! rise must be four times the spread of what the slope leaves unexplained (a saw that is longer than the windows, a staircase of few
//! steps, noise that wanders), and exceed a floor of size.
//!
//! *Going on*: the first quarter is left out, and of what is left the later half must rise by more than six tenths of what the earlier
//! half rose by, surely: by three standard deviations. A curve that saturates with a time constant of at most half of the run, or that
//! grows like the logarithm of the time, does not.
//!
//! How often it errs, both ways, is simulated by the tests in `calibration/` and kept in `reports/growth-calibration.md`.

#[cfg(test)]
mod calibration;
mod floors;
mod statistics;

use fake_claude::quantity::Span;

use floors::Window;
use statistics::{Pairs, Value};

pub(super) use floors::Floors;

/// How many floors must remain after the warm-up.
pub(super) const LEAST_FLOORS: usize = 36;
/// Below this many floors noise that lasts cannot be told from a bend.
const FEW_FLOORS: usize = 84;
/// Unless each holds so many samples: over that distance a correlation of 0.9 between neighbouring samples fades to a half.
const MANY_SAMPLES: u32 = 6;
/// At most so many floors are looked at: all pairs of them are compared.
const MOST_FLOORS: usize = 96;
/// With fewer floors than this, windows are not widened further.
const LEAST_WIDE_FLOORS: usize = 12;
/// By how much windows are widened, so that one of the widths covers a whole cycle of the figure.
const WIDTHS: [usize; 3] = [2, 4, 8];
/// The normal deviate beyond which a monotone rise is no chance: one in ten thousand, one-sided.
const DEVIATE: f64 = 3.72;
/// The score that suffices however much neighbours are alike, as a part of the highest one.
const ENOUGH_SCORE: f64 = 0.8;
/// The normal deviate of the interval in which a slope lies: 99 %.
const INTERVAL: f64 = 2.576;
/// How many times the spread of what the slope leaves unexplained a rise must be.
const TIMES_SPREAD: f64 = 4.0;
/// The later half must rise by at least this part of what the earlier half rose by.
const LIKE: f64 = 0.6;
/// By so many standard deviations.
const LIKE_DEVIATE: f64 = 3.0;
/// How much wider a deviation is taken when likeness leaves few independent floors: its own estimate is then poor.
const UNSURE: f64 = 4.0;
/// The normal deviate of a detection in 19 of 20 runs.
const POWER_DEVIATE: f64 = 1.645;
/// A count has to make so many steps upward.
const LEAST_STEPS: f64 = 10.0;
/// The distance between the twentieth and the nineteenth twentieth of a normal distribution, in standard deviations.
const SPREAD_OF_NORMAL: f64 = 3.29;

/// From which size on a rise counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Floor {
    /// By how much the figure must rise from the end of the warm-up to the end of the load.
    pub absolute: f64,
    /// By which part of its middle value.
    pub relative: f64,
    /// The least step that the figure can make: 1 for a count.
    pub grain: f64,
}

/// Which part of the load is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// How long the load warms up; none: a quarter of it.
    pub warm_up: Option<Span>,
    /// How long the load must last after that.
    pub least: Span,
}

/// What a trend test says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Trend {
    /// The figure was never taken.
    NotTaken,
    /// The load did not last long enough after its warm-up: so many seconds.
    TooShort(f64),
    /// There were too few samples after the warm-up: so many.
    TooFew(usize),
    /// What was measured.
    Measured(Measured),
}

/// A figure's course after the warm-up.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    /// Whether it trends upward.
    pub rising: bool,
    /// Per second, with the bounds between which it lies in 99 of 100 cases.
    pub slope: f64,
    pub slope_low: f64,
    pub slope_high: f64,
    /// By how much it rose, by the slope.
    pub rise: f64,
    /// How many seconds were judged.
    pub seconds: f64,
    /// How many sessions opened meanwhile.
    pub sessions: u32,
    /// The least rise that would have been seen with this noise.
    pub detectable: f64,
}

impl Floors {
    /// By how much the floors rise per second, or not at all, whether or not that is significant.
    pub fn rise_per_second(&self, stretch: Stretch) -> f64 {
        let series = floors::floors(&self.after_warm_up(stretch), 1);
        Pairs::of(&series).slope().max(0.0)
    }

    /// The windows behind the warm-up.
    fn after_warm_up(&self, stretch: Stretch) -> Vec<Window> {
        let (Some(first), Some(last)) = (self.windows.first(), self.windows.last()) else {
            return Vec::new();
        };
        let warm_up = match stretch.warm_up {
            Some(warm_up) => warm_up.as_secs_f64(),
            None => (last.from - first.from) / 4.0,
        };
        let cold = self
            .windows
            .partition_point(|window| window.from < first.from + warm_up);
        let mut windows = self.windows[cold..].to_vec();
        // The last window may be a few samples on their way down, or up.
        windows.pop_if(|last| last.samples < self.stride);
        let each = windows.len().div_ceil(MOST_FLOORS).max(1);
        // What does not fill a window is left out at the beginning.
        let rest = windows.len() % each;
        floors::joined(&windows[rest..], each).collect()
    }

    /// Judges what came in. `explained` is a rise per second that has another cause.
    pub fn trend(&self, stretch: Stretch, floor: Floor, explained: f64) -> Trend {
        if self.windows.is_empty() {
            return Trend::NotTaken;
        }
        let mut windows = self.after_warm_up(stretch);
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
            return Trend::TooShort(0.0);
        };
        let seconds = last.from - first.from;
        let sessions = last.sessions - first.sessions;
        if seconds < stretch.least.as_secs_f64() {
            return Trend::TooShort(seconds);
        }
        if windows.len() < LEAST_FLOORS {
            return Trend::TooFew(windows.len());
        }
        if explained > 0.0 {
            let start = first.from;
            for window in &mut windows {
                window.least -= explained * (window.at - start);
            }
        }
        let scarce = windows[0].samples < MANY_SAMPLES;
        let look = |width, least_inflation| {
            let series = floors::floors(&windows, width);
            let straight = scarce && series.len() < FEW_FLOORS;
            Look::at(&series, seconds, floor.grain, least_inflation, straight)
        };
        let narrow = look(1, 1.0);
        let best = WIDTHS
            .into_iter()
            .filter(|width| windows.len() / width >= LEAST_WIDE_FLOORS)
            .map(|width| {
                // What lasts from floor to floor lasts for as long in wide windows, where too few are left to show it.
                let lasting = (narrow.inflation - 1.0) / width as f64;
                look(width, if scarce { 1.0 + lasting } else { 1.0 })
            })
            .fold(narrow.clone(), Look::better);
        let size = floor.absolute.max(floor.relative * level(&windows));
        Trend::Measured(Measured {
            rising: best.rising && best.rise > size,
            slope: best.slope,
            slope_low: best.interval.0,
            slope_high: best.interval.1,
            rise: best.rise,
            seconds,
            sessions,
            detectable: best.detectable.max(size),
        })
    }
}

/// The figure's level: the middle of its floors.
fn level(windows: &[Window]) -> f64 {
    let mut values: Vec<f64> = windows.iter().map(|window| window.least).collect();
    values.sort_unstable_by(f64::total_cmp);
    statistics::middle(&values)
}

/// A series of floors, looked at in windows of one width.
#[derive(Debug, Clone)]
struct Look {
    rising: bool,
    slope: f64,
    interval: (f64, f64),
    rise: f64,
    inflation: f64,
    detectable: f64,
}

impl Look {
    /// Looks at floors. The inflation is taken to be `least_inflation` at least, and with `straight` also that of the residuals from one
    /// straight line, where there are too few floors to tell a bend from noise that lasts.
    fn at(
        series: &[Value],
        seconds: f64,
        grain: f64,
        least_inflation: f64,
        straight: bool,
    ) -> Self {
        let n = series.len() as f64;
        let pairs = Pairs::of(series);
        let slope = pairs.slope();
        let rise = slope * seconds;
        let (head, tail) = series.split_at(series.len() / 2);
        let (head_slope, tail_slope) = (Pairs::of(head).slope(), Pairs::of(tail).slope());
        // Each half by its own slope: what bends is no noise.
        let mut bent = statistics::residuals(head, head_slope);
        bent.extend(statistics::residuals(tail, tail_slope));
        let unexplained = statistics::residuals(series, slope);
        let mut inflation = statistics::inflation(&bent, head.len()).max(least_inflation);
        if straight {
            inflation = inflation.max(statistics::inflation(&unexplained, series.len()));
        }
        let noise = Noise {
            n,
            spread: statistics::spread(&bent),
            inflation,
        };
        let deviation = (statistics::score_variance(series) * noise.inflation).sqrt();
        let goes_on = (tail_slope - LIKE * head_slope) * seconds / 2.0;
        let spread = statistics::spread(&unexplained);
        let rising = pairs.score - 1.0 > (DEVIATE * deviation).min(ENOUGH_SCORE * highest_score(n))
            && rise > TIMES_SPREAD * spread
            && goes_on > LIKE_DEVIATE * noise.of_likeness();
        Self {
            rising,
            slope,
            interval: pairs.interval(deviation, INTERVAL),
            rise,
            inflation: noise.inflation,
            detectable: noise.detectable(grain),
        }
    }

    /// Of two looks the one that shows a rise, then the one that would have shown the smaller one.
    fn better(self, other: Self) -> Self {
        if (other.rising, -other.detectable) > (self.rising, -self.detectable) {
            other
        } else {
            self
        }
    }
}

/// The score of so many values that all rise.
fn highest_score(n: f64) -> f64 {
    n * (n - 1.0) / 2.0
}

/// What a slope leaves unexplained.
#[derive(Debug, Clone, Copy)]
struct Noise {
    n: f64,
    spread: f64,
    inflation: f64,
}

impl Noise {
    fn deviation(self) -> f64 {
        self.spread / SPREAD_OF_NORMAL
    }

    /// The standard deviation of a rise.
    fn of_rise(self) -> f64 {
        self.deviation() * (12.0 * self.inflation / self.n).sqrt()
    }

    /// The standard deviation of the difference between the later half's rise and a part of the earlier one's. Each half's rise is half as
    /// long and has half the values.
    fn of_likeness(self) -> f64 {
        self.of_rise()
            * (2.0 * (1.0 + LIKE * LIKE)).sqrt()
            * (1.0 + UNSURE * self.inflation / self.n)
    }

    /// The least rise that passes every condition in 19 of 20 runs with this noise.
    fn detectable(self, grain: f64) -> f64 {
        let beyond_spread = TIMES_SPREAD * (self.spread + grain) + POWER_DEVIATE * self.of_rise();
        let goes_on = (LIKE_DEVIATE + POWER_DEVIATE) * self.of_likeness() / ((1.0 - LIKE) / 2.0);
        // A straight rise of r standard deviations has a tau of 1 - 2.26 / r: the share of pairs that noise turns around.
        let n = self.n;
        let variance = n * (n - 1.0) * (2.0 * n + 5.0) / 18.0 * self.inflation;
        let tau = (DEVIATE * variance.sqrt() / highest_score(n)).min(ENOUGH_SCORE);
        let monotone = 1.3 * 2.26 * self.deviation() / (1.0 - tau);
        beyond_spread
            .max(goes_on)
            .max(monotone)
            .max(LEAST_STEPS * grain)
    }
}

#[cfg(test)]
mod tests;
