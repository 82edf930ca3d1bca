//! The search itself: runs, and what follows from them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use toml::Table;

use super::guilt::{self, Guilt};
use super::lattice::{self, Moment};
use super::results::{Came, ExploreReport, SCHEMA, Schedule, Tried};
use super::shrink::smaller;
use super::{ExploreError, Going, Order, write};
use crate::batch::{BatchError, Job, Outcome, carry_out};
use crate::clock::monotonic_ns;
use crate::recording::Recording;
use crate::report::Report;
use crate::scenario::{Counts, Scenario, Verdict};
use crate::timeline::event::EventKind;

/// How often the scenario is run without a fault before the search.
const WITHOUT: usize = 2;
/// How often a schedule is run again.
const AGAIN: u32 = 3;
/// How many of these runs must find it.
const ENOUGH: u32 = 2;
/// At how many moments a finding is tried to be confirmed before it is given up.
const MOMENTS: usize = 3;
/// From how many stages, the smallest first, the file is chosen that does what it says in two of three runs.
const STAGES: usize = 4;
/// How many smaller scenarios are tried for one schedule at the most.
const SMALLER: usize = 60;

/// Searches. What was found until the user stopped it is reported as well.
///
/// # Errors
///
/// When there is nothing to report: the scenario cannot be run, or is not as expected without a fault.
pub fn explore(order: &Order, tell: &mut dyn FnMut(Going)) -> Result<ExploreReport, ExploreError> {
    let mut search = Search::new(order, tell)?;
    match search.go() {
        Ok(()) => {}
        Err(ExploreError::Batch(BatchError::Interrupted { .. })) => {
            search.report.interrupted = true;
        }
        Err(error) => return Err(error),
    }
    Ok(search.report)
}

struct Search<'a> {
    order: &'a Order,
    tell: &'a mut dyn FnMut(Going),
    scenario: Scenario,
    table: Table,
    without: BTreeSet<Guilt>,
    report: ExploreReport,
    /// How many names of folders were given out.
    named: usize,
}

/// A schedule that is being confirmed or made smaller.
struct Candidate {
    guilt: Guilt,
    moment: Moment,
    table: Table,
    /// The place of the fault, from 0.
    fault: usize,
}

/// What several runs of one scenario found that were to find a schedule again.
#[derive(Clone)]
struct Again {
    found: u32,
    /// What every run that found it has against the worker.
    guilt: BTreeSet<Guilt>,
    /// What was counted, where it was the same in every run that found it.
    counts: Option<Counts>,
}

impl<'a> Search<'a> {
    fn new(order: &'a Order, tell: &'a mut dyn FnMut(Going)) -> Result<Self, ExploreError> {
        let refused = |error: &dyn std::fmt::Display| ExploreError::Scenario(error.to_string());
        Scenario::parse(&order.file, &order.text).map_err(|error| refused(&error))?;
        let mut table: Table = order.text.parse().map_err(|error| refused(&error))?;
        if let Some(worker) = &order.worker {
            write::set(&mut table, "worker", "use", worker.as_str());
        }
        let scenario = write::parse(&table).map_err(|error| refused(&error))?;
        let report = ExploreReport {
            schema: SCHEMA,
            scenario: scenario.name.clone(),
            worker: scenario.worker.worker.clone(),
            seed: order.seed,
            lattice: 0,
            interrupted: false,
            runs: 0,
            without: Vec::new(),
            tried: Vec::new(),
            found: Vec::new(),
        };
        Ok(Self {
            order,
            tell,
            scenario,
            table,
            without: BTreeSet::new(),
            report,
            named: 0,
        })
    }

    fn go(&mut self) -> Result<(), ExploreError> {
        self.check_without()?;
        self.try_moments()?;
        for (guilt, moments) in self.candidates() {
            self.follow_up(guilt, &moments)?;
        }
        Ok(())
    }

    /// Runs the scenario without a fault: it must be as expected.
    fn check_without(&mut self) -> Result<(), ExploreError> {
        let text = write::text(&self.table);
        let jobs = (0..WITHOUT).map(|_| self.job("without", text.clone()));
        let jobs = jobs.collect();
        let mut outcomes = Vec::new();
        self.run("the scenario without a fault", jobs, |_, _, outcome| {
            outcomes.push(outcome);
            None
        })?;
        for outcome in outcomes {
            match outcome {
                Outcome::Judged(report) if report.as_expected => {
                    self.without.append(&mut guilt::of(&report));
                }
                Outcome::Judged(report) => {
                    return Err(ExploreError::Unsuited {
                        inconclusive: report.verdict == Verdict::Inconclusive,
                        reasons: report.unexpected,
                    });
                }
                Outcome::Failed(failed) => {
                    return Err(ExploreError::NotRun(failed.code, failed.message));
                }
            }
        }
        self.report.without = self.without.iter().cloned().collect();
        Ok(())
    }

    /// Tries one moment after the other.
    fn try_moments(&mut self) -> Result<(), ExploreError> {
        let all = lattice::moments(&self.scenario);
        self.report.lattice = all.len();
        let count = match (self.order.tries, self.order.limit) {
            (Some(tries), _) => tries as usize,
            (None, Some(_)) => all.len(),
            (None, None) => lattice::once_each(&all),
        };
        let mut ordered = lattice::order(all, self.order.seed);
        ordered.truncate(count);
        let until = self
            .order
            .limit
            .map(|limit| monotonic_ns().saturating_add(limit.as_nanos()));
        // With a limit of time a few at once are begun, and none after it.
        let portion = match until {
            Some(_) => self.order.at_once.max(1),
            None => ordered.len().max(1),
        };
        let total = ordered.len();
        for moments in ordered.chunks(portion) {
            if until.is_some_and(|until| monotonic_ns() >= until) {
                break;
            }
            self.try_some(moments, total)?;
        }
        Ok(())
    }

    fn try_some(&mut self, moments: &[Moment], total: usize) -> Result<(), ExploreError> {
        let mut jobs = Vec::new();
        let mut places = Vec::new();
        for moment in moments {
            let (table, place) = write::with_fault(&self.table, *moment);
            jobs.push(self.job(&moment.name(), write::text(&table)));
            places.push(place);
        }
        let names: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
        let before = self.report.tried.len();
        let mut tried: Vec<(usize, Tried)> = Vec::new();
        let without = self.without.clone();
        let outcome = self.run_counted("moments", jobs, (before, total), |_, job, outcome| {
            let index = names.iter().position(|name| *name == job.name)?;
            let moment = moments[index];
            let came = came_of(moment, &job.out, places[index], outcome, &without);
            let found = match &came {
                Came::Found { guilt } => Some(format!("{}, with {moment}", guilt[0].words())),
                _ => None,
            };
            tried.push((index, Tried { moment, came }));
            found
        });
        // Those that were finished before the user stopped are told of too.
        tried.sort_by_key(|(index, _)| *index);
        let tried = tried.into_iter().map(|(_, tried)| tried);
        self.report.tried.extend(tried);
        outcome
    }

    /// What was found, one entry for each rule and subject, with the moments of each in the order in which they were tried.
    fn candidates(&self) -> Vec<(Guilt, Vec<Moment>)> {
        let mut candidates: Vec<(Guilt, Vec<Moment>)> = Vec::new();
        for tried in &self.report.tried {
            let Came::Found { guilt } = &tried.came else {
                continue;
            };
            for guilt in guilt {
                match candidates
                    .iter_mut()
                    .find(|(known, _)| known.is_like(guilt))
                {
                    Some((_, moments)) if moments.last() == Some(&tried.moment) => {}
                    Some((_, moments)) => moments.push(tried.moment),
                    None => candidates.push((guilt.clone(), vec![tried.moment])),
                }
            }
        }
        candidates
    }

    /// Confirms a finding at the first moments at which it was made, and makes its schedule smaller.
    fn follow_up(&mut self, guilt: Guilt, moments: &[Moment]) -> Result<(), ExploreError> {
        let place = self.report.found.len();
        self.report.found.push(Schedule {
            guilt: guilt.clone(),
            moment: moments[0],
            moments: moments.len(),
            again: 0,
            of: 0,
            smaller: Vec::new(),
            runs: 0,
            file: None,
            holds: false,
            text: None,
        });
        for moment in moments.iter().take(MOMENTS) {
            let (table, fault) = write::with_fault(&self.table, *moment);
            let candidate = Candidate {
                guilt: guilt.clone(),
                moment: *moment,
                table,
                fault,
            };
            let again = self.again(&candidate, &candidate.table, "confirming")?;
            let schedule = &mut self.report.found[place];
            schedule.moment = *moment;
            (schedule.again, schedule.of) = (again.found, AGAIN);
            if again.found >= ENOUGH {
                return self.make_smaller(place, candidate, again);
            }
        }
        Ok(())
    }

    fn make_smaller(
        &mut self,
        place: usize,
        mut candidate: Candidate,
        last: Again,
    ) -> Result<(), ExploreError> {
        let before = self.report.runs;
        let mut tried = BTreeSet::new();
        // Written at every stage, so that whoever stops the search has the smallest so far.
        self.write(place, &candidate, &last)?;
        let mut stages = vec![(candidate.table.clone(), last)];
        while tried.len() < SMALLER {
            let next = smaller(&candidate.table, candidate.fault)
                .into_iter()
                .find(|next| !tried.contains(&next.what));
            let Some(next) = next else { break };
            tried.insert(next.what.clone());
            let again = self.again(&candidate, &next.table, &format!("smaller: {}", next.what))?;
            if again.found >= ENOUGH && self.needs_its_fault(&candidate, &next.table)? {
                self.report.found[place].smaller.push(next.what);
                candidate.table = next.table;
                self.write(place, &candidate, &again)?;
                stages.push((candidate.table.clone(), again));
            }
        }
        // The smallest may stand on the edge between two outcomes; then one that is a little larger does better.
        for (back, (table, last)) in stages.into_iter().rev().take(STAGES).enumerate() {
            if back > 0 {
                self.report.found[place].smaller.pop();
            }
            candidate.table = table;
            if self.holds(place, &candidate, &last)? {
                break;
            }
        }
        self.report.found[place].runs = self.report.runs - before;
        Ok(())
    }

    /// Whether a smaller scenario is clean of the finding without its fault: a load can be made so small that nothing is ever done, and
    /// what is lost then is not the fault's work.
    fn needs_its_fault(
        &mut self,
        candidate: &Candidate,
        table: &Table,
    ) -> Result<bool, ExploreError> {
        let text = write::text(&write::without_fault(table, candidate.fault));
        let jobs = (0..WITHOUT).map(|_| self.job("without", text.clone()));
        let jobs = jobs.collect();
        let mut clean = true;
        self.run("the same without the fault", jobs, |_, job, outcome| {
            clean &= match outcome {
                Outcome::Judged(report) => {
                    let guilt = guilt::of(&report);
                    !guilt.iter().any(|guilt| guilt.is_like(&candidate.guilt))
                }
                Outcome::Failed(_) => false,
            };
            discard(&job.out);
            None
        })?;
        Ok(clean)
    }

    /// Sees whether the file that was written is as it expects; without exact counts, where with them it is not.
    fn holds(
        &mut self,
        place: usize,
        candidate: &Candidate,
        last: &Again,
    ) -> Result<bool, ExploreError> {
        for counts in [last.counts.clone(), None] {
            let last = Again {
                counts,
                ..last.clone()
            };
            let text = self.write(place, candidate, &last)?;
            let jobs = (0..AGAIN).map(|_| self.job("as-written", text.clone()));
            let jobs = jobs.collect();
            let mut held = 0;
            self.run("the file as written", jobs, |_, _, outcome| {
                let holds = matches!(&outcome, Outcome::Judged(report) if report.as_expected);
                held += u32::from(holds);
                None
            })?;
            if held >= ENOUGH {
                self.report.found[place].holds = true;
                return Ok(true);
            }
            if last.counts.is_none() {
                break;
            }
        }
        Ok(false)
    }

    /// Runs a scenario as often as it takes to say whether it still finds the same.
    fn again(
        &mut self,
        candidate: &Candidate,
        table: &Table,
        phase: &str,
    ) -> Result<Again, ExploreError> {
        let text = write::text(table);
        let jobs = (0..AGAIN).map(|_| self.job(&candidate.moment.name(), text.clone()));
        let jobs = jobs.collect();
        let without = self.without.clone();
        let mut found: Vec<(BTreeSet<Guilt>, Counts)> = Vec::new();
        self.run(phase, jobs, |_, job, outcome| {
            if let Outcome::Judged(report) = outcome {
                let with = guilt::of(&report);
                let new = guilt::new(&with, &without, candidate.moment.ends_the_worker());
                if new.iter().any(|guilt| guilt.is_like(&candidate.guilt)) {
                    found.push((with, guilt::counted(&report)));
                    return None;
                }
            }
            discard(&job.out);
            None
        })?;
        let guilt = found.iter().map(|(guilt, _)| guilt.clone());
        let guilt = guilt.reduce(|left, right| left.intersection(&right).cloned().collect());
        let first = found.first().map(|(_, counts)| counts.clone());
        let same = found
            .iter()
            .all(|(_, counts)| Some(counts) == first.as_ref());
        Ok(Again {
            found: found.len() as u32,
            guilt: guilt.unwrap_or_default(),
            counts: first.filter(|_| same),
        })
    }

    /// Writes the scenario file of a schedule, as small as it is by now.
    fn write(
        &mut self,
        place: usize,
        candidate: &Candidate,
        last: &Again,
    ) -> Result<String, ExploreError> {
        let mut table = candidate.table.clone();
        // The cause may be another one by now: of the same rule and subject all the same.
        let shown = last
            .guilt
            .iter()
            .find(|guilt| guilt.is_like(&candidate.guilt));
        let shown = shown.unwrap_or(&candidate.guilt).clone();
        let rule = crate::judge::finding::rule_name(candidate.guilt.rule);
        let name = slug(&format!(
            "{}-{rule}-{}",
            self.scenario.name, candidate.guilt.subject
        ));
        table.insert("name".to_owned(), name.clone().into());
        table.insert(
            "description".to_owned(),
            format!("Found by search: {}", shown.words()).into(),
        );
        write::expect(&mut table, &last.guilt, last.counts.as_ref());
        let schedule = &mut self.report.found[place];
        let mut moment = candidate.moment;
        moment.after = write::delay(&table, candidate.fault);
        let head = [
            format!("{}.", shown.words()),
            format!(
                "Found by `leak-harness explore` from the scenario `{}` (seed {}): {}.",
                self.scenario.name, self.order.seed, moment
            ),
            match schedule.smaller.len() {
                0 => "Nothing of it could be left out yet.".to_owned(),
                _ => format!("Made smaller: {}.", schedule.smaller.join(", ")),
            },
        ];
        let text = write::file(&head, &table);
        let file = self.order.out.join(format!("{name}.toml"));
        fs::write(&file, &text).map_err(|cause| ExploreError::Write(file.clone(), cause))?;
        schedule.guilt = shown;
        schedule.file = Some(file.to_string_lossy().into_owned());
        schedule.text = Some(text.clone());
        Ok(text)
    }

    fn job(&mut self, name: &str, scenario: String) -> Job {
        self.named += 1;
        let name = format!("{:04}-{name}", self.named);
        Job {
            scenario,
            changes: Vec::new(),
            seed: None,
            worker: None,
            isolation: Some(self.order.isolation),
            out: self.order.runs.join(&name),
            name,
        }
    }

    fn run(
        &mut self,
        phase: &str,
        jobs: Vec<Job>,
        finished: impl FnMut(usize, &Job, Outcome) -> Option<String>,
    ) -> Result<(), ExploreError> {
        let total = jobs.len();
        self.run_counted(phase, jobs, (0, total), finished)
    }

    /// Makes runs; `before` of `total` were made in earlier calls. What `finished` gives back is told.
    fn run_counted(
        &mut self,
        phase: &str,
        jobs: Vec<Job>,
        (before, total): (usize, usize),
        mut finished: impl FnMut(usize, &Job, Outcome) -> Option<String>,
    ) -> Result<(), ExploreError> {
        let (tell, runs) = (&mut *self.tell, &mut self.report.runs);
        carry_out(jobs, self.order.at_once, &mut |done, job, outcome| {
            *runs += 1;
            let found = finished(done, job, outcome);
            tell(Going {
                phase: phase.to_owned(),
                done: before + done,
                total,
                found,
            });
        })?;
        Ok(())
    }
}

/// What came of a moment, from its run.
fn came_of(
    moment: Moment,
    out: &Path,
    fault: usize,
    outcome: Outcome,
    without: &BTreeSet<Guilt>,
) -> Came {
    let report: Box<Report> = match outcome {
        Outcome::Judged(report) => report,
        Outcome::Failed(failed) => {
            return Came::Failed {
                message: failed.message,
            };
        }
    };
    let new = guilt::new(&guilt::of(&report), without, moment.ends_the_worker());
    let struck = struck(out, fault);
    if new.is_empty() {
        discard(out);
    }
    match struck {
        // Whatever is found without the fault is no work of the fault.
        Some(Err(because)) => Came::Nothing { because },
        None => Came::Never,
        Some(Ok(())) if !new.is_empty() => Came::Found { guilt: new },
        Some(Ok(())) if report.verdict == Verdict::Inconclusive => Came::Inconclusive {
            reasons: report.reasons,
        },
        Some(Ok(())) => Came::AsBefore,
    }
}

/// Whether a fault was made, by the recording: none when its moment never came.
fn struck(out: &Path, fault: usize) -> Option<Result<(), String>> {
    let recording = Recording::open(out).ok()?;
    let number = fault as u32 + 1;
    let events = recording.events().ok()?;
    events
        .filter_map(|event| match event.event {
            EventKind::FaultCame { fault, failed, .. } if fault == number => Some(failed),
            _ => None,
        })
        .map(|failed| failed.map_or(Ok(()), Err))
        .next()
}

/// What proves nothing is not kept. A folder that stays costs space and nothing else.
fn discard(out: &Path) {
    let _ = fs::remove_dir_all(out);
}

/// A name of letters, digits and hyphens.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for letter in text.chars() {
        let letter = if letter.is_ascii_alphanumeric() {
            letter.to_ascii_lowercase()
        } else {
            '-'
        };
        if letter != '-' || !slug.ends_with('-') {
            slug.push(letter);
        }
    }
    slug.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_names_of_scenarios() {
        assert_eq!(
            slug("clean-worker_died-the worker's threads"),
            "clean-worker-died-the-worker-s-threads"
        );
    }
}
