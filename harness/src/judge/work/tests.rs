use crate::judge::check::{check, check_with, judge};
use crate::judge::finding::Finding;
use crate::scenario::Bin;

/// A session with a primary, and one item that was offered. It ends at 3 s, cleanly.
const SESSION: &str = "
    0s run; 0s worker 5; 0.1s..6s tick; 1s open s1; 1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1
    1.2s offer a s1 observation; 3s end s1 complete; 3.1s bye 10 eof; 3.1s exited 10; 3.1s gone 10; 4s load";
const END: &str = "5s grace; 7s over";

fn history(middle: &str) -> String {
    format!("{SESSION}\n{middle}\n4.5s drained quiet\n{END}")
}

#[test]
fn one_good_turn_of_its_kind_answers_it() {
    check(
        &history("1.3s accept a; 1.6s done 10 1 observation a"),
        "pass",
    );
    // A merged turn answers all that it holds.
    let merged = history(
        "1.2s offer b s1 observation; 1.3s accept a; 1.3s accept b; 1.6s done 10 1 observation a,b",
    );
    check(&merged, "pass");
    assert_eq!(judge(&merged).work.answered, 2);
}

#[test]
fn a_turn_of_another_kind_or_a_bad_one_answers_nothing() {
    check(
        &history("1.3s accept a; 1.6s done 10 1 summary a"),
        "fail lost=1",
    );
    check(
        &history("1.3s accept a; 1.6s failed 10 1 observation a"),
        "fail lost=1",
    );
    check(&history("1.3s accept a"), "fail lost=1");
}

#[test]
fn what_can_be_read_back_must_be_stored() {
    let answered = "1.3s accept a; 1.6s done 10 1 observation a";
    check(
        &history(&format!(
            "{answered}; 4.6s stored a 1; 4.6s store observation complete"
        )),
        "pass",
    );
    check(
        &history(&format!("{answered}; 4.6s store observation complete")),
        "fail lost=1",
    );
    check(
        &history(&format!("{answered}; 4.6s store summary complete")),
        "pass",
    );
    check(
        &history(&format!("{answered}; 4.6s store observation partly")),
        "inconclusive",
    );
}

#[test]
fn two_good_turns_or_too_many_records_are_duplicates() {
    let answered = "1.3s accept a; 1.6s done 10 1 observation a";
    check(
        &history(&format!("{answered}; 2s done 10 2 observation a")),
        "fail duplicated=1",
    );
    check(
        &history(&format!(
            "{answered}; 4.6s stored a 2; 4.6s store observation complete"
        )),
        "fail duplicated=1",
    );
    // The same turn told of twice is one turn.
    check(
        &history(&format!("{answered}; 1.7s done 10 1 observation a")),
        "pass",
    );
    // A summary that repeats it may be stored as well.
    check(
        &history(&format!(
            "{answered}; 2s done 10 2 summary a; 4.6s stored a 2; 4.6s store observation complete"
        )),
        "pass",
    );
}

#[test]
fn what_is_kept_on_disk_waits() {
    check(
        &history("1.3s accept a; 4.6s kept a"),
        "inconclusive pending=1",
    );
    check_with(
        &history("1.3s accept a; 4.6s kept a"),
        |expectations| expectations.allow_pending = true,
        "pass pending=1",
    );
}

#[test]
fn when_work_went_on_until_the_deadline_it_waits() {
    let busy = format!("{SESSION}\n1.3s accept a; 4.5s drained busy\n{END}");
    check(&busy, "inconclusive pending=1");
    // Without a worker nothing goes on.
    check(&format!("{busy}; 4.1s worker-exit 5"), "fail lost=1");
    check(
        &format!("{SESSION}\n1.3s accept a\n{END}"),
        "inconclusive pending=1",
    );
}

/// The real claude-mem 12.4.9 counts items in its queue that it has stored, and has dropped others: the run never comes to rest.
#[test]
fn what_is_not_in_a_queue_that_can_be_read_is_lost_when_nothing_goes_on() {
    let silent = format!(
        "{SESSION}\n1.2s offer b s1 observation; 1.3s accept a; 1.3s accept b; 4.5s drained busy; 4.6s kept b\n{END}"
    );
    check(&silent, "fail lost=1 pending=1");
    // Nobody knows what is in the queue: it may be there.
    check(&silent.replace("4.6s kept b", ""), "inconclusive pending=2");
    // Something went on a moment ago.
    let busy =
        "1s seen 11 parent 5; 1s hello 11 primary; 3.9s bye 11 eof; 3.9s exited 11; 3.9s gone 11";
    check(&format!("{busy}\n{silent}"), "inconclusive pending=2");
}

#[test]
fn the_workers_word_stands_until_evidence_beats_it() {
    check(&history("1.3s refuse a"), "fail refused=1");
    check(&history("1.3s skip a"), "pass skipped=1");
    check(&history("1.3s unknown a"), "fail unknown=1");
    check(
        &history("1.3s unknown a; 1.6s done 10 1 observation a"),
        "pass",
    );
    check(&history("1.3s accept a; 2s abort a"), "pass");
    check(&history(""), "fail unknown=1");
}

#[test]
fn what_a_worker_refuses_while_it_leaves_is_shown_and_fails_nothing() {
    let leaving = history("1.25s stop; 1.3s refuse a");
    let judgement = judge(&leaving);
    assert_eq!((judgement.work.refused, judgement.as_expected), (1, true));
    assert!(!judgement.findings[0].blames);
}

#[test]
fn what_breaks_off_with_the_worker_is_excused_and_so_is_a_hang_up() {
    let blamed = |history: &str| {
        let findings = judge(history).findings;
        let of_work = |finding: &&Finding| matches!(finding.rule, Bin::Unknown | Bin::Refused);
        findings.iter().find(of_work).map(|finding| finding.blames)
    };
    for (middle, expected) in [
        // The connection broke just before anybody saw the worker go.
        ("1.3s unknown a; 1.4s worker-exit 5", false),
        ("1.3s unknown a; 2.4s worker-exit 5", true),
        (
            "1.1s worker-exit 5; 1.2s worker 6; 1.3s refuse a; 1.4s ready",
            false,
        ),
        (
            "1.1s worker-exit 5; 1.2s worker 6; 1.3s ready; 1.4s refuse a",
            true,
        ),
    ] {
        assert_eq!(blamed(&history(middle)), Some(expected), "{middle}");
    }
    let hung_up = history("1.3s unknown a").replace("complete", "disconnect");
    assert_eq!(blamed(&hung_up), Some(false));
}

#[test]
fn an_abort_gives_up_what_is_not_answered() {
    let aborted = history("1.3s accept a").replace("complete", "abort");
    check(&aborted, "pass");
    assert_eq!(judge(&aborted).work.aborted, 1);
    let kept = format!("{aborted}; 4.6s kept a");
    check(&kept, "pass");
    assert_eq!(judge(&kept).work.aborted, 1);
}

#[test]
fn an_answer_counts_even_when_its_process_is_settled() {
    check(
        &history("1.3s accept a; 1.6s@4.4s done 10 1 observation a"),
        "pass",
    );
}

/// The cause of the one finding of a rule.
#[track_caller]
fn check_cause(history: &str, rule: Bin, cause: &str) {
    let judgement = judge(history);
    let found: Vec<(&str, &str)> = judgement
        .findings
        .iter()
        .filter(|finding| finding.rule == rule)
        .map(|finding| (finding.subject.as_str(), finding.cause.as_str()))
        .collect();
    assert_eq!(found, [("observation", cause)], "{:#?}", judgement.findings);
}

#[test]
fn a_lost_item_says_how_far_it_came() {
    let given = "1.3s accept a; 1.4s work 10 observation a";
    for (middle, cause) in [
        (
            "1.3s accept a".to_owned(),
            "accepted, and never given to a claude",
        ),
        (
            given.to_owned(),
            "given to a claude that ended before it answered",
        ),
        (
            format!(
                "{given}; 1.5s turn 10 1 observation a; 1.5s did 10 silent; 1.6s failed 10 1 observation a"
            ),
            "given to a claude that never answered it",
        ),
        (
            format!("{given}; 1.6s failed 10 1 observation a"),
            "its turn ended in an error",
        ),
        // A silent turn makes no other turn silent.
        (
            format!(
                "{given}; 1.5s did 10 silent; 1.6s turn 10 2 observation a; 1.7s failed 10 2 observation a"
            ),
            "its turn ended in an error",
        ),
        (
            format!("{given}; 1.6s done 10 1 summary a"),
            "answered in a turn of another kind alone",
        ),
        (
            format!("{given}; 1.6s done 10 1 observation a; 4.6s store observation complete"),
            "answered by claude and never stored",
        ),
        (
            format!("{given}; 4.6s stored a 1; 4.6s store observation complete"),
            "stored as done, and no turn of it ended well",
        ),
        (
            format!(
                "{given}; 1.6s failed 10 1 observation a; 4.6s stored a 1; 4.6s store observation complete"
            ),
            "its turn ended in an error",
        ),
    ] {
        check_cause(&history(&middle), Bin::Lost, cause);
    }
}

#[test]
fn a_turn_that_ends_without_its_worker_was_not_failed_by_the_claude() {
    let restart = "1.5s stop; 1.5s worker-exit 5; 1.6s worker 6; 1.9s ready";
    let middle = "1.3s accept a; 1.4s work 10 observation a";
    check_cause(
        &history(&format!(
            "{middle}; {restart}; 1.8s failed 10 1 observation a"
        )),
        Bin::Lost,
        "given to a claude whose worker went away before it answered",
    );
}

#[test]
fn the_last_claude_that_had_it_tells_the_cause() {
    let second = "3.2s seen 11 parent 5; 3.2s hello 11 primary; 3.2s serves 11 s1; 3.3s work 11 observation a";
    let gone = "3.6s bye 11 eof; 3.6s exited 11; 3.6s gone 11";
    check_cause(
        &history(&format!(
            "1.3s accept a; 1.4s work 10 observation a; {second}; 3.4s failed 11 1 observation a; {gone}"
        )),
        Bin::Lost,
        "its turn ended in an error",
    );
    check_cause(
        &history(&format!(
            "1.3s accept a; 1.4s work 10 observation a; 1.5s failed 10 1 observation a; {second}; {gone}"
        )),
        Bin::Lost,
        "given to a claude that ended before it answered",
    );
}

#[test]
fn a_duplicate_says_who_answered_it_again() {
    let answered = "1.3s accept a; 1.6s done 10 1 observation a";
    let second = "3.2s seen 11 parent 5; 3.2s hello 11 primary; 3.2s serves 11 s1; 3.4s done 11 1 observation a; 3.6s bye 11 eof; 3.6s exited 11; 3.6s gone 11";
    for (middle, cause) in [
        (
            "2s done 10 2 observation a",
            "answered more than once by the same claude",
        ),
        (second, "answered by more than one claude"),
        (
            "4.6s stored a 2; 4.6s store observation complete",
            "stored more often than answered",
        ),
    ] {
        check_cause(
            &history(&format!("{answered}; {middle}")),
            Bin::Duplicated,
            cause,
        );
    }
}

#[test]
fn without_the_control_socket_nobody_says_why_nor_that_what_is_stored_was_not_answered() {
    let unwatched = |middle: &str| {
        format!(
            "0s run only=table,reaper; 0s worker 5; 0.1s..6s tick; 1s open s1; 1.2s offer a s1 observation; 1.3s accept a
            3s end s1 complete; 4s load; 4.5s drained quiet; {middle}; {END}"
        )
    };
    check(
        &unwatched("4.6s stored a 1; 4.6s store observation complete"),
        "inconclusive",
    );
    check_cause(
        &unwatched("4.6s store observation complete"),
        Bin::Lost,
        "cause unknown",
    );
    // Where answers cannot be read back either, nothing is known of it at all.
    check_cause(
        &unwatched("4.6s store summary complete"),
        Bin::Pending,
        "nobody saw whether it was answered",
    );
    // A socket that failed on the way is no better.
    let failed = history(
        "1.3s accept a; 1.4s work 10 observation a; 2s fail control; 4.6s stored a 1; 4.6s store observation complete",
    );
    assert_eq!(judge(&failed).work.lost, 0);
}

#[test]
fn refused_and_unanswered_requests_have_one_cause_each() {
    check_cause(
        &history("1.3s refuse a"),
        Bin::Refused,
        "the worker said no",
    );
    check_cause(&history("1.3s unknown a"), Bin::Unknown, "no answer came");
}

#[test]
fn items_of_different_kinds_are_different_groups() {
    let judgement = judge(&history(
        "1.2s offer b s1 summary; 1.3s accept a; 1.3s accept b",
    ));
    let groups: Vec<(&str, &str)> = judgement
        .findings
        .iter()
        .map(|finding| (finding.subject.as_str(), finding.signature.as_str()))
        .collect();
    assert_eq!(
        groups,
        [
            (
                "observation",
                "lost: observation: accepted, and never given to a claude (session ended by complete)"
            ),
            (
                "summary",
                "lost: summary: accepted, and never given to a claude (session ended by complete)"
            ),
        ]
    );
}
