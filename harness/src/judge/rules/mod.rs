//! The rules: one question each, one file each. What a process's or an item's bin says is asked in the books; what else can be found is
//! asked here.

mod blind;
pub mod explain;
mod growth;
mod limit;
mod stalled;
mod storm;
mod twin;
mod worker_died;

pub(super) use blind::{CrossCheck, blind};
pub use growth::GrowthFigure;
pub(super) use growth::{Crowd, Growth, GrowthSummary};
pub use limit::Threshold;
pub(super) use limit::{Measured, limits};
pub(super) use stalled::stalled;
pub(super) use storm::{Strays, storm};
pub(super) use twin::twins;
pub(super) use worker_died::{Deaths, worker_died};
