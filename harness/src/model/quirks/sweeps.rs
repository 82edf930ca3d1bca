//! `sweeps-parent-one`, `sweeps-descendants`: reapers that look at the wrong thing. `terms-the-tree`, `kills-tools-after-turn`: who signals
//! what its children have started.
//!
//! All signal a process by its identity, and only one that descends from the daemon: a sweep that is wrong about its own family must
//! not be wrong about strangers.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::model::processes::{Child, ProcessManager, numbers, own_children};
use crate::platform::{Watched, stat_of};
use crate::process::ProcessIdentity;

/// The parent of whatever has lost its own.
const ORPHANAGE: u32 = 1;
/// How far up a chain of parents is followed.
const DEPTH: usize = 32;

/// Ends, at intervals, whatever of the daemon's descendants has lost its parent, and nothing else.
pub(in crate::model) async fn sweep_parent_one(interval: Duration) {
    let mut known = BTreeSet::new();
    let mut ticks = ticks(interval);
    loop {
        ticks.tick().await;
        known.retain(|process| end_if_child_of(ORPHANAGE, *process));
        known.extend(below(own_children()).iter().map(Watched::process));
    }
}

/// Ends one that was a descendant, if it has a certain parent by now. Tells whether it is still there.
fn end_if_child_of(wanted: u32, process: ProcessIdentity) -> bool {
    let Ok(Some(watched)) = Watched::open_identity(process) else {
        return false;
    };
    let parent = watched.stat().ok().flatten().map(|stat| stat.ppid);
    if parent == Some(wanted) {
        let _ = watched.signal(Signal::SIGTERM as i32);
    }
    parent.is_some()
}

/// Ends, at intervals, every descendant that is no child of the daemon's own: what its claudes have started, at work or not.
pub(in crate::model) async fn sweep_descendants(
    processes: Arc<ProcessManager>,
    interval: Duration,
) {
    let mut ticks = ticks(interval);
    loop {
        ticks.tick().await;
        end_what_children_started(&processes);
    }
}

/// SIGTERM for every descendant that the daemon has not started itself.
pub(in crate::model) fn end_what_children_started(processes: &ProcessManager) {
    for watched in below(own_children()) {
        let pid = watched.process().pid;
        if !processes.has_started(pid) && descends(&watched) {
            let _ = watched.signal(Signal::SIGTERM as i32);
        }
    }
}

/// SIGKILL for all that a child of the daemon's has started.
pub(in crate::model) fn kill_what_it_started(child: &Child) {
    for watched in below(children_of(child.pid())) {
        if descends(&watched) {
            let _ = watched.signal(Signal::SIGKILL as i32);
        }
    }
}

fn ticks(interval: Duration) -> tokio::time::Interval {
    let mut ticks = interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// These processes and those below them, each held open. Where the kernel does not list the children of others, these alone.
fn below(mut pids: Vec<u32>) -> Vec<Watched> {
    let mut found = Vec::new();
    while let Some(pid) = pids.pop() {
        if let Ok(Some((watched, _))) = Watched::open(pid) {
            pids.extend(children_of(pid));
            found.push(watched);
        }
    }
    found
}

fn children_of(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| numbers(&list).collect::<Vec<_>>())
        .collect()
}

/// Whether the chain of parents of a process that is held open leads to this daemon now.
fn descends(watched: &Watched) -> bool {
    let mut parent = watched.stat().ok().flatten().map(|stat| stat.ppid);
    for _ in 0..DEPTH {
        match parent {
            Some(pid) if pid == std::process::id() => return true,
            Some(pid) if pid > 1 => parent = stat_of(pid).ok().flatten().map(|stat| stat.ppid),
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A child that ends with its stdin, or by a signal.
    fn child() -> (Child, Watched) {
        let child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let (watched, _) = Watched::open(child.id()).unwrap().unwrap();
        (child, watched)
    }

    #[test]
    fn only_what_has_the_wanted_parent_is_ended() {
        let (mut child, watched) = child();
        assert!(end_if_child_of(ORPHANAGE, watched.process()));
        assert!(child.try_wait().unwrap().is_none(), "it has a parent");
        assert!(end_if_child_of(std::process::id(), watched.process()));
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(Signal::SIGTERM as i32));
        assert!(!end_if_child_of(std::process::id(), watched.process()));
    }

    #[test]
    fn descendants_are_those_whose_parents_lead_here() {
        let (mut child, watched) = child();
        assert!(descends(&watched));
        let found = below(own_children());
        assert!(
            found
                .iter()
                .any(|found| found.process() == watched.process())
        );
        let parent = std::os::unix::process::parent_id();
        if let Some((parent, _)) = Watched::open(parent).unwrap() {
            assert!(!descends(&parent));
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(!descends(&watched));
    }
}
