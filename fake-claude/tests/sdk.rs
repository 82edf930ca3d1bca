//! The real Agent SDKs with the fake in the real program's place.
//!
//! An SDK that is not installed shows as an ignored test, with the command that installs it. They lie in the folder that
//! `LEAK_HARNESS_SDKS` names (by default `leak-harness/sdks` in the cache folder), each in a folder named for its version.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use tempfile::TempDir;

const PACKAGE: &str = "@anthropic-ai/claude-agent-sdk";
const DEADLINE: Duration = Duration::from_secs(60);
const BEHAVIOUR: &str = "initialize = \"1ms\"\nexit = \"1ms\"\n";

/// The versions that differ in how they call the program.
const VERSIONS: [&str; 2] = ["0.1.76", "0.3.330"];

/// The name of what is done, and what is to come of it.
type Case = (&'static str, fn(&Value));

/// What is done with each, and what is to come of it.
const CASES: [Case; 5] = [
    ("two-turns", two_turns),
    ("abort", abort),
    ("resume", resume),
    ("interrupt", interrupt),
    ("partial", partial),
];

fn main() {
    let arguments = Arguments::from_args();
    let has_node = Command::new("node")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let folder = sdks();
    let mut trials = Vec::new();
    for version in VERSIONS {
        let home = folder.join(version);
        let module = home.join("node_modules").join(PACKAGE).join("sdk.mjs");
        let reason = if !has_node {
            Some("node is not installed".to_owned())
        } else if !module.exists() {
            Some(format!(
                "not installed: npm install --prefix {} --ignore-scripts --omit=optional --legacy-peer-deps {PACKAGE}@{version} zod@{}",
                home.display(),
                if version.starts_with("0.1.") { 3 } else { 4 }
            ))
        } else {
            None
        };
        for (case, check) in CASES {
            let module = module.clone();
            let name = match &reason {
                Some(reason) => format!("sdk_{version}_{case} ({reason})"),
                None => format!("sdk_{version}_{case}"),
            };
            let trial = Trial::test(name, move || run(&module, case, check));
            trials.push(trial.with_ignored_flag(reason.is_some()));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn sdks() -> PathBuf {
    if let Some(folder) = env::var_os("LEAK_HARNESS_SDKS").filter(|it| !it.is_empty()) {
        return PathBuf::from(folder);
    }
    let cache = env::var_os("XDG_CACHE_HOME")
        .filter(|it| !it.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))
        .unwrap_or_default();
    cache.join("leak-harness/sdks")
}

/// Runs a case, checks what the SDK saw, and that the program is gone when the SDK is.
fn run(module: &Path, case: &str, check: fn(&Value)) -> Result<(), Failed> {
    let place = TempDir::new()?;
    let program = place.path().join("claude");
    if fs::hard_link(env!("CARGO_BIN_EXE_fake-claude"), &program).is_err() {
        fs::copy(env!("CARGO_BIN_EXE_fake-claude"), &program)?;
    }
    let turn = match case {
        // The turn that is aborted must not end by itself.
        "abort" => "10m",
        // The one that is interrupted must go on until the SDK has read of it and said so; the second one is as long.
        "interrupt" => "3s",
        _ => "100ms",
    };
    let behaviour = format!("{BEHAVIOUR}turn = \"{turn}\"\n");
    fs::write(place.path().join("fake-claude.toml"), behaviour)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sdk/drive.mjs");
    let journal = place.path().join("journal");
    let node = Command::new("node")
        .args([script.as_path(), module, &program, Path::new(case)])
        .env("HOME", place.path())
        .env("TMPDIR", place.path())
        .env("FAKE_CLAUDE_JOURNAL", &journal)
        .env("FAKE_CLAUDE_IDLE", "1m")
        .env_remove("CLAUDECODE")
        .current_dir(place.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    let stdout = output_in_time(node)?;
    let line = stdout.lines().last().unwrap_or_default();
    let seen: Value = serde_json::from_str(line)
        .map_err(|error| format!("{error}: the script wrote {stdout:?}"))?;
    println!("{case}: {seen}");
    check(&seen);
    let said = fs::read_to_string(journal)?;
    let last: Value = serde_json::from_str(said.lines().last().unwrap_or_default())?;
    assert_eq!(
        last["say"], "goodbye",
        "the program has said goodbye: {said}"
    );
    Ok(())
}

fn output_in_time(mut child: Child) -> Result<String, Failed> {
    let stdout = child.stdout.take().ok_or("stdout is piped")?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let _ = sender.send(std::io::read_to_string(stdout));
    });
    let output = receiver.recv_timeout(DEADLINE);
    if output.is_err() {
        child.kill()?;
    }
    child.wait()?;
    Ok(output.map_err(|_| "the SDK does not come to an end")??)
}

const TURN: [&str; 3] = ["system/init", "assistant", "result/success"];

fn two_turns(seen: &Value) {
    assert_eq!(seen["error"], Value::Null);
    assert_eq!(seen["types"], json!(TURN.repeat(2)));
    assert_eq!(seen["results"], json!(["ok lhm-1-1-p1z", "ok lhm-1-1-p2z"]));
    assert_eq!(seen["sessions"][0], seen["sessions"][1]);
    assert_eq!(seen["commands"], 2);
    let tools = seen["tools"].as_array().expect("a list");
    assert!(tools.contains(&json!("Write")) && !tools.contains(&json!("Bash")));
}

fn abort(seen: &Value) {
    assert_eq!(seen["types"], json!(["system/init"]));
    assert_eq!(seen["results"], json!([]));
    let error = seen["error"].as_str().expect("an error");
    assert!(error.contains("abort"), "{error}");
}

fn resume(seen: &Value) {
    assert_eq!(seen["error"], Value::Null);
    let id = "11111111-2222-4333-8444-555555555555";
    assert_eq!(seen["sessions"], json!([id, id]));
}

fn interrupt(seen: &Value) {
    assert_eq!(seen["error"], Value::Null);
    assert_eq!(
        seen["results"],
        json!(["error_during_execution", "ok lhm-1-1-p2z"])
    );
}

fn partial(seen: &Value) {
    assert_eq!(seen["error"], Value::Null);
    let types = seen["types"].as_array().expect("a list");
    let count = |kind: &str| types.iter().filter(|it| *it == kind).count();
    assert_eq!((count("assistant"), count("result/success")), (2, 2));
    // Start, block start, one piece, block stop, delta, stop.
    assert_eq!(count("stream_event"), 12);
}
