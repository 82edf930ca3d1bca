//! Single facts of a finished run, read from its recording, which stand in no report.

use std::path::Path;

use fake_claude::quantity::Span;

use super::judged::JudgedError;
use crate::recording::Recording;
use crate::scenario::{End, Scenario};
use crate::timeline::alive::alive_after;

/// How the sessions of a run ended: what its scenario, as it was run, says.
///
/// # Errors
///
/// When the recording cannot be read.
pub fn recorded_end(folder: &Path) -> Result<End, JudgedError> {
    let recording = Recording::open(folder)?;
    let file = &recording.manifest.scenario_file;
    let (scenario, _) = Scenario::parse_with(file, &recording.scenario, &[])?;
    Ok(scenario.load.end)
}

/// How many claudes, and what descends from them, lived so long after the last session's end; see [`alive_after`].
///
/// # Errors
///
/// When the recording cannot be read.
pub fn alive_after_the_load(
    folder: &Path,
    spans: &[Span],
) -> Result<Vec<Option<u32>>, JudgedError> {
    Ok(alive_after(Recording::open(folder)?.events()?, spans))
}
