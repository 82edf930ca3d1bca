//! Waiting until the worker's work has come to rest.

use std::time::Duration;

use fake_claude::quantity::Span;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::emitter::Emitter;
use crate::timeline::event::{EventKind, Source};
use crate::units::RunTime;
use crate::worker::Adapter;
use crate::worker::client::Client;

/// How long the question for the length of the queue may take.
const QUESTION: Duration = Duration::from_secs(5);
/// The shortest time between two looks.
const LOOK_AGAIN: Span = Span::from_millis(20);

/// When work counts as at rest.
pub struct Drain<'a> {
    /// For how long nothing may have happened.
    pub quiet: Span,
    /// How long is waited at the most.
    pub deadline: Span,
    /// The moment at which something last happened: a statement of a fake, an answer to the driver.
    pub last_activity: &'a dyn Fn() -> RunTime,
    /// How many messages living fakes have read and may still answer. A turn may take longer than `quiet`, so silence alone says
    /// nothing while this is above zero.
    pub owed: &'a dyn Fn() -> u64,
    /// How many messages living fakes have read and hang with. Some workers count them in their queue still.
    pub hanging: &'a dyn Fn() -> u64,
}

/// Waits until nothing has happened for a while, living fakes owe nothing, and the worker's own queue is empty where it tells; or until
/// the deadline. Emits `Drained` and gives back whether it came to rest. A worker that does not answer has nothing more to do: it is then
/// the silence that decides.
pub async fn drained(
    rest: &Drain<'_>,
    adapter: &Adapter,
    client: &mut Client,
    emitter: &Emitter,
) -> bool {
    let quiet = come_to_rest(rest, rest.deadline, adapter, client, emitter.clock()).await;
    emitter
        .of(Source::Driver)
        .emit(EventKind::Drained { quiet })
        .await;
    quiet
}

/// Begins the second look, after the graces: what was answered a moment ago has time to be stored, but nothing is waited for once more.
/// Emits `LookedAgain`.
pub async fn look_again(
    rest: &Drain<'_>,
    adapter: &Adapter,
    client: &mut Client,
    emitter: &Emitter,
) {
    let deadline = Span::from_nanos(2 * rest.quiet.as_nanos());
    let quiet = come_to_rest(rest, deadline, adapter, client, emitter.clock()).await;
    emitter
        .of(Source::Driver)
        .emit(EventKind::LookedAgain { quiet })
        .await;
}

/// Whether work comes to rest before a deadline.
async fn come_to_rest(
    rest: &Drain<'_>,
    deadline: Span,
    adapter: &Adapter,
    client: &mut Client,
    clock: &Clock,
) -> bool {
    let end = clock.now() + deadline;
    loop {
        let since = clock.now().since((rest.last_activity)());
        let still = Span::from_nanos(rest.quiet.as_nanos().saturating_sub(since.as_nanos()));
        let wait = if !still.is_zero() {
            still
        } else if (rest.owed)() > 0 || queue(adapter, client).await > (rest.hanging)() as f64 {
            rest.quiet
        } else {
            return true;
        };
        let left = Span::from(clock.until(end));
        if left.is_zero() {
            return false;
        }
        sleep(wait.max(LOOK_AGAIN).min(left).into()).await;
    }
}

/// The length of the worker's own queue; nothing where it does not tell.
async fn queue(adapter: &Adapter, client: &mut Client) -> f64 {
    let Some(queue) = &adapter.queue else {
        return 0.0;
    };
    match client.send(&queue.target(), None, QUESTION).await {
        Ok(answer) => queue
            .at
            .of(&answer.json())
            .and_then(serde_json::Value::as_f64)
            .unwrap_or(0.0),
        Err(_) => 0.0,
    }
}
