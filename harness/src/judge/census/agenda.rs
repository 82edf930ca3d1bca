//! When which process is looked at, and what that decides.

use std::collections::BTreeSet;

use fake_claude::control::Role;
use fake_claude::quantity::Span;

use super::{Census, serves};
use crate::judge::facts::{Facts, Look, Rest};
use crate::judge::life::{Broken, Life};
use crate::judge::work::Items;
use crate::process::ProcessIdentity;
use crate::units::RunTime;

/// How long the last words of a fake are waited for, when its connection has not ended.
const PATIENCE: Span = Span::from_secs(10);
/// For how long no fake may have said anything, and none may be at work, for a run to be at rest whatever the worker's queue says.
const STILL: Span = Span::from_secs(1);

impl Census {
    /// Plans the next look at a process, unless an earlier one is planned.
    pub(super) fn plan(&mut self, facts: &Facts, id: ProcessIdentity) {
        let Some(life) = self.lives.get(&id) else {
            return;
        };
        let Some(look) = self.next_look(facts, life) else {
            return;
        };
        let planned = life.next_look;
        if planned.is_none_or(|planned| look < planned) {
            if let Some(planned) = planned {
                self.agenda.remove(&(planned, id));
            }
            self.agenda.insert((look, id));
            if let Some(life) = self.lives.get_mut(&id) {
                life.next_look = Some(look);
            }
        }
    }

    /// When a process can be decided about, as far as can be told now.
    pub(super) fn next_look(&self, facts: &Facts, life: &Life) -> Option<RunTime> {
        let hold = facts.hold();
        if let Some(departed) = life.departed() {
            return Some(departed + hold);
        }
        if life.broken.is_some() {
            return None;
        }
        let role = self.role_of(life);
        let due = if serves(role) {
            facts.due(self.session_of(life), life.first)
        } else {
            None
        };
        match (life.died(), due) {
            (Some(died), Some(due)) => Some(due.plain.max(died + due.grace) + hold),
            (Some(died), None) if !serves(role) => {
                let grace = facts.expectations.grace_after(facts.expectations.end);
                Some(died + grace + hold)
            }
            (Some(_), None) => None,
            (None, due) => due.map(|due| due.plain + hold),
        }
    }

    /// Plans looks at all processes again, because the run changed what they are held to.
    pub fn plan_all(&mut self, facts: &Facts) {
        let ids: Vec<ProcessIdentity> = self.lives.keys().copied().collect();
        for id in ids {
            self.plan(facts, id);
        }
    }

    /// Decides what can be decided by now.
    pub fn advance(&mut self, facts: &mut Facts, items: &mut Items) {
        for look in [Look::First, Look::Second] {
            if facts
                .looked(look)
                .is_some_and(|(at, _)| at + facts.hold() <= facts.horizon)
            {
                self.look_at_waiting(facts, items, look);
            }
        }
        while let Some((at, id)) = self.agenda.first().copied() {
            if at > facts.horizon {
                break;
            }
            self.agenda.remove(&(at, id));
            self.look(facts, items, id);
        }
    }

    pub(super) fn look(&mut self, facts: &mut Facts, items: &mut Items, id: ProcessIdentity) {
        let Some(life) = self.lives.get_mut(&id) else {
            return;
        };
        life.next_look = None;
        let life = &self.lives[&id];
        if life.broken.is_none()
            && let Some(broken) = self.overdue(facts, life, false)
        {
            self.break_obligation(facts, id, broken);
        }
        let life = &self.lives[&id];
        if let Some(departed) = life.departed()
            && departed + facts.hold() <= facts.horizon
        {
            // Whether a stop of the worker was its last is known when another one starts, or at the end.
            let stopping = facts.final_stop().is_some_and(|stop| stop <= departed);
            // Whatever a fake said has been heard when its connection has ended; until then its goodbye may be under way.
            let unheard = life.spoke
                && life.goodbye.is_none()
                && life.lifeline_lost.is_none()
                && facts.horizon < departed + PATIENCE;
            if unheard {
                self.look_again(facts.horizon + facts.hold(), id);
            } else if life.broken.is_some() || !stopping {
                self.settle(facts, items, id);
            }
            return;
        }
        // Nothing is certain yet; the next sample may tell.
        let again = facts.horizon + facts.hold();
        if life.broken.is_none()
            && let Some(look) = self.next_look(facts, life)
        {
            self.look_again(look.max(again), id);
        }
    }

    pub(super) fn look_again(&mut self, look: RunTime, id: ProcessIdentity) {
        if let Some(life) = self.lives.get_mut(&id) {
            life.next_look = Some(look);
            self.agenda.insert((look, id));
        }
    }

    pub(super) fn break_obligation(&mut self, facts: &Facts, id: ProcessIdentity, broken: Broken) {
        if let Some(life) = self.lives.get_mut(&id) {
            life.broken = Some(broken);
            self.live_leaks += 1;
            self.stand(facts, id);
        }
    }

    /// Notes what waits in, and behind, a live claude at the moment of a look, once.
    fn look_at_waiting(&mut self, facts: &mut Facts, items: &mut Items, look: Look) {
        let Some((at, quiet)) = facts.looked(look) else {
            return;
        };
        if std::mem::replace(&mut self.looked[look as usize], true) {
            return;
        }
        let mut behind = BTreeSet::new();
        let mut idle = BTreeSet::new();
        let (mut at_work, mut primary_lived) = (false, false);
        for life in self.lives.values() {
            let alive = life.first <= at && life.died().is_none_or(|died| died > at);
            let role = self.role_of(life);
            if !alive || !serves(role) {
                continue;
            }
            primary_lived |= role == Role::Primary;
            at_work |= !life.owed.is_empty() && !life.hangs;
            for marker in &life.owed {
                items.wait_in(look, marker);
            }
            if (!life.owed.is_empty() || life.hangs)
                && let Some(session) = self.session_of(life)
            {
                behind.insert(session);
            } else if role != Role::Grandchild
                && life.serves_from.is_some()
                && life.eof.is_none()
                && let Some(session) = self.session_of(life)
            {
                idle.insert(session);
            }
        }
        // A worker that counts what it will never hand out lets no run come to rest by itself.
        let still = !at_work && facts.was_silent(look, STILL);
        if quiet || still {
            facts.come_to_rest(look, Rest { primary_lived });
            for session in idle {
                facts.sessions.get_mut(session).attended = true;
            }
        }
        if quiet {
            for session in &behind {
                facts.sessions.get_mut(*session).hung = true;
            }
        }
        items.wait_behind(look, behind);
    }

    /// Decides what is left, at the end of the recording.
    pub fn finish(&mut self, facts: &mut Facts, items: &mut Items) {
        for look in [Look::First, Look::Second] {
            self.look_at_waiting(facts, items, look);
        }
        let mut ids: Vec<(RunTime, ProcessIdentity)> = self
            .lives
            .values()
            .map(|life| (life.first, life.id))
            .collect();
        ids.sort_unstable();
        for (_, id) in &ids {
            let life = &self.lives[id];
            // Of a run that goes on, a statement that clears it may be under way.
            if life.broken.is_none()
                && !facts.goes_on
                && let Some(broken) = self.overdue(facts, life, true)
            {
                self.break_obligation(facts, *id, broken);
            }
        }
        // Decisions look at relatives, so no process is forgotten before all are decided.
        for (_, id) in &ids {
            self.conclude(facts, items, *id);
        }
        for (_, id) in ids {
            self.forget(id);
        }
    }
}
