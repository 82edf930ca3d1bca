//! Reproduces process leaks of agent daemons and guards against their return.
//!
//! ```text
//! Driver  ──► sessions, work, the worker's life ──┐
//! Witnesses ► samples, exits, orphans ────────────┼─► one bounded channel ─► Recorder ─► recording on disk
//! fakes ────► hello, work seen, EOF, signals ─────┘
//!
//! recording ─► Judge (a pure fold) ─► Judgement ─► Report ─► terminal | JSON | JUnit | Markdown | HTML
//! ```
//!
//! Most users want the program `leak-harness`; tests of other daemons want [`testing::Harness`]. `ARCHITECTURE.md` is the map of the
//! modules, their order, and the invariants.
//!
//! # Judging a recording
//!
//! The judge knows no clock and no process, so any recording can be judged anywhere, live, finished or cut off:
//!
//! ```no_run
//! use leak_harness::judge::{Expectations, Judge};
//! use leak_harness::recording::Recording;
//! use leak_harness::scenario::Scenario;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let recording = Recording::open("reports/603".as_ref())?;
//! let scenario = Scenario::parse("scenario.toml", &recording.scenario)?;
//! let mut judge = Judge::new(&Expectations::of(&scenario));
//! for event in recording.events()? {
//!     judge.see(&event);
//! }
//! let judgement = judge.finish();
//! println!("{}: {} of {} retained", judgement.verdict, judgement.processes.retained, judgement.processes.spawned);
//! # Ok(())
//! # }
//! ```

pub mod attach;
pub mod batch;
pub mod bisect;
pub mod cli;
pub mod clock;
pub mod compare;
pub mod driver;
pub mod emitter;
pub mod explore;
pub mod gym;
pub mod isolation;
pub mod judge;
pub mod matrix;
pub mod model;
pub mod platform;
pub mod process;
pub mod recording;
pub mod report;
pub mod run;
pub mod scenario;
pub mod screen;
pub mod soak;
pub mod strict_toml;
pub mod testing;
pub mod timeline;
pub mod units;
pub mod witness;
pub mod worker;
