//! The pool of slots: so many claudes at once, and no more.
//!
//! Whoever wants to start a claude takes a slot, in the order of asking, and a slot is given back when its claude has gone. As a claude
//! of an open session waits for ever for the next item, one that has nothing to do is ended when somebody waits; its session gets
//! another one with its next item.

use std::collections::{HashSet, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex};

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};

use super::lock;
use super::policy::Quirk;
use super::processes::Child;
use super::sdk_agent::Ended;
use super::sessions::{ActiveSession, Opening, SessionManager};

/// The pool. Without a number every claude that is wanted is started.
#[derive(Debug)]
pub(super) struct SlotPool {
    state: Option<Mutex<State>>,
    /// `slots-held-by-idle`.
    keeps_idle: bool,
    /// `slots-never-returned`.
    keeps_slots: bool,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    free: usize,
    waiting: VecDeque<oneshot::Sender<Slot>>,
    /// Claudes that are being ended to make room.
    leaving: HashSet<u32>,
}

/// The right to one live claude. It goes back to the pool when it is dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<SlotPool>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.take_back();
    }
}

impl SlotPool {
    pub(super) fn new(slots: Option<u32>, quirks: &[Quirk]) -> Self {
        let state = slots.map(|slots| State {
            free: usize::try_from(slots).unwrap_or(usize::MAX),
            waiting: VecDeque::new(),
            leaving: HashSet::new(),
        });
        Self {
            state: state.map(Mutex::new),
            keeps_idle: quirks.contains(&Quirk::SlotsHeldByIdle),
            keeps_slots: quirks.contains(&Quirk::SlotsNeverReturned),
            changed: Notify::new(),
        }
    }

    /// Waits for a slot; none is needed where there is no pool. A session that is aborted meanwhile, or over with nothing left to do,
    /// wants none any more.
    pub(super) async fn take(
        self: &Arc<Self>,
        session: &ActiveSession,
        opening: &Opening,
        sessions: &SessionManager,
    ) -> Result<Option<Slot>, Ended> {
        let mut coming = match self.ask() {
            None => return Ok(None),
            Some(Ok(slot)) => return Ok(Some(slot)),
            Some(Err(coming)) => coming,
        };
        self.changed.notify_waiters();
        loop {
            let changed = session.changed();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if session.is_aborted_since(opening.aborts) {
                return Err(Ended::Aborted);
            }
            if session.ending().is_some() && sessions.waiting(session.id) == 0 {
                return Err(Ended::Drained);
            }
            tokio::select! {
                () = changed => {}
                // The pool never drops whoever waits.
                slot = &mut coming => return Ok(slot.ok()),
            }
        }
    }

    /// A slot, or the promise of one.
    fn ask(self: &Arc<Self>) -> Option<Result<Slot, oneshot::Receiver<Slot>>> {
        let mut state = lock(self.state.as_ref()?);
        if state.free > 0 {
            state.free -= 1;
            return Some(Ok(Slot(Arc::clone(self))));
        }
        let (promise, coming) = oneshot::channel();
        state.waiting.push_back(promise);
        Some(Err(coming))
    }

    /// Keeps a slot taken for as long as its claude lives.
    pub(super) fn hold(self: &Arc<Self>, slot: Slot, child: &Arc<Child>) {
        let (pool, child) = (Arc::clone(self), Arc::clone(child));
        tokio::spawn(async move {
            child.exited().await;
            if let Some(state) = &pool.state {
                lock(state).leaving.remove(&child.pid());
            }
            if pool.keeps_slots {
                mem::forget(slot);
            }
        });
    }

    fn take_back(self: &Arc<Self>) {
        let Some(state) = &self.state else { return };
        let next = {
            let mut state = lock(state);
            let next = state.waiting.pop_front();
            if next.is_none() {
                state.free += 1;
            }
            next
        };
        if let Some(next) = next {
            // Whoever waits no longer lets it fall, and so it comes back here for the next one.
            drop(next.send(Slot(Arc::clone(self))));
        }
    }

    /// A future that is ready as soon as somebody waits for a slot, from now on.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Whether an idle claude has to make room. If so, it counts as leaving from now on.
    pub(super) fn wants_room_of(&self, child: &Child) -> bool {
        let Some(state) = self.state.as_ref().filter(|_| !self.keeps_idle) else {
            return false;
        };
        let mut state = lock(state);
        state.waiting.retain(|waiting| !waiting.is_closed());
        state.waiting.len() > state.leaving.len() && state.leaving.insert(child.pid())
    }
}
