//! One session of a finding, moment by moment: what whoever reads a report wants to see of at least one case.
//!
//! A judge keeps no such thing. When it has said which sessions are concerned, the recording is read once more for a few of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fake_claude::control::{Role, Say, TurnKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Report;
use crate::judge::cause::SignalName;
use crate::process::ProcessIdentity;
use crate::scenario::{Bin, FaultKind};
use crate::timeline::event::{Event, EventKind};
use crate::units::{self, RunTime};

/// How many sessions are told.
const STORIES: usize = 3;
/// How many moments are kept from the beginning of each.
const FIRST: usize = 40;
/// How many are kept from its end, where there are more.
const LAST: usize = 20;

/// One session, moment by moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Story {
    /// Its id. Not to be trusted.
    pub session: String,
    /// The signature of the finding that it is an example of.
    pub signature: String,
    /// What happened to it, in the order of the moments.
    pub moments: Vec<Moment>,
    /// How many moments were left out between the first and the last ones.
    pub omitted: u32,
}

/// A moment of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    /// When, in milliseconds since the session opened.
    pub after_ms: u64,
    /// What happened, in a few words. Not to be trusted: it may name what a process said.
    pub what: String,
}

/// Reads the stories of a report's findings from its recording.
#[derive(Debug)]
pub struct Stories {
    tellers: Vec<Teller>,
}

impl Stories {
    /// Begins with the sessions that a report's findings name: one for each finding, unless one that was chosen before is another
    /// example of it.
    pub fn of(report: &Report) -> Self {
        let mut tellers: Vec<Teller> = Vec::new();
        let stop = report.made.stop.as_deref().unwrap_or_default();
        let new = |lost| {
            report.findings.iter().filter(move |finding| {
                finding.blames && !finding.known && (finding.rule == Bin::Lost) == lost
            })
        };
        // Of work that is lost first: its session tells what became of the claude too.
        for finding in new(true).chain(new(false)) {
            let told = tellers
                .iter()
                .any(|teller| finding.sessions.contains(&teller.session));
            if let Some(session) = finding.sessions.first()
                && !told
                && tellers.len() < STORIES
            {
                let signature = finding.signature.clone();
                tellers.push(Teller::new(session.clone(), signature, stop));
            }
        }
        Self { tellers }
    }

    /// Whether there is nothing to tell, so that the recording need not be read again.
    pub const fn are_none(&self) -> bool {
        self.tellers.is_empty()
    }

    /// Takes in an event.
    pub fn see(&mut self, event: &Event) {
        for teller in &mut self.tellers {
            teller.see(event);
        }
    }

    /// The stories.
    pub fn finish(self) -> Vec<Story> {
        self.tellers
            .into_iter()
            .filter_map(Teller::finish)
            .collect()
    }
}

/// Tells one story.
#[derive(Debug)]
struct Teller {
    session: String,
    signature: String,
    opened: Option<RunTime>,
    /// The session's items by marker, as they are called, and when each was sent.
    items: BTreeMap<String, (String, RunTime)>,
    /// How many items there were of each kind.
    counts: [u32; 3],
    stored: BTreeSet<String>,
    /// Processes that said hello and not yet whom they serve.
    unbound: BTreeMap<ProcessIdentity, (RunTime, u32)>,
    /// Processes of the session, and what they are called.
    bound: BTreeMap<ProcessIdentity, String>,
    first: Vec<(RunTime, String)>,
    last: VecDeque<(RunTime, String)>,
    omitted: u32,
    /// When the worker was asked to stop, until it is known by what.
    stop_asked: Option<RunTime>,
    /// What asks it at the end of the run; empty where nobody knows.
    stop: String,
}

impl Teller {
    fn new(session: String, signature: String, stop: &str) -> Self {
        Self {
            session,
            signature,
            opened: None,
            items: BTreeMap::new(),
            counts: [0; 3],
            stored: BTreeSet::new(),
            unbound: BTreeMap::new(),
            bound: BTreeMap::new(),
            first: Vec::new(),
            last: VecDeque::new(),
            omitted: 0,
            stop_asked: None,
            stop: stop.to_owned(),
        }
    }

    fn tell(&mut self, at: RunTime, what: String) {
        if self.first.len() < FIRST {
            self.first.push((at, what));
            return;
        }
        if self.last.len() == LAST {
            self.last.pop_front();
            self.omitted += 1;
        }
        self.last.push_back((at, what));
    }

    fn see(&mut self, event: &Event) {
        let at = event.at;
        if let EventKind::SessionOpened { session } = &event.event
            && *session == self.session
        {
            self.opened = Some(at);
            self.tell(at, "the session opens".to_owned());
        }
        if self.opened.is_none() {
            return;
        }
        match &event.event {
            EventKind::Said { process, say } => self.hear(at, *process, say),
            EventKind::ProcessExited {
                process,
                code,
                signal,
            } => {
                self.unbound.remove(process);
                if let Some(name) = self.bound.remove(process) {
                    let how = match (code, signal) {
                        (_, Some(signal)) => format!("is killed by {}", SignalName(*signal)),
                        (Some(code), None) => format!("exits with code {code}"),
                        (None, None) => "ends".to_owned(),
                    };
                    self.tell(at, format!("{name} {how}"));
                }
            }
            EventKind::GracePassed => {
                let living: Vec<&str> = self.bound.values().map(String::as_str).collect();
                let what = if living.is_empty() {
                    "the grace of all sessions is over: nothing of this one lives".to_owned()
                } else {
                    format!(
                        "the grace of all sessions is over: {} still there",
                        are(&living)
                    )
                };
                self.tell(at, what);
            }
            EventKind::ResiduePassed if !self.bound.is_empty() => {
                let living: Vec<&str> = self.bound.values().map(String::as_str).collect();
                self.tell(
                    at,
                    format!(
                        "the worker's children should be gone: {} still there",
                        are(&living)
                    ),
                );
            }
            other => self.see_others(at, other),
        }
    }

    /// What the driver and the run say.
    fn see_others(&mut self, at: RunTime, event: &EventKind) {
        match event {
            EventKind::WorkOffered {
                session,
                item,
                kind,
            } if *session == self.session => {
                let (place, name) = match kind {
                    TurnKind::Prompt => (0, "prompt"),
                    TurnKind::Observation => (1, "observation"),
                    TurnKind::Summary => (2, "summary"),
                };
                self.counts[place] += 1;
                let name = format!("{name} {}", self.counts[place]);
                self.items.insert(item.clone(), (name, at));
            }
            EventKind::WorkAccepted { item } => self.answered(at, item, "accepted".to_owned()),
            EventKind::WorkRefused { item, status, .. } => {
                self.answered(at, item, format!("refused with status {status}"));
            }
            EventKind::WorkSkipped { item, .. } => self.answered(at, item, "skipped".to_owned()),
            EventKind::WorkUnknown { item, .. } => {
                self.answered(at, item, "never answered for".to_owned());
            }
            EventKind::WorkStored { item, .. } => {
                self.stored.insert(item.clone());
            }
            EventKind::StoreRead { complete: true, .. } => self.read_back(at),
            EventKind::SessionEnded { session, end } if *session == self.session => {
                self.tell(at, format!("the session ends: {end}"));
            }
            EventKind::EndAnswered {
                session,
                status,
                after,
            } if *session == self.session => {
                let status = status.map_or_else(
                    || "gets no answer".to_owned(),
                    |status| format!("is answered with status {status}"),
                );
                self.tell(
                    at,
                    format!("its end request {status} after {}", units::span(*after)),
                );
            }
            EventKind::SessionStalled {
                session,
                waiting_for,
            } if *session == self.session => {
                self.tell(
                    at,
                    format!("the session cannot go on: it waits for {waiting_for}"),
                );
            }
            EventKind::FaultCame { what, failed, .. } => self.fault(at, *what, failed.is_some()),
            EventKind::WorkerStopAsked => {
                self.stopping();
                self.stop_asked = Some(at);
            }
            // The first one starts before any session opens.
            EventKind::WorkerStarted { .. } => {
                self.tell(at, "the worker is started again".to_owned());
            }
            EventKind::WorkerExited { .. } => self.tell(at, "the worker is gone".to_owned()),
            EventKind::WorkerReady { .. } => self.tell(at, "the worker is ready again".to_owned()),
            EventKind::HarnessSignalled { process, signal } => {
                if let Some(name) = self.bound.get(process) {
                    let what = format!("the harness sends {} to {name}", SignalName(*signal));
                    self.tell(at, what);
                }
            }
            // Of other sessions, or told elsewhere, or no part of a session's story.
            EventKind::WorkOffered { .. }
            | EventKind::SessionEnded { .. }
            | EventKind::EndAnswered { .. }
            | EventKind::SessionStalled { .. }
            | EventKind::StoreRead { .. }
            | EventKind::RunStarted(_)
            | EventKind::SessionOpened { .. }
            | EventKind::PromptEnded { .. }
            | EventKind::PromptBegun { .. }
            | EventKind::WorkAborted { .. }
            | EventKind::WorkKept { .. }
            | EventKind::LoadFinished
            | EventKind::LoadStopped { .. }
            | EventKind::Drained { .. }
            | EventKind::LookedAgain { .. }
            | EventKind::ProcessSeen { .. }
            | EventKind::Sampled { .. }
            | EventKind::SampleMissed { .. }
            | EventKind::ProcessGone { .. }
            | EventKind::ProcessExited { .. }
            | EventKind::ProcessReaped { .. }
            | EventKind::Said { .. }
            | EventKind::LifelineLost { .. }
            | EventKind::Examined { .. }
            | EventKind::ProcessPaused { .. }
            | EventKind::ProcessContinued { .. }
            | EventKind::SecondWorkerStarted { .. }
            | EventKind::SecondWorkerExited { .. }
            | EventKind::CookieFound { .. }
            | EventKind::WitnessFailed { .. }
            | EventKind::GracePassed
            | EventKind::ResiduePassed
            | EventKind::Interrupted
            | EventKind::RunEnded => {}
        }
    }

    /// A fault came. That the worker's end was wanted is said before it, and by what it was ended only now.
    fn fault(&mut self, at: RunTime, what: FaultKind, failed: bool) {
        let signal = match what {
            FaultKind::Sigterm => "SIGTERM",
            FaultKind::Sigint => "SIGINT",
            FaultKind::Sigkill | FaultKind::Restart => "SIGKILL",
            FaultKind::Sigstop
            | FaultKind::ReusePid
            | FaultKind::SecondWorker
            | FaultKind::FileLimit => {
                if !failed {
                    self.tell(at, format!("a fault of the scenario comes: {what}"));
                }
                return;
            }
        };
        // What a claude is sent is told where it is sent.
        if let Some(asked) = self.stop_asked.take() {
            let what =
                format!("the harness sends {signal} to the worker (a fault of the scenario)");
            self.tell(asked, what);
        }
    }

    /// No fault is behind it that the worker was asked to stop: the run is over.
    fn stopping(&mut self) {
        if let Some(asked) = self.stop_asked.take() {
            let by = match self.stop.as_str() {
                "" => String::new(),
                by => format!(" ({by})"),
            };
            self.tell(
                asked,
                format!("the run is over: the harness asks the worker to stop{by}"),
            );
        }
    }

    fn answered(&mut self, at: RunTime, item: &str, how: String) {
        if let Some((name, sent)) = self.items.get(item) {
            let after = units::span(at.since(*sent));
            let what = format!("{name} is {how}, {after} after it was sent");
            self.tell(at, what);
        }
    }

    /// What the worker has stored was read back.
    fn read_back(&mut self, at: RunTime) {
        let names = |stored: bool| {
            self.items
                .iter()
                .filter(|(marker, _)| self.stored.contains(*marker) == stored)
                .map(|(_, (name, _))| name.as_str())
                .collect::<Vec<_>>()
        };
        let (there, missing) = (names(true), names(false));
        let mut parts = Vec::new();
        if !there.is_empty() {
            parts.push(format!("{} in it", are(&there)));
        }
        if !missing.is_empty() {
            parts.push(format!("{} not in it", are(&missing)));
        }
        if !parts.is_empty() {
            self.tell(
                at,
                format!(
                    "what the worker has stored is read back: {}",
                    parts.join(", ")
                ),
            );
        }
    }

    fn hear(&mut self, at: RunTime, process: ProcessIdentity, say: &Say) {
        if let Say::Hello { role, ppid, .. } = say {
            let child = self.bound.keys().any(|bound| bound.pid == *ppid);
            let called = match role {
                Role::Payload if child => "payload",
                Role::Grandchild if child => "grandchild",
                Role::Primary => {
                    self.unbound.insert(process, (at, *ppid));
                    return;
                }
                _ => return,
            };
            let name = format!("{called} {}", process.pid);
            self.tell(at, format!("{name} starts, a child of {ppid}"));
            self.bound.insert(process, name);
            return;
        }
        if let Say::Serves { session } = say {
            let hello = self.unbound.remove(&process);
            if *session == self.session && !self.bound.contains_key(&process) {
                let name = format!("claude {}", process.pid);
                if let Some((started, ppid)) = hello {
                    self.tell(started, format!("{name} starts, a child of {ppid}"));
                }
                self.bound.insert(process, name);
            }
            return;
        }
        let Some(name) = self.bound.get(&process) else {
            return;
        };
        let named = |markers: &[String]| {
            let names: Vec<&str> = markers
                .iter()
                .filter_map(|marker| self.items.get(marker))
                .map(|(name, _)| name.as_str())
                .collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        let what = match say {
            Say::SawWork { markers, .. } => {
                named(markers).map(|items| format!("{name} reads {items}"))
            }
            Say::TurnStarted { turn, markers, .. } => Some(format!(
                "{name} begins turn {turn}: {}",
                named(markers).unwrap_or_else(|| "the opening prompt".to_owned())
            )),
            Say::TurnEnded {
                turn,
                good,
                markers,
                ..
            } => Some(format!(
                "{name} ends turn {turn}{}: {}",
                if *good { "" } else { " without a good result" },
                named(markers).unwrap_or_else(|| "the opening prompt".to_owned())
            )),
            Say::SawEof { owed } => {
                Some(format!("{name} sees the end of its stdin{}", owing(*owed)))
            }
            Say::SawSignal {
                signal,
                sender,
                ignored,
                owed,
            } => Some(format!(
                "{name} hears {} from {}{}{}",
                SignalName(*signal),
                if *sender == 0 {
                    "outside".to_owned()
                } else {
                    format!("pid {sender}")
                },
                if *ignored { " and ignores it" } else { "" },
                owing(*owed)
            )),
            Say::Did { what, .. } => Some(format!("{name} does what it was told to: {what}")),
            Say::Hello { .. } | Say::Serves { .. } | Say::Goodbye { .. } => None,
        };
        if let Some(what) = what {
            self.tell(at, what);
        }
    }

    fn finish(mut self) -> Option<Story> {
        self.stopping();
        let opened = self.opened?;
        let mut moments: Vec<(RunTime, String)> = self.first.into_iter().chain(self.last).collect();
        // A process tells of a moment a little after it, and a claude's start is known once it serves the session.
        moments.sort_by_key(|(at, _)| *at);
        Some(Story {
            session: self.session,
            signature: self.signature,
            moments: moments
                .into_iter()
                .map(|(at, what)| Moment {
                    after_ms: at.as_millis().saturating_sub(opened.as_millis()),
                    what,
                })
                .collect(),
            omitted: self.omitted,
        })
    }
}

/// `a is`, or `a, b are`.
fn are(names: &[&str]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", names.join(", "))
}

fn owing(owed: u32) -> String {
    match owed {
        0 => String::new(),
        owed => format!(
            ", with {} unanswered",
            units::Count(u64::from(owed), "message")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples::failing;
    use super::*;
    use crate::judge::finding::Finding;
    use crate::timeline::notation::events;

    const RUN: &str = "
        0s run; 0s worker 5; 1s open s1; 1s open s2
        1.1s seen 10 parent 5; 1.1s hello 10 primary parent 5; 1.2s serves 10 s1; 1.2s hello 11 primary parent 5; 1.3s serves 11 s2
        1.3s offer a s1 observation; 1.35s accept a; 1.36s offer b s2 observation; 1.4s work 10 observation a
        1.4s turn 10 1 observation a; 1.7s done 10 1 observation a; 2s end s1 complete
        3s stored a 1; 3s store observation complete; 4s grace; 5s over";

    fn stories(signatures: &[(Bin, &str)], history: &str) -> Vec<Story> {
        let findings = signatures
            .iter()
            .map(|(rule, session)| Finding {
                rule: *rule,
                sessions: vec![(*session).to_owned()],
                ..failing().findings[0].clone()
            })
            .collect();
        let report = Report {
            findings,
            ..failing()
        };
        let mut stories = Stories::of(&report);
        for event in events(history) {
            stories.see(&event);
        }
        stories.finish()
    }

    #[test]
    fn a_session_is_told_from_its_opening_on() {
        let told = stories(&[(Bin::Retained, "s1")], RUN);
        let moments: Vec<String> = told[0]
            .moments
            .iter()
            .map(|moment| format!("{} {}", moment.after_ms, moment.what))
            .collect();
        assert_eq!(
            moments,
            [
                "0 the session opens",
                "100 claude 10 starts, a child of 5",
                "350 observation 1 is accepted, 50 ms after it was sent",
                "400 claude 10 reads observation 1",
                "400 claude 10 begins turn 1: observation 1",
                "700 claude 10 ends turn 1: observation 1",
                "1000 the session ends: complete",
                "2000 what the worker has stored is read back: observation 1 is in it",
                "3000 the grace of all sessions is over: claude 10 is still there",
            ]
        );
    }

    #[test]
    fn each_finding_has_an_example_and_no_session_is_told_twice() {
        let both = [(Bin::Retained, "s1"), (Bin::Lost, "s2"), (Bin::Twin, "s2")];
        let told = stories(&both, RUN);
        let sessions: Vec<&str> = told.iter().map(|story| story.session.as_str()).collect();
        assert_eq!(sessions, ["s2", "s1"]);
    }

    #[test]
    fn who_ends_the_worker_and_by_what_is_told() {
        let history = "
            0s run; 0s worker 5; 1s open s1; 1.2s hello 10 primary; 1.2s serves 10 s1
            2s stop; 2.1s worker-exit 5; 2.5s worker 6; 3s fault restart
            4s stop; 4s fault sigterm; 4.1s worker-exit 6; 5s stop; 6s over";
        let told = stories(&[(Bin::Retained, "s1")], history);
        let moments: Vec<String> = told[0]
            .moments
            .iter()
            .map(|moment| format!("{} {}", moment.after_ms, moment.what))
            .filter(|moment| moment.contains("worker"))
            .collect();
        assert_eq!(
            moments,
            [
                "1000 the harness sends SIGKILL to the worker (a fault of the scenario)",
                "1100 the worker is gone",
                "1500 the worker is started again",
                "3000 the harness sends SIGTERM to the worker (a fault of the scenario)",
                "3100 the worker is gone",
                "4000 the run is over: the harness asks the worker to stop (SIGTERM)",
            ]
        );
    }

    #[test]
    fn a_long_story_keeps_its_beginning_and_its_end() {
        let turns: String = (0..100)
            .map(|turn| format!("; {}ms work 10 observation a", 1_400 + turn))
            .collect();
        let told = stories(
            &[(Bin::Retained, "s1")],
            &format!(
                "0s run; 0s worker 5; 1s open s1; 1.2s hello 10 primary; 1.2s serves 10 s1; 1.3s offer a s1 observation{turns}; 4s grace; 5s over"
            ),
        );
        assert_eq!(told[0].moments.len(), FIRST + LAST);
        assert_eq!(told[0].omitted, 43);
        assert_eq!(told[0].moments[0].what, "the session opens");
        let last = told[0].moments.last().unwrap();
        assert!(
            last.what.ends_with("claude 10 is still there"),
            "{}",
            last.what
        );
    }
}
