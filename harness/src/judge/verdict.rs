//! From findings and doubts to a verdict, and from that to "as expected".

use super::doubt::Doubt;
use super::expectations::Expectations;
use super::finding::{Finding, rule_name};
use crate::scenario::{Bin, Counts, Verdict};

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
const fn fails(rule: Bin) -> bool {
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
    reasons.extend(doubts.iter().map(ToString::to_string));

    let mut unexpected = Vec::new();
    if verdict != expectations.verdict {
        unexpected.push(format!(
            "the verdict is {verdict}, and {} was expected",
            expectations.verdict
        ));
    }
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
    Judged {
        verdict,
        as_expected: unexpected.is_empty(),
        reasons,
        unexpected,
    }
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
