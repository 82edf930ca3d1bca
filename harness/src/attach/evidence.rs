//! What ties a process to a daemon, and how close that makes it.

use serde::{Deserialize, Serialize};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_makes_no_relative_of_anybody() {
        let folder = |given| Evidence::WorkingFolder {
            path: "~/x".to_owned(),
            given,
        };
        let relative = |certain| Evidence::Relative { pid: 7, certain };
        for (evidence, expected) in [
            (Evidence::Parent, Relation::Child),
            (Evidence::Ancestor, Relation::Descendant),
            (Evidence::LeftTheTree { parent: 1 }, Relation::Reparented),
            (folder(true), Relation::Reparented),
            (folder(false), Relation::Maybe),
            (relative(true), Relation::Reparented),
            (relative(false), Relation::Maybe),
            (Evidence::Command, Relation::Maybe),
        ] {
            assert_eq!(evidence.relation(), expected, "{}", evidence.words());
        }
    }
}
