//! A wrapper, as package runners are: the real program is its child on the same stdin, stdout and stderr. It waits for the child and
//! exits as the child does; a signal ends the wrapper alone, and the child is left to whoever inherits it.

use std::os::unix::process::ExitStatusExt;

use crate::control::{Role, Why};
use crate::os::{self, Kinship, Watch};
use crate::process::{Process, abandon};

/// Starts the payload and waits for it.
pub fn wrap(mut process: Process) -> ! {
    let what = "wrapper = true".to_owned();
    let Some(payload) = process.start(Role::Payload, Kinship::Heir, what) else {
        abandon(&"the wrapped program did not start", 1);
    };
    loop {
        let mut watched = [process.watch_link(), Watch::readable(process.signals.fd())];
        os::wait(&mut watched, None);
        if watched[0].is_ready() {
            process.take_orders();
        }
        if process.behaviour.wrapper_obeys {
            process.behaviour.ignore.clear();
        }
        while let Some(arrived) = process.signals.next() {
            if arrived.signal != os::SIGCHLD
                && let Some(code) = process.heed(arrived, 0)
            {
                process.exit(code, Why::Signal, 0);
            }
        }
        // Looked at each time: a signal of a child's end can stand for several.
        while let Some((pid, status)) = os::reap() {
            if pid == payload {
                let code = status
                    .code()
                    .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
                process.exit(code, Why::Done, 0);
            }
        }
    }
}
