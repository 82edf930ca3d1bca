//! `stale-pid`, `kills-itself`: signals that go by a number.
//!
//! A number is no identity: by the time the signal is sent, somebody else may have it. That is the mistake; it stays within the daemon's
//! own family, since a number that belongs to no child that was not waited for is left alone.

use std::sync::Arc;

use nix::sys::signal::{Signal, raise};
use tokio::time::sleep;

use crate::model::service::WorkerService;

/// A while after a claude's session ended, sends SIGTERM to the number that it had, in case it is still there.
pub(in crate::model) fn end_later(service: &Arc<WorkerService>, number: u32) {
    let service = Arc::clone(service);
    tokio::spawn(async move {
        sleep(service.timing.kill_after).await;
        service.processes.signal_number(number, Signal::SIGTERM);
    });
}

/// Kills the daemon itself, by SIGKILL: the one signal that it does not take as a request to end in order.
pub(in crate::model) fn kill_itself() {
    // It cannot fail, and it does not return.
    let _ = raise(Signal::SIGKILL);
}
