//! Stretches of time in which the harness itself kept a process from running: what is not done then is nobody's fault.

use fake_claude::quantity::Span;

use crate::process::ProcessIdentity;
use crate::units::RunTime;

/// How many are kept; a scenario plans a handful.
const KEPT: usize = 256;

#[derive(Debug, Clone, Copy)]
struct Pause {
    process: ProcessIdentity,
    began: RunTime,
    ended: Option<RunTime>,
}

/// All pauses, in the order in which they began.
#[derive(Debug, Clone, Default)]
pub(super) struct Pauses(Vec<Pause>);

impl Pauses {
    /// A process was stopped.
    pub fn begin(&mut self, process: ProcessIdentity, at: RunTime) {
        if self.0.len() < KEPT {
            self.0.push(Pause {
                process,
                began: at,
                ended: None,
            });
        }
    }

    /// It was let go on.
    pub fn end(&mut self, process: ProcessIdentity, at: RunTime) {
        let open = self.0.iter_mut().rev();
        if let Some(pause) = open
            .filter(|pause| pause.process == process)
            .find(|pause| pause.ended.is_none())
        {
            pause.ended = Some(at);
        }
    }

    /// Whether any process of this kind is paused at a moment, or was until so little before it.
    pub fn hold(
        &self,
        who: impl Fn(ProcessIdentity) -> bool,
        moment: RunTime,
        tolerance: Span,
    ) -> bool {
        self.0.iter().any(|pause| {
            who(pause.process)
                && pause.began <= moment
                && pause.ended.is_none_or(|ended| moment <= ended + tolerance)
        })
    }

    /// By how much pauses of this kind put off what would otherwise be due so long after a moment. One that has not ended by `now`
    /// counts until then.
    pub fn delay(
        &self,
        who: impl Fn(ProcessIdentity) -> bool,
        from: RunTime,
        due_after: Span,
        now: RunTime,
    ) -> Span {
        let mut due = from + due_after;
        let mut counted = from;
        for pause in self.0.iter().filter(|pause| who(pause.process)) {
            let (began, ended) = (pause.began.max(counted), pause.ended.unwrap_or(now));
            if pause.began < due && ended > began {
                due = due + ended.since(began);
                counted = ended;
            }
        }
        due.since(from + due_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::check::check;

    const WORKER: ProcessIdentity = ProcessIdentity::new(5, 5);

    fn at(millis: u64) -> RunTime {
        RunTime::START + Span::from_millis(millis)
    }

    #[test]
    fn what_is_paused_before_it_is_due_is_due_later() {
        let mut pauses = Pauses::default();
        pauses.begin(WORKER, at(2_000));
        pauses.end(WORKER, at(3_000));
        let delay = |from, due_after| {
            let span = pauses.delay(
                |who| who == WORKER,
                at(from),
                Span::from_millis(due_after),
                at(9_000),
            );
            span.as_millis()
        };
        assert_eq!(delay(1_500, 1_000), 1_000);
        // In the middle of a pause, what is left of it counts.
        assert_eq!(delay(2_400, 1_000), 600);
        // What was due before, or begins after, is put off by nothing.
        assert_eq!(delay(500, 1_000), 0);
        assert_eq!(delay(3_000, 1_000), 0);
        assert_eq!(
            pauses.delay(|_| false, at(1_500), Span::from_secs(1), at(9_000)),
            Span::ZERO
        );
    }

    #[test]
    fn two_pauses_count_once_where_they_overlap_and_the_first_may_bring_the_second_within_reach() {
        let mut pauses = Pauses::default();
        for (began, ended) in [(2_000, 3_000), (2_500, 3_500), (4_000, 4_500)] {
            pauses.begin(WORKER, at(began));
            pauses.end(WORKER, at(ended));
        }
        let delay = pauses.delay(|_| true, at(1_500), Span::from_millis(1_200), at(9_000));
        assert_eq!(delay.as_millis(), 2_000);
    }

    #[test]
    fn one_that_goes_on_holds_until_now() {
        let mut pauses = Pauses::default();
        pauses.begin(WORKER, at(2_000));
        assert!(pauses.hold(|_| true, at(8_000), Span::ZERO));
        assert!(!pauses.hold(|_| true, at(1_900), Span::ZERO));
        let delay = pauses.delay(|_| true, at(1_500), Span::from_secs(1), at(6_000));
        assert_eq!(delay.as_millis(), 4_000);
    }

    /// A session whose claude takes until 4.5 s to go; it is due 1 s after its end at 2 s.
    const SLOW: &str = "
        0s run; 0s worker 5; 0.1s..9s tick; 1s open s1; 1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1
        2s end s1 complete; 4.5s bye 10 eof; 4.5s exited 10; 4.5s gone 10";
    const END: &str =
        "6s load; 6s drained quiet; 6.5s grace; 7s stop; 7.1s worker-exit 5; 8.5s residue; 9s over";

    #[test]
    fn a_paused_worker_cannot_end_its_children_and_is_not_to_blame() {
        let paused =
            "2.2s pause 5; 2.2s harness-signal 5 19; 4.2s harness-signal 5 18; 4.2s continue 5";
        check(&format!("{SLOW}\n{paused}\n{END}"), "pass");
        check(&format!("{SLOW}\n{END}"), "fail retained=1");
        // Half a second is no excuse for two and a half.
        let short = "2.2s pause 5; 2.7s continue 5";
        check(&format!("{SLOW}\n{short}\n{END}"), "fail retained=1");
    }

    #[test]
    fn a_paused_claude_cannot_go_and_another_ones_pause_is_no_excuse() {
        check(
            &format!("{SLOW}\n2.2s pause 10; 4.2s continue 10\n{END}"),
            "pass",
        );
        let neighbour =
            "1s seen 11 parent 5; 2.2s pause 11; 4.2s continue 11; 4.3s exited 11; 4.3s gone 11";
        check(&format!("{SLOW}\n{neighbour}\n{END}"), "fail retained=1");
    }

    #[test]
    fn what_a_paused_worker_leaves_unanswered_is_excused() {
        let asked = "1.2s offer a s1 observation; 1.9s unknown a";
        let work = "0s run; 0s worker 5; 0.1s..9s tick; 1s open s1; 2s end s1 complete";
        check(
            &format!("{work}; 1.3s pause 5; {asked}; 3s continue 5; {END}"),
            "pass unknown=1",
        );
        check(
            &format!("{work}; {asked}; 2.5s pause 5; 3s continue 5; {END}"),
            "fail unknown=1",
        );
    }

    #[test]
    fn a_signal_that_only_pauses_does_not_make_the_worker_leave() {
        let paused =
            "1.2s pause 5; 1.2s harness-signal 5 19; 1.4s harness-signal 5 18; 1.4s continue 5";
        let killed = "3s signal 10 15 from 5; 3s bye 10 signal; 3s exited 10; 3s gone 10";
        let open = "0s run; 0s worker 5; 0.1s..9s tick; 1s open s1; 1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1; 4s end s1 complete";
        check(
            &format!("{open}\n{paused}\n{killed}\n{END}"),
            "fail killed_early=1",
        );
    }
}
