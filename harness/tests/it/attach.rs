//! `attach` on live daemons: who belongs to them is found, nobody is signalled, nothing is left behind.

use std::fs::{self, File};
use std::io::BufRead;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use leak_harness::attach::evidence::{Evidence, Relation};
use leak_harness::attach::growth::Trend;
use leak_harness::attach::report::{AttachReport, End, Line};
use leak_harness::platform::{Pids, Watched, stat_of};
use leak_harness::process::ProcessState;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

use crate::support::{DEADLINE, Ground, Said, wait_for};

/// A mark by which the daemon of these tests finds what it started. This test does not carry it, and each daemon has a value of its own:
/// the tests run side by side, and one's daemon would be the other's relative.
const MARK: &str = "INVOCATION_ID";
/// What must show nowhere.
const SECRET: &str = "hunter2hunter2";

/// A daemon that is a small shell, then `cat`: it never waits for a child. All of its processes hold the pipe on which its stdin is, so
/// that they end when the test does; one child ends earlier, when the test says so, since a shell would still take notice of it.
const DAEMON: &str = r#"
    exec 4<&0
    talk="--input-format stream-json --output-format stream-json --verbose"
    "$1" $talk --resume 0f3a1b2c-aaaa-4bbb-8ccc-0123456789ab --mcp-config "{\"env\":{\"API_KEY\":\"$SECRET\"}}" <&4 &
    "$1" $talk --resume 99999999-aaaa-4bbb-8ccc-0123456789ab --mcp-config "{\"env\":{\"API_KEY\":\"$SECRET\"}}" <&4 &
    "$1" $talk --model dies <"$2/death" &
    ( "$1" $talk --model marked <&4 & )
    ( env -u INVOCATION_ID "$1" $talk --model files <&4 3>"$2/held" & )
    ( env -u INVOCATION_ID "$1" $talk --model stranger <&4 & )
    exec cat
"#;

/// A daemon with children, a zombie, relatives and a stranger.
struct Daemon {
    ground: Ground,
    child: Child,
}

impl Daemon {
    fn start() -> Self {
        let ground = Ground::new();
        let fake = Path::new(env!("CARGO_BIN_EXE_leak-harness")).with_file_name("fake-claude");
        assert!(fake.exists(), "not built: cargo build -p fake-claude");
        // A link and no copy: what was just written cannot be executed while a test that forks has it open.
        symlink(fake, ground.path("claude")).expect("it can be written to");
        fs::create_dir(ground.path("data")).expect("it can be written to");
        mkfifo(&ground.path("data/death"), Mode::S_IRWXU).expect("it can be written to");
        let own = ground.path("").to_string_lossy().into_owned();
        let mut command = Command::new("sh");
        command
            .args(["-c", DAEMON, "daemon"])
            .args([ground.path("claude"), ground.path("data")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .env(MARK, own)
            .env("SECRET", SECRET)
            .env("FAKE_CLAUDE_JOURNAL", ground.path("journal"))
            .env("TMPDIR", ground.path(""));
        let child = command.spawn().expect("there is a shell");
        let daemon = Self { ground, child };
        let death = daemon.ground.path("data/death");
        wait_for("the child that is to die", DEADLINE, || {
            let stat = stat_of(daemon.child.id()).ok()??;
            let mut options = File::options();
            let options = options.write(true).custom_flags(libc::O_NONBLOCK);
            // Nobody has it open before the child does.
            (stat.name.as_bytes() == b"cat").then(|| options.open(&death).ok())?
        });
        wait_for("the daemon's tree", DEADLINE, || {
            let living = daemon.ground.living();
            let claudes = living
                .iter()
                .filter(|process| process.executable.ends_with("fake-claude"));
            let is_whole = claudes.count() == 5 && has_a_zombie(daemon.child.id());
            (is_whole && daemon.ground.path("data/held").exists()).then_some(())
        });
        daemon
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }

    fn attach(&self, arguments: &[&str]) -> Command {
        let mut command = self.ground.program();
        command.arg("attach").arg(self.pid()).args(arguments);
        command
    }

    /// Lets everything of it end, and asserts that none of them ever saw a signal.
    fn end(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().expect("it is our child");
        wait_for("the end of all", DEADLINE, || {
            self.ground.living().is_empty().then_some(())
        });
        let journal = fs::read(self.ground.path("journal")).expect("the fakes wrote it");
        let says = |line: &[u8], what: &str| String::from_utf8_lossy(line).contains(what);
        let lines: Vec<_> = journal.lines().map_while(Result::ok).collect();
        let count = |what| {
            lines
                .iter()
                .filter(|line| says(line.as_bytes(), what))
                .count()
        };
        assert_eq!(count("\"hello\""), 6, "{lines:#?}");
        assert_eq!(count("\"goodbye\""), 6, "{lines:#?}");
        assert_eq!(count("\"saw_signal\""), 0, "{lines:#?}");
    }
}

/// A test that fails leaves no daemon alive; what it started ends with the pipe.
impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a child of this process is dead and was not waited for.
fn has_a_zombie(parent: u32) -> bool {
    let mut pids = Vec::new();
    let mut table = Pids::open().expect("there is a process table");
    table.read(&mut pids).expect("it can be read");
    pids.into_iter()
        .filter_map(|pid| stat_of(pid).ok().flatten())
        .any(|stat| stat.ppid == parent && stat.state == ProcessState::Zombie)
}

fn report(said: &Said) -> AttachReport {
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

fn with_model<'a>(report: &'a AttachReport, model: &str) -> Option<&'a Line> {
    let wanted = format!("--model {model}");
    report
        .relatives
        .iter()
        .find(|line| line.command.contains(&wanted))
}

#[test]
fn children_relatives_and_zombies_are_found_and_nobody_is_signalled() {
    let daemon = Daemon::start();
    let data = daemon.ground.path("data");
    let data = data.to_str().expect("it is text");
    let mut command = daemon.attach(&["--for", "3s", "--every", "200ms", "--quiet"]);
    command.args(["--json", "--out", "out", "--data", data]);
    let said = daemon.ground.finish(command).expect(0);
    assert_eq!(said.stderr, "");
    let report = report(&said);

    assert_eq!(report.watching.end, End::TimeOver);
    assert!(report.watching.looks >= 3, "{:?}", report.watching);
    assert_eq!(report.watching.cookies, ["INVOCATION_ID"]);
    assert_eq!(report.daemon.process.pid, daemon.child.id());
    assert_eq!(report.daemon.name, "cat");
    let family = report.family;
    assert_eq!((family.children, family.zombies), (2, 1), "{report:#?}");
    assert_eq!(family.reparented, 2, "{report:#?}");
    assert_eq!(family.without_pss, 0);
    assert!(family.pss_bytes > 0 && family.pss_bytes <= family.rss_bytes);
    assert_eq!((report.growth.came, report.growth.ended), (0, 0));
    assert_eq!(report.growth.trend, Trend::TooShort);

    let children = report
        .groups
        .iter()
        .find(|group| group.relation == Relation::Child && group.count == 2)
        .expect("the two children are of one kind");
    assert!(
        children.signature.starts_with("claude ") && children.signature.contains("--resume <id>"),
        "{children:?}"
    );
    let marked = with_model(&report, "marked").expect("its mark gives it away");
    let mark = Evidence::Cookie {
        variable: "INVOCATION_ID".to_owned(),
    };
    assert_eq!(marked.evidence, mark);
    let files = with_model(&report, "files").expect("its open file gives it away");
    assert!(
        matches!(&files.evidence, Evidence::OpenFile { path } if path.ends_with("data/held")),
        "{files:?}"
    );
    // It shares the user, the program and the parent with them, and neither mark nor folder nor a child's command.
    assert_eq!(with_model(&report, "stranger"), None);

    let written = fs::read_to_string(daemon.ground.path("out/attach.json"));
    assert_eq!(written.expect("it was asked for"), said.stdout);
    let block = fs::read_to_string(daemon.ground.path("out/attach.md")).expect("so was this");
    assert!(block.starts_with("### `cat` (pid "), "{block}");
    for text in [&said.stdout, &block] {
        assert!(!text.contains(SECRET), "{text}");
        assert!(!text.contains("0123456789ab"), "{text}");
        assert!(!text.contains(daemon.ground.path("").to_str().expect("it is text")));
    }
    daemon.end();
}

#[test]
fn a_daemon_that_ends_ends_the_watch_and_shows_who_is_left() {
    let mut daemon = Daemon::start();
    let file = |name: &str| File::create(daemon.ground.path(name)).expect("it can be made");
    let mut command = daemon.attach(&["--for", "10m", "--every", "200ms", "--json"]);
    command.stdout(file("out")).stderr(file("err"));
    let mut attached = command.spawn().expect("it can be started");
    let text = |daemon: &Daemon, name: &str| {
        fs::read_to_string(daemon.ground.path(name)).expect("it is text")
    };
    wait_for("the first look", DEADLINE, || {
        text(&daemon, "err").contains("2 children").then_some(())
    });
    // The pipe stays open, so that its children live on.
    let pipe = daemon.child.stdin.take();
    daemon.child.kill().expect("it is our child");
    daemon.child.wait().expect("it is our child");
    let status = wait_for("the end of the watch", DEADLINE, || {
        attached.try_wait().expect("it is our child")
    });
    let said = Said {
        code: status.code(),
        stdout: text(&daemon, "out"),
        stderr: text(&daemon, "err"),
    }
    .expect(0);
    assert!(
        said.stderr.contains("has ended, and so the watch"),
        "{said:?}"
    );
    let report = report(&said);
    assert_eq!(report.watching.end, End::DaemonEnded);
    let left: Vec<_> = report
        .relatives
        .iter()
        .filter(|line| matches!(line.evidence, Evidence::LeftTheTree { .. }))
        .collect();
    assert_eq!(left.len(), 2, "{report:#?}");
    assert!(report.daemon.rss_bytes.after > 0);
    drop(pipe);
    daemon.end();
}

#[test]
fn ctrl_c_ends_the_watch_with_a_block() {
    let daemon = Daemon::start();
    let file = |name: &str| File::create(daemon.ground.path(name)).expect("it can be made");
    let mut command = daemon.attach(&["--for", "10m"]);
    command.stdout(file("out")).stderr(file("err"));
    let mut attached = command.spawn().expect("it can be started");
    let text = |name: &str| fs::read_to_string(daemon.ground.path(name)).expect("it is text");
    wait_for("the first look", DEADLINE, || {
        (!text("err").is_empty()).then_some(())
    });
    let pid = i32::try_from(attached.id()).expect("pids are small");
    kill(Pid::from_raw(pid), Signal::SIGINT).expect("it is our child");
    let status = wait_for("the end of the watch", DEADLINE, || {
        attached.try_wait().expect("it is our child")
    });
    assert_eq!(status.code(), Some(130));
    let block = text("out");
    assert!(block.contains("stopped by hand"), "{block}");
    assert!(block.contains("| child "), "{block}");
    assert!(!block.contains(SECRET), "{block}");
    daemon.end();
}

#[test]
fn what_cannot_be_attached_to_is_said_with_a_remedy() {
    let ground = Ground::new();
    let attach = |pid: u32| {
        ground
            .call(["attach".to_owned(), pid.to_string()])
            .expect(2)
    };

    let mut child = Command::new("true").spawn().expect("there is one");
    let gone = child.id();
    wait_for("the zombie", DEADLINE, || {
        let stat = stat_of(gone).ok()??;
        (stat.state == ProcessState::Zombie).then_some(())
    });
    let said = attach(gone);
    assert!(said.stderr.contains("has ended"), "{said:?}");
    child.wait().expect("it is our child");
    let said = attach(gone);
    assert!(said.stderr.contains("there is no process"), "{said:?}");
    assert!(said.stderr.contains("ps -eo"), "{said:?}");

    let own = std::process::id();
    let threads = fs::read_dir("/proc/self/task").expect("there are threads");
    let thread = threads
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .find(|thread: &u32| *thread != own)
        .expect("tests run in threads of their own");
    let said = attach(thread);
    let remedy = format!("leak-harness attach {own}");
    assert!(said.stderr.contains(&remedy), "{said:?}");

    ground.call(["attach", "0"]).expect(2);
    ground.call(["attach", "x"]).expect(2);
    let own = own.to_string();
    let said = ground.call(["attach", &own, "--every", "1ms"]).expect(2);
    assert!(said.stderr.contains("--every"), "{said:?}");
    let said = ground.call(["attach", &own, "--data", "absent"]).expect(2);
    assert!(said.stderr.contains("absent"), "{said:?}");
    ground.assert_clean();
}

#[test]
fn a_process_of_somebody_else_is_refused_with_a_remedy() {
    let ground = Ground::new();
    // Process 1 is somebody else's to everybody but root, who may look at anything and is made somebody else here.
    let mut command = ground.program();
    command.args(["attach", "1"]);
    if nix::unistd::getuid().is_root() {
        command.uid(65_534).gid(65_534).current_dir("/");
    }
    let said: Said = command.output().expect("it can be started").into();
    let said = said.expect(2);
    assert!(said.stderr.contains("belongs to user 0"), "{said:?}");
    assert!(said.stderr.contains("sudo -u"), "{said:?}");
}

/// The model worker in a run whose sessions arrive one after another: its children stay, some of what they leave is daemonized.
fn growing() -> String {
    r#"
        name = "growing"

        [worker]
        cleanup = ["none"]
        query_end = "holds-stdin"

        [load]
        sessions = 400
        arrival = "4/s"
        observations = 1
        end = "complete"

        [claude]
        initialize = "0ms"
        turn = "20ms"

        [[claude.mix]]
        share = 0.5
        leave = "daemon"

        [expect]
        grace = "120s"
    "#
    .to_owned()
}

#[test]
fn a_worker_in_a_run_shows_its_growth_and_what_was_daemonized() {
    let ground = Ground::new();
    let scenario = ground.write("growing.toml", &growing());
    let mut command = ground.program();
    command
        .arg("run")
        .arg(scenario)
        .args(["--out", "out", "--isolation", "fallback", "--quiet"])
        .stdout(Stdio::null());
    let mut run = command.spawn().expect("it can be started");
    let worker = wait_for("the worker and something daemonized", DEADLINE, || {
        let living = ground.living();
        let worker = living
            .iter()
            .find(|process| process.command.contains("model-worker"))?
            .watched
            .process();
        let is_a_child = |ppid| living.iter().any(|it| it.watched.process().pid == ppid);
        let daemonized = living.iter().any(|process| {
            process.is_claude() && process.ppid != worker.pid && is_a_child(process.ppid)
        });
        daemonized.then_some(worker)
    });
    let pid = worker.pid.to_string();
    let said = ground
        .call(["attach", &pid, "--for", "4s", "--every", "200ms", "--json"])
        .expect(0);
    let recorded = fs::read_to_string(ground.path("out/recording/events.jsonl"));
    let report = report(&said);
    assert_eq!(report.daemon.process, worker);
    assert!(report.growth.came >= 2, "{report:#?}");
    assert!(report.growth.processes.difference() >= 2, "{report:#?}");
    assert!(report.growth.rss_bytes.difference() > 0, "{report:#?}");
    assert!(report.family.children >= 2, "{report:#?}");
    assert!(report.family.reparented >= 1, "{report:#?}");
    let cookie = Evidence::Cookie {
        variable: "LEAK_HARNESS_RUN".to_owned(),
    };
    for line in &report.relatives {
        let was_seen = matches!(line.evidence, Evidence::LeftTheTree { .. });
        assert!(was_seen || line.evidence == cookie, "{line:?}");
    }
    let recorded = recorded.expect("there is a recording");
    assert!(recorded.contains("\"hello\""));
    assert!(!recorded.contains("saw_signal"), "somebody was signalled");

    let (outer, _) = Watched::open(run.id())
        .expect("it can be asked")
        .expect("the run goes on");
    assert!(outer.signal(libc::SIGINT).expect("it is our child"));
    run.wait().expect("it is our child");
    ground.assert_clean();
}

#[test]
fn the_help_says_that_nothing_is_signalled() {
    let ground = Ground::new();
    let said = ground.call(["attach", "--help"]).expect(0);
    insta::assert_snapshot!("help_of_attach", said.stdout);
}
