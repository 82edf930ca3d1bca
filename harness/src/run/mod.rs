//! One run: the only place that knows all the parts.
//!
//! The outer process ([`outer`]) launches the inner one, passes Ctrl-C on and shows progress; the inner process ([`inner`]) holds
//! the worker, the driver, the witnesses and the recorder. When the inner one has ended, [`judged`] reads the recording back from
//! disk and judges it: there is no second way to a verdict.

mod following;
mod given;
mod inner;
pub mod judged;
mod order;
mod outer;
mod rest;

pub use inner::inner;
pub use judged::{Baseline, JudgedError, judge};
pub use order::{Order, Progress, Told};
pub use outer::{PlaceWanted, RunError, Shown, Stopped, run};
