//! `helper-per-session`: a server of tools for each session, of which no session is the end.

use std::process::{Command, Stdio};

use crate::model::policy::Quirk;
use crate::model::service::WorkerService;

/// Starts a helper for a session that has just begun, where the quirk asks for one.
pub(in crate::model) fn start(service: &WorkerService, prompt_number: Option<u32>) {
    if !service.settings.has(Quirk::HelperPerSession) || prompt_number != Some(1) {
        return;
    }
    let mut command = Command::new(&service.settings.claude);
    command
        .args(["mcp", "serve"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Err(error) = service.processes.spawn(&mut command) {
        service.log.event(format_args!("no helper: {error}"));
    }
}
