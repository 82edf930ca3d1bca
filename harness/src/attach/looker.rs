//! Looks at a live daemon and at those who belong to it. It reads; it sends nothing to anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::getuid;

use super::error::AttachError;
use super::family::{
    Candidate, Evidence, Marks, Relation, ancestors, below, cookies, data_folders, may_adopt,
    surely_adopts, tree,
};
use super::identity::{homes, package, people};
use super::mask::Mask;
use super::report::{End, Folder, Host, Watching};
use super::signature::signature;
use super::watch::{DaemonLook, Facts, Look, Member};
use crate::clock::Clock;
use crate::platform::portable::system_name;
use crate::platform::{self, Pids, Stat, Watched};
use crate::process::{ProcessIdentity, ProcessState};

/// Commands that too many unrelated processes share to speak for anybody.
const EVERYDAY: [&str; 6] = ["sh", "bash", "dash", "zsh", "cat", "sleep"];

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closeness {
    /// The table, and what tells the commands.
    Table,
    /// Also the open files and working folders of those that may be relatives.
    Files,
    /// Also the proportional memory of all, which costs milliseconds for each.
    Memory,
}

/// Looks at one daemon.
pub struct Looker {
    clock: Clock,
    daemon: Watched,
    uid: u32,
    table: Pids,
    pids: Vec<u32>,
    rows: Vec<Stat>,
    /// The daemon's ancestors while it lives, the nearest first.
    ancestors: Vec<u32>,
    marks: Marks,
    mask: Mask,
    /// Those who belong to the daemon.
    known: BTreeMap<ProcessIdentity, Known>,
    /// Those who could, by their parent, and of whom nothing says so yet.
    strangers: BTreeMap<ProcessIdentity, Stranger>,
    /// This process when it started, to tell ages by.
    own: Stat,
    page_size: u64,
    /// How many units of a start time make a second.
    start_units: u64,
    unseen: Vec<String>,
    ended: Option<End>,
}

/// One who belongs to the daemon.
struct Known {
    evidence: Evidence,
    described: Described,
}

/// A command line and what is shown of it.
struct Described {
    arguments: Vec<String>,
    signature: String,
    command: String,
}

/// One who may belong to the daemon.
struct Stranger {
    is_same_user: bool,
    environment: Vec<String>,
    has_executed: bool,
    described: Described,
}

impl Looker {
    /// Attaches to the process that has this pid now. Relatives are looked for in these data folders, or in those that are found.
    pub fn attach(pid: u32, data: &[PathBuf]) -> Result<Self, AttachError> {
        let failed = |cause| AttachError::System {
            doing: "read the process table",
            cause,
        };
        if pid == std::process::id() {
            return Err(AttachError::Itself { pid });
        }
        // Whose it is comes first: a process of somebody else may refuse everything after that, and a thread cannot be held open.
        let owner = platform::owner_of(pid)
            .map_err(failed)?
            .ok_or(AttachError::NoSuchProcess { pid })?;
        if owner.thread_group != pid {
            return Err(AttachError::Thread {
                pid,
                of: owner.thread_group,
            });
        }
        let own_uid = getuid();
        if owner.uid != own_uid.as_raw() && !own_uid.is_root() {
            return Err(AttachError::SomebodyElses {
                pid,
                uid: owner.uid,
                own: own_uid.as_raw(),
            });
        }
        let (daemon, stat) = Watched::open(pid)
            .map_err(failed)?
            .ok_or(AttachError::NoSuchProcess { pid })?;
        if stat.state == ProcessState::Zombie {
            return Err(AttachError::HasEnded {
                pid,
                parent: stat.ppid,
            });
        }
        let given = data
            .iter()
            .map(|path| {
                path.canonicalize().map_err(|cause| AttachError::NoFolder {
                    path: path.display().to_string(),
                    cause,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;

        let mut unseen = Vec::new();
        let mut seen = |what: Option<_>, name: &str| {
            what.unwrap_or_else(|| {
                unseen.push(format!("{name} of the daemon may not be read"));
                Vec::new()
            })
        };
        let environment: Vec<String> = seen(platform::environment(pid), "the environment");
        let files = match platform::open_files(pid) {
            Some(files) => files,
            None => {
                unseen.push("the open files of other processes cannot be read here".to_owned());
                Vec::new()
            }
        };
        let others = [
            Some(std::process::id()),
            Some(stat.ppid).filter(|parent| *parent > 1),
        ]
        .into_iter()
        .flatten()
        .filter_map(platform::environment)
        .collect::<Vec<_>>();
        let homes = homes(owner.uid, &environment);
        let mask = Mask::new(people(owner.uid, &environment, &homes));
        let marks = Marks {
            cookies: cookies(&environment, &others),
            folders: data_folders(&given, &environment, &files, &homes),
            signatures: BTreeSet::new(),
        };
        let own = platform::stat_of(std::process::id())
            .map_err(failed)?
            .ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        if !platform::KEEPS_ORPHANS {
            unseen.push(
                "PSS, open files and threads are not told by this system, and start times only to the second"
                    .to_owned(),
            );
        }
        Ok(Self {
            clock: Clock::start(),
            daemon,
            uid: owner.uid,
            table: Pids::open().map_err(failed)?,
            pids: Vec::new(),
            rows: Vec::new(),
            ancestors: Vec::new(),
            marks,
            mask,
            known: BTreeMap::new(),
            strangers: BTreeMap::new(),
            own,
            page_size: platform::page_size(),
            start_units: platform::start_time_units(),
            unseen,
            ended: None,
        })
    }

    /// The clock of the watch, which began when it was attached.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether the daemon has ended, as far as was looked.
    pub const fn ended(&self) -> Option<End> {
        self.ended
    }

    /// What the last line of a command line is to show.
    pub const fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Whether the daemon still lives. Costs one read.
    pub fn is_alive(&self) -> bool {
        let stat = self.daemon.stat().ok().flatten();
        stat.is_some_and(|stat| stat.state != ProcessState::Zombie)
    }

    /// Who the daemon is and how it is watched, for the report.
    pub fn facts(&self, watching: Watching, harness_version: &str) -> Facts {
        let process = self.daemon.process();
        let stat = self.daemon.stat().ok().flatten();
        let name = stat.map(|stat| stat.name).unwrap_or_default();
        let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
        let arguments = platform::arguments(process.pid).unwrap_or_default();
        let executable = platform::executable(process.pid);
        let package = package(process.pid, &arguments, executable.as_deref());
        let show = |text: &str| self.mask.text(text);
        let described = self.describe(arguments, &name);
        Facts {
            host: Host {
                system: system_name(),
                memory_bytes: platform::memory_bytes(),
                available_memory_bytes: None,
            },
            watching: Watching {
                command: show(&watching.command),
                cookies: self
                    .marks
                    .cookies
                    .iter()
                    .filter_map(|cookie| Some(cookie.split_once('=')?.0.to_owned()))
                    .collect(),
                data_folders: self
                    .marks
                    .folders
                    .iter()
                    .map(|folder| Folder {
                        path: self.mask.path(&folder.path),
                        origin: folder.origin,
                    })
                    .collect(),
                ..watching
            },
            process,
            name: show(&name),
            command: described.command,
            signature: described.signature,
            executable: executable.as_deref().map(|path| self.mask.path(path)),
            package: package.map(|package| package.shown(show)),
            unseen: self.unseen.clone(),
            harness_version: harness_version.to_owned(),
        }
    }

    /// Looks once.
    pub fn look(&mut self, closeness: Closeness) -> Result<Look, AttachError> {
        self.read_table().map_err(|cause| AttachError::System {
            doing: "read the process table",
            cause,
        })?;
        let daemon = self.daemon_now(closeness);
        if daemon.is_some() {
            self.ancestors = ancestors(&self.rows, self.daemon.process().pid);
        }
        self.recognise(daemon.is_some(), closeness);
        let at = self.clock.now();
        let mut members = Vec::new();
        for row in &self.rows {
            let Some(known) = self.known.get(&row.process) else {
                continue;
            };
            let is_zombie = row.state == ProcessState::Zombie;
            let pss = (closeness >= Closeness::Memory && !is_zombie)
                .then(|| pss_of(row.process))
                .flatten();
            members.push(Member {
                process: row.process,
                ppid: row.ppid,
                is_zombie,
                rss_bytes: row.rss_pages * self.page_size,
                pss_bytes: pss,
                age_ms: self.age_ms(row.process, at.as_millis()),
                evidence: known.evidence.clone(),
                signature: known.described.signature.clone(),
                command: known.described.command.clone(),
            });
        }
        Ok(Look {
            at,
            daemon,
            members,
        })
    }

    fn read_table(&mut self) -> io::Result<()> {
        self.table.read(&mut self.pids)?;
        self.rows.clear();
        for pid in &self.pids {
            // Whoever is gone by now, or shows nothing to this user, is not there.
            self.rows.extend(platform::stat_of(*pid).ok().flatten());
        }
        Ok(())
    }

    /// The daemon now; none once it has ended.
    fn daemon_now(&mut self, closeness: Closeness) -> Option<DaemonLook> {
        let process = self.daemon.process();
        let stat = self.daemon.stat().ok().flatten();
        let Some(stat) = stat.filter(|stat| stat.state != ProcessState::Zombie) else {
            let reused = self.rows.iter().any(|row| {
                row.process.pid == process.pid && row.process.start_time != process.start_time
            });
            self.ended = Some(if reused {
                End::PidReused
            } else {
                End::DaemonEnded
            });
            return None;
        };
        let pss = (closeness >= Closeness::Memory)
            .then(|| pss_of(process))
            .flatten();
        Some(DaemonLook {
            ppid: stat.ppid,
            age_ms: self.age_ms(process, self.clock.now().as_millis()),
            rss_bytes: stat.rss_pages * self.page_size,
            pss_bytes: pss,
            open_files: platform::open_file_count(process.pid).map(u64::from),
            threads: Some(u64::from(stat.threads)).filter(|threads| *threads > 0),
        })
    }

    /// Brings those who belong to the daemon up to date with the table.
    fn recognise(&mut self, daemon_lives: bool, closeness: Closeness) {
        let rows = std::mem::take(&mut self.rows);
        let daemon = self.daemon.process();
        let tree = if daemon_lives {
            tree(&rows, daemon.pid)
        } else {
            BTreeMap::new()
        };
        let present: BTreeSet<ProcessIdentity> = rows.iter().map(|row| row.process).collect();
        self.known.retain(|process, _| present.contains(process));
        self.strangers
            .retain(|process, _| present.contains(process));

        for row in &rows {
            if let Some(evidence) = tree.get(&row.process.pid) {
                self.learn(row, evidence.clone());
                self.learn_kind(row.process, evidence);
            } else if let Some(known) = self.known.get(&row.process) {
                let evidence = match &known.evidence {
                    Evidence::Parent | Evidence::Ancestor | Evidence::LeftTheTree { .. } => {
                        Evidence::LeftTheTree { parent: row.ppid }
                    }
                    other => other.clone(),
                };
                self.learn(row, evidence);
            }
        }
        let names: BTreeMap<u32, &[u8]> = rows
            .iter()
            .map(|row| (row.process.pid, row.name.as_bytes()))
            .collect();
        let own_line = ancestors(&rows, self.own.process.pid);
        for row in &rows {
            let pid = row.process.pid;
            let is_doubtful = self
                .known
                .get(&row.process)
                .is_none_or(|known| known.evidence.relation() == Relation::Maybe);
            let is_our_own = pid == self.own.process.pid || own_line.contains(&pid);
            let is_around = row.process == daemon || self.ancestors.contains(&pid);
            let parent = names.get(&row.ppid).copied().unwrap_or_default();
            if is_doubtful
                && !is_our_own
                && !is_around
                && !tree.contains_key(&pid)
                && row.state != ProcessState::Zombie
                && may_adopt(row.ppid, parent, &self.ancestors)
            {
                let surely = surely_adopts(row.ppid, parent, &self.ancestors);
                if let Some(evidence) = self.suspect(row, surely, closeness) {
                    self.learn(row, evidence);
                    self.strangers.remove(&row.process);
                }
            }
        }
        self.learn_descendants(&rows, &tree);
        self.rows = rows;
    }

    /// Whoever descends from one that left the tree belongs to the daemon as much as that one.
    fn learn_descendants(&mut self, rows: &[Stat], tree: &BTreeMap<u32, Evidence>) {
        let relatives: Vec<(u32, bool)> = self
            .known
            .iter()
            .filter(|(process, known)| {
                !tree.contains_key(&process.pid)
                    && !matches!(known.evidence, Evidence::Relative { .. })
            })
            .map(|(process, known)| {
                let certain = known.evidence.relation() != Relation::Maybe;
                (process.pid, certain)
            })
            .collect();
        for (pid, certain) in relatives {
            let descendants = below(rows, pid);
            for row in rows {
                if descendants.contains_key(&row.process.pid)
                    && !self.known.contains_key(&row.process)
                    && row.process.pid != self.own.process.pid
                {
                    self.learn(row, Evidence::Relative { pid, certain });
                }
            }
        }
    }

    /// What speaks for a process that is not in the tree, and whose parent may have taken it in.
    fn suspect(&mut self, row: &Stat, surely: bool, closeness: Closeness) -> Option<Evidence> {
        let pid = row.process.pid;
        let fresh = self
            .strangers
            .get(&row.process)
            .is_none_or(|stranger| stranger.has_executed != row.has_executed);
        if fresh {
            let owner = platform::owner_of(pid).ok().flatten();
            let is_same_user = owner.is_some_and(|owner| owner.uid == self.uid);
            let arguments = platform::arguments(pid).filter(|_| is_same_user);
            let name = String::from_utf8_lossy(row.name.as_bytes()).into_owned();
            let stranger = Stranger {
                is_same_user,
                environment: platform::environment(pid)
                    .filter(|_| is_same_user)
                    .unwrap_or_default(),
                has_executed: row.has_executed,
                described: self.describe(arguments.unwrap_or_default(), &name),
            };
            self.strangers.insert(row.process, stranger);
        }
        let stranger = self.strangers.get(&row.process)?;
        if !stranger.is_same_user {
            return None;
        }
        let closely = fresh || closeness >= Closeness::Files;
        let files = closely.then(|| platform::open_files(pid)).flatten();
        let folder = closely.then(|| platform::working_folder(pid)).flatten();
        let candidate = Candidate {
            environment: &stranger.environment,
            files: files.as_deref().unwrap_or_default(),
            folder: folder.as_deref(),
            signature: &stranger.described.signature,
            is_surely_adopted: surely,
        };
        let mask = &self.mask;
        self.marks
            .recognise(&candidate, |path: &Path| mask.path(path))
    }

    /// Notes a process that belongs to the daemon; its command line is read again, as it may run another program by now.
    fn learn(&mut self, row: &Stat, evidence: Evidence) {
        // A zombie has no command line any more; what it was is known from before.
        let now = match row.state {
            ProcessState::Zombie => None,
            _ => platform::arguments(row.process.pid).filter(|arguments| !arguments.is_empty()),
        };
        if let Some(known) = self.known.get_mut(&row.process) {
            known.evidence = evidence.clone();
            if now
                .as_ref()
                .is_none_or(|now| *now == known.described.arguments)
            {
                return;
            }
        }
        let name = String::from_utf8_lossy(row.name.as_bytes()).into_owned();
        let described = self.describe(now.unwrap_or_default(), &name);
        self.known.insert(
            row.process,
            Known {
                evidence,
                described,
            },
        );
    }

    /// Remembers of which kinds the daemon's children are.
    fn learn_kind(&mut self, process: ProcessIdentity, evidence: &Evidence) {
        let Some(known) = self
            .known
            .get(&process)
            .filter(|_| *evidence == Evidence::Parent)
        else {
            return;
        };
        let signature = &known.described.signature;
        let program = signature.split(' ').next().unwrap_or_default();
        if !program.starts_with('[')
            && !EVERYDAY.contains(&program)
            && !self.marks.signatures.contains(signature)
        {
            self.marks.signatures.insert(signature.clone());
        }
    }

    fn describe(&self, arguments: Vec<String>, name: &str) -> Described {
        let command = match arguments.is_empty() {
            true => self.mask.text(&format!("[{name}]")),
            false => self.mask.command(&arguments),
        };
        Described {
            signature: signature(&arguments, name, &self.mask),
            command,
            arguments,
        }
    }

    /// How old a process is at a moment of the watch, told by its start and this process's own.
    fn age_ms(&self, process: ProcessIdentity, at_ms: u64) -> u64 {
        let millis = |units: u64| units.saturating_mul(1_000) / self.start_units;
        let own = self.own.process.start_time;
        match own.checked_sub(process.start_time) {
            Some(before) => at_ms + millis(before),
            None => at_ms.saturating_sub(millis(process.start_time - own)),
        }
    }
}

/// The proportional memory of exactly this process.
fn pss_of(process: ProcessIdentity) -> Option<u64> {
    let pss = platform::pss_bytes(process.pid).ok().flatten()?;
    let still = platform::stat_of(process.pid).ok().flatten()?;
    (still.process == process).then_some(pss)
}
