//! What the tasks of the witnesses share, and the one way by which facts leave.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::rc::Weak;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::Switches;
use super::roll::Roll;
use crate::emitter::Emitter;
use crate::timeline::event::{EventKind, Source};
use crate::units::RunTime;

/// What the tasks of the witnesses share.
pub(super) struct Shared {
    pub(super) roll: RefCell<Roll>,
    pub(super) emitter: Emitter,
    pub(super) switches: Switches,
    /// Tells the one task that hands facts over that there are some.
    facts_wait: Notify,
    /// Tells that all facts were handed over.
    facts_gone: Notify,
    handing: Cell<Handing>,
    changed: Notify,
    /// The task of each control connection, by a number of its own.
    pub(super) connections: RefCell<BTreeMap<u64, AbortOnDrop>>,
}

/// How far the handing over of facts is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handing {
    /// Nothing is on its way.
    Idle,
    /// A fact is on its way.
    Busy,
    /// It has ended for good.
    Over,
}

/// A task that ends with this value.
pub(super) struct AbortOnDrop(pub(super) JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Shared {
    pub(super) fn new(roll: Roll, emitter: Emitter, switches: Switches) -> Self {
        Self {
            roll: RefCell::new(roll),
            emitter,
            switches,
            facts_wait: Notify::new(),
            facts_gone: Notify::new(),
            handing: Cell::new(Handing::Idle),
            changed: Notify::new(),
            connections: RefCell::default(),
        }
    }

    /// The moment of the run that is now.
    pub(super) fn now(&self) -> RunTime {
        self.emitter.clock().now()
    }

    /// A future that is ready after the next change; changes count from the call on, not from the first poll.
    pub(super) fn changed(&self) -> impl Future<Output = ()> {
        notified(&self.changed)
    }

    /// Sets the handing over of facts going, without waiting for it.
    pub(super) fn hand_over_soon(&self) {
        if self.roll.borrow_mut().take_news() {
            self.changed.notify_waiters();
        }
        self.facts_wait.notify_one();
    }

    /// Waits until every fact that was learned is with the recorder. Whoever stops waiting loses nothing: one task alone hands over.
    pub(super) async fn flush(&self) {
        self.hand_over_soon();
        loop {
            // Pinned here and not in a box: this is done for every statement and every sample.
            let mut gone = pin!(self.facts_gone.notified());
            gone.as_mut().enable();
            match self.handing.get() {
                Handing::Over => return,
                Handing::Idle if self.roll.borrow().facts.is_empty() => return,
                Handing::Idle | Handing::Busy => gone.await,
            }
        }
    }

    /// Ends every connection, and the handing over of facts: whoever waits for it waits no more.
    pub(super) fn close(&self) {
        self.connections.borrow_mut().clear();
        self.handing.set(Handing::Over);
        self.facts_gone.notify_waiters();
    }

    /// Says that a witness knows less than it should.
    pub(super) async fn failed(&self, witness: Source, reason: String) {
        let event = EventKind::WitnessFailed { witness, reason };
        self.roll.borrow_mut().learn(witness, event);
        self.flush().await;
    }
}

/// A future that is ready after the next notification from now on.
fn notified(notify: &Notify) -> impl Future<Output = ()> {
    let mut notified = Box::pin(notify.notified());
    notified.as_mut().enable();
    notified
}

/// Hands every fact to the recorder, in the order in which it was learned; waits while the recorder is busy.
pub(super) async fn hand_over(shared: Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        let next = shared.roll.borrow_mut().facts.pop_front();
        match next {
            Some(fact) => {
                shared.handing.set(Handing::Busy);
                let emitter = shared.emitter.of(fact.source);
                emitter.emit_at(fact.at, fact.event).await;
            }
            None => {
                shared.handing.set(Handing::Idle);
                shared.facts_gone.notify_waiters();
                shared.facts_wait.notified().await;
            }
        }
    }
}
