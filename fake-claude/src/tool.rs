//! A tool that signals somebody by mistake: it meant a server of its own, and its `kill $PPID` or `pkill -f` reaches claudes or their worker.
//!
//! Whoever is signalled is found by kinship and held open before it is looked at, never by name: the program that runs the tool, what
//! that program's caller has started of this very executable, or that caller.

use std::os::unix::process::parent_id;

use crate::behaviour::Mistaken;
use crate::control::Why;
use crate::os::{self, Held};
use crate::process::Process;

/// Signals and ends.
pub fn run(mut process: Process, whom: Mistaken) -> ! {
    let claude = parent_id();
    // One whose claude is gone has PID 1 or a stranger for its parent.
    if let Some(held) = Held::open(claude).filter(|it| it.is_of_this_program && it.parent > 1) {
        match whom {
            Mistaken::Parent => held.terminate(),
            Mistaken::Worker => {
                if let Some(worker) = Held::open(held.parent) {
                    worker.terminate();
                }
            }
            Mistaken::Siblings => os::processes()
                .into_iter()
                .filter(|pid| *pid != claude)
                .filter_map(Held::open)
                .filter(|other| other.is_of_this_program && other.parent == held.parent)
                .for_each(|sibling| sibling.terminate()),
        }
    }
    process.exit(0, Why::Done, 0)
}
