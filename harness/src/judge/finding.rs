//! Findings, grouped by their shape: one group with a count says more than a hundred lines.

use std::collections::{BTreeMap, BTreeSet};

use fake_claude::quantity::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::verdict::fails;
use crate::scenario::{Bin, Counts};

/// How many processes are listed for each group.
pub const PROCESSES_LISTED: usize = 50;
/// How many sessions, and how many events, are named for each group.
const NAMED: usize = 10;
/// How many groups are kept for each rule; what has no group of its own joins the last one.
const GROUPS: usize = 100;

/// What the group is called that takes those for which there is no group left.
const OTHER_SHAPES: &str = "other shapes";

/// A group of findings of one shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The rule.
    pub rule: Bin,
    /// The shape, as a text that is the same in every run: what a baseline remembers.
    pub signature: String,
    /// Whom it concerns: the role of a process, the kind of a work item, `session`, `worker`, or a figure.
    #[serde(default)]
    pub subject: String,
    /// How many there are: processes, work items or sessions, as the rule counts.
    pub count: u32,
    /// Whether a baseline has this signature; then it does not fail the run.
    pub known: bool,
    /// Whether it speaks against the worker. What the scenario planned, or what the harness itself caused, does not.
    pub blames: bool,
    /// The first sessions that it concerns.
    pub sessions: Vec<String>,
    /// The processes that it concerns, at most 50.
    pub processes: Vec<ProcessLine>,
    /// Why, from evidence.
    pub cause: String,
    /// What was expected, what was seen, and the events that prove it.
    pub evidence: Evidence,
}

/// What a finding rests on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// What was expected.
    pub expected: String,
    /// What was seen.
    pub seen: String,
    /// The sequence numbers of the first events that prove it.
    pub events: Vec<u64>,
}

/// One process of a finding, as `ps` would show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessLine {
    /// Its pid as the worker sees it.
    pub pid: u32,
    /// Its pid as the user's `ps` shows it, where that is known.
    pub host_pid: Option<u32>,
    /// Its parent, as the worker sees it.
    pub ppid: u32,
    /// Its start time in kernel ticks since boot.
    pub start_time: u64,
    /// Its RSS in bytes.
    pub rss_bytes: u64,
    /// Its PSS in bytes, where it was examined.
    pub pss_bytes: Option<u64>,
    /// Its age in milliseconds when it was last seen alive.
    pub age_ms: u64,
    /// Its command line.
    pub command: String,
    /// The session that it served, where that is known.
    pub session: Option<String>,
}

/// What a rule says about one subject.
#[derive(Debug)]
pub(super) struct Found {
    pub rule: Bin,
    /// Whom it concerns.
    pub subject: String,
    /// The shape behind the rule's name: whom it concerns, why, and what else parts one group from another.
    pub shape: String,
    pub cause: String,
    pub blames: bool,
    pub session: Option<String>,
    pub process: Option<ProcessLine>,
    pub expected: String,
    /// A sentence about what was seen; with `by` it is followed by the range of all of the group.
    pub seen: String,
    /// By how much, where there is a measure.
    pub by: Option<Span>,
    pub events: Vec<u64>,
}

#[derive(Debug, Clone)]
struct Group {
    finding: Finding,
    sessions: BTreeSet<String>,
    least: Option<Span>,
    most: Option<Span>,
}

/// All findings of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings {
    groups: BTreeMap<(Bin, String), Group>,
}

impl Findings {
    /// Adds what a rule found to the group of its shape.
    pub fn add(&mut self, found: Found) {
        let mut signature = format!("{}: {}", rule_name(found.rule), found.shape);
        let full = self
            .groups
            .keys()
            .filter(|(rule, _)| *rule == found.rule)
            .count()
            >= GROUPS;
        let mut found = found;
        if full && !self.groups.contains_key(&(found.rule, signature.clone())) {
            OTHER_SHAPES.clone_into(&mut found.cause);
            signature = format!(
                "{}: {} {OTHER_SHAPES}",
                rule_name(found.rule),
                found.subject
            );
        }
        let group = self
            .groups
            .entry((found.rule, signature.clone()))
            .or_insert_with(|| Group {
                finding: Finding {
                    rule: found.rule,
                    subject: found.subject,
                    signature,
                    count: 0,
                    known: false,
                    blames: false,
                    sessions: Vec::new(),
                    processes: Vec::new(),
                    cause: found.cause,
                    evidence: Evidence {
                        expected: found.expected,
                        seen: found.seen,
                        events: Vec::new(),
                    },
                },
                sessions: BTreeSet::new(),
                least: None,
                most: None,
            });
        group.finding.count += 1;
        group.finding.blames |= found.blames;
        if let Some(session) = found.session
            && group.finding.sessions.len() < NAMED
            && group.sessions.insert(session.clone())
        {
            group.finding.sessions.push(session);
        }
        if let Some(process) = found.process
            && group.finding.processes.len() < PROCESSES_LISTED
        {
            group.finding.processes.push(process);
        }
        if let Some(by) = found.by {
            group.least = Some(group.least.map_or(by, |least| least.min(by)));
            group.most = Some(group.most.map_or(by, |most| most.max(by)));
        }
        for event in found.events {
            if group.finding.evidence.events.len() < NAMED {
                group.finding.evidence.events.push(event);
            }
        }
    }

    /// How many there are so far, by rule.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::new();
        for group in self.groups.values() {
            *counts.entry(group.finding.rule).or_default() += group.finding.count;
        }
        counts
    }

    /// The signature of the first group that fails a run.
    pub fn failing(&self, known: &BTreeSet<String>) -> Option<&str> {
        let mut findings = self.groups.values().map(|group| &group.finding);
        findings
            .find(|finding| {
                finding.blames && fails(finding.rule) && !known.contains(&finding.signature)
            })
            .map(|finding| finding.signature.as_str())
    }

    /// The groups: the largest first within each rule, rules in their fixed order.
    pub fn finish(self, known: &BTreeSet<String>) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self
            .groups
            .into_values()
            .map(|group| {
                let mut finding = group.finding;
                finding.known = known.contains(&finding.signature);
                if let (Some(least), Some(most)) = (group.least, group.most) {
                    let seen = &mut finding.evidence.seen;
                    let (least, most) = (crate::units::span(least), crate::units::span(most));
                    *seen = if least == most {
                        format!("{seen} {least}")
                    } else {
                        format!("{seen} {least} to {most}")
                    };
                }
                finding
            })
            .collect();
        findings.sort_by(|a, b| {
            (a.rule, std::cmp::Reverse(a.count), &a.signature).cmp(&(
                b.rule,
                std::cmp::Reverse(b.count),
                &b.signature,
            ))
        });
        findings
    }
}

/// A rule's name, as scenario files and reports write it.
pub const fn rule_name(rule: Bin) -> &'static str {
    match rule {
        Bin::Retained => "retained",
        Bin::Reparented => "reparented",
        Bin::Zombie => "zombie",
        Bin::Residue => "residue",
        Bin::Readopted => "readopted",
        Bin::KilledEarly => "killed_early",
        Bin::Crashed => "crashed",
        Bin::Undecided => "undecided",
        Bin::Duplicated => "duplicated",
        Bin::Lost => "lost",
        Bin::Pending => "pending",
        Bin::Refused => "refused",
        Bin::Skipped => "skipped",
        Bin::Unknown => "unknown",
        Bin::Twin => "twin",
        Bin::Stalled => "stalled",
        Bin::Storm => "storm",
        Bin::Growth => "growth",
        Bin::Limit => "limit",
        Bin::WorkerDied => "worker_died",
        Bin::Blind => "blind",
    }
}
