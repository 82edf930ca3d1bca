//! `leaves-helper`, `helper-unreaped`, `probe-forgotten`: processes that the daemon starts beside its claudes, and does not look after.
//!
//! All of them are the program that serves the sessions, in another of its parts: as `claude mcp serve`, `claude mcp list` and
//! `claude --version`. None is in the table of children, so nothing that ends or waits for children reaches them.

use std::os::fd::IntoRawFd;
use std::process::{Command, Stdio};

use crate::model::policy::Quirk;
use crate::model::service::WorkerService;
use crate::model::sessions::Opening;

/// The daemon has started.
pub(in crate::model) fn daemon_starts(service: &WorkerService) {
    if service.settings.has(Quirk::LeavesHelper) {
        start(service, &["mcp", "serve"]);
    }
}

/// A generator starts; with the one for its first prompt a session does.
pub(in crate::model) fn generator_starts(service: &WorkerService, opening: &Opening) {
    if opening.prompt_number > 1 {
        return;
    }
    if service.settings.has(Quirk::HelperUnreaped) {
        start(service, &["mcp", "list"]);
    }
    if service.settings.has(Quirk::ProbeForgotten) {
        start(service, &["--version"]);
    }
}

/// Starts the program with its stdin left open. It is waited for by nobody.
fn start(service: &WorkerService, arguments: &[&str]) {
    let mut command = Command::new(&service.settings.claude);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match command.spawn() {
        Ok(mut process) => {
            if let Some(stdin) = process.stdin.take() {
                // It stays open for as long as the daemon lives: that is the mistake.
                let _ = stdin.into_raw_fd();
            }
        }
        Err(error) => service.log.event(format_args!(
            "`claude {}` cannot be started: {error}",
            arguments.join(" ")
        )),
    }
}
