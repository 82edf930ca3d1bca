//! Shows judgements: one [`Report`], and renderers that are pure functions of it.
//!
//! Everything that comes from a process, such as a command line or a session's name, is text that nobody vouches for: it is escaped for
//! the place where it is shown (see [`escape`]).

pub mod escape;
pub mod html;
pub mod issue;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod schema;
pub(crate) mod sentences;
pub mod story;
pub mod terminal;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::books::{Bins, Roles, Work};
use crate::judge::coverage::untold;
use crate::judge::finding::Finding;
use crate::judge::{
    Forecast, GrowthFigure, Judgement, MemoryFigures, Point, SessionCounts, Threshold, TimeToReap,
};
use crate::scenario::{Counts, Verdict};
use crate::timeline::event::{Isolation, LoadStop, Source};
use crate::units::Drift;

use story::Story;

/// The version of the JSON form. It grows when a field changes its meaning or goes; new fields do not change it.
pub const SCHEMA: u32 = 1;

/// What a judgement does not know of its run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunIdentity {
    /// The scenario's name.
    pub scenario: String,
    /// Its seed.
    pub seed: u64,
    /// The factor by which the worker's and the fakes' times were divided.
    pub time_scale: f64,
    /// The factor by which arrival and think times were divided.
    pub compress: f64,
    /// The worker, as it was asked for: `model`, `claude-mem`.
    pub worker: String,
    /// Its version, where that is known.
    pub worker_version: Option<String>,
    /// The model's cleanup policies; empty for another worker.
    pub cleanup: Vec<String>,
    /// The command that runs the same again.
    pub command: String,
    /// The CPU time that the harness itself used, in milliseconds, where that was measured.
    pub cpu_ms: Option<u64>,
    /// RSS of the harness itself over the run, in bytes, where that was measured.
    pub rss_bytes: Option<Drift>,
    /// What was run on what, and how to have it again.
    pub made: Made,
    /// The scenario's file, where it was given by a path relative to where the run was started.
    pub scenario_file: Option<String>,
    /// The wall clock's time at the start of the run, with its zone, where the recording says.
    pub started: Option<String>,
}

/// What was run on what, and how to have it again: so much of a run's circumstances as belongs into a public report, and no path of the
/// machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Made {
    /// The version of the harness that recorded.
    pub harness: String,
    /// The system and its kernel.
    pub kernel: String,
    /// The number of processors.
    pub cores: u32,
    /// The program that ran the worker, with its version, such as `bun 1.3.5`.
    pub runtime: Option<String>,
    /// What `leak-harness install` fetches to have this worker; the worker itself comes last.
    pub install: Vec<String>,
    /// The worker's settings as its adapter writes them, placeholders unfilled.
    pub settings: BTreeMap<String, String>,
    /// What asks the worker to stop at the end of a run, such as `SIGTERM`, where the recording says.
    pub stop: Option<String>,
    /// What the scenario says that it shows.
    pub description: String,
    /// The public issue that tells of it, as `owner/repository#number`.
    pub issue: Option<String>,
    /// What the worker should have done, where the scenario says so.
    pub should: Option<String>,
    /// What it means to those who use the worker when it does not, where the scenario says so.
    pub impact: Option<String>,
    /// The text of the scenario as it was run.
    pub scenario: String,
}

/// What renderers see, and what `report.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The version of this form.
    pub schema: u32,
    /// The scenario.
    pub scenario: ScenarioLine,
    /// The worker.
    pub worker: WorkerLine,
    /// The verdict.
    pub verdict: Verdict,
    /// The verdict that was expected.
    pub expected: Verdict,
    /// The exact counts that were expected, where the scenario gives them.
    #[serde(default)]
    pub expected_findings: Option<Counts>,
    /// Whether everything is as expected, counts included.
    pub as_expected: bool,
    /// Whether this is what was seen so far of a run that goes on, and not its final verdict.
    #[serde(default, skip_serializing_if = "is_false")]
    pub checkpoint: bool,
    /// Whether the recording was cut off: its run was killed, or the machine died.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cut_off: bool,
    /// Why the load was stopped before its time, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_stopped: Option<LoadStop>,
    /// How much space the recording takes, and by how much that grows; only long runs say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<RecordingSize>,
    /// Why the verdict is what it is.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Why it is not as expected.
    #[serde(default)]
    pub unexpected: Vec<String>,
    /// Sessions.
    pub sessions: SessionCounts,
    /// Primaries and what descends from them.
    pub processes: Bins,
    /// Every process, by role.
    pub roles: Roles,
    /// Work items.
    pub work: Work,
    /// Memory.
    pub memory: MemoryFigures,
    /// How long processes took to go after their session's end, in milliseconds.
    pub time_to_reap_ms: TimeToReap,
    /// How long the worker took to answer end requests, in milliseconds.
    #[serde(default)]
    pub end_answer_ms: TimeToReap,
    /// What was found, grouped by shape.
    pub findings: Vec<Finding>,
    /// The scenario's thresholds.
    pub thresholds: Vec<Threshold>,
    /// The course of the run, in at most 2,000 points.
    pub series: Vec<Point>,
    /// What the leak comes to if it goes on.
    pub forecast: Forecast,
    /// The smallest leak that this run could have seen.
    pub smallest_leak: String,
    /// The figures that are watched for growth, as measured; a baseline is compared with them.
    #[serde(default)]
    pub growth: Vec<GrowthFigure>,
    /// The place of the run; none where the recording does not say.
    pub isolation: Option<Isolation>,
    /// The witnesses.
    pub witnesses: Vec<WitnessLine>,
    /// What watching cost, and how well it went.
    pub overhead: Overhead,
    /// How long the recording is, in milliseconds.
    #[serde(default)]
    pub elapsed_ms: u64,
    /// Physical memory of the machine, in bytes; 0 where the recording does not say.
    #[serde(default)]
    pub machine_memory_bytes: u64,
    /// Where the books do not balance: a fault of this program.
    #[serde(default)]
    pub unbalanced: Option<String>,
    /// The command that runs the same again.
    #[serde(default)]
    pub command: String,
    /// What was run on what, and how to have it again.
    #[serde(default)]
    pub made: Made,
    /// A few sessions of the findings, moment by moment; none in a report that was made without reading its recording twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stories: Vec<Story>,
    /// The scenario's file, where it was given by a path relative to where the run was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario_file: Option<String>,
    /// The wall clock's time at the start of the run, with its zone, where the recording says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
}

/// The scenario of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioLine {
    /// Its name.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// The factor by which the worker's and the fakes' times were divided.
    pub time_scale: f64,
    /// The factor by which arrival and think times were divided.
    pub compress: f64,
}

/// The worker of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerLine {
    /// Its name.
    pub name: String,
    /// Its version, where that is known.
    pub version: Option<String>,
    /// The model's cleanup policies; empty for another worker.
    pub cleanup: Vec<String>,
}

/// A witness of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WitnessLine {
    /// Which.
    pub witness: Source,
    /// Why it failed, if it did.
    pub failed: Option<String>,
    /// What cannot be told without it, where it was switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off: Option<String>,
}

/// What watching cost, and how well it went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Overhead {
    /// The CPU time that the harness itself used, in milliseconds, where that was measured.
    pub cpu_ms: Option<u64>,
    /// Samples that were taken.
    pub ticks: u32,
    /// Of these, those that came late by a tick or more.
    pub late_ticks: u32,
    /// Samples that were lost.
    #[serde(default)]
    pub lost_ticks: u32,
    /// RSS of the harness itself at its samples, in bytes, where that was measured: what watches must not grow with what it watches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<Drift>,
}

/// How much space a recording takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordingSize {
    /// Its events on disk, in bytes.
    pub bytes: u64,
    /// By how much that grows in an hour of the run, in bytes; none for a run of less than ten seconds.
    pub bytes_per_hour: Option<u64>,
}

impl RecordingSize {
    /// The size of a recording that took so many milliseconds.
    pub fn of(bytes: u64, elapsed_ms: u64) -> Self {
        let per_hour = u128::from(bytes) * 3_600_000 / u128::from(elapsed_ms.max(1));
        Self {
            bytes,
            bytes_per_hour: (elapsed_ms >= LEAST_FOR_A_RATE_MS)
                .then(|| u64::try_from(per_hour).unwrap_or(u64::MAX)),
        }
    }
}

/// How long a recording must be, in milliseconds, for its growth to mean anything.
const LEAST_FOR_A_RATE_MS: u64 = 10_000;

/// What is left out of the JSON form unless it is so.
const fn is_false(value: &bool) -> bool {
    !*value
}

impl Report {
    /// The verdict in one sentence, for the message of an assertion.
    pub fn summary(&self) -> String {
        sentences::headline(self)
    }

    /// The report of a judgement.
    pub fn new(identity: &RunIdentity, judgement: Judgement) -> Self {
        let run = judgement.run;
        let failed = judgement.failed_witnesses;
        let mut witnesses: Vec<WitnessLine> = run
            .iter()
            .flat_map(|run| &run.witnesses)
            .map(|witness| WitnessLine {
                witness: *witness,
                failed: None,
                off: None,
            })
            .collect();
        for (witness, reason) in failed {
            match witnesses.iter_mut().find(|line| line.witness == witness) {
                Some(line) => line.failed = Some(reason),
                None => witnesses.push(WitnessLine {
                    witness,
                    failed: Some(reason),
                    off: None,
                }),
            }
        }
        witnesses.extend(
            judgement
                .missing_witnesses
                .into_iter()
                .map(|witness| WitnessLine {
                    witness,
                    failed: None,
                    off: Some(untold(witness).to_owned()),
                }),
        );
        Self {
            schema: SCHEMA,
            scenario: ScenarioLine {
                name: identity.scenario.clone(),
                seed: identity.seed,
                time_scale: identity.time_scale,
                compress: identity.compress,
            },
            worker: WorkerLine {
                name: identity.worker.clone(),
                version: identity.worker_version.clone(),
                cleanup: identity.cleanup.clone(),
            },
            verdict: judgement.verdict,
            expected: judgement.expected,
            expected_findings: judgement.expected_findings,
            as_expected: judgement.as_expected,
            checkpoint: judgement.goes_on,
            cut_off: judgement.cut_off,
            load_stopped: judgement.load_stopped,
            recording: None,
            reasons: judgement.reasons,
            unexpected: judgement.unexpected,
            sessions: judgement.sessions,
            processes: judgement.processes,
            roles: judgement.roles,
            work: judgement.work,
            memory: judgement.memory,
            time_to_reap_ms: judgement.time_to_reap,
            end_answer_ms: judgement.end_answer,
            findings: judgement.findings,
            thresholds: judgement.thresholds,
            series: judgement.series,
            forecast: judgement.forecast,
            smallest_leak: judgement.smallest_leak,
            growth: judgement.growth,
            isolation: run.as_ref().map(|run| run.isolation),
            witnesses,
            overhead: Overhead {
                cpu_ms: identity.cpu_ms,
                ticks: judgement.ticks.taken,
                late_ticks: judgement.ticks.late,
                lost_ticks: judgement.ticks.lost,
                rss_bytes: identity.rss_bytes,
            },
            elapsed_ms: judgement.elapsed_ms,
            machine_memory_bytes: run.map_or(0, |run| run.memory_bytes),
            unbalanced: judgement.unbalanced,
            command: identity.command.clone(),
            made: identity.made.clone(),
            stories: Vec::new(),
            scenario_file: identity.scenario_file.clone(),
            started: identity.started.clone(),
        }
    }

    /// The signatures of everything that was found, for use as a baseline.
    pub fn signatures(&self) -> impl Iterator<Item = &str> {
        self.findings
            .iter()
            .map(|finding| finding.signature.as_str())
    }
}

#[cfg(test)]
mod escaping_tests;
#[cfg(test)]
pub(crate) mod examples;
#[cfg(test)]
pub(crate) mod hostile;
