//! What the model says on stderr: nothing, unless it was asked to, and why it could not start.

use std::fmt;
use std::io::Write;

/// The voice of the daemon. A closed stderr is no error: a daemon outlives its terminal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    asked: bool,
}

impl Log {
    pub(super) const fn new(asked: bool) -> Self {
        Self { asked }
    }

    /// One line for something worth knowing, where `--log` asked for it.
    pub(super) fn event(self, line: fmt::Arguments<'_>) {
        if self.asked {
            self.line(line);
        }
    }

    /// Why the daemon ends.
    pub(super) fn failure(self, error: &dyn std::error::Error) {
        self.line(format_args!("{error}"));
    }

    fn line(self, line: fmt::Arguments<'_>) {
        let _ = std::io::stderr().write_fmt(format_args!("model-worker: {line}\n"));
    }

    /// The one line of stdout: the daemon answers now, and where. Asked for port 0, nobody else could know.
    pub(super) fn ready(self, port: u16) {
        let mut stdout = std::io::stdout();
        let _ = writeln!(stdout, "model-worker: listening on 127.0.0.1:{port}");
        let _ = stdout.flush();
    }
}
