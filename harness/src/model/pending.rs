//! Work that was accepted and is not answered yet, in memory and on disk.
//!
//! v9.0.0 deletes an item from its table at the moment it is claimed, so an item in flight dies with its child. The model keeps
//! it until the turn that answers it has ended, because a harness that looks for lost work needs a worker that loses none: the
//! price is that an item whose child died between answer and result is answered twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::json_lines::{JsonLines, StoreError};
use super::policy::Quirk;

/// Past this size the file is emptied as soon as nothing is pending.
const COMPACT_ABOVE: u64 = 1 << 20;

/// One accepted work item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) id: u64,
    pub(super) session: i64,
    pub(super) created_at_epoch: i64,
    pub(super) work: Work,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Work {
    /// A tool was used.
    Observation {
        tool_name: String,
        tool_input: String,
        tool_response: String,
        prompt_number: Option<u32>,
        cwd: Option<String>,
    },
    /// The assistant has stopped.
    Summarize { last_assistant_message: String },
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Added(Item),
    /// `leaves-claimed`: somebody works on it, and whoever reads this later takes that for true.
    Claimed(u64),
    Done(u64),
}

/// The queues of all sessions.
#[derive(Debug)]
pub(super) struct PendingStore {
    file: JsonLines,
    next_id: u64,
    queues: BTreeMap<i64, Queue>,
    writes_claims: bool,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Item>,
    in_flight: usize,
    /// Items that a daemon that is gone had claimed, and that count as in flight for ever.
    claimed: Vec<Item>,
}

impl PendingStore {
    /// Opens the store of a data folder. What was in flight when the last daemon ended waits again.
    pub(super) fn open(data: &Path, quirks: &[Quirk]) -> Result<Self, StoreError> {
        let mut items = BTreeMap::new();
        let mut claimed = BTreeSet::new();
        let mut next_id = 1;
        let mut file = JsonLines::open(data.join("pending.jsonl"), |line| {
            match serde_json::from_slice(line).ok()? {
                Line::Added(item) => {
                    next_id = next_id.max(item.id + 1);
                    items.insert(item.id, item);
                }
                Line::Claimed(id) => {
                    claimed.insert(id);
                }
                Line::Done(id) => {
                    items.remove(&id);
                }
            }
            None
        })?;
        let mut queues: BTreeMap<i64, Queue> = BTreeMap::new();
        if items.is_empty() {
            file.clear()?;
        }
        for item in items.into_values() {
            let queue = queues.entry(item.session).or_default();
            if claimed.contains(&item.id) {
                queue.in_flight += 1;
                queue.claimed.push(item);
            } else {
                queue.waiting.push_back(item);
            }
        }
        Ok(Self {
            file,
            next_id,
            queues,
            writes_claims: quirks.contains(&Quirk::LeavesClaimed),
        })
    }

    /// Takes an item in; it is on disk when this returns.
    pub(super) fn enqueue(
        &mut self,
        session: i64,
        created_at_epoch: i64,
        work: Work,
    ) -> Result<(), StoreError> {
        let line = Line::Added(Item {
            id: self.next_id,
            session,
            created_at_epoch,
            work,
        });
        self.file.log(&line)?;
        self.next_id += 1;
        if let Line::Added(item) = line {
            self.queues
                .entry(session)
                .or_default()
                .waiting
                .push_back(item);
        }
        Ok(())
    }

    /// Takes the oldest waiting item of a session out of its queue, to be delivered.
    pub(super) fn claim(&mut self, session: i64) -> Option<Item> {
        let queue = self.queues.get_mut(&session)?;
        let item = queue.waiting.pop_front()?;
        queue.in_flight += 1;
        if self.writes_claims {
            // One that cannot be written down is handed out again after a restart, as it should be.
            let _ = self.file.log(&Line::Claimed(item.id));
        }
        Some(item)
    }

    /// The turn of a claimed item has ended: it is no longer pending.
    pub(super) fn confirm(&mut self, item: &Item) -> Result<(), StoreError> {
        if let Some(queue) = self.queues.get_mut(&item.session) {
            queue.in_flight = queue.in_flight.saturating_sub(1);
            self.forget_if_empty(item.session);
        }
        self.file.log(&Line::Done(item.id))?;
        if self.queues.is_empty() && self.file.size() > COMPACT_ABOVE {
            self.file.clear()?;
        }
        Ok(())
    }

    /// Throws away waiting items of a session, and says how many that were.
    pub(super) fn drop_waiting(
        &mut self,
        session: i64,
        is_dropped: impl Fn(&Work) -> bool,
    ) -> Result<usize, StoreError> {
        let Some(queue) = self.queues.get_mut(&session) else {
            return Ok(0);
        };
        let (dropped, kept): (VecDeque<_>, _) = mem::take(&mut queue.waiting)
            .into_iter()
            .partition(|item| is_dropped(&item.work));
        queue.waiting = kept;
        self.forget_if_empty(session);
        for item in &dropped {
            self.file.log(&Line::Done(item.id))?;
        }
        Ok(dropped.len())
    }

    /// Claimed items were not answered: they wait again, before everything younger.
    pub(super) fn put_back(&mut self, items: impl IntoIterator<Item = Item>) {
        for item in items {
            let queue = self.queues.entry(item.session).or_default();
            queue.in_flight = queue.in_flight.saturating_sub(1);
            let place = queue.waiting.partition_point(|other| other.id < item.id);
            queue.waiting.insert(place, item);
        }
    }

    /// How many items of a session wait to be delivered.
    pub(super) fn waiting(&self, session: i64) -> usize {
        self.queues
            .get(&session)
            .map_or(0, |queue| queue.waiting.len())
    }

    /// All items that wait to be delivered, session by session, and those that nobody will ever deliver.
    pub(super) fn all_waiting(&self) -> impl Iterator<Item = &Item> {
        let queues = self.queues.values();
        queues.flat_map(|queue| queue.claimed.iter().chain(&queue.waiting))
    }

    /// How many items of a session are pending: waiting or in flight.
    pub(super) fn count(&self, session: i64) -> usize {
        self.queues
            .get(&session)
            .map_or(0, |queue| queue.waiting.len() + queue.in_flight)
    }

    /// How many items of all sessions are pending.
    pub(super) fn total(&self) -> usize {
        self.queues
            .values()
            .map(|queue| queue.waiting.len() + queue.in_flight)
            .sum()
    }

    /// The sessions that have pending items.
    pub(super) fn sessions(&self) -> Vec<i64> {
        self.queues.keys().copied().collect()
    }

    fn forget_if_empty(&mut self, session: i64) {
        if self.count(session) == 0 {
            self.queues.remove(&session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(text: &str) -> Work {
        Work::Summarize {
            last_assistant_message: text.to_owned(),
        }
    }

    #[test]
    fn what_was_in_flight_waits_again_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = PendingStore::open(folder.path(), &[]).unwrap();
        for text in ["one", "two", "three"] {
            store.enqueue(7, 0, summary(text)).unwrap();
        }
        let first = store.claim(7).unwrap();
        store.claim(7).unwrap();
        store.confirm(&first).unwrap();
        assert_eq!((store.waiting(7), store.count(7), store.total()), (1, 2, 2));

        let mut again = PendingStore::open(folder.path(), &[]).unwrap();
        assert_eq!(again.sessions(), [7]);
        assert_eq!(again.claim(7).unwrap().work, summary("two"));
        again.enqueue(7, 0, summary("four")).unwrap();
        assert_eq!(again.claim(7).unwrap().id, 3);
        assert_eq!(again.claim(7).unwrap().id, 4);
    }

    #[test]
    fn what_is_marked_as_being_worked_on_counts_and_is_never_handed_out_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = PendingStore::open(folder.path(), &[Quirk::LeavesClaimed]).unwrap();
        for text in ["one", "two", "three"] {
            store.enqueue(7, 0, summary(text)).unwrap();
        }
        let first = store.claim(7).unwrap();
        store.confirm(&first).unwrap();
        store.claim(7).unwrap();

        let mut again = PendingStore::open(folder.path(), &[Quirk::LeavesClaimed]).unwrap();
        assert_eq!((again.waiting(7), again.count(7)), (1, 2));
        let listed: Vec<_> = again.all_waiting().map(|item| item.id).collect();
        assert_eq!(listed, [2, 3]);
        assert_eq!(again.claim(7).unwrap().id, 3);
        assert_eq!(again.claim(7), None);
        assert_eq!(again.sessions(), [7]);
    }

    #[test]
    fn what_is_thrown_away_never_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = PendingStore::open(folder.path(), &[]).unwrap();
        for text in ["one", "two", "three"] {
            store.enqueue(7, 0, summary(text)).unwrap();
        }
        store.claim(7).unwrap();
        let dropped = store.drop_waiting(7, |work| *work == summary("three"));
        assert_eq!(dropped.unwrap(), 1);
        assert_eq!((store.waiting(7), store.count(7)), (1, 2));
        assert_eq!(store.drop_waiting(8, |_| true).unwrap(), 0);

        let again = PendingStore::open(folder.path(), &[]).unwrap();
        let left: Vec<_> = again.all_waiting().map(|item| item.id).collect();
        assert_eq!(left, [1, 2]);
    }

    #[test]
    fn items_put_back_keep_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = PendingStore::open(folder.path(), &[]).unwrap();
        for text in ["one", "two", "three"] {
            store.enqueue(7, 0, summary(text)).unwrap();
        }
        let claimed = [store.claim(7).unwrap(), store.claim(7).unwrap()];
        store.put_back(claimed);
        let order: Vec<_> = std::iter::from_fn(|| store.claim(7))
            .map(|item| item.id)
            .collect();
        assert_eq!(order, [1, 2, 3]);
    }
}
