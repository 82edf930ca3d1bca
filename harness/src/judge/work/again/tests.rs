use crate::judge::Judgement;
use crate::judge::check::{check, judge};

/// A claude that has read one of two items and hangs when the run has drained, and nothing is stored or kept. `o1` and `o2` are the items.
const HUNG: &str = "
    0s run; 0s worker 5; 0.1s..9s tick; 1s open s1; 1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1
    1.2s offer o1 s1 observation; 1.2s offer o2 s1 observation; 1.3s accept o1; 1.3s accept o2
    1.4s work 10 observation o1; 1.5s did 10 hang
    4.4s end s1 complete; 4.4s load; 4.5s drained quiet; 4.6s store observation complete";
/// The worker ends it in the grace.
const ENDED: &str = "5s bye 10 signal; 5s exited 10 signal 15; 5s gone 10";
const AGAIN: &str = "6s again quiet";
const ALL: &str = "6.1s store observation complete";
const OVER: &str = "6.5s grace; 7s stop; 7.1s worker-exit 5; 8.5s residue; 9s over";

/// A history of markers as the driver writes them, so that what is over is put away.
fn history(parts: &[&str]) -> String {
    let text = parts.join("\n") + "\n" + OVER;
    text.replace("o1", "lhm-ab-1-o1z")
        .replace("o2", "lhm-ab-1-o2z")
}

#[track_caller]
fn check_all(parts: &[&str], expected: &str) {
    check(&history(parts), expected);
}

fn causes(judgement: &Judgement) -> Vec<&str> {
    let mut causes: Vec<&str> = judgement
        .findings
        .iter()
        .map(|finding| finding.cause.as_str())
        .collect();
    causes.sort_unstable();
    causes
}

#[test]
fn what_waited_in_a_claude_that_is_ended_before_the_second_look_is_lost() {
    // Without a second look it is only known that it waited.
    check_all(&[HUNG, ENDED], "fail pending=2 stalled=1");
    check_all(&[HUNG, ENDED, AGAIN, ALL], "fail lost=2");
    assert_eq!(
        causes(&judge(&history(&[HUNG, ENDED, AGAIN, ALL]))),
        [
            "accepted, and never given to a claude",
            "given to a claude that ended before it answered"
        ]
    );
}

#[test]
fn what_waits_in_and_behind_a_live_claude_to_the_end_waits() {
    check_all(&[HUNG, AGAIN, ALL], "fail retained=1 pending=2 stalled=1");
    // Where nobody knows whom a claude serves, nobody knows what waits behind it.
    let stranger = &HUNG.replace("1.1s serves 10 s1", "");
    check_all(&[stranger, AGAIN, ALL], "fail retained=1 lost=1 pending=1");
}

#[test]
fn what_is_answered_and_stored_before_the_second_look_is_answered() {
    let answered = "5s done 10 1 observation o1,o2; 5.1s bye 10 eof; 5.1s exited 10; 5.1s gone 10";
    check_all(
        &[
            HUNG,
            answered,
            AGAIN,
            "6.1s stored o1 1; 6.1s stored o2 1",
            ALL,
        ],
        "pass",
    );
    check_all(
        &[HUNG, answered, AGAIN, "6.1s stored o1 1", ALL],
        "fail lost=1",
    );
    // Told of page by page.
    check_all(
        &[
            HUNG,
            answered,
            AGAIN,
            "6.1s stored o1 1; 6.1s stored o2 1; 6.1s stored o2 1",
            ALL,
        ],
        "fail duplicated=1",
    );
}

#[test]
fn what_was_stored_at_the_first_look_is_not_counted_again() {
    let answered = HUNG.replace(
        "1.5s did 10 hang",
        "1.8s done 10 1 observation o1; 1.9s work 10 observation o2; 2s did 10 hang; 4.55s stored o1 1",
    );
    check_all(
        &[&answered, ENDED, AGAIN, "6.1s stored o1 1", ALL],
        "fail lost=1",
    );
    check_all(
        &[&answered, ENDED, AGAIN, "6.1s stored o1 2", ALL],
        "fail lost=1",
    );
    // What the second look does not show was there before.
    check_all(&[&answered, ENDED, AGAIN, ALL], "fail lost=1");
}

#[test]
fn what_is_kept_is_what_the_second_look_says() {
    let kept = &HUNG.replace("4.5s drained", "4.55s kept o1; 4.55s kept o2; 4.5s drained");
    check_all(&[kept, ENDED], "fail pending=2 stalled=1");
    check_all(
        &[kept, ENDED, AGAIN, "6.1s kept o1", ALL],
        "fail lost=1 pending=1",
    );
    check_all(
        &[HUNG, ENDED, AGAIN, "6.1s kept o1", ALL],
        "fail lost=1 pending=1",
    );
}

#[test]
fn a_second_look_that_could_not_read_all_loses_nothing() {
    let partly = "6.1s store observation partly";
    let as_before = "fail pending=2 stalled=1";
    check_all(&[HUNG, ENDED, AGAIN, partly], as_before);
    check_all(&[HUNG, ENDED, AGAIN], as_before);
    let kept = &HUNG.replace("4.5s drained", "4.55s kept o1; 4.55s kept o2; 4.5s drained");
    check_all(&[kept, ENDED, AGAIN, partly], as_before);
    // What it did find counts.
    let answered = "5s done 10 1 observation o1; 5.1s bye 10 eof; 5.1s exited 10; 5.1s gone 10";
    let history = history(&[HUNG, answered, AGAIN, "6.1s stored o1 1", partly]);
    assert_eq!(judge(&history).work.answered, 1);
}

#[test]
fn a_store_that_could_be_read_at_the_second_look_alone_is_known() {
    let unread = &HUNG.replace("observation complete", "observation partly");
    check_all(&[unread, ENDED, AGAIN, ALL], "fail lost=2");
    let answered = "5s done 10 1 observation o1,o2; 5.1s bye 10 eof; 5.1s exited 10; 5.1s gone 10";
    check_all(&[unread, answered], "inconclusive");
    check_all(&[unread, answered, AGAIN, ALL], "fail lost=2");
    check_all(
        &[
            unread,
            answered,
            AGAIN,
            "6.1s stored o1 1; 6.1s stored o2 1",
            ALL,
        ],
        "pass",
    );
}

#[test]
fn when_work_still_went_on_at_the_second_look_it_waits() {
    let busy = &HUNG
        .replace("drained quiet", "drained busy")
        .replace("1.4s work 10 observation o1; 1.5s did 10 hang", "");
    let idle = "5s bye 10 eof; 5s exited 10; 5s gone 10";
    check_all(&[busy, idle], "inconclusive pending=2");
    check_all(&[busy, idle, AGAIN, ALL], "fail lost=2");
    check_all(
        &[busy, idle, "6s again busy", ALL],
        "inconclusive pending=2",
    );
    // Nothing went on although the worker counts something: what is not in its queue, which can be read, is lost.
    check_all(
        &[
            busy,
            idle,
            "6.5s again busy; 6.6s kept o1",
            &ALL.replace("6.1", "6.6"),
        ],
        "fail lost=1 pending=1 stalled=1",
    );
    // What waited with a claude may be under way again.
    check_all(
        &[HUNG, ENDED, "6s again busy", ALL],
        "inconclusive pending=2",
    );
    // Something was said a moment ago.
    let late = "5.8s bye 10 eof; 5.8s exited 10; 5.8s gone 10";
    check_all(
        &[busy, late, "6s again busy; 6.1s kept o1", ALL],
        "fail retained=1 pending=2 stalled=1",
    );
}

#[test]
fn what_was_lost_when_the_run_had_drained_stays_lost() {
    let given_up = &HUNG.replace(
        "1.5s did 10 hang",
        "1.5s failed 10 1 observation o1; 1.6s failed 10 1 observation o2",
    );
    let idle = "5s bye 10 eof; 5s exited 10; 5s gone 10";
    check_all(&[given_up, idle, "6s again busy", ALL], "fail lost=2");
}

#[test]
fn what_is_answered_after_the_second_look_is_not_lost_because_it_is_not_stored() {
    let slow = &HUNG.replace("; 1.5s did 10 hang", "");
    let answered =
        "6.2s done 10 1 observation o1,o2; 6.3s bye 10 eof; 6.3s exited 10; 6.3s gone 10";
    let judgement = judge(&history(&[slow, AGAIN, answered, ALL]));
    assert_eq!((judgement.work.lost, judgement.work.pending), (0, 2));
    assert!(
        causes(&judgement).contains(&"answered after stored work was read back for the last time")
    );
    // One of which only the word comes late had its time, and so had one of which it came before.
    let late =
        "5.2s@6.2s done 10 1 observation o1,o2; 6.3s bye 10 eof; 6.3s exited 10; 6.3s gone 10";
    assert_eq!(judge(&history(&[slow, AGAIN, late, ALL])).work.lost, 2);
    let answered =
        "5.2s done 10 1 observation o1,o2; 5.3s bye 10 eof; 5.3s exited 10; 5.3s gone 10";
    check_all(&[slow, answered, AGAIN, ALL], "fail lost=2");
}

#[test]
fn work_that_is_queued_when_all_has_come_to_rest_at_the_second_look_stalls_its_session() {
    let queued = HUNG
        .replace("1s open s1", "1s open s1; 1s open s2")
        .replace("offer o2 s1", "offer o2 s2")
        .replace(
            "4.4s end s1 complete",
            "4.4s end s1 complete; 4.4s end s2 complete",
        )
        .replace("; 1.5s did 10 hang", "")
        .replace("drained quiet", "drained busy; 4.55s kept o2");
    let answered = "5s done 10 1 observation o1; 5.1s bye 10 eof; 5.1s exited 10; 5.1s gone 10";
    let again = "6s again quiet; 6.1s stored o1 1; 6.1s kept o2";
    check_all(&[&queued, answered, again, ALL], "fail pending=1 stalled=1");
}
