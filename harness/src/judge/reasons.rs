//! What is reported of a process in a bin that is a finding: its shape, its cause, what was expected and what was seen.

use fake_claude::control::{Role, TurnKind};
use fake_claude::quantity::Span;

use super::books::Fate;
use super::cause::{Apart, Cause, Lineage, Relation, Sender, Stdin, Told};
use super::census::{Census, serves};
use super::command::program;
use super::ending::{Decided, Ending};
use super::facts::Facts;
use super::finding::{Found, ProcessLine};
use super::life::{Broken, Heard, Kin, Life};
use super::sessions::SessionKey;
use crate::scenario::End;
use crate::timeline::event::Source;
use crate::units::{self, RunTime};

impl Census {
    /// The finding that a process is, if it is one.
    pub fn report(
        &self,
        facts: &Facts,
        life: &Life,
        role: Role,
        session: Option<SessionKey>,
        decided: &Decided,
    ) -> Option<Found> {
        let rule = decided.fate.finding()?;
        let ended = session.and_then(|key| facts.sessions.get(key).ended);
        let cause = self.cause(facts, life, decided);
        let cause = match decided.ending {
            Ending::Unsure(why) => why.words().to_owned(),
            _ => cause.to_string(),
        };
        let after = match (ended, session) {
            _ if decided.fate == Fate::Residue => "after the worker's stop".to_owned(),
            (Some(ended), _) if life.died().is_none_or(|died| died > ended.at) => {
                format!("after {}", ended.end)
            }
            (_, Some(_)) => "while its session was open".to_owned(),
            (_, None) => "session unknown".to_owned(),
        };
        let (expected, seen, by) = self.evidence(facts, life, role, decided);
        let mut events = vec![life.first_seq];
        events.extend(ended.map(|ended| ended.seq));
        events.extend(life.broken.map(|broken| broken.seq));
        events.sort_unstable();
        events.dedup();
        Some(Found {
            rule,
            subject: role_name(role).to_owned(),
            shape: format!(
                "{} `{}` {after}: {cause}",
                role_name(role),
                program(&life.command)
            ),
            cause,
            blames: !matches!(decided.fate, Fate::Crashed { planned: true }),
            session: session.map(|key| facts.sessions.get(key).name.clone()),
            process: Some(self.line(facts, life, session)),
            expected,
            seen,
            by,
            events,
        })
    }

    /// A process as `ps` would show it.
    fn line(&self, facts: &Facts, life: &Life, session: Option<SessionKey>) -> ProcessLine {
        let stop = life.harness_signal.or(facts.final_stop());
        let until = life.died().or(stop).unwrap_or(facts.horizon);
        let until = life.broken.map_or(until, |broken| until.max(broken.at));
        ProcessLine {
            pid: life.id.pid,
            host_pid: life.host_pid,
            ppid: life
                .broken
                .and_then(|broken| life.parent_at(broken.at))
                .or_else(|| life.last_parent())
                .unwrap_or_default(),
            start_time: life.id.start_time,
            rss_bytes: life.rss_bytes,
            pss_bytes: life.pss_bytes,
            age_ms: until.since(life.first).as_millis(),
            command: life.command.clone(),
            session: session.map(|key| facts.sessions.get(key).name.clone()),
        }
    }

    fn evidence(
        &self,
        facts: &Facts,
        life: &Life,
        role: Role,
        decided: &Decided,
    ) -> (String, String, Option<Span>) {
        if let Some(broken) = life.broken {
            let until = match broken.fate {
                Fate::Zombie => life.gone,
                _ => life.died(),
            };
            let until = until.unwrap_or(facts.horizon).max(broken.at);
            let (expected, seen) = match broken.fate {
                Fate::Residue => (
                    format!(
                        "gone within {} of the worker's exit",
                        units::span(facts.expectations.residue_grace)
                    ),
                    "still alive after that for",
                ),
                Fate::Zombie => (
                    "waited for by its parent in time".to_owned(),
                    "a zombie beyond its time for",
                ),
                _ => (
                    format!(
                        "gone and waited for within {} of its session's end",
                        units::span(self.grace_of(facts, life))
                    ),
                    "alive beyond that for",
                ),
            };
            return (expected, seen.to_owned(), Some(until.since(broken.due)));
        }
        let expected = match decided.ending {
            Ending::Unsure(_) => "to be decided one way or the other",
            _ if serves(role) => "left alone while its session was open or work was owed",
            _ => "",
        };
        let seen = match decided.ending {
            Ending::Unsure(_) => "evidence for neither",
            Ending::ByItself { .. } => "it exited and left work unanswered",
            _ => "it was ended",
        };
        (expected.to_owned(), seen.to_owned(), None)
    }

    fn grace_of(&self, facts: &Facts, life: &Life) -> Span {
        facts
            .due(self.session_of(life), life.first)
            .map_or(Span::ZERO, |due| due.grace)
    }

    fn cause(&self, facts: &Facts, life: &Life, decided: &Decided) -> Cause {
        if let Some(broken) = life.broken {
            return match broken.fate {
                Fate::Zombie => Cause::NotWaitedFor {
                    by_worker: life
                        .parent_at(broken.at)
                        .is_some_and(|ppid| facts.workers.had_pid(ppid, broken.at)),
                },
                _ => Cause::NotEnded {
                    told: self.told(facts, life, broken),
                    stdin: self.stdin(facts, life, broken),
                    lineage: self.lineage(facts, life, broken),
                },
            };
        }
        match decided.ending {
            Ending::Killed {
                signal,
                by,
                open,
                working,
            } => Cause::Killed {
                signal,
                by,
                open,
                working,
            },
            Ending::StdinClosed => Cause::StdinClosed,
            Ending::ByItself { planned, why } => Cause::EndedItself { planned, why },
            Ending::Fine | Ending::Unsure(_) => Cause::Unknown,
        }
    }

    /// How a process had been told to go when it was found, or else what was done to it after that, too late. What comes with the
    /// run's own end, such as the signals of the worker's last stop, is no evidence.
    fn told(&self, facts: &Facts, life: &Life, broken: Broken) -> Told {
        if !life.spoke {
            return Told::Unseen;
        }
        let mut heard: Vec<&Heard> = life.heard_until(broken.at).collect();
        // A signal that it obeys tells more than one that it ignores.
        heard.sort_by_key(|heard| (heard.ignored, heard.at));
        match heard.first() {
            None if facts.had_failed(Source::Control, broken.at) => Told::Unseen,
            None => self.told_too_late(facts, life, broken),
            Some(heard) => {
                let by = self.sender(facts, life, **heard);
                let signal = heard.signal;
                if heard.ignored {
                    Told::Ignored { signal, by }
                } else {
                    Told::Slow { signal, by }
                }
            }
        }
    }

    /// What was done, after a process was overdue, to one that nobody had signalled until then.
    fn told_too_late(&self, facts: &Facts, life: &Life, broken: Broken) -> Told {
        let end = facts.runs_own_end(life);
        let late = life
            .heard()
            .find(|heard| heard.at > broken.at && heard.at < end);
        if let Some(heard) = late {
            let by = self.sender(facts, life, *heard);
            return Told::TooLate {
                signal: heard.signal,
                by,
            };
        }
        let died = life.died().filter(|died| *died > broken.at && *died < end);
        let killed = died.is_some_and(|died| {
            life.goodbye.is_none()
                && !life.dies
                && life.code.is_none()
                && !facts.had_failed(Source::Control, died)
        });
        if killed {
            Told::KilledTooLate
        } else {
            Told::Never
        }
    }

    /// What became of its stdin. What a claude starts, and a short question, is not ended by closing that, so nothing is said of it.
    fn stdin(&self, facts: &Facts, life: &Life, broken: Broken) -> Stdin {
        if matches!(self.role_of(life), Role::Grandchild | Role::Probe) {
            return Stdin::Unknown;
        }
        if life.eof.is_some_and(|eof| eof <= broken.at) {
            return Stdin::EndedAndSeen;
        }
        // The files of a worker that goes close by themselves.
        let closed_too_late = life.eof.is_some_and(|eof| {
            eof < facts.runs_own_end(life)
                && !facts
                    .workers
                    .owner_was_leaving(life.first, eof, facts.hold())
        });
        if closed_too_late {
            return Stdin::ClosedTooLate;
        }
        let Some(held) = &life.held else {
            return Stdin::Unknown;
        };
        let holders = &held.holders;
        let by_worker = holders.iter().any(|holder| facts.workers.includes(*holder));
        if by_worker && broken.fate == Fate::Residue {
            // A worker that has exited holds nothing any more.
            let nobody_else = held.known && holders.len() == 1;
            if nobody_else {
                Stdin::EndedUnseen
            } else {
                Stdin::Unknown
            }
        } else if by_worker {
            Stdin::HeldByWorker
        } else if holders
            .iter()
            .any(|holder| self.lives.contains_key(holder) && *holder != life.id)
        {
            Stdin::HeldBySibling
        } else if !holders.is_empty() {
            Stdin::HeldByStranger
        } else if !held.known {
            if life.spoke {
                Stdin::OpenByUnknown
            } else {
                Stdin::Unknown
            }
        } else {
            Stdin::EndedUnseen
        }
    }

    fn lineage(&self, facts: &Facts, life: &Life, broken: Broken) -> Lineage {
        let role = self.role_of(life);
        let started = matches!(role, Role::Payload | Role::Grandchild) && life.starter.is_some();
        let left_by_its_worker = facts
            .workers
            .successor(life.first)
            .is_some_and(|successor| successor.started <= broken.at);
        let relation = if started && self.starter_was_gone(life, broken.at) {
            match role {
                Role::Payload => Relation::WrapperEnded,
                _ => Relation::StarterEnded,
            }
        } else if left_by_its_worker {
            Relation::WorkerGone
        } else if self.was_started_by_a_second(facts, life) {
            Relation::SecondWorker
        } else if role == Role::Primary && self.was_replaced(facts, life, broken) {
            Relation::Replaced
        } else if role == Role::Primary && self.came_after_the_end(facts, life) {
            Relation::AfterTheEnd
        } else if started {
            Relation::StarterLives
        } else {
            Relation::Plain
        };
        Lineage {
            relation,
            apart: self.apart(life, role),
        }
    }

    /// Whether a worker that was started beside the one that serves has started it.
    fn was_started_by_a_second(&self, facts: &Facts, life: &Life) -> bool {
        life.parents()
            .next()
            .is_some_and(|ppid| facts.workers.is_pid_of_second(ppid, life.first))
    }

    /// Whether it was started only when somebody had said that its session is over. The last answer of an abandoned session says that
    /// to nobody.
    fn came_after_the_end(&self, facts: &Facts, life: &Life) -> bool {
        let Some(session) = self.session_of(life).map(|key| facts.sessions.get(key)) else {
            return false;
        };
        // The first claude of a short session may be seen only after its end, though it was started before.
        session.ended.is_some_and(|ended| {
            matches!(ended.end, End::Complete | End::Abort)
                && life.first > ended.at
                && session.started_before_its_end()
        })
    }

    /// Whether a later primary of its session was started before it was overdue.
    fn was_replaced(&self, facts: &Facts, life: &Life, broken: Broken) -> bool {
        self.session_of(life).is_some_and(|key| {
            facts
                .sessions
                .get(key)
                .started_between(life.first, broken.at)
        })
    }

    /// Whether a grandchild set itself apart. The process in between of a double fork makes a session, so that the daemon is in one
    /// that is neither its own nor its starter's.
    fn apart(&self, life: &Life, role: Role) -> Apart {
        let (Role::Grandchild, Some(sid)) = (role, life.sid) else {
            return Apart::No;
        };
        let (starters, starters_group) =
            match life.starter.and_then(|starter| self.lives.get(&starter)) {
                Some(starter) => (starter.sid, starter.pgid),
                None => life
                    .starter_end
                    .map_or((None, None), |end| (end.sid, end.pgid)),
            };
        if sid == life.id.pid {
            Apart::OwnSession
        } else if starters.is_some_and(|starters| starters != sid) {
            Apart::DoubleFork
        } else if life.pgid == Some(life.id.pid)
            && starters_group.is_some_and(|group| group != life.id.pid)
        {
            Apart::OwnGroup
        } else {
            Apart::No
        }
    }

    fn starter_was_gone(&self, life: &Life, at: RunTime) -> bool {
        self.starter_end(life)
            .is_some_and(|end| end.died.is_some_and(|died| died <= at))
    }

    /// Who sent a signal, as far as a pid tells at that moment.
    pub fn sender(&self, facts: &Facts, life: &Life, heard: Heard) -> Sender {
        let harness = life
            .harness_signal
            .is_some_and(|signal| signal <= heard.at + facts.hold());
        let starter = life.starter.map(|starter| starter.pid);
        if heard.sender == 0 {
            if harness {
                Sender::Harness
            } else {
                Sender::Outside
            }
        } else if facts.workers.had_pid(heard.sender, heard.at)
            || facts
                .workers
                .last()
                .is_some_and(|worker| worker.process.pid == heard.sender)
        {
            Sender::Worker
        } else if starter == Some(heard.sender) {
            Sender::Starter
        } else if let Some(kin) = heard.kin {
            match kin {
                Kin::Descendant => Sender::Descendant,
                Kin::OtherSession => Sender::OtherSession,
                Kin::Sibling => Sender::Sibling,
            }
        } else if self.alive_with_pid(facts, heard.sender, heard.at).is_some() {
            Sender::Sibling
        } else if harness {
            Sender::Harness
        } else {
            Sender::Stranger
        }
    }
}

/// A role's name, as reports print it.
pub(super) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Primary => "primary",
        Role::Payload => "payload",
        Role::Grandchild => "grandchild",
        Role::Helper => "helper",
        Role::Probe => "probe",
    }
}

/// The name of a kind of work, as reports write it.
pub(super) const fn kind_name(kind: TurnKind) -> &'static str {
    match kind {
        TurnKind::Prompt => "prompt",
        TurnKind::Observation => "observation",
        TurnKind::Summary => "summary",
    }
}

#[cfg(test)]
mod tests;
