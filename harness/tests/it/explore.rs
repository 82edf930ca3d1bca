//! The search over moments, against a schedule that is planted in the model.

use std::fs;
use std::path::Path;
use std::time::Duration;

use leak_harness::scenario::{Bin, Scenario};
use serde_json::Value;

use crate::support::{Ground, Said};

/// How long a whole search may take: some fifty runs, a few at a time, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(600);

/// A worker that forgets what was in flight when a claude dies: harmless as long as none dies.
const FORGETFUL: &str = r#"
    name = "forgetful"

    [worker]
    cleanup = ["tracked"]
    restart_delay = "100ms"
    shutdown = "enumerate"
    quirks = ["forgets-in-flight"]

    [load]
    sessions = 2
    observations = 2
    linger = "1500ms"
    end = "complete"

    [claude]
    initialize = "0ms"
    turn = "300ms"

    [expect]
    grace = "2s"

    [run]
    quiet = "300ms"
"#;

fn explore(ground: &Ground, scenario: &Path, arguments: &[&str]) -> Said {
    let mut command = ground.program();
    command.arg("explore").arg(scenario).args(arguments);
    command.arg("--out").arg(ground.path("found"));
    let mut command = assert_cmd::Command::from_std(command);
    let output = command.timeout(DEADLINE).output();
    output.expect("it can be started").into()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[test]
fn slow_the_search_finds_a_planted_schedule_and_writes_it_as_small_as_it_can() {
    let ground = Ground::new();
    let scenario = ground.write("forgetful.toml", FORGETFUL);
    let out = ground.path("found");
    let said = explore(
        &ground,
        &scenario,
        &["--jobs", "2", "--tries", "16", "--seed", "2"],
    )
    .expect(1);
    assert!(said.stdout.contains("lost observation"), "{}", said.stdout);

    let report: Value = serde_json::from_str(&read(&out.join("explore.json"))).unwrap();
    assert_eq!(report["tried"].as_array().unwrap().len(), 16);
    let found = report["found"].as_array().unwrap();
    let lost = found
        .iter()
        .find(|found| {
            text(found, "/guilt/rule") == "lost" && text(found, "/guilt/subject") == "observation"
        })
        .expect("the planted schedule is found");
    assert!(lost["again"].as_u64() >= Some(2), "{lost}");
    assert_eq!(lost["holds"], true, "{lost}");
    assert!(read(&out.join("explore.md")).contains("## Tried"));

    // One session is enough, and the file shows what it says.
    let file = Path::new(text(lost, "/file"));
    let small = Scenario::parse("small", &read(file)).unwrap();
    assert_eq!((small.load.sessions, small.faults.len()), (Some(1), 1));
    // The cause is asked for where it was the same in every run.
    let lost = small.expect.causes.iter();
    assert!(lost.filter(|cause| cause.rule == Bin::Lost).count() <= 1);
    // The search calls a file whole when two of three runs are as it says, so one run may differ.
    assert!((0..3).any(|_| ground.run(file, &[]).code == Some(0)));
}

#[test]
fn a_scenario_that_is_not_as_expected_without_a_fault_is_not_searched() {
    let ground = Ground::new();
    let wrong = FORGETFUL.replace("grace = \"2s\"", "grace = \"2s\"\nverdict = \"fail\"");
    let scenario = ground.write("wrong.toml", &wrong);
    let said = explore(&ground, &scenario, &["--tries", "1"]).expect(1);
    assert!(
        said.stderr.contains("not as expected without a fault"),
        "{}",
        said.stderr
    );
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
