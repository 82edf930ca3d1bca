//! The worker's lives: it may be started again in the middle of a run.

use fake_claude::quantity::Span;

use crate::process::ProcessIdentity;
use crate::units::RunTime;

/// How many lives of the worker are kept; a worker that dies more often is a finding long before.
const KEPT: usize = 256;

/// One life of the worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Incarnation {
    /// Who it was.
    pub process: ProcessIdentity,
    /// When it was started.
    pub started: RunTime,
    /// When it said that it is ready.
    pub ready: Option<RunTime>,
    /// When it was first asked to stop, or signalled by the harness.
    pub leaving: Option<RunTime>,
    /// When it exited.
    pub exited: Option<RunTime>,
}

impl Incarnation {
    /// When it began to go away, for whatever reason.
    fn going(&self) -> Option<RunTime> {
        match (self.leaving, self.exited) {
            (Some(leaving), Some(exited)) => Some(leaving.min(exited)),
            (leaving, exited) => leaving.or(exited),
        }
    }
}

/// All lives of the worker, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Workers {
    lives: Vec<Incarnation>,
}

impl Workers {
    /// A worker was started.
    pub fn start(&mut self, process: ProcessIdentity, at: RunTime) {
        if self.lives.len() == KEPT {
            self.lives.remove(0);
        }
        self.lives.push(Incarnation {
            process,
            started: at,
            ready: None,
            leaving: None,
            exited: None,
        });
    }

    /// The worker that was started last is ready.
    pub fn ready(&mut self, at: RunTime) {
        if let Some(last) = self.lives.last_mut() {
            last.ready.get_or_insert(at);
        }
    }

    /// The worker that lives now was asked to stop.
    pub fn leave(&mut self, at: RunTime) {
        if let Some(last) = self.lives.last_mut()
            && last.exited.is_none()
        {
            last.leaving.get_or_insert(at);
        }
    }

    /// A worker exited.
    pub fn exit(&mut self, process: ProcessIdentity, at: RunTime) {
        let found = self
            .lives
            .iter_mut()
            .rev()
            .find(|life| life.process == process);
        if let Some(life) = found {
            life.exited.get_or_insert(at);
        }
    }

    /// Whether this process is the worker, in any of its lives.
    pub fn includes(&self, process: ProcessIdentity) -> bool {
        self.lives.iter().any(|life| life.process == process)
    }

    /// The worker that lived at a moment.
    pub fn at(&self, moment: RunTime) -> Option<&Incarnation> {
        self.lives
            .iter()
            .rev()
            .find(|life| life.started <= moment && life.exited.is_none_or(|exited| exited > moment))
    }

    /// Whether a pid was that of the worker at a moment.
    pub fn had_pid(&self, pid: u32, moment: RunTime) -> bool {
        self.at(moment).is_some_and(|life| life.process.pid == pid)
    }

    /// The worker that was started last.
    pub fn last(&self) -> Option<&Incarnation> {
        self.lives.last()
    }

    /// Whether the worker that owned a process, judged by its first sighting, was on its way out at a moment. A little before its
    /// exit counts too: its files close before anybody can see that it has exited.
    pub fn owner_was_leaving(&self, first: RunTime, moment: RunTime, tolerance: Span) -> bool {
        let owner = self
            .lives
            .iter()
            .rev()
            .find(|life| life.started <= first)
            .or(self.lives.first());
        owner.is_some_and(|owner| {
            owner.leaving.is_some_and(|leaving| leaving <= moment)
                || owner
                    .exited
                    .is_some_and(|exited| exited - tolerance <= moment)
        })
    }

    /// The worker after the one that owned a process, if the worker was started again in its lifetime.
    pub fn successor(&self, first: RunTime) -> Option<&Incarnation> {
        let owner = self
            .lives
            .iter()
            .rposition(|life| life.started <= first)
            .unwrap_or(0);
        self.lives[(owner + 1).min(self.lives.len())..].last()
    }

    /// When the worker exited for the last time, unless it lives.
    pub fn final_exit(&self) -> Option<RunTime> {
        self.last()?.exited
    }

    /// When the worker that was started last began to go away.
    pub fn final_stop(&self) -> Option<RunTime> {
        self.last()?.going()
    }

    /// Whether the worker was down, on its way out, or not ready again, at a moment: what it refused then is nobody's fault. A
    /// connection breaks a little before anybody can see that the worker has exited.
    pub fn was_away(&self, moment: RunTime, tolerance: Span) -> bool {
        let Some(current) = self.lives.iter().rposition(|life| life.started <= moment) else {
            return true;
        };
        let life = &self.lives[current];
        let again = current > 0 && life.ready.is_none_or(|ready| moment < ready);
        again
            || life.leaving.is_some_and(|leaving| leaving <= moment)
            || life
                .exited
                .is_some_and(|exited| exited - tolerance <= moment)
    }
}
