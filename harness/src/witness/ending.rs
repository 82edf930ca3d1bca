//! The final cleaning: nothing of the run outlives it, and nothing else is touched.

use std::time::Duration;

use super::Witnesses;
use super::reaper::reap_all;
use crate::process::ProcessIdentity;
use crate::timeline::event::Source;

/// How often the table is looked at again before the cleaning gives up.
const ROUNDS: u32 = 60;
/// How long a round waits for news at the most; later rounds wait longer, up to this many times.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSES: u32 = 20;

/// What the cleaning did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaning {
    /// The processes that were killed.
    pub killed: Vec<ProcessIdentity>,
    /// The processes that live on in spite of it.
    pub left: Vec<ProcessIdentity>,
}

impl Witnesses {
    /// Ends every process of the run, the worker included, by SIGKILL to its pidfd, and looks again until nobody is left, no zombie
    /// either, and nobody new has come.
    pub async fn end_everything(&self) -> Cleaning {
        let mut cleaning = Cleaning::default();
        for round in 1..=ROUNDS {
            let changed = self.shared.changed();
            let looked = {
                let mut roll = self.shared.roll.borrow_mut();
                reap_all(&mut roll).and_then(|()| self.pass(&mut roll))
            };
            let living = self.living();
            let mut failure = looked.err();
            for &process in &living {
                let sent = self.shared.roll.borrow_mut().signal(process, libc::SIGKILL);
                match sent {
                    Ok(true) if !cleaning.killed.contains(&process) => {
                        cleaning.killed.push(process);
                    }
                    Ok(_) => {}
                    Err(error) => failure = Some(error),
                }
            }
            self.shared.flush().await;
            cleaning.left = living;
            if let Some(error) = failure {
                let reason = format!("the final cleaning has trouble: {error}");
                self.shared.failed(Source::Run, reason).await;
            } else if cleaning.left.is_empty() && self.shared.roll.borrow().is_empty() {
                break;
            }
            let pause = PAUSE * round.min(LONGEST_PAUSES);
            // Either something ended, which is worth a look, or the pause is over.
            let _ = tokio::time::timeout(pause, changed).await;
        }
        cleaning
    }
}
