//! Where results and messages go: results alone to stdout, everything else to stderr. A reader who has gone is no error.
//!
//! Messages quote what nobody vouches for, such as the names of files and a worker's last words, so what controls a terminal is escaped
//! in all of them.

use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};

use super::exit_code::ExitCode;
use super::failure::Failure;
use crate::report::escape::plain;

/// Writes a result to stdout.
pub fn result(text: &str) -> Result<ExitCode, Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::internal(format_args!("stdout: {error}")))
        }
        _ => Ok(ExitCode::Expected),
    }
}

/// Writes a message to stderr.
pub fn note(message: impl fmt::Display) {
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(io::stderr(), "{}", harmless(&message.to_string()));
}

/// A text of one or more lines, in which nothing controls a terminal.
fn harmless(text: &str) -> String {
    text.split('\n').map(plain).collect::<Vec<_>>().join("\n")
}

/// Writes an error to stderr, with the program's name before it.
pub fn error(failure: &Failure) {
    let name = if colour(&io::stderr()) {
        "\x1b[1;31mleak-harness\x1b[0m"
    } else {
        "leak-harness"
    };
    let _ = writeln!(io::stderr(), "{name}: {}", harmless(&failure.to_string()));
}

/// Whether a stream is to be coloured: a terminal, and `NO_COLOR` (<https://no-color.org>) does not forbid it.
pub fn colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
