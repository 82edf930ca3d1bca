//! What was seen of a daemon, as data: `attach.json`, and what the block for an issue is rendered from.
//!
//! Every command line, path and name in it was masked before it came here; all of it is untrusted text.

use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, Relation};
use super::growth::{Change, Forecast, Growth, Point};
use super::marks::Origin;
use crate::process::ProcessIdentity;

/// The version of this format.
pub const SCHEMA: u32 = 1;

/// What was seen of a live daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttachReport {
    /// The version of this format.
    pub schema: u32,
    /// The version of the program that looked.
    pub harness_version: String,
    /// The machine.
    pub host: Host,
    /// How it was watched.
    pub watching: Watching,
    /// The daemon itself.
    pub daemon: Daemon,
    /// Those who belong to it, counted.
    pub family: Family,
    /// They, by relation and command, the most memory first.
    pub groups: Vec<Group>,
    /// The oldest of them, at most ten.
    pub oldest: Vec<Line>,
    /// Those who left the tree, with what ties them to the daemon, at most fifty.
    pub relatives: Vec<Line>,
    /// What became more.
    pub growth: Growth,
    /// What that comes to; none where nothing grows or where it is too short to say.
    pub forecast: Option<Forecast>,
    /// What could not be looked at, in words.
    pub unseen: Vec<String>,
    /// The looks, thinned evenly to at most 500.
    pub series: Vec<Point>,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The operating system with its version and the kernel's.
    pub system: String,
    /// Physical memory in bytes; 0 where it is not told.
    pub memory_bytes: u64,
    /// Memory in bytes that could be had without swapping at the end; none where it is not told.
    pub available_memory_bytes: Option<u64>,
}

/// How the watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The time was over.
    TimeOver,
    /// The user stopped it.
    Interrupted,
    /// The daemon ended.
    DaemonEnded,
    /// The daemon ended, and its pid belongs to another process now.
    PidReused,
}

/// How the daemon was watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    /// For how long, in milliseconds.
    pub for_ms: u64,
    /// The pause between two looks in milliseconds.
    pub every_ms: u64,
    /// How many looks there were.
    pub looks: u64,
    /// How it ended.
    pub end: End,
    /// The command that watched.
    pub command: String,
    /// By which marks in the environment relatives were looked for: the names of the variables.
    pub cookies: Vec<String>,
    /// In which data folders.
    pub data_folders: Vec<Folder>,
}

/// A folder in which relatives were looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Where it is.
    pub path: String,
    /// Where that is known from.
    pub origin: Origin,
}

/// The daemon itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// Who it is.
    pub process: ProcessIdentity,
    /// Its parent.
    pub ppid: u32,
    /// The short name that the kernel keeps of it.
    pub name: String,
    /// Its command line.
    pub command: String,
    /// Its signature.
    pub signature: String,
    /// The file that it runs; none where that may not be read, or where the file was replaced since.
    pub executable: Option<String>,
    /// The packages that its program belongs to, as their own files say, the nearest first.
    pub packages: Vec<Package>,
    /// Its age at the end in milliseconds.
    pub age_ms: u64,
    /// Its resident memory in bytes.
    pub rss_bytes: Change,
    /// Its proportional memory in bytes; none where it may not be read.
    pub pss_bytes: Option<Change>,
    /// Its open files; none where they may not be counted.
    pub open_files: Option<Change>,
    /// Its threads; none where the system does not tell.
    pub threads: Option<Change>,
}

/// A package as its own file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The file that says so.
    pub file: String,
}

/// Those who belong to the daemon at the end, counted. Zombies are counted apart and nowhere else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// Living children.
    pub children: u64,
    /// Living descendants of children.
    pub descendants: u64,
    /// Living processes that left the tree.
    pub reparented: u64,
    /// Living processes that may have left the tree.
    pub maybe: u64,
    /// Dead processes that nobody waited for.
    pub zombies: u64,
    /// Resident memory in bytes of the living ones, shared pages counted for each; the doubtful ones left out.
    pub rss_bytes: u64,
    /// Proportional memory in bytes of those for which it could be read.
    pub pss_bytes: u64,
    /// Of how many living ones it could not be read.
    pub without_pss: u64,
}

impl Family {
    /// Living processes that belong to the daemon, the doubtful ones left out.
    pub const fn living(&self) -> u64 {
        self.children + self.descendants + self.reparented
    }
}

/// Processes of one relation and one kind of command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// How close they are to the daemon.
    pub relation: Relation,
    /// Their command, brought down to its kind.
    pub signature: String,
    /// How many live.
    pub count: u64,
    /// How many are dead and were not waited for.
    pub zombies: u64,
    /// The age of the youngest living one in milliseconds; 0 where none lives.
    pub youngest_ms: u64,
    /// The median age.
    pub median_ms: u64,
    /// The age of the oldest.
    pub oldest_ms: u64,
    /// Resident memory in bytes, shared pages counted for each.
    pub rss_bytes: u64,
    /// Proportional memory in bytes of those for which it could be read.
    pub pss_bytes: u64,
    /// Of how many living ones it could not be read.
    pub without_pss: u64,
    /// The count when it was attached, and at the end.
    pub count_change: Change,
    /// The resident memory in bytes when it was attached, and at the end.
    pub rss_change: Change,
    /// Those that came in an hour and still live, by their ages alone; none where these tell no rate.
    pub per_hour_by_ages: Option<f64>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Who it is.
    pub process: ProcessIdentity,
    /// Its parent.
    pub ppid: u32,
    /// Its age in milliseconds.
    pub age_ms: u64,
    /// Its resident memory in bytes.
    pub rss_bytes: u64,
    /// Its proportional memory in bytes; none where it may not be read.
    pub pss_bytes: Option<u64>,
    /// How close it is to the daemon.
    pub relation: Relation,
    /// What ties it to the daemon.
    pub evidence: Evidence,
    /// Its command line.
    pub command: String,
}
