//! The model worker, driven over HTTP with real children: what each cleanup policy does to a child of a session that was
//! completed, and to one of a session that was abandoned; what survives crashes, restarts and shutdowns.
//!
//! Each test is the harness of its children: a control socket tells them how to behave, and what they say on it is what the tests
//! wait for. When a test ends, its socket closes, and whatever it had started exits.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fake_claude::behaviour::{Behaviour, Death, DeathSignal, Garble, Hang, Ignore};
use fake_claude::control::{Order, SOCKET_FILE, Said, Say, TurnKind, Why};
use fake_claude::quantity::{Size, Span};
use leak_harness::clock::monotonic_ns;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(30);

/// A moment after which a test gives up.
struct Deadline {
    started_ns: u64,
}

impl Deadline {
    fn start() -> Self {
        Self {
            started_ns: monotonic_ns(),
        }
    }

    fn left(&self) -> Duration {
        DEADLINE.saturating_sub(Duration::from_nanos(monotonic_ns() - self.started_ns))
    }
}

const SIGTERM: i32 = Signal::SIGTERM as i32;

/// What happened to a child, as its connection tells.
#[derive(Debug, Clone)]
enum Told {
    Said(Said),
    Gone,
}

/// All that is known of the children, in the order in which they started.
#[derive(Debug, Default)]
struct Seen {
    children: Vec<Vec<Told>>,
}

impl Seen {
    fn says(&self, child: usize) -> impl Iterator<Item = &Said> {
        self.children
            .get(child)
            .into_iter()
            .flatten()
            .filter_map(|told| match told {
                Told::Said(said) => Some(said),
                Told::Gone => None,
            })
    }

    fn is_gone(&self, child: usize) -> bool {
        self.children
            .get(child)
            .is_some_and(|told| matches!(told.last(), Some(Told::Gone)))
    }

    fn goodbye(&self, child: usize) -> Option<(Option<i32>, Why)> {
        self.says(child).find_map(|said| match said.say {
            Say::Goodbye { code, why, .. } => Some((code, why)),
            _ => None,
        })
    }

    fn signals(&self, child: usize) -> Vec<i32> {
        self.says(child)
            .filter_map(|said| match said.say {
                Say::SawSignal { signal, .. } => Some(signal),
                _ => None,
            })
            .collect()
    }

    fn saw_eof(&self, child: usize) -> bool {
        self.says(child)
            .any(|said| matches!(said.say, Say::SawEof { .. }))
    }

    /// Whether anybody has told the child to end, politely or not.
    fn was_told_to_end(&self, child: usize) -> bool {
        self.saw_eof(child) || !self.signals(child).is_empty() || self.is_gone(child)
    }

    fn turns(&self, child: usize, wanted: TurnKind) -> usize {
        self.says(child)
            .filter(|said| matches!(said.say, Say::TurnEnded { kind, good: true, .. } if kind == wanted))
            .count()
    }

    fn has_begun(&self, child: usize, wanted: TurnKind) -> bool {
        self.says(child)
            .any(|said| matches!(said.say, Say::TurnStarted { kind, .. } if kind == wanted))
    }

    fn argv(&self, child: usize) -> Vec<String> {
        self.says(child)
            .find_map(|said| match &said.say {
                Say::Hello { argv, .. } => Some(argv.clone()),
                _ => None,
            })
            .unwrap_or_default()
    }
}

/// The harness side of the control socket.
struct Claudes {
    folder: TempDir,
    seen: Seen,
    events: Receiver<(usize, Told)>,
    connections: Arc<Mutex<Vec<UnixStream>>>,
    accepting: Option<JoinHandle<()>>,
}

/// A behaviour that costs no time.
fn fast() -> Behaviour {
    Behaviour {
        initialize: Span::ZERO,
        turn: Span::ZERO,
        exit: Span::ZERO,
        ..Behaviour::default()
    }
}

fn slow(turn: u64) -> Behaviour {
    Behaviour {
        turn: Span::from_millis(turn),
        ..fast()
    }
}

fn stubborn() -> Behaviour {
    Behaviour {
        ignore: vec![Ignore::Eof, Ignore::Sigterm],
        ..fast()
    }
}

impl Claudes {
    /// Children that behave as this says, by the number of the child, counted from 0.
    fn behaving(behaviour: impl Fn(usize) -> Behaviour + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("claude");
        let fake = fake_claude();
        fs::hard_link(&fake, &program)
            .or_else(|_| fs::copy(&fake, &program).map(drop))
            .unwrap();
        let socket = folder.path().join("control");
        fs::write(folder.path().join(SOCKET_FILE), socket.to_str().unwrap()).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let (sender, events) = channel();
        let accepting = {
            let connections = Arc::clone(&connections);
            thread::spawn(move || accept(&listener, &connections, &sender, &behaviour))
        };
        Self {
            folder,
            seen: Seen::default(),
            events,
            connections,
            accepting: Some(accepting),
        }
    }

    fn all(behaviour: Behaviour) -> Self {
        Self::behaving(move |_| behaviour.clone())
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("claude")
    }

    /// Waits until what was seen satisfies the question.
    fn wait<T>(&mut self, what: &str, question: impl Fn(&Seen) -> Option<T>) -> T {
        let deadline = Deadline::start();
        loop {
            if let Some(answer) = question(&self.seen) {
                return answer;
            }
            match self.events.recv_timeout(deadline.left()) {
                Ok((child, told)) => self.note(child, told),
                Err(_) => panic!("waited in vain: {what}; seen: {:#?}", self.seen),
            }
        }
    }

    fn until(&mut self, what: &str, question: impl Fn(&Seen) -> bool) {
        self.wait(what, |seen| question(seen).then_some(()));
    }

    /// What was seen so far, without waiting.
    fn so_far(&mut self) -> &Seen {
        while let Ok((child, told)) = self.events.try_recv() {
            self.note(child, told);
        }
        &self.seen
    }

    fn note(&mut self, child: usize, told: Told) {
        let children = &mut self.seen.children;
        if children.len() <= child {
            children.resize(child + 1, Vec::new());
        }
        children[child].push(told);
    }
}

impl Drop for Claudes {
    fn drop(&mut self) {
        // A child whose harness is gone exits, whatever it was told to ignore; its connection then closes from its side too.
        let _ = UnixStream::connect(self.folder.path().join("control"))
            .map(|connection| connection.shutdown(Shutdown::Both));
        if let Some(accepting) = self.accepting.take() {
            for connection in self.connections.lock().unwrap().drain(..) {
                let _ = connection.shutdown(Shutdown::Write);
            }
            let _ = accepting.join();
        }
    }
}

fn accept(
    listener: &UnixListener,
    connections: &Mutex<Vec<UnixStream>>,
    events: &Sender<(usize, Told)>,
    behaviour: &dyn Fn(usize) -> Behaviour,
) {
    let mut readers = Vec::new();
    for connection in listener.incoming() {
        let connection = connection.unwrap();
        let child = readers.len();
        let mut writer = connection.try_clone().unwrap();
        let order = Order::Behave {
            behaviour: Box::new(behaviour(child)),
            ballast: false,
        };
        let mut order = serde_json::to_vec(&order).unwrap();
        order.push(b'\n');
        // Only a child says hello; the end of the test connects and says nothing.
        let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
        let Some(Ok(hello)) = lines.next() else { break };
        connections.lock().unwrap().push(connection);
        let events = events.clone();
        readers.push(thread::spawn(move || {
            let lines = std::iter::once(Ok(hello)).chain(lines);
            for line in lines.map_while(Result::ok) {
                let said: Said = serde_json::from_str(&line).unwrap();
                if matches!(said.say, Say::Hello { .. } | Say::Serves { .. }) {
                    // A child that has just died takes no orders.
                    let _ = writer.write_all(&order);
                }
                let _ = events.send((child, Told::Said(said)));
            }
            let _ = events.send((child, Told::Gone));
        }));
    }
    for reader in readers {
        let _ = reader.join();
    }
}

/// The stand-in for `claude`, which lies beside the worker.
fn fake_claude() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_model-worker")).with_file_name("fake-claude");
    assert!(
        program.exists(),
        "{} is missing; `cargo build -p fake-claude` builds it",
        program.display()
    );
    program
}

/// A running model worker.
struct Worker {
    process: Child,
    port: u16,
    data: Arc<TempDir>,
}

impl Worker {
    fn start(claudes: &Claudes, flags: &[&str]) -> Self {
        Self::start_on(Arc::new(tempfile::tempdir().unwrap()), claudes, flags)
    }

    fn start_on(data: Arc<TempDir>, claudes: &Claudes, flags: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_model-worker"))
            .args(["--port", "0", "--data"])
            .arg(data.path())
            .arg("--claude")
            .arg(claudes.program())
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = process.stdout.take().unwrap();
        let (sender, ready) = channel();
        thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            let _ = sender.send(line);
        });
        let line = ready.recv_timeout(DEADLINE).expect("the worker is ready");
        let port = line.trim().rsplit_once(':').unwrap().1.parse().unwrap();
        Self {
            process,
            port,
            data,
        }
    }

    fn pid(&self) -> u32 {
        self.process.id()
    }

    /// One request; gives the status code and the JSON of the answer.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut connection = self.send(method, path, body);
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    fn send(&self, method: &str, path: &str, body: &str) -> TcpStream {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        connection.set_read_timeout(Some(DEADLINE)).unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: worker\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        connection.write_all(request.as_bytes()).unwrap();
        connection
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask("POST", path, &body.to_string());
        assert_eq!(status, 200, "{path} {body} {answer}");
        answer
    }

    fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path, "");
        assert_eq!(status, 200, "{path} {answer}");
        answer
    }

    /// A prompt of a session, as the hooks send it; gives the session's number.
    fn prompt(&self, session: &str) -> i64 {
        let opened = self.post(
            "/api/sessions/init",
            &json!({"contentSessionId": session, "project": "project", "prompt": "lhm-1-1-p1z"}),
        );
        assert_eq!(opened["skipped"], false);
        let id = opened["sessionDbId"].as_i64().unwrap();
        let started = self.post(
            &format!("/sessions/{id}/init"),
            &json!({"userPrompt": "lhm-1-1-p1z", "promptNumber": opened["promptNumber"]}),
        );
        assert_eq!(started["status"], "initialized");
        assert_eq!(started["port"], self.port);
        id
    }

    fn observe(&self, session: &str, marker: &str) {
        let answer = self.post(
            "/api/sessions/observations",
            &json!({
                "contentSessionId": session, "tool_name": "Bash", "cwd": "/",
                "tool_input": {"command": format!("echo {marker}")}, "tool_response": {"stdout": ""},
            }),
        );
        assert_eq!(answer, json!({"status": "queued"}));
    }

    fn summarize(&self, session: &str, marker: &str) {
        let answer = self.post(
            "/api/sessions/summarize",
            &json!({"contentSessionId": session, "last_assistant_message": marker}),
        );
        assert_eq!(answer, json!({"status": "queued"}));
    }

    fn complete(&self, id: i64) {
        let answer = self.post(&format!("/sessions/{id}/complete"), &json!({}));
        assert_eq!(answer, json!({"success": true}));
    }

    /// How many of the stored items hold this marker.
    fn stored(&self, path: &str, marker: &str) -> usize {
        let page = self.get(&format!("{path}?limit=100"));
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .filter(|item| item.to_string().contains(marker))
            .count()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid().try_into().unwrap()), signal).unwrap();
    }

    fn wait(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }

    /// Stops the worker as a service manager does.
    fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        assert!(self.wait().success());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Opens a session with one observation, and waits until its child has answered.
fn worked_session(worker: &Worker, claudes: &mut Claudes, session: &str, child: usize) -> i64 {
    let id = worker.prompt(session);
    worker.observe(session, "lhm-1-1-o1z");
    claudes.until("the observation is answered", |seen| {
        seen.turns(child, TurnKind::Observation) == 1
    });
    id
}

// --- what a session does -------------------------------------------------------------------------------------------------------

#[test]
fn claude_is_started_as_the_sdk_does() {
    for (stdio, link) in [("pipe", "pipe:["), ("socket", "socket:[")] {
        let mut claudes = Claudes::all(fast());
        let worker = Worker::start(&claudes, &["--stdio", stdio]);
        worker.prompt("content-1");
        let session = claudes.wait("it serves", |seen| {
            seen.says(0).find_map(|said| match &said.say {
                Say::Serves { session } => Some(session.clone()),
                _ => None,
            })
        });
        assert_eq!(session, "content-1");
        let seen = claudes.so_far();
        assert_eq!(
            seen.argv(0)[1..],
            [
                "--output-format",
                "stream-json",
                "--verbose",
                "--input-format",
                "stream-json",
                "--model",
                "claude-sonnet-4-5",
                "--disallowedTools",
                "Bash,Read,Write,Edit,Grep,Glob,WebFetch,WebSearch,Task,NotebookEdit,AskUserQuestion,TodoWrite",
                "--setting-sources",
                "",
                "--permission-mode",
                "default",
            ]
        );
        let Some(Say::Hello { ppid, stdin, .. }) = seen.says(0).next().map(|said| &said.say) else {
            panic!("no hello");
        };
        assert_eq!(*ppid, worker.pid());
        assert!(stdin.starts_with(link), "{stdin}");
    }
}

#[test]
fn work_is_delivered_with_its_markers_and_stored() {
    let mut claudes = Claudes::all(fast());
    let worker = Worker::start(&claudes, &[]);
    let id = worker.prompt("content-1");
    worker.observe("content-1", "lhm-1-1-o1z");
    worker.summarize("content-1", "lhm-1-1-s1z");
    claudes.until("all is answered", |seen| {
        seen.turns(0, TurnKind::Prompt) == 1
            && seen.turns(0, TurnKind::Observation) == 1
            && seen.turns(0, TurnKind::Summary) == 1
    });
    worker.complete(id);
    assert_eq!(worker.stored("/api/observations", "lhm-1-1-o1z"), 1);
    assert_eq!(worker.stored("/api/summaries", "lhm-1-1-s1z"), 1);
    assert_eq!(worker.stored("/api/prompts", "lhm-1-1-p1z"), 1);
    assert_eq!(
        worker.get("/api/processing-status"),
        json!({"isProcessing": false, "queueDepth": 0})
    );
    let stats = worker.get("/api/stats");
    assert_eq!(stats["worker"]["activeSessions"], 0);
    assert_eq!(stats["database"]["observations"], 1);
}

#[test]
fn completed_session_loses_nothing_that_was_queued() {
    let cases: [&[&str]; 6] = [
        &[],
        &["--query-end", "closes-stdin"],
        &["--cleanup", "tracked"],
        &["--cleanup", "close"],
        &["--cleanup", "session-diff"],
        &["--cleanup", "tracked,close,idle,reaper"],
    ];
    for flags in cases {
        let claudes = Claudes::all(slow(40));
        let worker = Worker::start(&claudes, flags);
        let id = worker.prompt("content-1");
        for number in 1..=4 {
            worker.observe("content-1", &format!("lhm-1-1-o{number}z"));
        }
        worker.summarize("content-1", "lhm-1-1-s1z");
        worker.complete(id);
        for number in 1..=4 {
            let marker = format!("lhm-1-1-o{number}z");
            assert_eq!(worker.stored("/api/observations", &marker), 1, "{flags:?}");
        }
        assert_eq!(
            worker.stored("/api/summaries", "lhm-1-1-s1z"),
            1,
            "{flags:?}"
        );
    }
}

#[test]
fn merged_turn_answers_all_that_it_holds() {
    let behaviour = Behaviour {
        merge: true,
        ..slow(100)
    };
    let mut claudes = Claudes::all(behaviour);
    let worker = Worker::start(&claudes, &["--cleanup", "tracked"]);
    let id = worker.prompt("content-1");
    claudes.until("the first turn runs", |seen| {
        seen.has_begun(0, TurnKind::Prompt)
    });
    worker.observe("content-1", "lhm-1-1-o1z");
    worker.observe("content-1", "lhm-1-1-o2z");
    worker.complete(id);
    assert_eq!(worker.stored("/api/observations", "lhm-1-1-o1z"), 1);
    assert_eq!(worker.stored("/api/observations", "lhm-1-1-o2z"), 1);
    assert_eq!(worker.get("/api/processing-status")["queueDepth"], 0);
}

#[test]
fn every_prompt_starts_one_more_claude_that_resumes() {
    let mut claudes = Claudes::all(fast());
    let worker = Worker::start(&claudes, &["--cleanup", "close"]);
    let id = worked_session(&worker, &mut claudes, "content-1", 0);
    assert_eq!(worker.prompt("content-1"), id);
    claudes.until("the twin has answered its prompt", |seen| {
        seen.turns(1, TurnKind::Prompt) == 1
    });
    let seen = claudes.so_far();
    assert!(!seen.was_told_to_end(0), "both are alive");
    assert!(!seen.argv(0).contains(&"--resume".to_owned()));
    let argv = seen.argv(1);
    let resume = argv.iter().position(|word| word == "--resume").unwrap();
    let memory_session = worker.get("/api/observations")["items"][0]["memory_session_id"].clone();
    assert_eq!(memory_session, argv[resume + 1]);
    assert_eq!(argv[resume + 2], "--disallowedTools");
    worker.complete(id);
    claudes.until("both are gone", |seen| seen.is_gone(0) && seen.is_gone(1));
}

#[test]
fn skipped_private_and_wrong_requests_start_nothing() {
    let mut claudes = Claudes::all(fast());
    let worker = Worker::start(&claudes, &[]);
    let observe = |tool: &str, input: Value| {
        worker.post(
            "/api/sessions/observations",
            &json!({"contentSessionId": "content-1", "tool_name": tool, "tool_input": input}),
        )
    };
    let private = worker.post(
        "/api/sessions/init",
        &json!({"contentSessionId": "content-1", "project": "p", "prompt": "<private>all</private>"}),
    );
    assert_eq!(private["skipped"], true);
    assert_eq!(private["reason"], "private");
    assert_eq!(
        observe("Bash", json!({})),
        json!({"status": "skipped", "reason": "private"})
    );
    assert_eq!(
        observe("TodoWrite", json!({})),
        json!({"status": "skipped", "reason": "tool_excluded"})
    );
    assert_eq!(
        observe("Edit", json!({"file_path": "/a/session-memory/b"})),
        json!({"status": "skipped", "reason": "session_memory_meta"})
    );
    let refused = [
        ("POST", "/api/sessions/init", "{not json", 400),
        (
            "POST",
            "/api/sessions/init",
            r#"{"contentSessionId":"c","project":"p"}"#,
            400,
        ),
        (
            "POST",
            "/api/sessions/init",
            r#"{"contentSessionId":7,"project":"p","prompt":"x"}"#,
            400,
        ),
        ("POST", "/api/sessions/observations", "", 400),
        ("POST", "/api/sessions/summarize", "[]", 400),
        ("POST", "/sessions/one/init", "{}", 400),
        ("POST", "/sessions/99/init", "{}", 404),
        ("POST", "/sessions/99/observations", "{}", 404),
        ("GET", "/sessions/one/status", "", 400),
        ("GET", "/api/nothing", "", 404),
        ("PUT", "/api/stats", "", 404),
    ];
    for (method, path, body, status) in refused {
        assert_eq!(
            worker.ask(method, path, body).0,
            status,
            "{method} {path} {body}"
        );
    }
    assert_eq!(
        worker.get("/sessions/99/status"),
        json!({"status": "not_found"})
    );
    assert_eq!(worker.get("/api/readiness")["status"], "ready");
    assert_eq!(worker.get("/api/health")["pid"], worker.pid());
    assert!(claudes.so_far().children.is_empty());
}

#[test]
fn pages_are_cut_and_counted() {
    let claudes = Claudes::all(fast());
    let worker = Worker::start(&claudes, &[]);
    let id = worker.prompt("content-1");
    for number in 1..=5 {
        worker.observe("content-1", &format!("lhm-1-1-o{number}z"));
    }
    worker.complete(id);
    let page = worker.get("/api/observations?limit=2&offset=3");
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert_eq!(page["hasMore"], false);
    assert_eq!(page["offset"], 3);
    let ids = |page: &Value| -> Vec<u64> {
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["id"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(ids(&worker.get("/api/observations?limit=2")), [5, 4]);
    assert_eq!(worker.get("/api/observations?limit=2")["hasMore"], true);
    assert_eq!(worker.get("/api/observations?limit=1000")["limit"], 100);
    assert_eq!(ids(&worker.get("/api/observations?project=other")), [0; 0]);
}

// --- what ends a child, and what does not --------------------------------------------------------------------------------------

#[test]
fn holding_query_leaves_its_child_until_the_worker_stops() {
    let mut claudes = Claudes::all(fast());
    let mut worker = Worker::start(&claudes, &[]);
    let id = worked_session(&worker, &mut claudes, "content-1", 0);
    worker.complete(id);
    assert_eq!(
        worker.get(&format!("/sessions/{id}/status"))["status"],
        "not_found"
    );
    let before_stop = monotonic_ns();
    worker.stop();
    let saw_eof_at = claudes.wait("its stdin closes with the worker", |seen| {
        seen.says(0)
            .find(|said| matches!(said.say, Say::SawEof { .. }))
            .map(|said| said.at_ns)
    });
    assert!(saw_eof_at > before_stop);
    claudes.until("a polite child exits by that", |seen| seen.is_gone(0));
    assert_eq!(claudes.seen.goodbye(0), Some((Some(0), Why::Eof)));
    assert_eq!(claudes.seen.signals(0), [0; 0]);
}

#[test]
fn closing_query_ends_a_polite_child_by_eof() {
    let mut claudes = Claudes::all(fast());
    let worker = Worker::start(&claudes, &["--query-end", "closes-stdin"]);
    let id = worked_session(&worker, &mut claudes, "content-1", 0);
    worker.complete(id);
    claudes.until("it is gone", |seen| seen.is_gone(0));
    assert_eq!(claudes.seen.goodbye(0), Some((Some(0), Why::Eof)));
}

#[test]
fn tracked_ends_the_child_before_the_answer() {
    let mut claudes = Claudes::all(fast());
    let worker = Worker::start(&claudes, &["--cleanup", "tracked"]);
    let id = worked_session(&worker, &mut claudes, "content-1", 0);
    worker.complete(id);
    claudes.until("it is gone", |seen| seen.is_gone(0));
    assert_eq!(claudes.seen.goodbye(0), Some((Some(143), Why::Signal)));
    let sender = claudes.seen.says(0).find_map(|said| match said.say {
        Say::SawSignal { sender, .. } => Some(sender),
        _ => None,
    });
    assert_eq!(sender, Some(worker.pid()));
}

#[test]
fn tracked_kills_a_child_that_does_not_obey() {
    let mut claudes = Claudes::all(stubborn());
    let worker = Worker::start(&claudes, &["--cleanup", "tracked", "--kill-after", "2s"]);
    let id = worked_session(&worker, &mut claudes, "content-1", 0);
    worker.complete(id);
    claudes.until("it is gone", |seen| seen.is_gone(0));
    assert_eq!(claudes.seen.signals(0), [SIGTERM]);
    assert_eq!(claudes.seen.goodbye(0), None);
    assert!(!claudes.seen.saw_eof(0), "its stdin was held to the end");
}

#[test]
fn close_goes_down_its_ladder() {
    let mut claudes = Claudes::behaving(|child| if child == 0 { fast() } else { stubborn() });
    let worker = Worker::start(&claudes, &["--cleanup", "close", "--kill-after", "2s"]);
    let polite = worked_session(&worker, &mut claudes, "content-1", 0);
    worker.complete(polite);
    claudes.until("the polite child is gone", |seen| seen.is_gone(0));
    assert_eq!(claudes.seen.goodbye(0), Some((Some(0), Why::Eof)));
    assert_eq!(claudes.seen.signals(0), [0; 0]);

    let stubborn = worked_session(&worker, &mut claudes, "content-2", 1);
    worker.complete(stubborn);
    claudes.until("the stubborn child is gone", |seen| seen.is_gone(1));
    assert!(claudes.seen.saw_eof(1));
    assert_eq!(claudes.seen.signals(1), [SIGTERM]);
    assert_eq!(claudes.seen.goodbye(1), None);
}

#[test]
fn session_diff_kills_bystanders_that_came_later_and_spares_earlier_ones() {
    let mut claudes = Claudes::all(fast());
    let worker = Worker::start(&claudes, &["--cleanup", "session-diff"]);
    worked_session(&worker, &mut claudes, "earlier", 0);
    let own = worked_session(&worker, &mut claudes, "own", 1);
    worked_session(&worker, &mut claudes, "later", 2);
    worker.complete(own);
    claudes.until("own and later are gone", |seen| {
        seen.is_gone(1) && seen.is_gone(2)
    });
    for child in [1, 2] {
        assert_eq!(claudes.seen.goodbye(child), None, "killed outright");
    }
    assert!(!claudes.so_far().was_told_to_end(0));
}

#[test]
fn abandoned_child_is_left_alone_by_whatever_sits_in_a_finally() {
    for policy in ["none", "tracked", "close", "session-diff"] {
        let mut claudes = Claudes::all(fast());
        let worker = Worker::start(
            &claudes,
            &["--cleanup", policy, "--query-end", "closes-stdin"],
        );
        worked_session(&worker, &mut claudes, "abandoned", 0);
        // A second session goes through all of it.
        let completed = worked_session(&worker, &mut claudes, "completed", 1);
        worker.complete(completed);
        claudes.until("the completed one is gone", |seen| seen.is_gone(1));
        assert!(!claudes.so_far().was_told_to_end(0), "{policy}");
    }
}

#[test]
fn idle_ends_an_abandoned_generator_and_its_child() {
    let mut claudes = Claudes::behaving(|child| if child == 2 { stubborn() } else { fast() });
    let flags = [
        "--cleanup",
        "idle",
        "--idle-limit",
        "3s",
        "--kill-after",
        "2s",
    ];
    let worker = Worker::start(&claudes, &flags);
    let completed = worked_session(&worker, &mut claudes, "completed", 0);
    worker.complete(completed);
    worked_session(&worker, &mut claudes, "polite", 1);
    worked_session(&worker, &mut claudes, "stubborn", 2);
    claudes.until("both are gone", |seen| seen.is_gone(1) && seen.is_gone(2));
    assert_eq!(claudes.seen.goodbye(1), Some((Some(143), Why::Signal)));
    assert_eq!(claudes.seen.signals(2), [SIGTERM]);
    assert_eq!(claudes.seen.goodbye(2), None);
    // A completed session has no generator that could be idle, and so its child is nobody's business.
    assert!(!claudes.so_far().was_told_to_end(0));

    // An abandoned session is not over: its next item starts a claude again.
    worker.observe("polite", "lhm-1-1-o2z");
    claudes.until("it is answered", |seen| {
        seen.turns(3, TurnKind::Observation) == 1
    });
}

#[test]
fn time_scale_divides_the_limits() {
    let mut claudes = Claudes::all(fast());
    // 20 minutes at 600 times the speed; what comes after SIGTERM is not to be reached.
    let limits = ["--idle-limit", "20m", "--kill-after", "3h"];
    let flags = [&["--cleanup", "idle", "--time-scale", "600"], &limits[..]].concat();
    let worker = Worker::start(&claudes, &flags);
    worked_session(&worker, &mut claudes, "content-1", 0);
    claudes.until("it is gone", |seen| seen.is_gone(0));
    assert_eq!(claudes.seen.goodbye(0), Some((Some(143), Why::Signal)));
}

#[test]
fn reaper_kills_old_children_also_those_that_work() {
    let mut claudes = Claudes::behaving(|child| match child {
        0 => fast(),
        1 => slow(60_000),
        _ => fast(),
    });
    let flags = [
        "--cleanup",
        "reaper",
        "--reaper-interval",
        "100ms",
        "--reaper-age",
        "1s",
        "--restart-delay",
        "10ms",
    ];
    let worker = Worker::start(&claudes, &flags);
    let leaked = worked_session(&worker, &mut claudes, "leaked", 0);
    worker.complete(leaked);
    worker.prompt("working");
    claudes.until("it works", |seen| seen.has_begun(1, TurnKind::Prompt));
    worker.observe("working", "lhm-1-1-o9z");
    claudes.until("both are gone", |seen| seen.is_gone(0) && seen.is_gone(1));
    for child in [0, 1] {
        assert_eq!(claudes.seen.goodbye(child), None, "killed outright");
    }
    claudes.until("the work is begun anew", |seen| {
        (2..seen.children.len()).any(|child| seen.turns(child, TurnKind::Observation) == 1)
    });
}

#[test]
fn silent_child_does_not_hold_a_completed_session_for_ever() {
    let behaviour = Behaviour {
        hang: Some(Hang::MidTurn),
        at_turn: 2,
        ..fast()
    };
    let mut claudes = Claudes::all(behaviour);
    let worker = Worker::start(
        &claudes,
        &["--cleanup", "tracked", "--drain-limit", "200ms"],
    );
    let id = worker.prompt("content-1");
    worker.observe("content-1", "lhm-1-1-o1z");
    claudes.until("it hangs", |seen| seen.has_begun(0, TurnKind::Observation));
    worker.complete(id);
    claudes.until("it is gone", |seen| seen.is_gone(0));
    assert_eq!(claudes.seen.signals(0), [SIGTERM]);
    // What it never answered stays on disk.
    assert_eq!(worker.get("/api/processing-status")["queueDepth"], 1);
    assert_eq!(claudes.so_far().children.len(), 1);
}

#[test]
fn item_that_comes_while_the_child_is_being_ended_is_answered_by_another() {
    let mut claudes = Claudes::behaving(|child| if child == 0 { stubborn() } else { fast() });
    let worker = Worker::start(&claudes, &["--cleanup", "close", "--kill-after", "2s"]);
    let id = worked_session(&worker, &mut claudes, "content-1", 0);
    let completing = worker.send("POST", &format!("/sessions/{id}/complete"), "{}");
    claudes.until("it is being ended", |seen| seen.saw_eof(0));
    worker.observe("content-1", "lhm-1-1-o2z");
    claudes.until("another claude answers", |seen| {
        seen.turns(1, TurnKind::Observation) == 1
    });
    assert!(claudes.so_far().is_gone(0));
    drop(completing);
}

#[test]
fn abort_gives_up_what_is_in_flight() {
    let mut claudes = Claudes::all(slow(60_000));
    let worker = Worker::start(&claudes, &["--query-end", "closes-stdin"]);
    let id = worker.prompt("content-1");
    worker.observe("content-1", "lhm-1-1-o1z");
    claudes.until("it works", |seen| seen.has_begun(0, TurnKind::Prompt));
    let (status, answer) = worker.ask("DELETE", &format!("/sessions/{id}"), "");
    assert_eq!((status, answer), (200, json!({"status": "deleted"})));
    claudes.until("it is gone", |seen| seen.is_gone(0));
    assert_eq!(claudes.seen.goodbye(0), Some((Some(143), Why::Signal)));
    assert_eq!(worker.get("/api/processing-status")["queueDepth"], 0);
}

#[test]
fn abort_cannot_be_relied_upon_where_query_holds_its_child() {
    let mut claudes = Claudes::all(fast());
    let worker = Worker::start(&claudes, &[]);
    let id = worked_session(&worker, &mut claudes, "content-1", 0);
    worker.ask("DELETE", &format!("/sessions/{id}"), "");
    assert_eq!(
        worker.get(&format!("/sessions/{id}/status"))["status"],
        "not_found"
    );
    assert!(!claudes.so_far().was_told_to_end(0));
}

#[test]
fn client_that_hangs_up_changes_nothing() {
    let mut claudes = Claudes::all(slow(100));
    let worker = Worker::start(&claudes, &["--cleanup", "tracked"]);
    let id = worker.prompt("content-1");
    worker.observe("content-1", "lhm-1-1-o1z");
    claudes.until("it works", |seen| seen.has_begun(0, TurnKind::Prompt));
    drop(worker.send("POST", &format!("/sessions/{id}/complete"), "{}"));
    claudes.until("the session ends all the same", |seen| seen.is_gone(0));
    assert_eq!(worker.stored("/api/observations", "lhm-1-1-o1z"), 1);
}

// --- slots, and what others do with work ---------------------------------------------------------------------------------------

const ONE_SLOT: [&str; 6] = [
    "--slots",
    "1",
    "--cleanup",
    "tracked",
    "--query-end",
    "closes-stdin",
];

/// The markers of what waits in the worker's queue.
fn waiting(worker: &Worker) -> Vec<String> {
    let queue = worker.get("/api/pending-queue");
    let messages = queue["queue"]["messages"].as_array().unwrap();
    messages
        .iter()
        .flat_map(|message| fake_claude::control::markers(&message.to_string()))
        .collect()
}

#[test]
fn idle_claude_makes_room_and_its_session_gets_another_one() {
    let mut claudes = Claudes::all(fast());
    let worker = Worker::start(&claudes, &ONE_SLOT);
    worked_session(&worker, &mut claudes, "content-1", 0);
    worked_session(&worker, &mut claudes, "content-2", 1);
    worker.observe("content-1", "lhm-1-1-o2z");
    claudes.until("the first session is served again", |seen| {
        seen.turns(2, TurnKind::Observation) == 1
    });
    claudes.until("two have made room", |seen| {
        seen.is_gone(0) && seen.is_gone(1)
    });
    for child in 0..2 {
        assert_eq!(claudes.seen.goodbye(child), Some((Some(0), Why::Eof)));
        assert!(claudes.seen.signals(child).is_empty());
    }
    assert!(!claudes.so_far().was_told_to_end(2));
}

#[test]
fn claude_that_works_keeps_its_slot() {
    let mut claudes = Claudes::behaving(|child| if child == 0 { slow(800) } else { fast() });
    let worker = Worker::start(&claudes, &ONE_SLOT);
    worker.prompt("content-1");
    worker.observe("content-1", "lhm-1-1-o1z");
    claudes.until("the first one works", |seen| {
        seen.has_begun(0, TurnKind::Prompt)
    });
    worker.prompt("content-2");
    worker.observe("content-2", "lhm-1-2-o1z");
    assert_eq!(waiting(&worker), ["lhm-1-2-o1z"]);
    claudes.until("the second session is served", |seen| {
        seen.turns(1, TurnKind::Observation) == 1
    });
    claudes.until("the first one has made room", |seen| seen.is_gone(0));
    assert_eq!(claudes.seen.turns(0, TurnKind::Observation), 1);
    assert!(waiting(&worker).is_empty());
    assert_eq!(worker.stored("/api/observations", "lhm-1-1-o1z"), 1);
}

#[test]
fn slots_are_given_in_the_order_of_asking_and_come_back_from_the_dead() {
    let dies = Behaviour {
        die: Some(Death::Signal(DeathSignal::Sigkill)),
        ..slow(2_000)
    };
    let mut claudes =
        Claudes::behaving(move |child| if child == 0 { dies.clone() } else { fast() });
    let mut flags = ONE_SLOT.to_vec();
    flags.extend(["--restart-delay", "10ms"]);
    let worker = Worker::start(&claudes, &flags);
    for session in ["content-1", "content-2", "content-3"] {
        worker.prompt(session);
        worker.observe(session, "lhm-1-1-o1z");
    }
    claudes.until("all are served", |seen| {
        (1..4).all(|child| seen.turns(child, TurnKind::Observation) == 1)
    });
    let served: Vec<_> = (0..4)
        .filter_map(|child| {
            claudes.seen.says(child).find_map(|said| match &said.say {
                Say::Serves { session } => Some(session.as_str()),
                _ => None,
            })
        })
        .collect();
    // The first session asks once more, and is the last to be heard.
    assert_eq!(served, ["content-1", "content-2", "content-3", "content-1"]);
}

#[test]
fn session_that_ends_without_work_wants_no_slot_and_one_with_work_is_waited_for() {
    let mut claudes = Claudes::behaving(|child| if child == 0 { slow(2_000) } else { fast() });
    let worker = Worker::start(&claudes, &ONE_SLOT);
    let first = worker.prompt("content-1");
    claudes.until("the slot is taken", |seen| {
        seen.has_begun(0, TurnKind::Prompt)
    });
    let idle = worker.prompt("content-2");
    worker.complete(idle);
    let aborted = worker.prompt("content-3");
    worker.observe("content-3", "lhm-1-3-o1z");
    let (status, _) = worker.ask("DELETE", &format!("/sessions/{aborted}"), "");
    assert_eq!(status, 200);
    assert_eq!(claudes.so_far().turns(0, TurnKind::Prompt), 0);
    let busy = worker.prompt("content-4");
    worker.observe("content-4", "lhm-1-4-o1z");
    worker.complete(busy);
    assert_eq!(worker.stored("/api/observations", "lhm-1-4-o1z"), 1);
    worker.complete(first);
    assert_eq!(claudes.so_far().children.len(), 2);
    // Whoever aborts gives up what is in flight; what no claude has seen stays on disk.
    assert_eq!(waiting(&worker), ["lhm-1-3-o1z"]);
}

#[test]
fn request_that_comes_twice_is_taken_once_where_that_is_the_habit() {
    for (flags, times) in [(&["--quirks", "takes-once"][..], 1), (&[], 2)] {
        let mut claudes = Claudes::all(fast());
        let worker = Worker::start(&claudes, flags);
        let id = worker.prompt("content-1");
        assert_eq!(worker.prompt("content-1"), id);
        for marker in ["lhm-1-1-o1z", "lhm-1-1-o1z", "lhm-1-1-o2z"] {
            worker.observe("content-1", marker);
        }
        worker.complete(id);
        assert_eq!(worker.stored("/api/prompts", "lhm-1-1-p1z"), times);
        assert_eq!(worker.stored("/api/observations", "lhm-1-1-o1z"), times);
        assert_eq!(worker.stored("/api/observations", "lhm-1-1-o2z"), 1);
        claudes.until("there are as many claudes", |seen| {
            seen.children.len() == times
        });
    }
}

// --- children that misbehave ---------------------------------------------------------------------------------------------------

#[test]
fn crashed_generator_is_restarted_and_its_items_are_answered() {
    let mut claudes = Claudes::behaving(|child| match child {
        0 => Behaviour {
            die: Some(Death::Code(1)),
            at_turn: 2,
            ..fast()
        },
        _ => fast(),
    });
    let worker = Worker::start(&claudes, &["--restart-delay", "10ms"]);
    let id = worker.prompt("content-1");
    worker.observe("content-1", "lhm-1-1-o1z");
    worker.observe("content-1", "lhm-1-1-o2z");
    claudes.until("another claude answers", |seen| {
        seen.turns(1, TurnKind::Observation) == 2
    });
    worker.complete(id);
    for marker in ["lhm-1-1-o1z", "lhm-1-1-o2z"] {
        assert_eq!(worker.stored("/api/observations", marker), 1);
    }
    assert!(!claudes.so_far().argv(1).contains(&"--resume".to_owned()));
    assert_eq!(claudes.so_far().children.len(), 2);
}

#[test]
fn completed_session_is_restarted_a_few_times_and_then_left_on_disk() {
    let behaviour = Behaviour {
        die: Some(Death::Code(1)),
        at_turn: 2,
        ..slow(50)
    };
    let mut claudes = Claudes::all(behaviour);
    let worker = Worker::start(&claudes, &["--restart-delay", "10ms"]);
    let id = worker.prompt("content-1");
    worker.observe("content-1", "lhm-1-1-o1z");
    worker.complete(id);
    assert_eq!(worker.get("/api/processing-status")["queueDepth"], 1);
    claudes.until("all are gone", |seen| {
        (0..4).all(|child| seen.is_gone(child))
    });
    assert_eq!(claudes.so_far().children.len(), 4);
}

#[test]
fn line_that_is_no_json_ends_the_query_and_its_child() {
    let mut claudes = Claudes::behaving(|child| match child {
        0 => Behaviour {
            garble: Some(Garble::Malformed),
            at_turn: 2,
            ..slow(50)
        },
        _ => fast(),
    });
    let worker = Worker::start(&claudes, &["--restart-delay", "10ms"]);
    let id = worker.prompt("content-1");
    worker.observe("content-1", "lhm-1-1-o1z");
    claudes.until("it is gone", |seen| seen.is_gone(0));
    assert_eq!(claudes.seen.signals(0), [SIGTERM]);
    claudes.until("another claude answers", |seen| {
        seen.turns(1, TurnKind::Observation) == 1
    });
    worker.complete(id);
    assert!(worker.stored("/api/observations", "lhm-1-1-o1z") >= 1);
}

#[test]
fn strange_output_disturbs_nobody() {
    let strange = [
        Behaviour {
            garble: Some(Garble::Huge),
            ..fast()
        },
        Behaviour {
            garble: Some(Garble::Partial),
            ..fast()
        },
        Behaviour {
            flood: Some("4MiB".parse::<Size>().unwrap()),
            ..fast()
        },
    ];
    for behaviour in strange {
        let claudes = Claudes::all(behaviour.clone());
        let worker = Worker::start(&claudes, &["--cleanup", "tracked"]);
        let id = worker.prompt("content-1");
        worker.observe("content-1", "lhm-1-1-o1z");
        worker.complete(id);
        assert_eq!(
            worker.stored("/api/observations", "lhm-1-1-o1z"),
            1,
            "{behaviour:?}"
        );
    }
}

#[test]
fn child_that_never_reads_or_stops_writing_holds_up_only_itself() {
    let mut claudes = Claudes::behaving(|child| match child {
        0 => Behaviour {
            deaf: true,
            ..fast()
        },
        1 => Behaviour {
            close_stdout: true,
            ..fast()
        },
        _ => fast(),
    });
    let worker = Worker::start(
        &claudes,
        &["--cleanup", "tracked", "--drain-limit", "200ms"],
    );
    let deaf = worker.prompt("deaf");
    claudes.until("the deaf one is there", |seen| seen.says(0).count() > 0);
    let text = "x".repeat(100_000);
    for _ in 0..30 {
        worker.observe("deaf", &text);
    }
    let mute = worker.prompt("mute");
    claudes.until("the mute one has said its last", |seen| {
        seen.turns(1, TurnKind::Prompt) == 1
    });
    worker.observe("mute", "lhm-1-1-o1z");

    let id = worked_session(&worker, &mut claudes, "honest", 2);
    worker.complete(id);
    worker.complete(deaf);
    worker.complete(mute);
    claudes.until("all are gone", |seen| {
        (0..3).all(|child| seen.is_gone(child))
    });
    assert_eq!(worker.get("/api/processing-status")["queueDepth"], 31);
}

#[test]
fn missing_program_is_tried_again_and_nothing_is_lost() {
    let mut claudes = Claudes::all(fast());
    let hidden = claudes.folder.path().join("hidden");
    fs::rename(claudes.program(), &hidden).unwrap();
    let worker = Worker::start(&claudes, &["--restart-delay", "10ms"]);
    worker.prompt("content-1");
    worker.observe("content-1", "lhm-1-1-o1z");
    fs::rename(&hidden, claudes.program()).unwrap();
    claudes.until("it is answered", |seen| {
        seen.turns(0, TurnKind::Observation) == 1
    });
}

// --- the daemon's own life -----------------------------------------------------------------------------------------------------

#[test]
fn shutdown_as_shipped_leaves_the_stubborn_behind() {
    let mut claudes = Claudes::all(stubborn());
    let mut worker = Worker::start(&claudes, &["--kill-after", "2s"]);
    worked_session(&worker, &mut claudes, "content-1", 0);
    let answer = worker.post("/api/admin/shutdown", &json!({}));
    assert_eq!(answer, json!({"status": "shutting_down"}));
    assert!(worker.wait().success());
    claudes.until("its stdin closes with the worker", |seen| seen.saw_eof(0));
    let seen = claudes.so_far();
    assert_eq!(seen.signals(0), [0; 0]);
    assert!(!seen.is_gone(0));
}

#[test]
fn shutdown_with_the_fix_ends_every_direct_child() {
    let mut claudes = Claudes::behaving(|child| if child == 0 { fast() } else { stubborn() });
    let flags = ["--shutdown", "enumerate", "--kill-after", "2s"];
    let mut worker = Worker::start(&claudes, &flags);
    worked_session(&worker, &mut claudes, "polite", 0);
    worked_session(&worker, &mut claudes, "stubborn", 1);
    worker.stop();
    claudes.until("both are gone", |seen| seen.is_gone(0) && seen.is_gone(1));
    assert_eq!(claudes.seen.goodbye(0), Some((Some(143), Why::Signal)));
    assert_eq!(claudes.seen.signals(1), [SIGTERM]);
    assert_eq!(claudes.seen.goodbye(1), None);
}

#[test]
fn shutdown_does_not_wait_for_a_request_that_waits_for_a_child() {
    let mut claudes = Claudes::all(slow(60_000));
    let mut worker = Worker::start(&claudes, &["--time-scale", "10"]);
    let id = worker.prompt("content-1");
    claudes.until("it works", |seen| seen.has_begun(0, TurnKind::Prompt));
    let waiting = worker.send("POST", &format!("/sessions/{id}/complete"), "{}");
    worker.stop();
    drop(waiting);
}

#[test]
fn restarted_worker_serves_what_is_stored_and_answers_what_is_pending() {
    let mut claudes = Claudes::behaving(|child| match child {
        0 => Behaviour {
            hang: Some(Hang::MidTurn),
            at_turn: 3,
            ..fast()
        },
        _ => fast(),
    });
    let mut worker = Worker::start(&claudes, &[]);
    let id = worked_session(&worker, &mut claudes, "content-1", 0);
    worker.observe("content-1", "lhm-1-1-o2z");
    claudes.until("it hangs", |seen| {
        seen.says(0)
            .any(|said| matches!(said.say, Say::TurnStarted { turn: 3, .. }))
    });
    worker.observe("content-1", "lhm-1-1-o3z");
    worker.signal(Signal::SIGKILL);
    worker.wait();

    let worker = Worker::start_on(Arc::clone(&worker.data), &claudes, &[]);
    claudes.until("a new claude answers", |seen| {
        seen.turns(1, TurnKind::Observation) == 2
    });
    worker.complete(id);
    for marker in ["lhm-1-1-o1z", "lhm-1-1-o2z", "lhm-1-1-o3z"] {
        assert_eq!(worker.stored("/api/observations", marker), 1, "{marker}");
    }
    assert_eq!(worker.stored("/api/prompts", "lhm-1-1-p1z"), 1);
    assert_eq!(worker.get("/api/stats")["database"]["sessions"], 1);
    assert_eq!(worker.prompt("content-2"), id + 1);
}

// --- quirks that concern processes ---------------------------------------------------------------------------------------------

#[test]
fn gentle_worker_goes_one_step_and_then_lets_go() {
    for (quirk, signal) in [
        ("term-only", SIGTERM),
        ("interrupt-only", Signal::SIGINT as i32),
    ] {
        let mut claudes = Claudes::all(Behaviour {
            ignore: vec![Ignore::Eof, Ignore::Sigterm, Ignore::Sigint],
            ..fast()
        });
        let mut worker = Worker::start(
            &claudes,
            &[
                "--cleanup=tracked",
                "--shutdown=enumerate",
                "--kill-after=2s",
                "--quirks",
                quirk,
            ],
        );
        let id = worked_session(&worker, &mut claudes, "content-1", 0);
        worker.complete(id);
        claudes.until("it hears of it", |seen| seen.signals(0) == [signal]);
        worker.stop();
        claudes.until("and of the shutdown", |seen| {
            seen.saw_eof(0) && seen.signals(0) == [signal; 2]
        });
        assert!(!claudes.so_far().is_gone(0));
    }
}

#[test]
fn next_worker_ends_what_its_forerunner_started_when_that_session_ends() {
    let mut claudes = Claudes::all(Behaviour {
        ignore: vec![Ignore::Eof],
        ..fast()
    });
    let quirk = ["--quirks", "readopts-children"];
    let mut worker = Worker::start(&claudes, &quirk);
    let first = worked_session(&worker, &mut claudes, "content-1", 0);
    worked_session(&worker, &mut claudes, "content-2", 1);
    worker.signal(Signal::SIGKILL);
    worker.wait();
    claudes.until("both stay", |seen| seen.saw_eof(0) && seen.saw_eof(1));

    let worker = Worker::start_on(Arc::clone(&worker.data), &claudes, &quirk);
    worker.complete(first);
    claudes.until("the first is ended", |seen| seen.is_gone(0));
    let sender = claudes.seen.says(0).find_map(|said| match said.say {
        Say::SawSignal { sender, .. } => Some(sender),
        _ => None,
    });
    assert_eq!(sender, Some(worker.pid()));
    assert_eq!(claudes.seen.signals(1), [0; 0], "that session goes on");
}

#[test]
fn silent_claude_is_replaced_and_idle_one_is_not() {
    let mut claudes = Claudes::behaving(|child| Behaviour {
        silent: child == 1,
        at_turn: 2,
        ignore: vec![Ignore::Eof],
        ..slow(20)
    });
    let flags = ["--quirks=replaces-silent", "--kill-after=3s"];
    let worker = Worker::start(&claudes, &flags);
    worked_session(&worker, &mut claudes, "idle", 0);
    worker.prompt("silent");
    worker.observe("silent", "lhm-1-2-o1z");
    claudes.until("another one answers", |seen| {
        seen.turns(2, TurnKind::Observation) == 1 && seen.saw_eof(1)
    });
    assert_eq!(claudes.seen.signals(1), [0; 0], "it is forgotten");
    // The idle one has been silent for longer than that.
    worker.observe("idle", "lhm-1-1-o2z");
    claudes.until("it still serves", |seen| {
        seen.turns(0, TurnKind::Observation) == 2
    });
    assert!(!claudes.seen.saw_eof(0));
}

#[test]
fn second_worker_on_the_same_port_gives_up() {
    let claudes = Claudes::all(fast());
    let worker = Worker::start(&claudes, &[]);
    let second = Command::new(env!("CARGO_BIN_EXE_model-worker"))
        .args(["--port", &worker.port.to_string(), "--claude", "claude"])
        .arg("--data")
        .arg(worker.data.path())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let message = String::from_utf8(second.stderr).unwrap();
    assert!(
        message.starts_with(&format!(
            "model-worker: cannot listen on 127.0.0.1:{}",
            worker.port
        )),
        "{message}"
    );
    assert!(
        worker.data.path().join("worker.pid").exists(),
        "the first one's file is left alone"
    );
}

#[test]
fn children_are_waited_for() {
    let mut claudes = Claudes::all(fast());
    let worker = Worker::start(&claudes, &["--query-end", "closes-stdin"]);
    let mut pids = HashMap::new();
    for child in 0..4 {
        let session = format!("content-{child}");
        let id = worked_session(&worker, &mut claudes, &session, child);
        worker.complete(id);
        claudes.until("it is gone", |seen| seen.is_gone(child));
        pids.insert(child, id);
    }
    // The worker asks after all its children whenever one ends; a request behind that sees none of them.
    let deadline = Deadline::start();
    let own = worker.pid();
    let children =
        || fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
    while !children().is_empty() {
        assert!(!deadline.left().is_zero(), "zombies: {}", children());
        worker.get("/api/health");
    }
}
