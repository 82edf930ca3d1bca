//! The only reader of time.

use std::time::Duration;

use fake_claude::quantity::Span;

use crate::units::RunTime;

/// Ties the moments of a run to the monotonic clock, which is the same for every process of the machine.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started_ns: u64,
}

impl Clock {
    /// A clock whose run starts now.
    pub fn start() -> Self {
        Self {
            started_ns: monotonic_ns(),
        }
    }

    /// The moment of the run that is now.
    pub fn now(&self) -> RunTime {
        self.at(monotonic_ns())
    }

    /// The moment of the run at a reading of the monotonic clock, as fakes send them; the start for an earlier one.
    pub const fn at(&self, monotonic_ns: u64) -> RunTime {
        RunTime(monotonic_ns.saturating_sub(self.started_ns))
    }

    /// The time from now until a moment; nothing when it has passed.
    pub fn until(&self, moment: RunTime) -> Duration {
        Span::from_nanos(moment.0.saturating_sub(self.now().0)).into()
    }
}

/// The reading of the system's monotonic clock (`CLOCK_MONOTONIC`), in nanoseconds.
pub fn monotonic_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live timespec, and the clock id is one that every Unix has.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The wall clock's time now, for file names and the anchor of a recording.
pub fn wall_time() -> jiff::Zoned {
    jiff::Zoned::now()
}
