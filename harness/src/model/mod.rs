//! The model worker: a daemon that starts one `claude` for each prompt of each session, and leaks as the report says.
//!
//! It speaks the HTTP dialect of claude-mem v9.0.0, so one adapter drives both, and it is built of the parts that the report
//! names. It needs no network and no runtime, and it is a program of its own: of this module the harness sees [`policy`] alone.
//!
//! ```text
//! server ─ routes, data_routes      HTTP: answers and forgets; whatever it accepted is on disk before it answers
//!    │
//! sessions ─ pending, memory        who is active, what waits, what came of it
//!    │
//! generator                         the promise around one run of the agent: its catch, its finally, its restart
//!    │
//! sdk_agent ─ prompts, responses    the message generator, and what is done with each answer
//!    │
//! query ─ stream, child_stdio       one `claude`: its arguments, its lines, when its iterator ends
//!    │
//! processes                         every child, until it was waited for; enumeration; signals
//! ```
//!
//! `slots` says how many claudes may live at once, where that is limited; `cleanup` holds the proposed cures, one file each, `quirks` the
//! mistakes that others have made, and `shutdown` the end of the daemon.
//!
//! **One thread.** Everything runs on a single-threaded runtime; there is no thread for a session or for a child, and nothing
//! polls. State that the HTTP framework must be able to share is behind locks that are never contended and never held over an
//! `await`.
//!
//! **Two mechanisms, kept apart.** *Complete*: somebody says that the session is over; its message generator ends, the answers
//! that are due are waited for, the iterator of `query()` ends, and the `finally` with its cleanup runs. *Abandon*: nobody says
//! anything; the generator waits for ever and no `finally` is ever reached. What sits in the `finally` (`tracked`,
//! `session-diff`, `close`) cures the first alone; `reaper` and `idle` reach the second.

mod child_stdio;
mod cleanup;
mod completion;
mod data_routes;
mod generator;
mod json_lines;
mod log;
mod memory;
mod pending;
pub mod policy;
mod privacy;
mod processes;
mod prompts;
mod query;
mod quirks;
mod responses;
mod routes;
mod sdk_agent;
mod server;
mod service;
mod sessions;
mod settings;
mod shutdown;
mod slots;
mod stream;

use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};

use clap::Parser;

use settings::Settings;

/// Runs the model worker as its command line says, until it is told to stop.
pub fn main() -> ExitCode {
    let settings = Settings::parse();
    let log = log::Log::new(settings.log);
    match service::run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.failure(&error);
            ExitCode::FAILURE
        }
    }
}

/// Takes a lock. A panic elsewhere does not make the data behind it wrong: every change is complete before anything can panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
