//! Storm: far more processes were started than the load asks for.

use crate::judge::facts::Facts;
use crate::judge::finding::Found;
use crate::scenario::Bin;

/// Processes for each prompt of a session that are taken for granted: a wrapper, its payload, one that it leaves, and one more.
const FOR_EACH_PROMPT: u32 = 4;
/// Processes that every session may have besides: a few restarts.
const BESIDES: u32 = 4;

/// Every session with a storm. Starts that nobody could attribute are held to what the whole load may have, as one.
pub(in crate::judge) fn storm(facts: &Facts, unattributed: u32) -> Vec<Found> {
    let limit = FOR_EACH_PROMPT
        .saturating_mul(facts.expectations.prompts)
        .saturating_add(BESIDES);
    let found = |session: Option<String>, spawned: u32, limit: u32| Found {
        rule: Bin::Storm,
        subject: if session.is_some() {
            "session"
        } else {
            "worker"
        }
        .to_owned(),
        shape: "far more processes were started than the load asks for".to_owned(),
        cause: format!("{spawned} processes were started"),
        blames: true,
        session,
        process: None,
        expected: format!("at most {limit} processes"),
        seen: format!("up to {spawned} processes"),
        by: None,
        events: Vec::new(),
    };
    let of_sessions = facts
        .sessions
        .iter()
        .filter(|session| session.opened.is_some() && session.spawned > limit)
        .map(|session| found(Some(session.name.clone()), session.spawned, limit));
    let in_all = limit.saturating_mul(facts.opened.max(1));
    let stray = (unattributed > in_all).then(|| found(None, unattributed, in_all));
    of_sessions.chain(stray).collect()
}

#[cfg(test)]
mod tests {
    use crate::judge::check::check;

    fn storm(children: u32, session: &str) -> String {
        let mut text = format!(
            "0s run; 0s worker 5; 1s open s1; 1s..6s tick
            1s seen 10 parent 5; 1s hello 10 primary {session}; 1.1s serves 10 s1\n"
        );
        for pid in 11..11 + children {
            text += &format!(
                "2s seen {pid} parent 10; 2s hello {pid} grandchild; 5s exited {pid}; 5.1s gone {pid}\n"
            );
        }
        text + "5s end s1 complete; 5.1s bye 10 eof; 5.1s exited 10; 5.1s gone 10
            7s load; 7s drained quiet; 7s grace; 8s over"
    }

    #[test]
    fn many_processes_for_one_prompt_are_a_storm() {
        check(&storm(8, ""), "fail storm=1");
    }

    #[test]
    fn a_few_processes_are_none() {
        check(&storm(7, ""), "pass");
    }

    #[test]
    fn processes_that_nobody_saw_are_not_counted() {
        check("0s run; 0s worker 5; 1s open s1; 8s over", "inconclusive");
    }
}
