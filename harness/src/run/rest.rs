//! What the run itself follows while facts pass by on their way to the recorder: who still owes work, and when something last happened.
//! It decides when to look for rest, never what is judged.

use std::collections::{BTreeMap, BTreeSet};

use fake_claude::control::Say;
use fake_claude::quantity::Span;

use crate::process::{ProcessIdentity, ProcessState};
use crate::timeline::event::{Event, EventKind, Source};
use crate::units::RunTime;

/// The state of work and sessions.
#[derive(Debug, Default)]
pub struct Rest {
    owed: BTreeMap<ProcessIdentity, BTreeSet<String>>,
    /// The moment at which work was last handed over, begun or done.
    pub last_activity: RunTime,
    /// The moment at which a fake last read work, or began or ended a turn.
    pub last_work: RunTime,
    /// Processes that the harness keeps from running, and since when.
    paused: BTreeMap<ProcessIdentity, RunTime>,
    /// Sessions that ended or stalled.
    pub sessions_done: u32,
    /// The last moment at which any session's grace ends.
    grace_ends: RunTime,
    /// When the last session so far ended.
    pub last_end: RunTime,
    /// Dead processes that nobody has waited for, and the moment at which they should have been.
    zombies: BTreeMap<ProcessIdentity, RunTime>,
}

impl Rest {
    /// Follows one fact. `grace_ends` is the moment at which the grace of a session or process that ends by this fact will be over.
    pub fn see(&mut self, event: &Event, grace_ends: RunTime) {
        match &event.event {
            EventKind::ProcessExited { process, .. } => {
                self.zombies.insert(*process, grace_ends);
            }
            // Without the reaper only the table tells of the dead.
            EventKind::Sampled { changed, .. } => {
                for row in changed {
                    if row.state == ProcessState::Zombie {
                        self.zombies.entry(row.process).or_insert(grace_ends);
                    }
                }
            }
            EventKind::ProcessGone { process } => {
                self.zombies.remove(process);
            }
            _ => {}
        }
        match &event.event {
            EventKind::SessionEnded { .. } => {
                self.sessions_done += 1;
                self.grace_ends = self.grace_ends.max(grace_ends);
                self.last_end = self.last_end.max(event.at);
            }
            EventKind::ProcessPaused { process } => {
                self.paused.insert(*process, event.at);
            }
            EventKind::ProcessContinued { process } => {
                if let Some(since) = self.paused.remove(process) {
                    // The judge gives the time back that was taken.
                    self.grace_ends = self.grace_ends + event.at.since(since);
                }
                self.last_activity = self.last_activity.max(event.at);
            }
            EventKind::Said { process, say } => {
                if matches!(
                    say,
                    Say::SawWork { .. } | Say::TurnStarted { .. } | Say::TurnEnded { .. }
                ) {
                    self.last_work = self.last_work.max(event.at);
                }
                match say {
                    Say::SawWork { markers, .. } => self
                        .owed
                        .entry(*process)
                        .or_default()
                        .extend(markers.iter().cloned()),
                    Say::TurnEnded { markers, .. } => {
                        if let Some(owed) = self.owed.get_mut(process) {
                            owed.retain(|item| !markers.contains(item));
                        }
                    }
                    _ => {}
                }
                self.last_activity = self.last_activity.max(event.at);
            }
            EventKind::ProcessExited { process, .. }
            | EventKind::ProcessGone { process }
            | EventKind::LifelineLost { process } => {
                self.owed.remove(process);
            }
            // Looking is no work.
            EventKind::Drained { .. }
            | EventKind::LookedAgain { .. }
            | EventKind::WorkStored { .. }
            | EventKind::WorkKept { .. }
            | EventKind::StoreRead { .. } => {}
            _ if event.source == Source::Driver => {
                self.last_activity = self.last_activity.max(event.at)
            }
            _ => {}
        }
    }

    /// The last moment at which any grace ends: that of a session, or of a dead process whose parent has not waited for it yet.
    pub fn grace_ends(&self) -> RunTime {
        self.zombies
            .values()
            .fold(self.grace_ends, |last, end| last.max(*end))
    }

    /// How many work items living fakes have read and not answered: those that may still be answered, and those that hang. A fake that
    /// works says something now and then; when all have been silent for longer than that takes, those that owe work hang.
    pub fn owed(&self, now: RunTime, longest_silence: Span) -> Owed {
        let items = self.owed.values().map(|items| items.len() as u64).sum();
        if now.since(self.last_activity) > longest_silence {
            Owed {
                working: 0,
                hanging: items,
            }
        } else {
            Owed {
                working: items,
                hanging: 0,
            }
        }
    }
}

/// Work items that living fakes have read and not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owed {
    /// Those that may still be answered.
    pub working: u64,
    /// Those of fakes that hang.
    pub hanging: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::notation::events;

    fn rest_after(history: &str) -> Rest {
        let mut rest = Rest::default();
        for event in events(history) {
            rest.see(&event, RunTime::START);
        }
        rest
    }

    #[test]
    fn what_a_fake_says_about_work_is_work_and_its_farewell_is_none() {
        let rest = rest_after("1s hello 10 primary; 2s work 10 observation a; 3s bye 10 eof");
        assert_eq!(rest.last_work, RunTime::from_millis(2_000));
        assert_eq!(rest.last_activity, RunTime::from_millis(3_000));
        let rest = rest_after("1s turn 10 1 observation a; 2s done 10 1 observation a");
        assert_eq!(rest.last_work, RunTime::from_millis(2_000));
    }

    #[test]
    fn looking_at_what_is_stored_keeps_nothing_from_its_rest() {
        let rest = rest_after(
            "1s accept a; 2s drained quiet; 2s stored a 1; 2s kept b; 2s store observation complete; 3s again quiet",
        );
        assert_eq!(rest.last_activity, RunTime::from_millis(1_000));
    }
}
