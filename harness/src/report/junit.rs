//! The report as JUnit XML: a scenario is a suite, a rule or a threshold is a test case.
//!
//! A case fails when the rule's count is not what the scenario expects, not when something is found: a scenario that shows a leak, and
//! does so as expected, is green.

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::escape::plain;
use super::{Report, sentences};
use crate::judge::finding::rule_name;
use crate::judge::rules::explain::RULES;
use crate::scenario::{Bin, Verdict};

/// The report as one JUnit document.
pub fn render(report: &Report) -> Result<String, quick_junit::SerializeError> {
    render_all([report])
}

/// Several reports as one JUnit document.
pub fn render_all<'a>(
    reports: impl IntoIterator<Item = &'a Report>,
) -> Result<String, quick_junit::SerializeError> {
    let mut document = Document::new("leak-harness");
    for report in reports {
        document.add_test_suite(suite(report));
    }
    document.to_string()
}

fn suite(report: &Report) -> TestSuite {
    let name = plain(&report.scenario.name);
    let mut suite = TestSuite::new(name.clone());
    let case = |what: &str, status: TestCaseStatus| {
        let mut case = TestCase::new(what, status);
        case.set_classname(name.clone());
        case
    };

    let verdict = if report.as_expected {
        TestCaseStatus::success()
    } else {
        let kind = match report.verdict {
            Verdict::Inconclusive => NonSuccessKind::Error,
            Verdict::Pass | Verdict::Fail => NonSuccessKind::Failure,
        };
        let reasons: Vec<&str> = report
            .unexpected
            .iter()
            .chain(&report.reasons)
            .map(String::as_str)
            .collect();
        problem(
            kind,
            &report.verdict.to_string(),
            &sentences::headline(report),
            &reasons.join("\n"),
        )
    };
    suite.add_test_case(case("verdict", verdict));
    for rule in RULES {
        let status = rule_status(report, rule.rule);
        suite.add_test_case(case(rule.name(), status));
    }
    for threshold in &report.thresholds {
        let status = if threshold.ok || report.as_expected {
            TestCaseStatus::success()
        } else {
            let message = format!("{} is above {}", threshold.actual, threshold.limit);
            problem(NonSuccessKind::Failure, "limit", &message, "")
        };
        let what = format!("limit {}", plain(&threshold.metric));
        suite.add_test_case(case(&what, status));
    }
    suite
}

/// Whether a rule's count is what was expected.
fn rule_status(report: &Report, rule: Bin) -> TestCaseStatus {
    let found = report
        .findings
        .iter()
        .filter(|finding| finding.rule == rule);
    let named = report
        .expected_findings
        .as_ref()
        .and_then(|named| named.get(&rule))
        .copied();
    let total: u32 = found.clone().map(|finding| finding.count).sum();
    let against: u32 = found
        .clone()
        .filter(|finding| finding.blames && !finding.known)
        .map(|finding| finding.count)
        .sum();
    let as_expected = match named {
        Some(expected) => total == expected,
        None => against == 0,
    };
    if as_expected || report.as_expected {
        return TestCaseStatus::success();
    }
    let kind = match rule {
        Bin::Undecided | Bin::Pending | Bin::Blind => NonSuccessKind::Error,
        _ => NonSuccessKind::Failure,
    };
    let lines: Vec<String> = found
        .flat_map(|finding| {
            [
                sentences::finding_line(finding),
                sentences::evidence_line(finding),
            ]
        })
        .map(|line| plain(&line))
        .collect();
    let message = format!("{total} found, {} expected", named.unwrap_or_default());
    problem(kind, rule_name(rule), &message, &lines.join("\n"))
}

fn problem(kind: NonSuccessKind, name: &str, message: &str, text: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(name);
    status.set_message(plain(message));
    let lines: Vec<String> = text.lines().map(plain).collect();
    status.set_description(lines.join("\n"));
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::examples::{failing, inconclusive, passing};

    #[test]
    fn a_failure_is_shown() {
        insta::assert_snapshot!(render(&failing()).unwrap());
    }

    #[test]
    fn a_pass_is_shown() {
        insta::assert_snapshot!(render(&passing()).unwrap());
    }

    #[test]
    fn doubt_is_an_error_rather_than_a_failure() {
        insta::assert_snapshot!(render(&inconclusive()).unwrap());
    }

    #[test]
    fn what_was_expected_to_be_found_is_green() {
        let mut report = failing();
        report.as_expected = true;
        let text = render(&report).unwrap();
        assert!(!text.contains("<failure") && !text.contains("<error"));
    }
}
