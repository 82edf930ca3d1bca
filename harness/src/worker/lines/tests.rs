//! The transport over lines, against workers of one line of shell.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::*;
use crate::driver::tests::run;

const PATIENCE: Duration = Duration::from_secs(30);

/// A worker that is a script, its lines, and its log.
struct Setup {
    child: Child,
    lines: Rc<Lines>,
    folder: tempfile::TempDir,
}

impl Setup {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Rc::new(Lines::default());
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        lines.connect(stdin, stdout, log).unwrap();
        Self {
            child,
            lines,
            folder,
        }
    }

    async fn ask(&self, ask: &str) -> Result<Answer, Failure> {
        self.lines.send(ask, None, PATIENCE).await
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn answers_find_who_asked_in_any_order() {
    run(async {
        let setup = Setup::new(
            r#"read a; read b; echo '{"id":2,"status":"refused","reason":"full"}'; echo '{"id":1,"status":"ok","got":"'"${#a}"'"}'; read c"#,
        );
        let (first, second) = tokio::join!(setup.ask("one"), setup.ask("two"));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!((first.status, second.status), (200, 409));
        assert_eq!(
            first.json()["got"],
            r#"{"ask":"one","id":1}"#.len().to_string()
        );
        assert!(second.text(200).contains("full"));
    });
}

#[test]
fn every_status_has_its_meaning() {
    for (status, number) in [
        ("ok", 200),
        ("skipped", 200),
        ("refused", 409),
        ("error", 500),
        ("odd", 500),
    ] {
        let line = json!({ "id": 7, "status": status });
        let (id, answer) = answer(&line, b"").unwrap();
        assert_eq!((id, answer.status), (7, number), "{status}");
    }
    assert!(answer(&json!({ "status": "ok" }), b"").is_none());
    assert_eq!(answer(&json!({ "id": 7 }), b"").unwrap().1.status, 500);
}

#[test]
fn a_request_carries_its_fields_beside_its_number() {
    let text = line(3, "prompt", Some(&json!({ "session": "a\nb" })));
    assert_eq!(text.lines().count(), 1);
    let back: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(back, json!({ "id": 3, "ask": "prompt", "session": "a\nb" }));
}

#[test]
fn the_line_of_readiness_is_awaited_and_other_lines_go_to_the_log() {
    run(async {
        let setup = Setup::new(
            r#"echo 'hello'; echo '{"ready":false}'; echo '{"id":99,"status":"ok"}'; echo '{"ready":true}'; read a; echo '{"id":1,"status":"ok"}'; read b"#,
        );
        timeout(PATIENCE, setup.lines.ready(None)).await.unwrap();
        setup.ask("anything").await.unwrap();
        let log = std::fs::read_to_string(setup.folder.path().join("log")).unwrap();
        assert_eq!(
            log,
            "hello\n{\"ready\":false}\n{\"id\":99,\"status\":\"ok\"}\n{\"ready\":true}\n"
        );
    });
}

#[test]
fn a_worker_that_is_silent_dies_or_reads_no_more_is_told_apart() {
    run(async {
        let silent = Setup::new("read a; read b; read c");
        let after = Duration::from_millis(20);
        assert_eq!(
            silent.lines.send("prompt", None, after).await.unwrap_err(),
            Failure::TimedOut(after.into())
        );
        // Its pipes are still there, as when a child of a dead worker holds them.
        let (asked, ()) = tokio::join!(silent.ask("prompt"), async {
            tokio::task::yield_now().await;
            silent.lines.disconnect();
        });
        assert!(matches!(asked, Err(Failure::Broken(_))), "{asked:?}");
        assert_eq!(silent.ask("prompt").await.unwrap_err(), Failure::Refused);

        let dies = Setup::new("read a");
        let asked = dies.ask("prompt").await;
        assert!(matches!(asked, Err(Failure::Broken(_))), "{asked:?}");
    });
}

#[test]
fn a_closed_stdin_still_lets_answers_in() {
    run(async {
        let setup = Setup::new(r#"read a; cat; echo '{"id":1,"status":"ok"}'"#);
        let (answer, ()) = tokio::join!(setup.ask("prompt"), async {
            tokio::task::yield_now().await;
            setup.lines.close_stdin();
        });
        assert_eq!(answer.unwrap().status, 200);
        assert_eq!(setup.ask("prompt").await.unwrap_err(), Failure::Refused);
    });
}
