//! Linux: everything is read straight from `/proc`, with the files of each known process kept open.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::proc_text::{self, FileKind};
use super::socket_diag::{self, Peer};
use super::{Exit, ShortName, Stat, StdinHolders, unless_gone};
use crate::process::{ProcessIdentity, ProcessState};

/// Whether orphans of the run come to the harness, so that nothing that descends from it can leave its sight.
pub const KEEPS_ORPHANS: bool = true;
/// Whether a start time is fine enough, and the same for every reader, to tell two processes of one pid apart.
pub const START_TIMES_ARE_EXACT: bool = true;

/// A stat line is shorter than this, whatever the process is called.
const STAT_LENGTH: usize = 2_048;

/// Lists the pids that exist now, without allocating once its buffers have grown.
#[derive(Debug)]
pub struct Pids {
    directory: File,
    buffer: Vec<u8>,
}

impl Pids {
    /// Opens the process table.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            directory: File::open("/proc")?,
            buffer: vec![0; 32 << 10],
        })
    }

    /// Puts every pid of the table into `pids`, in rising order; what was there is forgotten.
    pub fn read(&mut self, pids: &mut Vec<u32>) -> io::Result<()> {
        pids.clear();
        nix::unistd::lseek(&self.directory, 0, nix::unistd::Whence::SeekSet)?;
        loop {
            // SAFETY: the buffer is live, writable and of the length given.
            let length = unsafe {
                libc::syscall(
                    libc::SYS_getdents64,
                    self.directory.as_raw_fd(),
                    self.buffer.as_mut_ptr(),
                    self.buffer.len(),
                )
            };
            match length {
                0 => break,
                1.. => directory_pids(&self.buffer[..length as usize], pids),
                _ => return Err(io::Error::last_os_error()),
            }
        }
        pids.sort_unstable();
        Ok(())
    }
}

/// The names that are numbers, in one answer of `getdents64`.
fn directory_pids(mut entries: &[u8], pids: &mut Vec<u32>) {
    // An entry is: inode (8 bytes), offset (8), its own length (2), kind (1), name, ended by a zero.
    while let Some(length) = entries.get(16..18) {
        let length = usize::from(u16::from_ne_bytes([length[0], length[1]]));
        if let Some(name) = entries.get(19..length.max(19)) {
            let digits = name.split(|byte| *byte == 0).next().unwrap_or_default();
            if let Some(pid) = std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse().ok())
            {
                pids.push(pid);
            }
        }
        entries = entries.get(length.max(1)..).unwrap_or_default();
    }
}

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

/// A child of this process that has ended and waits to be reaped; it stays a zombie, and can be looked at, until [`reap`].
pub fn dead_child() -> io::Result<Option<u32>> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    match waitid(Id::All, flags) {
        Ok(status) => Ok(status.pid().map(|pid| pid.as_raw() as u32)),
        Err(nix::Error::ECHILD) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reaps a child that [`dead_child`] named.
pub fn reap(pid: u32) -> io::Result<Exit> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
    Ok(match waitid(Id::Pid(Pid::from_raw(pid as i32)), flags)? {
        WaitStatus::Exited(_, code) => Exit {
            code: Some(code),
            signal: None,
        },
        WaitStatus::Signaled(_, signal, _) => Exit {
            code: None,
            signal: Some(signal as i32),
        },
        _ => Exit::default(),
    })
}

/// The command line of a process, as [`proc_text::command`] writes it.
pub fn command(pid: u32, name: &ShortName) -> String {
    let mut buffer = [0; 4 * proc_text::COMMAND_LENGTH];
    let length = File::open(format!("/proc/{pid}/cmdline"))
        .and_then(|file| file.read_at(&mut buffer, 0))
        .unwrap_or(0);
    proc_text::command(&buffer[..length], name)
}

/// Whether the environment that a process was started with holds this `NAME=value`. None where it may not be read.
pub fn has_environment_entry(pid: u32, entry: &[u8]) -> Option<bool> {
    std::fs::read(format!("/proc/{pid}/environ"))
        .ok()
        .map(|environ| proc_text::has_entry(&environ, entry))
}

/// The proportional set size of a process in bytes. Costs milliseconds for a process that maps much.
pub fn pss_bytes(pid: u32) -> io::Result<Option<u64>> {
    let text = unless_gone(std::fs::read(format!("/proc/{pid}/smaps_rollup")))?;
    Ok(text.and_then(|text| proc_text::pss_bytes(&text)))
}

/// How many files a process has open. None where that may not be read.
pub fn open_file_count(pid: u32) -> Option<u32> {
    let path = format!("/proc/{pid}/fd");
    // Kernels from 6.2 on give the count as the directory's size.
    match std::fs::metadata(&path).ok()?.size() {
        0 => std::fs::read_dir(&path)
            .ok()
            .map(|entries| entries.count() as u32),
        count => Some(count as u32),
    }
}

/// Looks for the holders of the other ends of some processes' stdin, in one pass over the open files of the tree.
#[derive(Debug)]
pub struct StdinHolderSearch {
    examined: Vec<(ProcessIdentity, StdinHolders)>,
    wanted: HashMap<FileKind, Vec<usize>>,
}

impl StdinHolderSearch {
    /// Begins a search for these processes.
    pub fn new(examined: &[ProcessIdentity]) -> Self {
        let stdins: Vec<Option<FileKind>> =
            examined.iter().map(|process| stdin(process.pid)).collect();
        let peers = stdins
            .iter()
            .any(|kind| matches!(kind, Some(FileKind::Socket(_))))
            .then(|| socket_diag::unix_peers().ok())
            .flatten();
        let mut wanted: HashMap<FileKind, Vec<usize>> = HashMap::new();
        let mut results = Vec::with_capacity(examined.len());
        for (index, (process, stdin)) in examined.iter().zip(stdins).enumerate() {
            let mut known = true;
            let other_end = match stdin {
                Some(FileKind::Pipe(inode)) => Some(FileKind::Pipe(inode)),
                Some(FileKind::Socket(inode)) => match peers.as_ref().and_then(|p| p.get(&inode)) {
                    // Whoever still holds a finished end holds nothing back: the reader has its EOF.
                    Some(Peer { finished: true, .. }) => None,
                    Some(Peer { inode, .. }) => inode.map(FileKind::Socket),
                    None => {
                        known = false;
                        None
                    }
                },
                Some(FileKind::Other) => None,
                None => {
                    known = false;
                    None
                }
            };
            if let Some(kind) = other_end {
                wanted.entry(kind).or_default().push(index);
            }
            results.push((
                *process,
                StdinHolders {
                    holders: Vec::new(),
                    known,
                },
            ));
        }
        Self {
            examined: results,
            wanted,
        }
    }

    /// Looks through the open files of one process.
    pub fn look_at(&mut self, holder: ProcessIdentity) {
        if self.wanted.is_empty() {
            return;
        }
        match files(holder.pid) {
            Ok(Some(files)) => {
                for (kind, may_write) in files {
                    if matches!(kind, FileKind::Pipe(_)) && !may_write {
                        continue;
                    }
                    for &index in self.wanted.get(&kind).map_or(&[][..], Vec::as_slice) {
                        let (process, result) = &mut self.examined[index];
                        if *process != holder && !result.holders.contains(&holder) {
                            result.holders.push(holder);
                        }
                    }
                }
            }
            Ok(None) => {}
            // A process whose files may not be read may be the holder of any.
            Err(_) => {
                for &index in self.wanted.values().flatten() {
                    self.examined[index].1.known = false;
                }
            }
        }
    }

    /// The holders of each process, in the order that was asked for.
    pub fn finish(self) -> Vec<(ProcessIdentity, StdinHolders)> {
        self.examined
    }
}

fn stdin(pid: u32) -> Option<FileKind> {
    match std::fs::read_link(format!("/proc/{pid}/fd/0")) {
        Ok(link) => Some(FileKind::from_link(link.as_os_str().as_bytes())),
        // A process without a stdin reads none, as long as it is really the file that is missing.
        Err(error) if super::is_gone(&error) => std::fs::metadata(format!("/proc/{pid}/fd"))
            .is_ok()
            .then_some(FileKind::Other),
        Err(_) => None,
    }
}

/// The pipes and sockets that a process has open, and whether it may write to each. None when it is gone.
fn files(pid: u32) -> io::Result<Option<Vec<(FileKind, bool)>>> {
    let Some(entries) = unless_gone(std::fs::read_dir(format!("/proc/{pid}/fd")))? else {
        return Ok(None);
    };
    let mut files = Vec::new();
    for entry in entries {
        // A file may be closed, and the process end, while we look.
        let Some(entry) = unless_gone(entry)? else {
            break;
        };
        let Some(link) = unless_gone(std::fs::read_link(entry.path()))? else {
            continue;
        };
        let kind = FileKind::from_link(link.as_os_str().as_bytes());
        if kind == FileKind::Other {
            continue;
        }
        // The permissions of the link itself are how the file was opened.
        if let Some(link) = unless_gone(std::fs::symlink_metadata(entry.path()))? {
            files.push((kind, link.mode() & 0o200 != 0));
        }
    }
    Ok(Some(files))
}

/// The physical memory of the machine in bytes; 0 where it is not told.
pub fn memory_bytes() -> u64 {
    std::fs::read("/proc/meminfo")
        .ok()
        .and_then(|text| proc_text::memory_bytes(&text))
        .unwrap_or(0)
}

/// The bytes of a page of memory.
pub fn page_size() -> u64 {
    // SAFETY: plain call without pointers.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as u64 }
}

/// The processor time that this process has used so far.
pub fn processor_time() -> Duration {
    super::portable::processor_time()
}

/// How long this process was ready to run and had to wait for a processor, so far. None where that is not counted.
pub fn scheduling_wait() -> Option<Duration> {
    let text = std::fs::read("/proc/self/schedstat").ok()?;
    proc_text::scheduling_wait_ns(&text).map(Duration::from_nanos)
}

/// A file of this size that lives in memory alone, and whose size nobody can change, to be mapped by many processes.
pub fn shared_memory_file(bytes: u64) -> io::Result<OwnedFd> {
    use nix::fcntl::{FcntlArg, SealFlag, fcntl};
    use nix::sys::memfd::{MFdFlags, memfd_create};
    let file = memfd_create(
        c"leak-harness-ballast",
        MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING,
    )?;
    nix::unistd::ftruncate(&file, i64::try_from(bytes).map_err(io::Error::other)?)?;
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file)
}

/// Makes orphans of this process's descendants its own children.
pub fn become_subreaper() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

/// Ties the calling process to its parent: it is killed when the thread that started it ends. For use between fork and exec.
/// `parent` is the pid that the parent has for its children; a parent that is gone already is an error.
pub fn die_with_parent(parent: u32) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    // SAFETY: plain call without pointers, safe between fork and exec.
    if unsafe { libc::getppid() } as u32 == parent {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::ESRCH))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    /// A process that reads its stdin until its end.
    fn reader() -> std::process::Child {
        Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn kernel_is_at_least(major: u32, minor: u32) -> bool {
        let name = nix::sys::utsname::uname().unwrap();
        let mut numbers = name.release().to_str().unwrap().split(['.', '-']);
        let mut number = || numbers.next().unwrap().parse::<u32>().unwrap();
        (number(), number()) >= (major, minor)
    }

    fn identity(pid: u32) -> ProcessIdentity {
        stat_of(pid).unwrap().unwrap().process
    }

    /// Waits until the kernel says that the process ended.
    fn wait_for_end(watched: &Watched) {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let fd = watched.has_ended_fd().unwrap();
        let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, PollTimeout::from(5_000_u16)).unwrap(), 1);
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

    #[test]
    fn the_table_lists_this_process_and_its_child() {
        let mut child = reader();
        let mut pids = Vec::new();
        let mut table = Pids::open().unwrap();
        for _ in 0..2 {
            table.read(&mut pids).unwrap();
            assert!(pids.binary_search(&std::process::id()).is_ok());
            assert!(pids.binary_search(&child.id()).is_ok());
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        table.read(&mut pids).unwrap();
        assert!(pids.binary_search(&child.id()).is_err());
    }

    #[test]
    fn the_holder_of_a_pipe_is_found_and_a_reader_of_it_is_not() {
        let mut child = reader();
        let (child_identity, own) = (identity(child.id()), identity(std::process::id()));
        let search = |child_identity| {
            let mut search = StdinHolderSearch::new(&[child_identity]);
            search.look_at(child_identity);
            search.look_at(own);
            search.finish().remove(0).1
        };
        let held = search(child_identity);
        assert_eq!((held.holders, held.known), (vec![own], true));
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn the_holder_of_a_socket_is_found_until_it_is_shut_down() {
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut child = Command::new("cat")
            .stdin(OwnedFd::from(near))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (child_identity, own) = (identity(child.id()), identity(std::process::id()));
        let search = || {
            let mut search = StdinHolderSearch::new(&[child_identity]);
            search.look_at(own);
            search.finish().remove(0).1
        };
        let held = search();
        assert_eq!((held.holders, held.known), (vec![own], true));

        let (watched, _) = Watched::open(child.id()).unwrap().unwrap();
        far.shutdown(std::net::Shutdown::Write).unwrap();
        wait_for_end(&watched);
        child.wait().unwrap();
    }

    #[test]
    fn a_shared_memory_file_keeps_its_size() {
        let file = File::from(shared_memory_file(1 << 20).unwrap());
        assert_eq!(file.metadata().unwrap().len(), 1 << 20);
        assert!(file.set_len(1 << 19).is_err());
        assert!(file.set_len(1 << 21).is_err());
    }

    #[test]
    fn memory_and_files_of_this_process_can_be_read() {
        let own = std::process::id();
        assert!(pss_bytes(own).unwrap().unwrap() > 100_000);
        assert!(open_file_count(own).unwrap() > 3);
        assert!(memory_bytes() > 1 << 26);
        assert!(page_size() >= 4_096);
        let name = stat_of(own).unwrap().unwrap().name;
        assert!(command(own, &name).contains("leak_harness"));
        assert_eq!(has_environment_entry(own, b"NO_SUCH=entry"), Some(false));
    }
}
