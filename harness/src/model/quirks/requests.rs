//! How work requests are answered: `refuses-when-busy`, `never-answers`, `takes-once`.

use std::collections::HashMap;
use std::mem;
use std::sync::Mutex;

use crate::model::lock;
use crate::model::pending::Work;
use crate::model::policy::Quirk;
use crate::model::server::ApiError;
use crate::model::service::WorkerService;
use crate::model::settings::Settings;

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
            return Err(ApiError::busy("The session is over"));
        }
        changed.await;
    }
}

/// What was taken in last of each session, for `takes-once`: a request that comes twice at once is taken once.
#[derive(Debug, Default)]
pub(in crate::model) struct LastTaken(Mutex<HashMap<i64, Last>>);

#[derive(Debug, Default)]
struct Last {
    /// The prompt that was saved last, and its number.
    prompt: Option<(String, u32)>,
    /// The number of the prompt for which a generator was started last.
    started: Option<u32>,
    work: Option<Work>,
}

impl LastTaken {
    /// The number of this very prompt, if it was saved just before.
    pub(in crate::model) fn prompt(&self, session: i64, prompt: &str) -> Option<u32> {
        let last = lock(&self.0);
        let (text, number) = last.get(&session)?.prompt.as_ref()?;
        (text == prompt).then_some(*number)
    }

    /// A prompt was saved.
    pub(in crate::model) fn saved(
        &self,
        settings: &Settings,
        session: i64,
        text: &str,
        number: u32,
    ) {
        if settings.has(Quirk::TakesOnce) {
            let prompt = Some((text.to_owned(), number));
            lock(&self.0).entry(session).or_default().prompt = prompt;
        }
    }

    /// Whether a generator was started for this very prompt just before; if not, one is now.
    pub(in crate::model) fn has_started(
        &self,
        settings: &Settings,
        session: i64,
        prompt: Option<u32>,
    ) -> bool {
        settings.has(Quirk::TakesOnce)
            && prompt.is_some()
            && mem::replace(
                &mut lock(&self.0).entry(session).or_default().started,
                prompt,
            ) == prompt
    }

    /// Whether this very work was taken in just before; if not, it is now.
    pub(in crate::model) fn has_taken(
        &self,
        settings: &Settings,
        session: i64,
        work: &Work,
    ) -> bool {
        settings.has(Quirk::TakesOnce)
            && lock(&self.0)
                .entry(session)
                .or_default()
                .work
                .replace(work.clone())
                .as_ref()
                == Some(work)
    }
}
