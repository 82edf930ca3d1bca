//! The floors of a figure: the minima of windows, joined as the run gets longer, so that memory stays bounded.

use super::statistics::Value;
use crate::units::RunTime;

/// How many windows are kept; when there are more, neighbours are joined.
pub(super) const WINDOWS: usize = 512;

/// The least value in a stretch of samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// The first moment of the stretch, in seconds.
    pub from: f64,
    /// The moment of the least value, in seconds.
    pub at: f64,
    /// The least value.
    pub least: f64,
    /// How many samples the stretch has.
    pub samples: u32,
    /// How many sessions had opened when it began.
    pub sessions: u32,
}

/// A figure's minima as they come in.
#[derive(Debug, Clone)]
pub(in crate::judge) struct Floors {
    pub(super) windows: Vec<Window>,
    /// How many samples make a window.
    pub(super) stride: u32,
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
    /// Takes a sample in; `sessions` have opened so far.
    pub fn push(&mut self, at: RunTime, value: f64, sessions: u32) {
        let at = at.0 as f64 / 1e9;
        let window = Window {
            from: at,
            at,
            least: value,
            samples: 1,
            sessions,
        };
        match self.windows.last_mut() {
            Some(last) if last.samples < self.stride => *last = join(*last, window),
            _ => {
                if self.windows.len() == WINDOWS {
                    self.windows = joined(&self.windows, 2).collect();
                    self.stride = self.stride.saturating_mul(2);
                }
                self.windows.push(window);
            }
        }
    }
}

fn join(a: Window, b: Window) -> Window {
    Window {
        at: if a.least <= b.least { a.at } else { b.at },
        least: a.least.min(b.least),
        samples: a.samples + b.samples,
        ..a
    }
}

pub(super) fn joined(windows: &[Window], each: usize) -> impl Iterator<Item = Window> {
    let groups = windows.chunks(each);
    groups.filter_map(|group| group.iter().copied().reduce(join))
}

/// The floors of windows that are so many times as wide. What does not fill a window is left out at the beginning.
pub(super) fn floors(windows: &[Window], each: usize) -> Vec<Value> {
    let windows = &windows[windows.len() % each..];
    joined(windows, each)
        .map(|window| Value {
            at: window.at,
            value: window.least,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_its_floors_in_few_windows() {
        let mut floors = Floors::default();
        for sample in 0..100_000_u64 {
            let value = if sample == 77_777 { 1.0 } else { 3.0 };
            floors.push(RunTime::from_millis(sample), value, sample as u32);
        }
        assert!(floors.windows.len() <= WINDOWS && floors.windows.len() >= WINDOWS / 2);
        let least = floors.windows.iter().find(|window| window.least < 2.0);
        let least = least.unwrap();
        assert!((least.at - 77.777).abs() < 1e-9 && least.from <= least.at);
        assert!(
            floors
                .windows
                .windows(2)
                .all(|pair| pair[0].from < pair[1].from && pair[0].sessions < pair[1].sessions)
        );
        let samples: u32 = floors.windows.iter().map(|window| window.samples).sum();
        assert_eq!(samples, 100_000);
    }

    #[test]
    fn wider_windows_leave_a_rest_out_at_the_beginning() {
        let mut all = Floors::default();
        for (at, value) in [9.0, 5.0, 4.0, 7.0, 6.0].into_iter().enumerate() {
            all.push(RunTime::from_millis(at as u64 * 1_000), value, 0);
        }
        let wide: Vec<(f64, f64)> = floors(&all.windows, 2)
            .into_iter()
            .map(|value| (value.at, value.value))
            .collect();
        assert_eq!(wide, [(2.0, 4.0), (4.0, 6.0)]);
    }
}
