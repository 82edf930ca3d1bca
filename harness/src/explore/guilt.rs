//! What counts as found: a finding against the worker that the scenario has not without the fault.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::judge::finding::rule_name;
use crate::report::Report;
use crate::scenario::{Bin, Counts, ExpectedCause, Verdict};

/// A finding against the worker, without its counts and moments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Guilt {
    /// The rule.
    pub rule: Bin,
    /// Whom it concerns.
    pub subject: String,
    /// Why.
    pub cause: String,
}

impl Guilt {
    /// Whether it is the same rule and subject; causes may differ with the moment.
    pub fn is_like(&self, other: &Self) -> bool {
        self.rule == other.rule && self.subject == other.subject
    }

    /// What it is in a few words.
    pub fn words(&self) -> String {
        format!("{} {}: {}", rule_name(self.rule), self.subject, self.cause)
    }

    /// The same as a scenario expects it.
    pub fn expected(&self) -> ExpectedCause {
        ExpectedCause {
            rule: self.rule,
            subject: Some(self.subject.clone()),
            cause: self.cause.clone(),
        }
    }
}

/// Whether a rule is about leaks or lost work; thresholds and trends depend on the load, and a doubt is no finding.
const fn counts(rule: Bin) -> bool {
    match rule {
        Bin::Retained
        | Bin::Reparented
        | Bin::Zombie
        | Bin::Residue
        | Bin::Readopted
        | Bin::KilledEarly
        | Bin::Crashed
        | Bin::Duplicated
        | Bin::Lost
        | Bin::Refused
        | Bin::Unknown
        | Bin::Twin
        | Bin::Stalled
        | Bin::Storm
        | Bin::WorkerDied => true,
        Bin::Undecided | Bin::Pending | Bin::Skipped | Bin::Growth | Bin::Limit | Bin::Blind => {
            false
        }
    }
}

/// Whether a rule is about processes that stay: what even a worker that is gone for good answers for.
const fn stays(rule: Bin) -> bool {
    matches!(
        rule,
        Bin::Retained | Bin::Reparented | Bin::Zombie | Bin::Residue | Bin::Readopted
    )
}

/// Everything that a run has against its worker.
pub fn of(report: &Report) -> BTreeSet<Guilt> {
    if report.verdict != Verdict::Fail {
        return BTreeSet::new();
    }
    report
        .findings
        .iter()
        .filter(|finding| finding.blames && !finding.known && counts(finding.rule))
        .map(|finding| Guilt {
            rule: finding.rule,
            subject: finding.subject.clone(),
            cause: finding.cause.clone(),
        })
        .collect()
}

/// What came with the fault: guilt that is not like any of the scenario's own. Of a worker that was ended for good only what stays counts.
pub fn new(with: &BTreeSet<Guilt>, without: &BTreeSet<Guilt>, worker_ended: bool) -> Vec<Guilt> {
    with.iter()
        .filter(|guilt| !worker_ended || stays(guilt.rule))
        .filter(|guilt| !without.iter().any(|known| known.is_like(guilt)))
        .cloned()
        .collect()
}

/// Everything that a run found, counted by rule, as `[expect] findings` names it.
pub fn counted(report: &Report) -> Counts {
    let mut counts = Counts::new();
    for finding in &report.findings {
        *counts.entry(finding.rule).or_default() += finding.count;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guilt(rule: Bin, subject: &str, cause: &str) -> Guilt {
        Guilt {
            rule,
            subject: subject.to_owned(),
            cause: cause.to_owned(),
        }
    }

    #[test]
    fn what_the_scenario_has_anyway_is_not_found() {
        let known = guilt(Bin::Retained, "primary", "never signalled");
        let other_cause = guilt(Bin::Retained, "primary", "ignored SIGTERM from the worker");
        let lost = guilt(
            Bin::Lost,
            "observation",
            "accepted, and never given to a claude",
        );
        let with = [known.clone(), other_cause, lost.clone()].into();
        let found = new(&with, &[known].into(), false);
        assert_eq!(found, [lost]);
    }

    #[test]
    fn a_worker_that_is_gone_for_good_answers_for_what_stays_alone() {
        let residue = guilt(Bin::Residue, "primary", "never signalled");
        let lost = guilt(
            Bin::Lost,
            "observation",
            "accepted, and never given to a claude",
        );
        let found = new(&[residue.clone(), lost].into(), &BTreeSet::new(), true);
        assert_eq!(found, [residue]);
    }
}
