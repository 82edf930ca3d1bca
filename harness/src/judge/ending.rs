//! How a process ended, where it broke no obligation before: cleanly, from outside before its time, or by itself with work owed.

use fake_claude::control::{Role, Why};

use super::books::Fate;
use super::cause::Sender;
use super::census::{Census, serves};
use super::doubt::Unsure;
use super::facts::Facts;
use super::life::{Broken, Life};
use super::sessions::SessionKey;
use super::work::Items;
use crate::scenario::{End, Survivor};
use crate::timeline::event::Source;
use crate::units::RunTime;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// As it should, or nobody can say otherwise.
    Fine,
    /// A signal from outside ended it.
    Killed {
        signal: Option<i32>,
        by: Sender,
        open: bool,
        working: bool,
    },
    /// Its stdin was closed, and it left work unfinished.
    StdinClosed,
    /// It ended by itself, with work owed.
    ByItself { planned: bool, why: Option<Why> },
    /// The evidence does not suffice.
    Unsure(Unsure),
}

/// The bin of a process, and what put it there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decided {
    pub fate: Fate,
    pub ending: Ending,
}

impl Census {
    /// The bin of a process, all things considered.
    pub fn decide(
        &self,
        facts: &Facts,
        items: &Items,
        life: &Life,
        role: Role,
        session: Option<SessionKey>,
    ) -> Decided {
        if let Some(broken) = life.broken {
            return self.outlived(facts, life, role, broken);
        }
        let ending = match life.died() {
            // What it has not come to yet, or what it said last, may be under way.
            _ if facts.goes_on => Ending::Unsure(Unsure::GoesOn),
            Some(died) => self.ending(facts, items, life, role, session, died),
            None => self.unended(facts, role, session),
        };
        let fate = match ending {
            Ending::Fine => Fate::Clean,
            Ending::Killed { .. } | Ending::StdinClosed => Fate::KilledEarly,
            Ending::ByItself { planned, .. } => Fate::Crashed { planned },
            Ending::Unsure(_) if facts.expectations.survivor(role, &life.command).is_some() => {
                Fate::Survivor
            }
            Ending::Unsure(_) => Fate::Undecided,
        };
        Decided { fate, ending }
    }

    /// The bin of a process that broke an obligation, as far as that is known by now.
    pub fn outlived(&self, facts: &Facts, life: &Life, role: Role, broken: Broken) -> Decided {
        let survivor = facts.expectations.survivor(role, &life.command);
        if survivor.is_none() && may_be_declared(facts, life) {
            return Decided {
                fate: Fate::Undecided,
                ending: Ending::Unsure(Unsure::RoleUnknown),
            };
        }
        let fate = match broken.fate {
            _ if survivor.is_some() => Fate::Survivor,
            Fate::Reparented if self.is_owned_up_to(facts, life) => Fate::Readopted,
            fate => fate,
        };
        Decided {
            fate,
            ending: Ending::Fine,
        }
    }

    /// Whether a worker that was started after a process's own has it in hand: it holds its stdin, or signalled it.
    fn is_owned_up_to(&self, facts: &Facts, life: &Life) -> bool {
        let Some(successor) = facts.workers.successor(life.first) else {
            return false;
        };
        let holds = life
            .held
            .as_ref()
            .is_some_and(|held| held.holders.contains(&successor.process));
        let stop = facts.final_stop().unwrap_or(RunTime::NEVER);
        let signalled = life.heard().any(|heard| {
            heard.sender == successor.process.pid
                && heard.at >= successor.started
                && heard.at < stop
        });
        holds || signalled
    }

    /// What to think of a process that lived when the recording ended and had broken nothing until then.
    fn unended(&self, facts: &Facts, role: Role, session: Option<SessionKey>) -> Ending {
        let cut_off = facts.run_ended.is_none();
        let unsure = if facts.interrupted.is_some() {
            Unsure::Interrupted
        } else if cut_off {
            Unsure::CutOff
        } else if facts.workers.final_exit().is_some() {
            Unsure::ResidueNotCovered
        } else if !serves(role) {
            // The worker lives, so nothing is asked of its helpers.
            return Ending::Fine;
        } else {
            match session {
                Some(key) if facts.sessions.get(key).ended.is_some() => Unsure::GraceNotCovered,
                Some(_) => Unsure::SessionOpen,
                None => Unsure::NoSession,
            }
        };
        Ending::Unsure(unsure)
    }

    /// What to think of a process that died in time.
    fn ending(
        &self,
        facts: &Facts,
        items: &Items,
        life: &Life,
        role: Role,
        session: Option<SessionKey>,
        died: RunTime,
    ) -> Ending {
        if !serves(role) {
            return Ending::Fine;
        }
        if facts.interrupted.is_some_and(|stopped| stopped <= died) {
            return Ending::Unsure(Unsure::Interrupted);
        }
        let ending = self.how_it_ended(facts, items, life, role, session, died);
        if ending != Ending::Fine {
            return ending;
        }
        // Gone in time, but only because the run was over: nobody knows whether it would have gone.
        let due = facts.due(session, life.first);
        let stop = facts.final_stop();
        if let (Some(due), Some(stop)) = (due, stop) {
            let extended = due.plain + facts.lag(due.from, due.grace);
            let load_over = facts.load_finished.is_some_and(|over| over <= stop);
            let stayed = due.from < stop && life.lives_at(stop, facts.tick()) && stop < extended;
            if load_over && stayed {
                return Ending::Unsure(Unsure::GraceNotCovered);
            }
        }
        Ending::Fine
    }

    /// How a process that serves a session ended.
    fn how_it_ended(
        &self,
        facts: &Facts,
        items: &Items,
        life: &Life,
        role: Role,
        session: Option<SessionKey>,
        died: RunTime,
    ) -> Ending {
        if life.harness_signal.is_some_and(|signal| signal <= died) {
            return Ending::Fine;
        }
        let owes = owes(items, life);
        let heard = life.heard_until(died).rev().find(|heard| !heard.ignored);
        let killed = |at: RunTime, signal: Option<i32>| {
            let heard = heard.filter(|heard| signal.is_none_or(|signal| signal == heard.signal));
            let by = heard.map_or(Sender::Unknown, |heard| self.sender(facts, life, *heard));
            let at = heard.map_or(at, |heard| heard.at);
            (
                at,
                Ending::Killed {
                    signal: heard.map(|heard| heard.signal).or(signal),
                    by,
                    open: self.was_open(facts, session, at),
                    working: owes,
                },
            )
        };
        let by_itself = |why| {
            let planned = life.dies || why == Some(Why::Planned);
            (died, Ending::ByItself { planned, why })
        };
        let (at, ending) = match life.goodbye {
            Some(bye) => match bye.why {
                Why::Signal => killed(bye.at, None),
                Why::Eof => (life.eof.unwrap_or(bye.at), Ending::StdinClosed),
                Why::Planned | Why::Refused => by_itself(Some(bye.why)),
                Why::Done | Why::Idle => return Ending::Fine,
            },
            None if life.spoke && life.dies => by_itself(Some(Why::Planned)),
            None if life.signal.is_some() => killed(died, life.signal),
            None if !life.spoke => return Ending::Fine,
            None if life.code.is_some() => by_itself(None),
            None if facts.had_failed(Source::Control, died) => {
                return if owes || self.was_open(facts, session, died) {
                    Ending::Unsure(Unsure::EndUnseen)
                } else {
                    Ending::Fine
                };
            }
            None => killed(life.lifeline_lost.unwrap_or(died).min(died), None),
        };
        self.excuse(facts, life, role, session, (at, ending, owes))
    }

    /// Whether what ended a process was its due after all.
    fn excuse(
        &self,
        facts: &Facts,
        life: &Life,
        role: Role,
        session: Option<SessionKey>,
        (at, ending, owes): (RunTime, Ending, bool),
    ) -> Ending {
        let ended = session.and_then(|key| facts.sessions.get(key).ended);
        let given_up = ended.is_some_and(|ended| ended.end == End::Abort && ended.at <= at);
        let between = session.is_some_and(|key| facts.sessions.get(key).between_prompts_at(at));
        match ending {
            Ending::ByItself { .. } if owes && !given_up => ending,
            Ending::ByItself { .. } => Ending::Fine,
            // Its worker was on its way out: it ends with its owner, and what it owed is in the books of work.
            _ if facts
                .workers
                .owner_was_leaving(life.first, at, facts.hold()) =>
            {
                Ending::Fine
            }
            Ending::StdinClosed if owes && !given_up => ending,
            Ending::Killed { by, open, .. } => {
                let starter_did = by == Sender::Starter && role != Role::Primary;
                let starter_gone = role == Role::Grandchild && self.starter_ended_by(life, at);
                // One that hangs for ever, as it was told to, is not ended before its time.
                if starter_did || starter_gone || life.hangs {
                    Ending::Fine
                } else if open || (owes && !given_up && (between || ended.is_some())) {
                    ending
                } else if session.is_none() && facts.sessions.any_open_at(at) {
                    Ending::Unsure(Unsure::SessionUnknown)
                } else {
                    Ending::Fine
                }
            }
            Ending::StdinClosed | Ending::Fine | Ending::Unsure(_) => Ending::Fine,
        }
    }

    fn was_open(&self, facts: &Facts, session: Option<SessionKey>, at: RunTime) -> bool {
        session.is_some_and(|key| {
            let session = facts.sessions.get(key);
            session.open_at(at) && !session.between_prompts_at(at)
        })
    }

    /// Whether the process that started another one had died, or was being ended, by a moment. One that nobody knows had.
    fn starter_ended_by(&self, life: &Life, at: RunTime) -> bool {
        self.starter_end(life).is_none_or(|end| {
            [end.died, end.told]
                .into_iter()
                .flatten()
                .any(|moment| moment <= at)
        })
    }
}

/// Whether a process, whose role nobody was there to tell, may be one that is declared by its role alone as meant to live.
fn may_be_declared(facts: &Facts, life: &Life) -> bool {
    let by_role = |survivor: &Survivor| survivor.role.is_some() && survivor.command.is_none();
    life.role.is_none()
        && !facts.watched_throughout(Source::Control)
        && facts.expectations.survivors.iter().any(by_role)
}

/// Whether a process owed work that had been delivered to it. What it read besides, such as a prompt that is no work item, is not
/// owed to anybody. One that never said what it read is taken at its last word.
fn owes(items: &Items, life: &Life) -> bool {
    if life.said_work {
        life.owed.iter().any(|marker| items.is_owed(marker))
    } else {
        life.goodbye.is_some_and(|bye| bye.owed > 0)
    }
}

#[cfg(test)]
mod tests {
    use crate::judge::check::check;

    /// An open session with a primary that has read one item; it ends at 4 s.
    const SESSION: &str = "
        0s run; 0s worker 5; 0.1s..8s tick; 1s open s1
        1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1";
    const WORK: &str = "1.2s offer a s1 observation; 1.2s accept a; 1.3s work 10 observation a";
    const ANSWER: &str = "1.6s done 10 1 observation a";
    const END: &str = "
        4s end s1 complete; 6s load; 6s drained quiet; 6.5s grace; 7s stop; 7.1s worker-exit 5; 8.5s residue; 9s over";

    fn history(middle: &str) -> String {
        format!("{SESSION}\n{WORK}\n{middle}\n{END}")
    }

    fn dies(at: &str) -> String {
        format!("{at} exited 10; {at} gone 10")
    }

    #[test]
    fn a_signal_while_the_session_is_open_is_early_even_when_idle() {
        let killed = "2s signal 10 15 from 5; 2.1s bye 10 signal";
        check(
            &history(&format!("{ANSWER}; {killed}; {}", dies("2.2s"))),
            "fail killed_early=1",
        );
        check(
            &history(&format!("{killed} owed 1; {}", dies("2.2s"))),
            "fail killed_early=1 lost=1",
        );
    }

    #[test]
    fn between_two_prompts_an_idle_process_may_be_ended_and_a_working_one_may_not() {
        let killed = |owed: &str| {
            format!(
                "1.9s prompt-end s1; 2s signal 10 15 from 5; 2.1s bye 10 signal{owed}; {}; 2.5s prompt-begin s1",
                dies("2.2s")
            )
        };
        check(&history(&format!("{ANSWER}; {}", killed(""))), "pass");
        check(&history(&killed(" owed 1")), "fail killed_early=1 lost=1");
        // Before and after, the session is in use.
        for moment in [
            "1.7s prompt-end s1; 1.8s prompt-begin s1; 2s signal 10 15 from 5",
            "2s signal 10 15 from 5; 2.15s prompt-end s1",
        ] {
            let middle = format!("{ANSWER}; {moment}; 2.1s bye 10 signal; {}", dies("2.2s"));
            let sorted = middle.replace(
                "2.15s prompt-end s1; 2.1s bye 10 signal",
                "2.1s bye 10 signal; 2.15s prompt-end s1",
            );
            check(&history(&sorted), "fail killed_early=1");
        }
    }

    #[test]
    fn a_death_without_a_goodbye_is_a_kill() {
        check(
            &history(&format!("{ANSWER}; 2.2s lost 10; {}", dies("2.2s"))),
            "fail killed_early=1",
        );
        check(
            &history(&format!("{ANSWER}; 2.2s exited 10 signal 9; 2.2s gone 10")),
            "fail killed_early=1",
        );
        // One with an exit code ended by itself.
        check(
            &history(&format!("{ANSWER}; 2.2s exited 10 code 101; 2.2s gone 10")),
            "pass",
        );
    }

    #[test]
    fn without_the_control_socket_nobody_knows_how_it_ended() {
        check(
            &history(&format!("{ANSWER}; 1.9s fail control; {}", dies("2.2s"))),
            "inconclusive undecided=1",
        );
    }

    #[test]
    fn a_signal_that_came_before_the_end_counts_by_its_own_moment() {
        let late = "3.95s@4.3s signal 10 15 from 5; 4.1s bye 10 signal";
        check(
            &history(&format!("{ANSWER}; {late}; {}", dies("4.2s"))),
            "fail killed_early=1",
        );
    }

    #[test]
    fn a_signal_after_the_end_is_early_only_with_work_owed() {
        let killed = "4.1s signal 10 15 from 5; 4.2s bye 10 signal";
        check(
            &history(&format!("{ANSWER}; {killed}; {}", dies("4.2s"))),
            "pass",
        );
        check(
            &history(&format!("{killed} owed 1; {}", dies("4.2s"))),
            "fail killed_early=1 lost=1",
        );
    }

    #[test]
    fn what_the_driver_gave_up_is_not_owed() {
        let killed = "4.1s signal 10 15 from 5; 4.2s bye 10 signal owed 1";
        let unsaid = history(&format!("{killed}; {}", dies("4.2s")));
        check(&unsaid.replace("complete", "abort"), "pass");
        check(
            &history(&format!("4s abort a; {killed}; {}", dies("4.2s")))
                .replace("complete", "abort"),
            "pass",
        );
    }

    #[test]
    fn a_prompt_that_is_no_work_item_is_not_owed() {
        check(
            &history(&format!(
                "{ANSWER}; 3.9s work 10 prompt p; 4.1s signal 10 15 from 5; 4.2s bye 10 signal owed 1; {}",
                dies("4.2s")
            )),
            "pass",
        );
    }

    #[test]
    fn stdin_closed_is_early_only_when_work_stays_unfinished() {
        check(
            &history(&format!(
                "1.4s eof 10 owed 1; {ANSWER}; 1.7s bye 10 eof; {}",
                dies("1.8s")
            )),
            "pass",
        );
        check(
            &history(&format!(
                "1.4s eof 10 owed 1; 1.7s bye 10 eof owed 1; {}",
                dies("1.8s")
            )),
            "fail killed_early=1 lost=1",
        );
        check(
            &history(&format!(
                "{ANSWER}; 2s eof 10; 2s bye 10 eof; {}",
                dies("2.1s")
            )),
            "pass",
        );
    }

    #[test]
    fn by_itself_with_work_owed_is_a_crash_and_a_planned_one_fails_nothing() {
        let again = "2s seen 11 parent 5; 2s hello 11 primary; 2s serves 11 s1; 2s work 11 observation a; 2.3s done 11 1 observation a
            4.1s bye 11 eof; 4.1s exited 11; 4.1s gone 11";
        check(
            &history(&format!(
                "1.5s bye 10 refused owed 1; {}; {again}",
                dies("1.6s")
            )),
            "fail crashed=1",
        );
        check(
            &history(&format!(
                "1.5s did 10 die; 1.5s bye 10 planned owed 1; {}; {again}",
                dies("1.6s")
            )),
            "pass crashed=1",
        );
        check(
            &history(&format!(
                "1.5s did 10 die; 1.6s exited 10 signal 9; 1.6s gone 10; {again}"
            )),
            "pass crashed=1",
        );
        check(
            &history(&format!("{ANSWER}; 1.7s bye 10 refused; {}", dies("1.8s"))),
            "pass",
        );
    }

    #[test]
    fn what_ends_with_its_worker_is_not_early() {
        let died = "2s worker-exit 5 unasked signal 9";
        let owed = format!(
            "1.99s eof 10 owed 1; 2.1s bye 10 signal owed 1; {}",
            dies("2.1s")
        );
        let text = format!(
            "{SESSION}\n{WORK}\n{died}; {owed}; 4s end s1 complete; 6s load; 6s drained quiet; 6.5s grace; 9s over"
        );
        check(&text, "fail lost=1 worker_died=1");
    }

    #[test]
    fn what_the_harness_signalled_is_not_early() {
        check(
            &history(&format!(
                "{ANSWER}; 2s harness-signal 10 9; {}",
                dies("2.1s")
            )),
            "pass",
        );
        // What it had in hand is for the worker to do again.
        let killed = format!("2s harness-signal 10 9; {}", dies("2.1s"));
        check(&history(&killed), "fail lost=1");
    }

    #[test]
    fn one_that_hangs_as_it_was_told_is_not_ended_early() {
        let again = "2.5s seen 11 parent 5; 2.5s hello 11 primary; 2.5s serves 11 s1; 2.6s work 11 observation a
            2.7s done 11 1 observation a; 4.1s bye 11 eof; 4.1s exited 11; 4.1s gone 11";
        check(
            &history(&format!(
                "1.4s did 10 hang; 2s signal 10 15 from 5; 2s bye 10 signal owed 1; {}; {again}",
                dies("2.1s")
            )),
            "pass",
        );
    }

    #[test]
    fn a_grandchild_is_early_only_when_its_starter_is_left_alone() {
        let child = "1.5s seen 12 parent 10; 1.5s hello 12 grandchild parent 10";
        let killed = "3s signal 12 9 from 5; 3s exited 12 signal 9; 3s gone 12";
        let later = "4.1s bye 10 eof; 4.1s exited 10; 4.1s gone 10";
        check(
            &history(&format!("{ANSWER}; {child}; {killed}; {later}")),
            "fail killed_early=1",
        );
        check(
            &history(&format!(
                "{ANSWER}; {child}; 2.9s eof 10; 2.9s bye 10 eof; {}; {killed}",
                dies("2.95s")
            )),
            "pass",
        );
        check(
            &history(&format!(
                "{ANSWER}; {child}; {}; {later}",
                killed.replace("from 5", "from 10")
            )),
            "pass",
        );
    }

    #[test]
    fn one_whose_session_nobody_knows_is_undecided_among_several() {
        let stranger = "1s open s2; 1s seen 13 parent 5; 1s hello 13 primary; 2s signal 13 15 from 5; 2s bye 13 signal; 2s exited 13; 2s gone 13; 4s end s2 complete";
        let first = format!("{ANSWER}; 4.1s bye 10 eof; {}", dies("4.1s"));
        check(
            &history(&format!("{first}; {stranger}")),
            "inconclusive undecided=1",
        );
    }

    #[test]
    fn one_that_never_spoke_is_judged_by_its_life_alone() {
        check(
            "0s run; 0s worker 5; 0.1s..8s tick; 1s open s1; 1s seen 10 parent 5; 2s exited 10; 2s gone 10; 3s end s1 complete
            6s load; 6s drained quiet; 6.5s grace; 9s over",
            "pass",
        );
    }

    #[test]
    fn an_interrupted_run_decides_nothing() {
        check(
            &format!(
                "{SESSION}; 2s interrupted; 2.1s bye 10 signal; {}; 3s over",
                dies("2.1s")
            ),
            "inconclusive undecided=1",
        );
    }

    #[test]
    fn a_goodbye_that_is_heard_late_is_waited_for() {
        check(
            &history(&format!("{ANSWER}; 4.1s@6.5s bye 10 eof; {}", dies("4.2s"))),
            "pass",
        );
        check(
            &history(&format!("{ANSWER}; 2.1s@4.5s bye 10 eof; {}", dies("2.2s"))),
            "pass",
        );
    }
}
