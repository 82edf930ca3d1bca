//! The promise around one run of the agent: how it starts, its `finally`, and its restart after a crash.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::cleanup::close::close;
use super::cleanup::session_diff::PreExisting;
use super::policy::{Cleanup, QueryEnd, Quirk};
use super::quirks::{attendants, mistaken, respawn};
use super::sdk_agent::{Conversation, Ended};
use super::service::WorkerService;
use super::sessions::{ActiveSession, Opening};

/// How often the generator of a session that is already over is restarted before what is left stays on disk: later releases give
/// up after as many. A session that is open is restarted without limit, as in v9.0.0.
const RESTARTS_WHILE_ENDING: u32 = 3;

/// Starts one more generator for a session, and with it one more claude, whether or not there is one already: v9.0.0 does so for
/// every prompt.
pub(super) fn start(service: &Arc<WorkerService>, session: &Arc<ActiveSession>, source: &str) {
    let opening = session.generator_starts();
    service.log.event(format_args!(
        "session {}: generator starts ({source}), prompt {}",
        session.id, opening.prompt_number
    ));
    attendants::generator_starts(service, &opening);
    tokio::spawn(run(Arc::clone(service), Arc::clone(session), opening));
}

/// Starts a generator unless one is on record.
pub(super) fn ensure_running(
    service: &Arc<WorkerService>,
    session: &Arc<ActiveSession>,
    source: &str,
) {
    if !session.has_generator() {
        start(service, session, source);
    }
}

async fn run(service: Arc<WorkerService>, session: Arc<ActiveSession>, mut opening: Opening) {
    loop {
        let aborts = opening.aborts;
        let ended = run_once(&service, &session, opening).await;
        service.log.event(format_args!(
            "session {}: generator ended: {ended}",
            session.id
        ));
        session.promise_settles();
        if !should_restart(&service, &session, &ended) {
            break;
        }
        let delay = match ended {
            // These have not failed: what came meanwhile does not wait for a pause.
            Ended::Replaced | Ended::MadeRoom => Duration::ZERO,
            _ if service.settings.has(Quirk::RestartsForEver) => Duration::ZERO,
            _ => service.timing.restart_delay,
        };
        tokio::select! {
            () = sleep(delay) => {}
            () = aborted(&session, aborts) => break,
        }
        if !service.sessions.knows(&session) || session.has_generator() {
            break;
        }
        opening = session.iterator_opens();
    }
    session.generator_is_gone();
}

/// Crash recovery: a generator that nobody has ended, with work pending, begins anew with a new claude.
fn should_restart(service: &WorkerService, session: &Arc<ActiveSession>, ended: &Ended) -> bool {
    match ended {
        Ended::ChildExited(_) | Ended::Failed(_) | Ended::Replaced | Ended::MadeRoom => {}
        Ended::Drained | Ended::Silent | Ended::Aborted | Ended::Idle => return false,
    }
    service.sessions.pending(session.id) > 0
        && (session.ending().is_none()
            || service.settings.has(Quirk::RestartsForEver)
            || session.restarts_while_ending() <= RESTARTS_WHILE_ENDING)
}

async fn aborted(session: &ActiveSession, aborts: u64) {
    loop {
        let changed = session.changed();
        tokio::pin!(changed);
        changed.as_mut().enable();
        if session.is_aborted_since(aborts) {
            return;
        }
        changed.await;
    }
}

async fn run_once(
    service: &Arc<WorkerService>,
    session: &Arc<ActiveSession>,
    opening: Opening,
) -> Ended {
    let settings = &service.settings;
    let slot = match service
        .slots
        .take(session, &opening, &service.sessions)
        .await
    {
        Ok(slot) => slot,
        Err(ended) => {
            session.iterator_closes();
            return ended;
        }
    };
    let before = settings
        .cleans_up_by(Cleanup::SessionDiff)
        .then(|| PreExisting::look(&service.processes));
    let (ended, conversation) = service
        .agent
        .start_session(session, &opening, |child| {
            if let Some(slot) = slot {
                service.slots.hold(slot, child);
            }
            if settings.has(Quirk::EndsTheLastOnly) {
                service.tracked.forget(session.id);
            }
            if settings.cleans_up_by(Cleanup::Tracked) || settings.has(Quirk::KillsAtEnd) {
                service.tracked.track(session.id, child);
            }
            if let Some(readoption) = &service.readoption {
                readoption.write(session.id, child);
            }
        })
        .await;
    session.iterator_closes();

    // From here on it is the `finally`, which an abandoned session never reaches.
    if let Some(conversation) = conversation {
        let child = Arc::clone(conversation.child());
        end_query(service, session, &ended, conversation).await;
        if settings.has(Quirk::StalePid) {
            mistaken::end_later(service, child.pid());
        }
        // One that was replaced is out of mind.
        if settings.cleans_up_by(Cleanup::Tracked) && !matches!(ended, Ended::Replaced) {
            service
                .tracked
                .cleanup(
                    session.id,
                    &child,
                    &service.processes,
                    service.timing.kill_after,
                )
                .await;
        }
        if settings.has(Quirk::RespawnsTheEnded) && session.ending().is_some() {
            respawn::resume(&service.agent, session);
        }
    }
    if let Some(before) = before {
        let killed = before.kill_what_is_new(&service.processes);
        service.log.event(format_args!(
            "session {}: session-diff killed {killed}",
            session.id
        ));
    }
    ended
}

/// What the SDK does with the child when its iterator has ended.
///
/// With `holds-stdin`, the report's hypothesis, nothing, however the iterator ended: the child keeps an open stdin and nobody
/// tells it anything. With `closes-stdin` the child sees EOF, finishes and exits by itself. An abort differs: there the real SDKs
/// send SIGTERM, which with `closes-stdin` the model does as well, and which the report says cannot be relied upon.
async fn end_query(
    service: &Arc<WorkerService>,
    session: &Arc<ActiveSession>,
    ended: &Ended,
    mut conversation: Conversation,
) {
    let settings = &service.settings;
    let kill_after = service.timing.kill_after;
    let child = Arc::clone(conversation.child());
    let closes = settings.cleans_up_by(Cleanup::Close);
    // Whoever makes room means to be gone.
    let closes = closes || matches!(ended, Ended::MadeRoom);
    let closes_stdin =
        closes || settings.query_end == QueryEnd::ClosesStdin || matches!(ended, Ended::Replaced);
    if closes_stdin {
        conversation.close_input();
    }
    let agent = Arc::clone(&service.agent);
    tokio::spawn(agent.read_to_the_end(Arc::clone(session), conversation));

    let by_signal = match ended {
        // The idle policy means to end the child: its abort is the one that works.
        Ended::Idle => !settings.has(Quirk::IdleClosesOnly),
        Ended::Aborted => closes_stdin,
        Ended::Drained
        | Ended::Silent
        | Ended::MadeRoom
        | Ended::Replaced
        | Ended::ChildExited(_)
        | Ended::Failed(_) => false,
    };
    if by_signal {
        service.processes.end(&child, kill_after).await;
    } else if closes {
        close(&service.processes, &child, kill_after).await;
    }
}
