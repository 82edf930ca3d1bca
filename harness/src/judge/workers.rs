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
    const fn new(process: ProcessIdentity, started: RunTime) -> Self {
        Self {
            process,
            started,
            ready: None,
            leaving: None,
            exited: None,
        }
    }

    fn lives_at(&self, moment: RunTime) -> bool {
        self.started <= moment && self.exited.is_none_or(|exited| exited > moment)
    }

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
    /// Workers that were started beside the one that serves.
    seconds: Vec<Incarnation>,
}

impl Workers {
    /// A worker was started.
    pub fn start(&mut self, process: ProcessIdentity, at: RunTime) {
        if self.lives.len() == KEPT {
            self.lives.remove(0);
        }
        self.lives.push(Incarnation::new(process, at));
    }

    /// A second worker was started beside it.
    pub fn start_second(&mut self, process: ProcessIdentity, at: RunTime) {
        if self.seconds.len() < KEPT {
            self.seconds.push(Incarnation::new(process, at));
        }
    }

    /// Whether this is a worker that was started beside the one that serves.
    pub fn is_second(&self, process: ProcessIdentity) -> bool {
        self.seconds.iter().any(|life| life.process == process)
    }

    /// Whether a pid was that of a worker beside the one that serves, at a moment.
    pub fn is_pid_of_second(&self, pid: u32, moment: RunTime) -> bool {
        self.seconds
            .iter()
            .any(|life| life.process.pid == pid && life.lives_at(moment))
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
            .chain(&mut self.seconds)
            .rev()
            .find(|life| life.process == process);
        if let Some(life) = found {
            life.exited.get_or_insert(at);
        }
    }

    /// Whether this process is the worker, in any of its lives, or a second one.
    pub fn includes(&self, process: ProcessIdentity) -> bool {
        self.lives.iter().any(|life| life.process == process) || self.is_second(process)
    }

    /// The worker that lived at a moment.
    pub fn at(&self, moment: RunTime) -> Option<&Incarnation> {
        self.lives.iter().rev().find(|life| life.lives_at(moment))
    }

    /// Whether a pid was that of the worker, or of a second one, at a moment.
    pub fn had_pid(&self, pid: u32, moment: RunTime) -> bool {
        self.at(moment).is_some_and(|life| life.process.pid == pid)
            || self
                .seconds
                .iter()
                .any(|life| life.process.pid == pid && life.lives_at(moment))
    }

    /// When each worker was started, and when it exited, those beside the one that serves included; in order of their starts.
    pub fn spans(&self) -> Vec<(RunTime, Option<RunTime>)> {
        let all = self.lives.iter().chain(&self.seconds);
        let mut spans: Vec<_> = all.map(|life| (life.started, life.exited)).collect();
        spans.sort_unstable();
        spans
    }

    /// When the worker that was started last was asked to stop, or signalled by the harness.
    pub fn last_stop(&self) -> Option<RunTime> {
        self.last()?.leaving
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

#[cfg(test)]
mod tests {
    use crate::judge::check::check;

    /// A second worker that serves a session of the first one's data folder.
    const SECOND: &str = "
        0s run; 0s worker 5; 0.1s..8s tick; 0.5s second 6
        1s open s1; 1s seen 10 parent 6; 1s hello 10 primary parent 6; 1.1s serves 10 s1; 2s end s1 complete";
    const END: &str = "6s load; 6s drained quiet; 6.5s grace; 6.8s harness-signal 6 15; 6.9s second-exit 6; 7s stop; 7.1s worker-exit 5; 8.5s residue; 9s over";

    #[test]
    fn a_second_workers_child_has_a_live_owner() {
        check(&format!("{SECOND}\n{END}"), "fail retained=1");
        let gone = "2.5s bye 10 eof; 2.5s exited 10; 2.5s gone 10";
        check(&format!("{SECOND}\n{gone}\n{END}"), "pass");
        // Without it, it has none.
        let dead = "1.5s second-exit 6 code 1";
        check(&format!("{SECOND}\n{dead}\n{END}"), "fail reparented=1");
    }

    #[test]
    fn a_second_worker_is_no_child_and_its_end_no_death() {
        let early = "0s run; 0s worker 5; 0.1s..8s tick; 0.5s seen 6 parent 1; 0.5s second 6; 0.6s second-exit 6 code 1";
        check(
            &format!("{early}; 1s open s1; 2s end s1 complete\n{END}"),
            "pass",
        );
    }

    #[test]
    fn a_signal_to_a_second_worker_does_not_make_the_first_one_leave() {
        let killed = "1.2s harness-signal 6 9; 1.3s second-exit 6 signal 9; 1.5s signal 11 15 from 5; 1.5s bye 11 signal; 1.5s exited 11; 1.5s gone 11";
        let first = "0s run; 0s worker 5; 0.1s..8s tick; 0.5s second 6; 1s open s1; 1s seen 11 parent 5; 1s hello 11 primary; 1.1s serves 11 s1; 2s end s1 complete";
        check(&format!("{first}\n{killed}\n{END}"), "fail killed_early=1");
    }
}
