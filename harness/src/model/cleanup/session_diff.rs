//! Solution B, `session-diff`: which children are there before a session's generator starts, and which when it has ended? What is
//! new is killed, outright.
//!
//! As the report writes it, what is new includes the children of every session that began in between, and of the session's own
//! later prompts, whatever they are doing. That is the flaw that this policy is here to show. It needs an enumeration of children
//! that works on Unix; the one that shutdown uses, and which finds nothing there, is another function.

use std::collections::HashSet;

use crate::model::processes::ProcessManager;

/// The children that were there before.
#[derive(Debug)]
pub(in crate::model) struct PreExisting(HashSet<u32>);

impl PreExisting {
    /// Looks, before the generator starts.
    pub(in crate::model) fn look(processes: &ProcessManager) -> Self {
        Self(processes.children_named_claude().into_iter().collect())
    }

    /// Kills what is new, after the generator has ended; says how many that were.
    pub(in crate::model) fn kill_what_is_new(&self, processes: &ProcessManager) -> usize {
        let mut new = processes.children_named_claude();
        new.retain(|pid| !self.0.contains(pid));
        for pid in &new {
            processes.force_kill(*pid);
        }
        new.len()
    }
}
