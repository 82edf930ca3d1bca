//! From findings and doubts to a verdict, and from that to "as expected".

use super::doubt::Doubt;
use super::expectations::Expectations;
use super::finding::{Finding, rule_name};
use crate::scenario::{Bin, Counts, ExpectedCause, Verdict};

/// A verdict with its reasons.
#[derive(Debug)]
pub(super) struct Judged {
    pub verdict: Verdict,
    pub as_expected: bool,
    /// Why the verdict is what it is.
    pub reasons: Vec<String>,
    /// Why it is not what was expected.
    pub unexpected: Vec<String>,
}

/// Whether a finding of this rule speaks against the worker; the others are reasons for doubt, or notes.
pub(super) const fn fails(rule: Bin) -> bool {
    !matches!(
        rule,
        Bin::Undecided | Bin::Pending | Bin::Blind | Bin::Skipped
    )
}

/// All findings by rule.
pub(super) fn counts(findings: &[Finding]) -> Counts {
    let mut counts = Counts::new();
    for finding in findings {
        *counts.entry(finding.rule).or_default() += finding.count;
    }
    counts
}

/// Judges. Fail beats inconclusive beats pass.
pub(super) fn judge(expectations: &Expectations, findings: &[Finding], doubts: &[Doubt]) -> Judged {
    let against = |finding: &&Finding| finding.blames && !finding.known && fails(finding.rule);
    let mut reasons: Vec<String> = findings
        .iter()
        .filter(against)
        .map(|finding| format!("{} {}", finding.count, finding.signature))
        .collect();
    let verdict = if !reasons.is_empty() {
        Verdict::Fail
    } else if doubts.is_empty() {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    };
    // What is settled is not open to another run: what could not be read back would only have added to it.
    let open = doubts
        .iter()
        .filter(|doubt| verdict != Verdict::Fail || !matches!(doubt, Doubt::StoreUnread { .. }));
    reasons.extend(open.map(ToString::to_string));

    let mut unexpected = Vec::new();
    if verdict != expectations.verdict {
        unexpected.push(format!(
            "the verdict is {verdict}, and {} was expected",
            expectations.verdict
        ));
    }
    // Half a run is nobody's expectation, whatever the half that was seen happens to look like.
    let half = doubts.iter().find(|doubt| {
        matches!(
            doubt,
            Doubt::Empty | Doubt::CutOff | Doubt::GoesOn | Doubt::Interrupted
        )
    });
    unexpected.extend(half.map(ToString::to_string));
    if let Some(named) = &expectations.findings {
        let found = counts(findings);
        for (rule, expected) in named {
            let actual = found.get(rule).copied().unwrap_or_default();
            if actual != *expected {
                unexpected.push(format!(
                    "{} {actual}, and {expected} was expected",
                    rule_name(*rule)
                ));
            }
        }
        for (rule, actual) in counts_unnamed(expectations, findings) {
            unexpected.push(format!(
                "{} {actual}, and none was expected",
                rule_name(rule)
            ));
        }
    }
    unexpected.extend(unexpected_causes(&expectations.causes, findings));
    Judged {
        verdict,
        as_expected: unexpected.is_empty(),
        reasons,
        unexpected,
    }
}

/// Causes that were expected and not found, and causes of the same rules that were found and not expected.
fn unexpected_causes(expected: &[ExpectedCause], findings: &[Finding]) -> Vec<String> {
    let mut unexpected = Vec::new();
    for entry in expected {
        if !findings.iter().any(|finding| fits(entry, finding)) {
            let instead: Vec<String> = findings
                .iter()
                .filter(|finding| finding.rule == entry.rule)
                .map(|finding| format!("{} {}: {}", finding.count, finding.subject, finding.cause))
                .collect();
            let subject = entry.subject.as_deref().unwrap_or("anything");
            unexpected.push(format!(
                "{} of {subject} because `{}` was expected; found instead: {}",
                rule_name(entry.rule),
                entry.cause,
                if instead.is_empty() {
                    "nothing of that rule".to_owned()
                } else {
                    instead.join("; ")
                }
            ));
        }
    }
    for finding in findings {
        let mut of_the_rule = expected
            .iter()
            .filter(|entry| entry.rule == finding.rule)
            .peekable();
        let named = of_the_rule.peek().is_some();
        if named
            && finding.blames
            && !finding.known
            && !of_the_rule.any(|entry| fits(entry, finding))
        {
            unexpected.push(format!(
                "{} {} of {} because `{}`, which no entry of `[[expect.causes]]` names",
                rule_name(finding.rule),
                finding.count,
                finding.subject,
                finding.cause
            ));
        }
    }
    unexpected
}

/// Whether a finding is what an entry names.
fn fits(entry: &ExpectedCause, finding: &Finding) -> bool {
    let subject = entry.subject.as_deref();
    entry.rule == finding.rule
        && subject.is_none_or(|subject| subject == finding.subject)
        && entry.cause == finding.cause
}

/// What was found and not named: only what speaks against the worker, or leaves doubt.
fn counts_unnamed(expectations: &Expectations, findings: &[Finding]) -> Counts {
    let mut counts = Counts::new();
    for finding in findings {
        let named = expectations
            .findings
            .as_ref()
            .is_some_and(|named| named.contains_key(&finding.rule));
        let allowed = finding.rule == Bin::Pending && expectations.allow_pending;
        if !named && !allowed && finding.blames && !finding.known {
            *counts.entry(finding.rule).or_default() += finding.count;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::check::{check, check_with, judge, judge_with};

    #[test]
    fn half_a_run_is_not_as_expected() {
        let expectations = Expectations {
            verdict: Verdict::Inconclusive,
            ..Expectations::default()
        };
        let whole = super::judge(&expectations, &[], &[Doubt::Pending { count: 1 }]);
        assert!(whole.as_expected, "{:?}", whole.unexpected);
        for doubt in [Doubt::Empty, Doubt::CutOff, Doubt::Interrupted] {
            let half = super::judge(&expectations, &[], &[doubt]);
            assert!(!half.as_expected);
        }
    }

    /// Two sessions whose primaries both leak.
    const LEAK: &str = "
        0s run planned=2; 0s worker 5; 0.1s..8s tick; 1s open s1; 1s open s2
        1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1; 1s seen 11 parent 5; 1s hello 11 primary; 1.1s serves 11 s2
        2s end s1 complete; 2s end s2 complete; 6s load; 6s drained quiet; 6.5s grace; 7s stop; 7.1s worker-exit 5; 8.5s residue; 9s over";
    const CLEAN: &str = "
        0s run planned=1; 0s worker 5; 0.1s..8s tick; 1s open s1; 1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1
        2s end s1 complete; 2.1s bye 10 eof; 2.1s exited 10; 2.1s gone 10; 6s load; 6s drained quiet; 6.5s grace; 7s stop
        7.1s worker-exit 5; 8.5s residue";

    #[track_caller]
    fn expect(history: &str, verdict: Verdict, findings: &[(Bin, u32)], unexpected: &[&str]) {
        let judgement = judge_with(history, |expectations| {
            expectations.verdict = verdict;
            expectations.findings = Some(findings.iter().copied().collect());
        });
        assert_eq!(judgement.unexpected, unexpected);
        assert_eq!(judgement.as_expected, unexpected.is_empty());
    }

    #[test]
    fn counts_are_exact_and_what_is_not_named_must_not_be_there() {
        expect(LEAK, Verdict::Fail, &[(Bin::Retained, 2)], &[]);
        expect(
            LEAK,
            Verdict::Fail,
            &[(Bin::Retained, 3)],
            &["retained 2, and 3 was expected"],
        );
        expect(
            LEAK,
            Verdict::Fail,
            &[(Bin::Retained, 1)],
            &["retained 2, and 1 was expected"],
        );
        expect(
            LEAK,
            Verdict::Fail,
            &[(Bin::Zombie, 0)],
            &["retained 2, and none was expected"],
        );
        expect(
            LEAK,
            Verdict::Pass,
            &[(Bin::Retained, 2)],
            &["the verdict is fail, and pass was expected"],
        );
    }

    #[test]
    fn a_failure_without_counts_may_be_any() {
        let judgement = judge_with(LEAK, |expectations| expectations.verdict = Verdict::Fail);
        assert!(judgement.as_expected);
        assert!(!judge(LEAK).as_expected);
    }

    #[test]
    fn what_a_baseline_knows_is_shown_and_fails_nothing() {
        let signatures: Vec<String> = judge(LEAK)
            .findings
            .iter()
            .map(|finding| finding.signature.clone())
            .collect();
        let known = |expectations: &mut Expectations| expectations.known.extend(signatures.clone());
        check_with(LEAK, known, "pass retained=2");
        assert!(judge_with(LEAK, known).findings[0].known);
        let named = judge_with(LEAK, |expectations| {
            known(expectations);
            expectations.findings = Some([(Bin::Lost, 0)].into());
        });
        assert!(named.as_expected, "{:?}", named.unexpected);
        let other = |expectations: &mut Expectations| {
            expectations
                .known
                .insert("retained: another shape".to_owned());
        };
        check_with(LEAK, other, "fail retained=2");
    }

    #[test]
    fn every_doubt_keeps_a_run_from_passing_and_names_its_knob() {
        let over = format!("{CLEAN}; 9s over");
        check(&over, "pass");
        for (history, reason) in [
            (String::new(), "the recording is empty"),
            (CLEAN.to_owned(), "cut off"),
            (format!("{over}; 8s interrupted"), "interrupted"),
            (format!("{over}; 5s enough disk=1000"), "`--disk`"),
            (
                over.replace("planned=1", "lasts=60s")
                    .replace("6s load;", ""),
                "`[run] timeout`",
            ),
            (over.replace("planned=1", "planned=2"), "`[run] timeout`"),
            (over.replace("6s load;", ""), "`[run] timeout`"),
            (over.replace("0.1s..8s tick;", ""), "`[run] tick`"),
            (format!("{over}; 8.8s missed"), "1 sample lost"),
            (format!("{over}; 3s fail control"), "control socket: gone"),
            (format!("{over}; 3s fail table"), "process table: gone"),
        ] {
            let judgement = judge(&history);
            assert_eq!(judgement.verdict, Verdict::Inconclusive, "{reason}");
            assert!(
                judgement.reasons.iter().any(|text| text.contains(reason)),
                "{reason}: {:?}",
                judgement.reasons
            );
        }
    }

    #[test]
    fn what_another_witness_covers_costs_nothing() {
        let over = format!("{CLEAN}; 9s over");
        check(&format!("{over}; 3s missed"), "pass");
        check(&format!("{over}; 3s fail reaper"), "pass");
        check(&format!("{over}; 3s fail cookie"), "pass");
        check(
            &format!("{over}; 3s missed").replace("0s run", "0s run only=table"),
            "inconclusive",
        );
    }

    #[test]
    fn failure_beats_doubt() {
        check(&LEAK.replace("9s over", "8s missed"), "fail retained=2");
    }

    #[test]
    fn what_is_settled_is_not_said_to_be_open_to_another_run() {
        let unread = [Doubt::StoreUnread { count: 3 }];
        let judged = |findings: &[Finding]| {
            super::judge(&Expectations::default(), findings, &unread).reasons
        };
        assert_eq!(judged(&[]), [unread[0].to_string()]);
        let findings = judge(LEAK).findings;
        assert_eq!(judged(&findings), [format!("2 {}", findings[0].signature)]);
    }

    #[test]
    fn a_pass_states_the_smallest_leak_that_it_could_have_seen() {
        let judgement = judge(&format!("{CLEAN}; 9s over; 3s tick late 200ms"));
        assert_eq!(
            judgement.smallest_leak,
            "one process in 1 session that outlives its session by more than 1.3 s (grace 1.0 s, tick 100 ms, lag up to 200 ms); growth of the worker's RSS, of the worker's open files, of the worker's pipes and sockets, of the worker's threads was not judged: it was never taken; growth of the number of helpers, of the number of children was not judged: the load lasted 3.6 s after warm-up and 1 min 0 s are needed (expect.growth.least)"
        );
    }

    fn cause(rule: Bin, subject: Option<&str>, cause: &str) -> ExpectedCause {
        ExpectedCause {
            rule,
            subject: subject.map(str::to_owned),
            cause: cause.to_owned(),
        }
    }

    #[track_caller]
    fn expect_causes(history: &str, causes: &[ExpectedCause], unexpected: &[&str]) {
        let judgement = judge_with(history, |expectations| {
            expectations.verdict = Verdict::Fail;
            expectations.causes = causes.to_vec();
        });
        assert_eq!(judgement.unexpected, unexpected);
    }

    #[test]
    fn a_cause_that_is_expected_must_be_found() {
        let primary = Some("primary");
        expect_causes(
            LEAK,
            &[cause(Bin::Retained, primary, "never signalled")],
            &[],
        );
        expect_causes(LEAK, &[cause(Bin::Retained, None, "never signalled")], &[]);
        expect_causes(
            LEAK,
            &[
                cause(Bin::Retained, Some("payload"), "never signalled"),
                cause(Bin::Retained, primary, "never signalled"),
            ],
            &[
                "retained of payload because `never signalled` was expected; found instead: 2 primary: never signalled",
            ],
        );
        expect_causes(
            LEAK,
            &[cause(Bin::Lost, None, "cause unknown")],
            &[
                "lost of anything because `cause unknown` was expected; found instead: nothing of that rule",
            ],
        );
    }

    #[test]
    fn of_a_rule_that_is_named_every_cause_must_be_expected() {
        let told = "ignored SIGTERM from the worker";
        let two = LEAK.replace("2s end s2", "1.5s signal 11 15 from 5 ignored; 2s end s2");
        expect_causes(
            &two,
            &[cause(Bin::Retained, None, told)],
            &[
                "retained 1 of primary because `never signalled`, which no entry of `[[expect.causes]]` names",
            ],
        );
        expect_causes(
            &two,
            &[
                cause(Bin::Retained, None, told),
                cause(Bin::Retained, None, "never signalled"),
            ],
            &[],
        );
        // What a baseline knows, and rules that are not named, may be there.
        let known = judge_with(&two, |expectations| {
            expectations.verdict = Verdict::Fail;
            expectations.causes = vec![cause(Bin::Retained, None, told)];
            expectations
                .known
                .insert("retained: primary `claude` after complete: never signalled".to_owned());
        });
        assert!(known.as_expected, "{:?}", known.unexpected);
        let twin = format!(
            "{two}; 1.1s seen 12 parent 5; 1.1s hello 12 primary; 1.1s serves 12 s2; 2.1s bye 12 eof; 2.1s exited 12; 2.1s gone 12"
        );
        let judgement = judge(&twin);
        assert!(judgement.found.contains_key(&Bin::Twin));
    }
}
