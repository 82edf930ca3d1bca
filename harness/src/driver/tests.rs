//! The driver against a small server in the same process that answers, refuses, delays and dies on demand.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fake_claude::control::TurnKind;
use fake_claude::quantity::Span;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use super::{Drain, Driver, Look, Schedule, drained, look_again, read_back};
use crate::clock::Clock;
use crate::emitter::Emitter;
use crate::scenario::{End, Load};
use crate::timeline::event::{Event, EventKind};
use crate::units::RunTime;
use crate::worker::Life;
use crate::worker::adapter::Adapter;
use crate::worker::client::Client;
use crate::worker::template::Variables;

/// The driver's own times are divided by this: what a client waits for takes seconds otherwise.
const TIME_SCALE: f64 = 100.0;
/// How a test may take at the most.
const DEADLINE: Duration = Duration::from_secs(20);

/// What the server does instead of answering well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Good,
    /// Answers 503 to every observation.
    Refuses,
    /// Answers 503 to the first observation.
    RefusesOnce,
    /// Says of every observation that it is skipped.
    Skips,
    /// Never answers an observation.
    Hangs,
    /// Closes the connection of every summary without an answer.
    Breaks,
    /// Answers `init` without the id that later requests need.
    ForgetsId,
    /// Says for ever that something waits in its queue.
    NeverDrains,
    /// Never answers when it is told that something is over.
    HangsAtTheEnd,
}

#[derive(Debug, Clone)]
pub(super) struct Server {
    mood: Mood,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Server {
    fn count(&self, path: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|(known, _)| known.ends_with(path))
            .count()
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .map(|(path, _)| path.clone())
            .collect()
    }
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = format!("{} {}", head.method, head.uri);
    // A body that stops halfway never comes here as a whole; it is noted all the same.
    let bytes = body.collect().await.map(|body| body.to_bytes());
    let body = bytes
        .as_ref()
        .ok()
        .and_then(|bytes| serde_json::from_slice(bytes).ok())
        .unwrap_or_default();
    server.seen.lock().unwrap().push((path.clone(), body));
    let ok = |value: Value| axum::Json(value).into_response();
    match path.as_str() {
        "POST /api/sessions/init" if server.mood == Mood::ForgetsId => ok(json!({})),
        "POST /api/sessions/init" => {
            ok(json!({ "sessionDbId": 17, "promptNumber": 2, "skipped": false }))
        }
        "POST /api/sessions/observations" => match server.mood {
            Mood::RefusesOnce if server.count("/api/sessions/observations") == 1 => {
                (StatusCode::SERVICE_UNAVAILABLE, "too busy").into_response()
            }
            Mood::Refuses => (StatusCode::SERVICE_UNAVAILABLE, "too busy").into_response(),
            Mood::Skips => ok(json!({ "status": "skipped", "reason": "tool_excluded" })),
            Mood::Hangs => std::future::pending().await,
            _ => ok(json!({ "status": "queued" })),
        },
        "POST /api/sessions/summarize" if server.mood == Mood::Breaks => {
            // A body that fails makes the server close the connection before the answer is whole.
            let broken = broken_body();
            Response::builder()
                .header("content-length", "10")
                .body(broken)
                .unwrap()
        }
        path if path.starts_with("GET /api/sessions/status?") => {
            let asked = |(seen, _): &&(String, Value)| seen == path;
            let times = server.seen.lock().unwrap().iter().filter(asked).count();
            let drains = server.mood != Mood::NeverDrains;
            ok(json!({ "queueLength": if drains { times % 2 } else { 1 } }))
        }
        "POST /api/sessions/complete" if server.mood == Mood::HangsAtTheEnd => {
            std::future::pending().await
        }
        _ => ok(json!({ "status": "queued" })),
    }
}

/// A body that ends in an error at once.
fn broken_body() -> Body {
    struct Broken;
    impl hyper::body::Body for Broken {
        type Data = bytes::Bytes;
        type Error = std::io::Error;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, std::io::Error>>>
        {
            std::task::Poll::Ready(Some(Err(std::io::Error::other("broken on purpose"))))
        }
    }
    Body::new(Broken)
}

/// Everything that a run of the driver needs, with the server behind it.
pub(super) struct Setup {
    server: Server,
    pub(super) driver: Rc<Driver>,
    pub(super) life: watch::Sender<Life>,
    pub(super) events: mpsc::Receiver<Event>,
    emitter: Emitter,
    _folder: tempfile::TempDir,
}

pub(super) async fn setup(mood: Mood, load: &str) -> Setup {
    setup_with(mood, load, "claude-mem-9").await
}

async fn setup_with(mood: Mood, load: &str, adapter: &str) -> Setup {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server {
        mood,
        seen: Arc::default(),
    };
    let router = Router::new().fallback(answer).with_state(server.clone());
    spawn_local(async move { axum::serve(listener, router).await });
    setup_at(address, server, load, adapter)
}

fn setup_at(address: SocketAddr, server: Server, load: &str, adapter: &str) -> Setup {
    let load: Load = toml::from_str(load).unwrap();
    let (emitter, events) = Emitter::channel(Clock::start());
    let folder = tempfile::tempdir().unwrap();
    let (life, seen) = watch::channel(Life::Ready);
    let driver = Driver::new(
        Rc::new(Schedule::new(&load, &[], 603, TIME_SCALE)),
        Rc::new(Adapter::built_in(adapter).unwrap()),
        address,
        seen,
        folder.path().join("cwd"),
        Span::from_millis(400),
        &emitter,
    );
    Setup {
        server,
        driver: Rc::new(driver),
        life,
        events,
        emitter,
        _folder: folder,
    }
}

/// Runs a test body on a single-threaded runtime with local tasks, as the inner process does.
pub(crate) fn run<T>(body: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(LocalSet::new().run_until(async {
        timeout(DEADLINE, body)
            .await
            .expect("the test ends in time")
    }))
}

pub(super) fn drain(events: &mut mpsc::Receiver<Event>) -> Vec<EventKind> {
    std::iter::from_fn(|| events.try_recv().ok())
        .map(|event| event.event)
        .collect()
}

/// Drives the load and writes the events down, one word and what matters of it each.
pub(super) fn drive(mood: Mood, load: &str) -> (Vec<String>, Server) {
    drive_with(mood, load, "claude-mem-9")
}

pub(super) fn drive_with(mood: Mood, load: &str, adapter: &str) -> (Vec<String>, Server) {
    run(async {
        let mut setup = setup_with(mood, load, adapter).await;
        Rc::clone(&setup.driver).drive().await;
        (
            drain(&mut setup.events).iter().map(brief).collect(),
            setup.server,
        )
    })
}

pub(super) fn brief(event: &EventKind) -> String {
    let short = |item: &str| item.splitn(3, '-').nth(2).unwrap_or(item).to_owned();
    match event {
        EventKind::SessionOpened { .. } => "opened".to_owned(),
        EventKind::PromptEnded { .. } => "prompt ended".to_owned(),
        EventKind::PromptBegun { .. } => "prompt begun".to_owned(),
        EventKind::SessionEnded { end, .. } => format!("ended {end}"),
        EventKind::EndAnswered { status, .. } => format!("end answered {status:?}"),
        EventKind::SessionStalled { waiting_for, .. } => format!("stalled: {waiting_for}"),
        EventKind::WorkOffered { item, .. } => format!("offered {}", short(item)),
        EventKind::WorkAccepted { item } => format!("accepted {}", short(item)),
        EventKind::WorkRefused {
            item,
            status,
            reason,
        } => format!("refused {} {status} {reason}", short(item)),
        EventKind::WorkSkipped { item, reason } => format!("skipped {} {reason}", short(item)),
        EventKind::WorkUnknown { item, reason } => format!("unknown {} {reason}", short(item)),
        EventKind::WorkAborted { item } => format!("aborted {}", short(item)),
        EventKind::LoadFinished => "finished".to_owned(),
        other => panic!("the driver does not emit {other:?}"),
    }
}

pub(super) const ONE: &str = "sessions = 1\nobservations = 1\nsummary = true\nend = ";

#[test]
fn a_session_opens_works_and_ends_and_its_bodies_are_as_the_hooks_send_them() {
    let (events, server) = drive(Mood::Good, &format!("{ONE}\"complete\""));
    assert_eq!(
        events,
        [
            "opened",
            "offered 1-o1z",
            "accepted 1-o1z",
            "offered 1-s1z",
            "accepted 1-s1z",
            "ended complete",
            "end answered Some(200)",
            "finished"
        ]
    );
    assert_eq!(
        server.paths(),
        [
            "POST /api/sessions/init",
            "POST /sessions/17/init",
            "POST /api/sessions/observations",
            "POST /api/sessions/summarize",
            "POST /sessions/17/complete"
        ]
    );
    let seen = server.seen.lock().unwrap();
    // A captured number stays a number.
    assert_eq!(seen[1].1["promptNumber"], 2);
    let command = seen[2].1["tool_input"]["command"].as_str().unwrap();
    assert!(
        command.starts_with("echo lhm-") && command.ends_with("-1-o1z"),
        "{command}"
    );
    assert!(seen[2].1["cwd"].as_str().unwrap().ends_with("cwd/1"));
    assert_eq!(seen[2].1["contentSessionId"], seen[0].1["contentSessionId"]);
}

#[test]
fn an_abandoned_session_ends_with_its_last_answer_and_says_nothing_more() {
    let (events, server) = drive(Mood::Good, &format!("{ONE}\"abandon\"\nlinger = \"1h\""));
    assert_eq!(events[4..], ["accepted 1-s1z", "ended abandon", "finished"]);
    assert_eq!(server.paths().len(), 4);
}

#[test]
fn an_aborted_session_gives_its_accepted_items_up() {
    let (events, server) = drive(Mood::Good, &format!("{ONE}\"abort\""));
    assert_eq!(
        events[5..],
        [
            "aborted 1-o1z",
            "aborted 1-s1z",
            "ended abort",
            "end answered Some(200)",
            "finished"
        ]
    );
    assert_eq!(server.paths().last().unwrap(), "DELETE /sessions/17");
}

#[test]
fn a_disconnected_session_breaks_one_more_item_off() {
    let (events, server) = drive(Mood::Good, &format!("{ONE}\"disconnect\""));
    assert_eq!(
        events[5..],
        [
            "offered 1-o2z",
            "aborted 1-o2z",
            "ended disconnect",
            "finished"
        ]
    );
    let whole = server
        .seen
        .lock()
        .unwrap()
        .iter()
        .filter(|(_, body)| body.to_string().contains("o2z"))
        .count();
    assert_eq!(whole, 0, "the broken request never arrived as a whole");
}

#[test]
fn a_refusal_and_a_skip_are_answers_and_the_session_goes_on() {
    let (events, _) = drive(Mood::Refuses, &format!("{ONE}\"complete\""));
    assert_eq!(
        events[2..5],
        [
            "refused 1-o1z 503 too busy",
            "offered 1-s1z",
            "accepted 1-s1z"
        ]
    );
    let (events, _) = drive(Mood::Skips, &format!("{ONE}\"complete\""));
    assert_eq!(
        events[2..5],
        [
            "skipped 1-o1z tool_excluded",
            "offered 1-s1z",
            "accepted 1-s1z"
        ]
    );
}

#[test]
fn a_session_whose_answer_never_comes_is_stalled_and_still_ends() {
    let (events, server) = drive(Mood::Hangs, &format!("{ONE}\"complete\""));
    assert_eq!(
        events[2..],
        [
            "unknown 1-o1z no answer within 400 ms",
            "stalled: an answer to POST /api/sessions/observations: no answer within 400 ms",
            "ended complete",
            "end answered Some(200)",
            "finished"
        ]
    );
    assert_eq!(server.paths().last().unwrap(), "POST /sessions/17/complete");
}

#[test]
fn a_broken_connection_leaves_the_item_unknown() {
    let (events, _) = drive(Mood::Breaks, &format!("{ONE}\"abandon\""));
    assert!(
        events[4].starts_with("unknown 1-s1z the connection broke: "),
        "{events:?}"
    );
    assert!(
        events[5].starts_with("stalled: an answer to POST /api/sessions/summarize: "),
        "{events:?}"
    );
    assert_eq!(events[6], "ended abandon");
}

#[test]
fn a_session_without_the_id_that_its_requests_need_is_stalled_and_has_no_end_request() {
    let (events, server) = drive(Mood::ForgetsId, &format!("{ONE}\"complete\""));
    assert_eq!(
        events,
        [
            "opened",
            "stalled: `sessionDbId`, which no answer held, for POST /sessions/{sessionDbId}/init",
            "ended complete",
            "finished"
        ]
    );
    assert_eq!(server.paths().len(), 1);
}

#[test]
fn nobody_listening_stalls_every_session_and_breaks_nothing() {
    run(async {
        // Bound and dropped: nobody listens there.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let server = Server {
            mood: Mood::Good,
            seen: Arc::default(),
        };
        let mut setup = setup_at(
            address,
            server,
            "sessions = 3\nconcurrency = 2\nend = \"complete\"",
            "claude-mem-9",
        );
        Rc::clone(&setup.driver).drive().await;
        let events: Vec<_> = drain(&mut setup.events).iter().map(brief).collect();
        let stalled = "stalled: an answer to POST /api/sessions/init: connection refused";
        assert_eq!(
            events.iter().filter(|event| *event == stalled).count(),
            3,
            "{events:?}"
        );
        assert_eq!(
            events
                .iter()
                .filter(|event| *event == "ended complete")
                .count(),
            3
        );
    });
}

#[test]
fn a_worker_that_is_gone_is_asked_for_nothing_more() {
    run(async {
        let mut setup = setup(Mood::Good, &format!("{ONE}\"complete\"")).await;
        setup.life.send_replace(Life::Gone);
        Rc::clone(&setup.driver).drive().await;
        let events: Vec<_> = drain(&mut setup.events).iter().map(brief).collect();
        assert_eq!(
            events,
            [
                "opened",
                "stalled: an answer to POST /api/sessions/init: the connection broke: the worker is gone",
                "ended complete",
                "finished"
            ]
        );
        assert!(setup.server.paths().is_empty());
    });
}

#[test]
fn requests_wait_while_the_worker_is_away_for_a_planned_restart() {
    run(async {
        let Setup {
            driver,
            life,
            mut events,
            server,
            ..
        } = setup(Mood::Good, &format!("{ONE}\"complete\"")).await;
        life.send_replace(Life::Away);
        let driving = spawn_local(driver.drive());
        assert_eq!(brief(&events.recv().await.unwrap().event), "opened");
        assert!(server.paths().is_empty());
        life.send_replace(Life::Ready);
        driving.await.unwrap();
        let events: Vec<_> = drain(&mut events).iter().map(brief).collect();
        assert_eq!(
            events[4..],
            ["ended complete", "end answered Some(200)", "finished"]
        );
    });
}

#[test]
fn a_closed_load_keeps_to_its_places() {
    let (events, _) = drive(
        Mood::Good,
        "sessions = 12\nconcurrency = 3\nobservations = 2\nend = \"complete\"",
    );
    let mut open = 0_i32;
    let mut most = 0;
    for event in &events {
        match event.as_str() {
            "opened" => open += 1,
            "ended complete" => open -= 1,
            _ => {}
        }
        most = most.max(open);
    }
    assert_eq!((open, most), (0, 3));
    assert_eq!(
        events
            .iter()
            .filter(|event| event.starts_with("accepted"))
            .count(),
        24
    );
}

#[test]
fn work_is_at_rest_when_nothing_happens_nothing_is_owed_and_the_queue_is_empty() {
    run(async {
        let Setup {
            driver,
            mut events,
            emitter,
            ..
        } = setup(Mood::Good, &format!("{ONE}\"abandon\"")).await;
        let mut client = Client::new(driver.endpoint.clone());
        let looks = RefCell::new(0);
        let owed = || {
            *looks.borrow_mut() += 1;
            u64::from(*looks.borrow() < 4)
        };
        let rest = Drain {
            quiet: Span::from_millis(30),
            deadline: Span::from_secs(10),
            last_activity: &|| RunTime::START,
            owed: &owed,
            hanging: &|| 0,
        };
        assert!(drained(&rest, &driver.adapter, &mut client, &emitter).await);
        assert_eq!(
            looks.take(),
            4,
            "a turn that is owed is waited for, however long it is silent"
        );
        let clock = *emitter.clock();
        let busy = || clock.now();
        let rest = Drain {
            deadline: Span::from_millis(100),
            last_activity: &busy,
            ..rest
        };
        assert!(!drained(&rest, &driver.adapter, &mut client, &emitter).await);
        // The second look waits for a moment of silence, whatever the deadline, and for no longer.
        let began = clock.now();
        look_again(&rest, &driver.adapter, &mut client, &emitter).await;
        let rest = Drain {
            deadline: Span::ZERO,
            last_activity: &|| began,
            owed: &|| 0,
            ..rest
        };
        look_again(&rest, &driver.adapter, &mut client, &emitter).await;
        let told = drain(&mut events);
        assert_eq!(
            told,
            [
                EventKind::Drained { quiet: true },
                EventKind::Drained { quiet: false },
                EventKind::LookedAgain { quiet: false },
                EventKind::LookedAgain { quiet: true },
            ]
        );
    });
}

/// A server with stored records, newest first, in pages.
async fn records(
    State(records): State<BTreeMap<String, Vec<Value>>>,
    request: Request,
) -> Response {
    let uri = request.uri().clone();
    let query: BTreeMap<_, _> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
    match records.get(uri.path()) {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(list) if uri.path() == "/api/pending-queue" => {
            axum::Json(json!({ "queue": { "messages": list } })).into_response()
        }
        Some(list) => {
            let page: Vec<_> = list
                .iter()
                .skip(number("offset").unwrap_or(0))
                .take(number("limit").unwrap_or(20))
                .collect();
            axum::Json(json!({ "items": page })).into_response()
        }
    }
}

/// What was read back, as the events tell it.
pub(crate) struct WhatWasRead {
    /// The markers in stored records, with the number of records each was in.
    pub(crate) stored: BTreeMap<String, u32>,
    /// The markers in what the worker still keeps in its queue.
    pub(crate) kept: BTreeSet<String>,
    /// Whether all of what is stored could be read.
    pub(crate) complete: bool,
}

pub(crate) fn what_was_read(events: &[EventKind]) -> WhatWasRead {
    let mut read = WhatWasRead {
        stored: BTreeMap::new(),
        kept: BTreeSet::new(),
        complete: false,
    };
    for event in events {
        match event {
            EventKind::WorkStored { item, times } => {
                *read.stored.entry(item.clone()).or_default() += times;
            }
            EventKind::WorkKept { item } => {
                read.kept.insert(item.clone());
            }
            EventKind::StoreRead { complete, .. } => read.complete = *complete,
            _ => {}
        }
    }
    read
}

fn read(lists: BTreeMap<String, Vec<Value>>) -> (Vec<EventKind>, WhatWasRead) {
    run(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(records).with_state(lists);
        spawn_local(async move { axum::serve(listener, router).await });
        let (emitter, mut events) = Emitter::channel(Clock::start());
        let adapter = Adapter::built_in("model").unwrap();
        let told = read_back(
            &adapter,
            &mut Client::new(address),
            &Variables::default(),
            "lhm-ab-",
            &emitter,
            Look::First,
        )
        .await;
        let events = drain(&mut events);
        let read = what_was_read(&events);
        assert_eq!(
            (read.complete, !read.kept.is_empty()),
            (told.complete, told.kept)
        );
        (events, read)
    })
}

#[test]
fn stored_work_is_found_over_all_pages_counted_by_record_and_only_of_its_own_kind_and_run() {
    let mut observations: Vec<Value> = (0..250)
        .map(|n| json!({ "id": n, "title": format!("lhm-ab-1-o{n}z") }))
        .collect();
    observations.push(
        json!({ "id": 250, "title": "lhm-ab-1-o7z", "narrative": "lhm-ab-1-s1z lhm-cd-1-o1z" }),
    );
    // Met a second time, on another page.
    observations.push(json!({ "id": 3, "title": "lhm-ab-1-o3z" }));
    let lists = BTreeMap::from([
        ("/api/observations".to_owned(), observations),
        (
            "/api/summaries".to_owned(),
            vec![json!({ "id": 1, "request": "lhm-ab-2-s1z" })],
        ),
        (
            "/api/pending-queue".to_owned(),
            vec![
                json!({ "status": "pending", "tool_input": "{\"command\":\"echo lhm-ab-3-o1z\"}" }),
                json!({ "status": "failed", "tool_input": "lhm-ab-3-o2z" }),
            ],
        ),
    ]);
    let (events, read) = read(lists);
    assert!(read.complete);
    assert_eq!(read.stored.len(), 251);
    assert_eq!(
        (
            read.stored["lhm-ab-1-o7z"],
            read.stored["lhm-ab-1-o3z"],
            read.stored["lhm-ab-2-s1z"]
        ),
        (2, 1, 1)
    );
    assert_eq!(read.kept.iter().collect::<Vec<_>>(), ["lhm-ab-3-o1z"]);
    let kinds = vec![TurnKind::Observation, TurnKind::Summary];
    assert_eq!(
        events.last().unwrap(),
        &EventKind::StoreRead {
            kinds,
            complete: true
        }
    );
    assert!(events.contains(&EventKind::WorkKept {
        item: "lhm-ab-3-o1z".to_owned()
    }));
}

#[test]
fn a_list_that_cannot_be_read_makes_the_store_incomplete() {
    let lists = BTreeMap::from([(
        "/api/observations".to_owned(),
        vec![json!({ "id": 1, "title": "lhm-ab-1-o1z" })],
    )]);
    let (events, read) = read(lists);
    assert!(!read.complete);
    assert_eq!(read.stored.len(), 1);
    assert!(matches!(
        events.last(),
        Some(EventKind::StoreRead {
            complete: false,
            ..
        })
    ));
}

#[test]
fn hostile_ids_arrive_as_they_are() {
    run(async {
        let setup = setup(Mood::Good, &format!("{ONE}\"abandon\"")).await;
        let hostile = "x\"},\"y\":{\"z\":\"\u{0}\r\n\u{1f980}' OR 1=1 -- {marker}";
        let mut plan = setup.driver.schedule.plan(0);
        plan.id = hostile.to_owned();
        plan.end = End::Abandon;
        super::session::Session::new(&setup.driver, plan)
            .run()
            .await;
        let seen = setup.server.seen.lock().unwrap();
        assert!(
            seen.iter()
                .filter(|(path, _)| path.starts_with("POST /api/"))
                .all(|(_, body)| body["contentSessionId"] == hostile)
        );
        assert_eq!(seen.len(), 4);
    });
}
