//! `check(history, expected)`: how the judge is tested.

use fake_claude::quantity::Span;

use super::finding::rule_name;
use super::{Expectations, Judge, Judgement};
use crate::timeline::event::Event;
use crate::timeline::notation::events;

/// Judges a history with graces of one second.
pub(super) fn judge(history: &str) -> Judgement {
    judge_with(history, |_| {})
}

/// The same, with other expectations.
pub(super) fn judge_with(history: &str, change: impl FnOnce(&mut Expectations)) -> Judgement {
    let mut expectations = in_a_second();
    change(&mut expectations);
    judge_events(&expectations, events(history))
}

/// Nothing that leaks is expected, with graces of one second.
pub(super) fn in_a_second() -> Expectations {
    let mut expectations = Expectations::default();
    for grace in expectations.graces.values_mut() {
        *grace = Span::from_secs(1);
    }
    expectations
}

/// Judges events, twice: as usual, and with everything put away as soon as it may be, which must not make a difference.
#[track_caller]
pub(super) fn judge_events(
    expectations: &Expectations,
    events: impl IntoIterator<Item = Event>,
) -> Judgement {
    let mut judge = Judge::new(expectations);
    let mut tidy = Judge::new(expectations).tidy();
    for event in events {
        judge.see(&event);
        tidy.see(&event);
    }
    let judgement = judge.finish();
    assert_eq!(tidy.finish(), judgement);
    judgement
}

/// Checks the verdict and everything that was found: `fail retained=2 lost=1`.
#[track_caller]
pub(super) fn check(history: &str, expected: &str) {
    check_with(history, |_| {}, expected);
}

/// The same, with other expectations.
#[track_caller]
pub(super) fn check_with(history: &str, change: impl FnOnce(&mut Expectations), expected: &str) {
    let judgement = judge_with(history, change);
    let mut found = judgement.verdict.to_string();
    for (rule, count) in &judgement.found {
        found += &format!(" {}={count}", rule_name(*rule));
    }
    assert_eq!(judgement.unbalanced, None);
    assert_eq!(
        found, expected,
        "\nreasons: {:#?}\nfindings: {:#?}",
        judgement.reasons, judgement.findings
    );
}
