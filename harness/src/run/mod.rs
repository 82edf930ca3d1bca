//! One run: the only place that knows all the parts.
//!
//! The outer process ([`outer`]) launches the inner one, passes Ctrl-C on and shows progress; the inner process ([`inner`]) holds
//! the worker, the driver, the witnesses and the recorder. When the inner one has ended, [`judged`] reads the recording back from
//! disk and judges it: there is no second way to a verdict.

mod detected;
mod faults;
mod following;
mod given;
mod inner;
pub mod judged;
mod left;
mod order;
mod outer;
mod recorded;
mod rest;
mod steps;
mod telling;

pub use detected::{Detected, detected};
pub use inner::inner;
pub use judged::{Baseline, JudgedError, judge, judge_with_lanes};
pub use left::left_after_the_stop;
pub use order::{Order, Progress, Soak, Told};
pub use outer::{PlaceWanted, RunError, Shown, Signals, Stopped, run};
pub use recorded::{alive_after_the_load, recorded_end};
