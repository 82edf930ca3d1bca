//! What is reported of a process in a bin that is a finding: its shape, its cause, what was expected and what was seen.

use fake_claude::control::Role;
use fake_claude::quantity::Span;

use super::books::Fate;
use super::cause::{Cause, Lineage, Sender, Stdin, Told};
use super::census::{Census, serves};
use super::command::program;
use super::ending::{Decided, Ending};
use super::facts::Facts;
use super::finding::{Found, ProcessLine};
use super::life::{Broken, Heard, Life};
use super::sessions::SessionKey;
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
        let cause_text = match decided.ending {
            Ending::Unsure(why) => why.to_string(),
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
            shape: format!(
                "{} `{}` {after}: {}",
                role_name(role),
                program(&life.command),
                signature_of(&cause, decided)
            ),
            cause: cause_text,
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
            let until = until.unwrap_or(broken.at).max(broken.at);
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
                working,
            } => Cause::Killed {
                signal,
                by,
                working,
            },
            Ending::StdinClosed => Cause::StdinClosed,
            Ending::ByItself { planned, why } => Cause::EndedItself { planned, why },
            Ending::Fine | Ending::Unsure(_) => Cause::Unknown,
        }
    }

    /// How a process had been told to go when it was found. Signals after that, such as those of the worker's own stop, do not count.
    fn told(&self, facts: &Facts, life: &Life, broken: Broken) -> Told {
        if !life.spoke {
            return Told::Unseen;
        }
        let mut heard: Vec<&Heard> = life.heard_until(broken.at).collect();
        // A signal that it obeys tells more than one that it ignores.
        heard.sort_by_key(|heard| (heard.ignored, heard.at));
        match heard.first() {
            None if facts.had_failed(crate::timeline::event::Source::Control, broken.at) => {
                Told::Unseen
            }
            None => Told::Never,
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

    fn stdin(&self, facts: &Facts, life: &Life, broken: Broken) -> Stdin {
        if life.eof.is_some_and(|eof| eof <= broken.at) {
            return Stdin::EndedAndSeen;
        }
        let Some(held) = &life.held else {
            return Stdin::Unknown;
        };
        let holders = &held.holders;
        if holders.iter().any(|holder| facts.workers.includes(*holder)) {
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
        let descendant = matches!(role, Role::Payload | Role::Grandchild);
        let restarted = facts
            .workers
            .successor(life.first)
            .is_some_and(|successor| successor.started <= broken.at);
        let own_session = life.sid == Some(life.id.pid) && role == Role::Grandchild;
        if descendant && life.starter.is_some() && self.starter_was_gone(life, broken.at) {
            match role {
                Role::Payload => Lineage::WrapperEnded,
                _ if own_session => Lineage::OwnSession,
                _ => Lineage::StarterEnded,
            }
        } else if restarted && broken.fate != Fate::Residue {
            Lineage::WorkerRestarted
        } else if own_session {
            Lineage::OwnSession
        } else if descendant && life.starter.is_some() {
            Lineage::StarterLives
        } else {
            Lineage::Plain
        }
    }

    fn starter_was_gone(&self, life: &Life, at: RunTime) -> bool {
        life.starter.is_some_and(|starter| {
            self.lives
                .get(&starter)
                .is_none_or(|starter| starter.died().is_some_and(|died| died <= at))
        })
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
        } else if self.alive_with_pid(facts, heard.sender, heard.at).is_some() {
            Sender::Sibling
        } else if harness {
            Sender::Harness
        } else {
            Sender::Stranger
        }
    }
}

/// The part of a signature that says why.
fn signature_of(cause: &Cause, decided: &Decided) -> String {
    match decided.ending {
        Ending::Unsure(why) => format!("{why:?}"),
        _ => cause.to_string(),
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
