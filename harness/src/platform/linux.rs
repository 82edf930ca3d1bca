//! Linux: everything is read straight from `/proc`, with the files of each known process kept open.

mod limits;
mod socket_diag;
mod stdin_holders;
mod surroundings;
mod watched;

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::proc_text::{self, ShortName};
use super::unless_gone;

pub use limits::{allow_files, give_out_next, leave_files, may_give_out_pids};
pub use stdin_holders::StdinHolderSearch;
pub use surroundings::{
    arguments, available_memory_bytes, environment, executable, open_files, owner_of,
    start_time_units, working_folder,
};
pub use watched::{Endings, HostPids, Watched, stat_of};

/// Whether orphans of the run come to the harness, so that nothing that descends from it can leave its sight.
pub const KEEPS_ORPHANS: bool = true;
/// Whether a start time is fine enough, and the same for every reader, to tell two processes of one pid apart.
pub const START_TIMES_ARE_EXACT: bool = true;

/// Lists the pids that exist now, without allocating once its buffers have grown.
#[derive(Debug)]
pub struct Pids {
    directory: File,
    buffer: Vec<u8>,
    /// Tells the pid that was given out last.
    load: Option<File>,
    /// That pid, before the list was last read for [`Pids::refresh`].
    newest: Option<u32>,
}

impl Pids {
    /// Opens the process table.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            directory: File::open("/proc")?,
            buffer: vec![0; 32 << 10],
            load: File::open("/proc/loadavg").ok(),
            newest: None,
        })
    }

    /// Brings `pids`, as the last call left them, up to date. The kernel tells the pid that it gave out last (the fifth field of
    /// `/proc/loadavg`, see proc(5)): as long as that is the same nobody new is there, and the list stays as it is. It may then hold
    /// pids that are gone. Reading the list costs as much as a fifth of a tick, so that is worth a look.
    pub fn refresh(&mut self, pids: &mut Vec<u32>) -> io::Result<()> {
        let newest = self.newest_pid();
        // Asked before the list is read: whoever comes in between makes the next answer another one.
        if newest.is_some() && newest == self.newest {
            return Ok(());
        }
        self.read(pids)?;
        self.newest = newest;
        Ok(())
    }

    /// The pid that was given out last; none where the system does not tell.
    fn newest_pid(&self) -> Option<u32> {
        use std::os::unix::fs::FileExt;
        let mut text = [0; 128];
        let length = self.load.as_ref()?.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(&text[..length]).ok()?;
        text.split_ascii_whitespace().nth(4)?.parse().ok()
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

/// At most so many open files are asked what they are, each time.
const FILES_ASKED: u32 = 512;

/// How many of a process's open files are pipes or sockets; `files` is how many it has in all. None where that may not be read.
///
/// Asking one file costs a microsecond. Of a process with more than 512 of them a part is asked, chosen by their numbers, so that the same
/// files are asked each time, and the answer is that part's share of all.
pub fn open_pipe_count(pid: u32, files: u32) -> Option<u32> {
    let one_in = files.div_ceil(FILES_ASKED).next_power_of_two();
    // Numbers of pipes follow a pattern, so neighbours are scattered (multiplicative hashing, Knuth).
    let is_asked = |number: u32| {
        let scattered = number.wrapping_mul(2_654_435_769);
        scattered >> 16 & (one_in - 1) == 0
    };
    let folder = format!("/proc/{pid}/fd");
    let (mut all, mut asked, mut pipes) = (0_u64, 0_u64, 0_u64);
    for entry in std::fs::read_dir(&folder).ok()? {
        let Some(number) = entry
            .ok()
            .and_then(|entry| entry.file_name().to_str()?.parse().ok())
        else {
            continue;
        };
        all += 1;
        if !is_asked(number) {
            continue;
        }
        // A file that was closed meanwhile is none.
        if let Ok(link) = std::fs::read_link(format!("{folder}/{number}")) {
            let link = link.as_os_str().as_encoded_bytes();
            asked += 1;
            pipes += u64::from(link.starts_with(b"pipe:") || link.starts_with(b"socket:"));
        }
    }
    (pipes * all).checked_div(asked).map(|count| count as u32)
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

/// How long this process was ready to run and had to wait for a processor, so far. None where that is not counted.
pub fn scheduling_wait() -> Option<Duration> {
    let text = std::fs::read("/proc/self/schedstat").ok()?;
    proc_text::scheduling_wait_ns(&text).map(Duration::from_nanos)
}

/// The memory of this process that is resident, in bytes: its RSS. None where that cannot be read.
pub fn resident_bytes() -> Option<u64> {
    let text = std::fs::read("/proc/self/statm").ok()?;
    proc_text::resident_pages(&text).map(|pages| pages * page_size())
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
    use std::process::{Command, Stdio};

    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;
    use crate::process::ProcessIdentity;

    /// A process that reads its stdin until its end.
    pub(super) fn reader() -> std::process::Child {
        Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    pub(super) fn identity(pid: u32) -> ProcessIdentity {
        stat_of(pid).unwrap().unwrap().process
    }

    /// Waits until the kernel says that the process ended.
    pub(super) fn wait_for_end(watched: &Watched) {
        let fd = watched.has_ended_fd().unwrap();
        let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
        let ready = loop {
            match poll(&mut fds, PollTimeout::from(5_000_u16)) {
                Err(Errno::EINTR) => {}
                ready => break ready.unwrap(),
            }
        };
        assert_eq!(ready, 1);
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
    fn a_shared_memory_file_keeps_its_size() {
        let file = File::from(shared_memory_file(1 << 20).unwrap());
        assert_eq!(file.metadata().unwrap().len(), 1 << 20);
        assert!(file.set_len(1 << 19).is_err());
        assert!(file.set_len(1 << 21).is_err());
    }

    #[test]
    fn pipes_and_sockets_are_told_from_other_files() {
        let own = std::process::id();
        let count = || open_pipe_count(own, open_file_count(own).unwrap()).unwrap();
        let before = count();
        let pipes: Vec<_> = (0..100).map(|_| io::pipe().unwrap()).collect();
        let files: Vec<_> = (0..100).map(|_| File::open("/dev/null").unwrap()).collect();
        // Other tests of this process open files as well.
        let few = count();
        assert!(
            (before + 150..before + 300).contains(&few),
            "{before} {few}"
        );
        // As if there were many, so that a part of them is asked: a share of all, neither none nor all.
        let part = open_pipe_count(own, 4_096).unwrap();
        assert!((few / 3..few * 2).contains(&part), "{few} {part}");
        drop((pipes, files));
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
