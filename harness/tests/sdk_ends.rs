//! What each Agent SDK sends its child when a session ends, and what is left: measured with the SDKs themselves, every run a test.
//!
//! An SDK that is not installed shows as an ignored test, with the command that installs it. With `LEAK_HARNESS_WRITE=1` the children are
//! watched for the whole grace of `scenarios/sdk/ends.toml`, turns are long, and the table in `reports/sdk-ends/README.md` is written anew; without it
//! they are watched for two seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};

use fake_claude::control::{Role, Say};
use fake_claude::quantity::Span;
use leak_harness::driver::Schedule;
use leak_harness::process::ProcessIdentity;
use leak_harness::recording::Recording;
use leak_harness::scenario::Scenario;
use leak_harness::timeline::event::{Event, EventKind};
use leak_harness::units::RunTime;
use leak_harness::worker::{Cache, WorkerSpec};
use libtest_mimic::{Arguments, Failed, Trial};

/// The SDKs that differ in how they end their child, with what the host of each can do at a session's end.
const SDKS: [(&str, &[Way]); 4] = [
    ("sdk-ts@0.1.76", &WAYS_TS),
    ("sdk-ts@0.2.76", &WAYS_TS),
    ("sdk-ts@0.3.330", &WAYS_TS),
    ("sdk-py@0.2.187", &WAYS_PY),
];
const WAYS_TS: [Way; 10] = [
    Way::at_rest("complete", "complete"),
    Way::at_rest("break", "break"),
    Way::at_rest("abort", "abort"),
    Way::at_rest("exit", "exit"),
    Way::at_rest("killed", "complete"),
    Way::in_mid_turn("complete", "complete"),
    Way::in_mid_turn("break", "break-in-turn"),
    Way::in_mid_turn("abort", "abort"),
    Way::in_mid_turn("exit", "exit"),
    Way::in_mid_turn("killed", "complete"),
];
const WAYS_PY: [Way; 12] = [
    Way::at_rest("complete", "complete"),
    Way::at_rest("break", "break"),
    Way::at_rest("aclose", "aclose"),
    Way::at_rest("abort", "abort"),
    Way::at_rest("exit", "exit"),
    Way::at_rest("killed", "complete"),
    Way::in_mid_turn("complete", "complete"),
    Way::in_mid_turn("break", "break-in-turn"),
    Way::in_mid_turn("aclose", "aclose-in-turn"),
    Way::in_mid_turn("abort", "abort"),
    Way::in_mid_turn("exit", "exit"),
    Way::in_mid_turn("killed", "complete"),
];

/// One way in which a session can end.
#[derive(Clone, Copy)]
struct Way {
    /// As the table calls it.
    name: &'static str,
    /// What the host is told to do, as its `--end` takes it.
    end: &'static str,
    /// Whether the end comes while a turn is under way.
    in_mid_turn: bool,
}

impl Way {
    const fn at_rest(name: &'static str, end: &'static str) -> Self {
        Self {
            name,
            end,
            in_mid_turn: false,
        }
    }

    const fn in_mid_turn(name: &'static str, end: &'static str) -> Self {
        Self {
            name,
            end,
            in_mid_turn: true,
        }
    }

    /// Whether the host is killed by SIGKILL and the session does not end at all.
    fn is_kill(self) -> bool {
        self.name == "killed"
    }

    /// Whether one thing ends all sessions.
    fn ends_the_host(self) -> bool {
        self.is_kill() || self.name == "exit"
    }

    /// Changes of the scenario.
    fn changes(self, quick: bool) -> Vec<&'static str> {
        let mut changes = Vec::new();
        if self.in_mid_turn {
            // Longer than the longest escalation, and shorter than the watch: who finishes its turn first can be told from who never goes.
            changes.push(if quick {
                "claude.turn=\"3s\""
            } else {
                "claude.turn=\"13s\""
            });
        }
        if quick {
            changes.push("expect.grace=\"2s\"");
        }
        if self.ends_the_host() {
            // Without a worker a run goes on for so long only.
            changes.push(if quick {
                "expect.residue_grace=\"3s\""
            } else {
                "expect.residue_grace=\"16s\""
            });
        }
        changes.extend(match (self.is_kill(), self.in_mid_turn) {
            (true, true) => Some(
                "faults=[{ on = \"answering\", session = 1, after = \"1s\", what = \"sigkill\" }]",
            ),
            (true, false) => Some(
                "faults=[{ on = \"answered\", session = 1, after = \"1s\", what = \"sigkill\" }]",
            ),
            (false, true) => Some("load.end_at=\"answering\""),
            (false, false) => None,
        });
        changes
    }
}

/// The children of the scenario: the base, then the entries of its mix.
const CHILDREN: [&str; 3] = ["polite", "ignores EOF", "ignores EOF and SIGTERM"];
/// Asks for the table to be written.
const WRITE: &str = "LEAK_HARNESS_WRITE";

/// What became of each child, by its place in [`CHILDREN`].
type Row = BTreeMap<usize, String>;
/// The rows by SDK and way.
type Rows = Arc<Mutex<BTreeMap<(usize, usize), Row>>>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // A run mostly waits, but its times are what is measured.
    arguments.test_threads = Some(2);
    let rows = Rows::default();
    let mut trials = Vec::new();
    for (sdk, (worker, ways)) in SDKS.into_iter().enumerate() {
        let missing = missing(worker);
        for (place, way) in ways.iter().copied().enumerate() {
            let rows = Arc::clone(&rows);
            let when = if way.in_mid_turn { " in mid-turn" } else { "" };
            let trial = Trial::test(format!("{worker} {}{when}", way.name), move || {
                let row = measure(&format!("{worker}:end={}", way.end), way)?;
                rows.lock()
                    .expect("nobody panics with it")
                    .insert((sdk, place), row);
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
    let Some(cache) = Cache::of_user() else {
        return Some("no folder for the cache".to_owned());
    };
    let resolved =
        WorkerSpec::parse(worker).and_then(|spec| spec.resolve(&Default::default(), &cache));
    let error = resolved.err()?;
    Some(error.to_string())
}

/// Runs the scenario once and reads what the children saw.
fn measure(worker: &str, way: Way) -> Result<Row, Failed> {
    let out = tempfile::tempdir()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_leak-harness"));
    command
        .args(["--quiet", "run", "--worker", worker, "--out"])
        .arg(out.path())
        .arg(project().join("scenarios/sdk/ends.toml"));
    for change in way.changes(env::var_os(WRITE).is_none()) {
        command.args(["--set", change]);
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
    let watch = scenario.expect.grace_after(scenario.load.end);
    let row = row(&events, &schedule, way, watch)?;
    if row.len() != CHILDREN.len() {
        let log = fs::read_to_string(out.path().join("worker.log")).unwrap_or_default();
        return Err(format!("only these children were seen: {row:?}; the host said: {log}").into());
    }
    // A child that does as it is told must be gone when its host is, or has let it complete: that is what all SDKs promise.
    if !way.in_mid_turn && matches!(way.name, "complete" | "killed") && !row[&0].contains("gone") {
        return Err(format!("a polite child is left: {row:?}").into());
    }
    Ok(row)
}

/// What each child saw from its session's end on, for as long as it was watched.
fn row(events: &[Event], schedule: &Schedule, way: Way, watch: Span) -> Result<Row, Failed> {
    let mut serves: BTreeMap<String, ProcessIdentity> = BTreeMap::new();
    let mut primaries = BTreeSet::new();
    let mut ended: BTreeMap<String, RunTime> = BTreeMap::new();
    let mut struck = None;
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
            EventKind::FaultCame { failed: None, .. } => struck = Some(event.at),
            _ => {}
        }
    }
    let at_once = if way.is_kill() {
        Some(struck.ok_or("the host was not killed")?)
    } else {
        // The host exits when the last of its sessions is told to end.
        ended
            .values()
            .max()
            .copied()
            .filter(|_| way.ends_the_host())
    };
    // What the run does itself at its end is no SDK's doing.
    let until = events
        .iter()
        .find(|event| match event.event {
            EventKind::WorkerStopAsked => !way.ends_the_host(),
            EventKind::ResiduePassed | EventKind::RunEnded => true,
            _ => false,
        })
        .ok_or("the run was cut off")?;
    let mut row = Row::new();
    for (session, process) in &serves {
        let child = schedule.mix_of(session).map_or(0, |mix| mix + 1);
        let from = at_once
            .or_else(|| ended.get(session).copied())
            .ok_or("a session did not end")?;
        if until.at < from + watch && lives_at(events, *process, until.at) {
            return Err(format!("a child was watched until {:?} only", until.at).into());
        }
        row.insert(child, fate(events, *process, from, from + watch));
    }
    Ok(row)
}

/// Whether nobody saw a process end by then.
fn lives_at(events: &[Event], process: ProcessIdentity, at: RunTime) -> bool {
    !events.iter().any(|event| {
        event.at <= at
            && matches!(&event.event, EventKind::ProcessExited { process: of, .. } | EventKind::ProcessGone { process: of } if *of == process)
    })
}

/// The session whose work a marker is.
fn session_of(marker: &str, schedule: &Schedule) -> Option<String> {
    (0..schedule.sessions())
        .map(|index| schedule.plan(index))
        .find(|plan| plan.steps.iter().any(|step| step.marker == marker))
        .map(|plan| plan.id)
}

/// What a child saw and what became of it, in words; times in milliseconds after `from`.
fn fate(events: &[Event], process: ProcessIdentity, from: RunTime, until: RunTime) -> String {
    let mut steps: Vec<(i64, String)> = Vec::new();
    let mut said_goodbye = false;
    let mut gone = None;
    for event in events.iter().filter(|event| event.at <= until) {
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
    for (sdk, (worker, ways)) in SDKS.into_iter().enumerate() {
        let _ = write!(text, "\n## {worker}\n\n| the session's end |");
        for child in CHILDREN {
            let _ = write!(text, " {child} |");
        }
        text.push_str("\n|---|---|---|---|\n");
        for (place, way) in ways.iter().enumerate() {
            let when = if way.in_mid_turn {
                "**in mid-turn:** "
            } else {
                ""
            };
            let _ = write!(text, "| {when}{} |", way.name);
            for child in 0..CHILDREN.len() {
                let fate = rows.get(&(sdk, place)).and_then(|row| row.get(&child));
                let _ = write!(text, " {} |", fate.map_or("not measured", String::as_str));
            }
            text.push('\n');
        }
    }
    text
}
