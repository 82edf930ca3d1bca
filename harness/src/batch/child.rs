//! One run as a child process.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Command;
use tokio::sync::watch;

use super::{Failed, Job, Outcome};
use crate::isolation::own_program;
use crate::platform::die_with_parent;
use crate::report::json;

/// The name of the scenario file in a run's folder.
const SCENARIO: &str = "scenario.toml";
/// How much of what a failed run said is kept, in bytes.
const MESSAGE: u64 = 8_192;

/// Runs a job to its end. Each time `stops` grows, the run is asked to stop, once more than before.
pub(super) async fn run(job: &Job, mut stops: watch::Receiver<u32>) -> Outcome {
    match try_run(job, &mut stops).await {
        Ok(outcome) => outcome,
        Err(cause) => Outcome::Failed(Failed {
            code: None,
            message: format!("{}: the run cannot be made: {cause}", job.name),
        }),
    }
}

async fn try_run(job: &Job, stops: &mut watch::Receiver<u32>) -> io::Result<Outcome> {
    fs::create_dir_all(&job.out)?;
    let scenario = job.out.join(SCENARIO);
    fs::write(&scenario, &job.scenario)?;
    let mut said = tempfile::tempfile()?;
    let mut child = command(job, &scenario, &said)?.spawn()?;
    let status = loop {
        tokio::select! {
            biased;
            status = child.wait() => break status?,
            Ok(()) = stops.changed() => {
                // It has not been waited for, so this pid is its own and nobody else's.
                if let Some(pid) = child.id() {
                    let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM);
                }
            }
        }
    };
    Ok(outcome(job, status, &mut said))
}

fn command(job: &Job, scenario: &Path, said: &File) -> io::Result<Command> {
    let mut command = std::process::Command::new(own_program()?);
    command.args(["--quiet", "run", "--no-page"]).arg(scenario);
    command.arg("--out").arg(&job.out);
    for change in &job.changes {
        command.args(["--set", change]);
    }
    if let Some(seed) = job.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    if let Some(worker) = &job.worker {
        command.args(["--worker", worker]);
    }
    if let Some(isolation) = job.isolation {
        command.args(["--isolation", isolation]);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said.try_clone()?);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let parent = std::process::id();
    let mut command = Command::from(command);
    // The thread that starts it outlives it, as this kind of tie demands.
    command.kill_on_drop(true);
    // SAFETY: the closure makes two plain system calls and allocates nothing.
    unsafe {
        command.pre_exec(move || die_with_parent(parent));
    }
    Ok(command)
}

fn outcome(job: &Job, status: ExitStatus, said: &mut File) -> Outcome {
    let judged = matches!(status.code(), Some(0 | 1 | 3));
    let report = fs::read_to_string(job.out.join("report.json"))
        .map_err(|cause| cause.to_string())
        .and_then(|text| json::parse(&text).map_err(|cause| cause.to_string()));
    match report {
        Ok(report) if judged => Outcome::Judged(Box::new(report)),
        report => {
            let mut message = String::new();
            // What it said is for people; without it the exit code alone has to do.
            let _ = said
                .rewind()
                .and_then(|()| said.take(MESSAGE).read_to_string(&mut message));
            let message = match (message.trim(), report, status.signal()) {
                ("", _, Some(signal)) => format!("ended by signal {signal}"),
                ("", Err(cause), _) => format!("report.json: {cause}"),
                (said, ..) => said.to_owned(),
            };
            Outcome::Failed(Failed {
                code: status.code(),
                message,
            })
        }
    }
}
