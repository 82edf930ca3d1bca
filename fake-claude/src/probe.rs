//! A short question, such as `--version`: it is answered at once, or never.

use std::ffi::OsString;

use crate::behaviour::Hang;
use crate::control::{Role, Why};
use crate::left_behind;
use crate::os::Signals;
use crate::print;
use crate::process::Process;
use crate::surroundings::Surroundings;

/// Answers with a text and ends, unless it was told to hang.
pub fn answer(
    surroundings: Surroundings,
    arguments: Vec<OsString>,
    signals: Signals,
    text: &str,
) -> ! {
    let surroundings = Surroundings {
        role: Role::Probe,
        ..surroundings
    };
    let mut process = Process::begin_briefly(surroundings, arguments, signals);
    if process.behaviour.hang == Some(Hang::Probe) {
        process.did("hang = probe".to_owned(), None);
        left_behind::stay(process);
    }
    print(text);
    process.exit(0, Why::Done, 0)
}
