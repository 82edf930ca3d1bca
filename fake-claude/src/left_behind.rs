//! What a fake leaves behind: a process that does nothing, holds nothing of its parent's, and ends by a signal or with its harness.

use crate::control::Why;
use crate::os::{self, Watch};
use crate::process::{Process, note};

/// Stays until something ends it.
pub fn stay(mut process: Process) -> ! {
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
