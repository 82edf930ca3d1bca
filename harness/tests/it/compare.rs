//! `compare`: a run that leaks and one that does not, in both directions; and what is no run.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Ground, Said, scenarios};

/// The load of #603 with so few sessions that it takes seconds: without cleanup in `before`, with tracked children in `after`.
fn two_runs(ground: &Ground) -> [PathBuf; 2] {
    let text = fs::read_to_string(scenarios().join("regressions/603-as-reported.toml"))
        .expect("it is text");
    let scenario = ground.write("603.toml", &text);
    let run = |name: &str, cleanup: &str| {
        let out = ground.path(name);
        let mut command = ground.program();
        command
            .arg("run")
            .arg(&scenario)
            .arg("--out")
            .arg(&out)
            .arg("--quiet")
            .args([
                "--set",
                "load.sessions=4",
                "--set",
                "claude.turn=\"50ms\"",
                "--set",
                "expect.findings.retained=4",
                // A machine with much else to do starts no claude in time for the scenario's own grace.
                "--set",
                "expect.grace=\"10s\"",
                "--worker",
                cleanup,
            ]);
        ground.finish(command);
        assert!(out.join("report.json").exists());
        out
    };
    [
        run("before", "model:cleanup=none"),
        run("after", "model:cleanup=tracked"),
    ]
}

fn compare(ground: &Ground, a: &str, b: &str, arguments: &[&str]) -> Said {
    let mut command = ground.program();
    command.args(["compare", a, b]).args(arguments);
    ground.finish(command)
}

#[test]
fn a_leak_and_its_cure_are_told_in_one_line_and_by_the_exit_code() {
    let ground = Ground::new();
    two_runs(&ground);

    let said = compare(&ground, "before", "after", &[]).expect(0);
    let first = said.stdout.lines().next().expect("there is one");
    assert!(
        first.starts_with(
            "B no longer leaks: 4 fewer processes outlive their session (retained 4 → 0)"
        ),
        "{first}"
    );
    assert!(first.ends_with("0 of 12 items lost in both"), "{first}");
    assert_eq!(said.stderr, "");

    let said = compare(&ground, "after", "before", &["--out", "compared"]).expect(1);
    let first = said.stdout.lines().next().expect("there is one");
    assert!(
        first.starts_with(
            "B leaks: 4 more processes outlive their session (retained 0 → 4) and hold 1.5 GiB"
        ),
        "{first}"
    );
    assert_eq!(said.stderr, "results: compared\n");
    let written = |name: &str| {
        fs::read_to_string(ground.path("compared").join(name)).expect("it was written")
    };
    let json: Value = serde_json::from_str(&written("compare.json")).expect("it is JSON");
    assert_eq!(json["headline"], first);
    assert_eq!(json["outcome"], "regression");
    assert!(written("compare.md").starts_with("### B leaks"));
    assert!(written("compare.html").contains("<h1"));

    // A recording, a run's folder and its report.json are the same run.
    for a in ["before", "before/recording", "before/report.json"] {
        let said = compare(&ground, a, "before", &["--format", "json"]).expect(0);
        let headline = &said.json()["headline"];
        assert!(
            headline
                .as_str()
                .is_some_and(|line| line.starts_with("no difference that matters")),
            "{headline}"
        );
    }
    // A report alone is enough.
    fs::remove_dir_all(ground.path("after/recording")).expect("it is there");
    compare(&ground, "after", "before", &["--format", "markdown"]).expect(1);

    // Half a run decides nothing.
    let mut half: Value = serde_json::from_str(
        &fs::read_to_string(ground.path("after/report.json")).expect("it is text"),
    )
    .expect("it is JSON");
    half["verdict"] = "inconclusive".into();
    ground.write("half.json", &half.to_string());
    let said = compare(&ground, "after", "half.json", &[]).expect(3);
    assert!(
        said.stdout.starts_with("not decided, B is inconclusive"),
        "{said:?}"
    );
    ground.assert_clean();
}

/// Demands a refusal that names the place, the cause and the remedy.
#[track_caller]
fn refused(ground: &Ground, a: &str, parts: &[&str]) {
    let said = compare(ground, a, a, &["--out", "compared"]).expect(2);
    assert_eq!(said.stdout, "");
    for part in parts {
        assert!(said.stderr.contains(part), "no `{part}` in {}", said.stderr);
    }
    assert!(!ground.path("compared").exists());
}

#[test]
fn what_is_no_run_is_refused_with_place_cause_and_remedy() {
    let ground = Ground::new();
    refused(
        &ground,
        "nothing",
        &["leak-harness: nothing: No such file or directory"],
    );
    fs::create_dir(ground.path("empty")).expect("it can be made");
    refused(
        &ground,
        "empty",
        &[
            "empty: neither a recording nor a report.json is there",
            "give the folder of a run",
        ],
    );
    ground.write("text.json", "hello\x1b[2J");
    refused(
        &ground,
        "text.json",
        &[
            "text.json: not a report: expected value at line 1 column 1",
            "give a report.json",
        ],
    );
    ground.write("other.json", "{\"schema\": 1}");
    refused(
        &ground,
        "other.json",
        &["other.json: not a report: missing field `scenario`"],
    );
    ground.write(
        "surrogate.json",
        "{\"schema\": 1, \"scenario\": {\"name\": \"\\ud800\"}}",
    );
    refused(&ground, "surrogate.json", &["surrogate.json: not a report"]);
    fs::write(ground.path("bytes.json"), [0xff, 0xfe]).expect("it can be written");
    refused(
        &ground,
        "bytes.json",
        &["bytes.json: stream did not contain valid UTF-8"],
    );
    fs::create_dir_all(ground.path("damaged/recording")).expect("it can be made");
    ground.write("damaged/recording/manifest.json", "{");
    refused(
        &ground,
        "damaged",
        &["damaged/recording/manifest.json: the manifest is damaged"],
    );
    ground.assert_clean();
}
