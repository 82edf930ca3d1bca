//! The course of single sessions and processes, as data for the page's script.

use super::embed::script_json;
use crate::judge::lanes::Lanes;

/// The lanes as JSON for a script element.
pub(super) fn data(lanes: &Lanes) -> Result<String, serde_json::Error> {
    script_json(&lanes.sessions.len())
}
