//! What Linux does in its own way: signalfd, the auxiliary vector, `/proc`, memory files.

use std::ffi::{CStr, OsStr};
use std::fs::{self, File};
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;

use super::{Arrived, HEARD, checked, counted};

/// The signals that are heard of: blocked, and read from a descriptor with their senders.
#[derive(Debug)]
pub struct Signals(OwnedFd);

impl Signals {
    /// Blocks the signals and opens the descriptor. What is blocked stays pending, an inherited "ignore" notwithstanding; only the
    /// one of SIGCHLD must be undone, under which the exit codes of children are lost.
    pub fn listen() -> io::Result<Self> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the set is initialised by sigemptyset before it is used; the descriptor is new and owned by nobody else; the default
        // action is no handler of ours.
        unsafe {
            if libc::signal(libc::SIGCHLD, libc::SIG_DFL) == libc::SIG_ERR {
                return Err(io::Error::last_os_error());
            }
            libc::sigemptyset(set.as_mut_ptr());
            for signal in HEARD {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            checked(libc::sigprocmask(
                libc::SIG_BLOCK,
                set.as_ptr(),
                ptr::null_mut(),
            ))?;
            let fd = checked(libc::signalfd(
                -1,
                set.as_ptr(),
                libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
            ))?;
            Ok(Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// The descriptor that is readable when a signal waits.
    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// The next signal that waits.
    pub fn next(&mut self) -> Option<Arrived> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
        let size = size_of_val(&info);
        // SAFETY: pointer and size are those of a local structure, which is read only when it was filled whole.
        let info = unsafe {
            let read = counted(libc::read(self.fd(), info.as_mut_ptr().cast(), size)).ok()?;
            if read != size {
                return None;
            }
            info.assume_init()
        };
        Some(Arrived {
            signal: info.ssi_signo as libc::c_int,
            sender: info.ssi_pid,
        })
    }
}

/// The path by which this program was called, links not followed.
pub fn called_path() -> io::Result<PathBuf> {
    // SAFETY: the call takes no pointer; what it returns is zero or the address of a string that lives as long as the process.
    let path = unsafe {
        let address = libc::getauxval(libc::AT_EXECFN);
        (address != 0).then(|| CStr::from_ptr(ptr::with_exposed_provenance(address as usize)))
    };
    let Some(path) = path else {
        return std::env::current_exe();
    };
    let path = PathBuf::from(OsStr::from_bytes(path.to_bytes()));
    // A bare name was found in the working directory; kept bare, it would be looked for in PATH when it is started again.
    Ok(if path.components().count() == 1 {
        PathBuf::from(".").join(path)
    } else {
        path
    })
}

/// This process's start time in kernel ticks since boot, or 0 where `/proc` does not tell.
pub fn process_start_time() -> u64 {
    // One read: the line is shorter than that.
    let mut stat = [0; 1024];
    let length = File::open("/proc/self/stat").and_then(|mut file| file.read(&mut stat));
    let stat = &stat[..length.unwrap_or(0)];
    // The command's name comes in parentheses and may hold anything; 19 fields lie between it and the start time.
    stat.iter()
        .rposition(|byte| *byte == b')')
        .and_then(|end| stat[end + 1..].split(|byte| *byte == b' ').nth(20))
        .and_then(|field| str::from_utf8(field).ok()?.parse().ok())
        .unwrap_or(0)
}

/// The pids that there are.
pub fn processes() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// A process that is held open: a signal goes to it and to nobody who is given its pid later.
#[derive(Debug)]
pub struct Held {
    fd: OwnedFd,
    /// Its parent's pid.
    pub parent: u32,
    /// Whether its executable is this one.
    pub is_of_this_program: bool,
}

impl Held {
    /// Opens a process, and looks at it when it is held; none where it is gone.
    pub fn open(pid: u32) -> Option<Self> {
        // SAFETY: the call takes no pointer; the descriptor is new and owned by nobody else.
        let fd = unsafe {
            let fd = libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0);
            if fd < 0 {
                return None;
            }
            OwnedFd::from_raw_fd(fd as RawFd)
        };
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let end = stat.iter().rposition(|byte| *byte == b')')?;
        let parent = stat[end + 1..].split(|byte| *byte == b' ').nth(2)?;
        let program = |pid: &str| fs::read_link(format!("/proc/{pid}/exe")).ok();
        Some(Self {
            fd,
            parent: str::from_utf8(parent).ok()?.parse().ok()?,
            is_of_this_program: program(&pid.to_string())
                .is_some_and(|it| Some(it) == program("self")),
        })
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        // SAFETY: no information about the signal is handed over; the descriptor is that of a process. One that is gone is no error here.
        unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.fd.as_raw_fd(),
                libc::SIGTERM,
                ptr::null::<libc::siginfo_t>(),
                0,
            );
        }
    }
}

/// What stdin is, such as `socket:[4711]`.
pub fn stdin_link() -> String {
    fs::read_link("/proc/self/fd/0")
        .map(|link| link.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Maps the beginning of a file to read, shared, every page of it present at once.
pub fn map_populated(file: &OwnedFd, length: usize) -> io::Result<*mut libc::c_void> {
    // SAFETY: the kernel chooses an address that is free.
    mapped(unsafe {
        libc::mmap(
            ptr::null_mut(),
            length,
            libc::PROT_READ,
            libc::MAP_SHARED | libc::MAP_POPULATE,
            file.as_raw_fd(),
            0,
        )
    })
}

fn mapped(address: *mut libc::c_void) -> io::Result<*mut libc::c_void> {
    if address == libc::MAP_FAILED {
        Err(io::Error::last_os_error())
    } else {
        Ok(address)
    }
}

/// Brings this process's RSS up to `rss` bytes with ballast of its own, kept for as long as it lives.
///
/// A small memory file is mapped again and again: the kernel counts each mapping in the RSS, and holds the pages once.
pub fn own_ballast(rss: u64) -> io::Result<()> {
    const FILE: usize = 4 << 20;
    const PAGE: usize = 4096;

    let wanted =
        usize::try_from(rss.saturating_sub(resident()?)).unwrap_or(usize::MAX) / PAGE * PAGE;
    if wanted == 0 {
        return Ok(());
    }
    // SAFETY: the name is a string with its zero; the descriptor is new and owned by nobody else; the reservation is at an address of
    // the kernel's choice, and each mapping replaces a part of it.
    unsafe {
        let fd = checked(libc::memfd_create(c"ballast".as_ptr(), libc::MFD_CLOEXEC))?;
        let file = OwnedFd::from_raw_fd(fd);
        checked(libc::ftruncate(
            file.as_raw_fd(),
            FILE.min(wanted) as libc::off_t,
        ))?;
        let start = mapped(libc::mmap(
            ptr::null_mut(),
            wanted,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE,
            -1,
            0,
        ))?;
        for offset in (0..wanted).step_by(FILE) {
            mapped(libc::mmap(
                start.add(offset),
                FILE.min(wanted - offset),
                libc::PROT_READ,
                libc::MAP_SHARED | libc::MAP_POPULATE | libc::MAP_FIXED,
                file.as_raw_fd(),
                0,
            ))?;
        }
    }
    Ok(())
}

/// This process's RSS in bytes.
fn resident() -> io::Result<u64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm
        .split(' ')
        .nth(1)
        .and_then(|field| field.parse().ok())
        .unwrap_or(0);
    Ok(pages * 4096)
}
