//! Isolation and witnesses with real processes: every case runs in an inner process of its own, in both kinds of isolation.
//!
//! This binary is its own cast: started with a hidden first argument it is an inner process, an outer one, or a process of the run.

mod cases;
mod cast;
mod control;
mod kills;
mod processes;
mod stage;
mod walls;

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use leak_harness::isolation::{self, Wanted, inner};
use libtest_mimic::{Arguments, Trial};
use tempfile::TempDir;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        _ if inner::is_inner() => cases::run_inner(),
        Some("__outer") => cases::run_outer(&arguments[2..]),
        Some("__cast") => cast::play(&arguments[2..]),
        Some("__probe") => ExitCode::from(u8::from(namespaces_are_refused())),
        _ => {
            let (_folder, program) = open_to_everybody().expect("this program can be copied");
            libtest_mimic::run(&Arguments::from_args(), tests(&program)).exit_code()
        }
    }
}

/// A copy of this program that an ordinary user may execute. Made before there is a thread that starts processes: a file that is
/// still open for writing in any child cannot be executed.
fn open_to_everybody() -> io::Result<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    let program = folder.path().join("witness-test");
    std::fs::copy(std::env::current_exe()?, &program)?;
    Ok((folder, program))
}

/// Whether this user can have no namespaces here, as in many a container.
fn namespaces_are_refused() -> bool {
    let probes = isolation::probe();
    probes.iter().any(|probe| probe.why_not.is_some())
}

/// The same for another user.
fn are_refused_to(uid: u32, program: &Path) -> bool {
    let mut command = Command::new(program);
    command.arg("__probe").current_dir("/").uid(uid).gid(uid);
    !command.status().is_ok_and(|status| status.success())
}

fn tests(program: &Path) -> Vec<Trial> {
    // Only root can become somebody else.
    let is_root = nix::unistd::geteuid().is_root();
    let refused = namespaces_are_refused();
    let refused_to_nobody = !is_root || are_refused_to(kills::NOBODY, program);
    let mut tests = Vec::new();
    for wanted in [Wanted::Best, Wanted::Fallback] {
        let kind = cases::kind(wanted);
        for case in cases::ALL {
            let name = format!("{kind}::{}", case.name);
            let body = move || cases::run(case.name, wanted);
            let ignored = refused && wanted == Wanted::Best;
            tests.push(Trial::test(name, body).with_ignored_flag(ignored));
        }
        for victim in kills::VICTIMS {
            for (user, uid) in [("", None), ("ordinary_user::", Some(kills::NOBODY))] {
                let program = program.to_owned();
                let name = format!("{user}{kind}::nothing_outlives_a_killed_{victim}");
                let body = move || kills::nothing_outlives(victim, wanted, uid, &program);
                let ignored = match wanted {
                    Wanted::Best if uid.is_some() => refused_to_nobody,
                    Wanted::Best => refused,
                    Wanted::Fallback => uid.is_some() && !is_root,
                };
                tests.push(Trial::test(name, body).with_ignored_flag(ignored));
            }
        }
    }
    tests
}
