//! A close look at live processes: what they really weigh, and who holds their stdin open.
//!
//! It costs milliseconds for each process, so it is done at checkpoints and for leftovers only, and lets others run in between.

use tokio::task::yield_now;

use super::Witnesses;
use crate::platform::{self, StdinHolderSearch};
use crate::process::ProcessIdentity;
use crate::timeline::event::{EventKind, Source};

impl Witnesses {
    /// Examines live processes of the run; those that are gone by then are left out. The open files of the whole tree, and of the
    /// harness itself, are looked through once for all of them.
    pub async fn examine(&self, processes: &[ProcessIdentity]) {
        if processes.is_empty() {
            return;
        }
        let mut search = StdinHolderSearch::new(processes);
        let own = platform::stat_of(std::process::id()).ok().flatten();
        let tree = self.living();
        for holder in own.map(|own| own.process).into_iter().chain(tree) {
            search.look_at(holder);
            yield_now().await;
        }
        for (process, stdin) in search.finish() {
            let pss_bytes = platform::pss_bytes(process.pid);
            // Only if the process still is the one on the roll was it the one that was looked at.
            let is_alive = self.shared.roll.borrow().rss_bytes(process).is_some();
            if is_alive {
                let event = EventKind::Examined {
                    process,
                    pss_bytes: pss_bytes.ok().flatten(),
                    stdin_holders: stdin.holders,
                    holders_known: stdin.known,
                };
                self.shared.roll.borrow_mut().learn(Source::Run, event);
                self.shared.flush().await;
            }
            yield_now().await;
        }
    }
}
