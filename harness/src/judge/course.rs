//! Keeps the course of single sessions and processes, where it is asked for, in bounded memory however long the run is.
//!
//! A process comes in when it is put into its bin. When there are more sessions than may be kept, the last in rank go: those in which
//! something was found stand before clean ones, and the earlier before the later. One that is open may be found wanting yet, so it stays
//! for the time being, up to twice the bound.

use std::collections::BTreeMap;

use fake_claude::control::Role;
use fake_claude::quantity::Span;

use super::books::Fate;
use super::facts::Facts;
use super::lanes::{BARS, Bar, Lane, Lanes, MARKS, Mark, PROCESSES, SESSIONS};
use super::life::Life;
use super::sessions::Session;
use crate::process::ProcessIdentity;
use crate::scenario::Bin;
use crate::units::RunTime;

/// The harness states a signal just after it was sent: within this time of the statement a process hears the same one.
const HEARD_WITHIN: Span = Span::from_millis(100);

/// The lanes so far.
#[derive(Debug, Clone)]
pub(super) struct Course {
    lanes: BTreeMap<String, Kept>,
    others: Vec<Bar>,
    /// What the harness sent to processes that are in no bin yet.
    sent: BTreeMap<ProcessIdentity, Vec<(RunTime, i32)>>,
    /// Processes in lanes.
    bars: usize,
    /// Processes that were put into a bin, kept or not.
    seen: u32,
    /// Sessions that never opened and were left out.
    unopened_omitted: u32,
    bounds: Bounds,
}

/// How much is kept, and when there is too much.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    sessions: usize,
    bars: usize,
    processes: usize,
    /// With more sessions, or more processes, than these, the last in rank go.
    shed_at: (usize, usize),
}

#[derive(Debug, Clone)]
struct Kept {
    lane: Lane,
    opened: RunTime,
    /// Whether anything was found in it.
    found: bool,
}

impl Default for Course {
    fn default() -> Self {
        Self::within(SESSIONS, BARS, PROCESSES)
    }
}

impl Bounds {
    /// Going through all lanes costs something, so there are some more of them before that is done.
    fn look_again(&mut self, lanes: usize, bars: usize) {
        self.shed_at = (
            lanes.max(self.sessions) + self.sessions / 8,
            bars.max(self.processes) + self.processes / 8,
        );
    }
}

impl Course {
    fn within(sessions: usize, bars: usize, processes: usize) -> Self {
        let mut bounds = Bounds {
            sessions,
            bars,
            processes,
            shed_at: (0, 0),
        };
        bounds.look_again(0, 0);
        Self {
            lanes: BTreeMap::new(),
            others: Vec::new(),
            sent: BTreeMap::new(),
            bars: 0,
            seen: 0,
            unopened_omitted: 0,
            bounds,
        }
    }

    /// A session opened or ended.
    pub fn refresh(&mut self, session: &Session) {
        let lane = self.lane(session);
        lane.opened = session.opened.unwrap_or(RunTime::NEVER);
        lane.lane.opened_ms = session.opened.map(RunTime::as_millis);
        lane.lane.ended = session.ended.map(|ended| (ended.at.as_millis(), ended.end));
        self.shed_if_full();
    }

    /// The harness signalled a process.
    pub fn signalled(&mut self, process: ProcessIdentity, at: RunTime, signal: i32) {
        self.sent.entry(process).or_default().push((at, signal));
    }

    /// A process was put into its bin.
    pub fn add(&mut self, session: Option<&Session>, life: &Life, role: Role, fate: Fate) {
        let bar = bar(
            life,
            role,
            fate,
            self.sent.remove(&life.id).unwrap_or_default(),
        );
        self.seen = self.seen.saturating_add(1);
        let most = self.bounds.bars;
        match session.filter(|session| self.has_room_for(session)) {
            Some(session) => {
                let lane = self.lane(session);
                lane.found |= is_found(&bar);
                let before = lane.lane.bars.len();
                lane.lane.bars.push(bar);
                if before >= most + most / 8 {
                    keep_first(&mut lane.lane.bars, most);
                }
                let after = lane.lane.bars.len();
                self.bars = self.bars + after - before;
                self.shed_if_full();
            }
            None => {
                let most = self.bounds.sessions;
                self.others.push(bar);
                if self.others.len() > most + most / 8 {
                    keep_first(&mut self.others, most);
                }
            }
        }
    }

    /// Something was found of a session when all was over.
    pub fn found(&mut self, session: Option<&Session>, rule: Bin) {
        if let Some(session) = session.filter(|session| self.has_room_for(session)) {
            let lane = self.lane(session);
            lane.found = true;
            lane.lane.stalled |= rule == Bin::Stalled;
        }
    }

    /// Names that never opened are made up by somebody else than the driver, in any number: once any of them was left out, no new one
    /// gets a lane, so that none is counted twice.
    fn has_room_for(&self, session: &Session) -> bool {
        session.opened.is_some()
            || self.unopened_omitted == 0
            || self.lanes.contains_key(&session.name)
    }

    fn lane(&mut self, session: &Session) -> &mut Kept {
        self.lanes
            .entry(session.name.clone())
            .or_insert_with(|| Kept {
                lane: Lane {
                    session: session.name.clone(),
                    opened_ms: session.opened.map(RunTime::as_millis),
                    ended: session.ended.map(|ended| (ended.at.as_millis(), ended.end)),
                    stalled: false,
                    bars: Vec::new(),
                },
                opened: session.opened.unwrap_or(RunTime::NEVER),
                found: false,
            })
    }

    fn shed_if_full(&mut self) {
        let (lanes, bars) = self.bounds.shed_at;
        if self.lanes.len() > lanes || self.bars > bars {
            self.shed(false);
        }
    }

    /// Leaves out the last in rank; with `last` also those that are open.
    fn shed(&mut self, last: bool) {
        let ranked = self
            .lanes
            .iter()
            .map(|(name, kept)| (!kept.found, kept.opened, name.clone()));
        let mut ranked: Vec<_> = ranked.collect();
        ranked.sort_unstable();
        let (mut before, mut stays) = (0, 0);
        for (rank, (_, _, name)) in ranked.into_iter().enumerate() {
            let kept = &self.lanes[&name];
            let (bars, open) = (kept.lane.bars.len(), kept.lane.ended.is_none());
            before += bars;
            let fits = rank < self.bounds.sessions && before <= self.bounds.processes;
            let waits = !last
                && open
                && rank < 2 * self.bounds.sessions
                && before <= 2 * self.bounds.processes;
            if fits || waits {
                stays += bars;
            } else {
                self.unopened_omitted += u32::from(kept.lane.opened_ms.is_none());
                self.lanes.remove(&name);
            }
        }
        self.bars = stays;
        self.bounds.look_again(self.lanes.len(), self.bars);
    }

    /// The lanes, in their order.
    pub fn finish(mut self, facts: &Facts) -> Lanes {
        for kept in self.lanes.values_mut() {
            keep_first(&mut kept.lane.bars, self.bounds.bars);
        }
        self.shed(true);
        keep_first(&mut self.others, self.bounds.sessions);
        let mut kept: Vec<Kept> = self.lanes.into_values().collect();
        // They come by name, and the order of those that opened at once stays that.
        kept.sort_by_key(|kept| kept.opened);
        let opened = kept.iter().filter(|kept| kept.opened != RunTime::NEVER);
        let opened_omitted = facts.opened.saturating_sub(opened.count() as u32);
        let mut sessions: Vec<Lane> = kept.into_iter().map(|kept| kept.lane).collect();
        let mut drawn = self.others.len();
        for lane in &mut sessions {
            drawn += lane.bars.len();
            lane.bars.sort_by_key(|bar| (bar.first_ms, bar.process));
        }
        self.others.sort_by_key(|bar| (bar.first_ms, bar.process));
        let workers = facts.workers.spans().into_iter();
        Lanes {
            sessions,
            others: self.others,
            workers: workers
                .map(|(from, to)| (from.as_millis(), to.map(RunTime::as_millis)))
                .collect(),
            stop_ms: facts.workers.last_stop().map(RunTime::as_millis),
            sessions_omitted: opened_omitted.saturating_add(self.unopened_omitted),
            bars_omitted: self.seen.saturating_sub(drawn as u32),
        }
    }
}

/// Whether a process's bin is a finding.
const fn is_found(bar: &Bar) -> bool {
    bar.fate.finding().is_some()
}

/// Keeps at most so many processes: those first whose bin is a finding, then the earliest.
fn keep_first(bars: &mut Vec<Bar>, most: usize) {
    if bars.len() > most {
        bars.sort_by_key(|bar| (!is_found(bar), bar.first_ms, bar.process));
        bars.truncate(most);
    }
}

/// What is drawn of a process.
fn bar(life: &Life, role: Role, fate: Fate, sent: Vec<(RunTime, i32)>) -> Bar {
    let (marks, marks_omitted) = marks(life, sent);
    let due = life.broken.filter(|_| fate.is_leak());
    Bar {
        process: life.id,
        host_pid: life.host_pid,
        role,
        fate,
        first_ms: life.first.as_millis(),
        died_ms: life.died().map(RunTime::as_millis),
        gone_ms: life.gone.map(RunTime::as_millis),
        due_ms: due.map(|broken| broken.due.as_millis()),
        eof_ms: life.eof.map(RunTime::as_millis),
        marks,
        marks_omitted,
        rss_bytes: life.rss_bytes,
        command: life.command.clone(),
    }
}

/// The signals on a process, and how many were left out.
fn marks(life: &Life, sent: Vec<(RunTime, i32)>) -> (Vec<Mark>, u32) {
    let mark = |at: RunTime, signal| Mark {
        at_ms: at.as_millis(),
        signal,
        sender: None,
        ours: false,
        ignored: false,
    };
    let mut marks: Vec<(RunTime, Mark)> = life
        .heard()
        .map(|heard| {
            let told = Mark {
                sender: Some(heard.sender),
                ignored: heard.ignored,
                ..mark(heard.at, heard.signal)
            };
            (heard.at, told)
        })
        .collect();
    for (at, signal) in sent {
        let apart = |heard: RunTime| heard.since(at).max(at.since(heard));
        let heard = marks
            .iter_mut()
            .filter(|(_, mark)| mark.signal == signal && !mark.ours)
            .filter(|(heard, _)| apart(*heard) <= HEARD_WITHIN)
            .min_by_key(|(heard, _)| apart(*heard));
        match heard {
            Some((_, mark)) => mark.ours = true,
            None => marks.push((
                at,
                Mark {
                    ours: true,
                    ..mark(at, signal)
                },
            )),
        }
    }
    // What killed it may have been heard, or be ours; SIGKILL of somebody else's is known from the exit alone.
    if let (Some(signal), Some(died)) = (life.signal, life.died())
        && !marks.iter().any(|(_, mark)| mark.signal == signal)
    {
        marks.push((died, mark(died, signal)));
    }
    marks.sort_by_key(|(at, _)| *at);
    // The last one is the one that is most likely to have ended it.
    let omitted = marks.len().saturating_sub(MARKS);
    if omitted > 0 {
        marks.drain(MARKS - 1..marks.len() - 1);
    }
    let marks = marks.into_iter().map(|(_, mark)| mark).collect();
    (marks, life.unkept.saturating_add(omitted as u32))
}

#[cfg(test)]
mod tests;
