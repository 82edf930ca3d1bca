//! Which process belongs to which: who started it, what it is, and whom it serves.

use fake_claude::control::Role;

use super::Census;
use crate::judge::command::looks_like_claude;
use crate::judge::facts::Facts;
use crate::judge::life::{Kin, Life, StarterEnd};
use crate::judge::sessions::SessionKey;
use crate::process::ProcessIdentity;
use crate::units::RunTime;

/// How far parentage is followed.
const DEPTH: u32 = 32;

impl Census {
    /// Notes who started a process, where a parent that is no worker is known.
    pub(super) fn link(&mut self, facts: &Facts, id: ProcessIdentity, ppid: u32, at: RunTime) {
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
    pub(super) fn descends(&self, id: ProcessIdentity, from: ProcessIdentity) -> bool {
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

    /// A starter's own word about its child is better than the parent that the table showed: that may be one it moved to.
    pub(super) fn adopt(&mut self, starter: ProcessIdentity, child: ProcessIdentity) {
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
    pub(super) fn tell_wrapper(
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

    /// What the process that has a pid at this moment of the recording is to one that hears its signal.
    pub(super) fn kin(
        &self,
        facts: &Facts,
        hearer: ProcessIdentity,
        pid: u32,
        at: RunTime,
    ) -> Option<Kin> {
        let sender = self.by_pid.get(&pid).and_then(|id| self.lives.get(id));
        // It is heard a little after it was sent, and whoever sent it may have ended by then.
        let sender = sender.filter(|life| life.died().is_none_or(|died| died + facts.hold() >= at));
        // One that was started a moment ago may not have been seen yet.
        let starter = match sender {
            Some(sender) => sender.starter,
            None => Some(*self.promised.get(&pid)?),
        };
        if starter == Some(hearer) {
            return Some(Kin::Descendant);
        }
        let session = sender
            .or_else(|| self.lives.get(&starter?))
            .and_then(|life| self.session_of(life));
        let own = self.session_of(self.lives.get(&hearer)?);
        Some(match (session, own) {
            (Some(session), Some(own)) if session != own => Kin::OtherSession,
            _ => Kin::Sibling,
        })
    }

    /// When the process that started another one died, and when it was first told to end.
    pub fn starter_end(&self, life: &Life) -> Option<StarterEnd> {
        match self.lives.get(&life.starter?) {
            Some(starter) => Some(StarterEnd {
                died: starter.died(),
                told: starter.told_to_end(),
                sid: starter.sid,
                pgid: starter.pgid,
            }),
            None => life.starter_end,
        }
    }

    /// Gives the children of a process what they have from it, before it is forgotten.
    pub(super) fn hand_down(&mut self, id: ProcessIdentity) {
        let Some(life) = self.lives.get(&id) else {
            return;
        };
        let session = self.session_of(life);
        let end = StarterEnd {
            died: life.died(),
            told: life.told_to_end(),
            sid: life.sid,
            pgid: life.pgid,
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
}
