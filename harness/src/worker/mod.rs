//! Workers: which one is meant, where it comes from, how it is started, asked and stopped.
//!
//! What one kind of worker needs is data, an [`Adapter`]; this module is the code that carries any adapter out. Workers are started
//! in the folder of a run and write nowhere else; they are never waited for here, because one waiter owns all reaping.

pub mod adapter;
mod cache;
mod check;
mod check_kind;
pub mod client;
mod environment;
mod error;
mod faulty;
mod folder;
mod hosts;
pub mod http;
mod inherit;
pub mod install;
mod install_error;
mod lines;
mod place;
pub mod programs;
mod provenance;
pub mod releases;
mod requests;
mod scaled;
mod settings;
mod spec;
mod start;
pub mod template;
#[cfg(test)]
mod tests;

pub use adapter::Adapter;
pub use cache::Cache;
pub use error::WorkerError;
pub use folder::RunFolder;
pub use install::{InstallError, install, installed};
pub use place::{Exit, ExitWatch, Place, Standing, System};
pub use programs::{ProgramMissing, find as find_program};
pub use spec::{ResolvedWorker, WorkerSpec};
pub use start::{Life, Worker};
