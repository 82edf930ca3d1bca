//! What a daemon's relatives are recognised by when they have left its tree: marks in the environment, data folders, commands.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use crate::platform::OpenFile;

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
    use crate::attach::evidence::Relation;

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
