//! Looks at a live daemon and at those who belong to it. It reads; it sends nothing to anybody.

mod attaching;
mod recognising;

use std::collections::BTreeMap;
use std::io;

use self::recognising::Stranger;
use super::error::AttachError;
use super::evidence::Evidence;
use super::family::ancestors;
use super::marks::Marks;
use super::mask::Mask;
use super::report::End;
use super::signature::signature;
use super::watch::{DaemonLook, Look, Member};
use crate::clock::Clock;
use crate::platform::{self, Pids, Stat, Watched};
use crate::process::{ProcessIdentity, ProcessState};

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

impl Looker {
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
            self.ended = Some(how_it_ended(process, &self.rows));
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

/// How a process that lives no more ended, as the table shows it: its pid may be somebody else's by now.
fn how_it_ended(process: ProcessIdentity, rows: &[Stat]) -> End {
    let is_reused = rows
        .iter()
        .any(|row| row.process.pid == process.pid && row.process.start_time != process.start_time);
    if is_reused {
        End::PidReused
    } else {
        End::DaemonEnded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_with_another_start_time_is_another_process() {
        let own = platform::stat_of(std::process::id()).unwrap().unwrap();
        let process = own.process;
        let before = ProcessIdentity::new(process.pid, process.start_time - 1);
        assert_eq!(how_it_ended(before, &[own]), End::PidReused);
        assert_eq!(how_it_ended(process, &[own]), End::DaemonEnded);
        assert_eq!(how_it_ended(before, &[]), End::DaemonEnded);
    }

    #[test]
    fn ages_are_told_by_this_process() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut looker = Looker::attach(child.id(), &[]).unwrap();
        let look = looker.look(Closeness::Memory).unwrap();
        let age = look.daemon.unwrap().age_ms;
        assert!(age < 60_000, "{age}");
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(!looker.is_alive());
        assert_eq!(looker.look(Closeness::Table).unwrap().daemon, None);
        assert_eq!(looker.ended(), Some(End::DaemonEnded));
    }
}
