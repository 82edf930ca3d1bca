//! How many claudes live at chosen moments after the load: a question to a recording alone.

use std::collections::{BTreeMap, BTreeSet};

use fake_claude::control::{Role, Say};
use fake_claude::quantity::Span;

use super::event::{Event, EventKind};
use crate::process::ProcessIdentity;
use crate::units::RunTime;

/// For each of these spans, how many processes that serve a session, or descend from one that does, live so long after the last session
/// has ended; none where the recording cannot tell, because no session ended or the worker had been stopped before.
///
/// What has ended is not counted, whether it was waited for or not. Processes whose role nobody knows are not counted either: a fake says
/// its own.
pub fn alive_after(events: impl IntoIterator<Item = Event>, spans: &[Span]) -> Vec<Option<u32>> {
    let mut first_seen: BTreeMap<ProcessIdentity, RunTime> = BTreeMap::new();
    let mut ended: BTreeMap<ProcessIdentity, RunTime> = BTreeMap::new();
    let mut serving: BTreeSet<ProcessIdentity> = BTreeSet::new();
    let (mut last_end, mut stopped, mut over) = (None, None, RunTime::START);
    for Event { at, event, .. } in events {
        over = over.max(at);
        match event {
            EventKind::SessionEnded { .. } => last_end = last_end.max(Some(at)),
            // What was started again after a planned stop is watched on; what counts is the last stop.
            EventKind::WorkerStopAsked => stopped = Some(at),
            EventKind::WorkerReady { .. } => stopped = None,
            EventKind::ProcessSeen { process, role, .. } => {
                start(&mut first_seen, process, at);
                serving.extend(role.filter(|role| serves(*role)).map(|_| process));
            }
            EventKind::Said { process, say } => {
                start(&mut first_seen, process, at);
                if let Say::Hello { role, .. } = say
                    && serves(role)
                {
                    serving.insert(process);
                }
            }
            EventKind::ProcessExited { process, .. }
            | EventKind::ProcessReaped { process, .. }
            | EventKind::ProcessGone { process } => {
                let known = ended.entry(process).or_insert(at);
                *known = at.min(*known);
            }
            EventKind::RunStarted(_)
            | EventKind::WorkerStarted { .. }
            | EventKind::WorkerExited { .. }
            | EventKind::SessionOpened { .. }
            | EventKind::PromptEnded { .. }
            | EventKind::PromptBegun { .. }
            | EventKind::EndAnswered { .. }
            | EventKind::SessionStalled { .. }
            | EventKind::WorkOffered { .. }
            | EventKind::WorkAccepted { .. }
            | EventKind::WorkRefused { .. }
            | EventKind::WorkSkipped { .. }
            | EventKind::WorkUnknown { .. }
            | EventKind::WorkAborted { .. }
            | EventKind::WorkStored { .. }
            | EventKind::WorkKept { .. }
            | EventKind::StoreRead { .. }
            | EventKind::LoadStopped { .. }
            | EventKind::LoadFinished
            | EventKind::Drained { .. }
            | EventKind::LookedAgain { .. }
            | EventKind::Sampled { .. }
            | EventKind::SampleMissed { .. }
            | EventKind::LifelineLost { .. }
            | EventKind::Examined { .. }
            | EventKind::HarnessSignalled { .. }
            | EventKind::FaultCame { .. }
            | EventKind::ProcessPaused { .. }
            | EventKind::ProcessContinued { .. }
            | EventKind::SecondWorkerStarted { .. }
            | EventKind::SecondWorkerExited { .. }
            | EventKind::CookieFound { .. }
            | EventKind::WitnessFailed { .. }
            | EventKind::GracePassed
            | EventKind::ResiduePassed
            | EventKind::Interrupted
            | EventKind::RunEnded => {}
        }
    }
    let alive_at = |moment: RunTime| {
        let alive = serving.iter().filter(|process| {
            first_seen
                .get(process)
                .is_some_and(|started| *started <= moment)
                && ended.get(process).is_none_or(|ended| *ended > moment)
        });
        u32::try_from(alive.count()).unwrap_or(u32::MAX)
    };
    let watched = stopped.unwrap_or(over);
    let after = |span: &Span| {
        let moment = last_end? + *span;
        if moment <= watched {
            return Some(alive_at(moment));
        }
        // Where nothing was left, nothing was there to come back, and the run was over early.
        Some(alive_at(watched)).filter(|left| *left == 0)
    };
    spans.iter().map(after).collect()
}

fn start(
    first_seen: &mut BTreeMap<ProcessIdentity, RunTime>,
    process: ProcessIdentity,
    at: RunTime,
) {
    let known = first_seen.entry(process).or_insert(at);
    *known = at.min(*known);
}

const fn serves(role: Role) -> bool {
    match role {
        Role::Primary | Role::Payload | Role::Grandchild => true,
        Role::Helper | Role::Probe => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::notation::events;

    fn after(history: &str, millis: &[u64]) -> Vec<Option<u32>> {
        let spans: Vec<Span> = millis
            .iter()
            .map(|millis| Span::from_millis(*millis))
            .collect();
        alive_after(events(history), &spans)
    }

    #[test]
    fn what_serves_a_session_is_counted_while_it_lives() {
        let history = "0s run; 0s worker 5; 0.1s ready
            1s seen 10 parent 5; 1s hello 10 primary; 1s seen 11 parent 5; 1s hello 11 primary; 1s seen 12 parent 5 role helper
            2s open s1; 3s end s1 abandon; 4s end s2 abandon
            4.5s exited 10; 6s gone 10; 9s exited 11; 9s gone 11; 20s stop; 21s over";
        // Counted from the last end; a zombie is not alive.
        assert_eq!(
            after(history, &[0, 400, 500, 5_000, 16_000]),
            [Some(2), Some(2), Some(1), Some(0), Some(0)]
        );
        // Nothing was left at the stop, so nothing was left later.
        assert_eq!(after(history, &[60_000]), [Some(0)]);
    }

    #[test]
    fn what_was_not_watched_is_not_told() {
        let history = "0s run; 0s worker 5; 0.1s ready; 1s seen 10 parent 5; 1s hello 10 primary
            2s end s1 abandon; 8s stop; 8.1s exited 10; 9s over";
        assert_eq!(after(history, &[5_000, 6_500]), [Some(1), None]);
        let without_an_end = "0s run; 1s seen 10 parent 5; 1s hello 10 primary; 9s over";
        assert_eq!(after(without_an_end, &[0]), [None]);
    }
}
