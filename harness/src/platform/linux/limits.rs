//! What the harness changes about others on purpose: the pid that is given out next, and how many files a process may open.

use std::fs;
use std::io;

/// The pid that was given out last in the PID namespace of whoever opens it. Writable with CAP_CHECKPOINT_RESTORE (Linux 5.9) or
/// CAP_SYS_ADMIN in the user namespace that owns the PID namespace; there where the kernel has CONFIG_CHECKPOINT_RESTORE.
const LAST_PID: &str = "/proc/sys/kernel/ns_last_pid";

/// Lets the next process of this process's PID namespace have this pid, if it is free then.
pub fn give_out_next(pid: u32) -> io::Result<()> {
    fs::write(LAST_PID, pid.saturating_sub(1).to_string())
}

/// Whether [`give_out_next`] can do its work, tried without changing anything.
pub fn may_give_out_pids() -> io::Result<()> {
    let last = fs::read_to_string(LAST_PID)?;
    fs::write(LAST_PID, last.trim())
}

/// Lowers the soft limit of open files of a process so that it can open so many more, and gives back what the limit was. None where the
/// process is gone. Whoever calls holds the process, so that its pid cannot be another's.
pub fn leave_files(pid: u32, more: u32) -> io::Result<Option<u64>> {
    let entries = match super::unless_gone(fs::read_dir(format!("/proc/{pid}/fd")))? {
        Some(entries) => entries,
        None => return Ok(None),
    };
    let mut open: Vec<u64> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    open.sort_unstable();
    let Some(old) = limit(pid, None)? else {
        return Ok(None);
    };
    let lowered = libc::rlimit {
        rlim_cur: first_with_free_below(&open, more).min(old.rlim_cur),
        rlim_max: old.rlim_max,
    };
    Ok(limit(pid, Some(lowered))?.map(|old| old.rlim_cur))
}

/// Gives a process this soft limit of open files. Tells whether there was anybody to get it. As [`leave_files`].
pub fn allow_files(pid: u32, soft: u64) -> io::Result<bool> {
    let Some(old) = limit(pid, None)? else {
        return Ok(false);
    };
    let raised = libc::rlimit {
        rlim_cur: soft.min(old.rlim_max),
        rlim_max: old.rlim_max,
    };
    Ok(limit(pid, Some(raised))?.is_some())
}

/// The smallest limit below which so many numbers of files are free: the limit is on the number, not on the count.
fn first_with_free_below(open: &[u64], more: u32) -> u64 {
    let mut free = 0;
    let mut open = open.iter().copied().peekable();
    for number in 0.. {
        if free == more {
            return number;
        }
        if open.next_if_eq(&number).is_none() {
            free += 1;
        }
    }
    u64::MAX
}

/// Reads, and sets where a new one is given, the limit of open files of a process. None where it is gone.
fn limit(pid: u32, new: Option<libc::rlimit>) -> io::Result<Option<libc::rlimit>> {
    let mut old = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let new = new.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: both pointers are null or to live values of the kind that the call reads and fills.
    let done = unsafe { libc::prlimit(pid as libc::pid_t, libc::RLIMIT_NOFILE, new, &raw mut old) };
    let result = if done == 0 {
        Ok(old)
    } else {
        Err(io::Error::last_os_error())
    };
    super::unless_gone(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::linux::tests::reader;

    #[test]
    fn a_limit_leaves_so_many_free_numbers() {
        assert_eq!(first_with_free_below(&[0, 1, 2], 0), 0);
        assert_eq!(first_with_free_below(&[0, 1, 2], 4), 7);
        assert_eq!(first_with_free_below(&[0, 1, 2, 4, 9], 2), 6);
        assert_eq!(first_with_free_below(&[0, 1, 2, 4, 9], 3), 7);
    }

    #[test]
    fn a_process_can_be_limited_and_let_free_again() {
        let mut child = reader();
        let before = limit(child.id(), None).unwrap().unwrap().rlim_cur;
        assert_eq!(leave_files(child.id(), 4).unwrap(), Some(before));
        let limited = limit(child.id(), None).unwrap().unwrap().rlim_cur;
        assert!((4..before).contains(&limited), "{limited} of {before}");
        assert!(allow_files(child.id(), before).unwrap());
        assert_eq!(limit(child.id(), None).unwrap().unwrap().rlim_cur, before);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(leave_files(child.id(), 4).unwrap(), None);
        assert!(!allow_files(child.id(), before).unwrap());
    }
}
