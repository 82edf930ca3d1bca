//! The runs of the gym: made, judged twice, and put together case by case.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::burners::Burners;
use super::catalogue::{Case, Kind};
use super::judged::{CleanRun, DefectRun, nearest};
use super::results::{ControlLine, DefectLine, Gap, LoadAverage, Soundness, Standing};
use super::soundness::loads;
use super::{Going, GymError, Order};
use crate::batch::{Job, Outcome, carry_out};
use crate::judge::coverage::{self, Loss, coverage};
use crate::platform::load_average;
use crate::report::{Report, json};
use crate::run;
use crate::scenario::Witness;
use crate::timeline::event::Source;

/// How many sentences are kept of the runs under load that were not silent.
const SAID: usize = 20;

/// What cannot be told without some witnesses.
pub(super) fn gaps(without: &[Witness]) -> Vec<Gap> {
    let sources: Vec<Source> = without.iter().copied().map(source).collect();
    let gap = |gap: coverage::Gap| Gap {
        rule: gap.rule,
        cause_alone: gap.what == Loss::CauseUnknown,
        what: gap.why.to_owned(),
    };
    coverage(&sources).into_iter().map(gap).collect()
}

/// What a witness is called in a recording.
const fn source(witness: Witness) -> Source {
    match witness {
        Witness::Reaper => Source::Reaper,
        Witness::Table => Source::Table,
        Witness::Portable => Source::Portable,
        Witness::Control => Source::Control,
        Witness::Cookie => Source::Cookie,
    }
}

/// Makes the runs of the gym.
pub(super) struct Runs<'a> {
    order: &'a Order,
    tell: &'a mut dyn FnMut(Going),
}

/// A run of something clean, and whether its second judgement was the same; or why there is nothing to judge.
type Clean = Result<(CleanRun, bool), String>;

impl<'a> Runs<'a> {
    pub(super) fn new(order: &'a Order, tell: &'a mut dyn FnMut(Going)) -> Self {
        Self { order, tell }
    }

    /// Runs every case with every seed.
    pub(super) fn cases(
        &mut self,
        selected: &[Case],
    ) -> Result<(Vec<DefectLine>, Vec<ControlLine>), GymError> {
        let mut jobs = Vec::new();
        let mut of_job = BTreeMap::new();
        for round in 0..u64::from(self.order.seeds) {
            for case in selected {
                let job = self.job(case, case.scenario.seed.wrapping_add(round));
                of_job.insert(job.name.clone(), case);
                jobs.push(job);
            }
        }
        let gaps = gaps(&self.order.without);
        let line = |case: &Case, runs| {
            let issue = case.scenario.issue.clone();
            let without = !self.order.without.is_empty();
            let about = case.about()?;
            let gap = gaps.iter().find(|gap| gap.rule == about.rule);
            Some(DefectLine::new(case.name, issue, about, gap, without, runs))
        };
        let mut defects: BTreeMap<&str, Vec<DefectRun>> = BTreeMap::new();
        let mut controls: BTreeMap<&str, Vec<Clean>> = BTreeMap::new();
        let total = jobs.len();
        let keep = self.order.keep;
        carry_out(jobs, self.order.at_once, &mut |done, job, outcome| {
            let Some(case) = of_job.get(&job.name) else {
                return;
            };
            let standing = match case.kind {
                Kind::Defect => {
                    let run = defect_run(case, job, outcome);
                    let alone = line(case, vec![run.clone()]);
                    defects.entry(case.name).or_default().push(run);
                    alone.map_or(Standing::Failed, |alone| alone.standing)
                }
                Kind::Control | Kind::Sound => {
                    let run = clean_run(job, outcome);
                    let alone = control_line(case.name, std::slice::from_ref(&run));
                    controls.entry(case.name).or_default().push(run);
                    alone.standing()
                }
            };
            if !keep {
                discard(&job.out);
            }
            (self.tell)(Going {
                phase: "cases",
                done,
                total,
                wrong: wrong(&job.name, standing),
            });
        })?;
        let defects = selected.iter().filter_map(|case| {
            let runs = defects.remove(case.name)?;
            line(case, runs)
        });
        let controls = selected.iter().filter_map(|case| {
            let runs = controls.remove(case.name)?;
            Some(control_line(case.name, &runs))
        });
        Ok((defects.collect(), controls.collect()))
    }

    /// Runs clean sessions, in runs of mixed size, while other threads use up the machine.
    pub(super) fn soundness(
        &mut self,
        sessions: u64,
        sound: &[Case],
    ) -> Result<Soundness, GymError> {
        let mut jobs = Vec::new();
        for load in loads(sessions, sound.len()) {
            let mut job = self.job(&sound[load.case], load.seed);
            job.changes.push(format!("load.sessions={}", load.sessions));
            jobs.push(job);
        }
        let before = load_average();
        let burners = Burners::start();
        let mut result = Soundness {
            sessions,
            burners: burners.count(),
            load_average: LoadAverage {
                before,
                ..LoadAverage::default()
            },
            ..Soundness::default()
        };
        let total = jobs.len();
        let keep = self.order.keep;
        carry_out(jobs, self.order.at_once, &mut |done, job, outcome| {
            let run = clean_run(job, outcome);
            let line = control_line(&job.name, &[run]);
            let load = &mut result.load_average;
            load.highest = load.highest.max(load_average()[0]);
            result.runs += line.runs;
            result.false_verdicts += line.false_alarms;
            result.inconclusive += line.inconclusive;
            result.failed += line.failed;
            result.judged_otherwise += line.judged_otherwise;
            let standing = line.standing();
            let room = SAID.saturating_sub(result.said.len());
            let said = line.said.into_iter().take(room);
            result
                .said
                .extend(said.map(|said| format!("{}: {said}", job.name)));
            if !keep {
                discard(&job.out);
            }
            (self.tell)(Going {
                phase: "clean sessions under load",
                done,
                total,
                wrong: wrong(&job.name, standing),
            });
        })?;
        result.load_average.after = load_average();
        drop(burners);
        Ok(result)
    }

    fn job(&self, case: &Case, seed: u64) -> Job {
        let name = format!("{}-{seed}", case.name);
        let without: Vec<_> = self
            .order
            .without
            .iter()
            .filter_map(|witness| serde_json::to_string(witness).ok())
            .collect();
        let mut changes = Vec::new();
        if !without.is_empty() {
            changes.push(format!("run.without=[{}]", without.join(", ")));
        }
        Job {
            scenario: case.text.to_owned(),
            changes,
            seed: Some(seed),
            worker: None,
            isolation: Some(self.order.isolation),
            out: self.order.folder.join(&name),
            name,
        }
    }
}

fn wrong(name: &str, standing: Standing) -> Option<String> {
    (standing.is_off() || standing == Standing::Inconclusive)
        .then(|| format!("{name}: {}", standing.words()))
}

/// What a run of a defect shows. The recording is read again for it, and judged again.
fn defect_run(case: &Case, job: &Job, outcome: Outcome) -> DefectRun {
    let seed = job.seed.unwrap_or(case.scenario.seed);
    let (report, about) = match (outcome, case.about()) {
        (Outcome::Judged(report), Some(about)) => (report, about),
        (Outcome::Judged(_), None) => {
            return DefectRun::failed(seed, "its file names no cause".to_owned());
        }
        (Outcome::Failed(failed), _) => return DefectRun::failed(seed, failed.message),
    };
    let mut run = DefectRun::new(about, &report);
    run.rejudged = judged_the_same(&job.out);
    if run.found
        && let Some(finding) = nearest(about, &report)
    {
        let detected = run::detected(&job.out, finding).ok().flatten();
        run.detected_after_ms = detected.map(|at| at.named.since(at.since).as_millis());
    }
    run
}

fn clean_run(job: &Job, outcome: Outcome) -> Clean {
    match outcome {
        Outcome::Judged(report) => Ok((CleanRun::new(&report), judged_the_same(&job.out))),
        Outcome::Failed(failed) => Err(failed.message),
    }
}

fn control_line(name: &str, runs: &[Clean]) -> ControlLine {
    let mut line = ControlLine {
        name: name.to_owned(),
        ..ControlLine::default()
    };
    for run in runs {
        match run {
            Ok((run, same)) => {
                line.runs += 1;
                line.judged_otherwise += u32::from(!same);
                match run {
                    CleanRun::Silent => {}
                    CleanRun::FalseAlarm(said) => {
                        line.false_alarms += 1;
                        line.said.push(said.clone());
                    }
                    CleanRun::Inconclusive(said) => {
                        line.inconclusive += 1;
                        line.said.push(said.clone());
                    }
                }
            }
            Err(message) => {
                line.failed += 1;
                line.said.push(message.clone());
            }
        }
    }
    line
}

/// Whether the recording of a run, judged again here, gives the report that the run's own process has written, byte for byte.
fn judged_the_same(out: &Path) -> bool {
    let again = |report: &Report| json::render(report).ok();
    let written = fs::read_to_string(out.join("report.json")).ok();
    let report = run::judge(out, &[], run::Baseline::default()).ok();
    written.is_some() && written == report.as_ref().and_then(again)
}

/// A run's folder goes. One that cannot be removed lies in a temporary folder that is removed later.
fn discard(out: &Path) {
    let _ = fs::remove_dir_all(out);
}
