//! `idle`: what the product did later (9.0.13). A generator to which no new item has come for a while is aborted, and with it its
//! child; the only cure here that needs nobody to say that a session is over.
//!
//! It looks at what comes, not at what is being done: a turn that takes longer than the limit is ended in its middle.

use std::time::Duration;

use tokio::time::Instant;

/// Measures for how long no item has come.
#[derive(Debug)]
pub(in crate::model) struct IdleTimer {
    limit: Duration,
    since: Instant,
}

impl IdleTimer {
    pub(in crate::model) fn start(limit: Duration) -> Self {
        Self {
            limit,
            since: Instant::now(),
        }
    }

    /// An item came: the silence starts anew.
    pub(in crate::model) fn item_came(&mut self) {
        self.since = Instant::now();
    }

    /// When the generator has been idle for too long, if nothing comes.
    pub(in crate::model) fn deadline(&self) -> Instant {
        self.since + self.limit
    }
}
