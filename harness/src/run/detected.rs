//! When a finding could first be named: the judge's own time to detection, from the recording.

use std::collections::BTreeMap;
use std::path::Path;

use super::judged::JudgedError;
use crate::judge::finding::Finding;
use crate::judge::{Expectations, Judge};
use crate::process::ProcessIdentity;
use crate::recording::Recording;
use crate::scenario::{Bin, Scenario};
use crate::timeline::event::{Event, EventKind};
use crate::units::RunTime;

/// At how many moments of a recording the judge is asked. The answer is as exact as a run's length divided by this, or as a tick
/// where that is longer.
const LOOKS: usize = 128;

/// When something went wrong, and when that could be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detected {
    /// When it began, as [`detected`] says.
    pub since: RunTime,
    /// The first moment at which the judge, who knew the recording up to there and no further, named it.
    pub named: RunTime,
}

/// When a finding of a recording could first be named: the moment at which a judge who has seen the events up to then finds the same
/// rule, subject and cause. Looks for it by halves, so a finding that comes and goes gives one of the moments at which it came.
///
/// It counts from the moment at which things went wrong: the end of the first session that it concerns for processes that outlive
/// theirs, the end of the worker for what outlives that, the end of the process for one that ended too early, the offer for work, the
/// opening of the session or the worker's readiness for the rest.
///
/// # Errors
///
/// When the recording cannot be read.
pub fn detected(folder: &Path, finding: &Finding) -> Result<Option<Detected>, JudgedError> {
    let recording = Recording::open(folder)?;
    let file = &recording.manifest.scenario_file;
    let expectations = Expectations::of(&Scenario::parse(file, &recording.scenario)?);
    let length = recording.events()?.map(|event| event.at).max();
    let step = length.unwrap_or_default().0 / LOOKS as u64;
    let mut judge = Judge::new(&expectations);
    let mut landmarks = Landmarks::default();
    let mut looks: Vec<(RunTime, Judge)> = Vec::new();
    let mut now = RunTime::START;
    let mut next = 0;
    for event in recording.events()? {
        if matches!(event.event, EventKind::Sampled { .. }) && event.at.0 >= next {
            now = now.max(event.at);
            looks.push((now, judge.clone()));
            next = now.0 + step;
        }
        now = now.max(event.at);
        landmarks.see(&event);
        judge.see(&event);
    }
    looks.push((now, judge));
    let first = looks.partition_point(|(_, judge)| !names(judge, finding));
    Ok(looks.get(first).map(|(named, _)| Detected {
        since: landmarks.since(finding).min(*named),
        named: *named,
    }))
}

/// Whether a judge would name the finding if the recording ended here.
fn names(judge: &Judge, finding: &Finding) -> bool {
    let same = |other: &Finding| {
        other.blames
            && other.rule == finding.rule
            && other.subject == finding.subject
            && other.cause == finding.cause
    };
    judge.clone().finish().findings.iter().any(same)
}

/// The moments from which a detection can be counted.
#[derive(Debug, Default)]
struct Landmarks {
    ready: RunTime,
    opened: BTreeMap<String, RunTime>,
    ended: BTreeMap<String, RunTime>,
    deaths: BTreeMap<ProcessIdentity, RunTime>,
    load_finished: Option<RunTime>,
    worker_exited: Option<RunTime>,
    moments: Vec<(u64, RunTime)>,
}

impl Landmarks {
    fn see(&mut self, event: &Event) {
        let at = event.at;
        self.moments.push((event.seq, at));
        match &event.event {
            EventKind::WorkerReady { .. } if self.ready == RunTime::START => self.ready = at,
            EventKind::WorkerExited { .. } => self.worker_exited = Some(at),
            EventKind::SessionOpened { session } => {
                self.opened.entry(session.clone()).or_insert(at);
            }
            EventKind::SessionEnded { session, .. } => {
                self.ended.entry(session.clone()).or_insert(at);
            }
            EventKind::LoadFinished => self.load_finished = Some(at),
            EventKind::ProcessExited { process, .. }
            | EventKind::ProcessGone { process }
            | EventKind::LifelineLost { process } => {
                self.deaths.entry(*process).or_insert(at);
            }
            _ => {}
        }
    }

    /// The moment from which the detection of a finding counts.
    fn since(&self, finding: &Finding) -> RunTime {
        let of_sessions = |moments: &BTreeMap<String, RunTime>| {
            let named = finding.sessions.iter();
            named
                .filter_map(|session| moments.get(session))
                .min()
                .copied()
        };
        let opened = || of_sessions(&self.opened);
        let began = match finding.rule {
            Bin::Retained | Bin::Reparented | Bin::Zombie | Bin::Readopted => {
                of_sessions(&self.ended).or(self.load_finished)
            }
            Bin::Residue | Bin::WorkerDied => self.worker_exited,
            Bin::KilledEarly | Bin::Crashed => {
                let ends = finding.processes.iter().filter_map(|line| {
                    self.deaths.get(&ProcessIdentity {
                        pid: line.pid,
                        start_time: line.start_time,
                    })
                });
                ends.min().copied()
            }
            Bin::Lost | Bin::Duplicated | Bin::Refused | Bin::Unknown => {
                let proof = finding.evidence.events.iter();
                proof.filter_map(|seq| self.moment(*seq)).min()
            }
            _ => opened(),
        };
        began.or_else(opened).unwrap_or(self.ready)
    }

    fn moment(&self, seq: u64) -> Option<RunTime> {
        // Events are numbered in the order in which they stand.
        let found = self
            .moments
            .binary_search_by_key(&seq, |(number, _)| *number);
        found.ok().map(|place| self.moments[place].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::finding::Evidence;
    use crate::timeline::notation::events;

    fn finding(rule: Bin, sessions: &[&str], seqs: &[u64]) -> Finding {
        Finding {
            rule,
            signature: String::new(),
            subject: String::new(),
            count: 1,
            known: false,
            blames: true,
            sessions: sessions.iter().map(|name| (*name).to_owned()).collect(),
            processes: Vec::new(),
            cause: String::new(),
            evidence: Evidence {
                events: seqs.to_vec(),
                ..Evidence::default()
            },
        }
    }

    #[test]
    fn detection_counts_from_what_went_wrong() {
        let mut landmarks = Landmarks::default();
        for event in events(
            "0s run planned=2; 0s worker 5; 1s open s1; 2s open s2; 3s end s2 complete; 4s end s1 complete; 5s load; 6s worker-exit 5",
        ) {
            landmarks.see(&event);
        }
        let offered = landmarks.moments[3].0;
        for (finding, seconds) in [
            (finding(Bin::Retained, &["s1", "s2"], &[]), 3),
            (finding(Bin::Zombie, &["s1"], &[]), 4),
            (finding(Bin::Retained, &[], &[]), 5),
            (finding(Bin::Residue, &["s1"], &[]), 6),
            (finding(Bin::Lost, &["s1"], &[offered]), 2),
            (finding(Bin::Stalled, &["s2"], &[]), 2),
            (finding(Bin::Growth, &[], &[]), 0),
        ] {
            let since = landmarks.since(&finding);
            assert_eq!(
                since,
                RunTime::from_millis(seconds * 1_000),
                "{:?}",
                finding.rule
            );
        }
    }
}
