//! `kills-at-end`: whoever ends a session does not ask whether its claude is done.

use nix::sys::signal::Signal;

use crate::model::service::WorkerService;
use crate::model::sessions::ActiveSession;

/// Ends the claudes of a session at once, and gives up what they had in hand.
pub(in crate::model) fn end(service: &WorkerService, session: &ActiveSession) {
    for child in service.tracked.of(session.id) {
        service.processes.signal(&child, Signal::SIGTERM);
    }
    session.abort();
}
