//! What the harness asks of the operating system: one list of functions, one file per system that answers them.
//!
//! | item | what it gives |
//! |---|---|
//! | [`Pids`] | the pids that exist now |
//! | [`Watched`], [`stat_of`] | one process, held open so that a reused pid cannot deceive: `open`, `stat`, `exit`, `signal`, `has_ended_fd` |
//! | [`Endings`] | one file that becomes readable as soon as any watched process ends or is reaped |
//! | [`HostPids`] | the pid of a watched process as the user's `ps` shows it |
//! | [`dead_child`], [`reap`] | the children of this process that wait to be reaped |
//! | [`command`], [`has_environment_entry`] | the command line and the environment of a process |
//! | [`pss_bytes`], [`open_file_count`], [`open_pipe_count`] | memory and open files of a process |
//! | [`owner_of`], [`arguments`], [`environment`], [`executable`], [`working_folder`], [`open_files`] | whose a process is, what it was started with, where it stands |
//! | [`StdinHolderSearch`] | who holds the other end of a process's stdin |
//! | [`memory_bytes`], [`available_memory_bytes`], [`page_size`], [`start_time_units`], [`load_average`], [`processor_time`], [`resident_bytes`] | the machine, and what it spends on the harness |
//! | [`shared_memory_file`] | memory that many processes map and that exists once |
//! | [`become_subreaper`], [`die_with_parent`] | ties between a process and its parent |
//! | [`give_out_next`], [`may_give_out_pids`] | the pid of the next process of this PID namespace |
//! | [`leave_files`], [`allow_files`] | how many files another process may open |
//! | [`KEEPS_ORPHANS`], [`START_TIMES_ARE_EXACT`] | what the system cannot do |
//!
//! A process that has vanished is an ordinary case and never an error: functions that ask about one process give `None` then.
//! Everything is asked at the moment of the call; nothing here waits, keeps a thread, or reads the clock.

pub mod portable;
pub mod proc_text;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::*;

#[cfg(any(test, not(target_os = "linux")))]
pub mod unsupported;
#[cfg(not(target_os = "linux"))]
pub use unsupported::*;

use std::io;
use std::path::PathBuf;

use crate::process::ProcessIdentity;

#[cfg(not(target_os = "linux"))]
pub use portable::memory_bytes;
pub use portable::{dead_child, load_average, processor_time, reap};
pub use proc_text::{Exit, ShortName, Stat};

/// Who holds the other end of a process's stdin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StdinHolders {
    /// The holders, the process itself left out.
    pub holders: Vec<ProcessIdentity>,
    /// Whether the list is whole.
    pub known: bool,
}

/// Whose a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user that it runs as (its real user id).
    pub uid: u32,
    /// The process that a thread belongs to; the pid itself for a process.
    pub thread_group: u32,
}

/// A regular file that a process has open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Whether it was opened for writing.
    pub is_written: bool,
    /// Whether it is its stdin, stdout or stderr, which whoever started it chose.
    pub is_standard_stream: bool,
}

/// Whether an error says that the process it speaks of is gone.
pub fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ESRCH) | Some(libc::ENOENT))
}

/// The RSS of this process, in bytes. None where that cannot be read.
pub fn resident_bytes() -> Option<u64> {
    let stat = stat_of(std::process::id()).ok()??;
    Some(stat.row(page_size()).rss_bytes)
}

/// Turns "the process is gone" into `None`.
fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
