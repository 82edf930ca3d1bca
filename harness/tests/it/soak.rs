//! Soaks: loads that last a time, checkpoints, figures, early ends, and what is left of a soak that was killed.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, SystemTime};

use leak_harness::process::ProcessIdentity;
use leak_harness::recording::Recording;
use leak_harness::report::Report;
use leak_harness::scenario::{Bin, Verdict};
use leak_harness::timeline::event::{EventKind, LoadStop};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::end_to_end::{UnderWay, all_end, send};
use crate::support::{DEADLINE, Ground, Living, Said, wait_for};

/// Sessions that end, one after the other in a few places, and a worker that ends their children.
const CLEAN: &str = r#"
    name = "clean"

    [worker]
    cleanup = ["tracked"]
    shutdown = "enumerate"

    [load]
    sessions = 4
    concurrency = 3
    observations = 1
    end = "complete"

    [claude]
    initialize = "0ms"
    turn = "20ms"
    exit = "0ms"

    [expect]
    grace = "3s"

    [run]
    quiet = "150ms"
    tick = "50ms"
"#;

/// The same with a worker that ends nothing.
fn leaking() -> String {
    CLEAN
        .replace(
            "cleanup = [\"tracked\"]",
            "cleanup = [\"none\"]\nquery_end = \"holds-stdin\"",
        )
        .replace("grace = \"3s\"", "grace = \"500ms\"")
        .replace("concurrency = 3", "arrival = \"5/s\"")
}

/// Starts a soak of a scenario in the folder `out`.
fn start(ground: Ground, scenario: &str, arguments: &[&str]) -> UnderWay {
    let scenario = ground.write("scenario.toml", scenario);
    let mut command = ground.program();
    command
        .arg("soak")
        .arg(scenario)
        .args(["--out", "out"])
        .args(arguments);
    UnderWay::of(ground, command)
}

/// Soaks a scenario to its end.
fn soak(ground: &Ground, scenario: &str, arguments: &[&str]) -> Said {
    let scenario = ground.write("scenario.toml", scenario);
    let mut command = ground.program();
    command
        .arg("soak")
        .arg(scenario)
        .args(["--out", "out"])
        .args(arguments);
    ground.finish(command)
}

fn report_in(ground: &Ground) -> Option<Report> {
    let text = fs::read_to_string(ground.path("out/report.json")).ok()?;
    // It is replaced by a rename, so it is whole at every moment.
    Some(serde_json::from_str(&text).expect("it is a report"))
}

/// Waits for a checkpoint in which sessions have ended.
fn checkpoint(run: &UnderWay) -> Report {
    wait_for("a checkpoint with sessions", DEADLINE, || {
        report_in(&run.ground).filter(|report| report.checkpoint && report.sessions.ended > 3)
    })
}

fn segments(ground: &Ground) -> Vec<String> {
    let entries = fs::read_dir(ground.path("out/recording")).expect("there is a recording");
    entries
        .map(|entry| entry.expect("it can be listed").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.starts_with("events"))
        .collect()
}

#[test]
fn a_soak_opens_sessions_until_its_time_is_over_and_then_ends_like_any_run() {
    let ground = Ground::new();
    let said = soak(
        &ground,
        CLEAN,
        &["--for", "4s", "--checkpoint", "1s", "--format", "json"],
    )
    .expect(0);
    let report: Report = serde_json::from_value(said.json()).expect("it is a report");
    assert_eq!(report_in(&ground).as_ref(), Some(&report));
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", report.reasons);
    assert!(!report.checkpoint && !report.cut_off && report.load_stopped.is_none());
    // The four of the file are no limit here.
    let sessions = report.sessions;
    assert!(sessions.opened > 4, "{sessions:?}");
    assert_eq!(
        (sessions.planned, sessions.ended),
        (sessions.opened, sessions.opened)
    );
    assert!(
        report
            .recording
            .is_some_and(|recording| recording.bytes > 0)
    );
    assert!(
        said.stderr.contains("So far, and the run goes on: "),
        "{}",
        said.stderr
    );
    assert_eq!(segments(&ground), ["events.jsonl"]);
    ground.assert_clean();
}

#[test]
fn a_limit_of_sessions_holds_where_the_command_line_names_one() {
    let ground = Ground::new();
    let limit = ["--for", "10m", "--set", "load.sessions=3"];
    soak(&ground, CLEAN, &limit).expect(0);
    let report = report_in(&ground).expect("there is a report");
    assert_eq!(report.sessions.opened, 3);
}

#[test]
fn a_sure_failure_ends_the_soak_early_where_that_is_asked_for() {
    let ground = Ground::new();
    let said = soak(&ground, &leaking(), &["--for", "6h", "--stop-on", "fail"]).expect(1);
    let report = report_in(&ground).expect("there is a report");
    assert_eq!(report.verdict, Verdict::Fail);
    let Some(LoadStop::SureFailure { finding }) = &report.load_stopped else {
        panic!("{:?}", report.load_stopped);
    };
    assert!(finding.starts_with("retained: primary"), "{finding}");
    // Lines are as wide as the terminal.
    let words: Vec<_> = said.stdout.split_whitespace().collect();
    let why = "stopped before its time because this was sure: retained";
    assert!(words.join(" ").contains(why), "{}", said.stdout);
    let leaked = report
        .findings
        .iter()
        .find(|found| found.rule == Bin::Retained);
    assert!(
        leaked.is_some_and(|found| found.blames),
        "{:?}",
        report.findings
    );
    ground.assert_clean();
}

#[test]
fn what_a_baseline_knows_ends_no_soak() {
    let ground = Ground::new();
    soak(&ground, &leaking(), &["--for", "2s"]).expect(1);
    fs::rename(ground.path("out"), ground.path("before")).expect("it can be renamed");
    let known = ["--for", "4s", "--stop-on", "fail", "--baseline", "before"];
    soak(&ground, &leaking(), &known).expect(0);
    let report = report_in(&ground).expect("there is a report");
    assert_eq!(report.load_stopped, None);
    assert!(report.findings.iter().any(|found| found.known));
}

#[test]
fn a_recording_that_comes_near_its_space_ends_the_soak_in_order() {
    let ground = Ground::new();
    let busy = CLEAN
        .replace("concurrency = 3", "concurrency = 8")
        .replace("tick = \"50ms\"", "tick = \"10ms\"")
        .replace("turn = \"20ms\"", "turn = \"0ms\"");
    let said = soak(&ground, &busy, &["--for", "6h", "--disk", "256KiB"]).expect(3);
    let report = report_in(&ground).expect("there is a report");
    assert_eq!(
        report.load_stopped,
        Some(LoadStop::Disk { bytes: 256 << 10 })
    );
    assert!(
        said.stdout.contains("a larger `--disk` would decide it"),
        "{}",
        said.stdout
    );
    let segments = segments(&ground);
    assert!(
        segments.iter().any(|name| name == "events.jsonl.gz"),
        "{segments:?}"
    );
    let recording = Recording::open(&ground.path("out")).expect("there is a recording");
    assert!(recording.bytes() < 512 << 10, "{}", recording.bytes());
    let last = recording.events().expect("it can be read").last();
    assert!(matches!(
        last.map(|last| last.event),
        Some(EventKind::RunEnded)
    ));
    ground.assert_clean();
}

/// What a page of figures says of one of them.
fn figure(page: &str, name: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

/// Asks for a page, and gives its head and its body.
fn ask(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream
        .set_read_timeout(Some(DEADLINE))
        .expect("it can be set");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .expect("it can be written to");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("an answer is text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    (head.to_owned(), body.to_owned())
}

#[test]
fn the_figures_of_a_soak_are_served_and_move() {
    let more = ["--for", "10m", "--metrics", "0", "--checkpoint", "500ms"];
    let mut run = start(Ground::new(), CLEAN, &more);
    let address = wait_for("the address of the figures", DEADLINE, || {
        let said = fs::read_to_string(run.ground.path("stderr")).ok()?;
        let (_, rest) = said.split_once("metrics: http://")?;
        Some(rest.split_once("/metrics")?.0.to_owned())
    });
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let page = || {
        let (head, body) = ask(&address, "/metrics");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert!(head.to_lowercase().contains(kind), "{head}");
        assert!(body.ends_with("# EOF\n"), "{body}");
        body
    };
    let opened = |page: &str| figure(page, "leak_harness_sessions_opened_total ");
    let first = wait_for("open sessions", DEADLINE, || {
        opened(&page()).filter(|opened| *opened > 0.0)
    });
    wait_for("more sessions", DEADLINE, || {
        opened(&page()).filter(|opened| *opened > first)
    });
    let answered = wait_for("answered work at a checkpoint", DEADLINE, || {
        let page = page();
        figure(&page, "leak_harness_work_items{bin=\"answered\"} ")
            .is_some_and(|answered| answered > 0.0)
            .then_some(page)
    });
    assert_eq!(figure(&answered, "leak_harness_worker_up "), Some(1.0));
    assert_eq!(
        figure(&answered, "leak_harness_verdict{verdict=\"inconclusive\"} "),
        Some(1.0)
    );
    for name in [
        "leak_harness_recording_bytes ",
        "leak_harness_worker_rss_bytes ",
        "leak_harness_harness_rss_bytes{process=\"inner\"} ",
        "leak_harness_harness_rss_bytes{process=\"outer\"} ",
    ] {
        assert!(
            figure(&answered, name).is_some_and(|value| value > 0.0),
            "{name}: {answered}"
        );
    }
    assert!(ask(&address, "/").0.starts_with("HTTP/1.1 404 "));
    assert!(ask(&address, "/metrics/x").0.starts_with("HTTP/1.1 404 "));
    // The address is taken, which is said before anything starts.
    let taken = run.ground.call([
        "soak",
        "scenario.toml",
        "--for",
        "1s",
        "--out",
        "second",
        "--metrics",
        &address,
    ]);
    let taken = taken.expect(2);
    assert!(
        taken.stderr.contains("name another port"),
        "{}",
        taken.stderr
    );
    assert!(!run.ground.path("second").exists());
    interrupt(&mut run);
}

/// Ends a soak as Ctrl-C does.
fn interrupt(run: &mut UnderWay) -> Said {
    let living = run.ground.living();
    send(run.outer(&living), libc::SIGINT);
    let said = run.finish(DEADLINE).expect(130);
    run.ground.assert_clean();
    said
}

#[test]
fn a_running_soak_is_reported_from_outside_and_ends_in_order_when_interrupted() {
    let mut run = start(
        Ground::new(),
        CLEAN,
        &["--for", "6h", "--checkpoint", "500ms"],
    );
    let seen = checkpoint(&run);
    assert_eq!(seen.verdict, Verdict::Inconclusive);
    assert!(
        seen.reasons
            .iter()
            .any(|why| why.starts_with("the run goes on")),
        "{:?}",
        seen.reasons
    );
    let said = run
        .ground
        .call(["report", "out", "--format", "json"])
        .expect(0);
    assert!(
        said.stderr.contains("still being recorded"),
        "{}",
        said.stderr
    );
    let report: Report = serde_json::from_value(said.json()).expect("it is a report");
    assert!(report.checkpoint && report.sessions.ended >= seen.sessions.ended);
    interrupt(&mut run);
    let report = report_in(&run.ground).expect("there is a report");
    assert!(!report.checkpoint && !report.cut_off);
    let said = run.ground.call(["report", "out"]).expect(0);
    assert!(
        !said.stderr.contains("recorded") && !said.stderr.contains("cut off"),
        "{}",
        said.stderr
    );
}

/// How many bytes of events a recording has.
fn recorded(ground: &Ground) -> u64 {
    let folder = ground.path("out/recording");
    let sizes = segments(ground)
        .into_iter()
        .filter_map(|name| fs::metadata(folder.join(name)).ok());
    sizes.map(|file| file.len()).sum()
}

/// Waits for a random moment of the next two seconds: until the recording has grown by some part of what it grows by in that time.
fn random_moment(run: &UnderWay, report: &Report) {
    // The same moment again, as far as that can be: with the seed that a failure has printed.
    let seed = std::env::var("LEAK_HARNESS_KILL_SEED").ok();
    let seed = seed.map_or_else(rand::random::<u64>, |seed| {
        seed.parse().expect("it is a number")
    });
    let before = recorded(&run.ground);
    let of_two_seconds = before * 2_000 / report.elapsed_ms.max(1);
    let more = ChaCha8Rng::seed_from_u64(seed).random_range(0..=of_two_seconds);
    let what = format!("{more} bytes more than {before} (LEAK_HARNESS_KILL_SEED={seed})");
    eprintln!("killed at {what}");
    wait_for(&what, DEADLINE, || {
        (recorded(&run.ground) >= before + more).then_some(())
    });
}

/// When a file was last written to.
fn written(path: &Path) -> SystemTime {
    let metadata = fs::metadata(path).expect("it is there");
    metadata.modified().expect("the file system tells")
}

/// Kills one process of a soak at a random moment, and looks at what is left of its recording.
fn kill(isolation: &str, victim: impl Fn(&UnderWay, &[Living]) -> ProcessIdentity) {
    let mut run = start(
        Ground::new(),
        CLEAN,
        &[
            "--for",
            "6h",
            "--checkpoint",
            "500ms",
            "--isolation",
            isolation,
        ],
    );
    let seen = checkpoint(&run);
    random_moment(&run, &seen);
    let living = run.ground.living();
    let victim = victim(&run, &living);
    let held = living
        .iter()
        .find(|process| process.watched.process() == victim);
    let killed = written(&run.ground.write("killed", ""));
    send(&held.expect("it lives").watched, libc::SIGKILL);
    all_end(&living, DEADLINE);
    run.finish(DEADLINE);
    run.ground.assert_nothing_lives();

    let out = run.ground.path("out");
    let recording = Recording::open(&out).expect("there is a recording");
    let last = recording.events().expect("it can be read").last();
    // Written when the run's clock began.
    let began = written(&out.join("recording/scenario.toml"));
    let ran = killed
        .duration_since(began)
        .expect("it was killed after that");
    let last = Duration::from_millis(last.expect("there are events").at.as_millis());
    println!("recorded {last:?} of {ran:?}");
    // At most the last second is lost, and on an idle machine the last tick. On a busy one the recorder may not have had its turn.
    assert!(
        last + Duration::from_secs(5) > ran,
        "recorded {last:?} of {ran:?}"
    );

    let said = run
        .ground
        .call(["report", "out", "--format", "json"])
        .expect(0);
    assert!(said.stderr.contains("was cut off"), "{}", said.stderr);
    let report: Report = serde_json::from_value(said.json()).expect("it is a report");
    assert!(report.cut_off && !report.checkpoint && report.sessions.ended > 3);
    // The last checkpoint is there as well, whole, and says what it is.
    assert!(report_in(&run.ground).is_some_and(|report| report.checkpoint));
}

#[test]
fn a_soak_whose_outer_process_is_killed_loses_at_most_its_last_second() {
    for isolation in ["auto", "fallback"] {
        kill(isolation, |run, living| run.outer(living).process());
    }
}

#[test]
fn a_soak_whose_inner_process_is_killed_loses_at_most_its_last_second() {
    for isolation in ["auto", "fallback"] {
        kill(isolation, |run, living| run.inner(living).process());
    }
}

#[test]
fn what_a_soak_cannot_run_is_refused_with_what_to_add() {
    let ground = Ground::new();
    let said = soak(&ground, CLEAN, &[]).expect(2);
    assert!(said.stderr.contains("--for 6h"), "{}", said.stderr);
    let neither = CLEAN.replace("concurrency = 3", "");
    let said = soak(&ground, &neither, &["--for", "1h"]).expect(2);
    assert!(said.stderr.contains("add `arrival`"), "{}", said.stderr);
    // And a change on the command line mends it.
    let mended = ["--for", "1s", "--set", "load.concurrency=2"];
    soak(&ground, &neither, &mended).expect(0);
}
