use crate::judge::check::judge;
use crate::judge::finding::rule_name;

const SESSION: &str = "
    0s run; 0s worker 5; 0.1s..8s tick; 1s open s1
    1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1";
const END: &str = "
    2s end s1 complete; 6s load; 6s drained quiet; 6.5s grace; 7s stop; 7.1s worker-exit 5; 8.5s residue; 9s over";

#[track_caller]
fn check_cause(middle: &str, expected: &str) {
    let judgement = judge(&format!("{SESSION}\n{middle}\n{END}"));
    let causes: Vec<&str> = judgement
        .findings
        .iter()
        .map(|finding| finding.cause.as_str())
        .collect();
    assert!(causes.contains(&expected), "{causes:#?}");
}

#[test]
fn a_leak_says_what_was_left_undone() {
    check_cause(
        "6s examined 10 by 5",
        "never signalled, stdin still held open by the worker",
    );
    check_cause(
        "6s examined 10 by 5,99",
        "never signalled, stdin still held open by the worker",
    );
    check_cause(
        "6s examined 10 by 99",
        "never signalled, stdin still held open by a process outside of the run",
    );
    check_cause(
        "2.1s eof 10",
        "never signalled, stayed after its stdin had ended",
    );
    check_cause(
        "6s examined 10",
        "never signalled, stdin closed, which it has not noticed",
    );
    check_cause(
        "6s examined 10 partly",
        "never signalled, stdin still open, holder unknown",
    );
    check_cause("", "never signalled");
}

#[test]
fn a_sibling_that_inherited_stdin_is_named() {
    check_cause(
        "1s open s2; 1.5s seen 11 parent 5; 1.5s hello 11 primary; 1.5s serves 11 s2; 6s examined 10 by 11",
        "never signalled, stdin still held open by a sibling that inherited it",
    );
}

#[test]
fn signals_are_named_with_their_sender() {
    check_cause(
        "2.1s signal 10 15 from 5 ignored",
        "ignored SIGTERM from the worker",
    );
    check_cause(
        "2.1s signal 10 2 from 0 ignored",
        "ignored SIGINT from outside of the run",
    );
    check_cause(
        "2.1s signal 10 15 from 77",
        "still there after SIGTERM from an unknown process",
    );
    // Signals of the worker's own stop come too late to count.
    check_cause("7s signal 10 15 from 5", "never signalled");
}

#[test]
fn without_the_control_socket_signals_are_unknown() {
    check_cause("1.5s fail control", "signals unknown");
}

#[test]
fn descendants_say_what_sets_them_apart() {
    let payload = "1.2s seen 11 parent 10; 1.2s hello 11 payload parent 10; 2.1s signal 10 15 from 5; 2.1s bye 10 signal; 2.1s exited 10; 2.2s gone 10; 2.2s tick row 11 S 1 1MiB";
    check_cause(
        payload,
        "its wrapper was ended and it was not, never signalled",
    );
    let child = "1.2s seen 11 parent 10; 1.2s hello 11 grandchild parent 10";
    check_cause(
        &format!(
            "{child}; 2.1s bye 10 eof; 2.1s exited 10; 2.2s gone 10; 2.2s tick row 11 S 1 1MiB"
        ),
        "the process that started it was ended and it was not, never signalled",
    );
    check_cause(
        child,
        "started by a process that still lives, never signalled",
    );
    check_cause(
        "1.2s seen 11 parent 10 sid 11; 1.2s hello 11 grandchild parent 10",
        "started by a process that still lives, in a process session of its own, never signalled",
    );
}

#[test]
fn a_zombie_names_the_one_that_never_waited() {
    check_cause(
        "2.1s bye 10 eof; 2.1s exited 10; 2.2s tick row 10 Z 5 0B",
        "the worker never waited for it",
    );
}

#[test]
fn an_early_end_names_its_sender() {
    check_cause(
        "1.5s signal 10 15 from 5; 1.5s bye 10 signal; 1.6s exited 10; 1.6s gone 10",
        "ended by SIGTERM from the worker while its session was open",
    );
    check_cause(
        "1.6s lost 10; 1.6s exited 10; 1.6s gone 10",
        "killed, sender unknown, while its session was open",
    );
    // Whether the kernel told its number or not.
    check_cause(
        "1.6s exited 10 signal 9; 1.6s gone 10",
        "killed, sender unknown, while its session was open",
    );
    check_cause(
        "1.2s offer a s1 observation; 1.2s accept a; 1.2s work 10 observation a; 1.5s eof 10; 1.5s bye 10 eof owed 1; 1.6s exited 10; 1.6s gone 10",
        "its stdin was closed while it had work under way",
    );
    check_cause(
        "1.2s offer a s1 observation; 1.2s accept a; 1.2s work 10 observation a; 1.5s bye 10 refused owed 1; 1.6s exited 10; 1.6s gone 10",
        "ended by itself with work under way: it refused its arguments or its input",
    );
}

#[test]
fn findings_of_one_shape_are_one_group_with_a_count() {
    let mut text = SESSION.to_owned();
    for pid in 100..221 {
        text += &format!(
            "\n1s open t{pid}; 1s seen {pid} parent 5 cmd claude --resume {pid}; 1s hello {pid} primary; 1s serves {pid} t{pid}; 2s end t{pid} complete; 6s examined {pid} by 5"
        );
    }
    text += "\n6s examined 10 by 5\n";
    let judgement = judge(&(text + END));
    assert_eq!(judgement.findings.len(), 1);
    let finding = &judgement.findings[0];
    assert_eq!(
        finding.signature,
        "retained: primary `claude` after complete: never signalled, stdin still held open by the worker"
    );
    assert_eq!((finding.count, finding.processes.len()), (122, 50));
    assert_eq!(finding.sessions.len(), 10);
    assert!(!finding.evidence.events.is_empty());
}

#[test]
fn what_comes_with_the_workers_stop_explains_nothing() {
    check_cause("7.05s eof 10", "never signalled");
    check_cause(
        "6s examined 10 by 5; 7.2s examined 10",
        "never signalled, stdin still held open by the worker",
    );
}

/// The one finding of a rule.
#[track_caller]
fn check_one(history: &str, rule: &str, subject: &str, cause: &str) {
    let judgement = judge(history);
    let found: Vec<(&str, &str, &str)> = judgement
        .findings
        .iter()
        .filter(|finding| rule_name(finding.rule) == rule)
        .map(|finding| (rule, finding.subject.as_str(), finding.cause.as_str()))
        .collect();
    assert_eq!(found, [(rule, subject, cause)], "{:#?}", judgement.reasons);
}

fn whole(middle: &str) -> String {
    format!("{SESSION}\n{middle}\n{END}")
}

#[test]
fn what_comes_after_it_was_overdue_came_too_late() {
    let gone = "5.1s exited 10; 5.1s gone 10";
    check_one(
        &whole(&format!(
            "5s signal 10 15 from 5; 5.1s bye 10 signal; {gone}"
        )),
        "retained",
        "primary",
        "signalled too late: SIGTERM from the worker",
    );
    check_one(
        &whole(&format!("5.1s lost 10; {gone}")),
        "retained",
        "primary",
        "killed too late, sender unknown",
    );
    check_one(
        &whole(&format!("5s eof 10; 5.1s bye 10 eof; {gone}")),
        "retained",
        "primary",
        "never signalled, its stdin was closed too late",
    );
    // The first signal is the one that is named, and a signal in time beats one that is late.
    check_one(
        &whole(&format!(
            "4s signal 10 2 from 5 ignored; 5s signal 10 15 from 5; 5.1s bye 10 signal; {gone}"
        )),
        "retained",
        "primary",
        "signalled too late: SIGINT from the worker",
    );
    check_one(
        &whole(&format!(
            "2.5s signal 10 2 from 5 ignored; 5s signal 10 15 from 5; {gone}"
        )),
        "retained",
        "primary",
        "ignored SIGINT from the worker",
    );
}

#[test]
fn what_the_run_itself_did_is_no_evidence() {
    // The harness killed it; it ended by itself; nobody could see how it ended.
    for middle in [
        "5s harness-signal 10 9; 5.1s lost 10; 5.1s exited 10 signal 9; 5.1s gone 10",
        "5.1s lost 10; 5.1s exited 10 code 101; 5.1s gone 10",
        "4s fail control; 5.1s exited 10; 5.1s gone 10",
        "5s did 10 die; 5.1s lost 10; 5.1s exited 10; 5.1s gone 10",
        "7.05s eof 10; 7.1s bye 10 eof; 7.1s exited 10; 7.1s gone 10",
        "7.05s lost 10; 7.1s exited 10; 7.1s gone 10",
    ] {
        check_one(&whole(middle), "retained", "primary", "never signalled");
    }
    // A planned restart closes the files of the worker.
    check_one(
        &whole(
            "4.9s harness-signal 5 9; 5s eof 10; 5s worker-exit 5 signal 9; 5.2s worker 6; 5.3s bye 10 eof; 5.3s exited 10; 5.3s gone 10",
        )
        .replace("7.1s worker-exit 5", "7.1s worker-exit 6"),
        "retained",
        "primary",
        "never signalled",
    );
}

#[test]
fn one_that_a_later_claude_replaced_says_so() {
    let second = |at: &str| {
        format!("{at} seen 11 parent 5; {at} hello 11 primary; {at} serves 11 s1; 1.9s eof 10")
    };
    let gone = "; 2.1s bye 11 eof; 2.1s exited 11; 2.1s gone 11";
    check_one(
        &whole(&(second("1.5s") + gone)),
        "retained",
        "primary",
        "replaced by a later claude of its session, never signalled, stayed after its stdin had ended",
    );
    // One that came only when the first was overdue did not replace it; and the last one was not replaced.
    let late = second("4s") + "; 4.1s bye 11 done; 4.1s exited 11; 4.1s gone 11";
    check_one(
        &whole(&late),
        "retained",
        "primary",
        "never signalled, stayed after its stdin had ended",
    );
    let judgement = judge(&whole(&second("1.5s")));
    let causes: Vec<&str> = judgement
        .findings
        .iter()
        .map(|finding| finding.cause.as_str())
        .collect();
    assert!(causes.contains(&"never signalled"), "{causes:?}");
}

#[test]
fn what_a_worker_that_is_gone_left_says_so() {
    let restart = "1.5s harness-signal 5 9; 1.6s eof 10; 1.6s worker-exit 5 signal 9; 1.7s worker 6; 1.7s tick row 10 S 1 1MiB";
    // That another worker started a claude for the session does not matter then.
    let second = "1.8s seen 11 parent 6; 1.8s hello 11 primary parent 6; 1.8s serves 11 s1; 2.1s bye 11 eof; 2.1s exited 11; 2.1s gone 11";
    let after = |middle: &str| {
        whole(&format!("{restart}; {second}; {middle}"))
            .replace("7.1s worker-exit 5", "7.1s worker-exit 6")
    };
    check_one(
        &after(""),
        "reparented",
        "primary",
        "left by a worker that is gone, never signalled, stayed after its stdin had ended",
    );
    check_one(
        &after("2.2s signal 10 15 from 6 ignored"),
        "readopted",
        "primary",
        "left by a worker that is gone, ignored SIGTERM from the worker, stayed after its stdin had ended",
    );
}

#[test]
fn a_daemon_is_told_from_one_in_a_session_of_its_own() {
    let starter = "2.1s bye 10 eof; 2.1s exited 10; 2.2s gone 10";
    let child = |sid: u32, first: &str| {
        whole(&format!(
            "1.5s did 10 leave pid 12; {first} seen 12 parent 1 sid {sid}; {first} hello 12 grandchild parent 1; {starter}"
        ))
    };
    for (sid, apart) in [
        (11, "daemonized by a double fork, "),
        (12, "in a process session of its own, "),
        (5, ""),
    ] {
        let cause =
            format!("the process that started it was ended and it was not, {apart}never signalled");
        check_one(&child(sid, "1.6s"), "reparented", "grandchild", &cause);
    }
    // Where nobody saw in which session its starter was, nobody can say.
    check_one(
        &child(11, "1.6s").replace("1s seen 10 parent 5; ", ""),
        "reparented",
        "grandchild",
        "the process that started it was ended and it was not, never signalled",
    );
}

#[test]
fn what_a_claude_starts_is_not_ended_by_its_stdin() {
    check_one(
        &whole(
            "1.5s seen 12 parent 10; 1.5s hello 12 grandchild parent 10; 2.1s bye 10 eof; 2.1s exited 10; 2.2s gone 10
            2.2s tick row 12 S 1 1MiB; 6s examined 12",
        ),
        "reparented",
        "grandchild",
        "the process that started it was ended and it was not, never signalled",
    );
}

#[test]
fn what_the_workers_stop_leaves_says_how_it_was_told_to_go() {
    let open = |middle: &str| {
        format!(
            "{SESSION}\n{middle}\n6s load; 6s drained quiet; 6.5s grace; 7s stop; 7.1s worker-exit 5; 8.5s residue; 9s over"
        )
    };
    for (middle, cause) in [
        ("", "never signalled"),
        (
            "7.1s eof 10",
            "never signalled, stayed after its stdin had ended",
        ),
        (
            "6s examined 10 by 5",
            "never signalled, stdin closed, which it has not noticed",
        ),
        ("6s examined 10 by 5 partly", "never signalled"),
        (
            "7.05s signal 10 15 from 5 ignored; 7.1s eof 10",
            "ignored SIGTERM from the worker, stayed after its stdin had ended",
        ),
    ] {
        check_one(&open(middle), "residue", "primary", cause);
    }
    let clean = "2.1s bye 10 eof; 2.1s exited 10; 2.1s gone 10";
    for (middle, subject, cause) in [
        (
            "1s seen 20 parent 5 role helper cmd git gc",
            "helper",
            "signals unknown",
        ),
        (
            "1s seen 20 parent 5; 1s hello 20 helper",
            "helper",
            "never signalled",
        ),
        (
            "1s seen 20 parent 5; 1s hello 20 probe; 6s examined 20 by 5",
            "probe",
            "never signalled",
        ),
    ] {
        check_one(
            &whole(&format!("{clean}; {middle}")),
            "residue",
            subject,
            cause,
        );
    }
    check_one(
        &open(&format!(
            "1.5s seen 12 parent 10; 1.5s hello 12 grandchild parent 10; 7s signal 10 15 from 5; {}",
            "7.05s bye 10 signal; 7.05s exited 10; 7.05s gone 10; 7.1s tick row 12 S 1 1MiB"
        )),
        "residue",
        "grandchild",
        "the process that started it was ended and it was not, never signalled",
    );
}

#[test]
fn zombies_of_every_role_name_the_one_that_never_waited() {
    let clean = "2.1s bye 10 eof; 2.1s exited 10; 2.1s gone 10";
    check_one(
        &whole(&format!(
            "{clean}; 1s seen 20 parent 5 role helper cmd git gc; 1.5s tick row 20 Z 5 0B"
        )),
        "zombie",
        "helper",
        "the worker never waited for it",
    );
    // Its starter lives on.
    check_one(
        &whole(
            "1.2s seen 12 parent 10; 1.2s hello 12 grandchild parent 10; 1.3s bye 12 done; 1.3s exited 12; 1.4s tick row 12 Z 10 0B",
        ),
        "zombie",
        "grandchild",
        "its parent, not the worker, never waited for it",
    );
}

#[test]
fn an_early_end_says_whether_its_session_was_open() {
    let work = "1.2s offer a s1 observation; 1.2s accept a; 1.2s work 10 observation a";
    let dies = |at: &str| format!("{at} exited 10; {at} gone 10");
    for (middle, cause) in [
        (
            format!(
                "1.5s signal 10 15 from 5; 1.5s bye 10 signal owed 1; {}",
                dies("1.6s")
            ),
            "ended by SIGTERM from the worker while its session was open, with work under way",
        ),
        (
            format!(
                "2.5s signal 10 15 from 5; 2.5s bye 10 signal owed 1; {}",
                dies("2.6s")
            ),
            "ended by SIGTERM from the worker after its session's end, with work under way",
        ),
        (
            format!("1.5s lost 10; {}", dies("1.5s")),
            "killed, sender unknown, while its session was open, with work under way",
        ),
        (
            "2.5s lost 10; 2.5s exited 10 signal 9; 2.5s gone 10".to_owned(),
            "killed, sender unknown, after its session's end, with work under way",
        ),
        (
            format!(
                "1.5s signal 10 15 from 0; 1.5s bye 10 signal owed 1; {}",
                dies("1.6s")
            ),
            "ended by SIGTERM from outside of the run while its session was open, with work under way",
        ),
        (
            format!(
                "1.5s signal 10 15 from 77; 1.5s bye 10 signal owed 1; {}",
                dies("1.6s")
            ),
            "ended by SIGTERM from an unknown process while its session was open, with work under way",
        ),
    ] {
        check_one(
            &whole(&format!("{work}; {middle}")),
            "killed_early",
            "primary",
            cause,
        );
    }
    check_one(
        &whole("1.2s seen 12 parent 10; 1.2s hello 12 grandchild parent 10; 1.5s signal 12 15 from 5; 1.5s bye 12 signal; 1.5s exited 12; 1.6s gone 12
            2.1s bye 10 eof; 2.1s exited 10; 2.1s gone 10"),
        "killed_early",
        "grandchild",
        "ended by SIGTERM from the worker while its session was open",
    );
}

#[test]
fn a_crash_says_what_its_last_word_was() {
    let work = "1.2s offer a s1 observation; 1.2s accept a; 1.2s work 10 observation a";
    for (how, cause) in [
        (
            "1.5s exited 10 code 101",
            "ended by itself with work under way",
        ),
        (
            "1.5s did 10 die; 1.5s bye 10 planned owed 1; 1.5s exited 10",
            "ended by itself with work under way, as the scenario told it to",
        ),
    ] {
        check_one(
            &whole(&format!("{work}; {how}; 1.5s gone 10")),
            "crashed",
            "primary",
            cause,
        );
    }
}

#[test]
fn what_is_undecided_says_in_words_what_is_missing() {
    let early = format!(
        "{SESSION}\n2s end s1 complete; 2.2s load; 2.2s drained quiet; 2.3s stop; 2.4s bye 10 signal; 2.4s exited 10; 2.4s gone 10; 2.5s worker-exit 5; 4s residue; 4s over"
    );
    let cause = "the worker was stopped before the grace was over";
    check_one(&early, "undecided", "primary", cause);
    let judgement = judge(&early);
    assert_eq!(
        judgement.findings[0].signature,
        format!("undecided: primary `claude` after complete: {cause}")
    );
    assert!(judgement.reasons[0].contains("`[expect] grace`"));
}

#[test]
fn a_sender_that_has_gone_meanwhile_is_named() {
    let tool = |parent: u32, sender: u32| {
        format!(
            "1.4s seen 12 parent {parent} sid 12; 1.4s hello 12 grandchild parent {parent}; 1.5s signal 10 15 from {sender}; 1.5s bye 12 done; 1.5s exited 12; 1.5s gone 12; 1.5s bye 10 signal; 1.6s exited 10; 1.6s gone 10"
        )
    };
    let second = "1s open s2; 1s seen 11 parent 5; 1s hello 11 primary; 1.1s serves 11 s2; 2s end s2 complete; 2.1s bye 11 eof; 2.1s exited 11; 2.1s gone 11";
    for (history, who) in [
        (
            format!("{second}; {}", tool(11, 12)),
            "a process of another session",
        ),
        (tool(10, 12), "a process that it started"),
        // The starter says so before anybody has seen what it started.
        (
            format!(
                "1.4s did 10 tool_kills pid 12; {}",
                tool(10, 12)
                    .replace("1.4s seen", "1.4s@1.55s seen")
                    .replace("1.4s hello", "1.4s@1.55s hello")
                    .replace("1.5s bye 12", "1.55s bye 12")
                    .replace("1.5s exited 12", "1.55s exited 12")
                    .replace("1.5s gone 12", "1.55s gone 12")
            ),
            "a process that it started",
        ),
        // It had ended a moment before its signal was heard; one that ended long before sent none.
        (
            tool(10, 12).replace("1.5s signal", "1.52s signal"),
            "a process that it started",
        ),
        (
            tool(10, 12)
                .replace(
                    "1.5s exited 12; 1.5s gone 12",
                    "1.41s exited 12; 1.41s gone 12",
                )
                .replace("1.5s bye 12", "1.41s bye 12")
                .replace("1.5s signal", "1.9s signal")
                .replace("1.5s bye 10", "1.9s bye 10")
                .replace("1.6s", "1.95s")
                .replace("1.41s", "1.25s")
                .replace("1.4s", "1.2s"),
            "an unknown process",
        ),
        (tool(10, 13), "an unknown process"),
    ] {
        check_one(
            &whole(&history),
            "killed_early",
            "primary",
            &format!("ended by SIGTERM from {who} while its session was open"),
        );
    }
}

#[test]
fn what_is_in_a_group_of_its_own_says_so() {
    check_one(
        &whole(
            "1.2s seen 12 parent 10 pgid 12; 1.2s hello 12 grandchild parent 10; 2.1s bye 10 eof; 2.1s exited 10; 2.2s gone 10; 2.2s tick row 12 S 1 1MiB",
        ),
        "reparented",
        "grandchild",
        "the process that started it was ended and it was not, in a process group of its own, never signalled",
    );
}

#[test]
fn one_that_came_after_its_sessions_end_says_so() {
    let again = "2.1s bye 10 eof; 2.1s exited 10; 2.1s gone 10; 2.2s seen 11 parent 5; 2.2s hello 11 primary; 2.2s serves 11 s1; 6s examined 11 by 5";
    check_one(
        &whole(again),
        "retained",
        "primary",
        "started after its session's end, never signalled, stdin still held open by the worker",
    );
    // The first claude of a short session may be seen only after its end.
    check_one(
        &whole("6s examined 10 by 5")
            .replace("1s seen 10", "2.01s seen 10")
            .replace("1s hello 10", "2.01s hello 10")
            .replace("1.1s serves 10", "2.02s serves 10"),
        "retained",
        "primary",
        "never signalled, stdin still held open by the worker",
    );
    // An abandoned session is over without a word.
    check_one(
        &whole(again).replace("end s1 complete", "end s1 abandon"),
        "retained",
        "primary",
        "never signalled, stdin still held open by the worker",
    );
}

#[test]
fn what_a_second_worker_started_says_so() {
    let second = "1.2s second 6; 1.3s seen 11 parent 6; 1.3s hello 11 primary parent 6; 1.3s serves 11 s1; 2.1s bye 10 eof; 2.1s exited 10; 2.1s gone 10; 6s examined 11 by 6";
    check_one(
        &whole(second),
        "retained",
        "primary",
        "started by a second worker, never signalled, stdin still held open by the worker",
    );
}

#[test]
fn work_that_a_live_claude_is_not_given_stalls_its_session() {
    let history = |first: &str, second: &str| {
        format!(
        "0s run; 0s worker 5; 1s open s1; 1s..9s tick; 1s offer a s1 observation; 1s accept a; 1s offer b s1 observation; 1s accept b
        1.1s seen 10 parent 5; 1.1s hello 10 primary; 1.1s serves 10 s1; 1.2s work 10 observation a; {first}
        2s end s1 abandon; 2.1s load; {second}; 4s drained busy; 4.1s kept b; 4.1s store observation complete; 4.5s grace; 5s stop; 5.1s worker-exit 5; 6.5s residue; 7s over"
    )
    };
    check_one(
        &history("1.4s done 10 1 observation a", "3s examined 10 by 5"),
        "stalled",
        "session",
        "its work is queued, and its live claude was never given it",
    );
    check_one(
        &history(
            "1.4s done 10 1 observation a; 1.4s work 10 observation b; 1.5s lost 10; 1.5s exited 10; 1.5s gone 10",
            "2.2s seen 11 parent 5; 2.2s hello 11 primary; 2.2s serves 11 s1",
        ),
        "stalled",
        "session",
        "its work was given to a claude that ended, and its live claude was never given it",
    );
}
