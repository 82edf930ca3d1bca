//! Killing a half of the harness with SIGKILL, in the middle of a run with many children that ignore everything: nothing may outlive
//! it for more than two seconds.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use fake_claude::quantity::Span;
use leak_harness::clock::Clock;
use leak_harness::isolation::Wanted;
use leak_harness::platform::{Stat, Watched};
use leak_harness::process::ProcessState;
use leak_harness::units::RunTime;
use libtest_mimic::Failed;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::cases::kind;

/// Who is killed.
pub const VICTIMS: [&str; 2] = ["inner", "outer"];
/// A user who is allowed nothing.
pub const NOBODY: u32 = 65_534;

/// How many children there are.
pub const CHILDREN: u32 = 300;
/// How long they may live then. On an idle machine it is well below two seconds.
const LIMIT: Span = Span::from_secs(20);

/// Kills one half, and looks from outside at every process that there was.
pub fn nothing_outlives(
    victim: &str,
    wanted: Wanted,
    uid: Option<u32>,
    program: &Path,
) -> Result<(), Failed> {
    let mut command = Command::new(program);
    command.args(["__outer", kind(wanted), "hold"]);
    command.current_dir("/").stdout(Stdio::piped());
    if let Some(uid) = uid {
        command.uid(uid).gid(uid);
    }
    let mut outer = command.spawn()?;
    let mut said = BufReader::new(outer.stdout.take().ok_or("no stdout")?);
    let mut line = String::new();
    said.read_line(&mut line)?;
    said.read_line(&mut line)?;
    let pids: Vec<u32> = line
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    if pids.len() != CHILDREN as usize + 1 {
        return Err(format!("{} processes instead of {CHILDREN} and one", pids.len()).into());
    }
    let watched: Vec<(Watched, Stat)> = pids
        .iter()
        .map(|pid| Ok(Watched::open(*pid)?.ok_or("a child was gone before the kill")?))
        .collect::<Result<_, Failed>>()?;

    let clock = Clock::start();
    match victim {
        "inner" => assert!(watched[0].0.signal(libc::SIGKILL)?),
        _ => outer.kill()?,
    }
    let living = wait_for_all(&watched, &clock);
    for (process, _) in &watched {
        let _ = process.signal(libc::SIGKILL);
    }
    said.read_to_end(&mut Vec::new())?;
    let status = outer.wait()?;
    if living > 0 {
        return Err(format!(
            "{living} processes lived {} ms after the kill",
            LIMIT.as_millis()
        )
        .into());
    }
    if victim == "inner" && !status.success() {
        return Err(format!("outer ended with {status}").into());
    }
    Ok(())
}

/// Waits until all have ended; gives how many have not, long enough after the clock's start.
fn wait_for_all(watched: &[(Watched, Stat)], clock: &Clock) -> usize {
    let deadline = RunTime::START + LIMIT;
    loop {
        let living: Vec<&Watched> = watched
            .iter()
            .map(|(process, _)| process)
            .filter(|process| {
                matches!(process.stat(), Ok(Some(stat)) if stat.state != ProcessState::Zombie)
            })
            .collect();
        let rest = clock.until(deadline);
        if living.is_empty() || rest.is_zero() {
            return living.len();
        }
        let mut fds: Vec<PollFd<'_>> = living
            .iter()
            .take(1)
            .filter_map(|process| process.has_ended_fd())
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let _ = poll(&mut fds, PollTimeout::try_from(rest).unwrap());
    }
}
