//! From a recording on disk to a report: the one way to a verdict.

use std::collections::BTreeSet;
use std::path::Path;

use crate::judge::lanes::Lanes;
use crate::judge::{Expectations, GrowthFigure, Judge};
use crate::recording::{Manifest, Overhead, Recording, RecordingError};
use crate::report::story::Stories;
use crate::report::{Made, RecordingSize, Report, RunIdentity};
use crate::scenario::Scenario;
use crate::strict_toml::TomlError;

/// Why a recording cannot be judged.
#[derive(Debug)]
pub enum JudgedError {
    /// It cannot be read.
    Recording(RecordingError),
    /// Its scenario, or a change of it, is not understood.
    Scenario(TomlError),
}

impl From<RecordingError> for JudgedError {
    fn from(error: RecordingError) -> Self {
        Self::Recording(error)
    }
}

impl From<TomlError> for JudgedError {
    fn from(error: TomlError) -> Self {
        Self::Scenario(error)
    }
}

/// What an earlier report knows: its findings, and how its figures grew.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    /// The signatures of its findings.
    pub signatures: BTreeSet<String>,
    /// What it measured of the figures that may grow.
    pub growth: Vec<GrowthFigure>,
}

impl Baseline {
    /// What a report knows.
    pub fn of(report: Report) -> Self {
        Self {
            signatures: report.signatures().map(str::to_owned).collect(),
            growth: report.growth,
        }
    }
}

/// Judges a recording by its own scenario, with changes of single keys where they are asked for.
///
/// # Errors
///
/// When the recording cannot be read, or when a change does not fit its scenario.
pub fn judge(folder: &Path, changes: &[String], known: Baseline) -> Result<Report, JudgedError> {
    Ok(judge_as(folder, changes, known, Judge::new)?.0)
}

/// As [`judge`], and keeps the course of single sessions and processes for a picture.
///
/// # Errors
///
/// As [`judge`].
pub fn judge_with_lanes(
    folder: &Path,
    changes: &[String],
    known: Baseline,
) -> Result<(Report, Lanes), JudgedError> {
    judge_as(folder, changes, known, |expectations| {
        Judge::new(expectations).keeping_lanes()
    })
}

fn judge_as(
    folder: &Path,
    changes: &[String],
    known: Baseline,
    judge: impl FnOnce(&Expectations) -> Judge,
) -> Result<(Report, Lanes), JudgedError> {
    let recording = Recording::open(folder)?;
    let manifest = &recording.manifest;
    let (scenario, _) =
        Scenario::parse_with(&manifest.scenario_file, &recording.scenario, changes)?;
    let expectations = Expectations::of(&scenario)
        .with_baseline(known.signatures)
        .with_baseline_growth(known.growth);
    let mut judge = judge(&expectations);
    let goes_on = recording.is_being_recorded();
    let mut events = recording.events()?;
    for event in events.by_ref() {
        judge.see(&event);
    }
    let identity = identity(&scenario, &recording.scenario, manifest, recording.overhead);
    // Whether it goes on is asked before its end could have been read.
    let mut judgement = if goes_on {
        judge.so_far_judged()
    } else {
        judge.finish()
    };
    let lanes = std::mem::take(&mut judgement.lanes);
    let mut report = Report::new(&identity, judgement);
    if scenario.load.lasts.is_some() {
        report.recording = Some(RecordingSize::of(recording.bytes(), report.elapsed_ms));
    }
    let mut stories = Stories::of(&report);
    if !stories.are_none() {
        for event in recording.events()? {
            stories.see(&event);
        }
    }
    report.stories = stories.finish();
    Ok((report, lanes))
}

/// What a judgement does not know of its run.
pub(super) fn identity(
    scenario: &Scenario,
    text: &str,
    manifest: &Manifest,
    overhead: Option<Overhead>,
) -> RunIdentity {
    RunIdentity {
        scenario: scenario.name.clone(),
        seed: manifest.seed,
        time_scale: scenario.run.time_scale,
        compress: scenario.load.compress,
        worker: manifest.worker.clone(),
        worker_version: Some(manifest.worker_version.clone()).filter(|version| !version.is_empty()),
        cleanup: manifest.cleanup.clone(),
        command: manifest.again.clone(),
        cpu_ms: overhead.map(|overhead| overhead.cpu_ms),
        rss_bytes: overhead.and_then(|overhead| overhead.rss_bytes),
        made: Made {
            harness: manifest.harness.clone(),
            kernel: manifest.kernel.clone(),
            cores: manifest.cores,
            runtime: manifest.runtime.clone(),
            install: manifest.install.clone(),
            settings: manifest.settings.clone(),
            stop: manifest.stop.clone(),
            description: scenario.description.clone(),
            should: scenario.should.clone(),
            impact: scenario.impact.clone(),
            issue: scenario.issue.clone(),
            scenario: text.to_owned(),
        },
        // A path of this machine says nothing elsewhere.
        scenario_file: Some(manifest.scenario_file.clone())
            .filter(|file| !file.is_empty() && Path::new(file).is_relative()),
        started: Some(manifest.started.clone()).filter(|started| !started.is_empty()),
    }
}
