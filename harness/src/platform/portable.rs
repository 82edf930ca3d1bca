//! The process table as a general-purpose library (sysinfo) sees it: a second pair of eyes, and the only one where there is no
//! `/proc`; and the calls that are the same on every Unix. This is the one file that meets that library.
//!
//! Its start times are whole seconds: too coarse for an identity, enough to notice that one table misses what another shows.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

use super::Exit;
use crate::process::ProcessState;

/// One process as the library shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortableRow {
    /// Its pid.
    pub pid: u32,
    /// Its parent; 0 when it has none.
    pub ppid: u32,
    /// When it started, in seconds since 1970.
    pub start_seconds: u64,
    /// Its state.
    pub state: ProcessState,
    /// Its resident set size in bytes; 0 unless memory was asked for.
    pub rss_bytes: u64,
}

/// Whose a process is and where it stands, as the library shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortablePlace {
    /// The user that it runs as.
    pub uid: Option<u32>,
    /// The folder in which it works.
    pub working_folder: Option<PathBuf>,
    /// The file that it runs.
    pub executable: Option<PathBuf>,
}

/// The library's table.
#[derive(Debug)]
pub struct PortableTable {
    system: System,
}

impl PortableTable {
    /// An empty table.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            system: System::new().map_err(io::Error::other)?,
        })
    }

    /// Looks at all processes again, threads left out.
    pub fn refresh(&mut self, memory: bool) {
        let kind = ProcessRefreshKind::nothing().without_tasks();
        let kind = if memory { kind.with_memory() } else { kind };
        self.system
            .refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
    }

    /// The processes of the last look, in no order.
    pub fn rows(&self) -> impl Iterator<Item = PortableRow> {
        self.system.processes().values().map(|process| PortableRow {
            pid: process.pid().as_u32(),
            ppid: process.parent().map_or(0, sysinfo::Pid::as_u32),
            start_seconds: process.start_time(),
            state: match process.status() {
                ProcessStatus::Run => ProcessState::Running,
                ProcessStatus::Stop | ProcessStatus::Tracing => ProcessState::Stopped,
                ProcessStatus::Zombie | ProcessStatus::Dead => ProcessState::Zombie,
                _ => ProcessState::Sleeping,
            },
            rss_bytes: process.memory(),
        })
    }

    /// The command line and the environment of a process, where the system lets them be read.
    pub fn texts(&mut self, pid: u32) -> Option<(Vec<String>, Vec<String>)> {
        let pid = sysinfo::Pid::from_u32(pid);
        let kind = ProcessRefreshKind::nothing()
            .without_tasks()
            .with_cmd(sysinfo::UpdateKind::Always)
            .with_environ(sysinfo::UpdateKind::Always);
        self.system
            .refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kind);
        let process = self.system.process(pid)?;
        let texts = |texts: &[std::ffi::OsString]| {
            texts
                .iter()
                .map(|text| text.to_string_lossy().into_owned())
                .collect()
        };
        Some((texts(process.cmd()), texts(process.environ())))
    }

    /// The user, the working folder and the file of a process, each where the system lets it be read.
    pub fn place(&mut self, pid: u32) -> Option<PortablePlace> {
        let pid = sysinfo::Pid::from_u32(pid);
        let kind = ProcessRefreshKind::nothing()
            .without_tasks()
            .with_user(sysinfo::UpdateKind::Always)
            .with_cwd(sysinfo::UpdateKind::Always)
            .with_exe(sysinfo::UpdateKind::Always);
        self.system
            .refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kind);
        let process = self.system.process(pid)?;
        Some(PortablePlace {
            uid: process.user_id().map(|uid| **uid),
            working_folder: process.cwd().map(Path::to_owned),
            executable: process.exe().map(Path::to_owned),
        })
    }
}

/// The memory in bytes that can be had without swapping. None where the system does not tell.
pub fn available_memory_bytes() -> Option<u64> {
    let mut system = System::new().ok()?;
    system.refresh_memory();
    Some(system.available_memory()).filter(|bytes| *bytes > 0)
}

/// The physical memory of the machine in bytes; 0 where it is not told.
pub fn memory_bytes() -> u64 {
    let Ok(mut system) = System::new() else {
        return 0;
    };
    system.refresh_memory();
    system.total_memory()
}

/// The machine's load average over one, five and fifteen minutes; zeros where it is not told.
pub fn load_average() -> [f64; 3] {
    System::load_average().map_or([0.0; 3], |load| [load.one, load.five, load.fifteen])
}

/// The processor time that this process has used so far, in user and kernel mode.
pub fn processor_time() -> Duration {
    use nix::sys::resource::{UsageWho, getrusage};
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Duration::ZERO;
    };
    [usage.user_time(), usage.system_time()]
        .into_iter()
        .map(|time| {
            Duration::from_secs(time.tv_sec().max(0) as u64)
                + Duration::from_micros(time.tv_usec().max(0) as u64)
        })
        .sum()
}

/// The operating system with its version, as a report names it.
pub fn system_name() -> String {
    System::long_os_version()
        .into_iter()
        .chain(System::kernel_version())
        .collect::<Vec<_>>()
        .join(", kernel ")
}

/// A child of this process that has ended and waits to be reaped; it stays a zombie, and can be looked at, until [`reap`].
pub fn dead_child() -> io::Result<Option<u32>> {
    // SAFETY: for this plain struct all zeros is a valid value, and means that nobody was found.
    let mut found: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the pointer is to a live struct of the kind that the call fills.
    let result = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut found, options) };
    if result == 0 {
        // SAFETY: the call has filled the struct for a child, or has left its zeros.
        let pid = unsafe { found.si_pid() };
        return Ok(u32::try_from(pid).ok().filter(|pid| *pid != 0));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ECHILD) => Ok(None),
        _ => Err(error),
    }
}

/// Reaps a child that [`dead_child`] named. Another process, or one that lives, is an error or gives an exit that is not known.
pub fn reap(pid: u32) -> io::Result<Exit> {
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    let pid = nix::unistd::Pid::from_raw(pid as i32);
    Ok(match waitpid(pid, Some(WaitPidFlag::WNOHANG))? {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_in_the_table_with_memory_and_parent() {
        let mut table = PortableTable::new().unwrap();
        table.refresh(true);
        let own = table
            .rows()
            .find(|row| row.pid == std::process::id())
            .unwrap();
        assert_ne!(own.ppid, 0);
        assert!(own.rss_bytes > 0);
        assert!(own.start_seconds > 0);
        assert!(memory_bytes() > 1 << 26);
        let (command, environment) = table.texts(own.pid).unwrap();
        assert!(command[0].contains("leak_harness"));
        assert!(environment.iter().any(|entry| entry.starts_with("PATH=")));
        let place = table.place(own.pid).unwrap();
        assert_eq!(place.uid, Some(nix::unistd::getuid().as_raw()));
        assert_eq!(place.working_folder, std::env::current_dir().ok());
        assert!(available_memory_bytes().unwrap() > 1 << 20);
    }
}
