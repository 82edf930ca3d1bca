//! The whole course of a figure, for a sparkline: a bounded number of samples, however long it is watched.

/// How many samples are kept: more than any terminal is wide.
const KEPT: usize = 512;

/// The course of a figure since it is watched, its peaks kept.
#[derive(Debug, Clone)]
pub struct History {
    /// The most of each stretch, the oldest first.
    stretches: Vec<u64>,
    /// How many samples a stretch has.
    each: u64,
    /// How many samples the last stretch has so far; nothing where there is none yet.
    last: u64,
}

impl Default for History {
    fn default() -> Self {
        Self {
            stretches: Vec::new(),
            each: 1,
            last: 1,
        }
    }
}

impl History {
    /// Takes a sample in. When there is no room for another stretch, all become twice as long.
    pub fn push(&mut self, sample: u64) {
        match self.stretches.last_mut() {
            Some(last) if self.last < self.each => {
                *last = sample.max(*last);
                self.last += 1;
            }
            _ => {
                if self.stretches.len() == KEPT {
                    self.stretches = most_of(&self.stretches, KEPT / 2);
                    self.each *= 2;
                }
                self.stretches.push(sample);
                self.last = 1;
            }
        }
    }

    /// The whole course in at most so many parts, the oldest first: the most of each.
    pub fn course(&self, parts: usize) -> Vec<u64> {
        most_of(&self.stretches, parts.min(self.stretches.len()))
    }
}

/// The most of each of so many parts; there are no more of them than samples.
fn most_of(samples: &[u64], parts: usize) -> Vec<u64> {
    let bound = |part: usize| part * samples.len() / parts;
    (0..parts)
        .filter_map(|part| samples[bound(part)..bound(part + 1)].iter().max().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_watch_keeps_its_whole_course_with_its_peaks() {
        let mut history = History::default();
        for sample in 0..86_400 {
            history.push(if sample == 1_000 { 1_000_000 } else { sample });
            assert!(history.stretches.len() <= KEPT);
        }
        let course = history.course(39);
        assert_eq!(course.len(), 39);
        assert_eq!(course.first(), Some(&1_000_000));
        assert_eq!(course.last(), Some(&86_399));
        assert!(course[1..].is_sorted());
        // Each part is about as long as any other.
        let steps: Vec<u64> = course[1..]
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .collect();
        assert!(
            steps.iter().all(|step| (1_500..=2_900).contains(step)),
            "{steps:?}"
        );
    }

    #[test]
    fn a_short_watch_is_shown_sample_by_sample() {
        let mut history = History::default();
        assert_eq!(history.course(39), [0; 0]);
        for sample in [3, 1, 2] {
            history.push(sample);
        }
        assert_eq!(history.course(39), [3, 1, 2]);
        assert_eq!(history.course(2), [3, 2]);
        assert_eq!(history.course(0), [0; 0]);
    }
}
