//! One process held open, and the file that tells when any of many has ended.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::platform::proc_text;
use crate::platform::{Exit, Stat, unless_gone};
use crate::process::{ProcessIdentity, ProcessState};

/// A stat line is shorter than this, whatever the process is called.
const STAT_LENGTH: usize = 2_048;

/// One process, held open: its stat file, which fails once the process is gone, and its pidfd.
#[derive(Debug)]
pub struct Watched {
    process: ProcessIdentity,
    stat: File,
    pidfd: Option<OwnedFd>,
}

impl Watched {
    /// Opens the process that has this pid now. None when there is none.
    pub fn open(pid: u32) -> io::Result<Option<(Self, Stat)>> {
        let Some(file) = unless_gone(File::open(format!("/proc/{pid}/stat")))? else {
            return Ok(None);
        };
        let Some(first) = read_stat(&file)? else {
            return Ok(None);
        };
        let pidfd = match pidfd_open(pid) {
            Ok(pidfd) => Some(pidfd),
            // Kernels before 5.3, and sandboxes that forbid the call: the stat file alone has to do.
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::ENOSYS) | Some(libc::EPERM)) =>
            {
                None
            }
            Err(error) => return unless_gone(Err(error)),
        };
        // The kept file still answers, so the pid was not given to anybody else before the pidfd was opened.
        let Some(second) = read_stat(&file)? else {
            return Ok(None);
        };
        debug_assert_eq!(first.process, second.process);
        Ok(Some((
            Self {
                process: second.process,
                stat: file,
                pidfd,
            },
            second,
        )))
    }

    /// Opens a process only if it is still the one with this identity.
    pub fn open_identity(process: ProcessIdentity) -> io::Result<Option<Self>> {
        Ok(Self::open(process.pid)?
            .map(|(watched, _)| watched)
            .filter(|watched| watched.process == process))
    }

    /// Who it is.
    pub const fn process(&self) -> ProcessIdentity {
        self.process
    }

    /// What the process is like now; None once it has ended and was waited for.
    pub fn stat(&self) -> io::Result<Option<Stat>> {
        read_stat(&self.stat)
    }

    /// How the process ended, where that can still be learned: from the zombie, or from the kernel's memory of it.
    pub fn exit(&self) -> Exit {
        if let Ok(Some(stat)) = self.stat() {
            return match stat.state {
                ProcessState::Zombie => Exit::from_wait_status(stat.exit_status),
                _ => Exit::default(),
            };
        }
        self.pidfd
            .as_ref()
            .and_then(|pidfd| exit_after_reaping(pidfd.as_fd()))
            .unwrap_or_default()
    }

    /// Sends a signal to exactly this process. Tells whether there was anybody to get it.
    pub fn signal(&self, signal: i32) -> io::Result<bool> {
        let sent = match &self.pidfd {
            // SAFETY: plain system call on a pidfd that this value owns; no pointer but a null one is passed.
            Some(pidfd) => unsafe {
                libc::syscall(
                    libc::SYS_pidfd_send_signal,
                    pidfd.as_raw_fd(),
                    signal,
                    std::ptr::null::<libc::siginfo_t>(),
                    0,
                )
            },
            None => {
                if self.stat()?.is_none() {
                    return Ok(false);
                }
                // SAFETY: plain system call without pointers.
                libc::c_long::from(unsafe { libc::kill(self.process.pid as i32, signal) })
            }
        };
        let result = if sent == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        };
        Ok(unless_gone(result)?.is_some())
    }

    /// A file that becomes readable when the process has ended.
    pub fn has_ended_fd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }
}

fn read_stat(file: &File) -> io::Result<Option<Stat>> {
    let mut buffer = [0; STAT_LENGTH];
    let Some(length) = unless_gone(file.read_at(&mut buffer, 0))? else {
        return Ok(None);
    };
    proc_text::stat(&buffer[..length]).map(Some).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "a stat file does not read as one",
        )
    })
}

/// What the table says of a pid now, without holding it open. None when there is no such process.
pub fn stat_of(pid: u32) -> io::Result<Option<Stat>> {
    match unless_gone(File::open(format!("/proc/{pid}/stat")))? {
        Some(file) => read_stat(&file),
        None => Ok(None),
    }
}

fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: plain system call without pointers; the result is checked before it is owned.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the file was just opened and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// `struct pidfd_info` in its first version.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_status: i32,
}

const PIDFD_INFO_EXIT: u64 = 1 << 3;
mod request {
    nix::ioctl_readwrite!(
        /// Asks what the kernel knows of the process behind a pidfd.
        pidfd_get_info,
        0xff,
        11,
        super::PidfdInfo
    );
}

/// How a process ended that somebody else has waited for already. Kernels from 6.15 on remember that for whoever held a pidfd.
fn exit_after_reaping(pidfd: BorrowedFd<'_>) -> Option<Exit> {
    let mut info = PidfdInfo {
        mask: PIDFD_INFO_EXIT,
        ..PidfdInfo::default()
    };
    // SAFETY: the argument is a live struct of the size that is part of the request's number.
    unsafe { request::pidfd_get_info(pidfd.as_raw_fd(), &raw mut info) }.ok()?;
    (info.mask & PIDFD_INFO_EXIT != 0).then(|| Exit::from_wait_status(info.exit_status))
}

/// One file that is readable while any watched process has ended and was not asked about.
#[derive(Debug)]
pub struct Endings {
    epoll: Epoll,
}

impl Endings {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
        })
    }

    /// Adds a process. It leaves the set when the value that watches it is dropped. A process without a pidfd is not added.
    pub fn add(&self, watched: &Watched) -> io::Result<()> {
        if let Some(pidfd) = watched.has_ended_fd() {
            // Edge-triggered: a zombie that nobody waits for would be ready for ever. The second edge is its being reaped.
            let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
            let event = EpollEvent::new(flags, u64::from(watched.process.pid));
            self.epoll.add(pidfd, event)?;
        }
        Ok(())
    }

    /// Puts the pids that ended or were reaped since the last call into `pids`.
    pub fn take(&self, pids: &mut Vec<u32>) -> io::Result<()> {
        pids.clear();
        let mut events = [EpollEvent::empty(); 128];
        loop {
            let count = self.epoll.wait(&mut events, EpollTimeout::ZERO)?;
            pids.extend(events[..count].iter().map(|event| event.data() as u32));
            if count < events.len() {
                return Ok(());
            }
        }
    }
}

impl AsRawFd for Endings {
    fn as_raw_fd(&self) -> RawFd {
        self.epoll.0.as_raw_fd()
    }
}

/// Translates processes to the pids that the user's `ps` shows.
#[derive(Debug)]
pub struct HostPids {
    host_proc: Option<OwnedFd>,
}

impl HostPids {
    /// With the host's `/proc`, opened before the run's own was mounted; without one, pids are the same inside and outside.
    pub const fn new(host_proc: Option<OwnedFd>) -> Self {
        Self { host_proc }
    }

    /// The host's pid of a process. None where it cannot be learned.
    pub fn of(&self, watched: &Watched) -> Option<u32> {
        let Some(host_proc) = &self.host_proc else {
            return Some(watched.process.pid);
        };
        // A pidfd's fdinfo shows the pid of the namespace whose /proc is read, not of the reader's.
        let path = format!("self/fdinfo/{}", watched.pidfd.as_ref()?.as_raw_fd());
        let file = File::from(
            nix::fcntl::openat(
                host_proc,
                path.as_str(),
                nix::fcntl::OFlag::O_RDONLY | nix::fcntl::OFlag::O_CLOEXEC,
                nix::sys::stat::Mode::empty(),
            )
            .ok()?,
        );
        let mut buffer = [0; 1_024];
        let length = file.read_at(&mut buffer, 0).ok()?;
        proc_text::keyed_number(&buffer[..length], "Pid:")
            .and_then(|pid| u32::try_from(pid).ok())
            .filter(|pid| *pid != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{identity, reader, wait_for_end};
    use super::*;

    fn kernel_is_at_least(major: u32, minor: u32) -> bool {
        let name = nix::sys::utsname::uname().unwrap();
        let mut numbers = name.release().to_str().unwrap().split(['.', '-']);
        let mut number = || numbers.next().unwrap().parse::<u32>().unwrap();
        (number(), number()) >= (major, minor)
    }

    #[test]
    fn a_kept_process_answers_until_it_is_reaped_and_then_never_again() {
        let mut child = reader();
        let (watched, stat) = Watched::open(child.id()).unwrap().unwrap();
        assert_eq!(stat.ppid, std::process::id());
        assert_eq!(HostPids::new(None).of(&watched), Some(child.id()));
        assert!(watched.signal(0).unwrap());

        assert!(watched.signal(libc::SIGTERM).unwrap());
        wait_for_end(&watched);
        let zombie = watched.stat().unwrap().unwrap();
        assert_eq!(zombie.state, ProcessState::Zombie);
        assert_eq!(watched.exit().signal, Some(libc::SIGTERM));

        child.wait().unwrap();
        assert_eq!(watched.stat().unwrap(), None);
        if kernel_is_at_least(6, 15) {
            assert_eq!(watched.exit().signal, Some(libc::SIGTERM));
        }
        assert!(!watched.signal(libc::SIGTERM).unwrap());
        assert_eq!(
            Watched::open_identity(stat.process).unwrap().map(|_| ()),
            None
        );
    }

    #[test]
    fn another_identity_with_the_same_pid_is_not_opened() {
        let mut child = reader();
        let process = identity(child.id());
        let other = ProcessIdentity::new(process.pid, process.start_time + 1);
        assert!(Watched::open_identity(process).unwrap().is_some());
        assert!(Watched::open_identity(other).unwrap().is_none());
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn endings_are_told_once_when_it_ends_and_once_when_it_is_reaped() {
        let mut child = reader();
        let (watched, _) = Watched::open(child.id()).unwrap().unwrap();
        let endings = Endings::new().unwrap();
        endings.add(&watched).unwrap();
        let mut pids = Vec::new();
        endings.take(&mut pids).unwrap();
        assert!(pids.is_empty());

        drop(child.stdin.take());
        wait_for_end(&watched);
        endings.take(&mut pids).unwrap();
        assert_eq!(pids, [child.id()]);
        endings.take(&mut pids).unwrap();
        assert!(pids.is_empty());
        child.wait().unwrap();
    }
}
