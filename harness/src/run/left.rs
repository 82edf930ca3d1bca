//! What was left when the worker had stopped: a figure beside the books, in which a process stays in the bin of its first broken
//! obligation, whatever became of it at the end.

use std::collections::BTreeSet;
use std::path::Path;

use super::judged::JudgedError;
use crate::process::ProcessIdentity;
use crate::recording::Recording;
use crate::timeline::event::{Event, EventKind};

/// How many processes of a recording lived when the worker had stopped and the time for its children to follow was over; none when the
/// run did not get so far.
///
/// # Errors
///
/// When the recording cannot be read.
pub fn left_after_the_stop(folder: &Path) -> Result<Option<u32>, JudgedError> {
    Ok(count(Recording::open(folder)?.events()?))
}

fn count(events: impl Iterator<Item = Event>) -> Option<u32> {
    let mut living: BTreeSet<ProcessIdentity> = BTreeSet::new();
    let mut workers = BTreeSet::new();
    for event in events {
        match event.event {
            EventKind::WorkerStarted { process } => {
                workers.insert(process);
            }
            EventKind::ProcessSeen { process, .. } => {
                living.insert(process);
            }
            EventKind::ProcessGone { process }
            | EventKind::ProcessExited { process, .. }
            | EventKind::ProcessReaped { process, .. }
            | EventKind::WorkerExited { process, .. } => {
                living.remove(&process);
            }
            EventKind::ResiduePassed => {
                return u32::try_from(living.difference(&workers).count()).ok();
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::notation::events;

    #[test]
    fn what_lives_when_the_worker_has_stopped_is_counted() {
        let history = "0s run; 0s worker 5; 0s seen 5 parent 1; 1s seen 10 parent 5; 1s seen 11 parent 5; 1s seen 12 parent 5
            2s exited 10; 2s gone 10; 7s stop; 7.1s exited 11; 7.1s worker-exit 5";
        assert_eq!(count(events(history).into_iter()), None);
        let whole = format!("{history}; 8.5s residue; 8.6s exited 12; 9s over");
        assert_eq!(count(events(&whole).into_iter()), Some(1));
    }
}
