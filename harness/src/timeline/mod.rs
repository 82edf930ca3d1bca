//! What happened in a run, as facts in one order.

pub mod alive;
pub mod event;
#[cfg(test)]
pub(crate) mod notation;
