//! How a process ended, where it broke no obligation before: cleanly, from outside before its time, or by itself with work owed.

use fake_claude::control::{Role, Why};

use super::books::Fate;
use super::cause::Sender;
use super::census::{Census, serves};
use super::doubt::Unsure;
use super::facts::Facts;
use super::life::Life;
use super::sessions::SessionKey;
use super::work::Items;
use crate::scenario::End;
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
            let survivor = facts.expectations.survivor(role, &life.command);
            let fate = match broken.fate {
                _ if survivor.is_some() => Fate::Survivor,
                Fate::Reparented if self.is_owned_up_to(facts, life) => Fate::Readopted,
                fate => fate,
            };
            return Decided {
                fate,
                ending: Ending::Fine,
            };
        }
        let ending = match life.died() {
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
            (
                heard.map_or(at, |heard| heard.at),
                Ending::Killed {
                    signal: heard.map(|heard| heard.signal).or(signal),
                    by,
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
        let open = self.was_open(facts, session, at);
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
            Ending::Killed { by, .. } => {
                let starter_did = by == Sender::Starter && role != Role::Primary;
                let starter_gone = role == Role::Grandchild && self.starter_died_by(life, at);
                // One that hangs for ever, as it was told to, is not ended before its time.
                if starter_did || starter_gone || life.hangs {
                    Ending::Fine
                } else if open || (owes && !given_up && ended.is_some()) {
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
        session.is_some_and(|key| facts.sessions.get(key).open_at(at))
    }

    /// Whether the process that started another one had died, or was being ended, by a moment.
    fn starter_died_by(&self, life: &Life, at: RunTime) -> bool {
        match life.starter {
            // One that is settled is gone.
            Some(starter) => self.lives.get(&starter).is_none_or(|starter| {
                starter.died().is_some_and(|died| died <= at)
                    || starter.told_to_end().is_some_and(|told| told <= at)
            }),
            None => true,
        }
    }
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
