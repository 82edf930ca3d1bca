//! The end of everything that descends from a process of ours: for the guardian, and for an inner process whose outer is gone.
//!
//! Only processes whose identity was just read are killed, by their pidfd; then the table is looked at again, until it is quiet.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::platform::{self, Pids, Stat, Watched};
use crate::process::{ProcessIdentity, ProcessState};

/// How often the table is looked at again before this gives up.
const ROUNDS: u32 = 100;
/// How long a round waits for the killed to end at the most, together.
const ROUND: Duration = Duration::from_millis(200);
/// So many quiet looks in a row are the end: one alone may have missed a process that changed its parent just then.
const QUIET_LOOKS: u32 = 2;

/// What was ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// The processes that were killed.
    pub killed: Vec<ProcessIdentity>,
    /// The processes that live on in spite of it.
    pub left: Vec<ProcessIdentity>,
}

/// The processes that descend from this one now, zombies included.
pub(super) fn descendants() -> io::Result<Vec<Stat>> {
    let mut pids = Vec::new();
    Pids::open()?.read(&mut pids)?;
    let mut children: BTreeMap<u32, Vec<Stat>> = BTreeMap::new();
    for pid in pids {
        // One that vanished in between is no descendant any more; one that may not be read is not ours.
        if let Ok(Some(stat)) = platform::stat_of(pid) {
            children.entry(stat.ppid).or_default().push(stat);
        }
    }
    let mut found: Vec<Stat> = Vec::new();
    let mut parents = vec![std::process::id()];
    while let Some(parent) = parents.pop() {
        // A table that was read while processes came and went may hold a circle: each parent's children are taken once.
        let of_parent = children.remove(&parent).unwrap_or_default();
        parents.extend(of_parent.iter().map(|stat| stat.process.pid));
        found.extend(of_parent);
    }
    Ok(found)
}

/// Kills everything that descends from this process but for `spared`, and reaps what is ours, until nothing is left. Blocks.
pub fn end_descendants(spared: &BTreeSet<ProcessIdentity>) -> io::Result<Ended> {
    let own = std::process::id();
    let mut ended = Ended::default();
    let mut quiet = 0;
    for _ in 0..ROUNDS {
        let mut descendants = descendants()?;
        descendants.retain(|stat| !spared.contains(&stat.process));
        for zombie in &descendants {
            if zombie.state == ProcessState::Zombie && zombie.ppid == own {
                // Somebody else in this process may have been quicker.
                let _ = platform::reap(zombie.process.pid);
            }
        }
        descendants.retain(|stat| stat.state != ProcessState::Zombie);
        ended.left = descendants.iter().map(|stat| stat.process).collect();
        if ended.left.is_empty() {
            quiet += 1;
            if quiet == QUIET_LOOKS {
                break;
            }
            continue;
        }
        quiet = 0;
        let mut watched = Vec::with_capacity(ended.left.len());
        for process in &ended.left {
            if let Some(process) = Watched::open_identity(*process)?
                && process.signal(libc::SIGKILL)?
            {
                if !ended.killed.contains(&process.process()) {
                    ended.killed.push(process.process());
                }
                watched.push(process);
            }
        }
        wait_for(&watched);
    }
    Ok(ended)
}

/// Waits until these processes have ended, or a round's time is over.
fn wait_for(watched: &[Watched]) {
    const STEPS: u32 = 20;
    let step = PollTimeout::try_from(ROUND / STEPS).unwrap_or(PollTimeout::ZERO);
    let mut waiting: Vec<&Watched> = watched.iter().collect();
    for _ in 0..STEPS {
        waiting.retain(|process| {
            matches!(process.stat(), Ok(Some(stat)) if stat.state != ProcessState::Zombie)
        });
        let mut fds: Vec<PollFd<'_>> = waiting
            .iter()
            .filter_map(|process| process.has_ended_fd())
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        if waiting.is_empty() {
            return;
        }
        // Whatever it says, everybody is looked at again.
        let _ = poll(&mut fds, step);
    }
}
