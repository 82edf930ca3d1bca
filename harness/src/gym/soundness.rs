//! How many clean sessions are cut into runs: sizes drawn by chance, small ones as often as large ones.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The largest run, in sessions.
const LARGEST: u64 = 400;
/// The seed of the sizes, so that the same number of sessions gives the same runs everywhere.
const SEED: u64 = 603;

/// One run of clean sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    /// Which of the clean scenarios, by its place among them.
    pub(super) case: usize,
    /// How many sessions.
    pub(super) sessions: u64,
    /// The run's seed.
    pub(super) seed: u64,
}

/// Runs that come to so many sessions, rotating over so many scenarios. Sizes are spread evenly over the magnitudes, since the mistakes
/// that a run of three sessions brings to light are others than those of a run of three hundred.
pub(super) fn loads(sessions: u64, scenarios: usize) -> Vec<Load> {
    let mut chance = ChaCha8Rng::seed_from_u64(SEED);
    let mut left = if scenarios == 0 { 0 } else { sessions };
    let mut loads = Vec::new();
    while left > 0 {
        let magnitude: f64 = chance.random();
        let drawn = ((LARGEST + 1) as f64).powf(magnitude) as u64;
        let size = drawn.clamp(1, LARGEST).min(left);
        loads.push(Load {
            case: loads.len() % scenarios,
            sessions: size,
            seed: SEED + loads.len() as u64,
        });
        left -= size;
    }
    loads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sessions_are_run_in_sizes_of_every_magnitude() {
        let runs = loads(10_000, 3);
        let sizes = || runs.iter().map(|load| load.sessions);
        assert_eq!(sizes().sum::<u64>(), 10_000);
        assert!(sizes().all(|size| (1..=LARGEST).contains(&size)));
        for (from, to) in [(1, 5), (5, 30), (30, 150), (150, 401)] {
            let within = sizes().filter(|size| (from..to).contains(size)).count();
            assert!(within >= runs.len() / 10, "{from}..{to}: {within}");
        }
        assert_eq!(runs, loads(10_000, 3));
        assert_eq!(loads(5, 0), []);
        for case in 0..3 {
            assert!(runs.iter().any(|load| load.case == case));
        }
    }
}
