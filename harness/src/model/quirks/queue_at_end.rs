//! What of a session's queue does not live to see its end: `drops-queue-at-end`, `drops-summary`.

use crate::model::pending::Work;
use crate::model::policy::Quirk;
use crate::model::service::WorkerService;

/// Throws away what this session's end throws away.
pub(in crate::model) fn drop_at_end(service: &WorkerService, session: i64) {
    let settings = &service.settings;
    let dropped = if settings.has(Quirk::DropsQueueAtEnd) {
        service.sessions.drop_waiting(session, |_| true)
    } else if settings.has(Quirk::DropsSummary) {
        let is_summary = |work: &Work| matches!(work, Work::Summarize { .. });
        service.sessions.drop_waiting(session, is_summary)
    } else {
        return;
    };
    match dropped {
        Ok(0) => {}
        Ok(count) => service.log.event(format_args!(
            "session {session}: {count} items are thrown away"
        )),
        Err(error) => service
            .log
            .event(format_args!("session {session}: {error}")),
    }
}
