//! The shapes that readers take, on literal reports.

use std::collections::BTreeSet;

use super::*;
use crate::judge::GrowthFigure;
use crate::report::examples::{failing, inconclusive, passing};

/// What `junit-10.xsd` allows: elements, each with its parent and its attributes.
const ALLOWED: [(&str, &[&str], &[&str]); 10] = [
    (
        "testsuites",
        &[""],
        &["name", "time", "tests", "failures", "errors"],
    ),
    (
        "testsuite",
        &["testsuites"],
        &[
            "name",
            "tests",
            "failures",
            "errors",
            "group",
            "time",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
            "file",
            "log",
            "url",
            "version",
        ],
    ),
    ("properties", &["testsuite"], &[]),
    ("property", &["properties"], &["name", "value"]),
    (
        "testcase",
        &["testsuite"],
        &["name", "time", "classname", "group"],
    ),
    ("failure", &["testcase"], &["type", "message"]),
    ("error", &["testcase"], &["type", "message"]),
    ("skipped", &["testcase"], &["type", "message"]),
    ("system-out", &["testcase", "testsuite"], &[]),
    ("system-err", &["testcase", "testsuite"], &[]),
];

/// The element of a start tag, and its attributes with their values. Nothing but a tag has `<` or `>`: the writer escapes both.
fn element(tag: &str) -> (&str, Vec<(&str, &str)>) {
    let tag = tag.trim_end_matches('/');
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    let mut attributes = Vec::new();
    while let Some((attribute, value)) = rest.split_once("=\"") {
        let (value, after) = value.split_once('"').expect("a value ends");
        attributes.push((attribute.trim(), value));
        rest = after;
    }
    assert_eq!(rest.trim(), "", "{tag}");
    (name, attributes)
}

/// Demands what the schema of Jenkins' xUnit plugin demands, and what the others need.
#[track_caller]
fn check_shape(xml: &str) {
    let mut open = vec![String::new()];
    let mut names = BTreeSet::new();
    for part in xml.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "{text}");
        if tag.starts_with('?') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let (name, attributes) = element(tag);
        let (_, parents, allowed) = ALLOWED
            .iter()
            .find(|(allowed, _, _)| *allowed == name)
            .unwrap_or_else(|| panic!("no element {name} is allowed"));
        let parent = open.last().expect("there is the document at least");
        assert!(parents.contains(&parent.as_str()), "{name} in {parent}");
        let value = |wanted: &str| {
            let mut found = attributes.iter().filter(|(name, _)| *name == wanted);
            let value = found.next().map(|(_, value)| *value);
            assert_eq!(found.next(), None, "{wanted} twice in {name}");
            value
        };
        for (attribute, _) in &attributes {
            assert!(allowed.contains(attribute), "{attribute} of {name}");
        }
        match name {
            "testsuite" => {
                for demanded in ["name", "tests", "failures", "errors", "time"] {
                    assert!(value(demanded).is_some(), "no {demanded}");
                }
            }
            "testcase" => {
                let key = (value("classname"), value("name"));
                assert!(key.0.is_some_and(|class| !class.contains('.')));
                assert!(names.insert(key), "{key:?} twice");
                let seconds: f64 = value("time").expect("it has a time").parse().unwrap();
                assert!(seconds >= 0.0);
            }
            "failure" | "error" | "skipped" => {
                let message = value("message").expect("it has a message");
                assert!(!text.trim().is_empty(), "GitLab shows the text alone");
                let start: String = message.chars().take(40).collect();
                assert!(
                    text.replace("&quot;", "\"")
                        .starts_with(&start.replace("&quot;", "\"")),
                    "{text}"
                );
                // Words by which Ruby on Rails reads the content as something else than text.
                let types = [
                    "symbol",
                    "date",
                    "datetime",
                    "dateTime",
                    "duration",
                    "integer",
                    "float",
                    "decimal",
                    "boolean",
                    "string",
                    "yaml",
                    "base64Binary",
                    "hexBinary",
                    "file",
                    "array",
                ];
                assert!(!types.contains(&value("type").expect("it has a type")));
            }
            _ => {}
        }
        if !tag.ends_with('/') {
            open.push(name.to_owned());
        }
    }
    assert_eq!(open, [""]);
}

/// The failing report, of which the baseline knows everything.
fn known() -> Report {
    let mut report = failing();
    report.as_expected = true;
    report.verdict = Verdict::Pass;
    report.expected_findings = None;
    for finding in &mut report.findings {
        finding.known = finding.blames;
    }
    report.growth = vec![GrowthFigure {
        figure: "the worker's RSS".to_owned(),
        reason: Some("it was never taken".to_owned()),
        ..GrowthFigure::default()
    }];
    report
}

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
fn what_a_baseline_knows_is_skipped_and_says_so() {
    insta::assert_snapshot!(render(&known()).unwrap());
}

#[test]
fn what_was_expected_to_be_found_is_green() {
    let mut report = failing();
    report.as_expected = true;
    let text = render(&report).unwrap();
    assert!(!text.contains("<failure") && !text.contains("<error"));
}

#[test]
fn every_reader_can_take_it() {
    let mut dotted = failing();
    dotted.scenario.name = "603-in-claude-mem-9.0.0".to_owned();
    for report in [failing(), passing(), inconclusive(), known(), dotted] {
        check_shape(&render(&report).unwrap());
    }
}

#[test]
fn a_moment_is_written_without_the_name_of_its_zone() {
    for (started, expected) in [
        (
            "2026-01-31T09:12:44.123456789+01:00[Europe/Berlin]",
            Some("2026-01-31T09:12:44+01:00"),
        ),
        (
            "2026-01-31T09:12:44-03:30[America/St_Johns]",
            Some("2026-01-31T09:12:44-03:30"),
        ),
        ("2026-01-31T09:12:44Z", Some("2026-01-31T09:12:44Z")),
        ("2026-01-31T09:12:44", Some("2026-01-31T09:12:44")),
        ("2026-01-31", None),
        ("yesterday at noon, or so", None),
        ("2026-01-31T09:12:44\" x=\"", None),
        ("2026-01-31T09:12:4é", None),
        ("", None),
    ] {
        assert_eq!(timestamp(started).as_deref(), expected, "{started}");
    }
}

#[test]
fn long_texts_are_cut_and_say_so() {
    let mut report = failing();
    report.findings[0].cause = "x".repeat(100_000);
    report.findings[0].signature = format!("retained: {}", "y".repeat(100_000));
    let many = report.findings[0].clone();
    report.findings.extend((0..90).map(|_| many.clone()));
    report.reasons = (0..90).map(|_| "z".repeat(5_000)).collect();
    let xml = render(&report).unwrap();
    assert!(xml.contains("more lines") && xml.contains('…'));
    let longest = xml.split('<').map(|part| part.chars().count()).max();
    assert!(
        longest.is_some_and(|longest| longest < TEXT + 2 * LINE),
        "{longest:?}"
    );
    check_shape(&xml);
}
