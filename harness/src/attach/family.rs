//! Who descends from a daemon, and to whom its orphans go.
//!
//! An orphan goes to the nearest living ancestor that takes orphans in (a subreaper), else to process 1. So whoever descends from the
//! daemon has it, process 1 or one of the daemon's own ancestors for a parent. Among these, evidence tells relatives from strangers.

use std::collections::BTreeMap;

use super::evidence::Evidence;
use crate::platform::Stat;

/// Programs that take no orphans in, though they start many processes: whoever has one of them for a parent was started there.
const NO_ADOPTERS: [&str; 14] = [
    "sh",
    "bash",
    "dash",
    "zsh",
    "fish",
    "ksh",
    "tcsh",
    "csh",
    "tmux: server",
    "screen",
    "sshd",
    "login",
    "su",
    "sudo",
];
/// Programs that are known to take orphans in, besides process 1.
const ADOPTERS: [&str; 10] = [
    "systemd",
    "init",
    "launchd",
    "tini",
    "docker-init",
    "dumb-init",
    "containerd-shim",
    "conmon",
    "catatonit",
    "s6-svscan",
];

/// The tree below a process, as one pass over the table shows it; the process itself is left out.
pub fn tree(rows: &[Stat], root: u32) -> BTreeMap<u32, Evidence> {
    below(rows, root)
        .into_iter()
        .map(|(pid, depth)| {
            let evidence = match depth {
                1 => Evidence::Parent,
                _ => Evidence::Ancestor,
            };
            (pid, evidence)
        })
        .collect()
}

/// Who descends from a process, and how far down.
pub fn below(rows: &[Stat], root: u32) -> BTreeMap<u32, u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for row in rows {
        children.entry(row.ppid).or_default().push(row.process.pid);
    }
    let mut found = BTreeMap::new();
    let mut next = vec![(root, 0)];
    while let Some((pid, depth)) = next.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            // A table read while it changes may show a circle.
            if *child != root && found.insert(*child, depth + 1).is_none() {
                next.push((*child, depth + 1));
            }
        }
    }
    found
}

/// The ancestors of a process that still live, the nearest first.
pub fn ancestors(rows: &[Stat], pid: u32) -> Vec<u32> {
    let parents: BTreeMap<u32, u32> = rows.iter().map(|row| (row.process.pid, row.ppid)).collect();
    let mut found = Vec::new();
    let mut at = pid;
    while let Some(parent) = parents.get(&at).copied() {
        if parent == 0 || found.contains(&parent) {
            break;
        }
        found.push(parent);
        at = parent;
    }
    found
}

/// Whether a process with this pid and short name may have taken in an orphan of the daemon, given the daemon's ancestors.
pub fn may_adopt(pid: u32, name: &[u8], ancestors: &[u32]) -> bool {
    pid == 1 || (ancestors.contains(&pid) && !named(name, &NO_ADOPTERS))
}

/// Whether it certainly takes orphans in. Only then is a command alone worth a "maybe".
pub fn surely_adopts(pid: u32, name: &[u8], ancestors: &[u32]) -> bool {
    pid == 1 || (ancestors.contains(&pid) && named(name, &ADOPTERS))
}

fn named(name: &[u8], names: &[&str]) -> bool {
    names.iter().any(|known| known.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::ShortName;
    use crate::process::{ProcessIdentity, ProcessState};

    fn row(pid: u32, ppid: u32) -> Stat {
        Stat {
            process: ProcessIdentity::new(pid, u64::from(pid)),
            name: ShortName::new(b"x"),
            state: ProcessState::Sleeping,
            ppid,
            pgid: pid,
            sid: pid,
            has_executed: true,
            threads: 1,
            rss_pages: 1,
            exit_status: 0,
        }
    }

    #[test]
    fn a_tree_has_children_and_descendants_and_survives_circles() {
        let rows = [
            row(1, 0),
            row(5, 1),
            row(10, 5),
            row(11, 10),
            row(12, 11),
            row(20, 1),
            row(30, 31),
            row(31, 30),
        ];
        let tree = tree(&rows, 5);
        assert_eq!(
            tree.into_iter().collect::<Vec<_>>(),
            [
                (10, Evidence::Parent),
                (11, Evidence::Ancestor),
                (12, Evidence::Ancestor)
            ]
        );
        assert_eq!(ancestors(&rows, 12), [11, 10, 5, 1]);
        assert_eq!(ancestors(&rows, 30), [31, 30]);
        assert_eq!(below(&rows, 30).len(), 1);
    }

    #[test]
    fn orphans_come_to_ancestors_that_take_them_in() {
        let ancestors = [40, 30, 1];
        assert!(may_adopt(1, b"sh", &ancestors));
        assert!(may_adopt(30, b"leak-harness", &ancestors));
        assert!(!may_adopt(30, b"bash", &ancestors));
        assert!(!may_adopt(50, b"systemd", &ancestors));
        assert!(surely_adopts(30, b"systemd", &ancestors));
        assert!(!surely_adopts(30, b"leak-harness", &ancestors));
    }
}
