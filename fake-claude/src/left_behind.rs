//! What a fake leaves behind: a process that does nothing, holds nothing of its parent's, and ends by a signal or with its harness. A
//! helper of a worker is such a process too, and so is a probe that hangs.

use crate::behaviour::Leave;
use crate::control::{Role, Why};
use crate::os::{self, Watch};
use crate::process::{Process, note};
use crate::tool;

/// Stays until something ends it, unless it is there only to die and to be forgotten.
pub fn stay(mut process: Process) -> ! {
    if process.role == Role::Grandchild && process.behaviour.leave == Some(Leave::Zombie) {
        process.exit(0, Why::Done, 0);
    }
    if let (Role::Grandchild, Some(whom)) = (process.role, process.behaviour.tool_kills) {
        tool::run(process, whom);
    }
    let idle_end = process
        .idle
        .map(|idle| os::monotonic_ns().saturating_add(idle.as_nanos()));
    loop {
        let mut watched = [process.watch_link(), Watch::readable(process.signals.fd())];
        let now = os::monotonic_ns();
        os::wait(&mut watched, idle_end.map(|end| end.saturating_sub(now)));
        if watched[0].is_ready() {
            process.take_orders();
        }
        while let Some(arrived) = process.signals.next() {
            if arrived.signal != os::SIGCHLD
                && let Some(code) = process.heed(arrived, 0)
            {
                process.exit(code, Why::Signal, 0);
            }
        }
        if let (Some(idle), Some(end)) = (process.idle, idle_end)
            && os::monotonic_ns() >= end
        {
            note(&format_args!("left behind for {idle} without a harness"));
            process.exit(0, Why::Idle, 0);
        }
    }
}
