//! What came of the gym: `gym.json`, and what the other forms are drawn from.

use serde::{Deserialize, Serialize};

use super::judged::DefectRun;
use crate::scenario::{Bin, ExpectedCause, Witness};

/// The version of the JSON form. It grows when a field changes its meaning or goes; new fields do not change it.
pub const SCHEMA: u32 = 1;

/// What came of the gym.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GymReport {
    /// The version of this form.
    pub schema: u32,
    /// The version of the program.
    pub harness: String,
    /// How often each case was run, each time with another seed.
    pub seeds: u32,
    /// How many runs were made at a time.
    pub jobs: u32,
    /// The isolation that was asked for.
    pub isolation: String,
    /// The witnesses that were switched off.
    pub without: Vec<Witness>,
    /// What cannot be told without them.
    pub gaps: Vec<Gap>,
    /// How long all of it took, in milliseconds.
    pub elapsed_ms: u64,
    /// Sums.
    pub totals: Totals,
    /// The planted defects.
    pub defects: Vec<DefectLine>,
    /// The clean controls.
    pub controls: Vec<ControlLine>,
    /// Clean sessions under load, where they were asked for.
    pub soundness: Option<Soundness>,
}

/// What cannot be told without a witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The rule.
    pub rule: Bin,
    /// Whether the cause alone is missing: what is wrong is still found, in its bin.
    pub cause_alone: bool,
    /// What is missing, in words.
    pub what: String,
}

/// Sums over all cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Planted defects.
    pub defects: u32,
    /// Runs of them.
    pub defect_runs: u32,
    /// Of these, those in which the defect was found.
    pub found: u32,
    /// Those in which bin and subject are right.
    pub bin_right: u32,
    /// Those in which the cause is right too.
    pub cause_right: u32,
    /// Clean controls.
    pub controls: u32,
    /// Runs of them.
    pub control_runs: u32,
    /// Of these, those with a false alarm.
    pub false_alarms: u32,
    /// Runs of either kind in which the evidence did not suffice.
    pub inconclusive: u32,
    /// Recordings that were judged again.
    pub rejudged: u32,
    /// Of these, those whose second judgement was another.
    pub judged_otherwise: u32,
    /// Runs of which nothing could be judged.
    pub failed: u32,
}

/// A planted defect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefectLine {
    /// Its name.
    pub name: String,
    /// The public issue that tells of it, as `owner/repository#number`.
    pub issue: Option<String>,
    /// The bin in which it belongs.
    pub expected_bin: Bin,
    /// Whom it concerns.
    pub expected_subject: Option<String>,
    /// The cause that has to be named.
    pub expected_cause: String,
    /// Whether it was found in every run.
    pub found: bool,
    /// The bin in which it was found; of several runs, that of the first which is not right.
    pub bin: Option<Bin>,
    /// Whom the finding concerns.
    pub subject: Option<String>,
    /// The cause that the judge names.
    pub cause: Option<String>,
    /// Whether it is the right one, in the right bin, in every run.
    pub cause_right: bool,
    /// How long after things went wrong the judge could have named it, in milliseconds: the median of the runs.
    pub detected_after_ms: Option<u64>,
    /// What excuses its not being found, or not explained: what cannot be told without the witnesses that were switched off.
    pub excuse: Option<String>,
    /// How it stands.
    pub standing: Standing,
    /// Its runs.
    pub runs: Vec<DefectRun>,
}

/// How a case stands, the worst of its runs.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Found, with bin and cause right and nothing else; or silent, where nothing is wrong.
    #[default]
    Right,
    /// Not told without the witnesses that were switched off, as the documentation says.
    Excused,
    /// The evidence did not suffice.
    Inconclusive,
    /// Something was found beside it that is not there, or a count is another.
    Unexpected,
    /// The cause is another.
    WrongCause,
    /// The bin or the subject is another.
    WrongBin,
    /// Nothing was found.
    Missed,
    /// Something was found that is not there.
    FalseAlarm,
    /// The recording, judged again, gave another report.
    JudgedOtherwise,
    /// There is nothing to judge.
    Failed,
}

impl Standing {
    /// How it is written for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Excused => "cannot be told",
            Self::Inconclusive => "inconclusive",
            Self::Unexpected => "not as expected",
            Self::WrongCause => "WRONG CAUSE",
            Self::WrongBin => "WRONG BIN",
            Self::Missed => "MISSED",
            Self::FalseAlarm => "FALSE ALARM",
            Self::JudgedOtherwise => "JUDGED OTHERWISE",
            Self::Failed => "FAILED",
        }
    }

    /// Whether something is off.
    pub const fn is_off(self) -> bool {
        !matches!(self, Self::Right | Self::Excused | Self::Inconclusive)
    }
}

/// A clean control.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlLine {
    /// Its name.
    pub name: String,
    /// How many runs were judged.
    pub runs: u32,
    /// Of these, those in which something was found.
    pub false_alarms: u32,
    /// Those in which the evidence did not suffice.
    pub inconclusive: u32,
    /// Runs of which nothing could be judged.
    pub failed: u32,
    /// Recordings that, judged again, gave another report.
    pub judged_otherwise: u32,
    /// What was said in the runs that were not silent.
    pub said: Vec<String>,
}

impl ControlLine {
    /// How it stands.
    pub const fn standing(&self) -> Standing {
        if self.failed > 0 {
            Standing::Failed
        } else if self.judged_otherwise > 0 {
            Standing::JudgedOtherwise
        } else if self.false_alarms > 0 {
            Standing::FalseAlarm
        } else if self.inconclusive > 0 {
            Standing::Inconclusive
        } else {
            Standing::Right
        }
    }
}

/// Clean sessions in runs of mixed size, on a machine that has too much to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Soundness {
    /// Sessions in all.
    pub sessions: u64,
    /// Runs that were judged.
    pub runs: u32,
    /// Of these, those with a verdict that is false: something was found that is not there.
    pub false_verdicts: u32,
    /// Those in which the evidence did not suffice.
    pub inconclusive: u32,
    /// Runs of which nothing could be judged.
    pub failed: u32,
    /// Recordings that, judged again, gave another report.
    pub judged_otherwise: u32,
    /// Threads that did nothing but use up processor time meanwhile.
    pub burners: u32,
    /// The machine's load average over one, five and fifteen minutes.
    pub load_average: LoadAverage,
    /// What was said in the runs that were not silent, the first of them.
    pub said: Vec<String>,
}

/// The load average over one, five and fifteen minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadAverage {
    /// Before the first run.
    pub before: [f64; 3],
    /// After the last one.
    pub after: [f64; 3],
    /// The highest over one minute that was seen in between.
    pub highest: f64,
}

impl Soundness {
    /// How it stands. Of a hundred runs fewer than one may be inconclusive.
    pub fn standing(&self) -> Standing {
        let too_many = u64::from(self.inconclusive) * 100 >= u64::from(self.runs.max(1));
        if self.failed > 0 {
            Standing::Failed
        } else if self.judged_otherwise > 0 {
            Standing::JudgedOtherwise
        } else if self.false_verdicts > 0 {
            Standing::FalseAlarm
        } else if too_many {
            Standing::Unexpected
        } else {
            Standing::Right
        }
    }
}

impl DefectLine {
    /// Puts the runs of a defect together. `gap` is what cannot be told of it without the witnesses that were switched off.
    pub fn new(
        name: &str,
        issue: Option<String>,
        about: &ExpectedCause,
        gap: Option<&Gap>,
        without_witness: bool,
        mut runs: Vec<DefectRun>,
    ) -> Self {
        runs.sort_by_key(|run| run.seed);
        let of_run = |run: &DefectRun| {
            let excused = gap.is_some_and(|gap| run.bin_right || !gap.cause_alone);
            standing(run, excused, without_witness)
        };
        let worst = runs.iter().max_by_key(|run| of_run(run));
        let mut times: Vec<u64> = runs
            .iter()
            .filter_map(|run| run.detected_after_ms)
            .collect();
        times.sort_unstable();
        Self {
            name: name.to_owned(),
            issue,
            expected_bin: about.rule,
            expected_subject: about.subject.clone(),
            expected_cause: about.cause.clone(),
            found: runs.iter().all(|run| run.found),
            bin: worst.and_then(|run| run.bin),
            subject: worst.and_then(|run| run.subject.clone()),
            cause: worst.and_then(|run| run.cause.clone()),
            cause_right: runs.iter().all(|run| run.cause_right),
            detected_after_ms: times.get(times.len() / 2).copied(),
            standing: worst.map_or(Standing::Failed, of_run),
            excuse: gap.map(|gap| gap.what.clone()),
            runs,
        }
    }
}

/// How one run of a defect stands. With a witness switched off the scenario's own expectations are not what is asked for.
fn standing(run: &DefectRun, excused: bool, without_witness: bool) -> Standing {
    if run.failed.is_some() {
        Standing::Failed
    } else if !run.rejudged {
        Standing::JudgedOtherwise
    } else if run.cause_right && (run.as_expected || without_witness) {
        Standing::Right
    } else if excused {
        Standing::Excused
    } else if run.cause_right {
        Standing::Unexpected
    } else if run.inconclusive {
        Standing::Inconclusive
    } else if run.bin_right {
        Standing::WrongCause
    } else if run.bin.is_some() {
        Standing::WrongBin
    } else {
        Standing::Missed
    }
}

impl GymReport {
    /// Puts the sums in.
    pub fn with_totals(mut self) -> Self {
        let runs = || self.defects.iter().flat_map(|defect| &defect.runs);
        let count = |is: &dyn Fn(&DefectRun) -> bool| size(runs().filter(|run| is(run)).count());
        let controls = |of: &dyn Fn(&ControlLine) -> u32| self.controls.iter().map(of).sum::<u32>();
        let failed = count(&|run| run.failed.is_some());
        let judged = size(runs().count()) - failed + controls(&|control| control.runs);
        self.totals = Totals {
            defects: size(self.defects.len()),
            defect_runs: size(runs().count()),
            found: count(&|run| run.found),
            bin_right: count(&|run| run.bin_right),
            cause_right: count(&|run| run.cause_right),
            controls: size(self.controls.len()),
            control_runs: controls(&|control| control.runs),
            false_alarms: controls(&|control| control.false_alarms),
            inconclusive: count(&|run| run.inconclusive)
                + controls(&|control| control.inconclusive),
            rejudged: judged + self.soundness.as_ref().map_or(0, |sound| sound.runs),
            judged_otherwise: count(&|run| run.failed.is_none() && !run.rejudged)
                + controls(&|control| control.judged_otherwise)
                + self
                    .soundness
                    .as_ref()
                    .map_or(0, |sound| sound.judged_otherwise),
            failed: failed
                + controls(&|control| control.failed)
                + self.soundness.as_ref().map_or(0, |sound| sound.failed),
        };
        self
    }

    /// How all of it stands: off if anything is, inconclusive if that is all there is to say against it.
    pub fn standing(&self) -> Standing {
        let defects = self.defects.iter().map(|defect| defect.standing);
        let controls = self.controls.iter().map(ControlLine::standing);
        let soundness = self.soundness.iter().map(Soundness::standing);
        defects
            .chain(controls)
            .chain(soundness)
            .max()
            .unwrap_or_default()
    }

    /// As indented JSON with a line break at its end.
    ///
    /// # Errors
    ///
    /// When a figure cannot be written, which does not happen.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

fn size(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
