//! Progress on stderr: a bar on a terminal, plain lines otherwise, nothing when asked for silence.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;
use crate::run::Progress;
use crate::units;

/// Shows how one run goes.
pub struct ProgressLine {
    label: String,
    drawing: Drawing,
}

enum Drawing {
    Bar(ProgressBar),
    /// The last line that was written, so that the same state is not told twice, and how often was asked since.
    Lines {
        last: String,
        skipped: u32,
    },
    Nothing,
}

/// Without a terminal one state in this many is written: a line about every two seconds.
const LINES_SKIP: u32 = 8;

impl ProgressLine {
    /// A progress line for a run with this label.
    pub fn new(label: String, quiet: bool) -> Self {
        let drawing = if quiet {
            Drawing::Nothing
        } else if stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template(
                "{spinner:.cyan} {prefix:.bold} [{bar:24.cyan/dim}] {pos}/{len} sessions  {msg}",
            );
            bar.set_style(
                style
                    .expect("the template is a constant")
                    .progress_chars("█▉▊▋▌▍▎▏ "),
            );
            bar.set_prefix(label.clone());
            bar.enable_steady_tick(Duration::from_millis(120));
            Drawing::Bar(bar)
        } else {
            Drawing::Lines {
                last: String::new(),
                skipped: 0,
            }
        };
        Self { label, drawing }
    }

    /// Shows the state of the run.
    pub fn show(&mut self, progress: &Progress) {
        let Progress {
            phase,
            sessions_done,
            sessions,
            children,
            rss_bytes,
            leftovers,
        } = progress;
        let state = format!(
            "{children} alive, {} RSS, {leftovers} left over; {phase}",
            units::bytes(*rss_bytes)
        );
        match &mut self.drawing {
            Drawing::Bar(bar) => {
                bar.set_length(u64::from(*sessions));
                bar.set_position(u64::from(*sessions_done));
                bar.set_message(state);
            }
            Drawing::Lines { last, skipped } => {
                let line = format!(
                    "{}: {sessions_done}/{sessions} sessions, {state}",
                    self.label
                );
                *skipped += 1;
                if line != *last && *skipped >= LINES_SKIP {
                    output::note(&line);
                    *last = line;
                    *skipped = 0;
                }
            }
            Drawing::Nothing => {}
        }
    }

    /// Says something beside the progress.
    pub fn note(&self, text: &str) {
        match &self.drawing {
            Drawing::Bar(bar) => bar.suspend(|| output::note(text)),
            Drawing::Lines { .. } => output::note(text),
            Drawing::Nothing => {}
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if let Drawing::Bar(bar) = &self.drawing {
            bar.finish_and_clear();
        }
    }
}
