//! A stand-in for the `claude` CLI: it speaks the stream-json protocol, and misbehaves on demand.
//!
//! Towards its caller it is the real program: the same options, the same lines on stdout in the same order, the same exit codes. It
//! answers a memory worker's prompts with the XML that was asked for, and anything else with a short text. No model and no network
//! are involved. `README.md` tells how to use it alone; what follows is the contract with a harness.
//!
//! # Who listens
//!
//! A file [`control::SOCKET_FILE`] beside the executable, *as it was called* (links are not followed), holds the path of a Unix socket;
//! where there is no file, the variable [`control::SOCKET_VARIABLE`] names it. A socket that is named must be reachable: a fake
//! whose harness is gone exits with code 1. Where nothing is named, the fake is alone: it reads a behaviour file, writes its
//! statements to a journal if there is one, and ends after ten idle minutes.
//!
//! # What is said
//!
//! Every line on the connection is one JSON object; [`control`] has their types. The order is this:
//!
//! 1. The fake says [`Hello`](control::Say::Hello) and waits for [`Behave`](control::Order::Behave), at most thirty seconds. Signals
//!    wait meanwhile, since the order says what becomes of them. A ballast file comes as `SCM_RIGHTS` with the order's first byte; its
//!    size is the amount of memory, and it is mapped at once.
//! 2. For each message on stdin it says [`SawWork`](control::Say::SawWork). Before the first that names a session (another one than
//!    so far) it says [`Serves`](control::Say::Serves), and begins no turn until one more `Behave` has come. What the session is called on
//!    stdout is another matter: that id is the conversation's own.
//! 3. For each turn it says [`TurnStarted`](control::Say::TurnStarted) before anything is written, and
//!    [`TurnEnded`](control::Say::TurnEnded) when the result has left the process whole, or never will. A turn that merges messages of
//!    several kinds says both once for each kind, under the same number.
//! 4. Signals, the end of stdin and misbehaviours are said as they happen; a death that was planned is said before it.
//! 5. [`Goodbye`](control::Say::Goodbye) comes last. A connection that ends without one is a death that nobody planned.
//!
//! A further `Behave` may come at any time and holds from then on. One that makes no sense ends the fake with code 70.
//!
//! The harness, too, must be ready for an end that shows as a reset: whoever exits with an order unread causes one.
//!
//! # The lifeline
//!
//! When the connection ends, the fake exits at once, whatever it was told to ignore and wherever it is: starting, hanging, or with a
//! stdout that nobody reads. What it leaves behind is this same program in another role, with a connection of its own.
//!
//! # Roles
//!
//! A worker starts a *primary*. As a wrapper it starts a *payload* on its own stdin, stdout and stderr, exits as that does, and keeps
//! signals to itself. What `leave` and `storm` start are *grandchildren*: they hold no stdio of anybody, know the session, ignore
//! SIGHUP, and stay; one of them is there to die and to be forgotten (`leave = "zombie"`), and what `tool_kills` starts is there to send a
//! signal. A *helper* is what `mcp serve` and `mcp list`
//! start: the former stays until it is ended, the latter ends at once. A *probe* asks for the version or for help: it says hello, waits a
//! moment for an order that may let it hang, and goes on without one.

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
mod probe;
mod process;
mod session;
mod surroundings;
mod tool;
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

/// What `mcp list` says.
const NO_SERVERS: &str = "No MCP servers configured. Use `claude mcp add` to add a server.\n";

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
            let version = format!("{} (Claude Code)\n", protocol::outgoing::VERSION);
            probe::answer(surroundings, arguments, signals, &version)
        }
        Ok(Wanted::Help) => probe::answer(surroundings, arguments, signals, arguments::HELP),
        Ok(Wanted::ServerList) => {
            print(NO_SERVERS);
            Process::pass_by(surroundings, Role::Helper, &arguments, 0, Why::Done)
        }
        Ok(Wanted::Server) => {
            let surroundings = Surroundings {
                role: Role::Helper,
                ..surroundings
            };
            left_behind::stay(Process::begin(surroundings, arguments, signals))
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
