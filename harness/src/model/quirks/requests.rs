//! How work requests are answered: `refuses-when-busy`, `never-answers`, `takes-once`.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::model::lock;
use crate::model::pending::Work;
use crate::model::policy::Quirk;
use crate::model::server::ApiError;
use crate::model::service::WorkerService;

/// How many items of a session may be pending before `refuses-when-busy` refuses the next.
const BUSY_ABOVE: usize = 1;

/// Whether a work request is refused.
pub(in crate::model) fn refusal(service: &WorkerService, session: i64) -> Option<ApiError> {
    (service.settings.has(Quirk::RefusesWhenBusy) && service.sessions.pending(session) > BUSY_ABOVE)
        .then(|| ApiError::busy("The queue is full"))
}

/// Keeps a work request until its session is over, where the quirk asks for that. The client has long hung up then, and what it asked
/// for is not taken in.
pub(in crate::model) async fn keep_waiting(
    service: &WorkerService,
    session: i64,
) -> Result<(), ApiError> {
    if !service.settings.has(Quirk::NeverAnswers) {
        return Ok(());
    }
    let session = service.sessions.initialize(session, None, None)?;
    loop {
        let changed = session.changed();
        tokio::pin!(changed);
        changed.as_mut().enable();
        if session.ending().is_some() || session.is_aborted_since(0) {
            return Ok(());
        }
        changed.await;
    }
}

/// The last work that was taken in of each session, so that a request that comes twice at once is taken once.
#[derive(Debug, Default)]
pub(in crate::model) struct LastTaken(Mutex<HashMap<i64, Work>>);

impl LastTaken {
    /// Whether this very work was taken in just before; if not, it is the last one now.
    pub(in crate::model) fn knows(
        &self,
        service: &WorkerService,
        session: i64,
        work: &Work,
    ) -> bool {
        if !service.settings.has(Quirk::TakesOnce) {
            return false;
        }
        let last = lock(&self.0).insert(session, work.clone());
        last.as_ref() == Some(work)
    }
}
