//! The course of a run in at most two thousand points.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::books::Fate;

/// The most points that are kept.
pub const POINTS: usize = 2_000;

/// What was seen around one moment: the most of each figure in a stretch of samples, so that no peak is lost by thinning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// The moment of the first sample of the stretch, in milliseconds since the run's start.
    pub t_ms: u64,
    /// Live children of the worker.
    pub children: u32,
    /// The sum of their RSS in bytes.
    pub rss_bytes: u64,
    /// The worker's own RSS in bytes; none while it was not there, or held no memory because it was only about to become its program.
    pub worker_rss_bytes: Option<u64>,
    /// The PSS of the live children that were examined, each at its latest examination, summed, in bytes; none where nothing was examined
    /// until then.
    #[serde(default)]
    pub pss_bytes: Option<u64>,
    /// The most sessions that were open at once, also between two samples.
    #[serde(default)]
    pub sessions: u32,
    /// Processes that outlive their session or worker and are still there, as far as that was known at the moment of the sample.
    #[serde(default)]
    pub over: Over,
}

/// Processes that outlive their session or worker, there at one moment, by bin: alive, or for a zombie not yet waited for.
///
/// A leak is known only some time after it is due: when a sample, or its own word, has shown it there past the grace and the lateness of
/// samples, and facts that may be under way have had their time. So a curve of these lags behind the due moments of the lanes, by
/// half a second or two ticks at least; and what only the end of the recording proves (residue above all) is in the books and in no
/// point. The bin is the one known by then: what a later worker owns up to is readopted from that moment on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Over {
    /// Alive past the grace under a live owner.
    pub retained: u32,
    /// Alive past the grace without an owner.
    pub reparented: u32,
    /// Dead past the grace and not waited for.
    pub zombie: u32,
    /// Alive after the worker was stopped.
    pub residue: u32,
    /// Alive past the grace after a restart of the worker, owned up to by the new one.
    pub readopted: u32,
}

impl Over {
    /// The count of a bin, if it is a leak.
    pub(super) const fn of_mut(&mut self, fate: Fate) -> Option<&mut u32> {
        Some(match fate {
            Fate::Retained => &mut self.retained,
            Fate::Reparented => &mut self.reparented,
            Fate::Zombie => &mut self.zombie,
            Fate::Residue => &mut self.residue,
            Fate::Readopted => &mut self.readopted,
            Fate::Clean
            | Fate::KilledEarly
            | Fate::Crashed { .. }
            | Fate::Survivor
            | Fate::Undecided => return None,
        })
    }

    fn with(self, other: Self) -> Self {
        Self {
            retained: self.retained.max(other.retained),
            reparented: self.reparented.max(other.reparented),
            zombie: self.zombie.max(other.zombie),
            residue: self.residue.max(other.residue),
            readopted: self.readopted.max(other.readopted),
        }
    }

    /// All of them.
    pub const fn all(self) -> u32 {
        self.retained + self.reparented + self.zombie + self.residue + self.readopted
    }
}

impl Point {
    fn with(self, other: Self) -> Self {
        Self {
            t_ms: self.t_ms.min(other.t_ms),
            children: self.children.max(other.children),
            rss_bytes: self.rss_bytes.max(other.rss_bytes),
            worker_rss_bytes: self.worker_rss_bytes.max(other.worker_rss_bytes),
            pss_bytes: self.pss_bytes.max(other.pss_bytes),
            sessions: self.sessions.max(other.sessions),
            over: self.over.with(other.over),
        }
    }
}

/// Points as they come in.
#[derive(Debug, Clone)]
pub(super) struct Series {
    points: Vec<Point>,
    /// How many samples make one point.
    stride: u32,
    /// How many samples the last point holds.
    filled: u32,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            points: Vec::new(),
            stride: 1,
            filled: 0,
        }
    }
}

impl Series {
    pub fn push(&mut self, point: Point) {
        match self.points.last_mut() {
            Some(last) if self.filled < self.stride => {
                *last = last.with(point);
                self.filled += 1;
            }
            _ => {
                if self.points.len() == POINTS {
                    self.halve();
                }
                self.points.push(point);
                self.filled = 1;
            }
        }
    }

    fn halve(&mut self) {
        let pairs = self.points.chunks(2);
        self.points = pairs
            .map(|pair| pair.iter().copied().reduce(Point::with))
            .collect::<Option<_>>()
            .unwrap_or_default();
        self.stride = self.stride.saturating_mul(2);
    }

    pub fn finish(self) -> Vec<Point> {
        self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::check::judge;

    #[test]
    fn a_session_that_is_over_before_the_next_sample_is_seen() {
        let judgement = judge(
            "0s run; 0s worker 5; 0.1s tick; 0.12s open s1; 0.13s end s1 complete; 0.14s open s2; 0.15s open s3; 0.16s end s2 complete
            0.2s tick; 0.3s tick; 0.32s end s3 complete; 0.4s tick; 0.5s tick; 1s load; 1s drained quiet; 2s over",
        );
        let sessions: Vec<u32> = judgement
            .series
            .iter()
            .map(|point| point.sessions)
            .collect();
        assert_eq!(sessions, [0, 2, 1, 1, 0]);
    }

    #[test]
    fn a_worker_without_memory_has_no_sample_of_it() {
        let judgement = judge(
            "0s run; 0s worker 5; 0.1s tick worker 0B; 0.2s tick worker 8MiB; 0.3s tick worker 9MiB; 0.4s tick; 1s load; 1s drained quiet; 2s over",
        );
        let memory: Vec<Option<u64>> = judgement
            .series
            .iter()
            .map(|point| point.worker_rss_bytes)
            .collect();
        assert_eq!(memory, [None, Some(8 << 20), Some(9 << 20), None]);
    }

    #[test]
    fn a_long_run_keeps_its_peaks_in_few_points() {
        let mut series = Series::default();
        for at in 0..100_000_u64 {
            let children = if at == 77_777 { 500 } else { 3 };
            series.push(Point {
                t_ms: at,
                children,
                rss_bytes: at,
                ..Point::default()
            });
        }
        let points = series.finish();
        assert!(points.len() <= POINTS && points.len() > POINTS / 3);
        assert_eq!(points.iter().map(|point| point.children).max(), Some(500));
        assert_eq!(points[0].t_ms, 0);
        assert!(points.windows(2).all(|pair| pair[0].t_ms < pair[1].t_ms));
    }
}
