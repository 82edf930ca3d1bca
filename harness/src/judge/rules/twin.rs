//! Twin: two live primaries served one session at once, and nobody was ending either.

use crate::judge::facts::Facts;
use crate::judge::finding::Found;
use crate::scenario::Bin;

/// Every session that had twins. A hand-over is none: a primary that was told to end does not count any more, unless it stays beyond
/// its grace; and overlaps shorter than facts may be under way do not count.
pub(in crate::judge) fn twins(facts: &Facts) -> Vec<Found> {
    facts
        .sessions
        .iter()
        .filter_map(|session| {
            let (from, to) = session.twin_for?;
            Some(Found {
                rule: Bin::Twin,
            subject: "session".to_owned(),
                shape: "two live primaries served one session at once".to_owned(),
                cause: "another primary was started while the first one lived, and nobody was ending it"
                    .to_owned(),
                blames: true,
                session: Some(session.name.clone()),
                process: None,
                expected: "one live primary for each session".to_owned(),
                seen: "two at once for".to_owned(),
                by: Some(to.since(from)),
                events: Vec::new(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::judge::check::check;

    const START: &str = "
        0s run; 0s worker 5; 1s open s1
        1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1";

    #[test]
    fn a_second_primary_beside_the_first_is_a_twin() {
        check(
            &format!(
                "{START}
                3s seen 11 parent 5; 3s hello 11 primary; 3.1s serves 11 s1
                1s..6s tick; 6s end s1 complete; 6.1s bye 10 eof; 6.1s bye 11 eof
                6.2s exited 10; 6.2s exited 11; 6.2s gone 10; 6.2s gone 11; 6.3s..8s tick
                8s load; 8s drained quiet; 8s grace; 9s over"
            ),
            "fail twin=1",
        );
    }

    #[test]
    fn a_hand_over_is_no_twin() {
        check(
            &format!(
                "{START}
                3s eof 10; 3.1s seen 11 parent 5; 3.1s hello 11 primary; 3.1s serves 11 s1
                3.9s bye 10 eof; 3.9s exited 10; 4s gone 10; 1s..6s tick; 6s end s1 complete
                6.1s bye 11 eof; 6.2s exited 11; 6.2s gone 11; 6.3s..8s tick
                8s load; 8s drained quiet; 8s grace; 9s over"
            ),
            "pass",
        );
    }

    #[test]
    fn a_primary_whose_session_nobody_knows_is_nobodys_twin() {
        check(
            &format!(
                "{START}
                3s seen 11 parent 5; 3s hello 11 primary
                1s..6s tick; 6s end s1 complete; 6.1s bye 10 eof; 6.1s bye 11 eof
                6.2s exited 10; 6.2s exited 11; 6.2s gone 10; 6.2s gone 11; 6.3s..8s tick
                8s load; 8s drained quiet; 8s grace; 9s over"
            ),
            "pass",
        );
    }

    #[test]
    fn a_short_overlap_is_none() {
        check(
            &format!(
                "{START}
                3s seen 11 parent 5; 3s hello 11 primary; 3.1s serves 11 s1; 3.5s bye 10 done; 3.5s exited 10; 3.5s gone 10
                1s..6s tick; 6s end s1 complete; 6.1s bye 11 eof; 6.2s exited 11; 6.2s gone 11; 6.3s..8s tick
                8s load; 8s drained quiet; 8s grace; 9s over"
            ),
            "pass",
        );
    }
}
