//! Who belongs to the daemon, brought up to date at each look.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Closeness, Described, Known, Looker};
use crate::attach::evidence::{Evidence, Relation};
use crate::attach::family::{ancestors, below, may_adopt, surely_adopts, tree};
use crate::attach::marks::Candidate;
use crate::platform::{self, Stat};
use crate::process::{ProcessIdentity, ProcessState};

/// Commands that too many unrelated processes share to speak for anybody.
const EVERYDAY: [&str; 6] = ["sh", "bash", "dash", "zsh", "cat", "sleep"];

/// One who may belong to the daemon.
pub(super) struct Stranger {
    is_same_user: bool,
    environment: Vec<String>,
    has_executed: bool,
    described: Described,
}

impl Looker {
    /// Brings those who belong to the daemon up to date with the table.
    pub(super) fn recognise(&mut self, daemon_lives: bool, closeness: Closeness) {
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
            // Whoever attaches to its own ancestor is not part of what is looked at.
            if row.process == self.own.process {
                continue;
            }
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
        // Where no process can ask for orphans, all of them go to process 1.
        let adopters = match platform::KEEPS_ORPHANS {
            true => self.ancestors.clone(),
            false => Vec::new(),
        };
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
                && may_adopt(row.ppid, parent, &adopters)
            {
                let surely = surely_adopts(row.ppid, parent, &adopters);
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
}
