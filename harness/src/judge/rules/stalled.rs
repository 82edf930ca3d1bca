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
            let (cause, seen) = why(facts, &session)?;
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
        facts.at_rest(),
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
    if session.attended && watched && worker_lived {
        let seen = "its claude lived and had nothing in hand, and its work lay in the worker's queue, when all else had come to rest";
        if session.never_given {
            return Some((
                "its work is queued, and its live claude was never given it",
                seen,
            ));
        }
        if session.given_before {
            return Some((
                "its work was given to a claude that ended, and its live claude was never given it",
                seen,
            ));
        }
    }
    let words = session.stalled.as_deref()?;
    Some((words, "the driver waited in vain"))
}

#[cfg(test)]
mod tests {
    use crate::judge::check::{check, judge};
    use crate::scenario::Bin;

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

    /// Two sessions with an item each that the worker keeps in its queue to the end; `middle` says what the claude of the first does.
    fn queued(middle: &str) -> String {
        format!(
            "0s run; 0s worker 5; 1s open s1; 1s open s2; 1s..9s tick; 1s offer a s1 observation; 1s accept a; 1s offer b s2 observation; 1s accept b
            1.1s seen 10 parent 5; 1.1s hello 10 primary; 1.1s serves 10 s1; 1.2s work 10 observation a; 1.4s done 10 1 observation a
            2s end s1 complete; 2s end s2 complete; 2.1s load
            {middle}; 4.1s kept b; 4.5s grace; 5s stop; 5.1s worker-exit 5; 6.5s residue; 7s over"
        )
    }

    #[track_caller]
    fn check_cause(history: &str, cause: &str) {
        let judgement = judge(history);
        let found: Vec<(&str, &str, &[String])> = judgement
            .findings
            .iter()
            .filter(|finding| finding.rule == Bin::Stalled)
            .map(|finding| {
                let finding = (&finding.subject, &finding.cause, &finding.sessions);
                (finding.0.as_str(), finding.1.as_str(), finding.2.as_slice())
            })
            .collect();
        assert_eq!(found, [("session", cause, ["s2".to_owned()].as_slice())]);
    }

    const GONE: &str = "2.1s bye 10 eof; 2.1s exited 10; 2.1s gone 10";

    #[test]
    fn work_for_which_no_claude_was_ever_started_stalls_its_session() {
        check_cause(
            &queued("4s drained quiet"),
            "its work is queued, and no claude was ever started for it while others lived",
        );
        let nobody =
            "its work is queued, and no claude was ever started for it though no other lived";
        check_cause(&queued(&format!("{GONE}; 4s drained quiet")), nobody);
        // A worker that counts what it never hands out keeps a run from its rest until the time is over.
        check_cause(&queued(&format!("{GONE}; 4s drained busy")), nobody);
        check(
            &queued(&format!("{GONE}; 4s drained busy")),
            "fail pending=1 stalled=1",
        );
    }

    #[test]
    fn work_that_may_still_be_handed_out_stalls_nothing() {
        let pending = "inconclusive pending=1";
        // A claude worked, or said something, a moment ago.
        let at_work = "1.9s offer c s1 observation; 1.9s accept c; 1.9s work 10 observation c";
        let late = "4.4s done 10 2 observation c; 4.4s eof 10; 4.4s bye 10 eof; 4.4s exited 10; 4.4s gone 10";
        check(
            &queued(&format!("{at_work}; 4s drained busy; {late}"))
                .replace("2s end s1 complete", "3.9s end s1 complete"),
            pending,
        );
        check(
            &queued("4s drained busy; 3.5s eof 10; 3.5s bye 10 eof; 3.5s exited 10; 3.5s gone 10")
                .replace("2s end s1 complete", "3s end s1 complete"),
            pending,
        );
        // Its claude has gone, and its work waits for a restart.
        check(
            &queued(&format!(
                "{GONE}; 1.5s seen 11 parent 5; 1.5s hello 11 primary; 1.5s serves 11 s2; 2.1s bye 11 eof; 2.1s exited 11; 2.1s gone 11; 4s drained quiet"
            )),
            pending,
        );
        // There is no worker that could start one.
        check(
            &queued(&format!("{GONE}; 3s worker-exit 5; 4s drained quiet")),
            pending,
        );
    }

    #[test]
    fn without_the_control_socket_nobody_knows_whom_a_claude_was_started_for() {
        check(
            &queued(&format!("{GONE}; 4s drained quiet; 4.2s fail control")),
            "inconclusive pending=1",
        );
    }

    #[test]
    fn the_cause_says_what_the_session_waited_for() {
        let hang = format!(
            "{HANG}; 2s end s1 abandon; 5s load; 5s drained quiet; 6s stop; 6.1s exited 10; 6.1s gone 10; 7s over"
        );
        let cause = |history: &str| {
            let findings = judge(history).findings;
            let stalled = findings
                .into_iter()
                .find(|finding| finding.rule == Bin::Stalled);
            stalled.map(|finding| finding.cause)
        };
        let hangs = Some("a live claude read its work and never answered".to_owned());
        assert_eq!(cause(&hang), hangs);
        // Also when the worker keeps the work in its queue, and whatever the driver waited for.
        assert_eq!(cause(&format!("{hang}; 5.5s kept a")), hangs);
        assert_eq!(cause(&format!("{hang}; 3s stall s1")), hangs);
        assert_eq!(
            cause(
                "0s run; 0s worker 5; 1s open s1; 1s..6s tick; 2s stall s1; 5s load; 5s drained quiet; 7s over"
            ),
            Some("an answer".to_owned())
        );
    }
}
