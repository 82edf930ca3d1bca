//! The process table, sampled: one pass each tick over the kept-open files of the known processes and the list of pids.

use std::io;
use std::rc::Weak;

use fake_claude::quantity::Span;

use super::Witnesses;
use crate::platform::{self, Pids};
use crate::timeline::event::{EventKind, Source};
use crate::units::{Drift, RunTime};

/// A shorter tick would be nothing but sampling.
const SHORTEST_TICK: Span = Span::from_millis(1);

/// What a pass needs and keeps between two of them.
pub(super) struct Sampler {
    tick: Span,
    table: Pids,
    pids: Vec<u32>,
}

impl Sampler {
    pub(super) fn new(tick: Span) -> io::Result<Self> {
        Ok(Self {
            tick: tick.max(SHORTEST_TICK),
            table: Pids::open()?,
            pids: Vec::new(),
        })
    }
}

/// Takes a sample each tick, as long as the witnesses are there.
pub(super) async fn sample_for_ever(witnesses: Weak<Witnesses>) {
    let Some((clock, tick)) = witnesses.upgrade().map(|witnesses| {
        let tick = witnesses.sampler.borrow().tick;
        (*witnesses.shared.emitter.clock(), tick)
    }) else {
        return;
    };
    let mut due = clock.now();
    loop {
        tokio::time::sleep(clock.until(due)).await;
        let Some(witnesses) = witnesses.upgrade() else {
            return;
        };
        witnesses.sample_due(due).await;
        // Ticks that are over by now are not made up for: the sample that was late says by how much.
        let behind = clock.now().since(due).as_nanos() / tick.as_nanos();
        due = due + Span::from_nanos((behind + 1) * tick.as_nanos());
    }
}

impl Witnesses {
    /// Takes a sample now, beside the regular ones.
    pub async fn sample(&self) {
        if self.shared.switches.table {
            self.sample_due(self.shared.now()).await;
        }
    }

    async fn sample_due(&self, due: RunTime) {
        let late = self.shared.now().since(due);
        {
            let mut roll = self.shared.roll.borrow_mut();
            roll.ticks += 1;
            if let Some(bytes) = platform::resident_bytes() {
                roll.own_rss_bytes = Some(Drift::with(roll.own_rss_bytes, bytes));
            }
            let at = self.shared.now();
            let event = match self.pass(&mut roll) {
                Ok(()) => roll.sample(late, at),
                Err(error) => EventKind::SampleMissed {
                    reason: error.to_string(),
                },
            };
            // The sample holds for the moment at which the pass began; what the pass itself found stands before it.
            roll.learn_at(at, Source::Table, event);
        }
        self.shared.flush().await;
    }

    /// Compares the roll with the table, without taking a sample.
    pub(super) fn pass(&self, roll: &mut super::Roll) -> io::Result<()> {
        let mut sampler = self.sampler.borrow_mut();
        let Sampler { table, pids, .. } = &mut *sampler;
        if roll.reuses_pids {
            table.read(pids)?;
        } else {
            table.refresh(pids)?;
        }
        roll.compare(pids)
    }
}
