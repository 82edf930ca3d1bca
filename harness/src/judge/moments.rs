//! The moments at which the process table was read, and how late each reading was.

use std::collections::VecDeque;

use fake_claude::quantity::Span;

use crate::units::RunTime;

/// How many moments are kept. At ten samples a second they reach back nearly seven minutes: longer than the longest default grace.
const KEPT: usize = 4_096;

/// One moment at which everything that lived was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// When.
    pub at: RunTime,
    /// How late the reading was.
    pub late: Span,
    /// The event that says so.
    pub seq: u64,
}

/// The latest moments, in order of time.
#[derive(Debug, Clone, Default)]
pub(super) struct Moments {
    kept: VecDeque<Moment>,
}

impl Moments {
    /// Adds a moment, in its place even when it arrives late.
    pub fn push(&mut self, moment: Moment) {
        let place = self.kept.partition_point(|kept| kept.at <= moment.at);
        self.kept.insert(place, moment);
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }

    /// The first moment after another.
    pub fn first_after(&self, due: RunTime) -> Option<Moment> {
        let place = self.kept.partition_point(|kept| kept.at <= due);
        self.kept.get(place).copied()
    }

    /// The worst lateness in a stretch of time.
    pub fn worst_lag(&self, from: RunTime, to: RunTime) -> Span {
        let start = self.kept.partition_point(|kept| kept.at < from);
        self.kept
            .range(start..)
            .take_while(|kept| kept.at <= to)
            .map(|kept| kept.late)
            .max()
            .unwrap_or(Span::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_keep_their_order_and_their_number() {
        let mut moments = Moments::default();
        for (at, late) in [(5, 0), (1, 7), (3, 2)] {
            moments.push(Moment {
                at: RunTime::from_millis(at),
                late: Span::from_millis(late),
                seq: 0,
            });
        }
        let millis = RunTime::from_millis;
        assert_eq!(moments.first_after(millis(1)).unwrap().at, millis(3));
        assert!(moments.first_after(millis(5)).is_none());
        assert_eq!(
            moments.worst_lag(millis(2), millis(9)),
            Span::from_millis(2)
        );
        for at in 0..KEPT as u64 * 2 {
            moments.push(Moment {
                at: millis(at),
                late: Span::ZERO,
                seq: at,
            });
        }
        assert_eq!(moments.kept.len(), KEPT);
    }
}
