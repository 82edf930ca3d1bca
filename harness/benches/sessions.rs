//! Sessions through the model worker, against their floor: the same fake-claude with its control socket, spawned, one line in, one
//! line out, stdin closed, reaped, and no worker between. Both with concurrency 8, all fake times 0, no ballast; in one run, so that
//! the ratio holds on a noisy machine.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use fake_claude::behaviour::Behaviour;
use fake_claude::control::{Order, SOCKET_FILE, Said, Say};
use fake_claude::quantity::Span;
use leak_harness::clock::Clock;
use leak_harness::recording::Recording;
use leak_harness::timeline::event::EventKind;
use leak_harness::worker::find_program;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

const CONCURRENCY: u64 = 8;

fn quick() -> Behaviour {
    Behaviour {
        initialize: Span::ZERO,
        turn: Span::ZERO,
        exit: Span::ZERO,
        ..Behaviour::default()
    }
}

/// Answers every fake that connects, as the harness does, and records nothing.
async fn serve(listener: UnixListener) {
    let order = Order::Behave {
        behaviour: Box::new(quick()),
        ballast: false,
    };
    let mut line = serde_json::to_vec(&order).expect("an order can be written");
    line.push(b'\n');
    while let Ok((stream, _)) = listener.accept().await {
        let order = line.clone();
        tokio::task::spawn_local(async move {
            let (reader, mut writer) = stream.into_split();
            let mut lines = tokio::io::BufReader::new(reader).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let said: Said = serde_json::from_str(&line).expect("fakes speak JSON");
                if matches!(said.say, Say::Hello { .. } | Say::Serves { .. })
                    && writer.write_all(&order).await.is_err()
                {
                    return;
                }
            }
        });
    }
}

/// One session without a worker.
fn one(claude: &Path) {
    let mut child = Command::new(claude)
        .args([
            "--output-format",
            "stream-json",
            "--verbose",
            "--input-format",
            "stream-json",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the fake starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin
        .write_all(b"{\"type\":\"user\",\"session_id\":\"s\",\"message\":{\"role\":\"user\",\"content\":\"hello\"},\"parent_tool_use_id\":null}\n")
        .expect("the fake reads");
    let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let result = stdout
        .lines()
        .map_while(Result::ok)
        .find(|line| line.contains("\"type\":\"result\""));
    assert!(result.is_some(), "the fake answers");
    drop(stdin);
    assert!(child.wait().expect("it is our child").success());
}

fn floor(claude: &Path, sessions: u64) -> Duration {
    let left = AtomicU64::new(sessions);
    let clock = Clock::start();
    thread::scope(|scope| {
        for _ in 0..CONCURRENCY {
            scope.spawn(|| {
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                        left.checked_sub(1)
                    })
                    .is_ok()
                {
                    one(claude);
                }
            });
        }
    });
    Duration::from_nanos(clock.now().0)
}

/// The time from the first session's opening to the last one's end, as the recording has it.
fn model(folder: &Path, sessions: u64) -> Duration {
    // Below this the run's own start would weigh.
    let planned = sessions.max(2_000);
    let scenario = folder.join("throughput.toml");
    let text = format!(
        "name = \"throughput\"\n[worker]\ncleanup = [\"close\"]\nshutdown = \"enumerate\"\n[load]\nsessions = {planned}\nconcurrency = {CONCURRENCY}\n\
         observations = 1\nend = \"complete\"\n[claude]\ninitialize = \"0ms\"\nturn = \"0ms\"\nexit = \"0ms\"\n[expect]\ngrace = \"5s\"\n"
    );
    fs::write(&scenario, text).expect("the folder is ours");
    let out = folder.join("out");
    let program = find_program("leak-harness").expect("it is built");
    let output = Command::new(program)
        .arg("--quiet")
        .arg("run")
        .arg(&scenario)
        .arg("--out")
        .arg(&out)
        .output()
        .expect("it starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let (mut first, mut last) = (None, 0);
    for event in Recording::open(&out)
        .expect("it was recorded")
        .events()
        .expect("it can be read")
    {
        match event.event {
            EventKind::SessionOpened { .. } => first = first.or(Some(event.at.0)),
            EventKind::SessionEnded { .. } => last = last.max(event.at.0),
            _ => {}
        }
    }
    let span = last - first.expect("sessions were opened");
    Duration::from_nanos(span / planned * sessions)
}

fn sessions(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let claude: PathBuf = folder.path().join("claude");
    fs::copy(
        find_program("fake-claude").expect("it is built: cargo build --release"),
        &claude,
    )
    .expect("the folder is ours");
    let socket = folder.path().join("control");
    fs::write(
        folder.path().join(SOCKET_FILE),
        socket.as_os_str().as_encoded_bytes(),
    )
    .expect("the folder is ours");
    thread::spawn({
        let socket = socket.clone();
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            tokio::task::LocalSet::new().block_on(&runtime, async {
                serve(UnixListener::bind(&socket).expect("the folder is ours")).await
            });
        }
    });
    while !socket.exists() {
        thread::yield_now();
    }
    let mut group = criterion.benchmark_group("sessions");
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .measurement_time(Duration::from_secs(15));
    group.bench_function("floor", |bencher| {
        bencher.iter_custom(|count| floor(&claude, count))
    });
    group.bench_function("model-worker", |bencher| {
        bencher.iter_custom(|count| model(folder.path(), count))
    });
    group.finish();
}

criterion_group!(benches, sessions);
criterion_main!(benches);
