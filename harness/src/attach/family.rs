//! Who belongs to a daemon: its tree, and those who left it.
//!
//! An orphan goes to the nearest living ancestor that takes orphans in (a subreaper), else to process 1. So whoever descends from the
//! daemon has it, process 1 or one of the daemon's own ancestors for a parent. Among these, evidence tells relatives from strangers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::platform::{OpenFile, Stat};

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

/// Variables by which programs mark what they start, so that it can be found again: this harness, GitHub's runner, Jenkins, systemd.
pub const COOKIES: [&str; 6] = [
    "LEAK_HARNESS_RUN",
    "RUNNER_TRACKING_ID",
    "BUILD_ID",
    "JENKINS_NODE_COOKIE",
    "JENKINS_SERVER_COOKIE",
    "INVOCATION_ID",
];
/// Variables that name a daemon's data folder.
const FOLDER_VARIABLES: [&str; 1] = ["CLAUDE_MEM_DATA_DIR"];

/// Folders that too many programs share to tell anything.
const SHARED_FOLDERS: [&str; 8] = [
    "/tmp", "/var/tmp", "/var/log", "/run", "/dev", "/dev/shm", "/proc", "/var/run",
];
/// The same, below a home folder.
const SHARED_BELOW_HOME: [&str; 8] = [
    "",
    ".cache",
    ".config",
    ".local",
    ".local/share",
    ".local/state",
    "Library",
    "Library/Logs",
];

/// How close a process is to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// Its parent is the daemon.
    Child,
    /// It descends from a child.
    Descendant,
    /// It left the tree, or descends from one that did, and evidence ties it to the daemon.
    Reparented,
    /// Only its command, or the folder it works in, speaks for it.
    Maybe,
}

impl Relation {
    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Child => "child",
            Self::Descendant => "descendant",
            Self::Reparented => "reparented",
            Self::Maybe => "maybe reparented",
        }
    }
}

/// What ties a process to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Its parent is the daemon.
    Parent,
    /// One of its ancestors is a child of the daemon.
    Ancestor,
    /// It was in the tree at an earlier look, and has another parent since.
    LeftTheTree {
        /// Its parent now.
        parent: u32,
    },
    /// Its environment holds the same mark as the daemon's.
    Cookie {
        /// The variable; its value is nobody's business.
        variable: String,
    },
    /// It has a file open below the daemon's data folder.
    OpenFile {
        /// The file, private parts masked.
        path: String,
    },
    /// It works in a folder below the daemon's data folder.
    WorkingFolder {
        /// That folder, private parts masked.
        path: String,
        /// Whether the user named the data folder; a guessed one proves less.
        given: bool,
    },
    /// Its command is of the same kind as that of a known child. Anybody may have started such a process.
    Command,
    /// It descends from a process that left the tree.
    Relative {
        /// That process.
        pid: u32,
        /// Whether that one is certain.
        certain: bool,
    },
}

impl Evidence {
    /// How close a process with this evidence is.
    pub const fn relation(&self) -> Relation {
        match self {
            Self::Parent => Relation::Child,
            Self::Ancestor => Relation::Descendant,
            Self::LeftTheTree { .. }
            | Self::Cookie { .. }
            | Self::OpenFile { .. }
            | Self::WorkingFolder { given: true, .. }
            | Self::Relative { certain: true, .. } => Relation::Reparented,
            Self::WorkingFolder { given: false, .. }
            | Self::Command
            | Self::Relative { certain: false, .. } => Relation::Maybe,
        }
    }

    /// The evidence in words.
    pub fn words(&self) -> String {
        match self {
            Self::Parent => "its parent is the daemon".to_owned(),
            Self::Ancestor => "it descends from a child of the daemon".to_owned(),
            Self::LeftTheTree { parent } => {
                format!(
                    "it was in the daemon's tree when first seen, and its parent is {parent} since"
                )
            }
            Self::Cookie { variable } => {
                format!("its environment carries the daemon's {variable}")
            }
            Self::OpenFile { path } => {
                format!("it has {path} open, below the daemon's data folder")
            }
            Self::WorkingFolder { path, .. } => {
                format!("it works in {path}, below the daemon's data folder")
            }
            Self::Command => {
                "only its command, which is of the same kind as a known child's".to_owned()
            }
            Self::Relative { pid, .. } => format!("it descends from {pid}"),
        }
    }
}

/// Where the daemon's data folder is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The user said so.
    Given,
    /// A variable of the daemon's environment says so.
    Variable,
    /// The daemon has a file there open for writing.
    Written,
}

/// A folder in which a daemon keeps its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFolder {
    /// Where it is.
    pub path: PathBuf,
    /// Where that is known from.
    pub origin: Origin,
}

/// The data folders of a daemon: those that were given, or else those that its environment names and those that it writes to. Where its
/// output goes was chosen by whoever started it, and what else that one started may write there too.
pub fn data_folders(
    given: &[PathBuf],
    environment: &[String],
    files: &[OpenFile],
    homes: &[PathBuf],
) -> Vec<DataFolder> {
    let mut folders: Vec<DataFolder> = Vec::new();
    let mut add = |path: &Path, origin| {
        let known = folders.iter().any(|known| path.starts_with(&known.path));
        if !known {
            folders.push(DataFolder {
                path: path.to_owned(),
                origin,
            });
        }
    };
    for path in given {
        add(path, Origin::Given);
    }
    if !given.is_empty() {
        return folders;
    }
    for entry in environment {
        if let Some((name, value)) = entry.split_once('=')
            && FOLDER_VARIABLES.contains(&name)
            && Path::new(value).is_absolute()
        {
            add(Path::new(value), Origin::Variable);
        }
    }
    let is_shared = |path: &Path| {
        path.components().count() < 3
            || SHARED_FOLDERS
                .iter()
                .any(|shared| path == Path::new(shared))
            || path.starts_with("/dev")
            || homes.iter().any(|home| {
                SHARED_BELOW_HOME
                    .iter()
                    .any(|below| path == home.join(below))
            })
    };
    let mut written: Vec<&Path> = files
        .iter()
        .filter(|file| file.is_written && !file.is_standard_stream)
        .filter_map(|file| file.path.parent())
        .filter(|path| !is_shared(path))
        .collect();
    // The outer one first, so that those within it add nothing.
    written.sort_unstable();
    for path in written {
        add(path, Origin::Written);
    }
    folders
}

/// The marks that the daemon's environment holds, as whole entries. A mark that another process around it carries as well says nothing.
pub fn cookies(environment: &[String], others: &[Vec<String>]) -> Vec<String> {
    environment
        .iter()
        .filter(|entry| {
            let name = entry.split('=').next().unwrap_or_default();
            COOKIES.contains(&name) && entry.len() > name.len() + 1
        })
        .filter(|entry| !others.iter().any(|other| other.contains(entry)))
        .cloned()
        .collect()
}

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

/// What is known of a process that may be a relative.
#[derive(Debug, Clone, Copy, Default)]
pub struct Candidate<'a> {
    /// Its environment, where it may be read.
    pub environment: &'a [String],
    /// Its open files, where they may be read.
    pub files: &'a [OpenFile],
    /// The folder in which it works, where that may be read.
    pub folder: Option<&'a Path>,
    /// Its signature.
    pub signature: &'a str,
    /// Whether its parent certainly takes orphans in.
    pub is_surely_adopted: bool,
}

/// What the daemon's relatives are recognised by.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// Entries of the environment.
    pub cookies: Vec<String>,
    /// Its data folders.
    pub folders: Vec<DataFolder>,
    /// The signatures of its children, so far.
    pub signatures: BTreeSet<String>,
}

impl Marks {
    /// The strongest evidence that a process belongs to the daemon; paths are shown as `show` writes them.
    pub fn recognise(
        &self,
        candidate: &Candidate<'_>,
        show: impl Fn(&Path) -> String,
    ) -> Option<Evidence> {
        if let Some(cookie) = self
            .cookies
            .iter()
            .find(|cookie| candidate.environment.contains(cookie))
        {
            let variable = cookie.split('=').next().unwrap_or_default().to_owned();
            return Some(Evidence::Cookie { variable });
        }
        let within = |path: &Path| {
            self.folders
                .iter()
                .find(|folder| path.starts_with(&folder.path))
        };
        if let Some(file) = candidate
            .files
            .iter()
            .find(|file| within(&file.path).is_some())
        {
            return Some(Evidence::OpenFile {
                path: show(&file.path),
            });
        }
        if let Some((path, folder)) = candidate
            .folder
            .and_then(|path| Some((path, within(path)?)))
        {
            return Some(Evidence::WorkingFolder {
                path: show(path),
                given: folder.origin == Origin::Given,
            });
        }
        let same_kind = self.signatures.contains(candidate.signature);
        (candidate.is_surely_adopted && same_kind).then_some(Evidence::Command)
    }
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

    #[test]
    fn evidence_is_weighed() {
        let given = DataFolder {
            path: "/d".into(),
            origin: Origin::Given,
        };
        let marks = |origin| Marks {
            cookies: vec!["BUILD_ID=7".to_owned()],
            folders: vec![DataFolder {
                origin,
                ..given.clone()
            }],
            signatures: BTreeSet::from(["claude".to_owned()]),
        };
        let recognise = |candidate, origin| {
            marks(origin).recognise(&candidate, |path| path.display().to_string())
        };
        let environment = ["A=1".to_owned(), "BUILD_ID=7".to_owned()];
        let other = ["BUILD_ID=71".to_owned()];
        let files = [OpenFile {
            path: "/d/x.db".into(),
            is_written: false,
            is_standard_stream: false,
        }];
        let nothing = Candidate::default();
        let command = Candidate {
            signature: "claude",
            is_surely_adopted: true,
            ..nothing
        };
        for (candidate, origin, expected) in [
            (
                Candidate {
                    environment: &environment,
                    files: &files,
                    ..command
                },
                Origin::Given,
                Some(Relation::Reparented),
            ),
            (
                Candidate {
                    environment: &other,
                    ..nothing
                },
                Origin::Given,
                None,
            ),
            (
                Candidate {
                    files: &files,
                    ..nothing
                },
                Origin::Written,
                Some(Relation::Reparented),
            ),
            (
                Candidate {
                    folder: Some(Path::new("/d/y")),
                    ..nothing
                },
                Origin::Given,
                Some(Relation::Reparented),
            ),
            (
                Candidate {
                    folder: Some(Path::new("/d/y")),
                    ..command
                },
                Origin::Written,
                Some(Relation::Maybe),
            ),
            (
                Candidate {
                    folder: Some(Path::new("/dx")),
                    ..nothing
                },
                Origin::Given,
                None,
            ),
            (command, Origin::Given, Some(Relation::Maybe)),
            (
                Candidate {
                    is_surely_adopted: false,
                    ..command
                },
                Origin::Given,
                None,
            ),
        ] {
            let found = recognise(candidate, origin);
            assert_eq!(
                found.map(|found| found.relation()),
                expected,
                "{candidate:?}"
            );
        }
    }

    #[test]
    fn data_folders_are_those_it_writes_to_and_shares_with_few() {
        let file = |path: &str, is_written| OpenFile {
            path: path.into(),
            is_written,
            is_standard_stream: path.ends_with(".out"),
        };
        let files = [
            file("/home/a/.mem/logs/x.log", true),
            file("/home/a/.mem/x.db", true),
            file("/home/a/.cache/y", true),
            file("/home/a/y", true),
            file("/tmp/out", true),
            file("/home/a/jobs/1/x.out", true),
            file("/opt/lib/z.so", false),
            file("/dev/shm/a/b", true),
        ];
        let homes = [PathBuf::from("/home/a")];
        let of = |given: &[PathBuf], environment: &[String]| {
            data_folders(given, environment, &files, &homes)
                .into_iter()
                .map(|folder| (folder.path.display().to_string(), folder.origin))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&[], &[]), [("/home/a/.mem".to_owned(), Origin::Written)]);
        assert_eq!(of(&["/x".into()], &[]), [("/x".to_owned(), Origin::Given)]);
        let named = ["CLAUDE_MEM_DATA_DIR=/data".to_owned()];
        assert_eq!(of(&[], &named)[0], ("/data".to_owned(), Origin::Variable));
    }

    #[test]
    fn a_mark_that_others_carry_is_none() {
        let own = [
            "BUILD_ID=7".to_owned(),
            "INVOCATION_ID=x".to_owned(),
            "PATH=/bin".to_owned(),
            "RUNNER_TRACKING_ID=".to_owned(),
        ];
        assert_eq!(cookies(&own, &[]), ["BUILD_ID=7", "INVOCATION_ID=x"]);
        let parent = vec!["INVOCATION_ID=x".to_owned(), "BUILD_ID=8".to_owned()];
        assert_eq!(cookies(&own, &[parent]), ["BUILD_ID=7"]);
    }
}
