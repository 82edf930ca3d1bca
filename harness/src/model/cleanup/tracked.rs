//! Solution A, `tracked`: the agent knows the child of each generator, one for each prompt, and ends it when the generator ends.
//!
//! The report keys its table by session, which would end the child of a later prompt together with that of an earlier one. Its
//! text speaks of the process that a session's query started; so each generator ends its own child.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::model::lock;
use crate::model::processes::{Child, ProcessManager};

/// The children that were started and not ended, by pid. The entry holds the child itself, which is its identity: a signal goes
/// to it and to nobody who was given its pid later.
#[derive(Debug, Default)]
pub(in crate::model) struct TrackedChildren {
    active: Mutex<HashMap<u32, Tracked>>,
}

#[derive(Debug)]
struct Tracked {
    session: i64,
    child: Arc<Child>,
}

impl TrackedChildren {
    /// A session's generator has started a child.
    pub(in crate::model) fn track(&self, session: i64, child: &Arc<Child>) {
        let child = Arc::clone(child);
        lock(&self.active).insert(child.pid(), Tracked { session, child });
    }

    /// The children of a session.
    pub(in crate::model) fn of(&self, session: i64) -> Vec<Arc<Child>> {
        lock(&self.active)
            .values()
            .filter(|tracked| tracked.session == session)
            .map(|tracked| Arc::clone(&tracked.child))
            .collect()
    }

    /// Forgets the children of a session, as a table does that has one place for each.
    pub(in crate::model) fn forget(&self, session: i64) {
        lock(&self.active).retain(|_, tracked| tracked.session != session);
    }

    /// The generator of this child has ended: SIGTERM, a while, SIGKILL, and a wait for the end, unless it is gone already.
    pub(in crate::model) async fn cleanup(
        &self,
        session: i64,
        child: &Arc<Child>,
        processes: &ProcessManager,
        kill_after: Duration,
    ) {
        let tracked = {
            let mut active = lock(&self.active);
            match active.get(&child.pid()) {
                Some(tracked)
                    if tracked.session == session && Arc::ptr_eq(&tracked.child, child) =>
                {
                    active.remove(&child.pid())
                }
                _ => None,
            }
        };
        if let Some(tracked) = tracked {
            processes.end(&tracked.child, kill_after).await;
        }
    }
}
