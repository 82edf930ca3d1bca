//! What is known of each session.
//!
//! A session of which nothing was heard for a while, which is not open, and which no process that is still followed belongs to, is put
//! away ([`cold`]): about fifty bytes instead of a kilobyte. Whatever names it takes it out again, as it was.

mod cold;
mod names;

use std::borrow::Cow;
use std::collections::BTreeMap;

use fake_claude::quantity::Span;

use crate::process::ProcessIdentity;
use crate::scenario::End;
use crate::units::RunTime;
use cold::Cold;

/// A session's place in the order in which events first named them.
pub(super) type SessionKey = usize;

/// How many primaries, and stretches of service, are kept for each session; more than a few at once is a storm.
const KEPT: usize = 64;

/// A session's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    /// When.
    pub at: RunTime,
    /// How.
    pub end: End,
    /// The event that says so.
    pub seq: u64,
}

/// A stretch of time in which a primary served a session and nobody was ending it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Service {
    /// When it began to serve.
    pub from: RunTime,
    /// When it ended or was being ended.
    pub to: RunTime,
}

/// One session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// Stretches of service, and the primaries that were started for it with their first sightings.
    past: Past,
    /// When something was last heard of it.
    touched: RunTime,
}

/// The past of a session, by its primaries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Past {
    services: Vec<Service>,
    primaries: Vec<(ProcessIdentity, RunTime)>,
    /// Whether a primary was first seen before the session's end. Of a session that was put away long ago this is all that is known of
    /// its past: what starts now can neither overlap with it nor be replaced by it.
    began: bool,
}

impl Session {
    /// Notes a primary.
    pub fn note_primary(&mut self, id: ProcessIdentity, first: RunTime) {
        let primaries = &mut self.past.primaries;
        if primaries.iter().any(|(known, _)| *known == id) {
            return;
        }
        if primaries.len() == KEPT {
            primaries.remove(0);
        }
        primaries.push((id, first));
    }

    /// Whether a primary was started after a moment and before another one.
    pub fn started_between(&self, after: RunTime, before: RunTime) -> bool {
        let mut primaries = self.past.primaries.iter();
        primaries.any(|(_, first)| after < *first && *first < before)
    }

    /// Whether a primary was started before it ended.
    pub fn started_before_its_end(&self) -> bool {
        self.past.began
            || self
                .ended
                .is_some_and(|ended| self.started_between(RunTime::START, ended.at))
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
    pub fn serve(&mut self, service: Service, least: Span) {
        let services = &mut self.past.services;
        for other in services.iter() {
            let from = service.from.max(other.from);
            let to = service.to.min(other.to);
            if to.since(from) > least && self.twin_for.is_none_or(|(start, _)| from < start) {
                self.twin_for = Some((from, to));
            }
        }
        if services.len() == KEPT {
            services.remove(0);
        }
        services.push(service);
    }

    /// Whether it opened and has not ended.
    const fn is_open(&self) -> bool {
        self.opened.is_some() && self.ended.is_none()
    }
}

/// All sessions.
#[derive(Debug, Clone, Default)]
pub(super) struct Sessions {
    by_name: BTreeMap<String, SessionKey>,
    /// Those that were not put away.
    awake: BTreeMap<SessionKey, Session>,
    cold: Cold,
    /// How many there are.
    count: SessionKey,
    /// Sessions that are open, in the order in which events told of them.
    open: u32,
    /// The latest end of any session.
    pub last_end: Option<Ended>,
    /// When the first one opened.
    pub first_opened: Option<RunTime>,
    /// The latest moment of any event.
    now: RunTime,
}

impl Sessions {
    /// Time goes on.
    pub fn go_on(&mut self, now: RunTime) {
        self.now = now;
    }

    /// The key of a session, new or known.
    pub fn key(&mut self, name: &str) -> SessionKey {
        let known = self.by_name.get(name).copied();
        if let Some(key) = known.or_else(|| self.cold.find(name)) {
            self.wake(key);
            return key;
        }
        let key = self.count;
        self.count += 1;
        let session = Session {
            name: name.to_owned(),
            touched: self.now,
            ..Session::default()
        };
        self.awake.insert(key, session);
        self.by_name.insert(name.to_owned(), key);
        key
    }

    /// A session by its name, if anything was ever said of it, put away or not.
    pub fn named(&self, name: &str) -> Option<Cow<'_, Session>> {
        match self.by_name.get(name) {
            Some(key) => self.awake.get(key).map(Cow::Borrowed),
            None => self.cold.peek(self.cold.find(name)?).map(Cow::Owned),
        }
    }

    /// Takes a session out again that was put away, and notes that something was heard of it.
    pub fn wake(&mut self, key: SessionKey) {
        if let Some(session) = self.cold.take(key) {
            self.by_name.insert(session.name.clone(), key);
            self.awake.insert(key, session);
        }
        if let Some(session) = self.awake.get_mut(&key) {
            session.touched = self.now;
        }
    }

    /// A session by its key. One that was put away has to be woken before.
    pub fn get(&self, key: SessionKey) -> &Session {
        &self.awake[&key]
    }

    /// A session by its key, to be changed.
    pub fn get_mut(&mut self, key: SessionKey) -> &mut Session {
        self.wake(key);
        self.awake.entry(key).or_default()
    }

    /// How a session ended, whether it was put away or not.
    pub fn end_of(&self, key: SessionKey) -> Option<Ended> {
        match self.awake.get(&key) {
            Some(session) => session.ended,
            None => self.cold.peek(key)?.ended,
        }
    }

    /// A session opened.
    pub fn open(&mut self, name: &str, at: RunTime) -> SessionKey {
        let key = self.key(name);
        let session = self.get_mut(key);
        if session.opened.is_none() {
            session.opened = Some(at);
            let open = u32::from(session.ended.is_none());
            self.open += open;
            self.first_opened = Some(self.first_opened.map_or(at, |first| first.min(at)));
        }
        key
    }

    /// A prompt of a session is done.
    pub fn end_prompt(&mut self, name: &str, at: RunTime) {
        let key = self.key(name);
        self.get_mut(key).between_prompts.push((at, None));
    }

    /// The next prompt of a session begins.
    pub fn begin_prompt(&mut self, name: &str, at: RunTime) {
        let key = self.key(name);
        if let Some((_, to @ None)) = self.get_mut(key).between_prompts.last_mut() {
            *to = Some(at);
        }
    }

    /// A session ended. Only its first end counts.
    pub fn end(&mut self, name: &str, ended: Ended) -> SessionKey {
        let key = self.key(name);
        let session = self.get_mut(key);
        if session.ended.is_none() {
            session.ended = Some(ended);
            let was_open = u32::from(session.opened.is_some());
            self.open -= was_open;
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
        self.awake.values().any(|session| session.open_at(moment))
            || self.cold.open_at(moment).next().is_some()
    }

    /// The session that was open at a moment, where there was only one.
    pub fn only_one_open_at(&self, moment: RunTime) -> Option<SessionKey> {
        if self.open > 64 {
            // Not worth a walk through all of them for every stranger.
            return None;
        }
        let awake = self
            .awake
            .iter()
            .filter(|(_, session)| session.open_at(moment));
        let awake = awake.map(|(key, _)| *key);
        let mut open = awake.chain(self.cold.open_at(moment));
        open.next().filter(|_| open.next().is_none())
    }

    /// Every session, in the order in which events first named them.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, Session>> {
        (0..self.count).filter_map(|key| match self.awake.get(&key) {
            Some(session) => Some(Cow::Borrowed(session)),
            None => self.cold.peek(key).map(Cow::Owned),
        })
    }

    /// Puts away what is over and was not heard of for so long, but for those that are held by a process.
    pub fn put_away(&mut self, quiet: Span, held: impl Fn(SessionKey) -> bool) {
        let now = self.now;
        let over = |key: SessionKey, session: &Session| {
            !session.is_open() && session.touched + quiet <= now && !held(key)
        };
        let awake = self.awake.iter();
        let over: Vec<SessionKey> = awake
            .filter(|(key, session)| over(**key, session))
            .map(|(key, _)| *key)
            .collect();
        for key in over {
            if let Some(session) = self.awake.get(&key)
                && self.cold.put(key, session)
                && let Some(session) = self.awake.remove(&key)
            {
                self.by_name.remove(&session.name);
            }
        }
    }

    /// How many entries of any kind are held for single sessions, those that were put away left out.
    #[cfg(test)]
    pub fn entries(&self) -> usize {
        self.awake.len() + self.by_name.len() + self.cold.entries()
    }

    /// How many bytes those take that were put away.
    #[cfg(test)]
    pub fn cold_bytes(&self) -> usize {
        self.cold.bytes()
    }
}
