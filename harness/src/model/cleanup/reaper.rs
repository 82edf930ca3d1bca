//! Solution C, `reaper`: at intervals, kill every child of the daemon that is called claude and has been running for longer than
//! expected.
//!
//! Age says nothing about work. A leaked child lives on for up to an age and an interval; a session that is older than that and
//! still works is killed with the rest. Children are found by an enumeration that works on Unix, as for `session-diff`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::model::log::Log;
use crate::model::processes::ProcessManager;

/// The background task of the report.
#[derive(Debug)]
pub(in crate::model) struct OrphanReaper {
    pub(in crate::model) processes: Arc<ProcessManager>,
    pub(in crate::model) interval: Duration,
    pub(in crate::model) age: Duration,
    pub(in crate::model) log: Log,
}

impl OrphanReaper {
    /// Looks for ever; the first time after one interval.
    pub(in crate::model) async fn start(self) {
        let mut ticks = interval_at(Instant::now() + self.interval, self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let orphans = self.find_orphaned_claude_processes();
            for pid in &orphans {
                self.processes.force_kill(*pid);
            }
            if !orphans.is_empty() {
                self.log
                    .event(format_args!("reaper: killed {} children", orphans.len()));
            }
        }
    }

    fn find_orphaned_claude_processes(&self) -> Vec<u32> {
        let mut pids = self.processes.children_named_claude();
        pids.retain(|pid| self.processes.age(*pid).is_some_and(|age| age > self.age));
        pids
    }
}
