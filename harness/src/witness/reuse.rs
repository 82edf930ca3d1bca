//! Pids that are given out again: what happens on a real machine once in a long while, made to happen at once.
//!
//! From the request on, the pid of the claude that went last, once it was waited for, is that of the next process of the PID namespace. The
//! kernel gives pids out in rising order from a mark that may be set, so the mark is set before the freed pid and kept there until
//! somebody has it: a thread counts too, and is as much a reuse of that pid as a process is.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::shared::Shared;
use super::{Witnesses, roll::Roll};
use crate::platform;
use crate::timeline::event::Source;

/// The time between two looks whether a dead claude was waited for, and whether its pid was taken.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

impl Witnesses {
    /// From now on the next process gets the pid of the claude that went last.
    ///
    /// # Errors
    ///
    /// The kernel does not let this process choose pids.
    pub fn reuse_pids(&self) -> io::Result<()> {
        platform::may_give_out_pids()?;
        self.shared.roll.borrow_mut().reuses_pids = true;
        let task = tokio::task::spawn_local(give_out_again(Rc::downgrade(&self.shared)));
        self.tasks.borrow_mut().push(task);
        Ok(())
    }
}

async fn give_out_again(shared: std::rc::Weak<Shared>) {
    let mut free = None;
    loop {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let changed = shared.changed();
        let outcome = give_out(&mut shared.roll.borrow_mut(), &mut free);
        shared.hand_over_soon();
        let waits = match outcome {
            Ok(waits) => waits,
            Err(error) => {
                let reason = format!("a pid cannot be given out again: {error}");
                shared.failed(Source::Run, reason).await;
                return;
            }
        };
        if waits {
            sleep(LOOK_AGAIN).await;
        } else {
            // Until a claude ends nothing is to be done; the time-out only lets this task see that all is over.
            let _ = timeout(Duration::from_secs(1), changed).await;
        }
    }
}

/// Notes which claudes were waited for, and sets the mark before the pid of the last one. Tells whether there is something to wait for.
fn give_out(roll: &mut Roll, free: &mut Option<u32>) -> io::Result<bool> {
    let dead = roll.dead_claudes();
    for pid in &dead {
        roll.look_for_end(*pid, Source::Reaper)?;
    }
    if let Some(pid) = roll.take_freed_pid() {
        *free = Some(pid);
    }
    if let Some(pid) = *free {
        if platform::stat_of(pid)?.is_some() {
            *free = None;
        } else {
            platform::give_out_next(pid)?;
        }
    } else if let Some(pid) = dead.last() {
        // Whoever waits for it may start the next process at once, sooner than anybody can see that it was waited for.
        platform::give_out_next(*pid)?;
    }
    Ok(free.is_some() || !dead.is_empty())
}
