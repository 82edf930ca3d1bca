//! Whether B is worse than A. The module's documentation says what a regression is.

use schemars::JsonSchema;
use serde::Serialize;

use super::difference::counts_work;
use super::{Change, FindingDifference, GrowthDifference, ThresholdDifference};
use crate::judge::finding::rule_name;
use crate::report::{Report, sentences};
use crate::scenario::{Bin, Verdict};
use crate::timeline::event::Source;

/// What came of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// B is worse than A.
    Regression,
    /// Nothing is surely worse, and the evidence of a run does not suffice.
    Undecided,
    /// Nothing is worse.
    NoRegression,
}

/// In what way B is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It has a finding that A does not have.
    NewFinding,
    /// It has more of a finding than the size of its load explains.
    MoreFindings,
    /// A figure of the worker grows surely faster.
    FasterGrowth,
    /// It crosses a threshold that A keeps.
    ThresholdCrossed,
    /// It fails, and A passes.
    Verdict,
}

/// One way in which B is worse.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Regression {
    /// In what way.
    pub kind: Kind,
    /// The rule, where it is about findings.
    pub rule: Option<Bin>,
    /// The signature, the threshold's metric, or the figure.
    pub subject: String,
    /// Whether A's evidence suffices to say so.
    pub sure: bool,
    /// The same in words.
    pub words: String,
}

/// Whether findings of a rule can be a regression. Limits are told by their thresholds, growth by its figures too.
const fn counts_against(rule: Bin) -> bool {
    !matches!(
        rule,
        Bin::Undecided | Bin::Pending | Bin::Blind | Bin::Skipped | Bin::Limit
    )
}

/// Where B is worse than A; the gravest first.
pub(super) fn regressions(
    a: &Report,
    b: &Report,
    findings: &[FindingDifference],
    thresholds: &[ThresholdDifference],
    growth: &[GrowthDifference],
) -> Vec<Regression> {
    let mut found = Vec::new();
    for finding in findings {
        if !finding.blames || !counts_against(finding.rule) {
            continue;
        }
        let kind = match (finding.change, finding.explained) {
            (Change::New, _) => Kind::NewFinding,
            // A figure that grows is one finding whatever the load; how fast is asked below.
            (_, Some(explained)) if finding.b > explained && finding.rule != Bin::Growth => {
                Kind::MoreFindings
            }
            _ => continue,
        };
        let explained = match finding.explained {
            Some(explained) => format!("; the size of the load explains {explained}"),
            None => String::new(),
        };
        let shape = finding.signature.strip_prefix(rule_name(finding.rule));
        found.push(Regression {
            kind,
            rule: Some(finding.rule),
            subject: finding.signature.clone(),
            sure: has_seen(a, finding.rule),
            words: format!(
                "{} {} → {}{}{explained}",
                rule_name(finding.rule),
                finding.a,
                finding.b,
                shape.unwrap_or_default()
            ),
        });
    }
    for difference in growth {
        if difference.surely_faster == Some(true) {
            found.push(Regression {
                kind: Kind::FasterGrowth,
                rule: Some(Bin::Growth),
                subject: difference.figure.clone(),
                sure: true,
                words: format!("{} grows surely faster than in A", difference.figure),
            });
        }
    }
    for threshold in thresholds {
        if let (true, Some(of_b)) = (threshold.newly_crossed, threshold.b) {
            let measured = |value| sentences::measured(&threshold.metric, value);
            let before = match threshold.a {
                Some(of_a) => format!("{} in A", measured(of_a.actual)),
                None => "A has no such threshold".to_owned(),
            };
            found.push(Regression {
                kind: Kind::ThresholdCrossed,
                rule: Some(Bin::Limit),
                subject: threshold.metric.clone(),
                sure: has_seen(a, Bin::Limit),
                words: format!(
                    "{} is {}, above {} ({before})",
                    threshold.metric,
                    measured(of_b.actual),
                    measured(of_b.limit)
                ),
            });
        }
    }
    if (a.verdict, b.verdict) == (Verdict::Pass, Verdict::Fail) {
        found.push(Regression {
            kind: Kind::Verdict,
            rule: None,
            subject: "verdict".to_owned(),
            sure: true,
            words: "A passes and B fails".to_owned(),
        });
    }
    found
}

/// Whether a report's own reasons name a doubt, and which: those that are none of its findings.
fn own_doubts(report: &Report) -> impl Iterator<Item = &String> {
    report.reasons.iter().filter(|reason| {
        let mut findings = report.findings.iter();
        !findings.any(|finding| **reason == format!("{} {}", finding.count, finding.signature))
    })
}

/// Whether every session that was planned came to its end.
const fn carried_out(report: &Report) -> bool {
    let sessions = &report.sessions;
    sessions.opened >= sessions.planned && sessions.ended + sessions.stalled >= sessions.opened
}

/// Whether a run would have found what a rule looks for, had it been there.
fn has_seen(report: &Report, rule: Bin) -> bool {
    let in_doubt = report.verdict == Verdict::Inconclusive || own_doubts(report).next().is_some();
    if !in_doubt {
        return true;
    }
    let watched = report.witnesses.iter().all(|line| {
        !matches!(line.witness, Source::Table | Source::Control)
            || (line.failed.is_none() && line.off.is_none())
    });
    let left_open = if counts_work(rule) {
        report.work.pending
    } else {
        report.roles.all().undecided
    };
    carried_out(report) && watched && left_open == 0
}

/// Why it is not decided whether B is worse, if nothing is surely worse.
pub(super) fn doubts(a: &Report, b: &Report, regressions: &[Regression]) -> Vec<String> {
    if regressions.iter().any(|regression| regression.sure) {
        return Vec::new();
    }
    let mut doubts = Vec::new();
    for (name, report) in [("A", a), ("B", b)] {
        let mut why = own_doubts(report);
        let first = why.next();
        if report.verdict == Verdict::Inconclusive {
            let why = first.map_or("its evidence does not suffice", String::as_str);
            doubts.push(format!("{name} is inconclusive: {why}"));
        } else if let Some(why) = first.filter(|_| !carried_out(report)) {
            doubts.push(format!("{name} did not carry out its whole load: {why}"));
        } else if let Some(why) = first.filter(|_| name == "A" && !regressions.is_empty()) {
            doubts.push(format!("A may have had it too: {why}"));
        }
    }
    doubts
}

/// What came of it.
pub(super) fn outcome(regressions: &[Regression], doubts: &[String]) -> Outcome {
    if regressions.iter().any(|regression| regression.sure) {
        Outcome::Regression
    } else if doubts.is_empty() {
        Outcome::NoRegression
    } else {
        Outcome::Undecided
    }
}

#[cfg(test)]
mod tests;
