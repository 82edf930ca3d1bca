//! GracefulShutdown: the end of the daemon.
//!
//! As shipped it enumerates children on Windows alone and so leaves them all behind on Unix: their stdin closes with the daemon,
//! and a child that behaves exits by that, when it has finished its turn. One that does not behave becomes residue. The report's
//! fix enumerates on Unix too; it sees direct children alone, and what those have started stays.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::{Instant, timeout_at};

use super::policy::Quirk;
use super::processes::{Child, ProcessManager};
use super::quirks::sweeps;
use super::service::WorkerService;

/// Ends the children that shutdown finds. The server is closed already.
pub(super) async fn end_children(service: &WorkerService) {
    if service.settings.has(Quirk::TermsTheTree) {
        sweeps::end_what_children_started(&service.processes);
    }
    let children = service.processes.for_shutdown(service.settings.shutdown);
    if children.is_empty() {
        return;
    }
    service
        .log
        .event(format_args!("shutdown: ending {} children", children.len()));
    let processes = &service.processes;
    signal_all(processes, &children, processes.ladder.first);
    if !all_exit_within(&children, service.timing.kill_after).await && processes.ladder.kills {
        signal_all(processes, &children, Signal::SIGKILL);
        all_exit_within(&children, service.timing.exit_wait).await;
    }
}

fn signal_all(processes: &ProcessManager, children: &[Arc<Child>], signal: Signal) {
    for child in children {
        processes.signal(child, signal);
    }
}

async fn all_exit_within(children: &[Arc<Child>], limit: Duration) -> bool {
    let all = async {
        for child in children {
            child.exited().await;
        }
    };
    timeout_at(Instant::now() + limit, all).await.is_ok()
}
