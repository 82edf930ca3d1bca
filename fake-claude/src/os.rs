//! Everything that is asked of the operating system beyond what the standard library offers: the only place with system calls.
//!
//! This file holds what every Unix has. What differs lies in one of two files with the same list of items, chosen here once: how
//! signals are received with their sender, how an executable was called, kernel start times, and how ballast shows up in an RSS.

use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::ptr;
use std::time::Duration;

#[cfg(target_os = "linux")]
#[path = "os/linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "os/portable.rs"]
mod system;

pub use libc::{SIGABRT, SIGCHLD, SIGHUP, SIGINT, SIGKILL, SIGSEGV, SIGTERM};
pub use system::{
    Held, Signals, called_path, map_populated, own_ballast, process_start_time, processes,
    stdin_link,
};

/// The signals that a fake wants to hear of.
const HEARD: [libc::c_int; 4] = [SIGTERM, SIGINT, SIGHUP, SIGCHLD];

/// The standard input.
pub const STDIN: RawFd = libc::STDIN_FILENO;
/// The standard output.
pub const STDOUT: RawFd = libc::STDOUT_FILENO;
/// The standard error output.
pub const STDERR: RawFd = libc::STDERR_FILENO;

/// The most that is written to a pipe at once: a pipe that polls as writable has room for so much without blocking.
const PIPE_CHUNK: usize = 4096;

/// A signal that arrived.
#[derive(Debug, Clone, Copy)]
pub struct Arrived {
    /// The signal's number.
    pub signal: libc::c_int,
    /// The sender's pid; 0 when it is outside the receiver's namespace or is the kernel.
    pub sender: u32,
}

/// What a file descriptor leads to, as far as reading and writing without blocking is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// A socket: each call can be told not to block.
    Socket,
    /// A pipe: only writes of at most [`PIPE_CHUNK`] after a poll are sure not to block.
    Pipe,
    /// A file or a terminal.
    Other,
}

/// One file descriptor in a [`wait`], and afterwards whether something is to be done about it.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct Watch(libc::pollfd);

impl Watch {
    /// Waits until there is something to read, or an end.
    pub fn readable(fd: RawFd) -> Self {
        Self::new(fd, libc::POLLIN)
    }

    /// Waits until there is room to write, or nobody who reads.
    pub fn writable(fd: RawFd) -> Self {
        Self::new(fd, libc::POLLOUT)
    }

    /// Takes part in no wait and is never ready.
    pub fn nothing() -> Self {
        Self::new(-1, 0)
    }

    fn new(fd: RawFd, events: libc::c_short) -> Self {
        Self(libc::pollfd {
            fd,
            events,
            revents: 0,
        })
    }

    /// Whether the wait ended because of this descriptor.
    pub fn is_ready(&self) -> bool {
        self.0.revents != 0
    }
}

/// Waits until one of the descriptors is ready, the time is up, or a signal interrupts (then none is ready).
pub fn wait(watched: &mut [Watch], timeout_ns: Option<u64>) {
    // Rounded up: a wait that ends early would only spin.
    let timeout = timeout_ns.map_or(-1, |ns| {
        i32::try_from(ns.div_ceil(1_000_000)).unwrap_or(i32::MAX)
    });
    // SAFETY: `Watch` is a transparent pollfd, and the slice is as long as is said.
    let ready = unsafe {
        libc::poll(
            watched.as_mut_ptr().cast(),
            watched.len() as libc::nfds_t,
            timeout,
        )
    };
    if ready < 0 {
        for watch in watched {
            watch.0.revents = 0;
        }
    }
}

/// The system's monotonic clock in nanoseconds: the same for every process of the machine.
pub fn monotonic_ns() -> u64 {
    let time = clock(libc::CLOCK_MONOTONIC);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The wall clock in milliseconds since 1970.
pub fn wall_clock_ms() -> u64 {
    let time = clock(libc::CLOCK_REALTIME);
    time.tv_sec as u64 * 1_000 + time.tv_nsec as u64 / 1_000_000
}

fn clock(which: libc::clockid_t) -> libc::timespec {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the pointer is to a whole timespec, in which zeros are valid; these clocks always exist.
    unsafe {
        libc::clock_gettime(which, time.as_mut_ptr());
        time.assume_init()
    }
}

/// The numeric id of the user whose process this is.
pub fn user_id() -> u32 {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::getuid() }
}

/// What a descriptor leads to; a closed one counts as [`Channel::Other`], and its first use will fail.
pub fn channel(fd: RawFd) -> Channel {
    match file_status(fd).map(|status| status.st_mode & libc::S_IFMT) {
        Ok(libc::S_IFSOCK) => Channel::Socket,
        Ok(libc::S_IFIFO) => Channel::Pipe,
        _ => Channel::Other,
    }
}

fn file_status(fd: RawFd) -> io::Result<libc::stat> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the pointer is to a whole stat structure, which is read only where the call filled it.
    unsafe {
        checked(libc::fstat(fd, status.as_mut_ptr()))?;
        Ok(status.assume_init())
    }
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn counted(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Reads what is there into the free part of a buffer, which must not be empty; 0 is the end. Does not block after a poll.
pub fn read(fd: RawFd, channel: Channel, into: &mut Vec<u8>) -> io::Result<usize> {
    let free = into.spare_capacity_mut();
    let (start, length) = (free.as_mut_ptr().cast(), free.len());
    // SAFETY: the pointer and the length are those of the buffer's own spare capacity.
    let read = counted(unsafe {
        match channel {
            Channel::Socket => libc::recv(fd, start, length, libc::MSG_DONTWAIT),
            Channel::Pipe | Channel::Other => libc::read(fd, start, length),
        }
    })?;
    // SAFETY: the call has initialised that many bytes behind the buffer's length.
    unsafe { into.set_len(into.len() + read) };
    Ok(read)
}

/// Writes as much as goes without blocking, after a poll said that something does.
pub fn write(fd: RawFd, channel: Channel, bytes: &[u8]) -> io::Result<usize> {
    let start = bytes.as_ptr().cast();
    // SAFETY: the pointer and the lengths are those of the slice, or less.
    counted(unsafe {
        match channel {
            Channel::Socket => libc::send(fd, start, bytes.len(), libc::MSG_DONTWAIT),
            Channel::Pipe => libc::write(fd, start, bytes.len().min(PIPE_CHUNK)),
            Channel::Other => libc::write(fd, start, bytes.len()),
        }
    })
}

/// Writes a note to stderr, or drops it where nobody takes it: a note is never worth hanging for.
pub fn note(text: &str) {
    let mut watched = [Watch::writable(STDERR)];
    wait(&mut watched, Some(0));
    if watched[0].is_ready() {
        let _ = write(STDERR, channel(STDERR), text.as_bytes());
    }
}

/// Connects to a Unix socket, waiting no longer than so long for a listener that is too busy to accept.
pub fn connect(path: &Path, patience: Duration) -> io::Result<OwnedFd> {
    let mut address = MaybeUninit::<libc::sockaddr_un>::zeroed();
    // SAFETY: a sockaddr_un of zeros is a valid one.
    let address = unsafe { address.assume_init_mut() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let path = path.as_os_str().as_bytes();
    // One byte stays zero behind the path.
    if path.len() >= address.sun_path.len() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path is too long for a socket",
        ));
    }
    for (to, from) in address.sun_path.iter_mut().zip(path) {
        *to = *from as libc::c_char;
    }
    // SAFETY: the call takes no pointer.
    let raw = checked(unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0) })?;
    // SAFETY: the descriptor was opened in the line above and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(raw) };
    close_on_exec(&socket)?;
    let patience = libc::timeval {
        tv_sec: patience.as_secs() as libc::time_t,
        tv_usec: patience.subsec_micros() as libc::suseconds_t,
    };
    // SAFETY: pointers and lengths are those of the two local structures.
    unsafe {
        checked(libc::setsockopt(
            raw,
            libc::SOL_SOCKET,
            libc::SO_SNDTIMEO,
            ptr::from_ref(&patience).cast(),
            size_of_val(&patience) as libc::socklen_t,
        ))?;
        checked(libc::connect(
            raw,
            ptr::from_ref(address).cast(),
            size_of_val(address) as libc::socklen_t,
        ))?;
    }
    Ok(socket)
}

fn close_on_exec(fd: &OwnedFd) -> io::Result<()> {
    // SAFETY: the call takes no pointer.
    checked(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
    Ok(())
}

/// Sends what goes without blocking.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    write(socket.as_raw_fd(), Channel::Socket, bytes)
}

/// Receives what is there, and the file that may have come with it; 0 bytes are the end.
pub fn receive(socket: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    /// Room for one descriptor, aligned as the kernel wants it.
    #[repr(align(8))]
    struct Ancillary([u8; 64]);

    let mut ancillary = Ancillary([0; 64]);
    let mut part = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    let mut message = MaybeUninit::<libc::msghdr>::zeroed();
    // SAFETY: a msghdr of zeros is a valid one.
    let message = unsafe { message.assume_init_mut() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = ancillary.0.as_mut_ptr().cast();
    message.msg_controllen = ancillary.0.len() as _;
    // SAFETY: every pointer of the message leads to a local that outlives the call, with its true length.
    let received =
        counted(unsafe { libc::recvmsg(socket.as_raw_fd(), message, libc::MSG_DONTWAIT) })?;
    let mut file = None;
    // SAFETY: the kernel has filled the ancillary buffer up to msg_controllen; the macros stay within it, and each descriptor in it
    // is new in this process and owned by nobody else.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let fd = ptr::read_unaligned(libc::CMSG_DATA(header).cast::<RawFd>());
                let owned = OwnedFd::from_raw_fd(fd);
                close_on_exec(&owned)?;
                file = Some(owned);
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    Ok((received, file))
}

/// Memory that several processes share and that counts in the RSS of each.
#[derive(Debug)]
pub struct Ballast {
    address: *mut libc::c_void,
    length: usize,
    file: (libc::dev_t, libc::ino_t),
}

impl Ballast {
    /// Maps a whole file, all of it present at once.
    pub fn map(file: &OwnedFd) -> io::Result<Self> {
        let status = file_status(file.as_raw_fd())?;
        let length = usize::try_from(status.st_size).unwrap_or(0);
        if length == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the ballast file is empty",
            ));
        }
        Ok(Self {
            address: map_populated(file, length)?,
            length,
            file: identity(&status),
        })
    }

    /// Whether this is a mapping of that very file.
    pub fn is_of(&self, file: &OwnedFd) -> bool {
        file_status(file.as_raw_fd()).is_ok_and(|status| identity(&status) == self.file)
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        // SAFETY: address and length are those of a mapping that this value alone owns, and nothing points into it.
        unsafe { libc::munmap(self.address, self.length) };
    }
}

fn identity(status: &libc::stat) -> (libc::dev_t, libc::ino_t) {
    (status.st_dev, status.st_ino)
}

/// Takes private memory, really touched, and never gives it back.
pub fn grow(bytes: u64) -> io::Result<()> {
    let length = usize::try_from(bytes).unwrap_or(usize::MAX);
    if length == 0 {
        return Ok(());
    }
    // SAFETY: an anonymous mapping at an address of the kernel's choice touches no memory of ours; it is written only within its
    // length.
    unsafe {
        let address = libc::mmap(
            ptr::null_mut(),
            length,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANON,
            -1,
            0,
        );
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        for offset in (0..length).step_by(4096) {
            // Something other than zero, and not the same everywhere: pages that look alike may be merged.
            ptr::write_volatile(address.cast::<u8>().add(offset), (offset >> 12) as u8 | 1);
        }
    }
    Ok(())
}

/// How a child is to be related to its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinship {
    /// In the parent's process group, with the parent's stdio.
    Heir,
    /// In the parent's process group, without its stdio.
    Group,
    /// In a process group of its own, without the parent's stdio.
    OwnGroup,
    /// In a session of its own, without the parent's stdio.
    Session,
    /// A daemon by double fork, without the parent's stdio.
    Daemon,
}

/// Starts a program and tells its pid, which for a daemon is that of the process that stays.
pub fn spawn(
    program: &Path,
    arguments: &[OsString],
    environment: &[(&str, &str)],
    kinship: Kinship,
) -> io::Result<u32> {
    let mut command = Command::new(program);
    if let Some((name, rest)) = arguments.split_first() {
        command.arg0(name).args(rest);
    }
    command.envs(environment.iter().copied());
    if kinship != Kinship::Heir {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
    }
    match kinship {
        Kinship::Heir | Kinship::Group => Ok(command.spawn()?.id()),
        Kinship::OwnGroup => Ok(command.process_group(0).spawn()?.id()),
        Kinship::Session => {
            // SAFETY: setsid may be called between fork and exec, and touches no memory.
            unsafe { command.pre_exec(|| checked(libc::setsid()).map(drop)) };
            Ok(command.spawn()?.id())
        }
        Kinship::Daemon => spawn_daemon(command),
    }
}

/// Starts a program by double fork: the process in between ends at once, and the program tells its own pid over a pipe.
fn spawn_daemon(mut command: Command) -> io::Result<u32> {
    let (from_daemon, to_parent) = io::pipe()?;
    let pipe = to_parent.as_raw_fd();
    // SAFETY: setsid, fork, getpid, write and _exit may all be called between fork and exec of a process with one thread.
    unsafe {
        command.pre_exec(move || {
            checked(libc::setsid())?;
            if checked(libc::fork())? > 0 {
                libc::_exit(0);
            }
            let pid = libc::getpid().to_ne_bytes();
            counted(libc::write(pipe, pid.as_ptr().cast(), pid.len())).map(drop)
        });
    }
    let mut between = command.spawn()?;
    drop(to_parent);
    between.wait()?;
    let mut pid = [0; 4];
    io::Read::read_exact(&mut &from_daemon, &mut pid)?;
    Ok(u32::from_ne_bytes(pid))
}

/// The next child that has ended, which is thereby gone from the process table.
pub fn reap() -> Option<(u32, ExitStatus)> {
    let mut status = 0;
    // SAFETY: the pointer is to a local integer.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    (pid > 0).then(|| (pid as u32, ExitStatus::from_raw(status)))
}

/// Puts the null device in a descriptor's place: its file is closed, and its number is not given to another.
pub fn discard(fd: RawFd) -> io::Result<()> {
    let null = std::fs::File::options().write(true).open("/dev/null")?;
    // SAFETY: the call takes no pointer; the new descriptor stays open for as long as the process lives.
    checked(unsafe { libc::dup2(null.as_raw_fd(), fd) })?;
    Ok(())
}

/// Ends the process at once, with nothing done on the way.
pub fn exit(code: i32) -> ! {
    // SAFETY: the call does not return and needs nothing.
    unsafe { libc::_exit(code) }
}

/// Ends the process by a signal that it sends itself, without a core file.
pub fn die_by(signal: libc::c_int) -> ! {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a local structure; the default action is no handler of ours; SIGABRT and SIGSEGV are never blocked here.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        libc::signal(signal, libc::SIG_DFL);
        libc::kill(libc::getpid(), signal);
    }
    // Only PID 1 of a namespace outlives that.
    exit(128 + signal)
}
