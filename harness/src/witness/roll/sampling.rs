//! One pass over the process table, and the sample that it gives.

use std::io;

use fake_claude::quantity::Span;

use super::{Roll, STRANGER_TICKS};
use crate::platform;
use crate::process::{ProcessRow, ProcessState};
use crate::timeline::event::{EventKind, Source, WorkerResources};
use crate::units::RunTime;

impl Roll {
    /// Compares the roll with the pids of the table: who is gone goes, who is new comes.
    pub(in crate::witness) fn compare(&mut self, pids: &[u32]) -> io::Result<()> {
        let mut to_look_at = std::mem::take(&mut self.to_look_at);
        to_look_at.clear();
        for (pid, known) in &mut self.known {
            match known.watched.stat()? {
                Some(stat) => {
                    let row = stat.row(self.page_size);
                    let is_worker = self.worker == Some(stat.process);
                    known.changed |= differs(&known.row, &row, is_worker);
                    known.row = row;
                    if is_worker {
                        self.view.worker = Some(WorkerResources {
                            rss_bytes: row.rss_bytes,
                            files: None,
                            pipes: None,
                            threads: Some(stat.threads).filter(|threads| *threads > 0),
                        });
                    }
                    if !known.announced || (row.state == ProcessState::Zombie && !known.exited) {
                        to_look_at.push(*pid);
                    }
                }
                None => to_look_at.push(*pid),
            }
        }
        for &pid in &to_look_at {
            self.look_again(pid)?;
            self.look_for_end(pid, Source::Table)?;
        }
        self.to_look_at = to_look_at;
        self.strangers
            .retain(|pid, _| pids.binary_search(pid).is_ok());
        for &pid in pids {
            if !self.known.contains_key(&pid) && pid != self.own_pid && !self.still_strange(pid)? {
                self.look(pid, Source::Table)?;
            }
        }
        Ok(())
    }

    /// Whether a pid is a stranger's that was looked at lately, or looks the same again.
    fn still_strange(&mut self, pid: u32) -> io::Result<bool> {
        let tick = self.ticks;
        let Some(stranger) = self.strangers.get_mut(&pid) else {
            return Ok(false);
        };
        if stranger.look_again > tick {
            return Ok(true);
        }
        stranger.look_again = tick + STRANGER_TICKS;
        let start_time = stranger.start_time;
        Ok(platform::stat_of(pid)?.is_some_and(|stat| stat.process.start_time == start_time))
    }

    /// The sample of the pass that was made at a moment.
    pub(in crate::witness) fn sample(&mut self, late: Span, at: RunTime) -> EventKind {
        let mut children = 0;
        let mut rss_bytes = 0;
        let mut changed = Vec::new();
        let mut worker = None;
        for known in self.known.values_mut().filter(|known| known.announced) {
            let living = known.row.state != ProcessState::Zombie;
            if self.worker == Some(known.row.process) {
                worker = self.view.worker.filter(|_| living);
            } else if living && !self.other_workers.contains(&known.row.process) {
                children += 1;
                rss_bytes += known.row.rss_bytes;
            }
            if std::mem::take(&mut known.changed) {
                changed.push(known.row);
            }
        }
        if let (Some(resources), Some(process)) = (&mut worker, self.worker) {
            (resources.files, resources.pipes) = self.open_files.count(process, at);
        }
        self.view.rss_bytes = rss_bytes;
        self.view.worker = worker;
        EventKind::Sampled {
            late,
            children,
            rss_bytes,
            worker,
            changed,
        }
    }
}

/// Whether a row says something new. Running and asleep are one: a busy process alternates all the time, and nobody asks. The worker's
/// RSS stands in every sample anyway.
fn differs(before: &ProcessRow, now: &ProcessRow, is_worker: bool) -> bool {
    let settled = |state| match state {
        ProcessState::Running => ProcessState::Sleeping,
        other => other,
    };
    settled(before.state) != settled(now.state)
        || before.ppid != now.ppid
        || (before.rss_bytes != now.rss_bytes && !is_worker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::ProcessIdentity;

    #[test]
    fn a_row_is_new_when_it_says_something_that_somebody_asks_for() {
        let row = ProcessRow {
            process: ProcessIdentity::new(2, 2),
            ppid: 1,
            state: ProcessState::Sleeping,
            rss_bytes: 10,
        };
        let check = |now: ProcessRow, child: bool, worker: bool| {
            assert_eq!(differs(&row, &now, false), child, "{now:?}");
            assert_eq!(differs(&row, &now, true), worker, "{now:?} of the worker");
        };
        check(row, false, false);
        let state = |state| ProcessRow { state, ..row };
        check(state(ProcessState::Running), false, false);
        check(state(ProcessState::Stopped), true, true);
        check(state(ProcessState::Zombie), true, true);
        check(ProcessRow { ppid: 9, ..row }, true, true);
        let heavier = ProcessRow {
            rss_bytes: 20,
            ..row
        };
        check(heavier, true, false);
    }
}
