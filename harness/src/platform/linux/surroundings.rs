//! What a process was started with, where it stands, whose it is: asked of processes that are none of the run's.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::super::{OpenFile, Owner, proc_text, unless_gone};

/// How much of a command line or an environment is read. The kernel allows some megabytes; nothing that tells processes apart lies
/// beyond this.
const MOST_TEXT: u64 = 256 << 10;

/// Whose a process is, and which process a thread belongs to. None when there is no such process.
pub fn owner_of(pid: u32) -> io::Result<Option<Owner>> {
    let text = unless_gone(fs::read(format!("/proc/{pid}/status")))?;
    Ok(text.and_then(|text| proc_text::owner(&text)))
}

/// The arguments of a process, its program first. None where they may not be read; none at all for a zombie.
pub fn arguments(pid: u32) -> Option<Vec<String>> {
    read_texts(pid, "cmdline")
}

/// The environment that a process was started with, as `NAME=value`. None where it may not be read.
pub fn environment(pid: u32) -> Option<Vec<String>> {
    read_texts(pid, "environ")
}

fn read_texts(pid: u32, name: &str) -> Option<Vec<String>> {
    let mut bytes = Vec::new();
    File::open(format!("/proc/{pid}/{name}"))
        .ok()?
        .take(MOST_TEXT)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(proc_text::texts(&bytes))
}

/// The folder in which a process works. None where that may not be read.
pub fn working_folder(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

/// The file that a process runs. None where that may not be read, or where the file was deleted or replaced since.
pub fn executable(pid: u32) -> Option<PathBuf> {
    let path = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    (!path.as_os_str().as_bytes().ends_with(b" (deleted)")).then_some(path)
}

/// The regular files that a process has open, deleted ones left out. None where they may not be read.
pub fn open_files(pid: u32) -> Option<Vec<OpenFile>> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let file = |number: &OsStr| {
        let number = number.to_str()?;
        let link = format!("/proc/{pid}/fd/{number}");
        let path = fs::read_link(&link).ok()?;
        // Pipes, sockets and the like have links that are no paths, so they are told apart without being opened.
        if !path.is_absolute() || path.as_os_str().as_bytes().ends_with(b" (deleted)") {
            return None;
        }
        let metadata = fs::metadata(&link).ok()?;
        if !metadata.is_file() || metadata.nlink() == 0 {
            return None;
        }
        let info = fs::read(format!("/proc/{pid}/fdinfo/{number}")).ok()?;
        Some(OpenFile {
            path,
            is_written: proc_text::is_written(&info),
            is_standard_stream: matches!(number, "0" | "1" | "2"),
        })
    };
    Some(
        entries
            .filter_map(|entry| file(&entry.ok()?.file_name()))
            .collect(),
    )
}

/// The memory in bytes that can be had without swapping, as the kernel estimates it. None where it does not tell.
pub fn available_memory_bytes() -> Option<u64> {
    proc_text::available_memory_bytes(&fs::read("/proc/meminfo").ok()?)
}

/// How many units of a process's start time make a second.
pub fn start_time_units() -> u64 {
    // SAFETY: plain call without pointers.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks)
        .ok()
        .filter(|ticks| *ticks > 0)
        .unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_tells_what_it_was_started_with_and_where_it_stands() {
        let own = std::process::id();
        let owner = owner_of(own).unwrap().unwrap();
        assert_eq!(owner.uid, nix::unistd::getuid().as_raw());
        assert_eq!(owner.thread_group, own);
        assert_eq!(owner_of(u32::MAX).unwrap(), None);
        assert!(arguments(own).unwrap()[0].contains("leak_harness"));
        assert_eq!(arguments(u32::MAX), None);
        let path = std::env::var("PATH").unwrap();
        assert!(environment(own).unwrap().contains(&format!("PATH={path}")));
        assert_eq!(working_folder(own), std::env::current_dir().ok());
        assert_eq!(executable(own), std::env::current_exe().ok());
        assert!(available_memory_bytes().unwrap() > 1 << 20);
        assert!(start_time_units() >= 1);
    }

    #[test]
    fn open_files_are_regular_ones_that_still_exist() {
        let folder = tempfile::tempdir().unwrap();
        let folder_path = folder.path().canonicalize().unwrap();
        let path = |name: &str| folder_path.join(name);
        let written = File::create(path("written")).unwrap();
        fs::write(path("read"), "x").unwrap();
        let read = File::open(path("read")).unwrap();
        let deleted = File::create(path("deleted")).unwrap();
        fs::remove_file(path("deleted")).unwrap();
        let below = || {
            let mut files = open_files(std::process::id()).unwrap();
            files.retain(|file| file.path.starts_with(&folder_path));
            files.sort_by(|a, b| a.path.cmp(&b.path));
            files
        };
        let file = |name: &str, is_written| OpenFile {
            path: path(name),
            is_written,
            is_standard_stream: false,
        };
        assert_eq!(below(), [file("read", false), file("written", true)]);
        drop((written, read, deleted));
        assert_eq!(below(), []);
    }
}
