//! `dies-of-garbage`: nobody catches what the parser throws.

use std::process;

use crate::model::log::Log;

/// Ends the daemon as an exception that nobody catches ends its runtime: at once, with code 1, whatever else is going on.
#[allow(
    clippy::disallowed_methods,
    reason = "that nothing is cleaned up is what this quirk is about"
)]
pub(in crate::model) fn die_of(error: &serde_json::Error) -> ! {
    Log::new(false).failure(error);
    process::exit(1)
}
