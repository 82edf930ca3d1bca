//! Scenario files: what is read, and how errors point.

use std::fs;
use std::path::Path;

use leak_harness::scenario::Scenario;

fn data(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(folder);
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder is part of the project")
        .map(|entry| {
            let path = entry.expect("it can be listed").path();
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read_to_string(&path).expect("it is text"),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_invalid_scenario_is_refused_with_place_cause_and_remedy() {
    let files = data("invalid-scenarios");
    assert!(files.len() >= 14);
    for (file, text) in files {
        let error = Scenario::parse(&file, &text).expect_err(&file);
        insta::assert_snapshot!(
            format!("invalid_scenario_{}", file.trim_end_matches(".toml")),
            error.to_string()
        );
    }
}

#[test]
fn a_change_of_the_command_line_is_checked_like_the_file() {
    let text = "name = \"x\"\n[load]\nsessions = 3\nend = \"complete\"\n";
    let change = |change: &str| Scenario::parse_with("x.toml", text, &[change.to_owned()]);
    let (scenario, effective) = change("load.sessions=20").unwrap();
    assert_eq!(scenario.load.sessions, Some(20));
    assert_eq!(Scenario::parse("again", &effective).unwrap(), scenario);
    let (scenario, _) = change("claude.turn=1s").unwrap();
    assert_eq!(scenario.claude.turn.as_millis(), 1_000);
    insta::assert_snapshot!(
        "change_of_an_unknown_key",
        change("load.session=20").unwrap_err()
    );
    insta::assert_snapshot!("change_without_a_value", change("load").unwrap_err());
}

#[test]
fn a_share_inherits_what_it_does_not_name() {
    let text = "name = \"x\"\n[load]\nsessions = 3\nend = \"complete\"\n[claude]\nturn = \"1s\"\n[[claude.mix]]\nshare = 0.5\nignore = [\"eof\"]\n";
    let scenario = Scenario::parse("x.toml", text).unwrap();
    assert_eq!(scenario.mix[0].behaviour.turn, scenario.claude.turn);
    assert_eq!(scenario.mix[0].behaviour.ignore.len(), 1);
    assert!(scenario.claude.ignore.is_empty());
}
