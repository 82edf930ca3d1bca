//! What live processes add to the figures of a sample: kept up to date with every fact, so that a sample needs no walk through all of
//! them.

use super::books::Fate;
use super::census::Census;
use super::facts::Facts;
use super::life::Life;
use super::series::Over;
use crate::process::ProcessIdentity;

/// What one process adds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The leak bin that it is in, as far as is known, while it is there.
    over: Option<Fate>,
    /// Its PSS in bytes at its latest examination, while it lives.
    pss_bytes: Option<u64>,
}

/// What all of them come to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Standings {
    /// Processes that outlive their session or worker.
    pub over: Over,
    /// The sum of the PSS in bytes; none where nothing was examined until now.
    pub pss_bytes: Option<u64>,
}

impl Standings {
    /// A process adds something else than before.
    pub fn replace(&mut self, before: Standing, now: Standing) {
        if let Some(count) = before.over.and_then(|fate| self.over.of_mut(fate)) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = now.over.and_then(|fate| self.over.of_mut(fate)) {
            *count += 1;
        }
        if before.pss_bytes.is_some() || now.pss_bytes.is_some() {
            let others = self.pss_bytes.unwrap_or(0);
            let others = others.saturating_sub(before.pss_bytes.unwrap_or(0));
            self.pss_bytes = Some(others.saturating_add(now.pss_bytes.unwrap_or(0)));
        }
    }
}

impl Census {
    /// Brings what a process adds to the figures of a sample up to date.
    pub(super) fn stand(&mut self, facts: &Facts, id: ProcessIdentity) {
        let Some(life) = self.lives.get(&id) else {
            return;
        };
        let (before, now) = (life.standing, self.standing_of(facts, life));
        if before != now {
            self.standing.replace(before, now);
            if let Some(life) = self.lives.get_mut(&id) {
                life.standing = now;
            }
        }
    }

    fn standing_of(&self, facts: &Facts, life: &Life) -> Standing {
        let alive = life.died().is_none();
        let over = life.broken.and_then(|broken| {
            let fate = self.outlived(facts, life, self.role_of(life), broken).fate;
            // A zombie is dead, and there until somebody waits for it.
            let there = match fate {
                Fate::Zombie => life.departed().is_none(),
                _ => alive,
            };
            (fate.is_leak() && there).then_some(fate)
        });
        Standing {
            over,
            pss_bytes: life.pss_bytes.filter(|_| alive),
        }
    }
}

#[cfg(test)]
mod tests;
