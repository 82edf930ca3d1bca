//! Who holds the other end of a process's stdin: a pipe by its inode, a Unix socket by its peer.

use std::collections::HashMap;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use super::socket_diag::{self, Peer};
use crate::platform::proc_text::FileKind;
use crate::platform::{StdinHolders, is_gone, unless_gone};
use crate::process::ProcessIdentity;

/// Looks for the holders of the other ends of some processes' stdin, in one pass over the open files of the tree.
#[derive(Debug)]
pub struct StdinHolderSearch {
    examined: Vec<(ProcessIdentity, StdinHolders)>,
    wanted: HashMap<FileKind, Vec<usize>>,
}

impl StdinHolderSearch {
    /// Begins a search for these processes.
    pub fn new(examined: &[ProcessIdentity]) -> Self {
        let stdins: Vec<Option<FileKind>> =
            examined.iter().map(|process| stdin(process.pid)).collect();
        let peers = stdins
            .iter()
            .any(|kind| matches!(kind, Some(FileKind::Socket(_))))
            .then(|| socket_diag::unix_peers().ok())
            .flatten();
        let mut wanted: HashMap<FileKind, Vec<usize>> = HashMap::new();
        let mut results = Vec::with_capacity(examined.len());
        for (index, (process, stdin)) in examined.iter().zip(stdins).enumerate() {
            let mut known = true;
            let other_end = match stdin {
                Some(FileKind::Pipe(inode)) => Some(FileKind::Pipe(inode)),
                Some(FileKind::Socket(inode)) => match peers.as_ref().and_then(|p| p.get(&inode)) {
                    // Whoever still holds a finished end holds nothing back: the reader has its EOF.
                    Some(Peer { finished: true, .. }) => None,
                    Some(Peer { inode, .. }) => inode.map(FileKind::Socket),
                    None => {
                        known = false;
                        None
                    }
                },
                Some(FileKind::Other) => None,
                None => {
                    known = false;
                    None
                }
            };
            if let Some(kind) = other_end {
                wanted.entry(kind).or_default().push(index);
            }
            results.push((
                *process,
                StdinHolders {
                    holders: Vec::new(),
                    known,
                },
            ));
        }
        Self {
            examined: results,
            wanted,
        }
    }

    /// Looks through the open files of one process.
    pub fn look_at(&mut self, holder: ProcessIdentity) {
        if self.wanted.is_empty() {
            return;
        }
        match files(holder.pid) {
            Ok(Some(files)) => {
                for (kind, may_write) in files {
                    if matches!(kind, FileKind::Pipe(_)) && !may_write {
                        continue;
                    }
                    for &index in self.wanted.get(&kind).map_or(&[][..], Vec::as_slice) {
                        let (process, result) = &mut self.examined[index];
                        if *process != holder && !result.holders.contains(&holder) {
                            result.holders.push(holder);
                        }
                    }
                }
            }
            Ok(None) => {}
            // A process whose files may not be read may be the holder of any.
            Err(_) => {
                for &index in self.wanted.values().flatten() {
                    self.examined[index].1.known = false;
                }
            }
        }
    }

    /// The holders of each process, in the order that was asked for.
    pub fn finish(self) -> Vec<(ProcessIdentity, StdinHolders)> {
        self.examined
    }
}

fn stdin(pid: u32) -> Option<FileKind> {
    match std::fs::read_link(format!("/proc/{pid}/fd/0")) {
        Ok(link) => Some(FileKind::from_link(link.as_os_str().as_bytes())),
        // A process without a stdin reads none, as long as it is really the file that is missing.
        Err(error) if is_gone(&error) => std::fs::metadata(format!("/proc/{pid}/fd"))
            .is_ok()
            .then_some(FileKind::Other),
        Err(_) => None,
    }
}

/// The pipes and sockets that a process has open, and whether it may write to each. None when it is gone.
fn files(pid: u32) -> io::Result<Option<Vec<(FileKind, bool)>>> {
    let Some(entries) = unless_gone(std::fs::read_dir(format!("/proc/{pid}/fd")))? else {
        return Ok(None);
    };
    let mut files = Vec::new();
    for entry in entries {
        // A file may be closed, and the process end, while we look.
        let Some(entry) = unless_gone(entry)? else {
            break;
        };
        let Some(link) = unless_gone(std::fs::read_link(entry.path()))? else {
            continue;
        };
        let kind = FileKind::from_link(link.as_os_str().as_bytes());
        if kind == FileKind::Other {
            continue;
        }
        // The permissions of the link itself are how the file was opened.
        if let Some(link) = unless_gone(std::fs::symlink_metadata(entry.path()))? {
            files.push((kind, link.mode() & 0o200 != 0));
        }
    }
    Ok(Some(files))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};

    use super::super::tests::{identity, reader, wait_for_end};
    use super::super::watched::Watched;
    use super::*;

    #[test]
    fn the_holder_of_a_pipe_is_found_and_a_reader_of_it_is_not() {
        let mut child = reader();
        let (child_identity, own) = (identity(child.id()), identity(std::process::id()));
        let search = |child_identity| {
            let mut search = StdinHolderSearch::new(&[child_identity]);
            search.look_at(child_identity);
            search.look_at(own);
            search.finish().remove(0).1
        };
        let held = search(child_identity);
        assert_eq!((held.holders, held.known), (vec![own], true));
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn the_holder_of_a_socket_is_found_until_it_is_shut_down() {
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut child = Command::new("cat")
            .stdin(OwnedFd::from(near))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (child_identity, own) = (identity(child.id()), identity(std::process::id()));
        let search = || {
            let mut search = StdinHolderSearch::new(&[child_identity]);
            search.look_at(own);
            search.finish().remove(0).1
        };
        let held = search();
        assert_eq!((held.holders, held.known), (vec![own], true));

        let (watched, _) = Watched::open(child.id()).unwrap().unwrap();
        far.shutdown(std::net::Shutdown::Write).unwrap();
        wait_for_end(&watched);
        child.wait().unwrap();
    }
}
