//! A stand-in for the `claude` CLI: it speaks the stream-json protocol, and misbehaves on demand.
#![allow(missing_docs)]

pub mod behaviour;
pub mod control;
pub mod protocol;
pub mod quantity;

mod act;
mod alone;
mod answer;
mod arguments;
mod asked;
mod identity;
mod input;
mod left_behind;
mod link;
mod os;
mod output;
mod process;
mod session;
mod surroundings;
mod wrapper;

use std::env;
use std::ffi::OsString;

use arguments::Wanted;
use control::{Role, Why};
use os::Signals;
use output::Output;
use process::{Process, abandon};
use session::Session;
use surroundings::Surroundings;

/// The program.
pub fn main_impl() -> ! {
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => abandon(&format_args!("no signal can be heard: {error}"), 1),
    };
    let surroundings = match Surroundings::look() {
        Ok(surroundings) => surroundings,
        Err(error) => abandon(&error, 1),
    };
    let arguments: Vec<OsString> = env::args_os().collect();
    if surroundings.role == Role::Grandchild {
        left_behind::stay(Process::begin(surroundings, arguments, signals));
    }
    match arguments::parse(arguments.iter().skip(1).cloned()) {
        Ok(Wanted::Conversation(wanted)) => {
            let process = Process::begin(surroundings, arguments, signals);
            if process.behaviour.wrapper && process.role == Role::Primary {
                wrapper::wrap(process);
            }
            Session::new(process, *wanted).run()
        }
        Ok(Wanted::Version) => {
            print(&format!("{} (Claude Code)\n", protocol::outgoing::VERSION));
            Process::pass_by(surroundings, Role::Probe, &arguments, 0, Why::Done)
        }
        Ok(Wanted::Help) => {
            print(arguments::HELP);
            Process::pass_by(surroundings, Role::Probe, &arguments, 0, Why::Done)
        }
        Err(error) => {
            os::note(&format!("{error}\n"));
            let role = surroundings.role;
            Process::pass_by(surroundings, role, &arguments, 1, Why::Refused)
        }
    }
}

/// Writes the answer to a short question.
fn print(text: &str) {
    let mut output = Output::new(os::STDOUT);
    output.add(|out| out.extend_from_slice(text.as_bytes()));
    while !output.is_drained() {
        os::wait(&mut [output.watch()], None);
        output.flush();
    }
}
