//! What is done with a process once it is decided: its bin, its finding, the figures; then it is forgotten.

use fake_claude::control::Role;

use super::{Census, serves};
use crate::judge::books::Fate;
use crate::judge::ending::Ending;
use crate::judge::facts::Facts;
use crate::judge::sessions::{Service, SessionKey};
use crate::judge::standing::Standing;
use crate::judge::work::Items;
use crate::process::ProcessIdentity;
use crate::units::RunTime;

/// How many settled processes are remembered, so that a late word about one does not count it twice.
const REMEMBERED: usize = 8_192;

impl Census {
    /// Puts a process into its bin and forgets it.
    pub(super) fn settle(&mut self, facts: &mut Facts, items: &mut Items, id: ProcessIdentity) {
        self.hand_down(id);
        self.conclude(facts, items, id);
        self.forget(id);
    }

    /// Puts a process into its bin.
    pub(super) fn conclude(&mut self, facts: &mut Facts, items: &mut Items, id: ProcessIdentity) {
        let Some(life) = self.lives.get(&id) else {
            return;
        };
        let role = self.role_of(life);
        let named = self.session_of(life);
        let known = named.filter(|key| facts.sessions.get(*key).opened.is_some());
        let session = known.or_else(|| {
            // Better than nobody's: the only session that was open when it came.
            serves(role).then(|| facts.sessions.only_one_open_at(life.first))?
        });
        if let Some(session) = session {
            facts.sessions.wake(session);
        }
        self.live_leaks -= u32::from(life.broken.is_some());
        let ended = life.died();
        if ended.is_some_and(|ended| ended < facts.runs_own_end(life)) {
            items.leave(id, &life.owed);
        }
        let decided = self.decide(facts, items, life, role, session);
        self.note_reap_time(facts, id, role, session, decided.fate);
        self.note_service(facts, id, role, session);
        self.note_blindness(facts, id);
        let life = &self.lives[&id];
        match (session, role) {
            _ if !serves(role) => {}
            (Some(session), Role::Grandchild) => facts.sessions.get_mut(session).descendants += 1,
            (Some(session), _) => facts.sessions.get_mut(session).started += 1,
            (None, _) => self.unattributed += 1,
        }
        if decided.fate.is_leak() {
            // A zombie holds no memory any more.
            let (rss, pss) = match decided.fate {
                Fate::Zombie => (0, None),
                _ => (life.rss_bytes, life.pss_bytes),
            };
            self.memory.leaked(rss, pss);
        }
        if let Some(found) = self.report(facts, life, role, session, &decided) {
            self.findings.add(found);
        }
        if let (Fate::Undecided, Ending::Unsure(why)) = (decided.fate, decided.ending) {
            self.unsure.get_or_insert(why);
        }
        self.roles.of_mut(role).put(decided.fate);
        if let Some(course) = &mut self.course {
            // Whom it named although it never opened is better than nobody.
            let session = session.or(named).filter(|_| serves(role));
            let session = session.map(|key| facts.sessions.get(key));
            course.add(session, &self.lives[&id], role, decided.fate);
        }
    }

    /// Forgets a process that is in its bin.
    pub(super) fn forget(&mut self, id: ProcessIdentity) {
        let Some(life) = self.lives.remove(&id) else {
            return;
        };
        // One that starts a process for every session must not remember all of them.
        if let Some(starter) = life
            .starter
            .and_then(|starter| self.lives.get_mut(&starter))
        {
            starter.children.retain(|child| *child != id);
        }
        self.uncount(life.counted);
        self.standing.replace(life.standing, Standing::default());
        self.memory.forgotten(life.pss_bytes);
        if let Some(look) = life.next_look {
            self.agenda.remove(&(look, id));
        }
        if self.by_pid.get(&id.pid) == Some(&id) {
            self.by_pid.remove(&id.pid);
        }
        self.settled.insert(id);
        self.settled_order.push_back(id);
        if self.settled_order.len() > REMEMBERED
            && let Some(oldest) = self.settled_order.pop_front()
        {
            self.settled.remove(&oldest);
        }
    }

    /// Notes how long a process took to go after its session's end, unless it went before, or the end of the run made it go.
    pub(super) fn note_reap_time(
        &mut self,
        facts: &Facts,
        id: ProcessIdentity,
        role: Role,
        session: Option<SessionKey>,
        fate: Fate,
    ) {
        let life = &self.lives[&id];
        let ended = session.and_then(|session| facts.sessions.get(session).ended);
        let (true, Some(ended), Some(died)) = (serves(role), ended, life.died()) else {
            return;
        };
        let made_to = [life.harness_signal, facts.final_stop(), facts.interrupted];
        let made_to = made_to.into_iter().flatten().min();
        // One that was on its way when the session ended counts from its own first sighting, as its grace does.
        let from = ended.at.max(life.first);
        if died > from && fate != Fate::Survivor && made_to.is_none_or(|made_to| died < made_to) {
            self.reap.add(died.since(from));
        }
    }

    /// Notes for how long a primary served its session before it was ended.
    pub(super) fn note_service(
        &mut self,
        facts: &mut Facts,
        id: ProcessIdentity,
        role: Role,
        session: Option<SessionKey>,
    ) {
        let life = &self.lives[&id];
        let (Role::Primary, Some(session), Some(from)) = (role, session, life.serves_from) else {
            return;
        };
        let end = facts.expectations.end;
        let grace = facts.expectations.grace_after(end);
        let died = life.died().unwrap_or(facts.horizon);
        // One that is being ended is no twin of the one that takes over, unless it does not go.
        let to = match life.told_to_end() {
            Some(told) if died <= told + grace => told,
            _ => died,
        };
        let stop = facts.final_stop().unwrap_or(RunTime::NEVER);
        let least = facts.hold();
        facts.sessions.get_mut(session).serve(
            Service {
                from,
                to: to.min(stop),
            },
            least,
        );
    }

    /// Notes a process that spoke for longer than two ticks and that the table never showed.
    pub(super) fn note_blindness(&mut self, facts: &Facts, id: ProcessIdentity) {
        let life = &self.lives[&id];
        let until = life.died().unwrap_or(facts.horizon);
        let first_look = facts.moments.first_after(life.first);
        let second_look = first_look.and_then(|look| facts.moments.first_after(look.at));
        let looked = second_look.is_some_and(|look| look.at < until);
        let main = facts.main_table();
        if life.spoke && !life.tabled && looked && !facts.had_failed(main, until) {
            self.unseen_by_table += 1;
        }
    }
}
