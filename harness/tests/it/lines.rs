//! Workers of the kind `stdio` in whole runs: what they say, what they fail to say, and what their adapter cannot ask of them.
//!
//! The workers are a few lines of shell that count requests: 1 opens the session, 2 is its prompt, 3 its end.

use std::path::PathBuf;

use super::support::{Ground, Said};

/// A worker that answers every request with "ok" but the second, for which it does something else.
fn worker(ground: &Ground, second: &str, more: &str) -> PathBuf {
    ground.write(
        "worker.sh",
        &format!(
            r#"[ "$1" = mute ] || echo '{{"ready":true}}'
i=0
while read -r line; do
  i=$((i+1))
  case $i in
    2) {second} ;;
    *) echo "{{\"id\":$i,\"status\":\"ok\"}}" ;;
  esac
done
"#
        ),
    );
    ground.write(
        "worker.toml",
        &format!(
            r#"name = "shell"
kind = "stdio"
session_folders = false

[needs]
runtime = "sh"

[start]
command = ["{{runtime}}", "{{adapter}}/worker.sh"]
cwd = "{{data}}"

[ready]
timeout = "10s"

[[open]]
ask = "open"

[[prompt]]
ask = "prompt"
body = {{ text = "{{prompt}}" }}
work = true
skipped = {{ at = "/status", is = ["skipped"], reason = "/reason" }}

[[ends.complete]]
ask = "end"
{more}
[stop]
closes_stdin = true
timeout = "5s"
"#
        ),
    );
    ground.write(
        "scenario.toml",
        r#"name = "lines"
description = "One session of one prompt."
[worker]
use = "worker.toml"
[load]
sessions = 1
end = "complete"
[expect]
grace = "200ms"
[run]
request_timeout = "20s"
quiet = "100ms"
tick = "50ms"
"#,
    )
}

fn rules(ground: &Ground) -> Vec<String> {
    let findings = ground.report().findings;
    findings
        .into_iter()
        .map(|finding| serde_json::to_value(finding.rule).expect("a name"))
        .map(|rule| rule.as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn a_worker_that_dies_in_mid_request_leaves_an_unknown_item() {
    let ground = Ground::new();
    let scenario = worker(&ground, "exit 3", "");
    // Its death is told at once, however long an answer may take.
    ground
        .run(&scenario, &["--set", "run.request_timeout=\"50s\""])
        .expect(1);
    let report = ground.report();
    assert_eq!((report.work.offered, report.work.unknown), (1, 1));
    let rules = rules(&ground);
    assert!(rules.iter().any(|rule| rule == "worker_died"), "{rules:?}");
    ground.assert_clean();
}

#[test]
fn a_worker_that_does_not_answer_in_time_leaves_an_unknown_item() {
    let ground = Ground::new();
    let scenario = worker(&ground, ":", "");
    ground
        .run(&scenario, &["--set", "run.request_timeout=\"2s\""])
        .expect(1);
    let report = ground.report();
    assert_eq!((report.work.offered, report.work.unknown), (1, 1));
    let rules = rules(&ground);
    assert!(rules.iter().any(|rule| rule == "stalled"), "{rules:?}");
    ground.assert_clean();
}

#[test]
fn a_worker_may_refuse_or_skip() {
    let ground = Ground::new();
    let says = |status: &str| {
        format!(r#"echo "{{\"id\":$i,\"status\":\"{status}\",\"reason\":\"busy\"}}""#)
    };
    let scenario = worker(&ground, &says("refused"), "");
    ground.run(&scenario, &[]);
    assert_eq!(ground.report().work.refused, 1);
    let ground = Ground::new();
    let scenario = worker(&ground, &says("skipped"), "");
    ground.run(&scenario, &[]);
    assert_eq!(ground.report().work.skipped, 1);
    ground.assert_clean();
}

#[test]
fn a_worker_that_never_says_that_it_is_ready_would_not_start() {
    let ground = Ground::new();
    let scenario = worker(&ground, ":", "");
    let adapter = std::fs::read_to_string(ground.path("worker.toml")).expect("it is text");
    let mute = adapter
        .replace("worker.sh\"", "worker.sh\", \"mute\"")
        .replace("timeout = \"10s\"", "timeout = \"200ms\"");
    ground.write("worker.toml", &mute);
    let said: Said = ground.run(&scenario, &[]).expect(4);
    assert!(
        said.stderr
            .contains("it has written no line that says that it is ready"),
        "{said:?}"
    );
    ground.assert_clean();
}

#[test]
fn an_end_that_the_adapter_lacks_is_refused_and_one_that_lines_cannot_have_is_pointed_at() {
    let ground = Ground::new();
    for end in ["abort", "disconnect"] {
        let scenario = worker(&ground, ":", "");
        let change = format!("load.end=\"{end}\"");
        let said = ground.run(&scenario, &["--set", &change]).expect(2);
        assert!(
            said.stderr.contains("it knows \"complete\", \"abandon\""),
            "{said:?}"
        );
    }
    let disconnect = "[ends.disconnect]\nduring = \"prompt\"\nafter = \"sent\"\n";
    let scenario = worker(&ground, ":", disconnect);
    let said = ground.run(&scenario, &[]).expect(2);
    assert!(said.stderr.contains("worker.toml:26:7: "), "{said:?}");
    ground.assert_clean();
}
