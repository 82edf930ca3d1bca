//! The books: every process and every work item in exactly one bin, and the bins sum to what was counted.

use fake_claude::control::Role;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::Bin;

/// The bin of a process: the first obligation that it broke, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Gone and reaped in time, owing nothing.
    Clean,
    /// Alive past the grace under a live owner.
    Retained,
    /// Alive past the grace, and its owner is gone.
    Reparented,
    /// Dead past the grace, never waited for.
    Zombie,
    /// Alive after the worker was stopped, and in no bin before.
    Residue,
    /// Alive past the grace after a restart of the worker, and the new one owns up to it.
    Readopted,
    /// Ended from outside before its time.
    KilledEarly,
    /// Ended by itself with work owed.
    Crashed {
        /// Whether the scenario had told it to.
        planned: bool,
    },
    /// Meant to live.
    Survivor,
    /// The evidence does not suffice.
    Undecided,
}

impl Fate {
    /// The finding that this bin is, if it is one.
    pub const fn finding(self) -> Option<Bin> {
        match self {
            Self::Clean | Self::Survivor => None,
            Self::Retained => Some(Bin::Retained),
            Self::Reparented => Some(Bin::Reparented),
            Self::Zombie => Some(Bin::Zombie),
            Self::Residue => Some(Bin::Residue),
            Self::Readopted => Some(Bin::Readopted),
            Self::KilledEarly => Some(Bin::KilledEarly),
            Self::Crashed { .. } => Some(Bin::Crashed),
            Self::Undecided => Some(Bin::Undecided),
        }
    }

    /// Whether a process in this bin outlived its session or its worker.
    pub const fn is_leak(self) -> bool {
        matches!(
            self,
            Self::Retained | Self::Reparented | Self::Zombie | Self::Residue | Self::Readopted
        )
    }
}

/// Processes by bin. `spawned` is the sum of all bins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bins {
    /// Processes counted.
    pub spawned: u32,
    /// The most that lived at one sample.
    pub peak: u32,
    /// Gone and reaped in time, owing no work.
    pub clean: u32,
    /// Alive past the grace under a live owner.
    pub retained: u32,
    /// Alive past the grace without an owner.
    pub reparented: u32,
    /// Dead past the grace and never waited for.
    pub zombie: u32,
    /// Alive after the worker was stopped, and in none of the above.
    pub residue: u32,
    /// Alive past the grace after a restart of the worker, owned up to by the new one.
    pub readopted: u32,
    /// Ended from outside before their time.
    pub killed_early: u32,
    /// Ended by themselves with work owed.
    pub crashed: u32,
    /// Of the crashed, those that the scenario had told to.
    #[serde(default)]
    pub planned: u32,
    /// Meant to live.
    pub survivor: u32,
    /// Those for which the evidence does not suffice.
    pub undecided: u32,
}

impl Bins {
    /// Puts one process into its bin.
    pub fn put(&mut self, fate: Fate) {
        self.spawned += 1;
        *match fate {
            Fate::Clean => &mut self.clean,
            Fate::Retained => &mut self.retained,
            Fate::Reparented => &mut self.reparented,
            Fate::Zombie => &mut self.zombie,
            Fate::Residue => &mut self.residue,
            Fate::Readopted => &mut self.readopted,
            Fate::KilledEarly => &mut self.killed_early,
            Fate::Crashed { planned } => {
                self.planned += u32::from(planned);
                &mut self.crashed
            }
            Fate::Survivor => &mut self.survivor,
            Fate::Undecided => &mut self.undecided,
        } += 1;
    }

    /// The bins with their JSON names, in the order in which reports list them.
    pub const fn named(&self) -> [(&'static str, u32); 10] {
        [
            ("clean", self.clean),
            ("retained", self.retained),
            ("reparented", self.reparented),
            ("zombie", self.zombie),
            ("residue", self.residue),
            ("readopted", self.readopted),
            ("killed_early", self.killed_early),
            ("crashed", self.crashed),
            ("survivor", self.survivor),
            ("undecided", self.undecided),
        ]
    }

    /// The sum of all bins.
    pub fn sum(&self) -> u32 {
        self.named().iter().map(|(_, count)| count).sum()
    }

    /// Processes that outlived their session or their worker.
    pub const fn leaked(&self) -> u32 {
        self.retained + self.reparented + self.zombie + self.residue + self.readopted
    }

    /// These bins and others, with a peak of their own.
    fn plus(self, other: Self) -> Self {
        Self {
            spawned: self.spawned + other.spawned,
            peak: self.peak,
            clean: self.clean + other.clean,
            retained: self.retained + other.retained,
            reparented: self.reparented + other.reparented,
            zombie: self.zombie + other.zombie,
            residue: self.residue + other.residue,
            readopted: self.readopted + other.readopted,
            killed_early: self.killed_early + other.killed_early,
            crashed: self.crashed + other.crashed,
            planned: self.planned + other.planned,
            survivor: self.survivor + other.survivor,
            undecided: self.undecided + other.undecided,
        }
    }
}

/// The books of processes, one set of bins for each role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Roles {
    /// Processes that serve a session.
    pub primary: Bins,
    /// The real processes behind wrappers.
    pub payload: Bins,
    /// What primaries and payloads started.
    pub grandchild: Bins,
    /// Processes of the worker that serve no session.
    pub helper: Bins,
    /// Short questions, such as `--version`.
    pub probe: Bins,
}

impl Roles {
    /// The bins of a role.
    pub const fn of_mut(&mut self, role: Role) -> &mut Bins {
        match role {
            Role::Primary => &mut self.primary,
            Role::Payload => &mut self.payload,
            Role::Grandchild => &mut self.grandchild,
            Role::Helper => &mut self.helper,
            Role::Probe => &mut self.probe,
        }
    }

    /// The roles with their JSON names, in the order in which reports list them.
    pub const fn named(&self) -> [(&'static str, Bins); 5] {
        [
            ("primary", self.primary),
            ("payload", self.payload),
            ("grandchild", self.grandchild),
            ("helper", self.helper),
            ("probe", self.probe),
        ]
    }

    /// Primaries and what descends from them.
    pub fn sessions_own(&self, peak: u32) -> Bins {
        Bins {
            peak,
            ..Bins::default()
        }
        .plus(self.primary)
        .plus(self.payload)
        .plus(self.grandchild)
    }

    /// Every process of the run.
    pub fn all(&self) -> Bins {
        self.sessions_own(0).plus(self.helper).plus(self.probe)
    }
}

/// Work items by bin. `offered` is the sum of all bins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Work {
    /// Items sent to the worker.
    pub offered: u32,
    /// Answered once, and stored where that can be read back.
    pub answered: u32,
    /// Answered or stored twice or more.
    pub duplicated: u32,
    /// Accepted, and neither answered nor waiting.
    pub lost: u32,
    /// Still waiting.
    pub pending: u32,
    /// Given up by the driver itself.
    pub aborted: u32,
    /// The worker said no.
    pub refused: u32,
    /// The worker said that it skips them.
    pub skipped: u32,
    /// No answer came.
    pub unknown: u32,
}

impl Work {
    /// The bins with their JSON names, in the order in which reports list them.
    pub const fn named(&self) -> [(&'static str, u32); 8] {
        [
            ("answered", self.answered),
            ("duplicated", self.duplicated),
            ("lost", self.lost),
            ("pending", self.pending),
            ("aborted", self.aborted),
            ("refused", self.refused),
            ("skipped", self.skipped),
            ("unknown", self.unknown),
        ]
    }

    /// The sum of all bins.
    pub fn sum(&self) -> u32 {
        self.named().iter().map(|(_, count)| count).sum()
    }
}

/// All books of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Books {
    /// Processes by role.
    pub roles: Roles,
    /// Work items.
    pub work: Work,
    /// Process identities that were counted when they were first seen, apart from the bins.
    pub processes_counted: u32,
    /// Work items that were counted when they were offered, apart from the bins.
    pub items_counted: u32,
}

impl Books {
    /// Says where the books do not balance. That would be a fault of this program, never one of the worker.
    pub fn balance(&self) -> Result<(), String> {
        for (role, bins) in self.roles.named() {
            if bins.sum() != bins.spawned {
                return Err(format!(
                    "the bins of role {role} sum to {}, but {} were put into them",
                    bins.sum(),
                    bins.spawned
                ));
            }
        }
        let spawned = self.roles.all().spawned;
        if spawned != self.processes_counted {
            return Err(format!(
                "{} processes were seen, but the bins hold {spawned}",
                self.processes_counted
            ));
        }
        if self.work.sum() != self.items_counted || self.work.offered != self.items_counted {
            return Err(format!(
                "{} work items were offered, but the bins hold {}",
                self.items_counted,
                self.work.sum()
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_that_do_not_balance_say_where() {
        let mut books = Books::default();
        books.roles.of_mut(Role::Primary).put(Fate::Retained);
        books.roles.of_mut(Role::Helper).put(Fate::Clean);
        books.processes_counted = 2;
        assert_eq!(books.balance(), Ok(()));
        assert_eq!(books.roles.sessions_own(1).spawned, 1);
        assert_eq!(books.roles.all().leaked(), 1);

        books.processes_counted = 3;
        assert_eq!(
            books.balance().unwrap_err(),
            "3 processes were seen, but the bins hold 2"
        );
        books.processes_counted = 2;
        books.roles.primary.clean += 1;
        assert_eq!(
            books.balance().unwrap_err(),
            "the bins of role primary sum to 2, but 1 were put into them"
        );
    }
}
