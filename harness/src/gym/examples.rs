//! Results written by hand, on which every form is shown.

use super::judged::DefectRun;
use super::results::{
    ControlLine, DefectLine, Gap, GymReport, LoadAverage, SCHEMA, Soundness, Standing,
};
use crate::scenario::{Bin, ExpectedCause, Witness};

const HELD: &str = "never signalled, stdin still held open by the worker";

fn about(rule: Bin, subject: &str, cause: &str) -> ExpectedCause {
    ExpectedCause {
        rule,
        subject: Some(subject.to_owned()),
        cause: cause.to_owned(),
    }
}

fn run(seed: u64, about: &ExpectedCause) -> DefectRun {
    DefectRun {
        seed,
        found: true,
        bin: Some(about.rule),
        subject: about.subject.clone(),
        bin_right: true,
        cause: Some(about.cause.clone()),
        cause_right: true,
        detected_after_ms: Some(1_100 + seed),
        as_expected: true,
        rejudged: true,
        ..DefectRun::default()
    }
}

fn defect(
    name: &str,
    issue: Option<&str>,
    about: &ExpectedCause,
    runs: Vec<DefectRun>,
) -> DefectLine {
    DefectLine::new(name, issue.map(str::to_owned), about, None, false, runs)
}

fn control(name: &str) -> ControlLine {
    ControlLine {
        name: name.to_owned(),
        runs: 3,
        ..ControlLine::default()
    }
}

/// A gym in which all is right.
pub(super) fn right() -> GymReport {
    let held = about(Bin::Retained, "primary", HELD);
    let lost = about(
        Bin::Lost,
        "observation",
        "accepted, and never given to a claude",
    );
    GymReport {
        schema: SCHEMA,
        harness: "0.1.0".to_owned(),
        seeds: 2,
        jobs: 4,
        isolation: "auto".to_owned(),
        elapsed_ms: 83_000,
        defects: vec![
            defect(
                "never-ends-stdin",
                Some("thedotmack/claude-mem#603"),
                &held,
                vec![run(1, &held), run(2, &held)],
            ),
            defect(
                "drops-queue-at-end",
                None,
                &lost,
                vec![run(1, &lost), run(2, &lost)],
            ),
        ],
        controls: vec![control("sawtooth"), control("long-turn")],
        soundness: Some(Soundness {
            sessions: 10_000,
            runs: 97,
            burners: 8,
            load_average: LoadAverage {
                before: [0.4, 0.3, 0.2],
                after: [11.2, 8.0, 4.5],
                highest: 12.9,
            },
            ..Soundness::default()
        }),
        ..GymReport::default()
    }
    .with_totals()
}

/// A gym in which nearly everything is off.
pub(super) fn mixed() -> GymReport {
    let held = about(Bin::Retained, "primary", HELD);
    let zombie = about(Bin::Zombie, "primary", "the worker never waited for it");
    let wrong_cause = DefectRun {
        cause: Some("never signalled | <b>@someone</b> \x1b[2J".to_owned()),
        cause_right: false,
        as_expected: false,
        unexpected: vec!["retained 3, and 4 was expected".to_owned()],
        ..run(2, &held)
    };
    let wrong_bin = DefectRun {
        found: false,
        bin: Some(Bin::Residue),
        bin_right: false,
        cause_right: false,
        as_expected: false,
        detected_after_ms: None,
        ..run(1, &zombie)
    };
    let nothing = DefectRun {
        found: false,
        bin: None,
        subject: None,
        bin_right: false,
        cause: None,
        cause_right: false,
        as_expected: false,
        detected_after_ms: None,
        ..run(1, &held)
    };
    let doubtful = DefectRun {
        inconclusive: true,
        ..nothing.clone()
    };
    let otherwise = DefectRun {
        rejudged: false,
        ..run(1, &zombie)
    };
    let beside = DefectRun {
        as_expected: false,
        unexpected: vec!["lost 1, and none was expected".to_owned()],
        ..run(1, &zombie)
    };
    let failed = DefectRun::failed(1, "the worker would not start".to_owned());
    let alarm = ControlLine {
        runs: 2,
        false_alarms: 1,
        failed: 1,
        said: vec!["seed 7: Fail: 1 of 4 processes leaked; 1 retained: <script>".to_owned()],
        ..control("warms-up")
    };
    let doubt = ControlLine {
        inconclusive: 1,
        ..control("floods")
    };
    let mut report = right();
    report.without = vec![Witness::Reaper];
    report.gaps = vec![Gap {
        rule: Bin::Crashed,
        cause_alone: false,
        what: "nobody sees how a process ended".to_owned(),
    }];
    let one = |name, about, run| defect(name, None, about, vec![run]);
    let excused = DefectLine::new(
        "cannot-be-told",
        None,
        &held,
        report.gaps.first(),
        true,
        vec![nothing.clone()],
    );
    report.defects.extend([
        defect(
            "inherited-pipe",
            None,
            &held,
            vec![run(1, &held), wrong_cause],
        ),
        one("never-waits", &zombie, wrong_bin),
        one("says-nothing", &held, nothing),
        one("says-little", &held, doubtful),
        one("changes-its-mind", &zombie, otherwise),
        one("something-beside-it", &zombie, beside),
        one("does-not-start", &zombie, failed),
        excused,
    ]);
    report.controls.extend([alarm, doubt]);
    if let Some(soundness) = &mut report.soundness {
        soundness.false_verdicts = 1;
        soundness.inconclusive = 2;
        soundness.said = vec!["complete-and-tracked-640: seed 640: Fail".to_owned()];
    }
    report.with_totals()
}

#[test]
fn the_worst_of_a_case_is_how_it_stands() {
    let report = mixed();
    let standings: Vec<_> = report.defects.iter().map(|line| line.standing).collect();
    assert_eq!(
        standings,
        [
            Standing::Right,
            Standing::Right,
            Standing::WrongCause,
            Standing::WrongBin,
            Standing::Missed,
            Standing::Inconclusive,
            Standing::JudgedOtherwise,
            Standing::Unexpected,
            Standing::Failed,
            Standing::Excused,
        ]
    );
    assert_eq!(report.standing(), Standing::Failed);
    assert_eq!(right().standing(), Standing::Right);
}

#[test]
fn the_json_form_has_the_promised_names() {
    let json = right().json().expect("it can be written");
    insta::assert_snapshot!(json);
    assert_eq!(
        serde_json::from_str::<GymReport>(&json).expect("it can be read"),
        right()
    );
}

#[test]
fn of_a_hundred_runs_fewer_than_one_may_be_inconclusive() {
    let sound = |runs, inconclusive| {
        Soundness {
            runs,
            inconclusive,
            ..Soundness::default()
        }
        .standing()
    };
    assert_eq!(sound(100, 0), Standing::Right);
    assert_eq!(sound(101, 1), Standing::Right);
    assert_eq!(sound(100, 1), Standing::Unexpected);
}
