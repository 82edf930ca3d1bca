//! The outer process's side: starts the inner one, talks to it, waits for its end, and cleans up behind it.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::time::Duration;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};

use super::link::{self, Introduction};
use super::tree::{self, Ended};
use super::{Command, IsolationError, Wanted, ordinary};
use crate::platform::{self, Exit};
use crate::process::ProcessIdentity;
use crate::timeline::event::Isolation;

/// How long the inner process may take to read its plan.
const PATIENCE: Duration = Duration::from_secs(10);

/// The inner process, as outer sees it. Dropping it ends the lifeline, and so the run.
#[derive(Debug)]
pub struct Inner {
    pid: u32,
    isolation: Isolation,
    refused: Vec<String>,
    link: UnixStream,
    received: Vec<u8>,
    searched: usize,
    /// Descendants that outer had before, which are none of the run's.
    before: BTreeSet<ProcessIdentity>,
}

/// How the inner process ended, and what it left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerEnd {
    /// How it ended.
    pub exit: Exit,
    /// What outer had to end, where the kernel does not do that.
    pub leftovers: Ended,
}

/// Starts the inner process behind the best walls that the kernel allows, and hands it the plan. Must be called within a tokio runtime.
pub fn launch(plan: &[u8], wanted: Wanted) -> Result<Inner, IsolationError> {
    let (near, far) = StdStream::pair().map_err(IsolationError::Start)?;
    let far = OwnedFd::from(far);
    let mut refused = Vec::new();
    let mut before = BTreeSet::new();
    let behind_walls = match wanted {
        Wanted::Best => spawn_behind_walls(&far, &mut refused, &mut before)?,
        Wanted::Fallback => None,
    };
    let (pid, introduction) = match behind_walls {
        Some(spawned) => spawned,
        None => {
            before = guard()?;
            let pid = ordinary::spawn(&far).map_err(IsolationError::Start)?;
            let introduction = Introduction {
                isolation: Isolation::default(),
                host_proc: None,
            };
            (pid, introduction)
        }
    };
    drop(far);
    let link = hand_over(near, &introduction, plan).map_err(|error| {
        // The lifeline is closed by now, so the child is ending.
        let _ = waitpid(Pid::from_raw(pid as i32), None);
        IsolationError::HandOver(error)
    })?;
    Ok(Inner {
        pid,
        isolation: introduction.isolation,
        refused,
        link,
        received: Vec::new(),
        searched: 0,
        before,
    })
}

/// Becomes the parent of orphans, and gives the descendants that there are already.
fn guard() -> Result<BTreeSet<ProcessIdentity>, IsolationError> {
    if platform::KEEPS_ORPHANS {
        platform::become_subreaper().map_err(IsolationError::Subreaper)?;
    }
    let before = tree::descendants().map_err(IsolationError::Start)?;
    Ok(before.into_iter().map(|stat| stat.process).collect())
}

#[cfg(target_os = "linux")]
fn spawn_behind_walls(
    link: &OwnedFd,
    refused: &mut Vec<String>,
    before: &mut BTreeSet<ProcessIdentity>,
) -> Result<Option<(u32, Introduction)>, IsolationError> {
    use std::os::fd::AsRawFd;

    use super::namespaces::{self, Walls};

    let host_proc = std::fs::File::open("/proc").map_err(IsolationError::Start)?;
    for walls in Walls::attempts() {
        if !walls.pid {
            *before = guard()?;
        }
        match namespaces::spawn(walls, link, &host_proc) {
            Ok(pid) => {
                let introduction = Introduction {
                    isolation: walls.isolation(),
                    host_proc: walls.pid.then(|| host_proc.as_raw_fd()),
                };
                return Ok(Some((pid, introduction)));
            }
            Err(error) => refused.push(format!("{walls}: {error}")),
        }
    }
    Ok(None)
}

#[cfg(not(target_os = "linux"))]
fn spawn_behind_walls(
    _link: &OwnedFd,
    refused: &mut Vec<String>,
    _before: &mut BTreeSet<ProcessIdentity>,
) -> Result<Option<(u32, Introduction)>, IsolationError> {
    refused.push("this system has no namespaces".to_owned());
    Ok(None)
}

/// Writes the first two frames; the inner process reads them before it does anything else.
fn hand_over(
    mut stream: StdStream,
    introduction: &Introduction,
    plan: &[u8],
) -> io::Result<UnixStream> {
    stream.set_write_timeout(Some(PATIENCE))?;
    link::write_frame(&mut stream, &serde_json::to_vec(introduction)?)?;
    link::write_frame(&mut stream, plan)?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

impl Inner {
    /// Its pid, as the user's `ps` shows it.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// The walls around it.
    pub const fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// The walls that the kernel refused, each with its reason.
    pub fn refused(&self) -> &[String] {
        &self.refused
    }

    /// The next message: the bytes of one line. None when the inner process has closed its end, which it does by ending. May be
    /// dropped before it is ready without losing anything.
    pub async fn next_message(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(line) = link::take_line(&mut self.received, &mut self.searched) {
                return Ok(Some(line));
            }
            self.link.readable().await?;
            match self.link.try_read_buf(&mut self.received) {
                // What stands without a newline was cut off by the writer's death.
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks the inner process to end the run in order: no new sessions, then stop the worker, look, clean up, report.
    pub async fn stop(&mut self) -> io::Result<()> {
        self.command(Command::Stop).await
    }

    /// Asks the inner process to end the run at once: clean up and report what was seen.
    pub async fn stop_now(&mut self) -> io::Result<()> {
        self.command(Command::StopNow).await
    }

    async fn command(&mut self, command: Command) -> io::Result<()> {
        let frame = link::frame(&serde_json::to_vec(&command)?)?;
        self.link.write_all(&frame).await
    }

    /// Waits for the end of the inner process, and ends what it left behind. Nothing of the run lives when this returns; messages that
    /// were not taken are lost.
    pub async fn wait(self) -> io::Result<InnerEnd> {
        let mut child_ended = signal(SignalKind::child())?;
        let exit = loop {
            match waitpid(Pid::from_raw(self.pid as i32), Some(WaitPidFlag::WNOHANG))? {
                WaitStatus::Exited(_, code) => {
                    break Exit {
                        code: Some(code),
                        signal: None,
                    };
                }
                WaitStatus::Signaled(_, signal, _) => {
                    break Exit {
                        code: None,
                        signal: Some(signal as i32),
                    };
                }
                _ => {
                    child_ended.recv().await;
                }
            }
        };
        let leftovers = if self.isolation.pid_namespace {
            // The kernel lets PID 1 of a namespace end only after everybody else in it.
            Ended::default()
        } else {
            tree::end_descendants(&self.before)?
        };
        Ok(InnerEnd { exit, leftovers })
    }
}
