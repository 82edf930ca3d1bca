//! The inner process as an ordinary child: the fallback, and all there is on systems without namespaces.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use super::INNER_ARGUMENT;

/// Starts the inner process with its end of the link. It is for the caller to wait for it.
pub(super) fn spawn(link: &OwnedFd) -> io::Result<u32> {
    let link = link.as_raw_fd();
    let mut command = Command::new(own_program()?);
    command
        .arg0(env!("CARGO_PKG_NAME"))
        .args([INNER_ARGUMENT, &link.to_string()]);
    // SAFETY: the closure makes two plain system calls and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            keep_open(link)?;
            nix::unistd::setsid()?;
            Ok(())
        });
    }
    Ok(command.spawn()?.id())
}

/// Lets a file survive the exec that follows.
pub(super) fn keep_open(fd: i32) -> io::Result<()> {
    // SAFETY: plain system call without pointers.
    match unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The program that is running now. On Linux by the kernel's own link, which holds even when the file was replaced meanwhile.
pub fn own_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        Ok(PathBuf::from("/proc/self/exe"))
    } else {
        std::env::current_exe()
    }
}
