//! A ground for one test that starts the program: a temporary folder that is its home, its cache and its place for runs; and the
//! search for processes that a run has left behind.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use leak_harness::clock::monotonic_ns;
use leak_harness::platform::Watched;
use leak_harness::process::ProcessState;
use leak_harness::report::Report;
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test gives up.
pub const DEADLINE: Duration = Duration::from_secs(300);
/// The pause between two looks at something that tells nobody when it changes.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The folder of the scenarios.
pub fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in a workspace")
        .join("scenarios")
}

/// Looks again and again until there is what was looked for.
pub fn wait_for<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = monotonic_ns();
    loop {
        if let Some(found) = look() {
            return found;
        }
        let waited = Duration::from_nanos(monotonic_ns() - start);
        assert!(waited < within, "waited {waited:?} in vain for {what}");
        thread::park_timeout(LOOK_AGAIN);
    }
}

/// What the program said when it had ended.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// The results.
    pub stdout: String,
    /// Everything else.
    pub stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("results are text"),
            stderr: String::from_utf8(output.stderr).expect("messages are text"),
        }
    }
}

impl Said {
    /// Demands an exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// The results as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A temporary folder with all that belongs to one test. The program's own temporary folders are made in it, so every process of a
/// run names it in its environment, its command line or the path of its executable.
pub struct Ground {
    _outermost: TempDir,
    folder: PathBuf,
}

impl Ground {
    /// A ground whose path is harmless.
    pub fn new() -> Self {
        Self::named("g")
    }

    /// A ground whose path ends in this name.
    pub fn named(name: impl AsRef<OsStr>) -> Self {
        let outermost = tempfile::tempdir().expect("a temporary folder can be made");
        let folder = outermost.path().join(name.as_ref());
        fs::create_dir(&folder).expect("it can be written to");
        Self {
            _outermost: outermost,
            folder,
        }
    }

    /// A path in this ground.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: impl AsRef<Path>, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("it can be written to");
        path
    }

    /// The program, in an environment in which nothing of the user's says how it is to behave.
    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leak-harness"));
        for (name, _) in std::env::vars_os() {
            if name.as_bytes().starts_with(b"LEAK_HARNESS_") {
                command.env_remove(name);
            }
        }
        command
            .env_remove("NO_COLOR")
            .env_remove("COLUMNS")
            .env("HOME", &self.folder)
            .env("XDG_CACHE_HOME", self.folder.join("cache"))
            .env("TMPDIR", &self.folder)
            .current_dir(&self.folder);
        command
    }

    /// Runs a command to its end.
    pub fn finish(&self, command: Command) -> Said {
        let output = assert_cmd::Command::from_std(command)
            .timeout(DEADLINE)
            .output();
        output.expect("it can be started").into()
    }

    /// Runs the program with these arguments.
    pub fn call<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Said {
        let mut command = self.program();
        command.args(arguments);
        self.finish(command)
    }

    /// Runs a scenario file, with its results in the folder `out`.
    pub fn run(&self, scenario: &Path, arguments: &[&str]) -> Said {
        let mut command = self.program();
        command.arg("run").arg(scenario);
        command.arg("--out").arg(self.path("out")).args(arguments);
        self.finish(command)
    }

    /// The report of the run whose results are in the folder `out`.
    pub fn report(&self) -> Report {
        let text = fs::read_to_string(self.path("out/report.json")).expect("there is a report");
        serde_json::from_str(&text).expect("it is a report")
    }

    /// The living processes that belong to this ground.
    pub fn living(&self) -> Vec<Living> {
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        names.filter_map(|pid| self.living_process(pid)).collect()
    }

    fn living_process(&self, pid: u32) -> Option<Living> {
        let (watched, _) = Watched::open(pid).ok()??;
        let path = self.folder.as_os_str().as_bytes();
        let file = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let (command, environment) = (file("cmdline"), file("environ"));
        let executable = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let names_it = |bytes: &[u8]| bytes.windows(path.len()).any(|window| window == path);
        let belongs =
            executable.starts_with(&self.folder) || names_it(&command) || names_it(&environment);
        // What is read after this is of the same process: the kept file would fail otherwise.
        let stat = watched.stat().ok()??;
        (belongs && stat.state != ProcessState::Zombie).then(|| Living {
            has_cookie: environment
                .split(|byte| *byte == 0)
                .any(|entry| entry.starts_with(b"LEAK_HARNESS_RUN=")),
            command: String::from_utf8_lossy(&command).replace('\0', " "),
            ppid: stat.ppid,
            executable,
            watched,
        })
    }

    /// Asserts that no process is left, not even the program's own.
    #[track_caller]
    pub fn assert_nothing_lives(&self) {
        let left = self.living();
        assert!(left.is_empty(), "left behind: {left:#?}");
    }

    /// Asserts that no process of a run is left, and that the runs' temporary folders are gone.
    #[track_caller]
    pub fn assert_clean(&self) {
        self.assert_nothing_lives();
        let folders: Vec<_> = fs::read_dir(&self.folder)
            .expect("it is there")
            .map(|entry| entry.expect("it can be listed").file_name())
            .filter(|name| name.as_bytes().starts_with(b"leak-harness-"))
            .collect();
        assert!(folders.is_empty(), "left behind: {folders:?}");
    }
}

/// The model worker, by an adapter file of its own: it is asked in a place where it never answers that it is ready.
pub fn never_ready(ground: &Ground, timeout: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/worker/adapters");
    let model = fs::read_to_string(folder.join("model.toml")).expect("it is text");
    let mut table: toml::Table = model.parse().expect("it is TOML");
    table.insert("name".to_owned(), "never-ready".into());
    let ready = toml::Table::from_iter([
        ("path".to_owned(), "/no-such-page".into()),
        ("timeout".to_owned(), timeout.into()),
    ]);
    table.insert("ready".to_owned(), ready.into());
    ground.write("never-ready.toml", &table.to_string())
}

/// A living process of a ground.
pub struct Living {
    /// Its identity, held open.
    pub watched: Watched,
    /// Its parent.
    pub ppid: u32,
    /// Its command line.
    pub command: String,
    /// The file that it runs.
    pub executable: PathBuf,
    /// Whether it carries a run's cookie.
    pub has_cookie: bool,
}

impl fmt::Debug for Living {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (process, ppid) = (self.watched.process(), self.ppid);
        write!(f, "{process}, child of {ppid}: {}", self.command)
    }
}

impl Living {
    /// Whether it is a `claude` of a run.
    pub fn is_claude(&self) -> bool {
        self.executable.ends_with("bin/claude")
    }
}

/// Asserts that every process that a recording names has ended, wherever its files lay.
#[track_caller]
pub fn assert_all_ended(recording: &Path) {
    let events = fs::read_to_string(recording.join("events.jsonl")).expect("there are events");
    let mut left = BTreeSet::new();
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).expect("an event is JSON");
        let seen = &event["event"]["process_seen"];
        // Without a PID namespace there is but one pid.
        let host_pid = &seen["host_pid"].as_u64();
        let (Some(host_pid), Some(start)) = (
            host_pid.or_else(|| seen["process"]["pid"].as_u64()),
            seen["process"]["start_time"].as_u64(),
        ) else {
            continue;
        };
        let living = u32::try_from(host_pid)
            .ok()
            .and_then(|pid| Watched::open(pid).ok().flatten())
            .is_some_and(|(watched, _)| watched.process().start_time == start);
        if living {
            left.insert(host_pid);
        }
    }
    assert!(left.is_empty(), "left behind: {left:?}");
}
