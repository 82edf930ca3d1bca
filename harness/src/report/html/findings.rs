//! What was found, as the page's folds show it.

use fake_claude::quantity::Span;

use crate::judge::finding::{Finding, ProcessLine, rule_name};
use crate::judge::rules::explain::explanation;
use crate::report::Report;
use crate::units;

/// A group of findings of one shape.
pub(super) struct Group<'a> {
    /// The rule, as it is read.
    pub rule: String,
    /// The rule's JSON name, which is also the name of its colour.
    pub bin: &'static str,
    /// How many.
    pub count: u32,
    /// Whom it concerns, without rule and cause.
    pub subject: &'a str,
    /// Why.
    pub cause: &'a str,
    /// Why it does not speak against the worker, where it does not.
    pub tag: Option<&'static str>,
    /// What the rule means.
    pub meaning: &'static str,
    /// What was expected.
    pub expected: &'a str,
    /// What was seen.
    pub seen: &'a str,
    /// The first sessions.
    pub sessions: &'a [String],
    /// The events that prove it.
    pub events: &'a [u64],
    /// The processes.
    pub rows: Vec<Row<'a>>,
    /// Whether it is shown without being asked.
    pub open: bool,
}

/// A process, as `ps` would show it.
pub(super) struct Row<'a> {
    /// Its pid as the worker sees it.
    pub pid: u32,
    /// Its parent.
    pub ppid: u32,
    /// Its pid as the user's `ps` shows it.
    pub host_pid: String,
    /// Its RSS.
    pub rss: String,
    /// Its PSS.
    pub pss: String,
    /// Its age, as `ps -o etime` writes it.
    pub elapsed: String,
    /// Its command line.
    pub command: &'a str,
    /// Its session.
    pub session: &'a str,
}

/// The findings: those that speak against the worker and are new first, and of these the first one open.
pub(super) fn groups(report: &Report) -> Vec<Group<'_>> {
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.sort_by_key(|finding| !finding.blames || finding.known);
    findings
        .into_iter()
        .enumerate()
        .map(|(place, finding)| group(finding, place == 0))
        .collect()
}

/// Rules by which nobody is to blame yet: what they found may still turn out well.
const DOUBTS: [&str; 3] = ["undecided", "pending", "blind"];

/// What is to be said of the worker at once: how often which rule was broken, and why.
pub(super) struct Cause<'a> {
    /// How many findings.
    pub count: u32,
    /// The rule, as it is read.
    pub rule: String,
    /// Why, or where nobody can say why, whom it concerns.
    pub why: &'a str,
}

/// The causes of the findings that speak against the worker and are new, in the order of the findings; those of one rule and cause are
/// one.
pub(super) fn causes<'a>(groups: &[Group<'a>]) -> Vec<Cause<'a>> {
    let mut causes: Vec<Cause<'a>> = Vec::new();
    let against = |group: &&Group| group.tag.is_none() && !DOUBTS.contains(&group.bin);
    for group in groups.iter().filter(against) {
        let why = match group.cause {
            "" => group.subject,
            cause => cause,
        };
        let known = causes.iter_mut();
        let same = |cause: &&mut Cause| cause.rule == group.rule && cause.why == why;
        match known.into_iter().find(same) {
            Some(cause) => cause.count += group.count,
            None => causes.push(Cause {
                count: group.count,
                rule: group.rule.clone(),
                why,
            }),
        }
    }
    causes
}

fn group(finding: &Finding, open: bool) -> Group<'_> {
    let bin = rule_name(finding.rule);
    let shape = finding.signature.strip_prefix(bin);
    let shape = shape.and_then(|rest| rest.strip_prefix(": "));
    let shape = shape.unwrap_or(&finding.signature);
    let without_cause = shape.strip_suffix(finding.cause.as_str());
    let subject = without_cause.map_or(shape, |rest| rest.trim_end().trim_end_matches(':'));
    Group {
        rule: bin.replace('_', " "),
        bin,
        count: finding.count,
        subject: if subject.is_empty() {
            &finding.subject
        } else {
            subject
        },
        cause: &finding.cause,
        tag: match (finding.known, finding.blames) {
            (true, _) => Some("known"),
            (false, false) => Some("planned or excused"),
            (false, true) => None,
        },
        meaning: explanation(bin).map_or("", |rule| rule.meaning),
        expected: &finding.evidence.expected,
        seen: &finding.evidence.seen,
        sessions: &finding.sessions,
        events: &finding.evidence.events,
        rows: finding.processes.iter().map(row).collect(),
        open,
    }
}

fn row(line: &ProcessLine) -> Row<'_> {
    Row {
        pid: line.pid,
        ppid: line.ppid,
        host_pid: line.host_pid.map_or("–".to_owned(), |pid| pid.to_string()),
        rss: units::bytes(line.rss_bytes),
        pss: line.pss_bytes.map_or("–".to_owned(), units::bytes),
        elapsed: units::elapsed(Span::from_millis(line.age_ms)),
        command: match line.command.as_str() {
            "" => "(no command line)",
            command => command,
        },
        session: line.session.as_deref().unwrap_or(""),
    }
}
