//! How a session is ended by somebody: orderly, or by abort.

use std::sync::Arc;

use super::generator;
use super::policy::Quirk;
use super::quirks::{kills_at_end, mistaken, queue_at_end};
use super::service::WorkerService;
use super::sessions::ActiveSession;

/// Completes a session: what waits is delivered, what is in flight is waited for, the generators end and with them whatever sits
/// in their `finally`; then the session is forgotten. Returns after all that.
///
/// The real v9.0.0 aborts instead, and loses what is in flight. The model does not, so that a run under a cleanup policy shows
/// what the policy loses and nothing else.
pub(super) async fn complete(service: &Arc<WorkerService>, id: i64) {
    if let Some(readoption) = &service.readoption {
        readoption.end(id);
    }
    let Some(session) = service.sessions.get(id) else {
        return;
    };
    queue_at_end::drop_at_end(service, id);
    session.end();
    if service.settings.has(Quirk::KillsAtEnd) {
        kills_at_end::end(service, &session);
    }
    if service.sessions.pending(id) > 0 {
        generator::ensure_running(service, &session, "completion");
    }
    forget(service, &session).await;
    if service.settings.has(Quirk::KillsItself) {
        mistaken::kill_itself();
    }
}

/// Aborts a session: its generators end at once, and what is in flight is given up. Items that no claude has seen stay on disk, as
/// in v9.0.0.
pub(super) async fn abort(service: &Arc<WorkerService>, id: i64) {
    let Some(session) = service.sessions.get(id) else {
        return;
    };
    session.abort();
    forget(service, &session).await;
}

async fn forget(service: &Arc<WorkerService>, session: &Arc<ActiveSession>) {
    session.without_generators().await;
    service.leave_behind();
    // An item that came while the `finally` was at work brings the session back, as any later one does. In v9.0.0 it would stay
    // on disk until the next one comes.
    if service.sessions.delete(session)
        && service.sessions.waiting(session.id) > 0
        && let Ok(session) = service.sessions.initialize(session.id, None, None)
    {
        generator::start(service, &session, "late item");
    }
}
