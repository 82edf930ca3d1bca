//! The report as JUnit XML: a scenario is a suite, a rule or a threshold is a test case.
//!
//! A case fails when the rule's count is not what the scenario expects, not when something is found: a scenario that shows a leak, and
//! does so as expected, is green. Doubt is an `error`: a run that proves nothing is not green, and none of the readers below shows a
//! `skipped` case as a problem. What a baseline knows is `skipped`, as pytest writes failures that are expected
//! (<https://github.com/pytest-dev/pytest/blob/main/src/_pytest/junitxml.py>): not red, and not passed over; so is growth where no figure
//! was judged.
//!
//! # What the readers read
//!
//! There is no one format; this is what each takes, and what follows from it.
//!
//! | reader | takes | so |
//! |---|---|---|
//! | GitLab ([parser](https://gitlab.com/gitlab-org/gitlab/-/blob/master/lib/gitlab/ci/parsers/test/junit.rb), [limits](https://docs.gitlab.com/ci/testing/unit_test_reports)) | `testcase` `classname` (shown as the suite), `name`, `time`; the *text* of `failure`, `error`, `skipped`, not their `message`; of several cases of one name the first; 30 MB | the text begins with the message; every name is there once; texts are cut |
//! | GitLab, since it reads by [`Hash.from_xml`](https://api.rubyonrails.org/classes/Hash.html#method-c-from_xml) | `type="yaml"`, `"file"`, `"integer"` and the like as the type of a value | no such word is a `type` |
//! | Jenkins [junit](https://github.com/jenkinsci/junit-plugin/blob/master/src/main/java/hudson/tasks/junit/CaseResult.java) | `classname` up to its last dot as a package; `message` and text; of a passed case 1,000 characters of `system-out`; `timestamp`, `time` of the suite | a dot in a class name is an underscore |
//! | Jenkins [xunit](https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd) | what `junit-10.xsd` allows | no `skipped` on `testsuites`, no `file` and no `properties` on `testcase` |
//! | GitHub, [mikepenz/action-junit-report](https://github.com/mikepenz/action-junit-report/blob/main/src/testParser.ts) | `message`, else two lines of the text; the file from `file` of the case or of the suite, else a file called like the class name | the suite has its scenario's `file` |
//! | GitHub, [dorny/test-reporter](https://github.com/dorny/test-reporter/blob/main/src/parsers/java-junit/java-junit-parser.ts) | `time` of every case as a number; cases of another `classname` than the suite's `name` as a group | every case has a `time` |
//!
//! XML 1.0 has no characters for most controls, not even escaped ones (<https://www.w3.org/TR/xml/#charsets>); they are written visibly.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::escape::{plain, plain_cut};
use super::{Report, sentences};
use crate::judge::finding::{Finding, rule_name};
use crate::judge::rules::explain::RULES;
use crate::scenario::{Bin, Verdict};

/// The most characters of a name.
const NAME: usize = 200;
/// The most characters of a message: one line of an overview.
const MESSAGE: usize = 1_000;
/// The most characters of one line of a text.
const LINE: usize = 2_000;
/// The most characters of a text: GitHub takes 64 KB of an annotation, Jenkins keeps 100,000 characters.
const TEXT: usize = 30_000;

/// The report as one JUnit document.
///
/// # Errors
///
/// When the document cannot be written, which no report is known to cause.
pub fn render(report: &Report) -> Result<String, quick_junit::SerializeError> {
    let mut document = Document::new("leak-harness");
    document.set_time(Duration::from_millis(report.elapsed_ms));
    document.add_test_suite(suite(report));
    let skipped = format!(" skipped=\"{}\"", document.skipped);
    // The first one is that of `testsuites`, where the xUnit plugin of Jenkins allows none.
    document
        .to_string()
        .map(|text| text.replacen(&skipped, "", 1))
}

fn suite(report: &Report) -> TestSuite {
    let name = plain_cut(&report.scenario.name, NAME);
    let class = name.replace('.', "_");
    let mut suite = TestSuite::new(name);
    let elapsed = Duration::from_millis(report.elapsed_ms);
    suite.set_time(elapsed);
    if let Some(started) = report.started.as_deref().and_then(timestamp) {
        suite.extra.insert("timestamp".into(), started.into());
    }
    if let Some(file) = &report.scenario_file {
        suite.extra.insert("file".into(), plain(file).into());
    }
    for (name, value) in properties(report) {
        suite.add_property((name, plain_cut(&value, MESSAGE).as_str()));
    }
    let mut add = |what: &str, time: Duration, (status, said): (TestCaseStatus, Vec<String>)| {
        let mut case = TestCase::new(what, status);
        case.set_classname(class.clone());
        case.set_time(time);
        if !said.is_empty() {
            case.set_system_out(text(said));
        }
        suite.add_test_case(case);
    };
    // The run's whole time is that of its verdict, so that the times of the cases sum to that of the suite.
    add("verdict", elapsed, verdict(report));
    for rule in RULES {
        add(rule.name(), Duration::ZERO, rule_status(report, rule.rule));
    }
    for threshold in &report.thresholds {
        let measured = |value| sentences::measured(&threshold.metric, value);
        let (limit, actual) = (measured(threshold.limit), measured(threshold.actual));
        let status = if threshold.ok || report.as_expected {
            TestCaseStatus::success()
        } else {
            let message = format!("{actual} is above {limit}");
            problem(NonSuccessKind::Failure, "limit", &message, Vec::new())
        };
        let said = format!("{actual}, at most {limit} allowed");
        let what = format!("limit {}", plain_cut(&threshold.metric, NAME));
        add(&what, Duration::ZERO, (status, vec![said]));
    }
    suite
}

/// What was run, for those who look for a run by it.
fn properties(report: &Report) -> Vec<(&'static str, String)> {
    let mut properties = vec![
        ("seed", report.scenario.seed.to_string()),
        ("time_scale", report.scenario.time_scale.to_string()),
        ("compress", report.scenario.compress.to_string()),
        ("worker", report.worker.name.clone()),
        ("verdict", report.verdict.to_string()),
        ("expected", report.expected.to_string()),
    ];
    properties.extend(
        report
            .worker
            .version
            .clone()
            .map(|version| ("worker_version", version)),
    );
    if !report.worker.cleanup.is_empty() {
        properties.push(("cleanup", report.worker.cleanup.join("+")));
    }
    if !report.command.is_empty() {
        properties.push(("command", report.command.clone()));
    }
    properties
}

/// A moment as ISO 8601 in whole seconds with its offset, from one that may have fractions and the name of its zone; none when it is
/// something else.
fn timestamp(started: &str) -> Option<String> {
    let moment = started.split('[').next()?;
    let (whole, rest) = moment.split_at_checked("2026-01-31T09:12:44".len())?;
    let offset = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let fits = whole.char_indices().all(|(place, c)| match place {
        4 | 7 => c == '-',
        10 => c == 'T',
        13 | 16 => c == ':',
        _ => c.is_ascii_digit(),
    });
    let offset_fits = offset.is_empty()
        || offset == "Z"
        || (offset.starts_with(['+', '-'])
            && offset[1..].chars().all(|c| c.is_ascii_digit() || c == ':'));
    (fits && offset_fits).then(|| format!("{whole}{offset}"))
}

/// The first case: the verdict of the whole run, and what it rests on.
fn verdict(report: &Report) -> (TestCaseStatus, Vec<String>) {
    let headline = sentences::headline(report);
    if report.as_expected {
        let mut said = vec![headline, sentences::run_line(report)];
        let books = sentences::process_books(report).into_iter();
        said.extend(books.map(|(name, books)| format!("{name}: {books}")));
        return (TestCaseStatus::success(), said);
    }
    let kind = match report.verdict {
        Verdict::Inconclusive => NonSuccessKind::Error,
        Verdict::Pass | Verdict::Fail => NonSuccessKind::Failure,
    };
    let why = report.unexpected.iter().chain(&report.reasons).cloned();
    let kind_name = report.verdict.to_string();
    (
        problem(kind, &kind_name, &headline, why.collect()),
        Vec::new(),
    )
}

/// Whether a rule's count is what was expected, and what was found where it is.
fn rule_status(report: &Report, rule: Bin) -> (TestCaseStatus, Vec<String>) {
    let found: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|finding| finding.rule == rule)
        .collect();
    let named = report
        .expected_findings
        .as_ref()
        .and_then(|named| named.get(&rule))
        .copied();
    let sum = |wanted: fn(&Finding) -> bool| -> u32 {
        let counted = found.iter().filter(|finding| wanted(finding));
        counted.map(|finding| finding.count).sum()
    };
    let total = sum(|_| true);
    let against = sum(|finding| finding.blames && !finding.known);
    let known = sum(|finding| finding.known);
    let lines: Vec<String> = found
        .iter()
        .flat_map(|finding| {
            [
                sentences::finding_line(finding),
                sentences::evidence_line(finding),
            ]
        })
        .collect();
    let as_expected = match named {
        Some(expected) => total == expected,
        None => against == 0,
    };
    if !as_expected && !report.as_expected {
        let kind = match rule {
            Bin::Undecided | Bin::Pending | Bin::Blind => NonSuccessKind::Error,
            _ => NonSuccessKind::Failure,
        };
        let message = format!("{total} found, {} expected", named.unwrap_or_default());
        return (problem(kind, rule_name(rule), &message, lines), Vec::new());
    }
    if known > 0 && known == total {
        let message = format!("{known} found, and the baseline knows of all of them");
        return (skipped("known", &message, lines), Vec::new());
    }
    let judged = report.growth.iter().any(|figure| figure.judged);
    if rule == Bin::Growth && total == 0 && !judged && !report.growth.is_empty() {
        let reasons = report
            .growth
            .iter()
            .filter_map(|figure| figure.reason.as_ref().map(|reason| (figure, reason)));
        let lines = reasons.map(|(figure, reason)| format!("{}: {reason}", figure.figure));
        let message = "no figure of the worker was judged for growth";
        return (skipped("not-judged", message, lines.collect()), Vec::new());
    }
    (TestCaseStatus::success(), lines)
}

fn problem(kind: NonSuccessKind, name: &str, message: &str, lines: Vec<String>) -> TestCaseStatus {
    told(TestCaseStatus::non_success(kind), name, message, lines)
}

fn skipped(name: &str, message: &str, lines: Vec<String>) -> TestCaseStatus {
    told(TestCaseStatus::skipped(), name, message, lines)
}

/// A status with its message in both places: some readers take the attribute, others the text alone.
fn told(
    mut status: TestCaseStatus,
    name: &str,
    message: &str,
    lines: Vec<String>,
) -> TestCaseStatus {
    status.set_type(name);
    status.set_message(plain_cut(message, MESSAGE));
    let mut all = vec![message.to_owned()];
    all.extend(lines);
    status.set_description(text(all));
    status
}

/// Lines as a text that no reader refuses for its length.
fn text(lines: Vec<String>) -> String {
    let mut text = String::new();
    let mut left = lines.len();
    for line in lines {
        let line = plain_cut(&line, LINE);
        if text.chars().count() + line.chars().count() > TEXT {
            text.push_str(&format!("\nand {left} more lines"));
            break;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&line);
        left -= 1;
    }
    text
}

#[cfg(test)]
mod tests;
