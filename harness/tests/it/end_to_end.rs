//! Whole runs: what is left when a run is stopped or its processes are killed, the same books behind whatever walls, and the entry
//! for other people's tests.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use leak_harness::clock::monotonic_ns;
use leak_harness::platform::Watched;
use leak_harness::report::Report;
use leak_harness::scenario::{Bin, Verdict};
use leak_harness::testing::{Harness, HarnessError};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::support::{
    DEADLINE, Ground, Living, Said, assert_all_ended, never_ready, scenarios, wait_for,
};

/// How long anything of a run may live once one of its two processes was killed. On an idle machine it is well below two seconds.
const AFTER_A_KILL: Duration = Duration::from_secs(20);

/// A run that is stopped only by force: its fakes ignore whatever asks them to end, some have left the tree, and it waits for a long
/// grace.
fn stubborn(sessions: usize, residue_grace: &str) -> String {
    format!(
        r#"
            name = "stubborn"

            [worker]
            cleanup = ["none"]
            query_end = "holds-stdin"

            [load]
            sessions = {sessions}
            observations = 1
            end = "complete"

            [claude]
            initialize = "0ms"
            turn = "20ms"
            ignore = ["eof", "sigterm", "sigint"]

            [[claude.mix]]
            share = 0.2
            ignore = ["eof", "sigterm", "sigint"]
            leave = "daemon"

            [expect]
            grace = "120s"
            residue_grace = "{residue_grace}"

            [run]
            quiet = "100ms"
        "#
    )
}

/// A run that is under way.
pub struct UnderWay {
    /// Where.
    pub ground: Ground,
    outer: Child,
}

impl UnderWay {
    /// Starts a command, with its output in files.
    pub fn of(ground: Ground, mut command: Command) -> Self {
        let file = |name: &str| File::create(ground.path(name)).expect("it can be made");
        command
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"));
        let outer = command.spawn().expect("it can be started");
        Self { ground, outer }
    }

    /// Starts a stubborn run and waits until every session has ended and all its processes live.
    fn start(sessions: usize, isolation: &str, residue_grace: &str) -> Self {
        let ground = Ground::new();
        let scenario = ground.write("stubborn.toml", &stubborn(sessions, residue_grace));
        let mut command = ground.program();
        command
            .arg("run")
            .arg(scenario)
            .args(["--out", "out", "--isolation", isolation]);
        let run = Self::of(ground, command);
        wait_for("every session to end", DEADLINE, || {
            let recorded = fs::read_to_string(run.ground.path("out/recording/events.jsonl"));
            let ended = recorded.ok()?.matches("\"session_ended\"").count();
            (ended == sessions).then_some(())
        });
        run
    }

    /// The living processes of the run, once all are there.
    fn living(&self, sessions: usize) -> Vec<Living> {
        // A fifth of them leaves a daemon, which is the same program.
        let wanted = sessions + sessions / 5;
        let living = wait_for("every claude", DEADLINE, || {
            let living = self.ground.living();
            let claudes = living.iter().filter(|process| process.is_claude()).count();
            (claudes == wanted).then_some(living)
        });
        for process in living.iter().filter(|process| process.is_claude()) {
            assert!(process.has_cookie, "{process:?}");
        }
        let workers = living
            .iter()
            .filter(|process| process.command.contains("model-worker"));
        assert_eq!(workers.count(), 1, "{living:#?}");
        living
    }

    /// The inner process: the only child of the outer one that was started as one.
    pub fn inner<'a>(&self, living: &'a [Living]) -> &'a Watched {
        let mut inner = living.iter().filter(|process| {
            process.ppid == self.outer.id() && process.command.contains(" __inner ")
        });
        let found = inner.next().expect("there is an inner process");
        assert!(inner.next().is_none(), "{living:#?}");
        &found.watched
    }

    /// The process that the test started.
    pub fn outer<'a>(&self, living: &'a [Living]) -> &'a Watched {
        let pid = self.outer.id();
        let outer = living
            .iter()
            .find(|process| process.watched.process().pid == pid);
        &outer.expect("the outer process lives").watched
    }

    /// Waits for the end of the outer process.
    pub fn finish(&mut self, within: Duration) -> Said {
        let status = wait_for("the end of the program", within, || {
            self.outer.try_wait().expect("it is our child")
        });
        let text = |name: &str| fs::read_to_string(self.ground.path(name)).expect("it is text");
        Said {
            code: status.code(),
            stdout: text("stdout"),
            stderr: text("stderr"),
        }
    }
}

/// A test that fails in between leaves nothing alive either: the end of the outer process is the end of the run.
impl Drop for UnderWay {
    fn drop(&mut self) {
        let _ = self.outer.kill();
        let _ = self.outer.wait();
    }
}

/// Sends a signal to a process that is held open.
pub fn send(process: &Watched, signal: i32) {
    assert!(process.signal(signal).expect("it may be signalled"));
}

/// Waits until every one of these has ended.
#[track_caller]
pub fn all_end(living: &[Living], within: Duration) {
    let start = monotonic_ns();
    for process in living {
        let ended = process.watched.has_ended_fd();
        let Some(ended) = ended else {
            wait_for("the end of a process", within, || {
                process
                    .watched
                    .stat()
                    .ok()
                    .flatten()
                    .is_none()
                    .then_some(())
            });
            continue;
        };
        let mut files = [PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
        let ready = loop {
            let left = within.saturating_sub(Duration::from_nanos(monotonic_ns() - start));
            let left = PollTimeout::try_from(left).expect("it is short");
            match poll(&mut files, left) {
                // Another test of this process has a runtime, whose handler hears that one of its children ended.
                Err(Errno::EINTR) => {}
                ready => break ready.expect("it can be waited for"),
            }
        };
        assert_eq!(ready, 1, "it lives on: {process:?}");
    }
}

#[derive(Debug, Clone, Copy)]
enum Victim {
    Outer,
    Inner,
}

/// Kills one of the two processes in the middle of a run.
fn kill_one(victim: Victim, sessions: usize, isolation: &str) {
    let mut run = UnderWay::start(sessions, isolation, "120s");
    let living = run.living(sessions);
    let (outer, inner) = (run.outer(&living), run.inner(&living));
    match victim {
        Victim::Outer => send(outer, libc::SIGKILL),
        Victim::Inner => send(inner, libc::SIGKILL),
    }
    all_end(&living, AFTER_A_KILL);
    let said = run.finish(DEADLINE);
    run.ground.assert_nothing_lives();
    if let Victim::Inner = victim {
        let said = said.expect(70);
        assert!(said.stderr.contains("leak-harness judge"), "{said:?}");
        run.ground.assert_clean();
    }
    let judged = run.ground.call(["judge", "out", "--format", "json"]);
    assert!(matches!(judged.code, Some(1 | 3)), "{judged:?}");
    let report: Report = serde_json::from_str(&judged.stdout).expect("it is a report");
    let reasons = report.reasons.join("; ");
    assert!(reasons.contains("the recording was cut off"), "{reasons}");
    // What the end of the harness did to the run is no fault of the worker.
    let blamed: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| !matches!(finding.rule, Bin::Undecided | Bin::Pending))
        .map(|finding| &finding.signature)
        .collect();
    assert!(blamed.is_empty(), "{blamed:?}");
    assert_eq!(report.verdict, Verdict::Inconclusive, "{reasons}");
}

#[test]
fn nothing_outlives_a_killed_outer_process() {
    kill_one(Victim::Outer, 60, "auto");
}

#[test]
fn nothing_outlives_a_killed_outer_process_in_the_fallback() {
    kill_one(Victim::Outer, 60, "fallback");
}

#[test]
fn nothing_outlives_a_killed_inner_process() {
    kill_one(Victim::Inner, 60, "auto");
}

#[test]
fn nothing_outlives_a_killed_inner_process_in_the_fallback() {
    kill_one(Victim::Inner, 60, "fallback");
}

#[test]
fn slow_nothing_of_three_hundred_outlives_either_process() {
    for isolation in ["auto", "fallback"] {
        for victim in [Victim::Outer, Victim::Inner] {
            kill_one(victim, 300, isolation);
        }
    }
}

#[test]
fn an_interrupted_run_cleans_up_and_reports() {
    for (isolation, signal) in [
        ("auto", libc::SIGINT),
        ("fallback", libc::SIGINT),
        ("auto", libc::SIGTERM),
    ] {
        let mut run = UnderWay::start(5, isolation, "300ms");
        let living = run.living(5);
        send(run.outer(&living), signal);
        let said = run.finish(DEADLINE).expect(130);
        assert!(said.stdout.starts_with("Fail"), "{said:?}");
        assert!(said.stderr.starts_with("stopping: "), "{said:?}");
        all_end(&living, Duration::ZERO);
        run.ground.assert_clean();
        let report = run.ground.report();
        // They stayed when their worker was stopped; whether they would have outlived the grace, nobody knows.
        let (processes, sessions) = (&report.processes, &report.sessions);
        assert_eq!((sessions.ended, processes.residue), (5, 6), "{said:?}");
        let judged = run.ground.call(["judge", "out", "--format", "json"]);
        let file = fs::read_to_string(run.ground.path("out/report.json"));
        assert_eq!(judged.stdout, file.expect("there is a report"));
        assert_all_ended(&run.ground.path("out/recording"));
    }
}

#[test]
fn an_interrupted_start_leaves_nothing() {
    for isolation in ["auto", "fallback"] {
        let ground = Ground::new();
        let adapter = never_ready(&ground, "120s");
        let mut command = ground.program();
        command
            .arg("run")
            .arg(scenarios().join("smoke/clean.toml"))
            .arg("--worker")
            .arg(adapter)
            .args(["--out", "out", "--isolation", isolation]);
        let mut run = UnderWay::of(ground, command);
        let worker = wait_for("the worker to start", DEADLINE, || {
            let mut living = run.ground.living();
            living.retain(|process| process.command.contains("model-worker --port"));
            living.pop()
        });
        let living = run.ground.living();
        send(run.outer(&living), libc::SIGINT);
        let said = run.finish(DEADLINE).expect(130);
        assert!(said.stdout.starts_with("Inconclusive"), "{said:?}");
        assert!(said.stdout.contains("the run was interrupted"), "{said:?}");
        all_end(&[worker], Duration::ZERO);
        run.ground.assert_clean();
    }
}

#[test]
fn a_run_that_is_interrupted_twice_ends_at_once() {
    for isolation in ["auto", "fallback"] {
        // Who waits for children to follow their worker has two minutes for the second request.
        let mut run = UnderWay::start(5, isolation, "120s");
        let living = run.living(5);
        send(run.outer(&living), libc::SIGINT);
        wait_for("the note", DEADLINE, || {
            let said = fs::read_to_string(run.ground.path("stderr")).ok()?;
            said.contains("stopping: cleaning up").then_some(())
        });
        send(run.outer(&living), libc::SIGINT);
        let said = run.finish(Duration::from_secs(10)).expect(130);
        assert_eq!(said.stdout, "");
        all_end(&living, Duration::ZERO);
        run.ground.assert_clean();
        assert_all_ended(&run.ground.path("out/recording"));
    }
}

/// Two stubborn runs at once, as cells of a matrix, once all their claudes live.
fn two_at_once(isolation: &str) -> (UnderWay, Vec<Living>) {
    let ground = Ground::new();
    let scenario = ground.write("stubborn.toml", &stubborn(5, "120s"));
    let mut command = ground.program();
    command
        .arg("matrix")
        .arg(scenario)
        .args(["--cleanup", "none", "idle"])
        .args(["--jobs", "2", "--isolation", isolation]);
    let run = UnderWay::of(ground, command);
    let living = wait_for("every claude of both runs", DEADLINE, || {
        let living = run.ground.living();
        let claudes = living.iter().filter(|process| process.is_claude()).count();
        (claudes == 12).then_some(living)
    });
    (run, living)
}

#[test]
fn interrupted_twice_many_runs_leave_nothing() {
    for isolation in ["auto", "fallback"] {
        let (mut run, living) = two_at_once(isolation);
        let outer = run.outer(&living);
        send(outer, libc::SIGINT);
        // The workers are asked to stop by the first request; what waits for their children afterwards is cut short by the second.
        wait_for("both workers to stop", DEADLINE, || {
            let mut living = run.ground.living().into_iter();
            let worker = living.find(|process| process.command.contains("model-worker --port"));
            worker.is_none().then_some(())
        });
        send(outer, libc::SIGINT);
        let said = run.finish(DEADLINE).expect(130);
        assert_eq!(said.stdout, "");
        assert!(
            said.stderr.contains("interrupted after 0 of 2 runs"),
            "{said:?}"
        );
        all_end(&living, Duration::ZERO);
        run.ground.assert_clean();
    }
}

#[test]
fn nothing_of_many_runs_outlives_the_killed_program() {
    for isolation in ["auto", "fallback"] {
        let (mut run, living) = two_at_once(isolation);
        send(run.outer(&living), libc::SIGKILL);
        all_end(&living, AFTER_A_KILL);
        run.finish(DEADLINE);
        run.ground.assert_nothing_lives();
    }
}

/// Everything that is counted.
fn books(report: &Report) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?}",
        report.verdict,
        report.sessions,
        report.roles.primary.leaked(),
        report.processes.spawned,
        report.work
    )
}

#[test]
fn the_books_are_the_same_behind_whatever_walls() {
    let mut kinds = Vec::new();
    for scenario in ["smoke/clean.toml", "smoke/leak.toml"] {
        let mut seen = Vec::new();
        for isolation in ["auto", "fallback"] {
            let ground = Ground::new();
            let arguments = ["--quiet", "--isolation", isolation];
            ground
                .run(&scenarios().join(scenario), &arguments)
                .expect(0);
            let report = ground.report();
            assert_eq!(report.processes.killed_early, 0);
            assert_eq!(report.processes.undecided, 0);
            seen.push(books(&report));
            kinds.push(report.isolation.expect("it is recorded"));
            ground.assert_clean();
            assert_all_ended(&ground.path("out/recording"));
        }
        assert_eq!(seen[0], seen[1]);
    }
    assert!(!kinds[1].pid_namespace && !kinds[3].pid_namespace);
}

#[test]
fn tests_of_others_get_the_report_as_types_and_run_in_parallel() {
    let grounds = [Ground::new(), Ground::new()];
    let run = |scenario: &str, ground: &Ground| {
        Harness::scenario(scenarios().join(scenario))
            .set("seed", "7")
            .out(ground.path("out").to_str().expect("it is text"))
            .run()
            .expect("there is a report")
    };
    let (clean, leak) = thread::scope(|scope| {
        let clean = scope.spawn(|| run("smoke/clean.toml", &grounds[0]));
        let leak = scope.spawn(|| run("smoke/leak.toml", &grounds[1]));
        let join = |thread: thread::ScopedJoinHandle<'_, Report>| thread.join();
        (join(clean), join(leak))
    });
    let (clean, leak) = (clean.expect("no panic"), leak.expect("no panic"));
    assert_eq!(clean.processes.leaked(), 0, "{}", clean.reasons.join("; "));
    assert_eq!(clean.work.lost, 0, "{}", clean.reasons.join("; "));
    assert_eq!((clean.verdict, clean.scenario.seed), (Verdict::Pass, 7));
    assert_eq!(leak.processes.retained, 3, "{}", leak.reasons.join("; "));
    assert!(leak.as_expected, "{}", leak.reasons.join("; "));
    for ground in &grounds {
        ground.assert_nothing_lives();
        assert_all_ended(&ground.path("out/recording"));
    }
}

#[test]
fn tests_of_others_hear_why_there_is_no_report() {
    let without = Harness::scenario("no-such-scenario.toml").run();
    match without.expect_err("there is no such file") {
        HarnessError::NoReport { code, said } => {
            assert_eq!(code, Some(2));
            assert!(said.contains("no-such-scenario.toml"), "{said}");
        }
        other => panic!("{other}"),
    }
    // Nothing is kept when nobody names a folder.
    let report = Harness::scenario(scenarios().join("smoke/leak.toml"))
        .worker("model:cleanup=tracked")
        // Here its children are to be gone in time, also on a busy machine.
        .set("expect.grace", "10s")
        .run()
        .expect("there is a report");
    assert_eq!(
        report.processes.retained,
        0,
        "{}",
        report.reasons.join("; ")
    );
    assert_eq!(report.worker.cleanup, ["tracked"]);
    assert!(!report.as_expected);
}
