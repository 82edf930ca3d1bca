//! Solution D, `close`: what the report asks of the SDK, built-in cleanup when the iterator ends.
//!
//! The ladder of a considerate SDK: close stdin, and a child that behaves finishes what it has and exits; wait; SIGTERM; wait;
//! SIGKILL.

use std::time::Duration;

use crate::model::processes::{Child, ProcessManager};

/// Ends a child whose stdin was closed just now; returns when it is gone.
pub(in crate::model) async fn close(
    processes: &ProcessManager,
    child: &Child,
    kill_after: Duration,
) {
    if !child.exits_within(kill_after).await {
        processes.end(child, kill_after).await;
    }
}
