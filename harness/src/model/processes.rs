//! ProcessManager: the children of the daemon, from their start until they were waited for.
//!
//! Every child is waited for by its own pid as soon as it has ended, as node does, so none is ever a zombie for longer than the
//! event loop needs to notice; and nothing else of this process is ever waited for. A pid that is still in the table has not been
//! waited for and therefore cannot belong to anybody else: that is the identity that a signal relies on.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::lock;
use super::policy::Shutdown;
use super::quirks::ladder::Ladder;

/// One child, also after its end.
#[derive(Debug)]
pub(super) struct Child {
    pid: u32,
    started: Instant,
    status: watch::Sender<Option<ExitStatus>>,
}

impl Child {
    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns once the child has ended and was waited for.
    pub(super) async fn exited(&self) -> ExitStatus {
        let mut status = self.status.subscribe();
        match status.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            // The sender lives in `self`.
            Err(_) => ExitStatus::default(),
        }
    }

    /// Whether the child ends within this time.
    pub(super) async fn exits_within(&self, limit: Duration) -> bool {
        timeout_at(Instant::now() + limit, self.exited())
            .await
            .is_ok()
    }
}

#[derive(Debug)]
struct Running {
    process: std::process::Child,
    child: Arc<Child>,
}

/// The table of running children.
#[derive(Debug)]
pub(super) struct ProcessManager {
    running: Mutex<HashMap<u32, Running>>,
    /// How a child is ended that has to go.
    pub(super) ladder: Ladder,
}

impl ProcessManager {
    pub(super) fn new(ladder: Ladder) -> Self {
        Self {
            running: Mutex::default(),
            ladder,
        }
    }

    /// Starts a child.
    pub(super) fn spawn(&self, command: &mut Command) -> io::Result<Arc<Child>> {
        if self.ladder.by_group {
            command.process_group(0);
        }
        let process = command.spawn()?;
        let child = Arc::new(Child {
            pid: process.id(),
            started: Instant::now(),
            status: watch::Sender::new(None),
        });
        lock(&self.running).insert(
            child.pid,
            Running {
                process,
                child: Arc::clone(&child),
            },
        );
        Ok(child)
    }

    /// Waits for children as they end, for ever. The handler for SIGCHLD is in place when this returns its future.
    pub(super) fn reap(self: Arc<Self>) -> io::Result<impl Future<Output = ()> + Send> {
        let mut child_ended = signal(SignalKind::child())?;
        Ok(async move {
            // One SIGCHLD may stand for many ends, so each asks after every child.
            while child_ended.recv().await.is_some() {
                self.wait_for_the_ended();
            }
        })
    }

    fn wait_for_the_ended(&self) {
        lock(&self.running).retain(|_, running| match running.process.try_wait() {
            Ok(None) => true,
            Ok(Some(status)) => {
                running.child.status.send_replace(Some(status));
                false
            }
            // Somebody else has waited for it: it is gone, and its status is not known.
            Err(_) => {
                running
                    .child
                    .status
                    .send_replace(Some(ExitStatus::default()));
                false
            }
        });
    }

    /// Sends a signal to a child that has not been waited for; to nobody otherwise.
    pub(super) fn signal(&self, child: &Child, signal: Signal) {
        let is_there = lock(&self.running)
            .get(&child.pid)
            .is_some_and(|running| std::ptr::eq(&*running.child, child));
        if is_there && self.ladder.by_group {
            // The group bears the number of its leader, which was not waited for: nobody else can have it.
            if let Ok(group) = i32::try_from(child.pid) {
                let _ = signal::killpg(Pid::from_raw(group), signal);
            }
        } else if is_there {
            send(child.pid, signal);
        }
    }

    /// Sends a signal to whichever child has a number now.
    pub(super) fn signal_number(&self, pid: u32, signal: Signal) {
        if self.has_started(pid) {
            send(pid, signal);
        }
    }

    /// Whether a pid is that of a child that has not been waited for.
    pub(super) fn has_started(&self, pid: u32) -> bool {
        lock(&self.running).contains_key(&pid)
    }

    /// Kills a pid that an enumeration of this daemon's children has just given. Between the two nothing is waited for, because
    /// nothing is awaited; so the pid is still that child's.
    pub(super) fn force_kill(&self, pid: u32) {
        send(pid, Signal::SIGKILL);
    }

    /// For how long a child of ours has been running; nothing for a pid that the worker did not start.
    pub(super) fn age(&self, pid: u32) -> Option<Duration> {
        lock(&self.running)
            .get(&pid)
            .map(|running| running.child.started.elapsed())
    }

    /// The children that shutdown finds. As shipped, the enumeration exists for Windows alone and finds nothing elsewhere; the
    /// report's fix for Unix is the other arm.
    pub(super) fn for_shutdown(&self, how: Shutdown) -> Vec<Arc<Child>> {
        let pids = match how {
            Shutdown::WindowsOnly => Vec::new(),
            Shutdown::Enumerate => own_children(),
        };
        let running = lock(&self.running);
        pids.iter()
            .filter_map(|pid| running.get(pid))
            .map(|running| Arc::clone(&running.child))
            .collect()
    }

    /// The report's `getChildrenForSession(parentPid, 'claude')`, which B and C need and which is not the enumeration of shutdown:
    /// every child of the daemon by that name, whichever session it serves.
    pub(super) fn children_named_claude(&self) -> Vec<u32> {
        let mut pids = own_children();
        pids.retain(|pid| is_named_claude(*pid));
        pids
    }

    /// SIGTERM, a while to obey, SIGKILL; returns when the child is gone.
    pub(super) async fn end(&self, child: &Child, kill_after: Duration) {
        self.signal(child, self.ladder.first);
        if !child.exits_within(kill_after).await && self.ladder.kills {
            self.signal(child, Signal::SIGKILL);
            child.exited().await;
        }
    }
}

fn send(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        // It may have ended already; then there is nothing to do.
        let _ = signal::kill(Pid::from_raw(pid), signal);
    }
}

/// The direct children of this daemon, dead ones that were not waited for included: what `pgrep -P` prints. Where the kernel
/// lists them itself that list is taken, because a `pgrep` for each session would be one more process for each session.
pub(super) fn own_children() -> Vec<u32> {
    let from_kernel = || -> io::Result<Vec<u32>> {
        let mut pids = Vec::new();
        for task in fs::read_dir("/proc/self/task")? {
            let list = fs::read_to_string(task?.path().join("children"))?;
            pids.extend(numbers(&list));
        }
        Ok(pids)
    };
    let from_pgrep = || -> io::Result<Vec<u32>> {
        let output = Command::new("pgrep")
            .arg("-P")
            .arg(std::process::id().to_string())
            .output()?;
        Ok(numbers(&String::from_utf8_lossy(&output.stdout)).collect())
    };
    // An enumeration that fails finds nothing, as in the report's code.
    from_kernel().or_else(|_| from_pgrep()).unwrap_or_default()
}

pub(super) fn numbers(text: &str) -> impl Iterator<Item = u32> {
    text.split_ascii_whitespace()
        .filter_map(|word| word.parse().ok())
}

/// By the name that `pgrep` goes by. Where there is no /proc every child counts: the worker starts nothing but claudes.
fn is_named_claude(pid: u32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) => name.contains("claude"),
        Err(_) => !fs::exists("/proc/self/comm").unwrap_or(false),
    }
}
