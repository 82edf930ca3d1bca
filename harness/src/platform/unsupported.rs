//! Unix systems other than Linux: the process table by way of the portable library, and an honest answer to everything else.
//!
//! There are no pidfds, so a signal is sent after the identity was compared and not by it; orphans go to the system, so a process
//! is known to belong to the run by its parent while that lives, by its environment, or because it says so itself.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::Pid;

pub use super::portable::available_memory_bytes;
use super::portable::{PortablePlace, PortableRow, PortableTable};
use super::{Exit, OpenFile, Owner, ShortName, Stat, StdinHolders, unless_gone};
use crate::process::ProcessIdentity;

/// Whether orphans of the run come to the harness.
pub const KEEPS_ORPHANS: bool = false;
/// Whether a start time is fine enough, and the same for every reader, to tell two processes of one pid apart.
pub const START_TIMES_ARE_EXACT: bool = false;

thread_local! {
    /// One table for all questions: the library looks at everything at once anyway.
    static TABLE: RefCell<Option<PortableTable>> = const { RefCell::new(None) };
}

/// Asks the one table, which is made at the first question.
fn with_table<T>(ask: impl FnOnce(&mut PortableTable) -> T) -> io::Result<T> {
    TABLE.with_borrow_mut(|table| {
        let table = match table {
            Some(table) => table,
            None => table.insert(PortableTable::new()?),
        };
        Ok(ask(table))
    })
}

/// Lists the pids that exist now.
#[derive(Debug)]
pub struct Pids;

impl Pids {
    /// Opens the process table.
    pub fn open() -> io::Result<Self> {
        Ok(Self)
    }

    /// Brings `pids` up to date. Here that is reading all of them again.
    pub fn refresh(&mut self, pids: &mut Vec<u32>) -> io::Result<()> {
        self.read(pids)
    }

    /// Puts every pid of the table into `pids`, in rising order; what was there is forgotten.
    pub fn read(&mut self, pids: &mut Vec<u32>) -> io::Result<()> {
        pids.clear();
        with_table(|table| {
            table.refresh(true);
            pids.extend(table.rows().map(|row| row.pid));
        })?;
        pids.sort_unstable();
        Ok(())
    }
}

/// One process: its identity, as there is nothing that could be held open.
#[derive(Debug)]
pub struct Watched {
    process: ProcessIdentity,
}

impl Watched {
    /// The process that has this pid now. None when there is none.
    pub fn open(pid: u32) -> io::Result<Option<(Self, Stat)>> {
        Ok(stat_of(pid)?.map(|stat| {
            (
                Self {
                    process: stat.process,
                },
                stat,
            )
        }))
    }

    /// The process, if it is still the one with this identity.
    pub fn open_identity(process: ProcessIdentity) -> io::Result<Option<Self>> {
        Ok(Self::open(process.pid)?
            .map(|(watched, _)| watched)
            .filter(|watched| watched.process == process))
    }

    /// Who it is.
    pub const fn process(&self) -> ProcessIdentity {
        self.process
    }

    /// What the process is like at the last look at the table; None once it is gone.
    pub fn stat(&self) -> io::Result<Option<Stat>> {
        Ok(stat_of(self.process.pid)?.filter(|stat| stat.process == self.process))
    }

    /// How the process ended: the system does not tell others than its parent.
    pub fn exit(&self) -> Exit {
        Exit::default()
    }

    /// Sends a signal after comparing the identity. Tells whether there was anybody to get it.
    pub fn signal(&self, signal: i32) -> io::Result<bool> {
        with_table(|table| table.refresh(true))?;
        if self.stat()?.is_none() {
            return Ok(false);
        }
        // SAFETY: plain system call without pointers.
        let result = match unsafe { libc::kill(self.process.pid as i32, signal) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        };
        Ok(unless_gone(result)?.is_some())
    }

    /// There is no file that tells of the end.
    pub fn has_ended_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// What the table says of a pid.
pub fn stat_of(pid: u32) -> io::Result<Option<Stat>> {
    let find = |table: &PortableTable| table.rows().find(|row| row.pid == pid);
    let row = with_table(|table| {
        find(table).or_else(|| {
            table.refresh(true);
            find(table)
        })
    })?;
    Ok(row.map(stat))
}

fn stat(row: PortableRow) -> Stat {
    let id = |result: nix::Result<Pid>| result.map_or(0, |pid| pid.as_raw() as u32);
    let pid = Pid::from_raw(row.pid as i32);
    Stat {
        process: ProcessIdentity::new(row.pid, row.start_seconds),
        name: ShortName::default(),
        state: row.state,
        ppid: row.ppid,
        pgid: id(nix::unistd::getpgid(Some(pid))),
        sid: id(nix::unistd::getsid(Some(pid))),
        has_executed: true,
        threads: 0,
        rss_pages: row.rss_bytes / page_size(),
        exit_status: 0,
    }
}

/// A set that never has anything to tell: the process table has to notice endings.
#[derive(Debug)]
pub struct Endings {
    reader: OwnedFd,
    _writer: OwnedFd,
}

impl Endings {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = nix::unistd::pipe()?;
        Ok(Self {
            reader,
            _writer: writer,
        })
    }

    /// Adds nothing.
    pub fn add(&self, _watched: &Watched) -> io::Result<()> {
        Ok(())
    }

    /// Gives nothing.
    pub fn take(&self, pids: &mut Vec<u32>) -> io::Result<()> {
        pids.clear();
        Ok(())
    }
}

impl AsRawFd for Endings {
    fn as_raw_fd(&self) -> RawFd {
        self.reader.as_raw_fd()
    }
}

/// Without PID namespaces, pids are the same inside and outside.
#[derive(Debug)]
pub struct HostPids;

impl HostPids {
    /// There is no other `/proc`.
    pub fn new(_host_proc: Option<OwnedFd>) -> Self {
        Self
    }

    /// The pid itself.
    pub fn of(&self, watched: &Watched) -> Option<u32> {
        Some(watched.process.pid)
    }
}

/// The command line of a process.
pub fn command(pid: u32, name: &ShortName) -> String {
    let words = with_table(|table| table.texts(pid))
        .ok()
        .flatten()
        .map(|(command, _)| command.join("\0"))
        .unwrap_or_default();
    super::proc_text::command(words.as_bytes(), name)
}

/// Whether the environment of a process holds this `NAME=value`. None where it may not be read.
pub fn has_environment_entry(pid: u32, entry: &[u8]) -> Option<bool> {
    with_table(|table| table.texts(pid))
        .ok()
        .flatten()
        .map(|(_, environment)| environment)
        .filter(|environment| !environment.is_empty())
        .map(|environment| environment.iter().any(|held| held.as_bytes() == entry))
}

/// Whose a process is. A thread's id is no pid here. None when there is no such process, or when the system does not tell.
pub fn owner_of(pid: u32) -> io::Result<Option<Owner>> {
    Ok(place(pid).and_then(|place| place.uid).map(|uid| Owner {
        uid,
        thread_group: pid,
    }))
}

/// The arguments of a process, its program first. None where they may not be read.
pub fn arguments(pid: u32) -> Option<Vec<String>> {
    with_table(|table| table.texts(pid))
        .ok()
        .flatten()
        .map(|(arguments, _)| arguments)
}

/// The environment of a process, as `NAME=value`. None where it may not be read.
pub fn environment(pid: u32) -> Option<Vec<String>> {
    with_table(|table| table.texts(pid))
        .ok()
        .flatten()
        .map(|(_, environment)| environment)
        .filter(|environment| !environment.is_empty())
}

/// The folder in which a process works. None where that may not be read.
pub fn working_folder(pid: u32) -> Option<PathBuf> {
    place(pid).and_then(|place| place.working_folder)
}

/// The file that a process runs. None where that may not be read.
pub fn executable(pid: u32) -> Option<PathBuf> {
    place(pid).and_then(|place| place.executable)
}

fn place(pid: u32) -> Option<PortablePlace> {
    with_table(|table| table.place(pid)).ok().flatten()
}

/// The system does not tell which files another process has open.
pub fn open_files(_pid: u32) -> Option<Vec<OpenFile>> {
    None
}

/// How many units of a process's start time make a second: here they are seconds.
pub fn start_time_units() -> u64 {
    1
}

/// The system does not tell a proportional set size.
pub fn pss_bytes(_pid: u32) -> io::Result<Option<u64>> {
    Ok(None)
}

/// The system does not tell how many files another process has open.
pub fn open_file_count(_pid: u32) -> Option<u32> {
    None
}

/// The system does not tell what files another process has open.
pub fn open_pipe_count(_pid: u32, _files: u32) -> Option<u32> {
    None
}

/// A search that finds nobody, and says so.
#[derive(Debug)]
pub struct StdinHolderSearch {
    examined: Vec<ProcessIdentity>,
}

impl StdinHolderSearch {
    /// Begins a search for these processes.
    pub fn new(examined: &[ProcessIdentity]) -> Self {
        Self {
            examined: examined.to_vec(),
        }
    }

    /// Looks at nothing.
    pub fn look_at(&mut self, _holder: ProcessIdentity) {}

    /// Nothing is known of anybody.
    pub fn finish(self) -> Vec<(ProcessIdentity, StdinHolders)> {
        self.examined
            .into_iter()
            .map(|process| (process, StdinHolders::default()))
            .collect()
    }
}

/// The bytes of a page of memory.
pub fn page_size() -> u64 {
    // SAFETY: plain call without pointers.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as u64 }
}

/// Waiting for a processor is not counted here.
pub fn scheduling_wait() -> Option<Duration> {
    None
}

/// This process's RSS is not read here.
pub fn resident_bytes() -> Option<u64> {
    None
}

/// A file of this size without a name, to be mapped by many processes.
pub fn shared_memory_file(bytes: u64) -> io::Result<OwnedFd> {
    let file = tempfile::tempfile()?;
    file.set_len(bytes)?;
    Ok(file.into())
}

/// Orphans cannot be asked for here.
pub fn become_subreaper() -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// A process cannot be tied to its parent here; it has to watch a lifeline itself.
pub fn die_with_parent(_parent: u32) -> io::Result<()> {
    Ok(())
}

/// Lets the next process have this pid: not here.
pub fn give_out_next(_pid: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether pids can be given out: not here.
pub fn may_give_out_pids() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Lowers the limit of open files of another process: not here.
pub fn leave_files(_pid: u32, _more: u32) -> io::Result<Option<u64>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Raises the limit of open files of another process: not here.
pub fn allow_files(_pid: u32, _soft: u64) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_questions_are_answered_without_a_proc_folder() {
        let mut pids = Vec::new();
        Pids::open().unwrap().read(&mut pids).unwrap();
        let own = std::process::id();
        assert!(pids.binary_search(&own).is_ok());
        let (watched, stat) = Watched::open(own).unwrap().unwrap();
        assert_eq!(watched.process(), stat.process);
        assert_ne!((stat.pgid, stat.sid, stat.rss_pages), (0, 0, 0));
        assert!(watched.signal(0).unwrap());
        assert!(command(own, &stat.name).contains("leak_harness"));
        assert_eq!(has_environment_entry(own, b"NO_SUCH=entry"), Some(false));

        let owner = owner_of(own).unwrap().unwrap();
        assert_eq!(
            (owner.uid, owner.thread_group),
            (nix::unistd::getuid().as_raw(), own)
        );
        assert!(arguments(own).unwrap()[0].contains("leak_harness"));
        assert!(environment(own).unwrap().len() > 1);
        assert_eq!(working_folder(own), std::env::current_dir().ok());
        assert_eq!(executable(own), std::env::current_exe().ok());
        assert_eq!((open_files(own), start_time_units()), (None, 1));

        let other = ProcessIdentity::new(own, stat.process.start_time + 1);
        assert!(Watched::open_identity(other).unwrap().is_none());
        let mut search = StdinHolderSearch::new(&[stat.process]);
        search.look_at(stat.process);
        assert!(!search.finish()[0].1.known);
        assert_eq!(
            become_subreaper().unwrap_err().kind(),
            io::ErrorKind::Unsupported
        );
    }
}
