//! What a single run of the gym shows: pure functions of its report.

use serde::{Deserialize, Serialize};

use crate::judge::finding::Finding;
use crate::report::Report;
use crate::scenario::{Bin, ExpectedCause, Verdict};

/// One run of a defect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefectRun {
    /// The seed.
    pub seed: u64,
    /// Whether something of the expected bin was found and laid at the worker's door.
    pub found: bool,
    /// The bin in which something was found: the expected one where that is among them.
    pub bin: Option<Bin>,
    /// Whom that finding concerns.
    pub subject: Option<String>,
    /// Whether bin and subject are the expected ones.
    pub bin_right: bool,
    /// The cause that the judge names.
    pub cause: Option<String>,
    /// Whether it is the expected one, word for word, in the right bin.
    pub cause_right: bool,
    /// How long after things went wrong the judge could have named it, in milliseconds; see `leak_harness::run::detected`.
    pub detected_after_ms: Option<u64>,
    /// Whether the evidence did not suffice.
    pub inconclusive: bool,
    /// Whether everything was as the scenario expects, and nothing else was found.
    pub as_expected: bool,
    /// Why it was not.
    pub unexpected: Vec<String>,
    /// Whether the recording, judged again, gave the same report byte for byte.
    pub rejudged: bool,
    /// Why there is nothing to judge, where there is not.
    pub failed: Option<String>,
}

impl DefectRun {
    /// What a report says about a defect.
    pub fn new(about: &ExpectedCause, report: &Report) -> Self {
        let finding = nearest(about, report);
        let bin_right = finding.is_some_and(|finding| concerns(about, finding));
        Self {
            seed: report.scenario.seed,
            found: finding.is_some_and(|finding| finding.rule == about.rule),
            bin: finding.map(|finding| finding.rule),
            subject: finding.map(|finding| finding.subject.clone()),
            bin_right,
            cause: finding.map(|finding| finding.cause.clone()),
            cause_right: bin_right && finding.is_some_and(|finding| finding.cause == about.cause),
            detected_after_ms: None,
            inconclusive: report.verdict == Verdict::Inconclusive,
            as_expected: report.as_expected,
            unexpected: report.unexpected.clone(),
            rejudged: true,
            failed: None,
        }
    }

    /// A run of which nothing could be judged.
    pub fn failed(seed: u64, message: String) -> Self {
        Self {
            seed,
            failed: Some(message),
            ..Self::default()
        }
    }
}

/// Whether a finding is in the bin, and of the subject, that was expected.
fn concerns(about: &ExpectedCause, finding: &Finding) -> bool {
    let subject = about.subject.as_deref();
    finding.rule == about.rule && subject.is_none_or(|subject| subject == finding.subject)
}

/// The finding that comes closest to what is expected: cause, subject and bin right, or fewer of these, or anything that speaks against
/// the worker.
pub fn nearest<'a>(about: &ExpectedCause, report: &'a Report) -> Option<&'a Finding> {
    let against = report.findings.iter().filter(|finding| finding.blames);
    against.min_by_key(|finding| {
        (
            finding.rule != about.rule,
            !concerns(about, finding),
            finding.cause != about.cause,
        )
    })
}

/// What a run of something clean came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CleanRun {
    /// Nothing was found, and the evidence sufficed.
    Silent,
    /// Something was found that is not there; the sentence says what.
    FalseAlarm(String),
    /// The evidence did not suffice; the sentence says why.
    Inconclusive(String),
}

impl CleanRun {
    /// What a report says about something clean.
    pub fn new(report: &Report) -> Self {
        let reasons = if report.unexpected.is_empty() {
            &report.reasons
        } else {
            &report.unexpected
        };
        let sentence = format!(
            "seed {}: {}; {}",
            report.scenario.seed,
            report.summary(),
            reasons.join("; ")
        );
        match report.verdict {
            Verdict::Pass if report.as_expected => Self::Silent,
            Verdict::Inconclusive => Self::Inconclusive(sentence),
            Verdict::Pass | Verdict::Fail => Self::FalseAlarm(sentence),
        }
    }
}
