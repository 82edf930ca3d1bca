//! Looks folded into what is shown: pure, and bounded by what lives, not by how long it was watched.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{Evidence, Relation};
use super::growth::{self, Basis, Change, Forecast, Observed, Point, Trend, median, rate_by_ages};
use super::report::{AttachReport, Daemon, Family, Group, Host, Line, Package, SCHEMA, Watching};
use crate::process::ProcessIdentity;
use crate::units::RunTime;

/// How many looks are kept; beyond that every second one is dropped, again and again.
const MOST_POINTS: usize = 4_000;
/// How many looks a report holds.
const MOST_SHOWN_POINTS: usize = 500;
/// How many of the oldest are listed.
const OLDEST: usize = 10;
/// How many of those who left the tree are listed.
const RELATIVES: usize = 50;

/// One process at one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who it is.
    pub process: ProcessIdentity,
    /// Its parent.
    pub ppid: u32,
    /// Whether it is dead and was not waited for.
    pub is_zombie: bool,
    /// Its resident memory in bytes.
    pub rss_bytes: u64,
    /// Its proportional memory in bytes, where it was read.
    pub pss_bytes: Option<u64>,
    /// Its age in milliseconds.
    pub age_ms: u64,
    /// What ties it to the daemon.
    pub evidence: Evidence,
    /// Its command, brought down to its kind.
    pub signature: String,
    /// Its command line, private parts masked.
    pub command: String,
}

/// The daemon at one look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DaemonLook {
    /// Its parent.
    pub ppid: u32,
    /// Its age in milliseconds.
    pub age_ms: u64,
    /// Its resident memory in bytes.
    pub rss_bytes: u64,
    /// Its proportional memory in bytes, where it was read.
    pub pss_bytes: Option<u64>,
    /// Its open files, where they may be counted.
    pub open_files: Option<u64>,
    /// Its threads, where the system tells.
    pub threads: Option<u64>,
}

/// One look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// When, since it was attached.
    pub at: RunTime,
    /// The daemon; none once it has ended.
    pub daemon: Option<DaemonLook>,
    /// Those who belong to it.
    pub members: Vec<Member>,
}

/// What does not come from looks.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The machine.
    pub host: Host,
    /// How it was watched; the times and counts are filled in here.
    pub watching: Watching,
    /// Who the daemon is.
    pub process: ProcessIdentity,
    /// Its short name.
    pub name: String,
    /// Its command line, private parts masked.
    pub command: String,
    /// Its signature.
    pub signature: String,
    /// Its file.
    pub executable: Option<String>,
    /// Its packages.
    pub packages: Vec<Package>,
    /// What could not be looked at.
    pub unseen: Vec<String>,
    /// The version of this program.
    pub harness_version: String,
}

/// Everything that was seen so far.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    looks: u64,
    first: Look,
    last: Look,
    first_daemon: DaemonLook,
    last_daemon: DaemonLook,
    points: Vec<Point>,
    stride: u64,
    latest: Point,
    living: BTreeSet<ProcessIdentity>,
    came: u64,
    ended: u64,
}

impl Watch {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self {
            stride: 1,
            ..Self::default()
        }
    }

    /// Takes in one look.
    pub fn see(&mut self, look: Look) {
        let living: BTreeSet<ProcessIdentity> = counted(&look.members)
            .map(|member| member.process)
            .collect();
        if self.looks > 0 {
            self.came += living.difference(&self.living).count() as u64;
            self.ended += self.living.difference(&living).count() as u64;
        }
        self.living = living;
        if let Some(daemon) = look.daemon {
            let point = Point {
                t_ms: look.at.as_millis(),
                processes: self.living.len() as u64,
                rss_bytes: counted(&look.members).map(|member| member.rss_bytes).sum(),
                daemon_rss_bytes: daemon.rss_bytes,
            };
            if self.looks.is_multiple_of(self.stride) {
                self.points.push(point);
            }
            if self.points.len() > MOST_POINTS {
                self.points = thinned(&self.points, 2);
                self.stride *= 2;
            }
            self.latest = point;
            if self.looks == 0 {
                self.first_daemon = daemon;
            }
            // PSS is not read at every look; what was known stays.
            self.last_daemon = DaemonLook {
                pss_bytes: daemon.pss_bytes.or(self.last_daemon.pss_bytes),
                ..daemon
            };
        }
        if self.looks == 0 {
            self.first = look.clone();
        }
        self.last = look;
        self.looks += 1;
    }

    /// The last look.
    pub const fn last(&self) -> &Look {
        &self.last
    }

    /// The daemon when it was last alive.
    pub const fn daemon(&self) -> DaemonLook {
        self.last_daemon
    }

    /// How the figures of a look changed since it was attached: processes, and bytes of RSS with the daemon's.
    pub fn changes(&self) -> (Change, Change) {
        let before = self.points.first().copied().unwrap_or_default();
        let memory = |point: Point| point.rss_bytes + point.daemon_rss_bytes;
        (
            change(before.processes, self.latest.processes),
            change(memory(before), memory(self.latest)),
        )
    }

    /// The groups of the last look, the most memory first.
    pub fn groups(&self) -> Vec<Group> {
        let mut found: BTreeMap<(Relation, &str), Vec<&Member>> = BTreeMap::new();
        for member in &self.last.members {
            found.entry(key(member)).or_default().push(member);
        }
        // A group of which nobody is left is worth a line too: it says that they do end.
        for member in counted(&self.first.members) {
            found.entry(key(member)).or_default();
        }
        let mut before: BTreeMap<(Relation, &str), (u64, u64)> = BTreeMap::new();
        for member in self.first.members.iter().filter(|member| !member.is_zombie) {
            let (count, rss) = before.entry(key(member)).or_default();
            *count += 1;
            *rss += member.rss_bytes;
        }
        let mut groups: Vec<Group> = found
            .into_iter()
            .map(|(key, members)| group(key, &members, before.get(&key).copied()))
            .collect();
        groups.sort_by_key(|group| {
            let weight = (group.rss_bytes, group.count, group.zombies);
            (group.relation == Relation::Maybe, std::cmp::Reverse(weight))
        });
        groups
    }

    /// Those who belong to the daemon at the last look, counted.
    pub fn family(&self) -> Family {
        let mut family = Family::default();
        for member in &self.last.members {
            if member.is_zombie {
                family.zombies += 1;
                continue;
            }
            let count = match member.evidence.relation() {
                Relation::Child => &mut family.children,
                Relation::Descendant => &mut family.descendants,
                Relation::Reparented => &mut family.reparented,
                Relation::Maybe => &mut family.maybe,
            };
            *count += 1;
            if member.evidence.relation() != Relation::Maybe {
                family.rss_bytes += member.rss_bytes;
                family.pss_bytes += member.pss_bytes.unwrap_or(0);
                family.without_pss += u64::from(member.pss_bytes.is_none());
            }
        }
        family
    }

    /// The report on everything that was seen.
    pub fn finish(mut self, facts: Facts) -> AttachReport {
        if self.points.last() != Some(&self.latest) {
            self.points.push(self.latest);
        }
        let groups = self.groups();
        let pss = self.pss_change();
        let growth = growth::growth(Observed {
            points: &self.points,
            came: self.came,
            ended: self.ended,
            pss_bytes: pss,
        });
        let available = facts.host.available_memory_bytes;
        let forecast = Forecast::of(&growth, available).or_else(|| match growth.trend {
            Trend::TooShort => by_ages(&groups, available),
            Trend::Steady | Trend::Growing => None,
        });
        let (first, last) = (self.first_daemon, self.last_daemon);
        let both = |before: Option<u64>, after: Option<u64>| Some(change(before?, after?));
        let mut watching = facts.watching;
        watching.for_ms = self.last.at.as_millis();
        watching.looks = self.looks;
        let shown = self.points.len().div_ceil(MOST_SHOWN_POINTS).max(1);
        let mut series = thinned(&self.points, shown);
        if series.last() != self.points.last() {
            series.pop();
            series.extend(self.points.last());
        }
        AttachReport {
            schema: SCHEMA,
            harness_version: facts.harness_version,
            host: facts.host,
            watching,
            daemon: Daemon {
                process: facts.process,
                ppid: last.ppid,
                name: facts.name,
                command: facts.command,
                signature: facts.signature,
                executable: facts.executable,
                packages: facts.packages,
                age_ms: last.age_ms,
                rss_bytes: change(first.rss_bytes, last.rss_bytes),
                pss_bytes: both(first.pss_bytes, last.pss_bytes),
                open_files: both(first.open_files, last.open_files),
                threads: both(first.threads, last.threads),
            },
            family: self.family(),
            groups,
            oldest: self.lines(OLDEST, |relation| relation != Relation::Maybe),
            relatives: self.lines(RELATIVES, |relation| {
                matches!(relation, Relation::Reparented | Relation::Maybe)
            }),
            growth,
            forecast,
            unseen: facts.unseen,
            series,
        }
    }

    /// The PSS of all, first and last, where it was read of all at both.
    fn pss_change(&self) -> Option<Change> {
        let of = |look: &Look| {
            let members: Option<u64> = counted(&look.members).map(|member| member.pss_bytes).sum();
            Some(members? + look.daemon?.pss_bytes?)
        };
        Some(change(of(&self.first)?, of(&self.last)?))
    }

    /// The oldest living members of these relations, the doubtful ones behind.
    fn lines(&self, most: usize, wanted: impl Fn(Relation) -> bool) -> Vec<Line> {
        let mut members: Vec<&Member> = self
            .last
            .members
            .iter()
            .filter(|member| !member.is_zombie && wanted(member.evidence.relation()))
            .collect();
        members.sort_by_key(|member| {
            let is_doubtful = member.evidence.relation() == Relation::Maybe;
            let age = std::cmp::Reverse(member.age_ms);
            (is_doubtful, age, member.process)
        });
        members.truncate(most);
        members
            .into_iter()
            .map(|member| Line {
                process: member.process,
                ppid: member.ppid,
                age_ms: member.age_ms,
                rss_bytes: member.rss_bytes,
                pss_bytes: member.pss_bytes,
                relation: member.evidence.relation(),
                evidence: member.evidence.clone(),
                command: member.command.clone(),
            })
            .collect()
    }
}

/// Living members, the doubtful ones left out.
fn counted(members: &[Member]) -> impl Iterator<Item = &Member> {
    members
        .iter()
        .filter(|member| !member.is_zombie && member.evidence.relation() != Relation::Maybe)
}

fn key(member: &Member) -> (Relation, &str) {
    (member.evidence.relation(), member.signature.as_str())
}

const fn change(before: u64, after: u64) -> Change {
    Change { before, after }
}

fn group(
    (relation, signature): (Relation, &str),
    members: &[&Member],
    before: Option<(u64, u64)>,
) -> Group {
    let living: Vec<&&Member> = members.iter().filter(|member| !member.is_zombie).collect();
    let ages: Vec<u64> = living.iter().map(|member| member.age_ms).collect();
    let count = living.len() as u64;
    let rss_bytes = living.iter().map(|member| member.rss_bytes).sum();
    let (count_before, rss_before) = before.unwrap_or_default();
    Group {
        relation,
        signature: signature.to_owned(),
        count,
        zombies: members.len() as u64 - count,
        youngest_ms: ages.iter().min().copied().unwrap_or(0),
        median_ms: median(&ages),
        oldest_ms: ages.iter().max().copied().unwrap_or(0),
        rss_bytes,
        pss_bytes: living.iter().filter_map(|member| member.pss_bytes).sum(),
        without_pss: living
            .iter()
            .filter(|member| member.pss_bytes.is_none())
            .count() as u64,
        count_change: change(count_before, count),
        rss_change: change(rss_before, rss_bytes),
        per_hour_by_ages: rate_by_ages(&ages),
    }
}

/// A forecast from ages alone: what the groups that accumulate come to in an hour, by PSS where it is known of all of them.
fn by_ages(groups: &[Group], available: Option<u64>) -> Option<Forecast> {
    let rate: f64 = groups
        .iter()
        .filter(|group| group.relation != Relation::Maybe && group.count > 0)
        .filter_map(|group| {
            let bytes = match group.without_pss {
                0 => group.pss_bytes,
                _ => group.rss_bytes,
            };
            Some(group.per_hour_by_ages? * bytes as f64 / group.count as f64)
        })
        .sum();
    Forecast::new(Basis::Ages, rate, available)
}

/// Every so many-th of the points.
fn thinned(points: &[Point], stride: usize) -> Vec<Point> {
    points.iter().step_by(stride).copied().collect()
}

#[cfg(test)]
mod tests;
