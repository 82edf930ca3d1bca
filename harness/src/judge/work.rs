//! What became of each work item.
//!
//! An item's book is settled at the end alone: what the worker stored, and what it still keeps, is read back only then. Until then an
//! item costs about a hundred bytes.

use std::collections::BTreeMap;

use fake_claude::control::TurnKind;

use super::books::Work;
use super::sessions::SessionKey;
use crate::process::ProcessIdentity;
use crate::scenario::Bin;
use crate::units::RunTime;

/// What the driver heard when it offered an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accepted,
    Refused,
    Skipped,
    Unknown,
}

#[derive(Debug)]
struct Item {
    session: SessionKey,
    kind: TurnKind,
    offered_seq: u64,
    answer: Option<Answer>,
    /// Whether the worker was down or on its way out when it refused, or did not answer.
    excused: bool,
    aborted: bool,
    kept: bool,
    /// Good turns of its own kind whose input held it, counted up to three.
    good: u8,
    /// Good turns of another kind whose input held it.
    elsewhere: u8,
    /// The last good turn, so that one turn told of twice counts once.
    last_turn: Option<(ProcessIdentity, u32)>,
    stored: u32,
    /// Whether it waited in, or behind, a live claude when the run had drained.
    waiting: bool,
}

/// One item's book, settled.
#[derive(Debug)]
pub(super) struct Settled<'a> {
    pub marker: &'a str,
    pub session: SessionKey,
    pub bin: Bin,
    /// Whether it speaks against the worker.
    pub blames: bool,
    pub cause: &'static str,
    pub offered_seq: u64,
}

/// What is known of the worker's storage.
#[derive(Debug, Clone, Default)]
struct Store {
    kinds: Vec<TurnKind>,
    complete: bool,
}

/// All work items.
#[derive(Debug, Default)]
pub(super) struct Items {
    items: BTreeMap<String, Item>,
    store: Option<Store>,
}

impl Items {
    /// An item was offered.
    pub fn offer(&mut self, marker: &str, session: SessionKey, kind: TurnKind, seq: u64) {
        self.items.entry(marker.to_owned()).or_insert(Item {
            session,
            kind,
            offered_seq: seq,
            answer: None,
            excused: false,
            aborted: false,
            kept: false,
            good: 0,
            elsewhere: 0,
            last_turn: None,
            stored: 0,
            waiting: false,
        });
    }

    fn answer(&mut self, marker: &str, answer: Answer, excused: bool) {
        if let Some(item) = self.items.get_mut(marker) {
            item.answer = Some(answer);
            item.excused = excused;
        }
    }

    pub fn accept(&mut self, marker: &str) {
        self.answer(marker, Answer::Accepted, false);
    }

    pub fn refuse(&mut self, marker: &str, excused: bool) {
        self.answer(marker, Answer::Refused, excused);
    }

    pub fn skip(&mut self, marker: &str) {
        self.answer(marker, Answer::Skipped, true);
    }

    pub fn leave_unknown(&mut self, marker: &str, excused: bool) {
        self.answer(marker, Answer::Unknown, excused);
    }

    pub fn abort(&mut self, marker: &str) {
        if let Some(item) = self.items.get_mut(marker) {
            item.aborted = true;
        }
    }

    pub fn keep(&mut self, marker: &str) {
        if let Some(item) = self.items.get_mut(marker) {
            item.kept = true;
        }
    }

    pub fn store(&mut self, marker: &str, times: u32) {
        if let Some(item) = self.items.get_mut(marker) {
            item.stored = item.stored.saturating_add(times);
        }
    }

    pub fn read(&mut self, kinds: Vec<TurnKind>, complete: bool) {
        self.store = Some(Store { kinds, complete });
    }

    /// A good turn ended.
    pub fn turn(&mut self, who: ProcessIdentity, turn: u32, kind: TurnKind, markers: &[String]) {
        for marker in markers {
            let Some(item) = self.items.get_mut(marker) else {
                continue;
            };
            if item.last_turn == Some((who, turn)) {
                continue;
            }
            item.last_turn = Some((who, turn));
            let count = if item.kind == kind {
                &mut item.good
            } else {
                &mut item.elsewhere
            };
            *count = count.saturating_add(1);
        }
    }

    /// Whether a marker is that of a work item that the driver has not given up: what else a claude reads is no work.
    pub fn is_owed(&self, marker: &str) -> bool {
        self.items.get(marker).is_some_and(|item| !item.aborted)
    }

    /// Notes that an item, or all of a session, waits in or behind a live claude.
    pub fn wait_in(&mut self, marker: &str) {
        if let Some(item) = self.items.get_mut(marker) {
            item.waiting = true;
        }
    }

    /// Notes that what is unanswered of some sessions waits behind a live claude.
    pub fn wait_behind(&mut self, hung: impl Fn(SessionKey) -> bool) {
        for item in self.items.values_mut() {
            item.waiting |= item.good == 0 && hung(item.session);
        }
    }

    pub fn len(&self) -> u32 {
        u32::try_from(self.items.len()).unwrap_or(u32::MAX)
    }

    /// Answered items of which nobody knows whether they were stored.
    pub fn unread(&self) -> u32 {
        let Some(store) = self.store.as_ref().filter(|store| !store.complete) else {
            return 0;
        };
        let unread = self
            .items
            .values()
            .filter(|item| item.good > 0 && item.stored == 0 && store.kinds.contains(&item.kind));
        unread.count() as u32
    }

    /// Settles every item. `drained` says when the run had drained and whether it had come to rest, and `worker_lived` whether a
    /// worker lived then, without which nothing goes on.
    pub fn settle(
        &self,
        drained: Option<(RunTime, bool)>,
        worker_lived: bool,
        mut each: impl FnMut(Settled<'_>),
    ) -> Work {
        let mut work = Work::default();
        for (marker, item) in &self.items {
            let (bin, cause) = self.bin(item, drained, worker_lived);
            work.offered += 1;
            let blames = match bin {
                None => {
                    work.answered += usize::from(!item.gave_up()) as u32;
                    work.aborted += usize::from(item.gave_up()) as u32;
                    continue;
                }
                Some(Bin::Refused | Bin::Unknown) => !item.excused,
                Some(Bin::Skipped) => false,
                Some(_) => true,
            };
            let Some(bin) = bin else { continue };
            *match bin {
                Bin::Duplicated => &mut work.duplicated,
                Bin::Lost => &mut work.lost,
                Bin::Pending => &mut work.pending,
                Bin::Refused => &mut work.refused,
                Bin::Skipped => &mut work.skipped,
                _ => &mut work.unknown,
            } += 1;
            each(Settled {
                marker,
                session: item.session,
                bin,
                blames,
                cause,
                offered_seq: item.offered_seq,
            });
        }
        work
    }

    /// The bin of an item that is a finding; none for one that was answered or given up. Evidence of an answer beats what the worker
    /// said about it.
    fn bin(
        &self,
        item: &Item,
        drained: Option<(RunTime, bool)>,
        worker_lived: bool,
    ) -> (Option<Bin>, &'static str) {
        // A turn of another kind that repeats the item may store it too, so records may be as many as turns that held it.
        let turns = u32::from(item.good) + u32::from(item.elsewhere);
        if item.good >= 2 {
            return (Some(Bin::Duplicated), "answered in more than one turn");
        }
        if item.stored > turns.max(1) {
            return (Some(Bin::Duplicated), "stored more often than answered");
        }
        let readable = self
            .store
            .as_ref()
            .is_some_and(|store| store.complete && store.kinds.contains(&item.kind));
        if item.stored > 0 || (item.good > 0 && !readable) {
            return (None, "");
        }
        if item.kept {
            return (Some(Bin::Pending), "kept in the worker's queue on disk");
        }
        if item.aborted {
            return (None, "");
        }
        match item.answer {
            Some(Answer::Refused) => return (Some(Bin::Refused), "the worker said no"),
            Some(Answer::Skipped) => {
                return (Some(Bin::Skipped), "the worker said that it skips it");
            }
            None | Some(Answer::Unknown) => return (Some(Bin::Unknown), "no answer came"),
            Some(Answer::Accepted) => {}
        }
        if item.good > 0 {
            return (Some(Bin::Lost), "answered by claude and never stored");
        }
        if item.waiting {
            return (Some(Bin::Pending), "waits in or behind a live claude");
        }
        match drained {
            None => (Some(Bin::Pending), "the run did not wait for it"),
            Some((_, false)) if worker_lived => {
                (Some(Bin::Pending), "work went on when the time was over")
            }
            Some(_) => (
                Some(Bin::Lost),
                "accepted, and neither answered nor waiting anywhere",
            ),
        }
    }
}

impl Item {
    /// Whether it was given up by the driver and nobody answered it.
    const fn gave_up(&self) -> bool {
        self.aborted && self.good == 0 && self.stored == 0
    }
}
