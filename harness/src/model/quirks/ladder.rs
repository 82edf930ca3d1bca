//! `term-only`, `interrupt-only`, `signals-the-group`: how far the daemon goes with a child that has to go.

use nix::sys::signal::Signal;

use crate::model::policy::Quirk;

/// The steps by which a child is ended.
#[derive(Debug, Clone, Copy)]
pub(in crate::model) struct Ladder {
    /// The polite step.
    pub(in crate::model) first: Signal,
    /// Whether SIGKILL follows for a child that does not obey.
    pub(in crate::model) kills: bool,
    /// Whether each child leads a process group, and signals go to that.
    pub(in crate::model) by_group: bool,
}

impl Ladder {
    pub(in crate::model) fn of(quirks: &[Quirk]) -> Self {
        let interrupts = quirks.contains(&Quirk::InterruptOnly);
        Self {
            first: if interrupts {
                Signal::SIGINT
            } else {
                Signal::SIGTERM
            },
            kills: !interrupts && !quirks.contains(&Quirk::TermOnly),
            by_group: quirks.contains(&Quirk::SignalsTheGroup),
        }
    }
}
