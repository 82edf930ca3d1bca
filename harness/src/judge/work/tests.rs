use super::*;
use crate::judge::check::{check, check_with, judge};
use crate::judge::finding::Finding;

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
}

#[test]
fn an_answer_counts_even_when_its_process_is_settled() {
    check(
        &history("1.3s accept a; 1.6s@4.4s done 10 1 observation a"),
        "pass",
    );
}
