//! What each Agent SDK sends its child when a session ends, and what is left: measured with the SDKs themselves, every run a test.
//!
//! An SDK that is not installed shows as an ignored test, with the command that installs it. With `LEAK_HARNESS_WRITE=1` the children are
//! watched for the whole grace of `scenarios/sdk/ends.toml` and the table in `reports/sdk-ends/README.md` is written anew; without it
//! they are watched for two seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};

use fake_claude::control::{Role, Say};
use leak_harness::driver::Schedule;
use leak_harness::process::ProcessIdentity;
use leak_harness::recording::Recording;
use leak_harness::scenario::Scenario;
use leak_harness::timeline::event::{Event, EventKind};
use leak_harness::units::RunTime;
use leak_harness::worker::{Cache, WorkerSpec};
use libtest_mimic::{Arguments, Failed, Trial};

/// The SDKs that differ in how they end their child, with what the host of each can do at a session's end.
const SDKS: [(&str, &[&str]); 4] = [
    ("sdk-ts@0.1.76", &ENDS_TS),
    ("sdk-ts@0.2.76", &ENDS_TS),
    ("sdk-ts@0.3.330", &ENDS_TS),
    ("sdk-py@0.2.187", &ENDS_PY),
];
const ENDS_TS: [&str; 4] = ["complete", "break", "abort", "exit"];
const ENDS_PY: [&str; 5] = ["complete", "break", "aclose", "abort", "exit"];
/// The children of the scenario: the base, then the entries of its mix.
const CHILDREN: [&str; 3] = ["polite", "ignores EOF", "ignores EOF and SIGTERM"];
/// Asks for the table to be written.
const WRITE: &str = "LEAK_HARNESS_WRITE";

/// What became of each child, by its place in [`CHILDREN`].
type Row = BTreeMap<usize, String>;
/// The rows by SDK and end.
type Rows = Arc<Mutex<BTreeMap<(usize, usize), Row>>>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // A run mostly waits, but its times are what is measured.
    arguments.test_threads = Some(2);
    let rows = Rows::default();
    let mut trials = Vec::new();
    for (sdk, (worker, ends)) in SDKS.into_iter().enumerate() {
        let missing = missing(worker);
        for (end, name) in ends.iter().copied().enumerate() {
            let rows = Arc::clone(&rows);
            let worker_text = format!("{worker}:end={name}");
            let trial = Trial::test(worker_text.clone(), move || {
                let row = measure(&worker_text, name)?;
                rows.lock()
                    .expect("nobody panics with it")
                    .insert((sdk, end), row);
                Ok(())
            });
            trials.push(match &missing {
                Some(reason) => trial.with_kind(reason).with_ignored_flag(true),
                None => trial,
            });
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if env::var_os(WRITE).is_some() && !conclusion.has_failed() {
        let rows = rows.lock().expect("nobody panics with it");
        fs::write(project().join("reports/sdk-ends/README.md"), table(&rows))
            .expect("the table can be written");
    }
    conclusion.exit_code()
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in a workspace")
        .to_owned()
}

/// What must be installed first.
fn missing(worker: &str) -> Option<String> {
    let cache = Cache::of_user()?;
    let resolved =
        WorkerSpec::parse(worker).and_then(|spec| spec.resolve(&Default::default(), &cache));
    let error = resolved.err()?;
    Some(error.to_string())
}

/// Runs the scenario once and reads what the children saw.
fn measure(worker: &str, end: &str) -> Result<Row, Failed> {
    let out = tempfile::tempdir()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_leak-harness"));
    command
        .args(["--quiet", "run", "--worker", worker, "--out"])
        .arg(out.path())
        .arg(project().join("scenarios/sdk/ends.toml"));
    if env::var_os(WRITE).is_none() {
        command.args(["--set", "expect.grace=\"2s\""]);
    }
    let output = command.output()?;
    // 0, 1 or 3: there is a recording, whatever the verdict.
    if !matches!(output.status.code(), Some(0 | 1 | 3)) {
        return Err(format!("{output:?}").into());
    }
    let recording = Recording::open(&out.path().join("recording"))?;
    let events: Vec<Event> = recording.events()?.collect();
    let scenario = Scenario::parse("ends.toml", &recording.scenario)?;
    let schedule = Schedule::new(&scenario.load, &scenario.mix, scenario.seed, 1.0);
    let row = row(&events, &schedule, end == "exit")?;
    if row.len() != CHILDREN.len() {
        let log = fs::read_to_string(out.path().join("worker.log")).unwrap_or_default();
        return Err(format!("only these children were seen: {row:?}; the host said: {log}").into());
    }
    // A child that does as it is told must be gone, however the session ended: that is what all SDKs promise.
    if end == "complete" && !row[&0].contains("gone") {
        return Err(format!("a polite child is left: {row:?}").into());
    }
    Ok(row)
}

/// What each child saw after its session's end, up to the end of the grace.
fn row(events: &[Event], schedule: &Schedule, exits: bool) -> Result<Row, Failed> {
    let mut serves: BTreeMap<String, ProcessIdentity> = BTreeMap::new();
    let mut primaries = BTreeSet::new();
    let mut ended: BTreeMap<String, RunTime> = BTreeMap::new();
    for event in events {
        match &event.event {
            EventKind::Said { process, say } => match say {
                Say::Hello {
                    role: Role::Primary,
                    ..
                } => {
                    primaries.insert(*process);
                }
                Say::SawWork { markers, .. } if primaries.contains(process) => {
                    for marker in markers {
                        if let Some(session) = session_of(marker, schedule) {
                            serves.insert(session, *process);
                        }
                    }
                }
                _ => {}
            },
            EventKind::SessionEnded { session, .. } => {
                ended.insert(session.clone(), event.at);
            }
            _ => {}
        }
    }
    let last = *ended.values().max().ok_or("no session ended")?;
    let until = events
        .iter()
        .find(|event| matches!(event.event, EventKind::GracePassed))
        .ok_or("the grace was not waited for")?;
    let mut row = Row::new();
    for (session, process) in &serves {
        let child = schedule.mix_of(session).map_or(0, |mix| mix + 1);
        // The host exits when the last of its sessions is told to end.
        let from = if exits { last } else { ended[session] };
        row.insert(child, fate(events, *process, from, until.seq));
    }
    Ok(row)
}

/// The session whose work a marker is.
fn session_of(marker: &str, schedule: &Schedule) -> Option<String> {
    (0..schedule.sessions())
        .map(|index| schedule.plan(index))
        .find(|plan| plan.steps.iter().any(|step| step.marker == marker))
        .map(|plan| plan.id)
}

/// What a child saw and what became of it, in words; times in milliseconds after `from`.
fn fate(events: &[Event], process: ProcessIdentity, from: RunTime, until: u64) -> String {
    let mut steps: Vec<(i64, String)> = Vec::new();
    let mut said_goodbye = false;
    let mut gone = None;
    for event in events.iter().take_while(|event| event.seq < until) {
        let after = milliseconds(from, event.at);
        match &event.event {
            EventKind::Said { process: of, say } if *of == process => match say {
                Say::SawEof { .. } => steps.push((after, "stdin closed".to_owned())),
                Say::SawSignal { signal, .. } => steps.push((after, signal_name(*signal))),
                Say::Goodbye { .. } => {
                    said_goodbye = true;
                    gone = Some(after);
                }
                _ => {}
            },
            EventKind::ProcessExited { process: of, .. }
            | EventKind::ProcessGone { process: of }
                if *of == process =>
            {
                gone = gone.or(Some(after));
            }
            _ => {}
        }
    }
    steps.sort_by_key(|(after, _)| *after);
    let mut text: Vec<String> = steps
        .iter()
        .map(|(after, what)| format!("{what} {after}"))
        .collect();
    text.push(match (gone, said_goodbye) {
        (Some(after), true) => format!("gone {after}"),
        // SIGKILL alone leaves no time for a goodbye.
        (Some(after), false) => format!("SIGKILL, gone {after}"),
        (None, _) => "**alive**".to_owned(),
    });
    text.join(", ")
}

fn milliseconds(from: RunTime, at: RunTime) -> i64 {
    let nanoseconds = if at < from {
        -i128::from(from.since(at).as_nanos())
    } else {
        i128::from(at.since(from).as_nanos())
    };
    i64::try_from(nanoseconds / 1_000_000).unwrap_or(i64::MAX)
}

fn signal_name(signal: i32) -> String {
    match signal {
        libc::SIGTERM => "SIGTERM".to_owned(),
        libc::SIGINT => "SIGINT".to_owned(),
        libc::SIGHUP => "SIGHUP".to_owned(),
        other => format!("signal {other}"),
    }
}

/// The kept table.
fn table(rows: &BTreeMap<(usize, usize), Row>) -> String {
    let mut text = include_str!("data/sdk-ends.md").to_owned();
    for (sdk, (worker, ends)) in SDKS.into_iter().enumerate() {
        let _ = write!(text, "\n## {worker}\n\n| the session's end |");
        for child in CHILDREN {
            let _ = write!(text, " {child} |");
        }
        text.push_str("\n|---|---|---|---|\n");
        for (end, name) in ends.iter().enumerate() {
            let _ = write!(text, "| {name} |");
            for child in 0..CHILDREN.len() {
                let fate = rows.get(&(sdk, end)).and_then(|row| row.get(&child));
                let _ = write!(text, " {} |", fate.map_or("not measured", String::as_str));
            }
            text.push('\n');
        }
    }
    text
}
