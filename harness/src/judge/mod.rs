//! Judges what happened: a pure fold over the events of a run.
//!
//! [`Judge::new`], [`Judge::see`] for each event, [`Judge::finish`]. No clock, no files, no threads; the same events give the same
//! judgement, byte for byte. Memory is bounded: a process that is gone is put into its bin and forgotten, the course of the run is
//! kept in at most [`POINTS`] points, and what is left of a session that is over and of its work is put away in about sixty bytes, so that
//! a late word about it is judged as if it had come in time.
//!
//! # What the words mean here
//!
//! The design says what the bins are. These are the decisions behind them.
//!
//! *Time.* A fake's statement carries its own moment and may arrive late. Every fact is kept with its moment, and a decision waits
//! for two ticks, at least half a second, so that no late statement overtakes it. The last words of a fake are waited for until its
//! connection has ended, at most ten seconds.
//!
//! *Belonging.* A process serves the session that it names itself. A descendant has the session of its nearest ancestor that names
//! one; the starter's own word about a child beats the parent that the table showed. A wrapper reads nothing, so it has the session of
//! its payload. A process that nobody can attribute is held to the end of the last session, once the load is over.
//!
//! *Paused.* While the harness itself keeps a worker from running, nothing is due: every grace is longer by that time, and requests that
//! stay unanswered then do not speak against it. A process that the harness paused has that much more time for itself.
//!
//! *Overdue.* A process is due at its session's end, or its own first sighting where that is later, plus grace, plus the worst lateness
//! of a sample meanwhile (at most the grace again). It is overdue only when a sample or its own word after that shows it alive. The
//! run's statement that every grace has passed proves it as well, unless the process goes before the worker is asked to stop. A death
//! that the table alone shows may be one tick older than the table says.
//!
//! *Retained or reparented.* Its chain of parents, at the moment that proved it overdue, leads to a live worker, or does not. A process
//! that moved into a session of its own and still has its parent is retained; the cause says that it moved.
//!
//! *Zombie.* Dead, shown by the table, and still there at a sample after its due moment or its death plus grace. A helper or probe owes
//! nothing to a session, but being waited for within the grace after its death.
//!
//! *Residue.* Judged once the worker has exited for the last time, whether it was asked to or died. Whatever obligation was broken first
//! decides, so what was overdue before stays in its bin.
//!
//! *Readopted.* Overdue without an owner, and a worker that was started after its own one holds its stdin or has signalled it.
//!
//! *Killed early.* A signal ended it while its session was open, idle or not; or after the end while it owed work that had been delivered
//! to it, unless the driver had aborted the session. Stdin closed with work owed counts only when the work stayed unfinished: the real
//! program finishes after the end of its stdin, and some SDKs close it at once. A fake that ends without a goodbye and without an
//! exit code was killed, sender unknown. Not counted are: what the harness signalled; the end of a process whose own worker was on its
//! way out; a grandchild whose starter was ended first, or did it; a process that had been told to hang for ever.
//!
//! *Cause of a leak.* What was done to a process until the moment that proves it overdue tells how it was told to go. Where no signal
//! reached it until then, the first one after that, or else a death without a word, came too late; so did the end of its stdin. What
//! comes with the run's own end (the worker's last stop, a signal of the harness, an interruption) or with the exit of its worker is no
//! evidence. Replaced is a primary when another one of its session was first seen between its own first sighting and that moment; that
//! its worker is gone explains more and comes first. A grandchild is a daemon when its process session is neither its own nor its
//! starter's. Nothing is said of the stdin of grandchildren and probes, which nobody ends by closing it; and once a worker has exited it
//! holds nobody's. A cause names no number, so that a signature is the same in every run; numbers are in the evidence.
//!
//! *Crashed.* It ended by itself and owed work. A planned crash fills the bin and does not fail the run.
//!
//! *Owed work.* Markers that it read and has not answered, as far as they are work items that the driver has not given up.
//!
//! *Undecided.* It lived when the run ended, or was ended by the end of the run, before its due moment.
//!
//! *Work.* Evidence of an answer beats what the worker said. Answered: one good turn of the item's own kind held it, and it is in the
//! store where all of its kind could be read back. Duplicated: more than one such turn, or more records than turns that held it. Not
//! stored although it could be read: lost; stored although no good turn of any kind held it: lost as well, unless the driver gave it
//! up. Kept on disk, or in or behind a live claude with work under way: pending. Otherwise an accepted item is lost when the run had
//! drained, and pending when work went on or nobody waited. Why it is lost is what became of it with the claude that read it last.
//! Where a second look followed after the graces, it decides: what is stored then and was not before is stored, and what waits or is kept
//! is what waits or is kept then; so what waited when the run had drained may be lost after all. What was lost then stays lost. A second
//! look that could not read everything adds what it found, and takes nothing away. What is answered after the last look is pending.
//! Where the control socket was switched off or failed, nobody knows of turns: a stored item counts as answered, one that is missing
//! from a store that could be read is lost and its cause unknown, and any other is pending.
//!
//! *Stalled.* Work waits in, or behind, a live claude when all else had come to rest; or it lies in the worker's queue then, and no
//! process ever said that it serves the session, while there was a worker that could have started one. All had come to rest when the
//! run says so; or when its time was over, no claude was at work, and none had said anything for a second and none did after. One whose
//! claude has gone, and whose work waits for another, is only pending. What the driver waited for in vain counts where nothing else is
//! known.
//!
//! *Storm.* Starts are held to what the load asks for: those of a session, and those that belong to none, all in one.
//!
//! *Missing witnesses.* The process table and the control socket have no substitute: without one of them, or after it failed, a run
//! never passes. What each rule loses without a witness is in [`coverage`].
//!
//! *Against the worker.* Refused and unanswered requests count against it unless it was down, leaving or not ready again, or the driver
//! hung up itself (disconnect). What is unanswered when the driver aborts a session is given up. Skipped items and planned crashes do
//! not count against it. Undecided, pending and blind are reasons for doubt. What a baseline knows is shown and fails nothing.

mod archive;
pub mod books;
pub mod cause;
mod census;
#[cfg(test)]
mod check;
mod command;
mod course;
pub mod coverage;
mod doubt;
mod ending;
mod expectations;
mod facts;
pub mod finding;
mod forecast;
pub mod lanes;
mod life;
mod memory;
mod moments;
mod overdue;
mod pauses;
mod reap;
mod reasons;
pub mod rules;
mod series;
mod sessions;
mod so_far;
mod standing;
mod trend;
mod verdict;
mod work;
mod workers;

use fake_claude::quantity::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::{Counts, Verdict};
use crate::timeline::event::{Event, EventKind, LoadStop, RunFacts, Source};
use crate::units::{self, Count, RunTime};

use books::{Bins, Books, Roles, Work};
use census::{Census, serves};
use course::Course;
use doubt::Doubt;
use facts::Facts;
use finding::{Finding, Found};
use lanes::Lanes;
use life::Held;
use moments::Moment;
use reap::ReapTimes;
use rules::{CrossCheck, Crowd, Deaths, Growth, GrowthSummary, Measured, Strays};
use series::Series;
use sessions::Ended;
use work::Items;

pub use doubt::witness_name;
pub use expectations::Expectations;
pub use forecast::Forecast;
pub use reap::TimeToReap;
pub use rules::{GrowthFigure, Threshold};
pub use series::{Over, POINTS, Point};
pub use so_far::{Leftover, SoFar};

/// How often it is looked for what can be put away.
const LOOK_EVERY: Span = Span::from_secs(1);
/// For how long nothing must have been heard of what is put away: longer than the last words of a fake are waited for.
const QUIET: Span = Span::from_secs(15);

/// A judge in the middle of its work.
#[derive(Debug, Clone)]
pub struct Judge {
    facts: Facts,
    census: Census,
    items: Items,
    growth: Growth,
    cross_check: CrossCheck,
    deaths: Deaths,
    series: Series,
    end_answers: ReapTimes,
    events: u64,
    ticks: u32,
    late_ticks: u32,
    missed: u32,
    last_missed: Option<RunTime>,
    peak_children: u32,
    /// The most sessions that were open at once since the last sample.
    most_open: u32,
    /// When it was last looked for what can be put away.
    looked: RunTime,
    look_every: Span,
    /// For how long nothing must have been heard of what is put away.
    quiet: Span,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The verdict that was expected.
    pub expected: Verdict,
    /// The exact counts that were expected, where the scenario gives them.
    pub expected_findings: Option<Counts>,
    /// Whether everything is as expected, counts included.
    pub as_expected: bool,
    /// Why the verdict is what it is, in words.
    pub reasons: Vec<String>,
    /// Why it is not as expected, in words.
    pub unexpected: Vec<String>,
    /// Sessions.
    pub sessions: SessionCounts,
    /// Primaries and what descends from them.
    pub processes: Bins,
    /// Every process, by role.
    pub roles: Roles,
    /// Work items.
    pub work: Work,
    /// Memory.
    pub memory: MemoryFigures,
    /// How long processes took to go after their session's end.
    pub time_to_reap: TimeToReap,
    /// How long the worker took to answer end requests.
    pub end_answer: TimeToReap,
    /// What was found, grouped by shape.
    pub findings: Vec<Finding>,
    /// The same, counted by rule.
    pub found: Counts,
    /// The scenario's thresholds.
    pub thresholds: Vec<Threshold>,
    /// The course of the run.
    pub series: Vec<Point>,
    /// The course of its sessions and processes, where it was asked for.
    pub lanes: Lanes,
    /// What the leak comes to if it goes on.
    pub forecast: Forecast,
    /// The smallest leak that this run could have seen.
    pub smallest_leak: String,
    /// The figures that are watched for growth, as measured.
    pub growth: Vec<GrowthFigure>,
    /// What stands before the first event, if the recording has it.
    pub run: Option<RunFacts>,
    /// The witnesses that failed, with the reason.
    pub failed_witnesses: Vec<(Source, String)>,
    /// The witnesses that were switched off; [`coverage::untold`] says what cannot be told without them.
    pub missing_witnesses: Vec<Source>,
    /// Samples that were taken, that came late by a tick or more, and that were lost.
    pub ticks: Ticks,
    /// How long the recording is, in milliseconds.
    pub elapsed_ms: u64,
    /// Whether the run was going on: this is what was seen so far.
    pub goes_on: bool,
    /// Whether the recording has no end, and the run goes on no more.
    pub cut_off: bool,
    /// Why the load was stopped before its time, if it was.
    pub load_stopped: Option<LoadStop>,
    /// Where the books do not balance: a fault of this program.
    pub unbalanced: Option<String>,
}

/// Sessions, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionCounts {
    /// Those that the schedule plans; of a load that lasts a time, those that opened.
    pub planned: u32,
    /// Those that opened.
    pub opened: u32,
    /// Those that ended.
    pub ended: u32,
    /// Those that could not go on.
    pub stalled: u32,
}

/// Memory, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryFigures {
    /// The most that the children's RSS summed to at one sample.
    pub peak_rss_bytes: u64,
    /// The most that the PSS of examined processes summed to; none where nothing was examined.
    pub peak_pss_bytes: Option<u64>,
    /// The RSS of what leaked, summed.
    pub leaked_rss_bytes: u64,
    /// The PSS of what leaked, as far as it was examined; none where nothing was.
    pub leaked_pss_bytes: Option<u64>,
    /// The most that the worker's own RSS was at one sample.
    #[serde(default)]
    pub worker_peak_rss_bytes: u64,
    /// Whether ballast is in play: shared memory that RSS counts again for each process.
    pub ballast: bool,
}

/// Samples, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ticks {
    /// Those that were taken.
    pub taken: u32,
    /// Of these, those that came late by a tick or more.
    pub late: u32,
    /// Those that were lost.
    pub lost: u32,
}

impl Judge {
    /// A judge who knows what is expected and has seen nothing.
    pub fn new(expectations: &Expectations) -> Self {
        Self {
            facts: Facts::new(expectations.clone()),
            census: Census::default(),
            items: Items::default(),
            growth: Growth::default(),
            cross_check: CrossCheck::default(),
            deaths: Deaths::default(),
            series: Series::default(),
            end_answers: ReapTimes::default(),
            events: 0,
            ticks: 0,
            late_ticks: 0,
            missed: 0,
            last_missed: None,
            peak_children: 0,
            most_open: 0,
            looked: RunTime::START,
            look_every: LOOK_EVERY,
            quiet: QUIET,
        }
    }

    /// Puts everything away as soon as it may be.
    #[cfg(test)]
    fn tidy(self) -> Self {
        Self {
            look_every: Span::ZERO,
            quiet: Span::ZERO,
            ..self
        }
    }

    /// How many entries of any kind it holds, and how many bytes what was put away takes.
    #[cfg(test)]
    fn size(&self) -> (usize, usize) {
        let sessions = &self.facts.sessions;
        let entries = self.census.entries() + sessions.entries() + self.items.entries();
        (entries, sessions.cold_bytes() + self.items.cold_bytes())
    }

    /// Keeps the course of single sessions and processes too, for a picture.
    #[must_use]
    pub fn keeping_lanes(mut self) -> Self {
        self.census.course = Some(Course::default());
        self
    }

    /// Takes one event in. Never fails: what makes no sense is a fact like any other.
    pub fn see(&mut self, event: &Event) {
        let (at, seq) = (event.at, event.seq);
        self.events += 1;
        self.facts.horizon = self.facts.horizon.max(at);
        self.facts.sessions.go_on(self.facts.horizon);
        self.items.go_on(self.facts.horizon);
        match &event.event {
            EventKind::RunStarted(_)
            | EventKind::WorkerStarted { .. }
            | EventKind::WorkerReady { .. }
            | EventKind::WorkerStopAsked
            | EventKind::WorkerExited { .. }
            | EventKind::LoadStopped { .. }
            | EventKind::LoadFinished
            | EventKind::Drained { .. }
            | EventKind::WitnessFailed { .. }
            | EventKind::GracePassed
            | EventKind::ResiduePassed
            | EventKind::Interrupted
            | EventKind::SecondWorkerStarted { .. }
            | EventKind::SecondWorkerExited { .. }
            | EventKind::ProcessPaused { .. }
            | EventKind::ProcessContinued { .. }
            | EventKind::RunEnded => self.see_run(at, seq, &event.event),
            // What it does is seen by others; this only says that it was planned.
            EventKind::FaultCame { .. } => {}
            EventKind::SessionOpened { .. }
            | EventKind::PromptEnded { .. }
            | EventKind::PromptBegun { .. }
            | EventKind::SessionEnded { .. }
            | EventKind::EndAnswered { .. }
            | EventKind::SessionStalled { .. } => self.see_session(at, seq, &event.event),
            EventKind::WorkOffered { .. }
            | EventKind::WorkAccepted { .. }
            | EventKind::WorkRefused { .. }
            | EventKind::WorkSkipped { .. }
            | EventKind::WorkUnknown { .. }
            | EventKind::WorkAborted { .. }
            | EventKind::WorkStored { .. }
            | EventKind::WorkKept { .. }
            | EventKind::LookedAgain { .. }
            | EventKind::StoreRead { .. } => self.see_work(at, seq, &event.event),
            EventKind::ProcessSeen { .. }
            | EventKind::Sampled { .. }
            | EventKind::SampleMissed { .. }
            | EventKind::ProcessGone { .. }
            | EventKind::ProcessExited { .. }
            | EventKind::ProcessReaped { .. }
            | EventKind::Said { .. }
            | EventKind::LifelineLost { .. }
            | EventKind::Examined { .. }
            | EventKind::HarnessSignalled { .. }
            | EventKind::CookieFound { .. } => self.see_process(event),
        }
        self.census.advance(&mut self.facts, &mut self.items);
        self.put_away();
    }

    /// Puts away what a long run leaves behind, now and then: it is only kept in another form, and nothing is judged by it.
    fn put_away(&mut self) {
        let now = self.facts.horizon;
        if now < self.looked + self.look_every {
            return;
        }
        self.looked = now;
        let held = self.census.sessions();
        let sessions = &mut self.facts.sessions;
        sessions.put_away(self.quiet, |key| held.contains(&key));
        self.items.put_away(self.quiet);
    }

    fn see_run(&mut self, at: RunTime, seq: u64, event: &EventKind) {
        let facts = &mut self.facts;
        match event {
            EventKind::RunStarted(run) => facts.run = Some(run.clone()),
            EventKind::WorkerStarted { process } => {
                facts.workers.start(*process, at);
                self.growth.worker_started();
                self.census.forget_worker(*process);
                self.census.plan_all(facts);
            }
            EventKind::WorkerReady { .. } => facts.workers.ready(at),
            EventKind::WorkerStopAsked => facts.workers.leave(at),
            EventKind::WorkerExited {
                process,
                code,
                signal,
                asked,
            } => {
                facts.workers.exit(*process, at);
                if !asked {
                    self.deaths.add(seq, *code, *signal);
                }
            }
            // Its children have a live owner, and its end is no death of the worker that serves.
            EventKind::SecondWorkerStarted { process } => {
                facts.workers.start_second(*process, at);
                self.census.forget_worker(*process);
            }
            EventKind::SecondWorkerExited { process, .. } => facts.workers.exit(*process, at),
            EventKind::ProcessPaused { process } => facts.pauses.begin(*process, at),
            EventKind::ProcessContinued { process } => facts.pauses.end(*process, at),
            EventKind::LoadStopped { why } => {
                facts.load_stopped.get_or_insert_with(|| why.clone());
            }
            EventKind::LoadFinished => {
                facts.load_finished.get_or_insert(at);
                self.census.plan_all(facts);
            }
            EventKind::Drained { quiet } => {
                facts.drained.get_or_insert((at, *quiet));
            }
            EventKind::WitnessFailed { witness, reason } => {
                let known = facts.failed.iter().any(|(_, known, _)| known == witness);
                if !known {
                    facts.failed.push((at, *witness, reason.clone()));
                }
            }
            EventKind::GracePassed => {
                facts.grace_passed.get_or_insert((at, seq));
            }
            EventKind::ResiduePassed => {
                facts.residue_passed.get_or_insert((at, seq));
            }
            EventKind::Interrupted => {
                facts.interrupted.get_or_insert(at);
            }
            EventKind::RunEnded => {
                facts.run_ended.get_or_insert(at);
            }
            _ => {}
        }
    }

    fn see_session(&mut self, at: RunTime, seq: u64, event: &EventKind) {
        let facts = &mut self.facts;
        match event {
            EventKind::SessionOpened { session } => {
                let key = facts.sessions.key(session);
                let new = facts.sessions.get(key).opened.is_none();
                facts.opened += u32::from(new);
                self.most_open = self.most_open.max(facts.open());
                facts.sessions.open(session, at);
                if let Some(course) = &mut self.census.course {
                    course.refresh(facts.sessions.get(key));
                }
            }
            EventKind::PromptEnded { session } => facts.sessions.end_prompt(session, at),
            EventKind::PromptBegun { session } => facts.sessions.begin_prompt(session, at),
            EventKind::SessionEnded { session, end } => {
                let key = facts.sessions.key(session);
                let new = facts.sessions.get(key).ended.is_none();
                facts.ended += u32::from(new);
                if new {
                    let grace = facts.expectations.grace_after(*end);
                    self.growth.session_ended(at + grace);
                }
                facts.sessions.end(session, Ended { at, end: *end, seq });
                if let Some(course) = &mut self.census.course {
                    course.refresh(facts.sessions.get(key));
                }
                self.census.plan_all(facts);
            }
            EventKind::EndAnswered { after, .. } => self.end_answers.add(*after),
            EventKind::SessionStalled {
                session,
                waiting_for,
            } => {
                let key = facts.sessions.key(session);
                let stalled = &mut facts.sessions.get_mut(key).stalled;
                stalled.get_or_insert_with(|| waiting_for.clone());
            }
            _ => {}
        }
    }

    fn see_work(&mut self, at: RunTime, seq: u64, event: &EventKind) {
        match event {
            EventKind::WorkOffered {
                session,
                item,
                kind,
            } => {
                let key = self.facts.sessions.key(session);
                self.items.offer(item, key, *kind, seq);
            }
            EventKind::WorkAccepted { item } => self.items.accept(item, at),
            EventKind::WorkRefused { item, .. } => self.items.refuse(item, at),
            EventKind::WorkSkipped { item, .. } => self.items.skip(item, at),
            EventKind::WorkUnknown { item, .. } => self.items.leave_unknown(item, at),
            EventKind::WorkAborted { item } => self.items.abort(item),
            EventKind::WorkStored { item, times } => {
                self.items.store(item, *times);
            }
            EventKind::WorkKept { item } => self.items.keep(item),
            EventKind::LookedAgain { quiet } => {
                self.facts.look_again(at, *quiet);
                self.items.look_again(at);
            }
            EventKind::StoreRead { kinds, complete } => self.items.read(kinds.clone(), *complete),
            _ => {}
        }
    }

    fn see_process(&mut self, event: &Event) {
        let (at, seq) = (event.at, event.seq);
        let (facts, census) = (&mut self.facts, &mut self.census);
        match &event.event {
            EventKind::ProcessSeen {
                process,
                ppid,
                host_pid,
                pgid,
                sid,
                command,
                role,
            } => census.seen(
                facts,
                (at, seq, event.source),
                *process,
                *ppid,
                *host_pid,
                (*pgid, *sid),
                command,
                *role,
            ),
            EventKind::Sampled { .. } => self.sampled(event),
            EventKind::SampleMissed { .. } => {
                self.missed += 1;
                self.last_missed = Some(at);
            }
            EventKind::ProcessGone { process } => {
                census.gone(facts, (at, seq, event.source), *process);
            }
            EventKind::ProcessExited {
                process,
                code,
                signal,
            } => census.exited(facts, (at, seq), *process, *code, *signal, false),
            EventKind::ProcessReaped {
                process,
                code,
                signal,
            } => census.exited(facts, (at, seq), *process, *code, *signal, true),
            EventKind::Said { process, say } => {
                census.said(facts, &mut self.items, (at, seq), *process, say);
            }
            EventKind::LifelineLost { process } => {
                census.lifeline_lost(facts, at, seq, *process);
            }
            EventKind::Examined {
                process,
                pss_bytes,
                stdin_holders,
                holders_known,
            } => {
                let held = Held {
                    holders: stdin_holders.clone(),
                    known: *holders_known,
                };
                census.examined(facts, (at, seq), *process, *pss_bytes, held);
            }
            EventKind::HarnessSignalled { process, signal } => {
                if facts.workers.includes(*process) {
                    // A pause is no farewell, and neither is the end of a second one.
                    let paused = facts.pauses.hold(|who| who == *process, at, Span::ZERO);
                    if !paused && !facts.workers.is_second(*process) {
                        facts.workers.leave(at);
                    }
                } else {
                    census.harness_signalled(facts, at, seq, *process);
                    if let Some(course) = &mut census.course
                        && census.lives.contains_key(process)
                    {
                        course.signalled(*process, at, *signal);
                    }
                }
            }
            EventKind::CookieFound { process } => census.cookie(facts, at, seq, *process),
            _ => {}
        }
    }

    fn sampled(&mut self, event: &Event) {
        let EventKind::Sampled {
            late,
            children,
            rss_bytes,
            worker,
            changed,
        } = &event.event
        else {
            return;
        };
        let facts = &mut self.facts;
        if event.source != facts.main_table() {
            self.cross_check.other(*children);
            return;
        }
        self.cross_check.main(*children);
        facts.moments.push(Moment {
            at: event.at,
            late: *late,
            seq: event.seq,
        });
        self.ticks += 1;
        self.late_ticks += u32::from(*late >= facts.tick());
        self.peak_children = self.peak_children.max(*children);
        for row in changed {
            self.census.row(facts, event.at, event.seq, row);
        }
        self.census.sampled();
        let memory = &mut self.census.memory;
        memory.peak_rss = memory.peak_rss.max(*rss_bytes);
        // A worker that is only about to become its program, or is no more, has none.
        let worker_rss = worker.map(|worker| worker.rss_bytes).filter(|rss| *rss > 0);
        memory.worker_peak_rss = memory.worker_peak_rss.max(worker_rss.unwrap_or(0));
        self.series.push(Point {
            t_ms: event.at.as_millis(),
            children: *children,
            rss_bytes: *rss_bytes,
            worker_rss_bytes: worker_rss,
            pss_bytes: self.census.standing.pss_bytes,
            sessions: std::mem::replace(&mut self.most_open, facts.open()),
            over: self.census.standing.over,
        });
        if facts.opened > 0 && facts.load_finished.is_none() {
            let helpers = self.census.alive(|role| !serves(role));
            let crowd = Crowd {
                children: *children,
                helpers,
                opened: facts.opened,
                ended: facts.ended,
            };
            self.growth.sample(event.at, *worker, crowd);
        }
    }

    /// Sessions that opened so far, and of these, those that have not ended.
    pub fn sessions(&self) -> (u32, u32) {
        let facts = &self.facts;
        (facts.opened, facts.open())
    }

    /// Processes in a leak bin so far, live ones included, for a live view.
    pub fn leftovers(&self) -> u32 {
        self.census.leaks()
    }

    /// Judges what was seen so far of a run that goes on: not its final judgement.
    pub fn so_far_judged(mut self) -> Judgement {
        self.facts.goes_on = true;
        self.finish()
    }

    /// Judges. Only the judgement of a finished recording is final.
    pub fn finish(mut self) -> Judgement {
        self.census.finish(&mut self.facts, &mut self.items);
        let census = &mut self.census;
        let mut findings = std::mem::take(&mut census.findings);
        let mut course = census.course.take();
        let mut found = |found: Found, facts: &Facts| {
            if let (Some(course), Some(session)) = (&mut course, &found.session) {
                course.found(facts.sessions.named(session).as_deref(), found.rule);
            }
            findings.add(found);
        };
        let work = settle_work(&mut self.facts, &self.items, &mut found);
        let books = Books {
            roles: census.roles,
            work,
            processes_counted: census.counted,
            items_counted: self.items.len(),
        };
        let processes = books.roles.sessions_own(census.peak);
        let time_to_reap = census.reap.finish();
        let facts = &self.facts;
        let stalled = rules::stalled(facts);
        let stalled_sessions = stalled.len() as u32;
        let leaks = books.roles.all().leaked() > 0;
        let (growth, grown) = self.growth.finish(&facts.expectations, leaks);
        let measured = Measured {
            peak_children: self.peak_children,
            peak_rss: census.memory.peak_rss,
            worker_rss: census.memory.worker_peak_rss,
            time_to_reap_p95_ms: time_to_reap.p95,
            spawned: books.roles.all().spawned,
        };
        let (thresholds, crossed) = rules::limits(&facts.expectations.limits, measured);
        let blind = rules::blind(census.unseen_by_table, self.cross_check.differences);
        let blind_count = blind.len() as u32;
        let strays = Strays {
            unattributed: census.unattributed,
            probes: books.roles.probe.spawned,
            helpers: books.roles.helper.spawned,
            items: books.items_counted,
        };
        let others = rules::twins(facts)
            .into_iter()
            .chain(rules::storm(facts, strays))
            .chain(stalled)
            .chain(rules::worker_died(&self.deaths))
            .chain(grown)
            .chain(crossed)
            .chain(blind);
        others.for_each(|other| found(other, facts));
        let mut known = facts.expectations.known.clone();
        known.extend(growth.known.iter().cloned());
        let findings = findings.finish(&known);
        let unbalanced = books.balance().err();
        let undecided = books.roles.all().undecided;
        let doubts = self.doubts(undecided, work.pending, blind_count, unbalanced.clone());
        let judged = verdict::judge(&self.facts.expectations, &findings, &doubts);
        let memory = &self.census.memory;
        let facts = &self.facts;
        let mut failed_witnesses: Vec<(Source, String)> = facts
            .failed
            .iter()
            .map(|(_, witness, reason)| (*witness, reason.clone()))
            .collect();
        failed_witnesses.sort();
        failed_witnesses.dedup_by_key(|(witness, _)| *witness);
        Judgement {
            verdict: judged.verdict,
            expected: facts.expectations.verdict,
            expected_findings: facts.expectations.findings.clone(),
            as_expected: judged.as_expected,
            reasons: judged.reasons,
            unexpected: judged.unexpected,
            sessions: SessionCounts {
                planned: match &facts.run {
                    // Those that came are those that its time had room for.
                    Some(run) if run.lasts.is_some() => facts.opened,
                    Some(run) => run.sessions_planned,
                    None => facts.expectations.sessions,
                },
                opened: facts.opened,
                ended: facts.ended,
                stalled: stalled_sessions,
            },
            processes,
            roles: books.roles,
            work,
            memory: MemoryFigures {
                peak_rss_bytes: memory.peak_rss,
                peak_pss_bytes: memory.peak_pss,
                leaked_rss_bytes: memory.leaked_rss,
                leaked_pss_bytes: memory.leaked_pss,
                worker_peak_rss_bytes: memory.worker_peak_rss,
                ballast: facts.run.as_ref().is_some_and(|run| run.ballast),
            },
            time_to_reap,
            end_answer: self.end_answers.finish(),
            found: verdict::counts(&findings),
            findings,
            thresholds,
            forecast: forecast::forecast(facts, memory),
            smallest_leak: self.smallest_leak(&growth),
            growth: growth.figures,
            run: self.facts.run.clone(),
            failed_witnesses,
            missing_witnesses: facts.missing_witnesses().collect(),
            ticks: Ticks {
                taken: self.ticks,
                late: self.late_ticks,
                lost: self.missed,
            },
            elapsed_ms: self.facts.horizon.as_millis(),
            goes_on: self.facts.goes_on,
            cut_off: self.facts.run_ended.is_none() && !self.facts.goes_on,
            load_stopped: self.facts.load_stopped.clone(),
            series: self.series.finish(),
            lanes: course.map_or_else(Lanes::default, |course| course.finish(&self.facts)),
            unbalanced,
        }
    }

    /// Why this run proves less than it should.
    fn doubts(
        &self,
        undecided: u32,
        pending: u32,
        blind: u32,
        unbalanced: Option<String>,
    ) -> Vec<Doubt> {
        let facts = &self.facts;
        if self.events == 0 {
            return vec![Doubt::Empty];
        }
        let mut doubts = Vec::new();
        if facts.goes_on {
            doubts.push(Doubt::GoesOn);
        } else if facts.run_ended.is_none() {
            doubts.push(Doubt::CutOff);
        }
        if facts.interrupted.is_some() {
            doubts.push(Doubt::Interrupted);
        }
        let planned = facts.run.as_ref().map_or(0, |run| run.sessions_planned);
        let lasts = facts.run.as_ref().is_some_and(|run| run.lasts.is_some());
        let unfinished = facts.load_finished.is_none();
        if let Some(LoadStop::Disk { bytes }) = facts.load_stopped {
            doubts.push(Doubt::DiskFull { bytes });
        } else if (planned > 0 || lasts) && (unfinished || facts.opened < planned) && !facts.goes_on
        {
            doubts.push(Doubt::LoadUnfinished {
                planned,
                opened: facts.opened,
            });
        }
        let missing = facts
            .missing_witnesses()
            .filter(|witness| self.rests_on(*witness));
        doubts.extend(missing.map(|witness| Doubt::WitnessMissing { witness }));
        if self.ticks == 0 && facts.watches(Source::Table) {
            doubts.push(Doubt::NoSamples);
        }
        if self.lost_samples_matter() {
            doubts.push(Doubt::SamplesLost { count: self.missed });
        }
        for (_, witness, reason) in &facts.failed {
            if self.rests_on(*witness) {
                doubts.push(Doubt::WitnessFailed {
                    witness: *witness,
                    reason: reason.clone(),
                });
            }
        }
        if let (Some(why), 1..) = (self.census.unsure, undecided) {
            doubts.push(Doubt::Undecided {
                count: undecided,
                why,
            });
        }
        if pending > 0 && !facts.expectations.allow_pending && !facts.goes_on {
            doubts.push(Doubt::Pending { count: pending });
        }
        if blind > 0 {
            doubts.push(Doubt::Blind { count: blind });
        }
        let unread = self.items.unread();
        if unread > 0 {
            doubts.push(Doubt::StoreUnread { count: unread });
        }
        doubts.extend(unbalanced.map(Doubt::Unbalanced));
        doubts
    }

    /// Whether lost samples leave a gap. Births and deaths between two samples are covered by the control socket and by the reaper,
    /// and what outlives its session is there at the next sample as well; peaks are covered by nobody.
    fn lost_samples_matter(&self) -> bool {
        let Some(last) = self.last_missed else {
            return false;
        };
        let facts = &self.facts;
        let limits = &facts.expectations.limits;
        let peaks = limits.peak_children.is_some()
            || limits.peak_rss.is_some()
            || limits.worker_rss.is_some();
        let covered = [Source::Control, Source::Reaper]
            .into_iter()
            .all(|witness| facts.watches(witness) && !facts.had_failed(witness, RunTime::NEVER));
        peaks || !covered || facts.moments.first_after(last).is_none()
    }

    /// Whether the verdict rests on a witness: what lives, and how sessions and work fare, is known from samples of the process table
    /// and from the control socket alone. The reaper has a substitute in the table, and the others only check.
    fn rests_on(&self, witness: Source) -> bool {
        let facts = &self.facts;
        match witness {
            // Without sessions there is nothing for the fakes to tell.
            Source::Control => facts.opened > 0,
            Source::Run | Source::Driver => true,
            Source::Table => witness == facts.main_table() || self.ticks == 0,
            Source::Portable => witness == facts.main_table() && self.ticks > 0,
            Source::Reaper => !facts.watches(facts.main_table()),
            Source::Cookie => false,
        }
    }

    /// The smallest leak that this run could have seen.
    fn smallest_leak(&self, growth: &GrowthSummary) -> String {
        let facts = &self.facts;
        if self.ticks == 0 {
            return "nothing: the process table was never read".to_owned();
        }
        if facts.ended == 0 {
            return "none of a session: no session ended".to_owned();
        }
        let grace = facts.expectations.grace_after(facts.expectations.end);
        let lag = facts
            .moments
            .worst_lag(RunTime::START, RunTime::NEVER)
            .min(grace);
        let tick = facts.tick();
        let least = Span::from_nanos(
            grace
                .as_nanos()
                .saturating_add(lag.as_nanos())
                .saturating_add(tick.as_nanos()),
        );
        let growth = growth.smallest();
        format!(
            "one process in {} that outlives its session by more than {} (grace {}, tick {}, lag up to {}); {growth}",
            Count(u64::from(facts.ended), "session"),
            units::span(least),
            units::span(grace),
            units::span(tick),
            units::span(lag),
        )
    }
}

/// Settles the books of work, and reports what is a finding.
fn settle_work(facts: &mut Facts, items: &Items, report: &mut impl FnMut(Found, &Facts)) -> Work {
    let mut work = Work {
        offered: items.len(),
        ..Work::default()
    };
    for item in items.settle(facts, &mut work) {
        let session = facts.sessions.get_mut(item.session);
        session.waits |= item.waits;
        session.queued |= item.queued;
        session.never_given |= item.queued && item.unread;
        session.given_before |= item.queued && item.left;
        let after = match session.ended {
            Some(ended) => format!(" (session ended by {})", ended.end),
            None => " (session not ended)".to_owned(),
        };
        let excused = if item.blames {
            ""
        } else {
            ", which speaks against nobody"
        };
        let found = Found {
            rule: item.bin,
            subject: reasons::kind_name(item.kind).to_owned(),
            shape: format!(
                "{}: {}{after}{excused}",
                reasons::kind_name(item.kind),
                item.cause
            ),
            cause: item.cause.to_owned(),
            blames: item.blames,
            session: Some(session.name.clone()),
            process: None,
            expected: "answered once, and stored where that can be read back".to_owned(),
            seen: format!("first of them {}", item.marker),
            by: None,
            events: vec![item.offered_seq],
        };
        report(found, facts);
    }
    work
}

#[cfg(test)]
mod tests;
