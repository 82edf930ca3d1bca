//! Every process of the run, from its first sighting to its bin.
//!
//! Facts are noted with their own moments; a decision is taken only when the facts that bear on it must have arrived. A process that is
//! gone is settled, put into its bin, and forgotten.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fake_claude::control::{Role, Say};
use fake_claude::quantity::Span;

use super::books::{Fate, Roles};
use super::command::looks_like_claude;
use super::ending::Ending;
use super::facts::{Facts, Rest};
use super::finding::Findings;
use super::life::{Goodbye, Heard, Held, Life, StarterEnd};
use super::memory::Memory;
use super::reap::ReapTimes;
use super::sessions::{Service, SessionKey};
use super::work::Items;
use crate::process::{ProcessIdentity, ProcessRow, ProcessState};
use crate::timeline::event::Source;
use crate::units::RunTime;

/// How many settled processes are remembered, so that a late word about one does not count it twice.
const REMEMBERED: usize = 8_192;
/// How far parentage is followed.
const DEPTH: u32 = 32;
/// How long the last words of a fake are waited for, when its connection has not ended.
const PATIENCE: Span = Span::from_secs(10);
/// For how long no fake may have said anything, and none may be at work, for a run to be at rest whatever the worker's queue says.
const STILL: Span = Span::from_secs(1);

/// All processes.
#[derive(Debug, Clone, Default)]
pub(super) struct Census {
    pub lives: BTreeMap<ProcessIdentity, Life>,
    by_pid: BTreeMap<u32, ProcessIdentity>,
    /// Pids that a fake said it started, before anybody saw them.
    promised: BTreeMap<u32, ProcessIdentity>,
    agenda: BTreeSet<(RunTime, ProcessIdentity)>,
    settled: BTreeSet<ProcessIdentity>,
    settled_order: VecDeque<ProcessIdentity>,
    /// Whether what waits at the drain has been looked at.
    drain_looked: bool,

    /// Identities that were counted when first seen.
    pub counted: u32,
    pub roles: Roles,
    /// Processes that serve a session, started without anybody knowing for which.
    pub unattributed: u32,
    alive: BTreeMap<Role, u32>,
    pub peak: u32,
    pub reap: ReapTimes,
    pub memory: Memory,
    pub findings: Findings,
    /// Processes that only their own words told of.
    pub unseen_by_table: u32,
    /// Live processes that broke an obligation.
    live_leaks: u32,
    /// Why the first undecided process is.
    pub unsure: Option<super::doubt::Unsure>,
}

/// Whether a role serves a session, and so has to go when that is over.
pub(super) const fn serves(role: Role) -> bool {
    matches!(role, Role::Primary | Role::Payload | Role::Grandchild)
}

const fn is_table(source: Source) -> bool {
    matches!(source, Source::Table | Source::Portable)
}

impl Census {
    /// Processes in a leak bin so far: settled ones, and those that live and broke an obligation.
    pub fn leaks(&self) -> u32 {
        self.roles.all().leaked() + self.live_leaks
    }

    /// The process, new or known; none for the worker and for what is settled.
    fn life(
        &mut self,
        facts: &Facts,
        id: ProcessIdentity,
        at: RunTime,
        seq: u64,
    ) -> Option<&mut Life> {
        if facts.workers.includes(id) || self.settled.contains(&id) {
            return None;
        }
        if !self.lives.contains_key(&id) {
            let mut life = Life::new(id, at, seq);
            self.counted += 1;
            if let Some(starter) = self.promised.remove(&id.pid)
                && starter != id
            {
                life.starter = Some(starter);
                if let Some(starter) = self.lives.get_mut(&starter) {
                    starter.children.push(id);
                }
            }
            self.lives.insert(id, life);
            self.by_pid.insert(id.pid, id);
        }
        let life = self.lives.get_mut(&id)?;
        if at < life.first {
            life.first = at;
        }
        Some(life)
    }

    /// The worker was started: what was taken for a process of the run, because it was seen before, is none.
    pub fn forget_worker(&mut self, id: ProcessIdentity) {
        if let Some(life) = self.lives.remove(&id) {
            self.counted -= 1;
            self.live_leaks -= u32::from(life.broken.is_some());
            self.uncount(life.counted);
            if let Some(look) = life.next_look {
                self.agenda.remove(&(look, id));
            }
        }
    }

    /// Notes who started a process, where a parent that is no worker is known.
    fn link(&mut self, facts: &Facts, id: ProcessIdentity, ppid: u32, at: RunTime) {
        if facts.workers.had_pid(ppid, at) {
            return;
        }
        let Some(parent) = self.by_pid.get(&ppid).copied() else {
            return;
        };
        if parent == id || parent.start_time > id.start_time || self.descends(parent, id) {
            return;
        }
        let Some(life) = self.lives.get_mut(&id) else {
            return;
        };
        if life.starter.is_some() {
            return;
        }
        life.starter = Some(parent);
        if let Some(parent) = self.lives.get_mut(&parent) {
            parent.children.push(id);
        }
    }

    /// Whether a process descends from another: a lie about parents must not make a circle.
    fn descends(&self, id: ProcessIdentity, from: ProcessIdentity) -> bool {
        let mut at = Some(id);
        for _ in 0..DEPTH {
            match at {
                Some(here) if here == from => return true,
                Some(here) => at = self.lives.get(&here).and_then(|life| life.starter),
                None => return false,
            }
        }
        true
    }

    /// A process was seen in the table.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the fields of one event"
    )]
    pub fn seen(
        &mut self,
        facts: &Facts,
        (at, seq, source): (RunTime, u64, Source),
        id: ProcessIdentity,
        ppid: u32,
        host_pid: Option<u32>,
        (pgid, sid): (u32, u32),
        command: &str,
        role: Option<Role>,
    ) {
        let Some(life) = self.life(facts, id, at, seq) else {
            return;
        };
        life.host_pid = life.host_pid.or(host_pid);
        life.pgid = Some(pgid);
        life.sid = Some(sid);
        if !command.is_empty() {
            command.clone_into(&mut life.command);
        }
        life.tabled |= is_table(source);
        if !life.spoke {
            life.role = life.role.or(role);
        }
        life.parent(at, ppid);
        self.link(facts, id, ppid, at);
        self.touched(facts, id);
    }

    /// A row of a sample.
    pub fn row(&mut self, facts: &Facts, at: RunTime, seq: u64, row: &ProcessRow) {
        let Some(life) = self.life(facts, row.process, at, seq) else {
            return;
        };
        life.tabled = true;
        life.parent(at, row.ppid);
        if row.state == ProcessState::Zombie {
            life.zombie.get_or_insert(at);
        } else {
            // A process that is about to be a zombie has given its memory back; what it held while it lived is what counts.
            if row.rss_bytes > 0 {
                life.rss_bytes = row.rss_bytes;
            }
        }
        self.link(facts, row.process, row.ppid, at);
        self.touched(facts, row.process);
    }

    /// A process ended.
    pub fn exited(
        &mut self,
        facts: &Facts,
        (at, seq): (RunTime, u64),
        id: ProcessIdentity,
        code: Option<i32>,
        signal: Option<i32>,
        reaped: bool,
    ) {
        if let Some(life) = self.life(facts, id, at, seq) {
            life.exited = Some(life.exited.map_or(at, |known| known.min(at)));
            life.code = life.code.or(code);
            life.signal = life.signal.or(signal);
            if reaped {
                life.gone = Some(life.gone.map_or(at, |known| known.min(at)));
            }
            self.touched(facts, id);
        }
    }

    /// A process is no longer in the table.
    pub fn gone(
        &mut self,
        facts: &Facts,
        (at, seq, source): (RunTime, u64, Source),
        id: ProcessIdentity,
    ) {
        if let Some(life) = self.life(facts, id, at, seq) {
            life.tabled |= is_table(source);
            life.gone = Some(life.gone.map_or(at, |known| known.min(at)));
            self.touched(facts, id);
        }
    }

    /// The control connection of a fake ended.
    pub fn lifeline_lost(&mut self, facts: &Facts, at: RunTime, seq: u64, id: ProcessIdentity) {
        if let Some(life) = self.life(facts, id, at, seq) {
            life.lifeline_lost.get_or_insert(at);
            self.touched(facts, id);
        }
    }

    /// A process was examined closely.
    pub fn examined(
        &mut self,
        facts: &Facts,
        (at, seq): (RunTime, u64),
        id: ProcessIdentity,
        pss_bytes: Option<u64>,
        held: Held,
    ) {
        if let Some(life) = self.life(facts, id, at, seq) {
            let before = life.pss_bytes;
            life.pss_bytes = pss_bytes.or(before);
            // What is looked up once the worker is leaving says nothing about why a process leaked before that.
            let late = facts.final_stop().is_some_and(|stop| stop < at);
            if life.held.is_none() || !late {
                life.held = Some(held);
            }
            let after = life.pss_bytes;
            self.memory.examined(before, after);
        }
    }

    /// The harness signalled a process.
    pub fn harness_signalled(&mut self, facts: &Facts, at: RunTime, seq: u64, id: ProcessIdentity) {
        if let Some(life) = self.life(facts, id, at, seq) {
            life.harness_signal.get_or_insert(at);
        }
    }

    /// A process carries the cookie: it is one of the run, and that is all that this says.
    pub fn cookie(&mut self, facts: &Facts, at: RunTime, seq: u64, id: ProcessIdentity) {
        if self.life(facts, id, at, seq).is_some() {
            self.touched(facts, id);
        }
    }

    /// A fake said something.
    pub fn said(
        &mut self,
        facts: &mut Facts,
        items: &mut Items,
        (at, seq): (RunTime, u64),
        id: ProcessIdentity,
        say: &Say,
    ) {
        let own_session = match say {
            Say::Hello {
                session: Some(session),
                ..
            }
            | Say::Serves { session } => Some(facts.sessions.key(session)),
            _ => None,
        };
        // An answer is an answer, also when it is heard after its process was settled.
        if let Say::TurnEnded {
            turn,
            kind,
            good: true,
            markers,
        } = say
        {
            items.turn(id, *turn, *kind, markers);
        }
        facts.spoken(at);
        let Some(life) = self.life(facts, id, at, seq) else {
            return;
        };
        life.last_word = Some(life.last_word.map_or(at, |known| known.max(at)));
        match say {
            Say::Hello {
                ppid, role, argv, ..
            } => {
                life.spoke = true;
                life.role = Some(*role);
                // What the table read may be its parent's command line, or nothing, in the middle of an exec; its own word is right.
                if !argv.is_empty() {
                    life.command = argv.join(" ").chars().take(400).collect();
                }
                life.parent(at, *ppid);
                if let Some(session) = own_session {
                    life.session = Some(session);
                    life.inherited = false;
                    if *role == Role::Primary {
                        let session = facts.sessions.get_mut(session);
                        session.note_primary(id, life.first);
                    }
                }
                self.link(facts, id, *ppid, at);
            }
            Say::Serves { .. } => {
                life.session = own_session;
                life.inherited = false;
                life.serves_from = Some(life.serves_from.map_or(at, |known| known.min(at)));
                if let Some(session) = own_session {
                    let session = facts.sessions.get_mut(session);
                    session.served = true;
                    if life.role == Some(Role::Primary) {
                        session.note_primary(id, life.first);
                    }
                }
                self.tell_wrapper(facts, id, own_session, at);
            }
            Say::SawWork { markers, .. } => {
                life.said_work = true;
                life.owed.extend(markers.iter().cloned());
                items.give(id, markers);
            }
            Say::TurnStarted { .. } => life.silent = false,
            Say::TurnEnded { markers, good, .. } => {
                for marker in markers {
                    life.owed.remove(marker);
                }
                if !good {
                    items.fail(id, life.silent, markers);
                }
            }
            Say::SawEof { .. } => {
                life.eof = Some(life.eof.map_or(at, |known| known.min(at)));
            }
            Say::SawSignal {
                signal,
                sender,
                ignored,
                ..
            } => life.hear(Heard {
                at,
                signal: *signal,
                sender: *sender,
                ignored: *ignored,
            }),
            Say::Did { what, pid } => {
                let key = what.split(['=', ' ']).next().unwrap_or_default();
                life.dies |= key == "die";
                life.hangs |= matches!(key, "hang" | "deaf");
                life.silent |= key == "silent";
                if let Some(pid) = *pid {
                    match self.by_pid.get(&pid).copied() {
                        Some(child) if child.start_time >= id.start_time && child != id => {
                            self.adopt(id, child);
                        }
                        _ => {
                            self.promised.insert(pid, id);
                            if self.promised.len() > REMEMBERED {
                                self.promised.pop_first();
                            }
                        }
                    }
                }
            }
            Say::Goodbye { why, owed, .. } => {
                life.goodbye = Some(Goodbye {
                    at,
                    why: *why,
                    owed: *owed,
                });
            }
        }
        self.touched(facts, id);
    }

    /// A starter's own word about its child is better than the parent that the table showed: that may be one it moved to.
    fn adopt(&mut self, starter: ProcessIdentity, child: ProcessIdentity) {
        if self.descends(starter, child) || !self.lives.contains_key(&child) {
            return;
        }
        let before = self
            .lives
            .get_mut(&child)
            .and_then(|life| life.starter.replace(starter));
        if let Some(before) = before.and_then(|before| self.lives.get_mut(&before)) {
            before.children.retain(|known| *known != child);
        }
        if let Some(life) = self.lives.get_mut(&starter) {
            life.children.push(child);
        }
    }

    /// A wrapper reads nothing, so it learns its session from its payload.
    fn tell_wrapper(
        &mut self,
        facts: &mut Facts,
        id: ProcessIdentity,
        session: Option<SessionKey>,
        at: RunTime,
    ) {
        let Some(life) = self.lives.get(&id) else {
            return;
        };
        let (Some(Role::Payload), Some(starter)) = (life.role, life.starter) else {
            return;
        };
        if let Some(wrapper) = self.lives.get_mut(&starter)
            && wrapper.session.is_none()
        {
            wrapper.session = session;
            wrapper.serves_from = Some(at);
            if let Some(session) = session {
                let session = facts.sessions.get_mut(session);
                session.note_primary(starter, wrapper.first);
            }
        }
    }

    /// The role of a process: its own word, or the adapter's, or what its starter makes it.
    pub fn role_of(&self, life: &Life) -> Role {
        let mut generation = life;
        for depth in 0..DEPTH {
            let starter = generation
                .starter
                .and_then(|starter| self.lives.get(&starter));
            if let Some(role) = generation.role {
                return match role {
                    _ if depth == 0 => role,
                    Role::Primary | Role::Payload | Role::Grandchild => Role::Grandchild,
                    Role::Helper | Role::Probe => role,
                };
            }
            match starter {
                Some(starter) => generation = starter,
                None if looks_like_claude(&generation.command) && depth == 0 => {
                    return Role::Primary;
                }
                None if looks_like_claude(&generation.command) => return Role::Grandchild,
                None => return Role::Helper,
            }
        }
        Role::Helper
    }

    /// The session of a process: its own word, or that of the nearest ancestor that has one.
    pub fn session_of(&self, life: &Life) -> Option<SessionKey> {
        let mut generation = life;
        for _ in 0..DEPTH {
            if generation.session.is_some() {
                return generation.session;
            }
            generation = self.lives.get(&generation.starter?)?;
        }
        None
    }

    /// The process that had a pid at a moment, and lived.
    pub fn alive_with_pid(&self, facts: &Facts, pid: u32, moment: RunTime) -> Option<&Life> {
        let life = self.lives.get(self.by_pid.get(&pid)?)?;
        life.lives_at(moment, facts.tick()).then_some(life)
    }

    fn uncount(&mut self, role: Option<Role>) {
        if let Some(role) = role
            && let Some(alive) = self.alive.get_mut(&role)
        {
            *alive = alive.saturating_sub(1);
        }
    }

    /// Brings the count of the living up to date, and plans the next look at a process.
    fn touched(&mut self, facts: &Facts, id: ProcessIdentity) {
        let Some(life) = self.lives.get(&id) else {
            return;
        };
        let role = self.role_of(life);
        let counted = life.counted;
        let now = life.died().is_none().then_some(role);
        if counted != now {
            self.uncount(counted);
            if let Some(role) = now {
                *self.alive.entry(role).or_default() += 1;
            }
            if let Some(life) = self.lives.get_mut(&id) {
                life.counted = now;
            }
        }
        self.plan(facts, id);
    }

    /// Live processes of the roles that a condition names.
    pub fn alive(&self, which: impl Fn(Role) -> bool) -> u32 {
        let alive = self.alive.iter().filter(|(role, _)| which(**role));
        alive.map(|(_, count)| count).sum()
    }

    /// A sample was taken: the moment at which peaks are noted.
    pub fn sampled(&mut self) {
        self.peak = self.peak.max(self.alive(serves));
        for role in [
            Role::Primary,
            Role::Payload,
            Role::Grandchild,
            Role::Helper,
            Role::Probe,
        ] {
            let alive = self.alive.get(&role).copied().unwrap_or_default();
            let bins = self.roles.of_mut(role);
            bins.peak = bins.peak.max(alive);
        }
    }

    /// Plans the next look at a process, unless an earlier one is planned.
    fn plan(&mut self, facts: &Facts, id: ProcessIdentity) {
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
    fn next_look(&self, facts: &Facts, life: &Life) -> Option<RunTime> {
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
        if let Some((at, quiet)) = facts.drained
            && !self.drain_looked
            && at + facts.hold() <= facts.horizon
        {
            self.look_at_waiting(facts, items, at, quiet);
        }
        while let Some((at, id)) = self.agenda.first().copied() {
            if at > facts.horizon {
                break;
            }
            self.agenda.remove(&(at, id));
            self.look(facts, items, id);
        }
    }

    fn look(&mut self, facts: &mut Facts, items: &mut Items, id: ProcessIdentity) {
        let Some(life) = self.lives.get_mut(&id) else {
            return;
        };
        life.next_look = None;
        let life = &self.lives[&id];
        if life.broken.is_none()
            && let Some(broken) = self.overdue(facts, life, false)
        {
            self.break_obligation(id, broken);
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

    fn look_again(&mut self, look: RunTime, id: ProcessIdentity) {
        if let Some(life) = self.lives.get_mut(&id) {
            life.next_look = Some(look);
            self.agenda.insert((look, id));
        }
    }

    fn break_obligation(&mut self, id: ProcessIdentity, broken: super::life::Broken) {
        if let Some(life) = self.lives.get_mut(&id) {
            life.broken = Some(broken);
            self.live_leaks += 1;
        }
    }

    /// Notes what waits in, and behind, a live claude at the moment when the run had drained.
    fn look_at_waiting(&mut self, facts: &mut Facts, items: &mut Items, at: RunTime, quiet: bool) {
        self.drain_looked = true;
        let mut behind = BTreeSet::new();
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
                items.wait_in(marker);
            }
            if (!life.owed.is_empty() || life.hangs)
                && let Some(session) = self.session_of(life)
            {
                behind.insert(session);
            }
        }
        // A worker that counts what it will never hand out lets no run come to rest by itself.
        let still = !at_work && !facts.spoke_on && at.since(facts.last_word) >= STILL;
        if quiet || still {
            facts.rest = Some(Rest { primary_lived });
        }
        items.wait_behind(|session| behind.contains(&session));
        if quiet {
            for session in behind {
                facts.sessions.get_mut(session).hung = true;
            }
        }
    }

    /// When the process that started another one died, and when it was first told to end.
    pub fn starter_end(&self, life: &Life) -> Option<StarterEnd> {
        match self.lives.get(&life.starter?) {
            Some(starter) => Some(StarterEnd {
                died: starter.died(),
                told: starter.told_to_end(),
                sid: starter.sid,
            }),
            None => life.starter_end,
        }
    }

    /// Decides what is left, at the end of the recording.
    pub fn finish(&mut self, facts: &mut Facts, items: &mut Items) {
        if let Some((at, quiet)) = facts.drained
            && !self.drain_looked
        {
            self.look_at_waiting(facts, items, at, quiet);
        }
        let mut ids: Vec<(RunTime, ProcessIdentity)> = self
            .lives
            .values()
            .map(|life| (life.first, life.id))
            .collect();
        ids.sort_unstable();
        for (_, id) in &ids {
            let life = &self.lives[id];
            if life.broken.is_none()
                && let Some(broken) = self.overdue(facts, life, true)
            {
                self.break_obligation(*id, broken);
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

    /// Gives the children of a process what they have from it, before it is forgotten.
    fn hand_down(&mut self, id: ProcessIdentity) {
        let Some(life) = self.lives.get(&id) else {
            return;
        };
        let session = self.session_of(life);
        let end = StarterEnd {
            died: life.died(),
            told: life.told_to_end(),
            sid: life.sid,
        };
        let children = life.children.clone();
        for child in children {
            let Some(child_life) = self.lives.get(&child) else {
                continue;
            };
            let role = self.role_of(child_life);
            if let Some(child_life) = self.lives.get_mut(&child) {
                child_life.role.get_or_insert(role);
                child_life.starter_end = Some(end);
                if child_life.session.is_none() && session.is_some() {
                    child_life.session = session;
                    child_life.inherited = true;
                }
            }
        }
    }

    /// Puts a process into its bin and forgets it.
    fn settle(&mut self, facts: &mut Facts, items: &mut Items, id: ProcessIdentity) {
        self.hand_down(id);
        self.conclude(facts, items, id);
        self.forget(id);
    }

    /// Puts a process into its bin.
    fn conclude(&mut self, facts: &mut Facts, items: &mut Items, id: ProcessIdentity) {
        let Some(life) = self.lives.get(&id) else {
            return;
        };
        let role = self.role_of(life);
        let known = self
            .session_of(life)
            .filter(|key| facts.sessions.get(*key).opened.is_some());
        let session = known.or_else(|| {
            // Better than nobody's: the only session that was open when it came.
            serves(role).then(|| facts.sessions.only_one_open_at(life.first))?
        });
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
    }

    /// Forgets a process that is in its bin.
    fn forget(&mut self, id: ProcessIdentity) {
        let Some(life) = self.lives.remove(&id) else {
            return;
        };
        self.uncount(life.counted);
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
    fn note_reap_time(
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
    fn note_service(
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
    fn note_blindness(&mut self, facts: &Facts, id: ProcessIdentity) {
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
