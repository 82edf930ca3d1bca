//! Starts and stops of real processes that stand in for a worker; the server that answers for them is in the test.

use std::net::SocketAddr;
use std::path::Path;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::*;
use crate::clock::Clock;
use crate::timeline::event::Event;
use crate::worker::{Adapter, RunFolder};

const DEADLINE: Duration = Duration::from_secs(20);

/// A worker whose command is a line of shell, with what it emitted.
struct Setup {
    worker: Rc<Worker>,
    events: mpsc::Receiver<Event>,
    _folder: tempfile::TempDir,
}

impl Setup {
    fn new(script: &str, address: SocketAddr, patience: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        std::fs::write(&program, "").unwrap();
        let run = RunFolder::prepare(&folder.path().join("run"), &program, Path::new("/control"))
            .unwrap();
        let small = include_str!("../../../tests/data/adapters/small.toml");
        let script = toml::Value::String(script.to_owned()).to_string();
        let text = small
            .replace(
                "[\"{runtime}\", \"--port\", \"{port}\"]",
                &format!("[\"sh\", \"-c\", {script}]"),
            )
            .replace("timeout = \"10s\"", &format!("timeout = \"{patience}\""))
            .replace("timeout = \"5s\"", &format!("timeout = \"{patience}\""));
        let mut adapter = Adapter::parse("small.toml", &text).unwrap();
        adapter.port = Some(address.port());
        let resolved = ResolvedWorker {
            adapter,
            name: "small".to_owned(),
            version: None,
            cleanup: None,
            package: None,
            adapter_folder: None,
            runtime: None,
            program: None,
            cache: "/cache".into(),
            flags: Vec::new(),
        };
        let (emitter, events) = Emitter::channel(Clock::start());
        let place = Place {
            folder: run,
            own_network: true,
            time_scale: 1.0,
            environment: Vec::new(),
        };
        let worker = Worker::new(resolved, place, system(*emitter.clock()), emitter).unwrap();
        Self {
            worker: Rc::new(worker),
            events,
            _folder: folder,
        }
    }

    /// The events so far, one word each.
    fn told(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.events.try_recv().ok())
            .map(|event| match event.event {
                EventKind::WorkerStarted { .. } => "started".to_owned(),
                EventKind::WorkerReady { .. } => "ready".to_owned(),
                EventKind::WorkerStopAsked => "stop asked".to_owned(),
                EventKind::WorkerExited {
                    code,
                    signal,
                    asked,
                    ..
                } => format!("exited {code:?} {signal:?} {asked}"),
                EventKind::ProcessPaused { .. } => "paused".to_owned(),
                EventKind::ProcessContinued { .. } => "continued".to_owned(),
                EventKind::SecondWorkerStarted { .. } => "second started".to_owned(),
                EventKind::SecondWorkerExited { code, signal, .. } => {
                    format!("second exited {code:?} {signal:?}")
                }
                other => panic!("the worker does not emit {other:?}"),
            })
            .collect()
    }
}

/// What the run gives a worker, done for one child at a time.
fn system(clock: Clock) -> System {
    System {
        before_exec: std::sync::Arc::new(|| Ok(())),
        identity: Rc::new(|pid, _| Ok(ProcessIdentity::new(pid, 0))),
        exit: Rc::new(move |process| {
            let (tell, told) = watch::channel(None);
            // Listening begins before the first look, so no end is missed between the two.
            let mut ended = signal(SignalKind::child()).unwrap();
            spawn_local(async move {
                loop {
                    let mut status = 0;
                    // SAFETY: the pointer is to a live integer, and the pid is that of a child that nobody else waits for.
                    if unsafe { libc::waitpid(process.pid as i32, &raw mut status, libc::WNOHANG) }
                        != 0
                    {
                        break tell.send_replace(Some(Exit {
                            at: clock.now(),
                            code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
                            signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
                        }));
                    }
                    ended.recv().await;
                }
            });
            told
        }),
        signal: Rc::new(|process, number| {
            // SAFETY: kill takes no pointers; the child was not waited for yet, so its pid is its own.
            Ok(unsafe { libc::kill(process.pid as i32, number) } == 0)
        }),
    }
}

fn run<T>(body: impl Future<Output = T>) -> T {
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

/// A server that says that the worker is ready, from the second question on.
async fn ready() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = std::sync::atomic::AtomicBool::new(false);
    let answer = move || {
        let again = asked.swap(true, std::sync::atomic::Ordering::Relaxed);
        std::future::ready(if again {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        })
    };
    let answer = std::sync::Arc::new(answer);
    let router = Router::new().route("/ready", get(move || answer()));
    spawn_local(async move { axum::serve(listener, router).await });
    address
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}

#[test]
fn a_worker_is_started_asked_until_it_is_ready_and_stopped() {
    run(async {
        let mut setup = Setup::new("echo hello; exec tail -f /dev/null", ready().await, "10s");
        let worker = Rc::clone(&setup.worker);
        worker.start().await.unwrap();
        assert_eq!(*worker.life().borrow(), Life::Ready);
        let exit = worker.stop().await.unwrap().unwrap();
        assert_eq!(exit.signal, Some(libc::SIGTERM));
        assert_eq!(
            setup.told(),
            [
                "started",
                "ready",
                "stop asked",
                "exited None Some(15) true"
            ]
        );
        assert_eq!(*worker.life().borrow(), Life::Gone);
        assert_eq!(worker.log_end(), "hello");
        assert_eq!(
            worker.stop().await.unwrap(),
            None,
            "who is gone is not stopped again"
        );
    });
}

#[test]
fn a_worker_that_does_not_go_is_killed() {
    run(async {
        let mut setup = Setup::new(
            "trap '' TERM; echo deaf; exec tail -f /dev/null",
            ready().await,
            "3s",
        );
        let worker = Rc::clone(&setup.worker);
        worker.start().await.unwrap();
        // The trap is set once it has said so.
        while worker.log_end() != "deaf" {
            tokio::task::yield_now().await;
        }
        let exit = worker.stop().await.unwrap().unwrap();
        assert_eq!(exit.signal, Some(libc::SIGKILL));
        assert_eq!(
            setup.told()[2..],
            ["stop asked", "exited None Some(9) true"]
        );
    });
}

#[test]
fn a_worker_that_dies_at_its_start_shows_its_last_words() {
    run(async {
        let mut setup = Setup::new(
            "echo one; echo 'no such module' >&2; exit 3",
            nobody().await,
            "10s",
        );
        let error = setup.worker.start().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the worker ended (exit code 3) before it was ready; it last said:\none\nno such module"
        );
        assert_eq!(setup.told(), ["started", "exited Some(3) None false"]);
        assert_eq!(*setup.worker.life().borrow(), Life::Gone);
    });
}

#[test]
fn a_start_whose_port_seems_taken_is_tried_once_more() {
    run(async {
        let mut setup = Setup::new("echo 'Port already in use'; exit 1", nobody().await, "10s");
        assert!(matches!(
            setup.worker.start().await,
            Err(WorkerError::DiedAtStart { .. })
        ));
        let once = ["started", "exited Some(1) None false"];
        assert_eq!(setup.told(), [once, once].concat());
    });
}

#[test]
fn a_worker_that_is_never_ready_is_an_error_that_says_what_it_answered() {
    run(async {
        let setup = Setup::new(
            "echo starting; exec tail -f /dev/null",
            nobody().await,
            "3s",
        );
        let error = setup.worker.start().await.unwrap_err().to_string();
        assert_eq!(
            error,
            "the worker was not ready after 3.0 s: connection refused; it last said:\nstarting"
        );
        setup.worker.stop().await.unwrap();
    });
}

#[test]
fn a_planned_restart_is_an_absence_and_a_sudden_death_an_end() {
    run(async {
        let mut setup = Setup::new("exec tail -f /dev/null", ready().await, "10s");
        let worker = Rc::clone(&setup.worker);
        worker.start().await.unwrap();
        let (first, mut life) = (worker.identity().unwrap(), worker.life());
        let lives = spawn_local(async move {
            let mut lives = Vec::new();
            while life.changed().await.is_ok() {
                lives.push(*life.borrow_and_update());
                if lives.last() == Some(&Life::Gone) {
                    break;
                }
            }
            lives
        });
        worker.restart().await.unwrap();
        let second = worker.identity().unwrap();
        assert_ne!(first.pid, second.pid);
        assert_eq!(
            setup.told(),
            [
                "started",
                "ready",
                "stop asked",
                "exited None Some(9) true",
                "started",
                "ready"
            ]
        );
        // A death that nobody planned.
        (worker.system.signal)(second, libc::SIGKILL).unwrap();
        assert_eq!(lives.await.unwrap(), [Life::Away, Life::Ready, Life::Gone]);
        assert_eq!(setup.told(), ["exited None Some(9) false"]);
    });
}

#[test]
fn a_program_that_is_not_there_is_named() {
    run(async {
        let mut setup = Setup::new("exit", nobody().await, "10s");
        let worker = Rc::get_mut(&mut setup.worker).unwrap();
        worker.worker.adapter.start.command = vec!["/no/such/program".parse().unwrap()];
        let error = worker.start().await.unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot start /no/such/program: No such file or directory (os error 2)"
        );
    });
}

#[test]
fn free_ports_are_below_those_of_outgoing_connections() {
    for _ in 0..20 {
        assert!(FREE_PORTS.contains(&free_port().unwrap()));
    }
}
