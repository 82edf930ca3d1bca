//! Storm: far more processes were started than the load asks for.

use crate::judge::facts::Facts;
use crate::judge::finding::Found;
use crate::scenario::Bin;

/// Processes for each prompt of a session that are taken for granted: a wrapper, its payload, one that it leaves, and one more.
const FOR_EACH_PROMPT: u32 = 4;
/// Processes that every session may have besides: a few restarts.
const BESIDES: u32 = 4;

/// Processes that a worker may start for itself in any run: looking for its tools, a server or two.
const FOR_ITSELF: u32 = 24;
/// Helpers for each work item that are taken for granted, such as calls of git.
const FOR_EACH_ITEM: u32 = 2;

/// Processes that serve no session, as far as anybody knows.
#[derive(Debug, Clone, Copy)]
pub(in crate::judge) struct Strays {
    /// Those that should serve one, started without anybody knowing for which.
    pub unattributed: u32,
    /// Probes.
    pub probes: u32,
    /// Helpers.
    pub helpers: u32,
    /// Work items that were offered.
    pub items: u32,
}

impl Strays {
    /// How many of them count, where so many sessions opened. Without sessions nobody knows what a worker starts its helpers for.
    const fn count(self, opened: u32) -> u32 {
        if opened == 0 {
            return self.unattributed;
        }
        let granted = self.items.saturating_mul(FOR_EACH_ITEM);
        self.unattributed
            .saturating_add(self.probes)
            .saturating_add(self.helpers.saturating_sub(granted))
    }
}

/// Every session with a storm. Starts that belong to no session are held to what the whole load may have, as one.
pub(in crate::judge) fn storm(facts: &Facts, strays: Strays) -> Vec<Found> {
    let limit = FOR_EACH_PROMPT
        .saturating_mul(facts.expectations.prompts)
        .saturating_add(BESIDES);
    let found = |session: Option<String>, cause: &str, started: u32, limit: u32| Found {
        rule: Bin::Storm,
        subject: match session {
            Some(_) => "session",
            None => "worker",
        }
        .to_owned(),
        shape: format!("far more processes were started than the load asks for: {cause}"),
        cause: cause.to_owned(),
        blames: true,
        session,
        process: None,
        expected: format!("at most {limit} processes"),
        seen: format!("up to {started} processes"),
        by: None,
        events: Vec::new(),
    };
    let of_sessions = facts.sessions.iter().filter_map(|session| {
        let spawned = session.started.saturating_add(session.descendants);
        let cause = if session.descendants > session.started {
            "its claude started the rest"
        } else {
            "one claude after another was started for it"
        };
        (session.opened.is_some() && spawned > limit)
            .then(|| found(Some(session.name.clone()), cause, spawned, limit))
    });
    let in_all = limit
        .saturating_mul(facts.opened.max(1))
        .saturating_add(FOR_ITSELF);
    let strays = strays.count(facts.opened);
    let of_nobody =
        (strays > in_all).then(|| found(None, "processes that serve no session", strays, in_all));
    of_sessions.chain(of_nobody).collect()
}

#[cfg(test)]
mod tests {
    use crate::judge::check::{check, judge};
    use crate::scenario::Bin;

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

    #[track_caller]
    fn check_cause(history: &str, subject: &str, cause: &str) {
        let findings = judge(history).findings;
        let storms: Vec<(&str, &str)> = findings
            .iter()
            .filter(|finding| finding.rule == Bin::Storm)
            .map(|finding| (finding.subject.as_str(), finding.cause.as_str()))
            .collect();
        assert_eq!(storms, [(subject, cause)], "{findings:#?}");
    }

    #[test]
    fn a_storm_says_who_it_is_made_of() {
        check_cause(&storm(8, ""), "session", "its claude started the rest");
        let mut text = "0s run; 0s worker 5; 1s open s1; 1s..6s tick\n".to_owned();
        for pid in 11..20 {
            text += &format!(
                "2s seen {pid} parent 5; 2s hello {pid} primary; 2s serves {pid} s1; 2.1s bye {pid} refused; 2.1s exited {pid}; 2.1s gone {pid}\n"
            );
        }
        text += "5s end s1 complete; 7s load; 7s drained quiet; 7s grace; 8s over";
        check_cause(
            &text,
            "session",
            "one claude after another was started for it",
        );
    }

    fn strays(count: u32, role: &str, sessions: &str) -> String {
        let mut text = format!("0s run; 0s worker 5; 1s..6s tick; {sessions}\n");
        for pid in 100..100 + count {
            text += &format!(
                "2s seen {pid} parent 5; 2s hello {pid} {role}; 2.1s bye {pid} done; 2.1s exited {pid}; 2.1s gone {pid}\n"
            );
        }
        text + "7s load; 7s drained quiet; 7s grace; 8s over"
    }

    #[test]
    fn processes_that_serve_no_session_are_a_storm_of_the_worker() {
        let two = "1s open s1; 1s open s2; 5s end s1 complete; 5s end s2 complete";
        let cause = "processes that serve no session";
        check(&strays(40, "probe", two), "pass");
        check_cause(&strays(41, "probe", two), "worker", cause);
        check_cause(&strays(41, "primary", two), "worker", cause);
        // Of helpers, two for each work item do not count.
        let item = "1s offer a s1 observation; 1s skip a";
        let with_item = format!("{two}; {item}");
        check(&strays(42, "helper", &with_item), "pass skipped=1");
        check_cause(&strays(43, "helper", &with_item), "worker", cause);
    }

    #[test]
    fn without_sessions_nobody_knows_what_a_worker_starts_its_helpers_for() {
        check(&strays(100, "helper", "1s ready"), "pass");
    }
}
