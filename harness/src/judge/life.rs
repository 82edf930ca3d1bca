//! What is known of one process, each fact with its own moment, so that late statements fall into their place.

use std::collections::BTreeSet;

use fake_claude::control::{Role, Why};
use fake_claude::quantity::Span;

use super::books::Fate;
use super::sessions::SessionKey;
use super::standing::Standing;
use crate::process::ProcessIdentity;
use crate::units::RunTime;

/// How many signals, changes of parent, and events are kept of a process.
const KEPT: usize = 16;

/// A signal that a process reported.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    /// When it arrived.
    pub at: RunTime,
    /// Its number.
    pub signal: i32,
    /// The sender's pid; 0 when it is outside.
    pub sender: u32,
    /// Who that was, as far as it was one of the run's processes: later somebody else may have the pid, or nobody.
    pub kin: Option<Kin>,
    /// Whether the process ignores it, as told.
    pub ignored: bool,
}

/// What a sender of a signal is to the process that hears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kin {
    /// It was started by that process.
    Descendant,
    /// It belongs to another session.
    OtherSession,
    /// It is some other process of the run.
    Sibling,
}

/// The last words of a fake.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goodbye {
    /// When.
    pub at: RunTime,
    /// Why it exits.
    pub why: Why,
    /// How many messages it leaves unanswered.
    pub owed: u32,
}

/// Who holds the other end of a process's stdin.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// The holders.
    pub holders: Vec<ProcessIdentity>,
    /// Whether the list is whole.
    pub known: bool,
}

/// An obligation that was broken, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Broken {
    /// The bin that follows.
    pub fate: Fate,
    /// The moment that proves it.
    pub at: RunTime,
    /// When the obligation was due.
    pub due: RunTime,
    /// The event that proves it.
    pub seq: u64,
}

/// When a process that is forgotten died, and when it was first told to end.
#[derive(Debug, Clone, Copy)]
pub(super) struct StarterEnd {
    pub died: Option<RunTime>,
    pub told: Option<RunTime>,
    /// The process session that it was in.
    pub sid: Option<u32>,
    /// The process group that it was in.
    pub pgid: Option<u32>,
}

/// One process.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub id: ProcessIdentity,
    /// Its first sighting by anybody.
    pub first: RunTime,
    pub first_seq: u64,
    pub host_pid: Option<u32>,
    pub command: String,
    pub pgid: Option<u32>,
    pub sid: Option<u32>,
    /// Its role, where it was named.
    pub role: Option<Role>,
    /// Whether it said hello.
    pub spoke: bool,
    /// Whether the process table showed it.
    pub tabled: bool,
    /// Changes of its parent, in order of time.
    parents: Vec<(RunTime, u32)>,
    /// The process that started it.
    pub starter: Option<ProcessIdentity>,
    /// The end of the process that started it, once that is settled and forgotten.
    pub starter_end: Option<StarterEnd>,
    /// Processes that it started.
    pub children: Vec<ProcessIdentity>,
    /// The session that it serves.
    pub session: Option<SessionKey>,
    /// Whether its session is only a guess from its parent.
    pub inherited: bool,
    /// When it began to serve.
    pub serves_from: Option<RunTime>,
    pub rss_bytes: u64,
    pub pss_bytes: Option<u64>,
    /// When it was first seen as a zombie.
    pub zombie: Option<RunTime>,
    pub exited: Option<RunTime>,
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub gone: Option<RunTime>,
    pub lifeline_lost: Option<RunTime>,
    pub goodbye: Option<Goodbye>,
    /// When its stdin ended.
    pub eof: Option<RunTime>,
    heard: Vec<Heard>,
    /// Signals that it got beyond those that are kept.
    pub unkept: u32,
    /// A misbehaviour that ends it, carried out.
    pub dies: bool,
    /// A misbehaviour that makes it hang, carried out.
    pub hangs: bool,
    /// Whether its present turn ends without any result, as told.
    pub silent: bool,
    /// Markers that it read and has not answered.
    pub owed: BTreeSet<String>,
    /// Whether it ever said what it read.
    pub said_work: bool,
    /// Its own last statement.
    pub last_word: Option<RunTime>,
    pub harness_signal: Option<RunTime>,
    pub held: Option<Held>,
    pub broken: Option<Broken>,
    /// The role under which it is in the count of the living.
    pub counted: Option<Role>,
    /// What it adds to the figures of a sample.
    pub standing: Standing,
    /// When the judge looks at it again.
    pub next_look: Option<RunTime>,
}

impl Life {
    pub fn new(id: ProcessIdentity, first: RunTime, first_seq: u64) -> Self {
        Self {
            id,
            first,
            first_seq,
            host_pid: None,
            command: String::new(),
            pgid: None,
            sid: None,
            role: None,
            spoke: false,
            tabled: false,
            parents: Vec::new(),
            starter: None,
            starter_end: None,
            children: Vec::new(),
            session: None,
            inherited: false,
            serves_from: None,
            rss_bytes: 0,
            pss_bytes: None,
            zombie: None,
            exited: None,
            code: None,
            signal: None,
            gone: None,
            lifeline_lost: None,
            goodbye: None,
            eof: None,
            heard: Vec::new(),
            unkept: 0,
            dies: false,
            hangs: false,
            silent: false,
            owed: BTreeSet::new(),
            said_work: false,
            next_look: None,
            last_word: None,
            harness_signal: None,
            held: None,
            broken: None,
            counted: None,
            standing: Standing::default(),
        }
    }

    /// Notes a parent.
    pub fn parent(&mut self, at: RunTime, ppid: u32) {
        let place = self.parents.partition_point(|(then, _)| *then <= at);
        let known = place > 0 && self.parents[place - 1].1 == ppid;
        if !known && self.parents.len() < KEPT {
            self.parents.insert(place, (at, ppid));
        }
    }

    /// Its parent at a moment; before the first sighting of one, that one.
    pub fn parent_at(&self, moment: RunTime) -> Option<u32> {
        let place = self.parents.partition_point(|(at, _)| *at <= moment);
        self.parents
            .get(place.saturating_sub(1))
            .map(|(_, ppid)| *ppid)
    }

    /// Its parents, in order.
    pub fn parents(&self) -> impl Iterator<Item = u32> {
        self.parents.iter().map(|(_, ppid)| *ppid)
    }

    /// The parent that was seen last.
    pub fn last_parent(&self) -> Option<u32> {
        self.parents.last().map(|(_, ppid)| *ppid)
    }

    /// Notes a signal. The first ones are kept: they are what could have ended it.
    pub fn hear(&mut self, heard: Heard) {
        if self.heard.len() < KEPT {
            let place = self.heard.partition_point(|known| known.at <= heard.at);
            self.heard.insert(place, heard);
        } else {
            self.unkept = self.unkept.saturating_add(1);
        }
    }

    /// The signals that arrived no later than a moment.
    pub fn heard_until(&self, moment: RunTime) -> impl DoubleEndedIterator<Item = &Heard> {
        self.heard.iter().filter(move |heard| heard.at <= moment)
    }

    /// The signals that it got.
    pub fn heard(&self) -> impl DoubleEndedIterator<Item = &Heard> {
        self.heard.iter()
    }

    /// When it had left the table. One that the table never showed cannot be missed there, so its exit is all there is.
    pub fn departed(&self) -> Option<RunTime> {
        if self.tabled {
            self.gone
        } else {
            self.gone.or(self.exited).or(self.lifeline_lost)
        }
    }

    /// When it died, as far as is known.
    pub fn died(&self) -> Option<RunTime> {
        [self.exited, self.zombie, self.departed()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The last moment before which it certainly lived. The table tells of a death only at its next tick, so a death that nobody else
    /// saw may be one tick older, unless it spoke later than that, or the harness, having looked again, signalled it.
    pub fn lived_until(&self, tick: Span) -> RunTime {
        match (self.exited, self.zombie.or(self.departed())) {
            (Some(exited), Some(seen)) => exited.min(seen),
            (Some(exited), None) => exited,
            (None, Some(seen)) => [self.last_word, self.harness_signal]
                .into_iter()
                .flatten()
                .fold(seen - tick, RunTime::max)
                .min(seen),
            (None, None) => RunTime::NEVER,
        }
    }

    /// Whether it certainly lived at a moment.
    pub fn lives_at(&self, moment: RunTime, tick: Span) -> bool {
        self.first <= moment && moment < self.lived_until(tick)
    }

    /// When somebody first told it to end: by a signal that it does not ignore, or by closing its stdin.
    pub fn told_to_end(&self) -> Option<RunTime> {
        let signal = self.heard.iter().find(|heard| !heard.ignored);
        match (self.eof, signal.map(|heard| heard.at)) {
            (Some(eof), Some(signal)) => Some(eof.min(signal)),
            (eof, signal) => eof.or(signal),
        }
    }
}
