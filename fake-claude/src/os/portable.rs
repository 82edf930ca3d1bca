//! What other Unix systems offer in place of Linux's own ways: a signal handler that writes to a pipe, and less knowledge.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use super::{Arrived, Channel, HEARD, checked, counted, write};

/// The writing end of the pipe that the handler uses.
static TOLD: AtomicI32 = AtomicI32::new(-1);

/// The signals that are heard of: a handler puts each with its sender into a pipe.
#[derive(Debug)]
pub struct Signals(OwnedFd);

extern "C" fn tell(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel hands a whole siginfo to a handler that asked for one.
    let sender = unsafe { (*info).si_pid() };
    let mut message = [0; 8];
    message[..4].copy_from_slice(&signal.to_ne_bytes());
    message[4..].copy_from_slice(&sender.to_ne_bytes());
    // A pipe that is full holds thousands of signals already.
    let _ = write(TOLD.load(Ordering::Relaxed), Channel::Pipe, &message);
}

impl Signals {
    /// Opens the pipe and installs the handler.
    pub fn listen() -> io::Result<Self> {
        let (from_handler, to_reader) = io::pipe()?;
        let (reading, writing) = (OwnedFd::from(from_handler), to_reader.into_raw_fd());
        for fd in [reading.as_raw_fd(), writing] {
            // SAFETY: the call takes no pointer.
            checked(unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) })?;
        }
        TOLD.store(writing, Ordering::Relaxed);
        let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = tell;
        // SAFETY: a sigaction of zeros is a valid one; the handler does nothing but a write, which is allowed in one.
        unsafe {
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            for signal in HEARD {
                checked(libc::sigaction(signal, &raw const action, ptr::null_mut()))?;
            }
        }
        Ok(Self(reading))
    }

    /// The descriptor that is readable when a signal waits.
    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// The next signal that waits.
    pub fn next(&mut self) -> Option<Arrived> {
        let mut message = [0_u8; 8];
        let size = size_of_val(&message);
        // SAFETY: pointer and size are those of the local array.
        let read = unsafe { libc::read(self.fd(), message.as_mut_ptr().cast(), size) };
        if counted(read).ok()? != size {
            return None;
        }
        let [a, b, c, d, e, f, g, h] = message;
        Some(Arrived {
            signal: i32::from_ne_bytes([a, b, c, d]),
            sender: u32::from_ne_bytes([e, f, g, h]),
        })
    }
}

/// The path by which this program was called; where the system does not tell, the path of the program itself.
pub fn called_path() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// Not told in ticks here, so always 0.
pub fn process_start_time() -> u64 {
    0
}

/// Not told here, so always empty.
pub fn stdin_link() -> String {
    String::new()
}

/// Maps the beginning of a file to read, shared, and touches every page of it.
pub fn map_populated(file: &OwnedFd, length: usize) -> io::Result<*mut libc::c_void> {
    // SAFETY: the kernel chooses an address that is free; the pages that are read lie within the mapping.
    unsafe {
        let address = libc::mmap(
            ptr::null_mut(),
            length,
            libc::PROT_READ,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        );
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        for offset in (0..length).step_by(4096) {
            ptr::read_volatile(address.cast::<u8>().add(offset));
        }
        Ok(address)
    }
}

/// Brings this process's RSS up with ballast of its own. It costs real memory: there is no memory file to map again and again.
pub fn own_ballast(rss: u64) -> io::Result<()> {
    super::grow(rss)
}

/// The pids that there are: none are told here.
pub fn processes() -> Vec<u32> {
    Vec::new()
}

/// A process that is held open. Without a process table of files nobody is found, and so nobody is signalled.
#[derive(Debug)]
pub struct Held {
    /// Its parent's pid.
    pub parent: u32,
    /// Whether its executable is this one.
    pub is_of_this_program: bool,
}

impl Held {
    /// Finds nobody.
    pub fn open(_pid: u32) -> Option<Self> {
        None
    }

    /// Sends nothing.
    pub fn terminate(&self) {}
}
