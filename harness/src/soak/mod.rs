//! Long runs: a scenario whose load goes on for a time, and the figures of one that goes on as OpenMetrics.

pub mod metrics;
mod scenario;
pub mod screen;
mod server;

pub use metrics::Metrics;
pub use scenario::{NoTime, for_a_time};
pub use server::{Listener, MetricsError, Serving};
