//! Whether a process broke its first obligation: to be gone, and waited for, in time.

use super::books::Fate;
use super::census::{Census, serves};
use super::facts::Facts;
use super::life::{Broken, Life};
use crate::units::RunTime;

/// How far a chain of parents is followed.
const DEPTH: u32 = 32;

impl Census {
    /// The first obligation that a process broke, with the moment that proves it. `last` says that no more events will come.
    pub fn overdue(&self, facts: &Facts, life: &Life, last: bool) -> Option<Broken> {
        [
            self.alive_too_long(facts, life, last),
            self.dead_too_long(facts, life),
            self.left_behind(facts, life, last),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|broken| broken.at)
    }

    /// Alive past the grace of its session: at a sample, by its own word, or when the run itself said that every grace had passed
    /// and it did not go before the worker was stopped.
    fn alive_too_long(&self, facts: &Facts, life: &Life, last: bool) -> Option<Broken> {
        if !serves(self.role_of(life)) {
            return None;
        }
        let tick = facts.tick();
        let due = facts.due(self.session_of(life), life.first)?;
        let extended = due.plain + facts.lag(due.from, due.grace);
        let sampled = facts
            .moments
            .first_after(extended)
            .filter(|moment| life.lives_at(moment.at, tick))
            .map(|moment| (moment.at, moment.seq));
        let spoken = life
            .last_word
            .filter(|word| *word > extended && life.goodbye.is_none_or(|bye| bye.at > *word))
            .map(|word| (word, life.first_seq));
        let stated = facts.grace_passed.filter(|(passed, _)| {
            let stayed = match facts.final_stop() {
                Some(stop) if stop >= *passed => life.lives_at(stop, tick),
                _ => last && life.died().is_none(),
            };
            *passed >= due.plain && life.lives_at(*passed, tick) && stayed
        });
        let (at, seq) = sampled
            .or(stated)
            .into_iter()
            .chain(spoken)
            .min_by_key(|(at, _)| *at)?;
        let fate = if self.has_live_owner(facts, life, at, 0) {
            Fate::Retained
        } else {
            Fate::Reparented
        };
        Some(Broken {
            fate,
            at,
            due: due.plain,
            seq,
        })
    }

    /// Dead past the grace, and still in the table. The grace counts from its death where that is later.
    fn dead_too_long(&self, facts: &Facts, life: &Life) -> Option<Broken> {
        let died = life.died()?;
        if !life.tabled {
            return None;
        }
        let (from, grace) = if serves(self.role_of(life)) {
            let due = facts.due(self.session_of(life), life.first)?;
            (due.from.max(died), due.grace)
        } else {
            let end = facts.expectations.end;
            (died, facts.expectations.grace_after(end))
        };
        let due = from + grace;
        let moment = facts.moments.first_after(due + facts.lag(from, grace))?;
        let still_there = life.gone.is_none_or(|gone| gone - facts.tick() > moment.at);
        // An exit that the table should have shown as a zombie, had it stayed one.
        let shown = life.zombie.is_some() || life.gone.is_some();
        (still_there && shown).then_some(Broken {
            fate: Fate::Zombie,
            at: moment.at,
            due,
            seq: moment.seq,
        })
    }

    /// Alive after the worker was gone and the time to follow it was over.
    fn left_behind(&self, facts: &Facts, life: &Life, last: bool) -> Option<Broken> {
        let exit = facts.workers.final_exit()?;
        let stated = facts.residue_passed;
        if stated.is_none() && !last {
            // Another worker may be started yet.
            return None;
        }
        let tick = facts.tick();
        let grace = facts.expectations.residue_grace;
        let due = exit + grace;
        let extended = due + facts.lag(exit, grace);
        let sampled = facts
            .moments
            .first_after(extended)
            .filter(|moment| life.lives_at(moment.at, tick))
            .map(|moment| (moment.at, moment.seq));
        let stated = stated.filter(|(passed, _)| {
            let stayed =
                life.harness_signal.is_some() || life.died().is_none_or(|died| died > extended);
            *passed >= due && life.lives_at(*passed, tick) && stayed
        });
        let (at, seq) = sampled
            .into_iter()
            .chain(stated)
            .min_by_key(|(at, _)| *at)?;
        Some(Broken {
            fate: Fate::Residue,
            at,
            due,
            seq,
        })
    }

    /// Whether the chain of parents led to a live worker at a moment. A parent that nobody knows is none; one that nobody saw is
    /// taken to be the worker, as long as there is one.
    pub fn has_live_owner(&self, facts: &Facts, life: &Life, moment: RunTime, depth: u32) -> bool {
        let Some(ppid) = life.parent_at(moment) else {
            return facts.workers.at(moment).is_some();
        };
        if facts.workers.had_pid(ppid, moment) {
            return true;
        }
        if depth == DEPTH {
            return false;
        }
        self.alive_with_pid(facts, ppid, moment)
            .filter(|parent| parent.id != life.id)
            .is_some_and(|parent| self.has_live_owner(facts, parent, moment, depth + 1))
    }
}
