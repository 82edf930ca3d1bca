//! A second pair of eyes: the portable process table, compared with the roll at checkpoints.
//!
//! The two cannot look at the same moment, so a difference counts only if the next checkpoint finds it again.

use std::collections::{BTreeMap, BTreeSet};

use super::Witnesses;
use super::roll::Scope;
use crate::platform::portable::{PortableRow, PortableTable};
use crate::process::ProcessState;
use crate::timeline::event::Source;

/// A process as both tables can name it: its pid, and its start in whole seconds.
type CoarseIdentity = (u32, u64);

/// How far the two tables may differ in the second at which a process started.
const TOLERANCE: u64 = 1;

/// What the cross-check keeps between two checkpoints.
#[derive(Default)]
pub(super) struct CrossCheck {
    table: Option<PortableTable>,
    /// Seen by the library, and not on the roll.
    missed_by_roll: BTreeSet<CoarseIdentity>,
    /// On the roll, and not seen by the library: pid, and start time in kernel ticks.
    missed_by_library: BTreeSet<(u32, u64)>,
}

impl Witnesses {
    /// Takes a sample, lets the portable table look, takes another sample, and compares. A process that one of them misses at two
    /// checkpoints in a row makes that one a witness that failed. To be called from time to time, and at the end.
    pub async fn cross_check(&self) {
        if !self.shared.switches.portable || !self.shared.switches.table {
            return;
        }
        self.sample().await;
        let before: BTreeSet<_> = self.shared.roll.borrow().identities().collect();
        let rows = self.portable_rows();
        self.sample().await;
        let after: BTreeSet<_> = self.shared.roll.borrow().identities().collect();
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) => {
                let reason = format!("the portable table cannot be read: {error}");
                self.shared.failed(Source::Portable, reason).await;
                return;
            }
        };

        let by_pid: BTreeMap<u32, PortableRow> = rows.iter().map(|row| (row.pid, *row)).collect();
        let missed_by_library: BTreeSet<_> = before
            .intersection(&after)
            .filter(|process| !by_pid.contains_key(&process.pid))
            .map(|process| (process.pid, process.start_time))
            .collect();
        let on_roll: BTreeSet<u32> = before.union(&after).map(|process| process.pid).collect();
        let missed_by_roll: BTreeSet<_> = of_the_run(&rows, self.shared.roll.borrow().scope())
            .filter(|row| row.state != ProcessState::Zombie && !on_roll.contains(&row.pid))
            .map(|row| (row.pid, row.start_seconds))
            .collect();

        let mut failures = Vec::new();
        {
            let mut earlier = self.cross_check.borrow_mut();
            for (pid, started) in &missed_by_roll {
                let again = earlier
                    .missed_by_roll
                    .iter()
                    .any(|(other, second)| other == pid && second.abs_diff(*started) <= TOLERANCE);
                if again {
                    let reason =
                        format!("process {pid}, which the portable table shows, was missed twice");
                    failures.push((Source::Table, reason));
                }
            }
            for process in missed_by_library.intersection(&earlier.missed_by_library) {
                let reason = format!(
                    "process {}, which the process table shows, was missed twice",
                    process.0
                );
                failures.push((Source::Portable, reason));
            }
            earlier.missed_by_roll = missed_by_roll;
            earlier.missed_by_library = missed_by_library;
        }
        for (witness, reason) in failures {
            self.shared.failed(witness, reason).await;
        }
    }

    fn portable_rows(&self) -> std::io::Result<Vec<PortableRow>> {
        let mut check = self.cross_check.borrow_mut();
        let table = match &mut check.table {
            Some(table) => table,
            None => check.table.insert(PortableTable::new()?),
        };
        table.refresh(false);
        Ok(table.rows().collect())
    }
}

/// The rows that belong to the run, the harness itself left out.
fn of_the_run(rows: &[PortableRow], scope: Scope) -> impl Iterator<Item = &PortableRow> {
    let parents: BTreeMap<u32, u32> = rows.iter().map(|row| (row.pid, row.ppid)).collect();
    let own = std::process::id();
    rows.iter().filter(move |row| {
        row.pid != own
            && match scope {
                Scope::Everything => true,
                Scope::DescendantsOf(ancestor) => descends(&parents, row.pid, ancestor),
            }
    })
}

/// Whether a pid is the ancestor, or its parents lead there.
fn descends(parents: &BTreeMap<u32, u32>, pid: u32, ancestor: u32) -> bool {
    let mut current = pid;
    // A table that was read while processes came and went may hold a circle.
    for _ in 0..parents.len() {
        if current == ancestor {
            return true;
        }
        match parents.get(&current) {
            Some(&parent) if parent != 0 => current = parent,
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pid: u32, ppid: u32) -> PortableRow {
        PortableRow {
            pid,
            ppid,
            start_seconds: 1,
            state: ProcessState::Sleeping,
            rss_bytes: 0,
        }
    }

    #[test]
    fn only_descendants_belong_to_the_run_and_circles_end() {
        let rows = [row(1, 0), row(5, 1), row(6, 5), row(7, 8), row(8, 7)];
        let pids = |scope| {
            of_the_run(&rows, scope)
                .map(|row| row.pid)
                .collect::<Vec<_>>()
        };
        assert_eq!(pids(Scope::DescendantsOf(5)), [5, 6]);
        assert_eq!(pids(Scope::Everything), [1, 5, 6, 7, 8]);
    }
}
