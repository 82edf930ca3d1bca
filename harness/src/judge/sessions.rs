//! What is known of each session.

use std::collections::BTreeMap;

use crate::process::ProcessIdentity;
use crate::scenario::End;
use crate::units::RunTime;

/// A session's place in the list of all.
pub(super) type SessionKey = usize;

/// How many primaries, and stretches of service, are kept for each session; more than a few at once is a storm.
const KEPT: usize = 64;

/// A session's end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    /// When.
    pub at: RunTime,
    /// How.
    pub end: End,
    /// The event that says so.
    pub seq: u64,
}

/// A stretch of time in which a primary served a session and nobody was ending it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    /// When it began to serve.
    pub from: RunTime,
    /// When it ended or was being ended.
    pub to: RunTime,
}

/// One session.
#[derive(Debug, Clone, Default)]
pub(super) struct Session {
    /// Its id, chosen by the driver or, for one that never opened, named by a fake.
    pub name: String,
    /// When it opened.
    pub opened: Option<RunTime>,
    /// When the worker was told that a prompt is done, and when the next one began.
    between_prompts: Vec<(RunTime, Option<RunTime>)>,
    /// Its end; of several, the first.
    pub ended: Option<Ended>,
    /// What it waited for when it could not go on.
    pub stalled: Option<String>,
    /// Whether a live claude hung with its work when the run had drained.
    pub hung: bool,
    /// Whether work of it waits in, or behind, a live claude to the end.
    pub waits: bool,
    /// Whether work of it lies in the worker's queue to the end.
    pub queued: bool,
    /// Whether a claude that serves it lived, with nothing in hand, when all had come to rest.
    pub attended: bool,
    /// Whether work that lies in the worker's queue had been given to a claude that ended.
    pub given_before: bool,
    /// Whether work that lies in the worker's queue was never given to any claude.
    pub never_given: bool,
    /// Whether any process ever said that it serves it.
    pub served: bool,
    /// Primaries and payloads that were started for it.
    pub started: u32,
    /// What these started in their turn.
    pub descendants: u32,
    /// How long two primaries served it at once.
    pub twin_for: Option<(RunTime, RunTime)>,
    services: Vec<Service>,
    /// The primaries that were started for it, with their first sightings.
    primaries: Vec<(ProcessIdentity, RunTime)>,
}

impl Session {
    /// Notes a primary.
    pub fn note_primary(&mut self, id: ProcessIdentity, first: RunTime) {
        if self.primaries.iter().any(|(known, _)| *known == id) {
            return;
        }
        if self.primaries.len() == KEPT {
            self.primaries.remove(0);
        }
        self.primaries.push((id, first));
    }

    /// Whether a primary was started after a moment and before another one.
    pub fn started_between(&self, after: RunTime, before: RunTime) -> bool {
        let mut primaries = self.primaries.iter();
        primaries.any(|(_, first)| after < *first && *first < before)
    }

    /// Whether it was open at a moment.
    pub fn open_at(&self, moment: RunTime) -> bool {
        self.opened.is_some_and(|opened| opened <= moment)
            && self.ended.is_none_or(|ended| moment < ended.at)
    }

    /// Whether it was between two prompts at a moment, so that what serves it and owes nothing may be ended.
    pub fn between_prompts_at(&self, moment: RunTime) -> bool {
        self.between_prompts
            .iter()
            .any(|(from, to)| *from <= moment && to.is_none_or(|to| moment < to))
    }

    /// Notes a stretch of service, and for how long it overlapped another one.
    pub fn serve(&mut self, service: Service, least: fake_claude::quantity::Span) {
        for other in &self.services {
            let from = service.from.max(other.from);
            let to = service.to.min(other.to);
            if to.since(from) > least && self.twin_for.is_none_or(|(start, _)| from < start) {
                self.twin_for = Some((from, to));
            }
        }
        if self.services.len() == KEPT {
            self.services.remove(0);
        }
        self.services.push(service);
    }
}

/// All sessions.
#[derive(Debug, Clone, Default)]
pub(super) struct Sessions {
    by_name: BTreeMap<String, SessionKey>,
    all: Vec<Session>,
    /// Sessions that are open, in the order in which events told of them.
    open: u32,
    /// The latest end of any session.
    pub last_end: Option<Ended>,
}

impl Sessions {
    /// The key of a session, new or known.
    pub fn key(&mut self, name: &str) -> SessionKey {
        if let Some(key) = self.by_name.get(name) {
            return *key;
        }
        let key = self.all.len();
        self.all.push(Session {
            name: name.to_owned(),
            ..Session::default()
        });
        self.by_name.insert(name.to_owned(), key);
        key
    }

    /// A session by its name, if anything was ever said of it.
    pub fn named(&self, name: &str) -> Option<&Session> {
        self.by_name.get(name).map(|key| &self.all[*key])
    }

    /// A session by its key.
    pub fn get(&self, key: SessionKey) -> &Session {
        &self.all[key]
    }

    /// A session by its key, to be changed.
    pub fn get_mut(&mut self, key: SessionKey) -> &mut Session {
        &mut self.all[key]
    }

    /// A session opened.
    pub fn open(&mut self, name: &str, at: RunTime) -> SessionKey {
        let key = self.key(name);
        let session = &mut self.all[key];
        if session.opened.is_none() {
            session.opened = Some(at);
            self.open += u32::from(session.ended.is_none());
        }
        key
    }

    /// A prompt of a session is done.
    pub fn end_prompt(&mut self, name: &str, at: RunTime) {
        let key = self.key(name);
        self.all[key].between_prompts.push((at, None));
    }

    /// The next prompt of a session begins.
    pub fn begin_prompt(&mut self, name: &str, at: RunTime) {
        let key = self.key(name);
        if let Some((_, to @ None)) = self.all[key].between_prompts.last_mut() {
            *to = Some(at);
        }
    }

    /// A session ended. Only its first end counts.
    pub fn end(&mut self, name: &str, ended: Ended) -> SessionKey {
        let key = self.key(name);
        let session = &mut self.all[key];
        if session.ended.is_none() {
            session.ended = Some(ended);
            self.open -= u32::from(session.opened.is_some());
            if self.last_end.is_none_or(|last| last.at < ended.at) {
                self.last_end = Some(ended);
            }
        }
        key
    }

    /// Whether no session is open.
    pub const fn all_over(&self) -> bool {
        self.open == 0
    }

    /// Whether any session was open at a moment.
    pub fn any_open_at(&self, moment: RunTime) -> bool {
        self.all.iter().any(|session| session.open_at(moment))
    }

    /// The session that was open at a moment, where there was only one.
    pub fn only_one_open_at(&self, moment: RunTime) -> Option<SessionKey> {
        if self.open > 64 {
            // Not worth a walk through all of them for every stranger.
            return None;
        }
        let mut open = (0..self.all.len()).filter(|key| self.all[*key].open_at(moment));
        open.next().filter(|_| open.next().is_none())
    }

    /// Every session.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.all.iter()
    }
}
