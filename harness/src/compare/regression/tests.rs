//! The definition of a regression, case by case, on literal reports.

use super::super::examples::{failing, grows, inconclusive, passing};
use super::super::{Comparison, compare};
use super::*;
use crate::judge::Threshold;
use crate::judge::finding::{Evidence, Finding};

/// So many of a finding, of a shape.
fn finding(rule: Bin, shape: &str, count: u32) -> Finding {
    Finding {
        rule,
        signature: format!("{}: {shape}", rule_name(rule)),
        subject: "primary".to_owned(),
        count,
        known: false,
        blames: true,
        sessions: Vec::new(),
        processes: Vec::new(),
        cause: shape.to_owned(),
        evidence: Evidence::default(),
    }
}

/// A run of 40 sessions and 120 work items with these findings.
fn run(findings: &[(Bin, &str, u32)]) -> Report {
    let mut report = passing();
    report.findings = findings
        .iter()
        .map(|(rule, shape, count)| finding(*rule, shape, *count))
        .collect();
    let blamed = report
        .findings
        .iter()
        .filter(|finding| counts_against(finding.rule));
    report.reasons = blamed
        .map(|finding| format!("{} {}", finding.count, finding.signature))
        .collect();
    if !report.reasons.is_empty() {
        report.verdict = Verdict::Fail;
    }
    for finding in &report.findings {
        match finding.rule {
            Bin::Retained => report.roles.primary.retained += finding.count,
            Bin::KilledEarly => report.roles.primary.killed_early += finding.count,
            Bin::Lost => report.work.lost += finding.count,
            _ => {}
        }
    }
    report
}

/// The same with another number of sessions and of work items.
fn sized(mut report: Report, sessions: u32, items: u32) -> Report {
    report.sessions.planned = sessions;
    report.sessions.opened = sessions;
    report.sessions.ended = sessions;
    report.work.offered = items;
    report
}

fn with(mut report: Report, change: impl FnOnce(&mut Report)) -> Report {
    change(&mut report);
    report
}

fn compared(a: &Report, b: &Report) -> Comparison {
    compare(("a", a), ("b", b), 0)
}

/// Demands an outcome, and the kinds of all regressions, sure or not.
#[track_caller]
fn check(what: &str, a: &Report, b: &Report, outcome: Outcome, kinds: &[Kind]) {
    let comparison = compared(a, b);
    let found: Vec<Kind> = comparison.regressions.iter().map(|one| one.kind).collect();
    assert_eq!(
        (comparison.outcome, found.as_slice()),
        (outcome, kinds),
        "{what}: {}",
        comparison.headline
    );
}

use Kind::{FasterGrowth, MoreFindings, NewFinding, ThresholdCrossed, Verdict as Failed};
use Outcome::{NoRegression, Regression as Worse, Undecided};

const LEAK: &str = "primary `claude` after complete: never signalled";

#[test]
fn findings_decide() {
    let none = run(&[]);
    let leak = |count| run(&[(Bin::Retained, LEAK, count)]);
    let new_and_failed = &[NewFinding, Failed][..];
    for (what, a, b, outcome, kinds) in [
        ("twice the same pass", &none, &none, NoRegression, &[][..]),
        ("twice the same leak", &leak(3), &leak(3), NoRegression, &[]),
        (
            "a leak that was not there",
            &none,
            &leak(1),
            Worse,
            new_and_failed,
        ),
        ("a leak that is gone", &leak(3), &none, NoRegression, &[]),
        ("less of a leak", &leak(3), &leak(2), NoRegression, &[]),
        (
            "one more of a leak",
            &leak(3),
            &leak(4),
            Worse,
            &[MoreFindings],
        ),
        (
            "less of a leak, but for another cause",
            &leak(3),
            &run(&[(Bin::Retained, "primary: ignored SIGTERM", 1)]),
            Worse,
            &[NewFinding],
        ),
        (
            "work that is lost besides",
            &leak(3),
            &run(&[(Bin::Retained, LEAK, 3), (Bin::Lost, "observation: x", 1)]),
            Worse,
            &[NewFinding],
        ),
        (
            "more kills",
            &run(&[(Bin::KilledEarly, "primary: x", 1)]),
            &run(&[(Bin::KilledEarly, "primary: x", 2)]),
            Worse,
            &[MoreFindings],
        ),
        (
            "what is doubt",
            &none,
            &run(&[(Bin::Pending, "x", 3)]),
            NoRegression,
            &[],
        ),
        (
            "what is skipped",
            &none,
            &run(&[(Bin::Skipped, "x", 3)]),
            NoRegression,
            &[],
        ),
    ] {
        check(what, a, b, outcome, kinds);
    }
}

#[test]
fn the_size_of_the_load_explains_more_of_the_same_and_nothing_new() {
    let leak = |count| run(&[(Bin::Retained, LEAK, count)]);
    let lost = |count| run(&[(Bin::Lost, "observation: x", count)]);
    for (what, a, b, outcome, kinds) in [
        (
            "twice as many of twice",
            leak(3),
            sized(leak(6), 80, 240),
            NoRegression,
            &[][..],
        ),
        (
            "one more than twice",
            leak(3),
            sized(leak(7), 80, 240),
            Worse,
            &[MoreFindings],
        ),
        (
            "as many of half",
            leak(3),
            sized(leak(3), 20, 60),
            Worse,
            &[MoreFindings],
        ),
        (
            "rounded up",
            leak(3),
            sized(leak(2), 20, 60),
            NoRegression,
            &[],
        ),
        (
            "items count for items",
            lost(3),
            sized(lost(6), 40, 240),
            NoRegression,
            &[],
        ),
        (
            "and sessions do not",
            lost(3),
            sized(lost(4), 80, 120),
            Worse,
            &[MoreFindings],
        ),
        (
            "new is new",
            run(&[]),
            sized(leak(1), 4_000, 12_000),
            Worse,
            &[NewFinding, Failed],
        ),
    ] {
        check(what, &a, &b, outcome, kinds);
    }
}

#[test]
fn a_tolerance_is_for_more_of_the_same_alone() {
    let leak = |count| run(&[(Bin::Retained, LEAK, count)]);
    let outcome = |a: &Report, b: &Report| compare(("a", a), ("b", b), 20).outcome;
    assert_eq!(outcome(&leak(10), &leak(12)), NoRegression);
    assert_eq!(outcome(&leak(10), &leak(13)), Worse);
    assert_eq!(outcome(&run(&[]), &leak(1)), Worse);
}

#[test]
fn what_a_baseline_knew_is_new_all_the_same_and_what_is_excused_is_not() {
    let leak = run(&[(Bin::Retained, LEAK, 1)]);
    let known = with(leak.clone(), |report| {
        report.findings[0].known = true;
        report.verdict = Verdict::Pass;
        report.reasons.clear();
    });
    check("known", &run(&[]), &known, Worse, &[NewFinding]);
    let excused = with(known, |report| report.findings[0].blames = false);
    check("excused", &run(&[]), &excused, NoRegression, &[]);
}

#[test]
fn thresholds_decide_when_they_are_newly_crossed() {
    let threshold = |actual: u64| {
        with(run(&[]), |report| {
            report.thresholds = vec![Threshold {
                metric: "time_to_reap_p95_ms".to_owned(),
                limit: 100,
                actual,
                ok: actual <= 100,
            }];
        })
    };
    let without = with(run(&[]), |report| report.thresholds.clear());
    let crossed = &[ThresholdCrossed][..];
    for (what, a, b, outcome, kinds) in [
        ("kept", threshold(50), threshold(100), NoRegression, &[][..]),
        (
            "newly crossed",
            threshold(100),
            threshold(101),
            Worse,
            crossed,
        ),
        (
            "crossed in both",
            threshold(101),
            threshold(900),
            NoRegression,
            &[],
        ),
        (
            "no longer crossed",
            threshold(101),
            threshold(50),
            NoRegression,
            &[],
        ),
        (
            "one that A did not have",
            without.clone(),
            threshold(101),
            Worse,
            crossed,
        ),
        (
            "one that B does not have",
            threshold(50),
            without,
            NoRegression,
            &[],
        ),
    ] {
        check(what, &a, &b, outcome, kinds);
    }
}

#[test]
fn growth_decides_when_it_is_new_or_surely_faster() {
    let growing = |slope: f64| {
        with(
            run(&[(
                Bin::Growth,
                "the worker's RSS trends upward after warm-up",
                1,
            )]),
            |report| {
                report.growth = vec![grows(slope)];
            },
        )
    };
    let level = with(run(&[]), |report| report.growth = vec![grows(0.0)]);
    check("new", &level, &growing(1e7), Worse, &[NewFinding, Failed]);
    check(
        "twice as fast",
        &growing(1e7),
        &growing(2e7),
        Worse,
        &[FasterGrowth],
    );
    check(
        "perhaps faster",
        &growing(1e7),
        &growing(1.05e7),
        NoRegression,
        &[],
    );
    check("slower", &growing(2e7), &growing(1e7), NoRegression, &[]);
    // A baseline that was slower is named in the signature, and the shape is the same.
    let named = with(growing(1.05e7), |report| {
        report.findings[0].signature += ", faster than the baseline";
    });
    check("named otherwise", &growing(1e7), &named, NoRegression, &[]);
}

#[test]
fn times_and_memory_alone_decide_nothing() {
    let slow = with(run(&[]), |report| {
        report.time_to_reap_ms.p95 *= 100;
        report.time_to_reap_ms.max *= 1_000;
        report.end_answer_ms.p50 = 99_000;
        report.end_answer_ms.count = 40;
        report.memory.peak_rss_bytes *= 50;
        report.memory.worker_peak_rss_bytes *= 50;
        report.overhead.cpu_ms = Some(1_000_000);
    });
    check("slow and fat", &run(&[]), &slow, NoRegression, &[]);
}

#[test]
fn a_pass_that_becomes_a_failure_is_a_regression_whatever_failed() {
    let failed = with(run(&[]), |report| report.verdict = Verdict::Fail);
    check("failed", &run(&[]), &failed, Worse, &[Failed]);
    check("failed before", &failed, &failed, NoRegression, &[]);
}

#[test]
fn without_evidence_nothing_is_decided_and_what_is_sure_is() {
    let none = run(&[]);
    let leak = run(&[(Bin::Retained, LEAK, 1)]);
    let lost = run(&[(Bin::Lost, "observation: x", 1)]);
    // Its work is pending, and its processes are all accounted for.
    let pending = with(inconclusive(), |report| {
        report.witnesses.clear();
        report.findings.clear();
    });
    let cut_off = with(run(&[]), |report| {
        report.verdict = Verdict::Inconclusive;
        report.reasons = vec!["the recording was cut off".to_owned()];
        report.sessions.opened = 10;
        report.sessions.ended = 9;
    });
    let blind = with(pending.clone(), |report| {
        report.witnesses = inconclusive().witnesses;
    });
    let open = with(pending.clone(), |report| report.roles.primary.undecided = 1);
    let failed_half = with(run(&[(Bin::Retained, LEAK, 1)]), |report| {
        report.reasons.push("the recording was cut off".to_owned());
        report.sessions.opened = 10;
        report.sessions.ended = 9;
    });
    for (what, a, b, outcome, kinds) in [
        ("B proves nothing", &none, &pending, Undecided, &[][..]),
        ("A proves nothing", &pending, &none, Undecided, &[]),
        (
            "neither proves anything",
            &pending,
            &pending,
            Undecided,
            &[],
        ),
        ("A saw all processes", &pending, &leak, Worse, &[NewFinding]),
        (
            "A did not see all work",
            &pending,
            &lost,
            Undecided,
            &[NewFinding],
        ),
        (
            "A did not see all sessions",
            &cut_off,
            &leak,
            Undecided,
            &[NewFinding],
        ),
        (
            "A did not hear its claudes",
            &blind,
            &leak,
            Undecided,
            &[NewFinding],
        ),
        (
            "A left a process undecided",
            &open,
            &leak,
            Undecided,
            &[NewFinding],
        ),
        (
            "A failed and saw half",
            &failed_half,
            &lost,
            Undecided,
            &[NewFinding],
        ),
        (
            "B failed and saw half",
            &none,
            &failed_half,
            Worse,
            &[NewFinding, Failed],
        ),
        ("B may have more", &leak, &failed_half, Undecided, &[]),
        ("B was cut off", &none, &cut_off, Undecided, &[]),
    ] {
        check(what, a, b, outcome, kinds);
    }
}

/// What the first line says.
#[track_caller]
fn says(a: &Report, b: &Report, expected: &str) {
    let headline = compared(a, b).headline;
    assert_eq!(headline, expected);
    assert_eq!(headline.lines().count(), 1);
}

#[test]
fn the_first_line_says_what_came_of_it() {
    let held = |bytes: u64| move |report: &mut Report| report.memory.leaked_rss_bytes = bytes;
    let leak = |count, bytes| with(run(&[(Bin::Retained, LEAK, count)]), held(bytes));
    let none = run(&[]);
    says(
        &none,
        &leak(31, 12 << 30),
        "B leaks: 31 more processes outlive their session (retained 0 → 31) and hold 12 GiB; 0 of 120 items lost in both",
    );
    says(
        &leak(31, 12 << 30),
        &none,
        "B no longer leaks: 31 fewer processes outlive their session (retained 31 → 0), 12 GiB less held; 0 of 120 items lost in both",
    );
    says(
        &leak(1, 1 << 30),
        &leak(2, 3 << 30),
        "B leaks more: 1 more process outlives its session (retained 1 → 2) and holds 2.0 GiB more; 0 of 120 items lost in both",
    );
    says(
        &leak(4, 0),
        &leak(1, 0),
        "B leaks less: 3 fewer processes outlive their session (retained 4 → 1); 0 of 120 items lost in both",
    );
    says(
        &leak(4, 0),
        &sized(leak(4, 0), 20, 60),
        "B leaks more per session: 0.10 → 0.20 processes (4 → 4); 0 of 120 items lost in A, 0 of 60 in B",
    );
    says(
        &leak(4, 0),
        &run(&[(Bin::Retained, "primary: ignored SIGTERM", 4)]),
        "B leaks in a new way: 4 processes outlive their session (4 in A); 0 of 120 items lost in both",
    );
    says(
        &none,
        &run(&[
            (Bin::KilledEarly, "primary: x", 2),
            (Bin::Lost, "observation: x", 3),
        ]),
        "B ends processes before their time: killed early 0 → 2; loses work: lost 0 of 120 items → 3 of 120",
    );
    says(
        &run(&[
            (Bin::KilledEarly, "primary: x", 2),
            (Bin::Lost, "observation: x", 3),
        ]),
        &none,
        "B no longer ends processes before their time: killed early 2 → 0; no longer loses work: lost 3 of 120 items → 0 of 120",
    );
    says(
        &none,
        &run(&[
            (Bin::Twin, "session: x", 2),
            (Bin::Refused, "summary: y", 1),
        ]),
        "B treats work worse: refused 0 → 1; is worse: twin 0 → 2; 0 of 120 items lost in both",
    );
    says(
        &none,
        &none,
        "no difference that matters: nothing outlives its session in either; 0 of 120 items lost in both",
    );
    says(
        &leak(3, 0),
        &leak(3, 0),
        "no difference that matters: 3 processes outlive their session in both; 0 of 120 items lost in both",
    );
    says(
        &leak(3, 0),
        &sized(leak(6, 0), 80, 240),
        "no difference that matters: 3 processes outlive their session in A (40 sessions), 6 in B (80 sessions); 0 of 120 items lost in A, 0 of 240 in B",
    );
    says(
        &none,
        &inconclusive(),
        "not decided, B is inconclusive: 3 work items still waiting; a longer `[run] drain` would decide it, or `[expect] allow_pending = true`; seen so far: no difference that matters: nothing outlives its session in either; 0 of 120 items lost in both",
    );
}

#[test]
fn the_literal_failure_is_worse_than_the_literal_pass_in_all_its_ways() {
    let comparison = compared(&passing(), &failing());
    let words: Vec<&str> = comparison
        .regressions
        .iter()
        .map(|one| one.words.as_str())
        .collect();
    assert_eq!(comparison.outcome, Worse);
    assert_eq!(
        words,
        [
            "retained 0 → 121: primary `claude` after complete: never signalled, stdin still held open by the worker",
            "killed_early 0 → 1: primary `claude` while its session was open: ended by SIGTERM from the worker, with work under way",
            "lost 0 → 2: observation: given to a claude that ended before it answered (session ended by complete)",
            "peak_children is 121, above 10 (8 in A)",
            "A passes and B fails",
        ]
    );
}
