//! Prompts and sessions that end as the hooks of each generation end them.

use super::tests::{Mood, ONE, drive_with};

/// Two prompts, with one observation each.
const TWO_PROMPTS: &str = "sessions = 1\nprompts = 2\nobservations = 1\nend = ";

/// The part of a request that tells requests apart.
fn last_step(path: &str) -> &str {
    let path = path.split('?').next().unwrap_or(path);
    path.rsplit('/').next().unwrap_or(path)
}

#[test]
fn a_prompt_that_another_one_follows_is_ended_where_the_hooks_do_that() {
    let (events, server) = drive_with(
        Mood::Good,
        &format!("{TWO_PROMPTS}\"complete\""),
        "claude-mem-9.1",
    );
    assert_eq!(
        events,
        [
            "opened",
            "offered 1-o1z",
            "accepted 1-o1z",
            "prompt ended",
            "prompt begun",
            "offered 1-o2z",
            "accepted 1-o2z",
            "ended complete",
            "end answered Some(200)",
            "finished"
        ]
    );
    let paths = server.paths();
    let steps: Vec<_> = paths.iter().map(|path| last_step(path)).collect();
    let prompt = ["init", "init", "observations", "complete"];
    assert_eq!(steps, [prompt, prompt].concat());

    // What ends is the session; its last prompt is left as it is.
    let (events, server) = drive_with(
        Mood::Good,
        &format!("{TWO_PROMPTS}\"abandon\""),
        "claude-mem-9.1",
    );
    let told = events
        .iter()
        .filter(|event| *event == "prompt ended")
        .count();
    assert_eq!(
        (told, last_step(server.paths().last().unwrap())),
        (1, "observations")
    );
}

#[test]
fn an_end_that_waits_is_said_when_the_answer_holds_what_is_waited_for() {
    let (events, server) = drive_with(
        Mood::Good,
        &format!("{TWO_PROMPTS}\"complete\""),
        "claude-mem-10.7",
    );
    let told: Vec<_> = events
        .iter()
        .filter(|event| {
            ["prompt ended", "prompt begun", "ended complete"].contains(&event.as_str())
        })
        .collect();
    assert_eq!(told, ["prompt ended", "prompt begun", "ended complete"]);
    let paths = server.paths();
    let steps: Vec<_> = paths.iter().map(|path| last_step(path)).collect();
    let prompt = [
        "init",
        "init",
        "observations",
        "status",
        "status",
        "complete",
    ];
    // The hook of the session's end says it once more.
    assert_eq!(steps, [&prompt[..], &prompt[..], &["complete"]].concat());
}

#[test]
fn who_waits_in_vain_goes_on_when_time_is_up() {
    let (events, server) = drive_with(
        Mood::NeverDrains,
        &format!("{ONE}\"complete\""),
        "claude-mem-10.7",
    );
    assert!(events.contains(&"ended complete".to_owned()), "{events:?}");
    let paths = server.paths();
    let asked = paths.iter().filter(|path| last_step(path) == "status");
    // 110 s of 500 ms each, a hundred times as fast; a busy machine asks less often.
    assert!((2..=220).contains(&asked.count()), "{paths:?}");
}

#[test]
fn a_prompt_whose_end_is_not_answered_does_not_stop_the_session() {
    let (events, _) = drive_with(
        Mood::HangsAtTheEnd,
        &format!("{TWO_PROMPTS}\"complete\""),
        "claude-mem-9.1",
    );
    assert_eq!(
        events[3..],
        [
            "prompt ended",
            "prompt begun",
            "offered 1-o2z",
            "accepted 1-o2z",
            "ended complete",
            "end answered None",
            "finished"
        ]
    );
}
