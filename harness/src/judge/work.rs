//! What became of each work item.
//!
//! An item's book is settled at the end alone: what the worker stored, and what it still keeps, is read back only then. Until then the
//! items of a session of which nothing was heard for a while are put away ([`cold`]): about six bytes each instead of two hundred. That
//! some of them were stored is noted where they lie; any other word about one of them takes all of its session out again, as they were.

mod again;
mod cold;
mod settling;

use std::collections::{BTreeMap, BTreeSet};

use fake_claude::control::TurnKind;
use fake_claude::quantity::Span;

use super::facts::Look;
use super::sessions::SessionKey;
use crate::process::ProcessIdentity;
use crate::units::RunTime;
use again::Again;
use cold::{Cold, Marker};

/// What the driver heard when it offered an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accepted,
    Refused,
    Skipped,
    Unknown,
}

/// What came of an item that a claude had read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// Nothing, as far as is known.
    Read,
    /// The claude ended before it answered.
    Left,
    /// Its turn ended in an error.
    Failed,
    /// Its turn ended without any result.
    Silent,
    /// Its turn ended when the worker that had started the claude was on its way out: nobody was there to hear the answer.
    Deserted,
}

/// How a turn ended that came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// With an error.
    Error,
    /// Without any result.
    Silence,
    /// When the worker that had started the claude was on its way out, so that nobody heard the result.
    Unheard,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    session: SessionKey,
    kind: TurnKind,
    offered_seq: u64,
    /// What the driver heard, and when.
    answer: Option<(Answer, RunTime)>,
    aborted: bool,
    kept: bool,
    /// Good turns of its own kind whose input held it, counted up to three.
    good: u8,
    /// Good turns of another kind whose input held it.
    elsewhere: u8,
    /// The last good turn, so that one turn told of twice counts once.
    last_turn: Option<(ProcessIdentity, u32)>,
    /// Who answered it first.
    answered_by: Option<ProcessIdentity>,
    /// Whether another one answered it too.
    answered_by_others: bool,
    /// The claude that read it last, and what came of that.
    given: Option<(ProcessIdentity, Course)>,
    stored: u32,
    /// Whether it waited in, or behind, a live claude when the run had drained.
    waiting: bool,
}

/// What is known of the worker's storage.
#[derive(Debug, Clone, Default)]
struct Store {
    kinds: Vec<TurnKind>,
    complete: bool,
}

/// The items of one session by its number in the markers, all of them awake.
#[derive(Debug, Clone)]
struct Group {
    /// When something was last heard of any.
    touched: RunTime,
    markers: Vec<String>,
}

/// All work items.
#[derive(Debug, Clone, Default)]
pub(super) struct Items {
    /// Those that were not put away.
    awake: BTreeMap<String, Item>,
    /// Of these, those whose markers tell their session's number.
    groups: BTreeMap<u32, Group>,
    cold: Cold,
    store: Option<Store>,
    /// What the second look found, from its beginning on.
    again: Option<Again>,
    count: u32,
    /// The latest moment of any event.
    now: RunTime,
}

impl Items {
    /// Time goes on.
    pub fn go_on(&mut self, now: RunTime) {
        self.now = now;
    }

    /// An item was offered.
    pub fn offer(&mut self, marker: &str, session: SessionKey, kind: TurnKind, seq: u64) {
        let number = self.wake(marker);
        if self.awake.contains_key(marker) {
            return;
        }
        if let Some(number) = number {
            let group = self.groups.entry(number).or_insert(Group {
                touched: self.now,
                markers: Vec::new(),
            });
            group.markers.push(marker.to_owned());
        }
        self.count = self.count.saturating_add(1);
        self.awake.insert(
            marker.to_owned(),
            Item {
                session,
                kind,
                offered_seq: seq,
                answer: None,
                aborted: false,
                kept: false,
                good: 0,
                elsewhere: 0,
                last_turn: None,
                answered_by: None,
                answered_by_others: false,
                given: None,
                stored: 0,
                waiting: false,
            },
        );
    }

    /// Takes the items of a marker's session out again, if they were put away, and notes that something was heard of them. Gives the
    /// session's number, if the marker tells it.
    fn wake(&mut self, marker: &str) -> Option<u32> {
        let number = Marker::parse(marker)?.session;
        self.wake_group(number);
        Some(number)
    }

    fn wake_group(&mut self, number: u32) {
        if let Some(items) = self.cold.take(number) {
            let group = Group {
                touched: self.now,
                markers: items.iter().map(|(marker, _)| marker.clone()).collect(),
            };
            self.groups.insert(number, group);
            self.awake.extend(items);
        } else if let Some(group) = self.groups.get_mut(&number) {
            group.touched = self.now;
        }
    }

    /// An item to be changed, wherever it was.
    fn get_mut(&mut self, marker: &str) -> Option<&mut Item> {
        self.wake(marker);
        self.awake.get_mut(marker)
    }

    fn answer(&mut self, marker: &str, answer: Answer, at: RunTime) {
        if let Some(item) = self.get_mut(marker) {
            item.answer = Some((answer, at));
        }
    }

    pub fn accept(&mut self, marker: &str, at: RunTime) {
        self.answer(marker, Answer::Accepted, at);
    }

    pub fn refuse(&mut self, marker: &str, at: RunTime) {
        self.answer(marker, Answer::Refused, at);
    }

    pub fn skip(&mut self, marker: &str, at: RunTime) {
        self.answer(marker, Answer::Skipped, at);
    }

    pub fn leave_unknown(&mut self, marker: &str, at: RunTime) {
        self.answer(marker, Answer::Unknown, at);
    }

    pub fn abort(&mut self, marker: &str) {
        if let Some(item) = self.get_mut(marker) {
            item.aborted = true;
        }
    }

    /// The second look begins: what is read back from now on is told of that.
    pub fn look_again(&mut self, at: RunTime) {
        self.again.get_or_insert_with(|| Again::new(at));
    }

    pub fn keep(&mut self, marker: &str) {
        if let Some(again) = &mut self.again {
            again.keep(marker);
        } else if let Some(item) = self.get_mut(marker) {
            item.kept = true;
        }
    }

    pub fn store(&mut self, marker: &str, times: u32) {
        if self.again.is_some() {
            // What had been stored before is not counted again.
            let open = self.peek(marker).is_some_and(|item| item.stored == 0);
            if let Some(again) = self.again.as_mut().filter(|_| open) {
                again.store(marker, times);
            }
            return;
        }
        if self.cold.store(marker, times) {
            return;
        }
        if let Some(item) = self.get_mut(marker) {
            item.stored = item.stored.saturating_add(times);
        }
    }

    pub fn read(&mut self, kinds: Vec<TurnKind>, complete: bool) {
        let store = Store { kinds, complete };
        match &mut self.again {
            Some(again) => again.store = Some(store),
            None => self.store = Some(store),
        }
    }

    /// A good turn ended, at a moment.
    pub fn turn(
        &mut self,
        who: ProcessIdentity,
        (turn, at): (u32, RunTime),
        kind: TurnKind,
        markers: &[String],
    ) {
        for marker in markers {
            let Some(item) = self.get_mut(marker) else {
                continue;
            };
            if item.last_turn == Some((who, turn)) {
                continue;
            }
            item.last_turn = Some((who, turn));
            let own = item.kind == kind;
            let count = if own {
                let first = *item.answered_by.get_or_insert(who);
                item.answered_by_others |= first != who;
                &mut item.good
            } else {
                &mut item.elsewhere
            };
            *count = count.saturating_add(1);
            if let Some(again) = self.again.as_mut().filter(|_| own) {
                again.answer(marker, at);
            }
        }
    }

    /// A claude read items.
    pub fn give(&mut self, who: ProcessIdentity, markers: &[String]) {
        for marker in markers {
            if let Some(item) = self.get_mut(marker) {
                item.given = Some((who, Course::Read));
            }
        }
    }

    /// A turn ended without a good result.
    pub fn fail(&mut self, who: ProcessIdentity, how: Failure, markers: &[String]) {
        let course = match how {
            Failure::Error => Course::Failed,
            Failure::Silence => Course::Silent,
            Failure::Unheard => Course::Deserted,
        };
        for marker in markers {
            if let Some(item) = self.get_mut(marker) {
                item.given = Some((who, course));
            }
        }
    }

    /// A claude ended, and had not answered these.
    pub fn leave<'a>(
        &mut self,
        who: ProcessIdentity,
        markers: impl IntoIterator<Item = &'a String>,
    ) {
        for marker in markers {
            if let Some(item) = self.get_mut(marker)
                && item.given == Some((who, Course::Read))
            {
                item.given = Some((who, Course::Left));
            }
        }
    }

    /// Whether a marker is that of a work item that the driver has not given up: what else a claude reads is no work.
    pub fn is_owed(&self, marker: &str) -> bool {
        self.peek(marker).is_some_and(|item| !item.aborted)
    }

    /// An item as it is, wherever it lies.
    fn peek(&self, marker: &str) -> Option<Item> {
        match self.awake.get(marker) {
            Some(item) => Some(item.clone()),
            None => self.cold.peek(marker),
        }
    }

    /// Notes that an item waits in a live claude when it is looked.
    pub fn wait_in(&mut self, look: Look, marker: &str) {
        if let (Look::Second, Some(again)) = (look, &mut self.again) {
            again.wait_in(marker);
        } else if let Some(item) = self.get_mut(marker) {
            item.waiting = true;
        }
    }

    /// Notes that what is unanswered of some sessions waits behind a live claude when it is looked.
    pub fn wait_behind(&mut self, look: Look, hung: BTreeSet<SessionKey>) {
        if let (Look::Second, Some(again)) = (look, &mut self.again) {
            again.wait_behind(hung);
            return;
        }
        let waits = |item: &Item| item.good == 0 && hung.contains(&item.session);
        let numbers: Vec<u32> = self
            .cold
            .groups()
            .filter(|(_, items)| items.iter().any(|(_, item)| waits(item)))
            .map(|(number, _)| number)
            .collect();
        for number in numbers {
            self.wake_group(number);
        }
        for item in self.awake.values_mut() {
            item.waiting |= waits(item);
        }
    }

    pub const fn len(&self) -> u32 {
        self.count
    }

    /// Puts the items of sessions away of which nothing was heard for so long.
    pub fn put_away(&mut self, quiet: Span) {
        let (now, awake, cold) = (self.now, &mut self.awake, &mut self.cold);
        self.groups.retain(|number, group| {
            if now < group.touched + quiet {
                return true;
            }
            let items = group.markers.iter();
            let items: Vec<(&str, &Item)> = items
                .filter_map(|marker| Some((marker.as_str(), awake.get(marker)?)))
                .collect();
            let put = cold.put(*number, &items);
            if put {
                for marker in &group.markers {
                    awake.remove(marker);
                }
            } else {
                // It cannot be put away now, nor a moment later.
                group.touched = now;
            }
            !put
        });
    }

    /// How many entries of any kind are held for single items, those that were put away left out.
    #[cfg(test)]
    pub fn entries(&self) -> usize {
        let again = self.again.as_ref().map_or(0, Again::entries);
        self.awake.len() + self.groups.len() + again
    }

    /// How many bytes those take that were put away.
    #[cfg(test)]
    pub fn cold_bytes(&self) -> usize {
        self.cold.bytes()
    }

    /// Every item with its marker, wherever it is.
    fn each(&self, mut look: impl FnMut(&str, &Item)) {
        for (_, items) in self.cold.groups() {
            for (marker, item) in &items {
                look(marker, item);
            }
        }
        for (marker, item) in &self.awake {
            look(marker, item);
        }
    }
}

#[cfg(test)]
mod tests;
