//! What is sure in the middle of a run. The judge decides about a process once the facts that bear on it must have arrived, and takes no
//! decision back; so whoever has seen the first half of a run knows these findings of the whole.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::books::{Bins, Fate};
use super::census::Census;
use super::facts::Facts;
use super::finding::rule_name;
use super::life::Life;
use super::series::Over;
use super::verdict::fails;
use super::work::Items;
use super::{Judge, rules};
use crate::process::ProcessIdentity;
use crate::scenario::{Bin, Counts};
use crate::units::RunTime;

/// What is sure so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoFar {
    /// Processes by bin, of every role: those that are gone, and those that live and are past their time. The others are in none yet.
    pub processes: Bins,
    /// What was found, by rule. What needs the end of the run, such as the loss of work, is not in it.
    pub findings: Counts,
    /// Of the processes, those that live and are past their time.
    pub over: Over,
    /// Of these, the newest ones: at most [`NEWEST`], those that became due last first.
    #[serde(default)]
    pub newest: Vec<Leftover>,
    /// The first finding that fails the run whatever comes later.
    pub failed: Option<String>,
}

/// How many processes that are past their time are told of one by one.
pub const NEWEST: usize = 12;

/// A process that is past its time and still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// Who it is.
    pub process: ProcessIdentity,
    /// Its pid as the user's `ps` shows it, where that is known.
    pub host_pid: Option<u32>,
    /// Its bin so far.
    pub bin: Bin,
    /// The session that it served, where that is known. Not to be trusted.
    pub session: Option<String>,
    /// When it should have been gone, in milliseconds since the run's start.
    pub due_ms: u64,
    /// Its last known RSS in bytes.
    pub rss_bytes: u64,
    /// Why it is still there, as far as that is known by now.
    pub cause: String,
}

impl Judge {
    /// What is sure so far.
    pub fn so_far(&self) -> SoFar {
        let mut so_far = SoFar {
            processes: self.census.roles.all(),
            findings: self.census.findings.counts(),
            ..SoFar::default()
        };
        for fate in self.census.broken(&self.facts, &self.items) {
            so_far.processes.put(fate);
            let over = match fate {
                Fate::Retained => &mut so_far.over.retained,
                Fate::Reparented => &mut so_far.over.reparented,
                Fate::Zombie => &mut so_far.over.zombie,
                Fate::Residue => &mut so_far.over.residue,
                Fate::Readopted => &mut so_far.over.readopted,
                _ => continue,
            };
            *over += 1;
            if let Some(rule) = fate.finding() {
                *so_far.findings.entry(rule).or_default() += 1;
            }
        }
        let deaths = rules::worker_died(&self.deaths);
        if !deaths.is_empty() {
            so_far.findings.insert(Bin::WorkerDied, deaths.len() as u32);
        }
        so_far.newest = self.census.newest(&self.facts, &self.items);
        so_far.failed = self.failed_so_far(&deaths);
        so_far
    }

    /// The first finding that fails the run whatever comes later.
    fn failed_so_far(&self, deaths: &[super::finding::Found]) -> Option<String> {
        let known = &self.facts.expectations.known;
        let settled = self.census.findings.failing(known);
        let died = deaths
            .iter()
            .map(|death| format!("{}: {}", rule_name(death.rule), death.shape))
            .find(|signature| !known.contains(signature));
        settled
            .map(str::to_owned)
            .or(died)
            .or_else(|| self.census.failing(&self.facts, &self.items, known))
    }
}

impl Census {
    /// The bins of those that live, or whose end is not settled yet, and that broke an obligation.
    fn broken(&self, facts: &Facts, items: &Items) -> impl Iterator<Item = Fate> {
        let broken = self.lives.values().filter(|life| life.broken.is_some());
        broken.map(|life| {
            let (role, session) = (self.role_of(life), self.session_of(life));
            self.decide(facts, items, life, role, session).fate
        })
    }

    /// Those of them that are still there and became due last.
    fn newest(&self, facts: &Facts, items: &Items) -> Vec<Leftover> {
        let there = self.lives.values().filter(|life| life.gone.is_none());
        let mut due: Vec<(RunTime, &Life)> = there
            .filter_map(|life| Some((life.broken.as_ref()?.due, life)))
            .collect();
        due.sort_by_key(|(due, life)| (Reverse(*due), life.id));
        due.truncate(NEWEST);
        due.into_iter()
            .filter_map(|(due, life)| {
                let (role, session) = (self.role_of(life), self.session_of(life));
                let decided = self.decide(facts, items, life, role, session);
                let found = self.report(facts, life, role, session, &decided)?;
                Some(Leftover {
                    process: life.id,
                    host_pid: life.host_pid,
                    bin: found.rule,
                    session: found.session,
                    due_ms: due.as_millis(),
                    rss_bytes: life.rss_bytes,
                    cause: found.cause,
                })
            })
            .collect()
    }

    /// The first finding about one of them that fails the run. Its cause may become clearer until it is settled, so a baseline knows it
    /// by what stands before the cause.
    fn failing(&self, facts: &Facts, items: &Items, known: &BTreeSet<String>) -> Option<String> {
        let broken = self.lives.values().filter(|life| life.broken.is_some());
        broken
            .filter_map(|life| {
                let (role, session) = (self.role_of(life), self.session_of(life));
                let decided = self.decide(facts, items, life, role, session);
                let found = self.report(facts, life, role, session, &decided)?;
                let signature = format!("{}: {}", rule_name(found.rule), found.shape);
                let before_the_cause = signature.strip_suffix(&found.cause)?;
                let is_known = known
                    .iter()
                    .any(|known| known.starts_with(before_the_cause));
                (found.blames && fails(found.rule) && !is_known).then_some(signature)
            })
            .next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Expectations;
    use crate::judge::check::in_a_second;
    use crate::scenario::{Survivor, Verdict};
    use crate::timeline::notation::events;
    use fake_claude::control::Role;

    const SESSION: &str = "
        0s run lasts=60s; 0s worker 5; 1s open s1; 0.1s..8s tick
        1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1; 2s end s1 complete";

    fn so_far_with(history: &str, change: impl FnOnce(&mut Expectations), until: f64) -> SoFar {
        let mut expectations = in_a_second();
        change(&mut expectations);
        let mut judge = Judge::new(&expectations);
        for event in events(history) {
            if event.at.as_millis() as f64 <= until * 1_000.0 {
                judge.see(&event);
            }
        }
        judge.so_far()
    }

    fn so_far(history: &str, until: f64) -> SoFar {
        so_far_with(history, |_| {}, until)
    }

    #[test]
    fn a_leak_is_sure_once_late_statements_must_have_arrived() {
        // Due at 3 s; a statement may be half a second late.
        assert_eq!(so_far(SESSION, 3.3).failed, None);
        let late = so_far(SESSION, 8.0);
        assert_eq!((late.over.retained, late.processes.retained), (1, 1));
        assert_eq!(late.findings[&Bin::Retained], 1);
        let [leftover] = &late.newest[..] else {
            panic!("{late:?}")
        };
        assert_eq!((leftover.process.pid, leftover.due_ms), (10, 3_000));
        assert_eq!(leftover.session.as_deref(), Some("s1"));
        assert!(late.failed.unwrap().starts_with("retained: primary"));
    }

    #[test]
    fn a_leak_that_goes_later_stays_a_leak_and_is_over_no_more() {
        let gone = so_far(
            &format!("{SESSION}; 5s bye 10 eof; 5s exited 10; 5.1s gone 10; 5.2s lost 10"),
            8.0,
        );
        assert_eq!((gone.over.retained, gone.processes.retained), (0, 1));
        assert_eq!(gone.newest, []);
        assert!(gone.failed.is_some());
    }

    #[test]
    fn what_is_not_against_the_worker_is_no_failure() {
        let clean = format!("{SESSION}; 2.5s bye 10 eof; 2.5s exited 10; 2.6s gone 10");
        assert_eq!(so_far(&clean, 8.0).failed, None);
        // Work that is under way may be answered yet.
        let works = "0s run lasts=60s; 0s worker 5; 1s open s1; 0.1s..8s tick; 1s seen 10 parent 5; 1s hello 10 primary
            1.1s serves 10 s1; 1.2s offer a s1 observation; 1.2s accept a";
        assert_eq!(so_far(works, 8.0).failed, None);
        let declared = |expectations: &mut Expectations| {
            expectations.survivors.push(Survivor {
                role: Some(Role::Primary),
                command: None,
                reason: "meant to live".to_owned(),
            });
        };
        assert_eq!(so_far_with(SESSION, declared, 8.0).failed, None);
    }

    #[test]
    fn what_a_baseline_knows_is_no_failure_whatever_its_cause_will_be() {
        let known = |expectations: &mut Expectations| {
            let signature =
                "retained: primary `claude` after complete: stdin still held open by the worker";
            expectations.known.insert(signature.to_owned());
        };
        let so_far = so_far_with(SESSION, known, 8.0);
        assert_eq!((so_far.over.retained, so_far.failed), (1, None));
    }

    #[test]
    fn a_checkpoint_blames_nobody_for_what_is_under_way() {
        let clean = format!(
            "{SESSION}; 1.2s offer a s1 observation; 1.25s accept a; 1.3s work 10 observation a; 1.5s done 10 1 observation a
            2.9s bye 10 eof; 2.9s@3.4s exited 10; 3s@3.6s gone 10; 3.7s lost 10; 5s load; 5.1s drained quiet; 6s grace
            7s stop; 7.1s worker-exit 5; 7.5s residue; 8s over"
        );
        let all = events(&clean);
        assert!(all.len() > 80);
        for seen in 0..all.len() {
            let mut judge = Judge::new(&in_a_second());
            all[..seen].iter().for_each(|event| judge.see(event));
            let judgement = judge.so_far_judged();
            let reasons = judgement.reasons;
            assert_eq!(
                judgement.verdict,
                Verdict::Inconclusive,
                "{seen}: {reasons:?}"
            );
            assert_eq!(judgement.unbalanced, None, "{seen}");
        }
        let mut judge = Judge::new(&in_a_second());
        all.iter().for_each(|event| judge.see(event));
        assert_eq!(judge.finish().verdict, Verdict::Pass);
    }

    #[test]
    fn a_worker_that_dies_unasked_is_sure() {
        let died = so_far(
            "0s run lasts=60s; 0s worker 5; 3s worker-exit 5 unasked",
            8.0,
        );
        assert!(died.failed.unwrap().starts_with("worker_died"));
    }
}
