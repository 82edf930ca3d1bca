//! Progress of many runs on stderr: a bar on a terminal, a line now and then otherwise, nothing when asked for silence.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::failure::Failure;
use super::output;
use crate::batch::{BatchError, default_at_once};

/// Without a terminal one run in this many is told of, and every one that is not right.
const LINES_SKIP: usize = 10;

/// Shows how many runs go.
pub struct ManyLine {
    label: &'static str,
    wrong: usize,
    bar: Option<ProgressBar>,
    quiet: bool,
}

impl ManyLine {
    /// A progress line with this label.
    pub fn new(label: &'static str, quiet: bool) -> Self {
        let bar = (!quiet && stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template(
                "{spinner:.cyan} {prefix:.bold} [{bar:24.cyan/dim}] {pos}/{len} runs  {msg}",
            );
            bar.set_style(
                style
                    .expect("the template is a constant")
                    .progress_chars("█▉▊▋▌▍▎▏ "),
            );
            bar.set_prefix(label);
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self {
            label,
            wrong: 0,
            bar,
            quiet,
        }
    }

    /// Shows that one more run is over, and what was not right in it.
    pub fn show(&mut self, phase: &str, done: usize, total: usize, wrong: Option<&str>) {
        self.wrong += usize::from(wrong.is_some());
        let so_far = match self.wrong {
            0 => phase.to_owned(),
            wrong => format!("{phase}, {wrong} not right"),
        };
        match &self.bar {
            Some(bar) => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
                bar.set_message(so_far);
                if let Some(wrong) = wrong {
                    bar.suspend(|| output::note(wrong));
                }
            }
            None if self.quiet => {}
            None => {
                if let Some(wrong) = wrong {
                    output::note(format_args!("{}: {wrong}", self.label));
                }
                if done == total || done.is_multiple_of(LINES_SKIP) {
                    output::note(format_args!(
                        "{}: {done}/{total} runs, {so_far}",
                        self.label
                    ));
                }
            }
        }
    }
}

impl Drop for ManyLine {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How many runs are made at a time.
pub fn at_once(jobs: Option<u32>) -> usize {
    jobs.map_or_else(default_at_once, |jobs| jobs as usize)
}

impl From<BatchError> for Failure {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Interrupted { .. } => Self::interrupted_with(error),
            BatchError::Machine { .. } => Self::internal(error),
        }
    }
}
