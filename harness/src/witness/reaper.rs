//! The one waiter of the inner process, and the files that tell of endings.
//!
//! Nothing else in this process waits for a child: the worker, and every orphan that came to PID 1 or the subreaper, is reaped here.
//! The ends of all other processes are learned from pidfds the moment they happen, and how they ended from the zombie or, when its
//! parent was quicker, from the kernel.

use std::io;
use std::rc::{Rc, Weak};

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinHandle, spawn_local};

use super::Shared;
use super::roll::{Look, Roll};
use crate::platform;
use crate::timeline::event::Source;

/// Reaps every child of this process, those that have ended already first.
pub(super) fn reap_children(shared: &Rc<Shared>) -> io::Result<JoinHandle<()>> {
    let mut child_ended = signal(SignalKind::child())?;
    let shared = Rc::downgrade(shared);
    Ok(spawn_local(async move {
        loop {
            let Some(shared) = Weak::upgrade(&shared) else {
                return;
            };
            let reaped = reap_all(&mut shared.roll.borrow_mut());
            shared.flush().await;
            if let Err(error) = reaped {
                shared
                    .failed(
                        Source::Reaper,
                        format!("children cannot be reaped: {error}"),
                    )
                    .await;
            }
            drop(shared);
            if child_ended.recv().await.is_none() {
                return;
            }
        }
    }))
}

/// Reaps what waits for it now. A process that nobody knew is looked at while it still is a zombie.
pub(super) fn reap_all(roll: &mut Roll) -> io::Result<()> {
    while let Some(pid) = platform::dead_child()? {
        let look = roll.look(pid, Source::Reaper);
        let exit = platform::reap(pid)?;
        match look {
            Ok(Look::Ours(process)) => roll.reaped(process, exit),
            // A child of the harness that is not the run's, or one that cannot be looked at: it is reaped all the same.
            Ok(Look::Stranger | Look::Gone) | Err(_) => {}
        }
    }
    Ok(())
}

/// Tells the roll whenever a known process ends or was waited for.
pub(super) fn watch_endings(shared: &Rc<Shared>) -> JoinHandle<()> {
    let endings = shared.roll.borrow().endings();
    let shared = Rc::downgrade(shared);
    spawn_local(async move {
        let mut pids = Vec::new();
        loop {
            let Ok(mut ready) = endings.readable().await else {
                return;
            };
            let Some(shared) = Weak::upgrade(&shared) else {
                return;
            };
            ready.clear_ready();
            let mut looked = endings.get_ref().take(&mut pids);
            for &pid in &pids {
                let look = shared.roll.borrow_mut().look_for_end(pid, Source::Reaper);
                looked = looked.and(look);
            }
            shared.flush().await;
            if let Err(error) = looked {
                shared
                    .failed(
                        Source::Reaper,
                        format!("an ending cannot be looked at: {error}"),
                    )
                    .await;
            }
        }
    })
}
