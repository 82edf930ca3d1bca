//! What a second look found, after the graces: of items that were put away it takes none out, and it keeps those alone that it found.

use std::collections::{BTreeMap, BTreeSet};

use super::{Item, Items, Store};
use crate::judge::sessions::SessionKey;
use crate::units::RunTime;

/// What a second look found.
#[derive(Debug, Clone)]
pub(super) struct Again {
    /// When it began.
    at: RunTime,
    /// In how many records each item is stored now that was in none before.
    stored: BTreeMap<String, u32>,
    /// What lies in the worker's queue now.
    kept: BTreeSet<String>,
    /// What waits in a live claude now.
    waiting: BTreeSet<String>,
    /// The sessions whose unanswered work waits behind a live claude now.
    behind: BTreeSet<SessionKey>,
    /// What was answered after that: that it is not stored says nothing.
    answered: BTreeSet<String>,
    /// What is known of the worker's storage now, once all was read that could be.
    pub store: Option<Store>,
}

impl Again {
    pub fn new(at: RunTime) -> Self {
        Self {
            at,
            stored: BTreeMap::new(),
            kept: BTreeSet::new(),
            waiting: BTreeSet::new(),
            behind: BTreeSet::new(),
            answered: BTreeSet::new(),
            store: None,
        }
    }

    /// An item is in so many more stored records, and was in none at the first look.
    pub fn store(&mut self, marker: &str, times: u32) {
        let stored = self.stored.entry(marker.to_owned()).or_default();
        *stored = stored.saturating_add(times);
    }

    pub fn keep(&mut self, marker: &str) {
        self.kept.insert(marker.to_owned());
    }

    pub fn wait_in(&mut self, marker: &str) {
        self.waiting.insert(marker.to_owned());
    }

    pub fn wait_behind(&mut self, sessions: BTreeSet<SessionKey>) {
        self.behind = sessions;
    }

    /// An item was answered.
    pub fn answer(&mut self, marker: &str, at: RunTime) {
        if self.at < at {
            self.answered.insert(marker.to_owned());
        }
    }

    /// How many entries of any kind are held for single items.
    #[cfg(test)]
    pub fn entries(&self) -> usize {
        self.stored.len() + self.kept.len() + self.waiting.len() + self.answered.len()
    }

    /// Whether all was read that there is, so that this look beats the first one.
    fn is_complete(&self) -> bool {
        self.store.as_ref().is_some_and(|store| store.complete)
    }
}

impl Items {
    /// An item as the last look saw it. What it found counts in any case; what it did not find counts where it could read everything.
    pub(super) fn last_seen(&self, marker: &str, item: &Item) -> Item {
        let mut item = item.clone();
        let Some(again) = &self.again else {
            return item;
        };
        if again.is_complete() {
            (item.kept, item.waiting) = (false, false);
        }
        item.kept |= again.kept.contains(marker);
        item.waiting |= again.waiting.contains(marker)
            || again.answered.contains(marker)
            || (item.good == 0 && again.behind.contains(&item.session));
        let stored = again.stored.get(marker).copied();
        item.stored = item.stored.max(stored.unwrap_or_default());
        item
    }

    /// Whether a second look was complete, so that it beats the first one.
    pub(super) fn looked_again(&self) -> bool {
        self.again.as_ref().is_some_and(Again::is_complete)
    }

    /// What is known of the worker's storage, by the last look that could read all of it.
    pub(super) fn known_store(&self) -> Option<&Store> {
        let again = self.again.as_ref().filter(|again| again.is_complete());
        again
            .and_then(|again| again.store.as_ref())
            .or(self.store.as_ref())
    }
}

#[cfg(test)]
mod tests;
