//! Theil–Sen slope, Mann–Kendall test, and the corrections that a series of floors needs.

use std::cmp::Ordering;

/// One value of a series and its moment in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Value {
    pub at: f64,
    pub value: f64,
}

/// The slopes between all pairs of a series, in rising order, and the score of the Mann–Kendall test: rising pairs less falling ones.
#[derive(Debug, Clone)]
pub(super) struct Pairs {
    slopes: Vec<f64>,
    pub score: f64,
}

impl Pairs {
    pub fn of(series: &[Value]) -> Self {
        let mut slopes = Vec::with_capacity(series.len() * series.len() / 2);
        let mut score = 0_i64;
        for (place, a) in series.iter().enumerate() {
            for b in &series[place + 1..] {
                let by = b.value - a.value;
                score += i64::from(by > 0.0) - i64::from(by < 0.0);
                if b.at > a.at {
                    slopes.push(by / (b.at - a.at));
                }
            }
        }
        slopes.sort_unstable_by(f64::total_cmp);
        Self {
            slopes,
            score: score as f64,
        }
    }

    /// The Theil–Sen slope: the median of all slopes. Wild values move it only when they are more than a quarter of the series.
    pub fn slope(&self) -> f64 {
        middle(&self.slopes)
    }

    /// The interval around the slope that a standard deviation of the score gives (Sen 1968).
    pub fn interval(&self, deviation: f64, deviate: f64) -> (f64, f64) {
        let Some(last) = self.slopes.len().checked_sub(1) else {
            return (0.0, 0.0);
        };
        let reach = deviation * deviate / 2.0;
        let middle = last as f64 / 2.0;
        let place = |at: f64| self.slopes[at.clamp(0.0, last as f64) as usize];
        (
            place((middle - reach).floor()),
            place((middle + reach).ceil()),
        )
    }
}

/// The variance of the Mann–Kendall score of independent values, ties counted (Kendall 1975).
pub(super) fn score_variance(series: &[Value]) -> f64 {
    let n = series.len() as f64;
    let mut values: Vec<f64> = series.iter().map(|value| value.value).collect();
    values.sort_unstable_by(f64::total_cmp);
    let ties: f64 = values
        .chunk_by(|a, b| a == b)
        .map(|same| same.len() as f64)
        .map(|t| t * (t - 1.0) * (2.0 * t + 5.0))
        .sum();
    (n * (n - 1.0) * (2.0 * n + 5.0) - ties) / 18.0
}

/// What is left of a series when a slope and the level are taken out.
pub(super) fn residuals(series: &[Value], slope: f64) -> Vec<f64> {
    let left = || series.iter().map(|value| value.value - slope * value.at);
    let mut sorted: Vec<f64> = left().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let level = middle(&sorted);
    left().map(|value| value - level).collect()
}

/// By how much the variance of a rise grows because neighbours are alike, from the ranks of the residuals: the correction of Hamed and
/// Rao (1998), or that of a first-order autoregression with the first correlation where this is more.
///
/// Only the first lags count, up to the first one whose correlation is no longer significant: later ones are noise, and the negative
/// ones of a saw would make the test bolder than one of independent values. `fitted` is the length of the pieces from which slopes were
/// taken; it makes correlations come out too low.
pub(super) fn inflation(residuals: &[f64], fitted: usize) -> f64 {
    let ranks = ranks(residuals);
    let n = ranks.len() as f64;
    let mean = (n + 1.0) / 2.0;
    let power: f64 = ranks.iter().map(|rank| (rank - mean).powi(2)).sum();
    if n < 8.0 || power <= 0.0 {
        return 1.0;
    }
    let significant = 1.645 / n.sqrt();
    let (mut sum, mut first) = (0.0, 1.0);
    for lag in 1..ranks.len() - 3 {
        let together: f64 = ranks
            .iter()
            .zip(&ranks[lag..])
            .map(|(a, b)| (a - mean) * (b - mean))
            .sum();
        let correlation = together / power;
        if correlation < significant {
            break;
        }
        // Too low by about (2 + 4r) / n.
        let correlation = (correlation + (2.0 + 4.0 * correlation) / fitted as f64).min(0.98);
        if lag == 1 {
            first = (1.0 + correlation) / (1.0 - correlation);
        }
        let left = n - lag as f64;
        sum += left * (left - 1.0) * (left - 2.0) * correlation;
    }
    let lags = 1.0 + 2.0 / (n * (n - 1.0) * (n - 2.0)) * sum;
    lags.max(first).min(n / 3.0)
}

/// The ranks of values, from 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for same in order.chunk_by(|a, b| values[*a].total_cmp(&values[*b]) == Ordering::Equal) {
        let rank = before as f64 + (same.len() as f64 + 1.0) / 2.0;
        for place in same {
            ranks[*place] = rank;
        }
        before += same.len();
    }
    ranks
}

/// How far values spread: the distance from their twentieth to their nineteenth twentieth.
pub(super) fn spread(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let cut = (last as f64 * 0.05).floor() as usize;
    sorted[last - cut] - sorted[cut]
}

/// The value in the middle of a sorted list.
pub(super) fn middle(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Vec<Value> {
        let values = values.iter().enumerate();
        values
            .map(|(at, value)| Value {
                at: at as f64,
                value: *value,
            })
            .collect()
    }

    #[test]
    fn a_few_wild_values_do_not_move_the_slope() {
        let mut values: Vec<f64> = (0..20).map(|at| f64::from(at) * 3.0).collect();
        for wild in [2, 9, 17] {
            values[wild] = -1e6;
        }
        assert!((Pairs::of(&series(&values)).slope() - 3.0).abs() < 1e-9);
    }

    /// Of the ten pairs of 1 3 2 2 5, seven rise, two fall and one is tied.
    #[test]
    fn the_score_and_its_variance_count_ties() {
        let values = series(&[1.0, 3.0, 2.0, 2.0, 5.0]);
        let pairs = Pairs::of(&values);
        assert!((pairs.score - 5.0).abs() < 1e-9, "{}", pairs.score);
        // n(n-1)(2n+5) = 300, less one tie of two: 2 * 1 * 9 = 18.
        assert!((score_variance(&values) - 282.0 / 18.0).abs() < 1e-9);
    }

    #[test]
    fn equal_values_share_their_rank() {
        assert_eq!(ranks(&[5.0, 1.0, 5.0, 0.0]), [3.5, 2.0, 3.5, 1.0]);
    }

    #[test]
    fn likeness_of_neighbours_inflates_and_alternation_does_not() {
        let slow: Vec<f64> = (0..96).map(|at| (f64::from(at) / 8.0).sin()).collect();
        let swift: Vec<f64> = (0..96).map(|at| f64::from(at % 2)).collect();
        assert!(inflation(&slow, 96) > 5.0, "{}", inflation(&slow, 96));
        assert!((inflation(&swift, 96) - 1.0).abs() < 1e-9);
        assert!((inflation(&[1.0; 50], 50) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_interval_holds_the_slope_and_widens_with_the_deviation() {
        let values: Vec<f64> = (0..40)
            .map(|at| f64::from(at) + f64::from(at * 7 % 5))
            .collect();
        let values = series(&values);
        let pairs = Pairs::of(&values);
        let (low, high) = pairs.interval(score_variance(&values).sqrt(), 2.58);
        let (lower, higher) = pairs.interval(4.0 * score_variance(&values).sqrt(), 2.58);
        let slope = pairs.slope();
        assert!(low < slope && slope < high);
        assert!(lower <= low && higher >= high);
    }

    #[test]
    fn the_spread_leaves_a_twentieth_out_at_either_end() {
        let mut values: Vec<f64> = (0..=100).map(f64::from).collect();
        assert!((spread(&values) - 90.0).abs() < 1e-9);
        values[100] = 1e9;
        assert!((spread(&values) - 90.0).abs() < 1e-9);
    }
}
