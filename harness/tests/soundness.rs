//! The gym's proof on a machine that has too much to do. A program of its own, since it keeps every processor busy and cargo runs the
//! programs of a test suite one after another.

// What the tests in `it` need of it, too.
#[allow(dead_code)]
#[path = "it/support.rs"]
mod support;

use leak_harness::gym::results::GymReport;

use crate::support::Ground;

#[test]
fn clean_sessions_are_silent_on_a_machine_that_has_too_much_to_do() {
    let ground = Ground::new();
    let said = ground
        .call([
            "gym",
            "--seeds",
            "0",
            "--soundness",
            "9",
            "--format",
            "json",
        ])
        .expect(0);
    let report: GymReport = serde_json::from_value(said.json()).expect("it is what the gym says");
    let soundness = report.soundness.expect("it was asked for");
    assert_eq!(soundness.sessions, 9);
    assert!(
        soundness.runs > 0 && soundness.burners >= 4,
        "{soundness:?}"
    );
    assert_eq!((soundness.false_verdicts, soundness.inconclusive), (0, 0));
    assert!(report.defects.is_empty() && report.controls.is_empty());
    ground.assert_clean();
}
