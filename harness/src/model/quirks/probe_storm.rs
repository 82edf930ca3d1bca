//! `probe-storm`: is claude there? Each request asks anew.

use std::process::{Command, Stdio};

use crate::model::policy::Quirk;
use crate::model::service::WorkerService;

/// Starts a probe where the quirk asks for one. It is waited for as every child is.
pub(in crate::model) fn probe(service: &WorkerService) {
    if !service.settings.has(Quirk::ProbeStorm) {
        return;
    }
    let mut command = Command::new(&service.settings.claude);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Err(error) = service.processes.spawn(&mut command) {
        service.log.event(format_args!("no probe: {error}"));
    }
}
