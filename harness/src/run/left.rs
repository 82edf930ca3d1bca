//! What was left when the worker had stopped: a figure beside the books, in which a process stays in the bin of its first broken
//! obligation, whatever became of it at the end.

use std::collections::BTreeSet;
use std::path::Path;

use super::judged::JudgedError;
use crate::process::ProcessIdentity;
use crate::recording::Recording;
use crate::timeline::event::{Event, EventKind};

/// How many processes of a recording the harness had to end itself, when the worker had stopped and the time for its children to follow
/// was over; none when the run did not get so far.
///
/// # Errors
///
/// When the recording cannot be read.
pub fn left_after_the_stop(folder: &Path) -> Result<Option<u32>, JudgedError> {
    Ok(count(Recording::open(folder)?.events()?))
}

fn count(events: impl Iterator<Item = Event>) -> Option<u32> {
    let mut ended: Option<BTreeSet<ProcessIdentity>> = None;
    for event in events {
        match event.event {
            EventKind::ResiduePassed => ended = Some(BTreeSet::new()),
            EventKind::HarnessSignalled { process, .. } => {
                ended = ended.map(|mut ended| {
                    ended.insert(process);
                    ended
                });
            }
            _ => {}
        }
    }
    u32::try_from(ended?.len()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::notation::events;

    #[test]
    fn what_the_harness_had_to_end_after_the_worker_is_counted() {
        let history = "0s run; 0s worker 5; 1s seen 10 parent 5; 1s seen 11 parent 5; 1s seen 12 parent 5
            2s exited 10; 2s gone 10; 7s stop; 7s harness-signal 5 15; 7.1s exited 11; 7.1s worker-exit 5";
        assert_eq!(count(events(history).into_iter()), None);
        let whole =
            format!("{history}; 8.5s residue; 8.5s harness-signal 12 9; 8.6s exited 12; 9s over");
        assert_eq!(count(events(&whole).into_iter()), Some(1));
    }
}
