//! The inner process's side: takes the plan over, hears commands, sends messages, and ends with its outer.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream as StdStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, mpsc};

use super::link::{self, Introduction};
use super::{INNER_ARGUMENT, IsolationError, UserLimits, tree};
use crate::platform;
use crate::timeline::event::Isolation;

/// The exit code of an inner process whose outer is gone; nobody is there to read it.
const ORPHANED: i32 = 70;

/// What outer may ask of a run that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// End the run in order.
    Stop,
    /// End the run at once.
    StopNow,
}

/// What an inner process is given.
#[derive(Debug)]
pub struct Adopted {
    /// The plan, as outer wrote it.
    pub plan: Vec<u8>,
    /// The link to outer.
    pub outer: OuterLink,
    /// The walls around this process.
    pub isolation: Isolation,
    /// The host's `/proc`, where this process has another.
    pub host_proc: Option<OwnedFd>,
    /// The limits that the user had; this process has raised its own.
    pub user_limits: UserLimits,
}

/// Whether this process was started as an inner one.
pub fn is_inner() -> bool {
    std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == INNER_ARGUMENT)
}

/// Takes over what outer has prepared: the plan and the link; becomes the parent of orphans; raises the limit of open files; ties its
/// life to outer's. To be called first of all, once.
pub fn adopt() -> Result<Adopted, IsolationError> {
    let link = std::env::args_os()
        .nth(2)
        .filter(|_| is_inner())
        .and_then(|argument| argument.to_str()?.parse::<RawFd>().ok())
        .filter(|fd| *fd > libc::STDERR_FILENO && is_socket(*fd))
        .ok_or(IsolationError::NotByOuter)?;
    close_on_exec(link).map_err(IsolationError::HandOver)?;
    // SAFETY: the file is open, a socket, and named to nobody but this call, which is made once.
    let mut stream = StdStream::from(unsafe { OwnedFd::from_raw_fd(link) });
    let introduction = link::read_frame(&mut stream).map_err(IsolationError::HandOver)?;
    let introduction: Introduction = serde_json::from_slice(&introduction)
        .map_err(|error| IsolationError::HandOver(error.into()))?;
    let plan = link::read_frame(&mut stream).map_err(IsolationError::HandOver)?;
    let host_proc = match introduction.host_proc {
        Some(fd) => {
            close_on_exec(fd).map_err(IsolationError::HandOver)?;
            // SAFETY: outer opened this file for this process and named it to nobody else.
            Some(unsafe { OwnedFd::from_raw_fd(fd) })
        }
        None => None,
    };
    if introduction.isolation.pid_namespace {
        // An exec that takes capabilities away may untie it. Seen from inside, the parent's pid is 0.
        platform::die_with_parent(0).map_err(IsolationError::HandOver)?;
    } else if platform::KEEPS_ORPHANS {
        platform::become_subreaper().map_err(IsolationError::Subreaper)?;
    }
    name_this_process();
    if !introduction.isolation.pid_namespace {
        end_with(&stream).map_err(IsolationError::HandOver)?;
    }
    Ok(Adopted {
        plan,
        outer: OuterLink {
            stream,
            pid_namespace: introduction.isolation.pid_namespace,
        },
        isolation: introduction.isolation,
        host_proc,
        user_limits: UserLimits::raise().map_err(IsolationError::Start)?,
    })
}

/// Whether outer is gone. Set before anything is killed for that reason.
static ORPHANED_NOW: AtomicBool = AtomicBool::new(false);

/// Whether outer is gone, so that whatever ends now is ended by this process and says nothing about the worker.
pub fn is_orphaned() -> bool {
    ORPHANED_NOW.load(Ordering::SeqCst)
}

/// Ends this process, and all that descends from it, when outer is gone: at once, whatever the run is doing. This is the one thread
/// beside the run's, and only where the kernel does not do the same for PID 1: a run that is stuck must not outlive its outer either.
fn end_with(stream: &StdStream) -> io::Result<()> {
    let lifeline = stream.try_clone()?;
    std::thread::Builder::new()
        .name("lifeline".to_owned())
        .spawn(move || {
            // No events are asked for, so only the hang-up is told. An error is as good as one.
            let mut fds = [PollFd::new(lifeline.as_fd(), PollFlags::empty())];
            while poll(&mut fds, PollTimeout::NONE) == Err(Errno::EINTR) {}
            ORPHANED_NOW.store(true, Ordering::SeqCst);
            // Nobody is left to hear of a failure.
            let _ = tree::end_descendants(&BTreeSet::new());
            exit_orphaned();
        })?;
    Ok(())
}

fn is_socket(fd: RawFd) -> bool {
    // SAFETY: the pointer is to a live value, for which all zeros is valid.
    unsafe {
        let mut found: libc::stat = std::mem::zeroed();
        libc::fstat(fd, &raw mut found) == 0 && found.st_mode & libc::S_IFMT == libc::S_IFSOCK
    }
}

fn close_on_exec(fd: RawFd) -> io::Result<()> {
    // SAFETY: plain system call without pointers.
    match unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A process that was executed by the kernel's link would be called `exe` in the user's `ps`.
fn name_this_process() {
    #[cfg(target_os = "linux")]
    if let Ok(name) = std::ffi::CString::new(env!("CARGO_PKG_NAME")) {
        // Only a name; a system that refuses shows the other one.
        let _ = nix::sys::prctl::set_name(&name);
    }
}

/// The link to outer, before there is a runtime.
#[derive(Debug)]
pub struct OuterLink {
    stream: StdStream,
    pid_namespace: bool,
}

impl OuterLink {
    /// Starts listening to outer. Must be called on a `LocalSet`. The end of outer is the end of this process, and of all that descends
    /// from it: at once, in the middle of whatever the run is doing.
    pub fn open(self) -> io::Result<(mpsc::UnboundedReceiver<Command>, ToOuter)> {
        self.stream.set_nonblocking(true)?;
        let (reader, writer) = UnixStream::from_std(self.stream)?.into_split();
        let (sender, commands) = mpsc::unbounded_channel();
        tokio::task::spawn_local(listen(reader, sender, self.pid_namespace));
        let to_outer = ToOuter {
            writer: Rc::new(Mutex::new(writer)),
        };
        Ok((commands, to_outer))
    }
}

async fn listen(
    mut reader: OwnedReadHalf,
    commands: mpsc::UnboundedSender<Command>,
    pid_namespace: bool,
) {
    let mut received = Vec::new();
    while matches!(reader.read_buf(&mut received).await, Ok(1..)) {
        while let Some(frame) = link::take_frame(&mut received) {
            // Outer is this same program, so a frame that is no command cannot be meant for anybody.
            if let Ok(command) = serde_json::from_slice(&frame) {
                // A run that is past listening is ending anyway.
                let _ = commands.send(command);
            }
        }
    }
    // The kernel ends this process as well, and with PID 1 the whole namespace. Without one, the thread of the lifeline is at work.
    if pid_namespace {
        exit_orphaned();
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "everything that was started is ended by now, and there is nobody to report to"
)]
fn exit_orphaned() -> ! {
    std::process::exit(ORPHANED)
}

/// Sends messages to outer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ToOuter {
    writer: Rc<Mutex<OwnedWriteHalf>>,
}

impl ToOuter {
    /// Sends one message, a JSON text without a newline. Waits while outer is slow to read.
    pub async fn send(&self, message: &[u8]) -> io::Result<()> {
        let mut line = Vec::with_capacity(message.len() + 1);
        line.extend_from_slice(message);
        line.push(b'\n');
        self.writer.lock().await.write_all(&line).await
    }
}
