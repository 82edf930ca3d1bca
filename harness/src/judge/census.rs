//! Every process of the run, from its first sighting to its bin.
//!
//! Facts are noted with their own moments; a decision is taken only when the facts that bear on it must have arrived. A process that is
//! gone is settled, put into its bin, and forgotten.

mod agenda;
mod belonging;
mod settling;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fake_claude::control::{Role, Say};

use super::books::Roles;
use super::course::Course;
use super::facts::Facts;
use super::finding::Findings;
use super::life::{Goodbye, Heard, Held, Life};
use super::memory::Memory;
use super::reap::ReapTimes;
use super::sessions::SessionKey;
use super::standing::{Standing, Standings};
use super::work::{Failure, Items};
use crate::process::{ProcessIdentity, ProcessRow, ProcessState};
use crate::timeline::event::Source;
use crate::units::RunTime;

/// How many children are remembered that a fake said it started and that nobody has seen yet.
const PROMISED: usize = 8_192;

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
    /// Whether what waits at the drain has been looked at, and what waits at the second look.
    looked: [bool; 2],

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
    /// What the living add to the figures of a sample.
    pub standing: Standings,
    /// The course of single processes and sessions, where it is asked for.
    pub course: Option<Course>,
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

    /// The sessions that a process that is still followed belongs to by its own word or its parent's.
    pub fn sessions(&self) -> BTreeSet<SessionKey> {
        self.lives
            .values()
            .filter_map(|life| life.session)
            .collect()
    }

    /// How many entries of any kind are held for single processes.
    #[cfg(test)]
    pub fn entries(&self) -> usize {
        let of_lives = self.lives.values().map(|life| 1 + life.children.len());
        of_lives.sum::<usize>()
            + self.by_pid.len()
            + self.promised.len()
            + self.agenda.len()
            + self.settled.len()
            + self.settled_order.len()
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
            self.standing.replace(life.standing, Standing::default());
            if let Some(look) = life.next_look {
                self.agenda.remove(&(look, id));
            }
        }
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
            self.stand(facts, id);
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
            items.turn(id, (*turn, at), *kind, markers);
        }
        facts.spoken(at);
        let kin = match say {
            Say::SawSignal { sender, .. } => self.kin(facts, id, *sender, at),
            _ => None,
        };
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
                    let workers = &facts.workers;
                    let how = if workers.owner_was_leaving(life.first, at, facts.hold()) {
                        Failure::Unheard
                    } else if life.silent {
                        Failure::Silence
                    } else {
                        Failure::Error
                    };
                    items.fail(id, how, markers);
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
                kin,
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
                            if self.promised.len() > PROMISED {
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
        self.stand(facts, id);
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
}
