//! Stalled: a session could not go on, or its work hangs in a live claude.

use crate::judge::facts::Facts;
use crate::judge::finding::Found;
use crate::judge::sessions::Session;
use crate::scenario::Bin;
use crate::timeline::event::Source;

/// Every session that did not finish: its work hangs in a live claude, or in a queue of the worker from which no claude was ever started,
/// when all had come to rest; or the driver says so.
pub(in crate::judge) fn stalled(facts: &Facts) -> Vec<Found> {
    facts
        .sessions
        .iter()
        .filter_map(|session| {
            let (cause, seen) = why(facts, session)?;
            Some(Found {
                rule: Bin::Stalled,
                subject: "session".to_owned(),
                shape: cause.to_owned(),
                cause: cause.to_owned(),
                blames: true,
                session: Some(session.name.clone()),
                process: None,
                expected: "every session goes on until its end".to_owned(),
                seen: seen.to_owned(),
                by: None,
                events: Vec::new(),
            })
        })
        .collect()
}

/// Why a session could not go on, and what was seen of it, if it could not.
fn why<'a>(facts: &Facts, session: &'a Session) -> Option<(&'a str, &'static str)> {
    if session.hung && session.waits {
        return Some((
            "a live claude read its work and never answered",
            "a live claude had read work and had not answered when all else had come to rest",
        ));
    }
    // Without the control socket nobody knows whom a claude was started for, and without a worker nobody would start one.
    let watched = facts.watched_throughout(Source::Control);
    let worker_lived = facts
        .drained
        .is_some_and(|(at, _)| facts.workers.at(at).is_some());
    if let (true, true, true, false, Some(rest)) = (
        session.queued,
        watched,
        worker_lived,
        session.served,
        facts.rest,
    ) {
        let cause = if rest.primary_lived {
            "its work is queued, and no claude was ever started for it while others lived"
        } else {
            "its work is queued, and no claude was ever started for it though no other lived"
        };
        return Some((
            cause,
            "its work lay in the worker's queue when all else had come to rest",
        ));
    }
    let words = session.stalled.as_deref()?;
    Some((words, "the driver waited in vain"))
}

#[cfg(test)]
mod tests {
    use crate::judge::check::check;

    const HANG: &str = "
        0s run; 0s worker 5; 1s open s1; 1s..6s tick
        1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1
        1s offer a s1 observation; 1s accept a; 1s offer b s1 observation; 1s accept b
        1.2s work 10 observation a";

    #[test]
    fn work_in_a_live_claude_that_hangs_stalls_its_session_and_waits() {
        check(
            &format!(
                "{HANG}; 2s end s1 abandon; 5s load; 5s drained quiet; 6s stop; 6.1s exited 10; 6.1s gone 10; 7s over"
            ),
            "fail retained=1 pending=2 stalled=1",
        );
    }

    #[test]
    fn work_that_goes_on_stalls_nothing() {
        check(
            &format!(
                "{HANG}; 2s end s1 complete; 2.1s done 10 1 observation a,b; 2.2s bye 10 eof; 2.2s exited 10; 2.2s gone 10
                5s load; 5s drained quiet; 5s grace; 7s over"
            ),
            "pass",
        );
    }

    #[test]
    fn without_a_rest_it_waits_and_nobody_knows_for_what() {
        check(
            &format!(
                "{HANG}; 2.1s load; 2.2s drained busy; 2.3s stop; 2.4s bye 10 signal; 2.4s exited 10; 2.4s gone 10; 2.5s worker-exit 5; 7s over"
            ),
            "inconclusive pending=2",
        );
    }

    #[test]
    fn the_drivers_word_is_enough() {
        check(
            "0s run; 0s worker 5; 1s open s1; 1s..6s tick; 2s stall s1; 5s load; 5s drained quiet; 7s over",
            "fail stalled=1",
        );
    }

    #[test]
    fn a_long_turn_that_ends_after_all_stalls_nothing() {
        check(
            &format!(
                "{HANG}; 2s load; 2.5s drained quiet; 3.4s done 10 1 observation a,b; 3.5s end s1 complete; 3.6s bye 10 eof; 3.6s exited 10; 3.6s gone 10; 5s grace; 7s over"
            ),
            "pass",
        );
    }
}
