use std::fmt::Write as _;

use super::*;
use crate::judge::check::in_a_second;
use crate::judge::{Expectations, Judge, Judgement};
use crate::scenario::End;
use crate::timeline::notation::events;

/// One session whose primary was told nothing; the session ends at 2 s with a grace of 1 s.
const SESSION: &str = "
    0s run; 0s worker 5; 0.1s..8s tick; 1s open s1
    1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1; 2s end s1 complete";
/// The end of a run in which everything is waited for.
const END: &str = "
    6s load; 6s drained quiet; 6.5s grace; 7s stop; 7.1s worker-exit 5; 8.5s residue; 9s over";

fn judgement(history: &str, expectations: &Expectations) -> Judgement {
    let mut judge = Judge::new(expectations).keeping_lanes();
    events(history).iter().for_each(|event| judge.see(event));
    judge.finish()
}

fn lanes(history: &str) -> Lanes {
    judgement(history, &in_a_second()).lanes
}

/// What is drawn: one line for each session, and one for each process behind it.
fn drawn(lanes: &Lanes) -> String {
    let mut text = String::new();
    for lane in &lanes.sessions {
        write!(text, "{}", lane.session).unwrap();
        if let Some(opened) = lane.opened_ms {
            write!(text, " from {opened}").unwrap();
        }
        if let Some((at, end)) = lane.ended {
            write!(text, " {end} {at}").unwrap();
        }
        text += if lane.stalled { " stalled\n" } else { "\n" };
        lane.bars.iter().for_each(|bar| draw(&mut text, bar));
    }
    if !lanes.others.is_empty() {
        text += "others\n";
        lanes.others.iter().for_each(|bar| draw(&mut text, bar));
    }
    text
}

fn draw(text: &mut String, bar: &Bar) {
    let fate = format!("{:?} {:?}", bar.role, bar.fate).to_lowercase();
    write!(text, "  {} {fate} {}", bar.process.pid, bar.first_ms).unwrap();
    let moments = [
        ("eof", bar.eof_ms),
        ("due", bar.due_ms),
        ("died", bar.died_ms),
        ("gone", bar.gone_ms),
    ];
    for (name, moment) in moments {
        if let Some(moment) = moment {
            write!(text, " {name} {moment}").unwrap();
        }
    }
    for mark in &bar.marks {
        write!(text, " signal {} at {}", mark.signal, mark.at_ms).unwrap();
        if let Some(sender) = mark.sender {
            write!(text, " from {sender}").unwrap();
        }
        text.push_str(if mark.ours { " ours" } else { "" });
        text.push_str(if mark.ignored { " ignored" } else { "" });
    }
    text.push('\n');
}

#[track_caller]
fn check(middle: &str, expected: &str) {
    let lanes = lanes(&format!("{SESSION}\n{middle}\n{END}"));
    let expected: Vec<&str> = expected.lines().map(str::trim).collect();
    let drawn = drawn(&lanes);
    let drawn: Vec<&str> = drawn.lines().map(str::trim).collect();
    assert_eq!(drawn, expected);
}

#[test]
fn what_outlives_its_session_has_its_due_moment() {
    check(
        "7.05s exited 10; 7.1s gone 10",
        "s1 from 1000 complete 2000
         10 primary retained 1000 due 3000 died 7050 gone 7100",
    );
    // One that lives to the end has no end.
    check(
        "",
        "s1 from 1000 complete 2000
         10 primary retained 1000 due 3000",
    );
}

#[test]
fn what_goes_at_the_end_of_its_stdin_is_clean_and_says_when() {
    check(
        "2.2s eof 10; 2.3s bye 10 eof; 2.3s exited 10; 2.35s gone 10",
        "s1 from 1000 complete 2000
         10 primary clean 1000 eof 2200 died 2300 gone 2350",
    );
}

#[test]
fn a_signal_has_its_mark_and_its_sender() {
    check(
        "1.5s signal 10 15 from 5 ignored; 1.7s signal 10 15 from 5; 1.8s bye 10 signal; 1.8s exited 10 code 143; 1.85s gone 10",
        "s1 from 1000 complete 2000
         10 primary killedearly 1000 died 1800 gone 1850 signal 15 at 1500 from 5 ignored signal 15 at 1700 from 5",
    );
    // The victim hears nothing of SIGKILL.
    check(
        "1.5s lost 10; 1.5s exited 10 signal 9; 1.55s gone 10",
        "s1 from 1000 complete 2000
         10 primary killedearly 1000 died 1500 gone 1550 signal 9 at 1500",
    );
}

#[test]
fn what_the_harness_sent_is_its_own_and_stands_there_once() {
    // It is heard a moment before it is stated; the worker's own of the same number stays the worker's.
    check(
        "2.5s signal 10 15 from 5 ignored; 4s signal 10 15 from 1 ignored; 4.01s harness-signal 10 15
         8.6s harness-signal 10 9; 8.6s exited 10 signal 9; 8.6s gone 10",
        "s1 from 1000 complete 2000
         10 primary retained 1000 due 3000 died 8600 gone 8600 signal 15 at 2500 from 5 ignored signal 15 at 4000 from 1 ours ignored signal 9 at 8600 ours",
    );
}

#[test]
fn more_signals_than_can_be_drawn_are_counted() {
    let signals: String = (0..40)
        .map(|at| format!("1.{}s signal 10 1 from 5 ignored; ", 100 + at))
        .collect();
    let lanes = lanes(&format!(
        "{SESSION}; {signals} 2.5s exited 10 signal 9; 2.5s gone 10\n{END}"
    ));
    let bar = &lanes.sessions[0].bars[0];
    assert_eq!(bar.marks.len(), MARKS);
    assert_eq!(bar.marks_omitted, 41 - MARKS as u32);
    assert_eq!(bar.marks.last().map(|mark| mark.signal), Some(9));
}

#[test]
fn descendants_are_in_the_lane_of_their_session_and_helpers_are_not() {
    check(
        "1.2s seen 11 parent 10 cmd /bin/mcp; 1.3s seen 12 parent 5 cmd git status role helper; 1.4s exited 12; 1.4s gone 12
         1.5s hello 13 probe; 1.5s bye 13 done; 1.5s exited 13; 1.5s gone 13
         2.3s bye 10 eof; 2.3s exited 10; 2.35s gone 10; 2.4s seen 11 parent 1 cmd /bin/mcp",
        "s1 from 1000 complete 2000
         10 primary clean 1000 died 2300 gone 2350
         11 grandchild reparented 1200 due 3000
         others
         12 helper clean 1300 died 1400 gone 1400
         13 probe clean 1500 died 1500 gone 1500",
    );
}

#[test]
fn what_nobody_can_attribute_is_with_the_others() {
    // Two sessions are open when it comes, and it never says whom it serves.
    check(
        "1.5s open s2; 1.6s seen 20 parent 5; 1.8s exited 20 code 0; 1.8s gone 20; 2.5s end s2 abandon
         2.3s bye 10 eof; 2.3s exited 10; 2.35s gone 10",
        "s1 from 1000 complete 2000
         10 primary clean 1000 died 2300 gone 2350
         s2 from 1500 abandon 2500
         others
         20 primary clean 1600 died 1800 gone 1800",
    );
}

#[test]
fn a_session_that_never_opened_comes_last() {
    check(
        "1.5s open s2; 1.6s seen 20 parent 5; 1.6s hello 20 primary; 1.6s serves 20 a-made-up-one; 1.8s bye 20 done; 1.8s exited 20; 1.8s gone 20
         2.3s bye 10 eof; 2.3s exited 10; 2.35s gone 10",
        "s1 from 1000 complete 2000
         10 primary clean 1000 died 2300 gone 2350
         s2 from 1500
         a-made-up-one
         20 primary clean 1600 died 1800 gone 1800",
    );
}

#[test]
fn a_session_that_could_not_go_on_is_marked() {
    check(
        "1.5s open s2; 5s stall s2; 2.3s bye 10 eof; 2.3s exited 10; 2.35s gone 10",
        "s1 from 1000 complete 2000
         10 primary clean 1000 died 2300 gone 2350
         s2 from 1500 stalled",
    );
}

#[test]
fn the_workers_lives_and_the_last_stop_are_there() {
    let lanes = lanes(&format!(
        "{SESSION}; 3s stop; 3.2s worker-exit 5; 3.5s worker 6; 4s second 7; 5s second-exit 7; 7s stop; 7.3s worker-exit 6; 9s over"
    ));
    assert_eq!(
        lanes.workers,
        [(0, Some(3200)), (3500, Some(7300)), (4000, Some(5000))]
    );
    assert_eq!(lanes.stop_ms, Some(7000));
}

/// A run with so many sessions, of which some leak; each has one primary, that comes and goes within its second.
fn many(sessions: u32, leaks: impl Fn(u32) -> bool) -> String {
    let mut history = format!("0s run; 0s worker 5; 0.1s..{}s tick", sessions + 3);
    for number in 1..=sessions {
        let pid = 100 + number;
        write!(
            history,
            "\n{number}s open s{number}; {number}s seen {pid} parent 5; {number}s hello {pid} primary; {number}.1s serves {pid} s{number}; {number}.5s end s{number} complete"
        )
        .unwrap();
        if !leaks(number) {
            write!(
                history,
                "; {number}.6s bye {pid} eof; {number}.6s exited {pid}; {number}.7s gone {pid}"
            )
            .unwrap();
        }
    }
    let over = sessions + 4;
    history + &format!("\n{over}s load; {over}s drained quiet; {over}.5s grace; {over}.6s over")
}

fn within(course: Course, history: &str) -> Lanes {
    let mut judge = Judge::new(&in_a_second()).keeping_lanes();
    judge.census.course = Some(course);
    events(history).iter().for_each(|event| judge.see(event));
    judge.finish().lanes
}

fn names(lanes: &Lanes) -> Vec<&str> {
    let sessions = lanes.sessions.iter();
    sessions.map(|lane| lane.session.as_str()).collect()
}

#[test]
fn of_too_many_sessions_those_with_findings_stay_and_then_the_earliest() {
    let history = many(40, |number| number % 10 == 9);
    let lanes = within(Course::within(8, 8, 100), &history);
    assert_eq!(
        names(&lanes),
        ["s1", "s2", "s3", "s4", "s9", "s19", "s29", "s39"]
    );
    assert_eq!((lanes.sessions_omitted, lanes.bars_omitted), (32, 32));
    assert!(lanes.sessions.iter().all(|lane| lane.bars.len() == 1));

    let lanes = within(Course::within(8, 8, 100), &many(40, |_| true));
    assert_eq!(
        names(&lanes),
        ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"]
    );
    assert_eq!((lanes.sessions_omitted, lanes.bars_omitted), (32, 32));
}

#[test]
fn what_is_kept_while_it_runs_is_bounded_too() {
    let mut judge = Judge::new(&in_a_second()).keeping_lanes();
    judge.census.course = Some(Course::within(8, 8, 100));
    let mut most = 0;
    for event in events(&many(60, |number| number % 10 == 9)) {
        judge.see(&event);
        most = most.max(judge.census.course.as_ref().unwrap().lanes.len());
    }
    assert!(most <= 10, "{most} lanes at once");
}

#[test]
fn a_session_found_wanting_after_it_was_left_out_is_back() {
    // What the twentieth session offered is found to be lost only when all is over.
    let history = many(40, |_| false) + "; 20s offer a s20 observation; 20s accept a";
    let lanes = within(Course::within(8, 8, 100), &history);
    assert_eq!(
        names(&lanes),
        ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s20"]
    );
    assert_eq!(lanes.sessions[7].opened_ms, Some(20_000));
    assert_eq!(lanes.sessions[7].ended, Some((20_500, End::Complete)));
    // Its process is omitted with those of the other 32.
    assert_eq!((lanes.sessions_omitted, lanes.bars_omitted), (32, 33));
}

#[test]
fn of_too_many_processes_those_with_findings_stay_and_then_the_earliest() {
    let mut history = SESSION.to_owned();
    for pid in 20..60 {
        write!(
            history,
            "; 1.{pid}s seen {pid} parent 10; 1.9s exited {pid} code 0; 1.9s gone {pid}"
        )
        .unwrap();
    }
    history += "; 1.9s seen 70 parent 10; 1.95s seen 71 parent 10";
    let lanes = within(
        Course::within(8, 8, 100),
        &format!("{history}; 2.3s bye 10 eof; 2.3s exited 10; 2.35s gone 10\n{END}"),
    );
    let pids: Vec<u32> = lanes.sessions[0]
        .bars
        .iter()
        .map(|bar| bar.process.pid)
        .collect();
    assert_eq!(pids, [10, 20, 21, 22, 23, 24, 70, 71]);
    assert_eq!(lanes.bars_omitted, 35);

    // All sessions together have a bound as well.
    let lanes = within(Course::within(40, 8, 10), &many(40, |number| number == 39));
    assert_eq!(lanes.sessions.len(), 10);
    assert_eq!(lanes.sessions[9].session, "s39");
    assert_eq!((lanes.sessions_omitted, lanes.bars_omitted), (30, 30));
}

#[test]
fn names_that_never_opened_are_bounded_and_counted_once() {
    let mut history = format!("{SESSION}; 1s open s2");
    for number in 0..40 {
        let pid = 100 + number;
        write!(
            history,
            "; 1.{pid}s seen {pid} parent 5; 1.{pid}s hello {pid} primary; 1.{pid}s serves {pid} made-up-{number}
             1.{pid}s bye {pid} done; 1.{pid}s exited {pid}; 1.{pid}s gone {pid}"
        )
        .unwrap();
    }
    let lanes = within(Course::within(8, 8, 100), &format!("{history}\n{END}"));
    assert!(lanes.sessions.len() <= 8, "{:?}", names(&lanes));
    assert_eq!(names(&lanes)[..2], ["s1", "s2"]);
    let drawn = lanes.sessions.iter().map(|lane| lane.bars.len());
    let drawn = drawn.sum::<usize>() + lanes.others.len();
    assert_eq!(drawn as u32 + lanes.bars_omitted, 41);
    assert!(lanes.sessions_omitted > 0 && lanes.sessions_omitted <= 40);
}
