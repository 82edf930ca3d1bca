//! Reproduces process leaks of agent daemons and guards against their return.

pub mod cli;
pub mod clock;
pub mod driver;
pub mod emitter;
pub mod isolation;
pub mod judge;
pub mod model;
pub mod platform;
pub mod process;
pub mod recording;
pub mod report;
pub mod run;
pub mod scenario;
pub mod strict_toml;
pub mod testing;
pub mod timeline;
pub mod units;
pub mod witness;
pub mod worker;
