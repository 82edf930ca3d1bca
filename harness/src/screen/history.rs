//! The last stretch of a figure, for a sparkline: a fixed number of samples, however long it is watched.

use std::collections::VecDeque;

/// How many samples are kept: more than any terminal is wide.
const KEPT: usize = 512;

/// The last samples of a figure.
#[derive(Debug, Clone, Default)]
pub struct History {
    samples: VecDeque<u64>,
}

impl History {
    /// Takes a sample in; the oldest goes when there is no room.
    pub fn push(&mut self, sample: u64) {
        if self.samples.len() == KEPT {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// The last so many samples, the oldest first.
    pub fn last(&self, most: usize) -> Vec<u64> {
        let skipped = self.samples.len().saturating_sub(most);
        self.samples.iter().skip(skipped).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_watch_keeps_its_last_stretch() {
        let mut history = History::default();
        for sample in 0..10_000 {
            history.push(sample);
        }
        assert_eq!(history.last(3), [9_997, 9_998, 9_999]);
        assert_eq!(history.last(usize::MAX).len(), KEPT);
    }
}
