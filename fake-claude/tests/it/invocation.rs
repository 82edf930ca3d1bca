//! The command line: what is printed at once, what is refused, and single answers.

use serde_json::Value;

use crate::support::{Place, STREAMING, outcome, quick};

#[test]
fn the_version_is_told_at_once() {
    let place = Place::new();
    for arguments in [
        &["--version"] as &[&str],
        &["-v"],
        &["--permission-mode", "dontAsk", "--version"],
    ] {
        let (code, stdout, stderr) = outcome(&mut place.command(arguments), "");
        assert_eq!(
            (code, stdout.as_str(), stderr.as_str()),
            (0, "2.1.330 (Claude Code)", "")
        );
    }
}

#[test]
fn help_lists_the_options() {
    let (code, stdout, _) = outcome(&mut Place::new().command(&["--help"]), "");
    assert_eq!(code, 0);
    assert!(stdout.starts_with("Usage: claude ") && stdout.contains("--output-format"));
}

#[test]
fn an_unknown_option_is_refused() {
    let (code, stdout, stderr) = outcome(&mut Place::new().command(&["--nope"]), "");
    assert_eq!(
        (code, stdout.as_str(), stderr.as_str()),
        (1, "", "error: unknown option '--nope'")
    );
}

#[test]
fn formats_that_do_not_go_together_are_refused() {
    let place = Place::new();
    let (code, stdout, stderr) = outcome(
        &mut place.command(&["-p", "--output-format", "stream-json", "hi"]),
        "",
    );
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.contains("requires --verbose"), "{stderr}");
    let (code, stdout, stderr) =
        outcome(&mut place.command(&["--input-format", "stream-json"]), "");
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(
        stderr.contains("requires output-format=stream-json"),
        "{stderr}"
    );
}

#[test]
fn print_writes_the_answer_alone() {
    let place = Place::new();
    let _harness = place.harness(quick());
    let (code, stdout, _) = outcome(&mut place.command(&["--print", "hi lhm-1-1-p1z"]), "");
    assert_eq!((code, stdout.as_str()), (0, "ok lhm-1-1-p1z"));
}

#[test]
fn print_takes_its_prompt_from_stdin_too() {
    let place = Place::new();
    let _harness = place.harness(quick());
    let arguments = ["-p", "--output-format", "json"];
    let (code, stdout, _) = outcome(&mut place.command(&arguments), "hi\nlhm-1-1-p1z\n");
    assert_eq!(code, 0);
    let result: Value = serde_json::from_str(&stdout).expect("one object");
    assert_eq!(result["type"], "result");
    assert_eq!(result["result"], "ok lhm-1-1-p1z");
    let (code, _, stderr) = outcome(&mut place.command(&arguments), "");
    assert_eq!(code, 1);
    assert!(
        stderr.starts_with("Error: Input must be provided"),
        "{stderr}"
    );
}

#[test]
fn print_can_show_every_message() {
    let place = Place::new();
    let _harness = place.harness(quick());
    let arguments = ["-p", "--output-format", "stream-json", "--verbose", "hi"];
    let (code, stdout, _) = outcome(&mut place.command(&arguments), "");
    assert_eq!(code, 0);
    let kinds: Vec<String> = stdout
        .lines()
        .map(|line| crate::support::kind_of(&serde_json::from_str(line).expect("JSON")))
        .collect();
    assert_eq!(kinds, ["system/init", "assistant", "result/success"]);
}

#[test]
fn a_session_id_can_be_given_and_a_fork_gets_a_new_one() {
    const ID: &str = "11111111-2222-4333-8444-555555555555";
    let place = Place::new();
    let _harness = place.harness(quick());
    for (options, is_kept) in [
        (&["--session-id", ID] as &[&str], true),
        (&["--resume", ID], true),
        (&["--resume", ID, "--fork-session"], false),
        (&[], false),
    ] {
        let arguments = [&STREAMING, options].concat();
        let input = crate::support::user("", "hi") + "\n";
        let (code, stdout, _) = outcome(&mut place.command(&arguments), &input);
        assert_eq!(code, 0);
        let ids: Vec<Value> = stdout
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["session_id"].take())
            .collect();
        assert_eq!(ids.len(), 3);
        assert!(ids.iter().all(|id| *id == ids[0]), "one id: {ids:?}");
        assert_eq!(ids[0] == ID, is_kept, "{options:?}");
    }
}
