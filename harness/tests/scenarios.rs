//! Every scenario file is a test of its own: it must end as it expects. The last step looks for processes that were left behind.
//!
//! A scenario for a real worker that is not installed shows as ignored, with what `leak-harness install` would have to fetch; one whose
//! fault needs a PID namespace, where the machine gives none, as well.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use leak_harness::batch::default_at_once;
use leak_harness::isolation;
use leak_harness::scenario::{FaultKind, Scenario};
use leak_harness::worker::{Adapter, Cache, WorkerError, WorkerSpec};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    adopt_orphans();
    let mut arguments = Arguments::from_args();
    // A run mostly waits, so that more of them fit at once than there are cores; too many, and none is on time.
    arguments.test_threads = arguments.test_threads.or(Some(default_at_once()));
    let trials = files(&scenarios()).into_iter().map(trial).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    let left = children();
    if !left.is_empty() {
        eprintln!("the suite left processes behind: {}", left.join(", "));
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in a workspace")
        .join("scenarios")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is part of the project") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
            // An adapter may lie beside the scenarios that use it.
            && !fs::read_to_string(&path).is_ok_and(|text| Adapter::is_written_in(&text))
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn trial(file: PathBuf) -> Trial {
    let name = file
        .strip_prefix(scenarios())
        .expect("it lies below")
        .with_extension("")
        .to_string_lossy()
        .replace('\\', "/");
    let text = fs::read_to_string(&file).expect("scenarios are text");
    let missing = Scenario::parse(&name, &text)
        .ok()
        .and_then(|scenario| missing(&scenario, &file));
    let trial = Trial::test(name, move || run(&file));
    match missing {
        Some(reason) => trial.with_kind(reason).with_ignored_flag(true),
        None => trial,
    }
}

/// What a scenario needs and this machine does not have, in a few words.
fn missing(scenario: &Scenario, file: &Path) -> Option<String> {
    let reuses_pids = |scenario: &Scenario| {
        let mut faults = scenario.faults.iter();
        faults.any(|fault| fault.what == FaultKind::ReusePid)
    };
    if reuses_pids(scenario) && !gives_pid_namespaces() {
        return Some("needs a PID namespace".to_owned());
    }
    not_installed(scenario, file)
}

/// Whether a run here can have a PID namespace of its own.
fn gives_pid_namespaces() -> bool {
    isolation::probe()
        .iter()
        .any(|probe| probe.name.starts_with("PID") && probe.why_not.is_none())
}

/// What `leak-harness install` would have to fetch for a scenario with a real worker.
fn not_installed(scenario: &Scenario, file: &Path) -> Option<String> {
    let worker = &scenario.worker;
    if worker.worker.starts_with("model") {
        return None;
    }
    let cache = Cache::of_user()?;
    let spec = WorkerSpec::parse(&worker.worker).map(|spec| spec.beside(file));
    match spec.and_then(|spec| spec.resolve(worker, &cache)) {
        Err(missing @ WorkerError::Missing { .. }) => Some(missing.to_string()),
        _ => None,
    }
}

/// Runs a scenario.
fn run(file: &Path) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("out");
    let output = Command::new(env!("CARGO_BIN_EXE_leak-harness"))
        .arg("--quiet")
        .arg("run")
        .arg(file)
        .arg("--out")
        .arg(&out)
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Err(format!(
        "{}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    )
    .into())
}

/// Whatever loses its parent while the suite runs becomes a child of the suite, and is found at its end.
fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    // SAFETY: the call takes numbers alone.
    unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    }
}

/// The living children of the suite.
fn children() -> Vec<String> {
    let me = std::process::id().to_string();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok())
        .filter(|stat| {
            let mut fields = stat
                .rsplit(')')
                .next()
                .unwrap_or_default()
                .split_whitespace();
            let (state, ppid) = (fields.next(), fields.next());
            ppid == Some(&me) && state != Some("Z")
        })
        .map(|stat| stat.split(')').next().unwrap_or_default().to_owned() + ")")
        .collect()
}
