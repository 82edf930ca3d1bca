//! Requests that are sent twice, sessions that end at a step, and a worker that is paused.

use std::rc::Rc;

use tokio::sync::watch;
use tokio::task::spawn_local;

use super::Reached;
use super::tests::{Mood, ONE, brief, drain, drive, run, setup};
use crate::scenario::Step;
use crate::timeline::event::EventKind;
use crate::worker::Life;

#[test]
fn a_hook_that_is_registered_twice_sends_each_request_twice_and_hands_over_one_item() {
    let load = format!("{ONE}\"complete\"\ntwice = [\"prompt\", \"observation\", \"end\"]");
    let (events, server) = drive(Mood::Good, &load);
    assert_eq!(
        events,
        [
            "opened",
            "offered 1-o1z",
            "accepted 1-o1z",
            "offered 1-s1z",
            "accepted 1-s1z",
            "ended complete",
            "end answered Some(200)",
            "finished"
        ]
    );
    let paths = server.paths();
    let times = |path: &str| paths.iter().filter(|seen| seen.ends_with(path)).count();
    assert_eq!(times("/api/sessions/init"), 2);
    assert_eq!(times("/sessions/17/init"), 2);
    assert_eq!(times("/observations"), 2);
    assert_eq!(times("/summarize"), 1);
    assert_eq!(times("/complete"), 2);
}

#[test]
fn the_better_of_two_answers_counts() {
    let load = format!("{ONE}\"complete\"\ntwice = [\"observation\"]");
    let (events, _) = drive(Mood::RefusesOnce, &load);
    assert_eq!(events[1..3], ["offered 1-o1z", "accepted 1-o1z"]);
    let (events, _) = drive(Mood::Refuses, &load);
    assert_eq!(events[2], "refused 1-o1z 503 too busy");
}

/// Drives a session of three observations that reaches the step once so many items were accepted; with none, before it begins.
fn ends_at(accepted: usize, end: &str) -> Vec<String> {
    run(async {
        let load = format!("sessions = 1\nobservations = 3\nend = \"{end}\"\nend_at = \"given\"");
        let mut setup = setup(Mood::Good, &load).await;
        let (tell, told) = watch::channel(accepted == 0);
        let reached = Reached::by(move |session, step| {
            assert_eq!((session, step), (1, Step::Given));
            let mut told = told.clone();
            Box::pin(async move { drop(told.wait_for(|told| *told).await) })
        });
        let driver = Rc::into_inner(setup.driver).expect("nobody else has it");
        let driving = spawn_local(Rc::new(driver.told_by(reached)).drive());
        let mut events = Vec::new();
        while let Some(event) = setup.events.recv().await {
            events.push(brief(&event.event));
            let count = events
                .iter()
                .filter(|event| event.starts_with("accepted"))
                .count();
            tell.send_replace(count >= accepted);
            if events.last().is_some_and(|last| last == "finished") {
                break;
            }
        }
        driving.await.expect("it does not panic");
        events
    })
}

#[test]
fn a_session_that_reaches_its_step_ends_there_and_offers_nothing_more() {
    // Nothing was said to the worker yet, so there is no end that could be said.
    assert_eq!(ends_at(0, "complete"), ["ended complete", "finished"]);
    let aborted = ends_at(3, "abort");
    assert_eq!(
        aborted[aborted.len() - 6..],
        [
            "aborted 1-o1z",
            "aborted 1-o2z",
            "aborted 1-o3z",
            "ended abort",
            "end answered Some(200)",
            "finished"
        ]
    );
}

#[test]
fn a_session_that_never_reaches_its_step_ends_after_the_time_of_a_request() {
    let events = ends_at(usize::MAX, "complete");
    assert_eq!(events[events.len() - 3..][0], "ended complete");
    assert_eq!(
        events
            .iter()
            .filter(|event| event.starts_with("accepted"))
            .count(),
        3
    );
}

#[test]
fn what_a_paused_worker_does_not_answer_costs_the_item_and_not_the_session() {
    let events = run(async {
        let mut setup = setup(Mood::Hangs, &format!("{ONE}\"complete\"")).await;
        setup.life.send_replace(Life::Paused);
        let driver = Rc::clone(&setup.driver);
        let driving = spawn_local(driver.drive());
        let mut events = Vec::new();
        while !matches!(events.last(), Some(EventKind::WorkUnknown { .. })) {
            events.push(setup.events.recv().await.expect("it goes on").event);
        }
        setup.life.send_replace(Life::Ready);
        driving.await.expect("it does not panic");
        events.extend(drain(&mut setup.events));
        events.iter().map(brief).collect::<Vec<_>>()
    });
    assert_eq!(
        events[2..5],
        [
            "unknown 1-o1z no answer within 2.0 s",
            "offered 1-s1z",
            "accepted 1-s1z"
        ]
    );
}
