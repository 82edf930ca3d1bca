//! Where results and messages go: results alone to stdout, everything else to stderr. A reader who has gone is no error.

use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};

use super::exit_code::ExitCode;
use super::failure::Failure;

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
    let _ = writeln!(io::stderr(), "{message}");
}

/// Writes an error to stderr, with the program's name before it.
pub fn error(failure: &Failure) {
    let name = if colour(&io::stderr()) {
        "\x1b[1;31mleak-harness\x1b[0m"
    } else {
        "leak-harness"
    };
    note(format_args!("{name}: {failure}"));
}

/// Whether a stream is to be coloured: a terminal, and `NO_COLOR` (<https://no-color.org>) does not forbid it.
pub fn colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
