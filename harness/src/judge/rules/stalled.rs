//! Stalled: a session could not go on, or its work hangs in a live claude.

use crate::judge::facts::Facts;
use crate::judge::finding::Found;
use crate::scenario::Bin;

/// Every session that did not finish: the driver says so, or its work waited in a live claude when all had come to rest.
pub(in crate::judge) fn stalled(facts: &Facts) -> Vec<Found> {
    facts
        .sessions
        .iter()
        .filter(|session| session.stalled.is_some() || session.hung && session.waits)
        .map(|session| {
            let (shape, seen) = match &session.stalled {
                Some(_) if !session.waits => ("a session could not go on", "the driver waited in vain"),
                _ => (
                    "work hangs in a live claude",
                    "a live claude had read work and had not answered when all else had come to rest",
                ),
            };
            Found {
                rule: Bin::Stalled,
            subject: "session".to_owned(),
                shape: shape.to_owned(),
                cause: session
                    .stalled
                    .clone()
                    .unwrap_or_else(|| "its claude hangs".to_owned()),
                blames: true,
                session: Some(session.name.clone()),
                process: None,
                expected: "every session goes on until its end".to_owned(),
                seen: seen.to_owned(),
                by: None,
                events: Vec::new(),
            }
        })
        .collect()
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
