//! What every decision rests on besides the process itself: the run, its worker, its sessions, its samples.

use fake_claude::quantity::Span;

use super::coverage::WITNESSES;
use super::expectations::Expectations;
use super::life::Life;
use super::moments::Moments;
use super::pauses::Pauses;
use super::sessions::{SessionKey, Sessions};
use super::workers::Workers;
use crate::process::ProcessIdentity;
use crate::timeline::event::{LoadStop, RunFacts, Source};
use crate::units::RunTime;

/// How long facts may be under way before they are missed. Decisions wait for so long, so that no late statement overtakes them.
const LEAST_HOLD: Span = Span::from_millis(500);

/// The tick that is assumed until the run says its own.
const DEFAULT_TICK: Span = Span::from_millis(100);

/// The state of the run.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub expectations: Expectations,
    pub run: Option<RunFacts>,
    pub workers: Workers,
    pub sessions: Sessions,
    pub pauses: Pauses,
    pub moments: Moments,
    /// The latest moment of any event.
    pub horizon: RunTime,
    /// Sessions that opened, ended.
    pub opened: u32,
    pub ended: u32,
    pub load_finished: Option<RunTime>,
    /// Why the load was stopped before its time.
    pub load_stopped: Option<LoadStop>,
    /// Whether the run goes on, so that what is missing may still come.
    pub goes_on: bool,
    pub drained: Option<(RunTime, bool)>,
    /// The latest statement of any fake until the run had drained.
    pub last_word: RunTime,
    /// Whether any fake said something after that and before the worker was stopped: it had been at work.
    pub spoke_on: bool,
    /// What lived when the run had drained, if all had come to rest by then.
    pub rest: Option<Rest>,
    /// The second look at what the first one, when the run had drained, had left open.
    pub again: Option<LookedAgain>,
    /// The latest statement of any fake, until that second look.
    latest_word: RunTime,
    pub grace_passed: Option<(RunTime, u64)>,
    pub residue_passed: Option<(RunTime, u64)>,
    pub interrupted: Option<RunTime>,
    pub run_ended: Option<RunTime>,
    /// Witnesses that failed, with the moment and the reason.
    pub failed: Vec<(RunTime, Source, String)>,
}

impl Facts {
    pub fn new(expectations: Expectations) -> Self {
        Self {
            expectations,
            run: None,
            workers: Workers::default(),
            sessions: Sessions::default(),
            pauses: Pauses::default(),
            moments: Moments::default(),
            horizon: RunTime::START,
            opened: 0,
            ended: 0,
            load_finished: None,
            load_stopped: None,
            goes_on: false,
            drained: None,
            last_word: RunTime::START,
            spoke_on: false,
            rest: None,
            again: None,
            latest_word: RunTime::START,
            grace_passed: None,
            residue_passed: None,
            interrupted: None,
            run_ended: None,
            failed: Vec::new(),
        }
    }

    /// How many sessions are open.
    pub const fn open(&self) -> u32 {
        self.opened.saturating_sub(self.ended)
    }

    /// The time between two samples.
    pub fn tick(&self) -> Span {
        self.run.as_ref().map_or(DEFAULT_TICK, |run| run.tick)
    }

    /// How long decisions wait for facts that are under way.
    pub fn hold(&self) -> Span {
        let tick = self.tick();
        Span::from_nanos(tick.as_nanos().saturating_mul(2)).max(LEAST_HOLD)
    }

    /// The lag that extends a grace: the worst lateness of a sample meanwhile, but never more than the grace again; and the time for
    /// which the harness held the worker up.
    pub fn lag(&self, from: RunTime, grace: Span) -> Span {
        self.lag_of(None, from, grace)
    }

    /// The same for a process that the harness may have held up itself.
    pub fn lag_of(&self, who: Option<ProcessIdentity>, from: RunTime, grace: Span) -> Span {
        let worst = self.moments.worst_lag(from, from + grace + grace);
        let held_up = self.held_up(who, from, grace);
        Span::from_nanos(
            worst
                .min(grace)
                .as_nanos()
                .saturating_add(held_up.as_nanos()),
        )
    }

    /// For how long the harness kept the worker, or this process, from what is due a grace after a moment.
    pub fn held_up(&self, who: Option<ProcessIdentity>, from: RunTime, grace: Span) -> Span {
        let counts = |process| self.workers.includes(process) || who == Some(process);
        self.pauses.delay(counts, from, grace, self.horizon)
    }

    /// Whether a witness had failed by a moment.
    pub fn had_failed(&self, witness: Source, moment: RunTime) -> bool {
        self.failed
            .iter()
            .any(|(at, failed, _)| *failed == witness && *at <= moment)
    }

    /// Whether a witness was switched on. A recording that does not say which were is taken to have had the usual ones.
    pub fn watches(&self, witness: Source) -> bool {
        match &self.run {
            Some(run) if !run.witnesses.is_empty() => run.witnesses.contains(&witness),
            _ => matches!(witness, Source::Table | Source::Control | Source::Reaper),
        }
    }

    /// The usual witnesses that were switched off. A recording that does not say which were on is taken to have had them.
    pub fn missing_witnesses(&self) -> impl Iterator<Item = Source> {
        let named = self.run.as_ref().filter(|run| !run.witnesses.is_empty());
        let missing = named.map(|run| {
            let absent = |witness: &Source| !run.witnesses.contains(witness);
            WITNESSES.into_iter().filter(absent)
        });
        missing.into_iter().flatten()
    }

    /// Whether a witness was switched on and never failed.
    pub fn watched_throughout(&self, witness: Source) -> bool {
        self.watches(witness) && !self.had_failed(witness, RunTime::NEVER)
    }

    /// Which process table counts: the system's own, or the portable one where there is no other.
    pub fn main_table(&self) -> Source {
        if self.watches(Source::Portable) && !self.watches(Source::Table) {
            Source::Portable
        } else {
            Source::Table
        }
    }

    /// The moment from which on a process of a session lives too long, without lag, and with the grace that is in it. A process
    /// that nobody could attribute is held to the end of the last session, once the load is over.
    pub fn due(&self, session: Option<SessionKey>, first: RunTime) -> Option<Due> {
        let ended = match session {
            Some(key) if self.sessions.get(key).opened.is_some() => self.sessions.get(key).ended?,
            _ if self.load_finished.is_some() && self.sessions.all_over() => {
                self.sessions.last_end?
            }
            _ => return None,
        };
        let from = ended.at.max(first);
        let grace = self.expectations.grace_after(ended.end);
        Some(Due {
            from,
            plain: from + grace,
            grace,
        })
    }

    /// When the run itself began to end a process, or the worker for the last time: what happens from then on is its doing.
    pub fn runs_own_end(&self, life: &Life) -> RunTime {
        [self.final_stop(), life.harness_signal, self.interrupted]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(RunTime::NEVER)
    }

    /// A fake said something at a moment.
    pub fn spoken(&mut self, at: RunTime) {
        if self.drained.is_none_or(|(drained, _)| at <= drained) {
            self.last_word = self.last_word.max(at);
        } else {
            self.spoke_on |= self.final_stop().is_none_or(|stop| at < stop);
        }
        let stop = self.final_stop();
        match &mut self.again {
            Some(again) if again.at < at => again.spoke_on |= stop.is_none_or(|stop| at < stop),
            _ => self.latest_word = self.latest_word.max(at),
        }
    }

    /// The second look begins.
    pub fn look_again(&mut self, at: RunTime, quiet: bool) {
        self.again.get_or_insert(LookedAgain {
            at,
            quiet,
            spoke_on: false,
            rest: None,
        });
    }

    /// When it was looked for the first or the second time at what waits, and whether the worker's work was at rest then.
    pub fn looked(&self, look: Look) -> Option<(RunTime, bool)> {
        match look {
            Look::First => self.drained,
            Look::Second => self.again.map(|again| (again.at, again.quiet)),
        }
    }

    /// Whether no fake had said anything for so long when it was looked, and none did after.
    pub fn was_silent(&self, look: Look, for_as_long: Span) -> bool {
        match look {
            Look::First => {
                let silent = |(at, _): (RunTime, bool)| at.since(self.last_word) >= for_as_long;
                !self.spoke_on && self.drained.is_some_and(silent)
            }
            Look::Second => self.again.is_some_and(|again| {
                !again.spoke_on && again.at.since(self.latest_word) >= for_as_long
            }),
        }
    }

    /// All had come to rest when it was looked.
    pub const fn come_to_rest(&mut self, look: Look, rest: Rest) {
        match (look, &mut self.again) {
            (Look::First, _) => self.rest = Some(rest),
            (Look::Second, Some(again)) => again.rest = Some(rest),
            (Look::Second, None) => {}
        }
    }

    /// What lived when all had come to rest, at the latest look that saw it so.
    pub fn at_rest(&self) -> Option<Rest> {
        self.again.and_then(|again| again.rest).or(self.rest)
    }

    /// When the worker that was started last began to go away. Whether that was its last stop is certain only at the end.
    pub fn final_stop(&self) -> Option<RunTime> {
        self.workers.final_stop()
    }
}

/// One of the two looks at stored work, and at what waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// When the run had drained.
    First,
    /// After the graces, where the first one had left something open.
    Second,
}

/// The second look.
#[derive(Debug, Clone, Copy)]
pub(super) struct LookedAgain {
    /// When it began.
    pub at: RunTime,
    /// Whether the worker's work was at rest then, as the run says.
    pub quiet: bool,
    /// Whether any fake said something after that and before the worker was stopped.
    spoke_on: bool,
    /// What lived then, if all had come to rest.
    pub rest: Option<Rest>,
}

/// All had come to rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest {
    /// Whether any primary lived then.
    pub primary_lived: bool,
}

/// When an obligation is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    /// The moment from which the grace counts.
    pub from: RunTime,
    /// That moment and the grace.
    pub plain: RunTime,
    /// The grace.
    pub grace: Span,
}
