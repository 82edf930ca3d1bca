//! Progress on stderr: a bar, or the view of a long run, on a terminal; plain lines otherwise, nothing when asked for silence.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use fake_claude::quantity::Span;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;
use super::screen::Screen;
use crate::report::Report;
use crate::run::Progress;
use crate::soak::screen::{Courses, ROWS, draw};
use crate::units;

/// Shows how one run goes.
pub struct ProgressLine {
    label: String,
    drawing: Drawing,
}

enum Drawing {
    Bar(ProgressBar),
    /// Of a long run.
    Screen {
        terminal: Box<Screen>,
        courses: Box<Courses>,
    },
    /// The last line that was written, so that the same state is not told twice, and how often was asked since.
    Lines {
        last: String,
        skipped: u32,
        /// What was being done when a line was written.
        phase: String,
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
                "{spinner:.cyan} {prefix:.bold} [{bar:24.cyan/dim}] {msg}",
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
                phase: String::new(),
            }
        };
        Self { label, drawing }
    }

    /// A view of a long run with this label: figures with their course where there is a terminal.
    pub fn of_soak(label: String, quiet: bool) -> Self {
        let terminal = if quiet { None } else { Screen::open(ROWS) };
        match terminal {
            Some(terminal) => Self {
                label,
                drawing: Drawing::Screen {
                    terminal: Box::new(terminal),
                    courses: Box::default(),
                },
            },
            None => Self::new(label, quiet),
        }
    }

    /// Shows the state of the run.
    pub fn show(&mut self, progress: &Progress) {
        let state = state(progress);
        match &mut self.drawing {
            Drawing::Bar(bar) => {
                let (done, of) = match (progress.sessions, progress.lasts_ms) {
                    (Some(planned), _) => (u64::from(progress.sessions_done), u64::from(planned)),
                    // A load that lasts a time has no number of sessions to reach.
                    (None, lasts) => (progress.load_ms.unwrap_or(0), lasts.unwrap_or(0)),
                };
                bar.set_length(of);
                bar.set_position(done.min(of));
                bar.set_message(state);
            }
            Drawing::Screen { terminal, courses } => {
                courses.see(progress);
                // A terminal that has gone is no reason to end a run of hours.
                let _ = terminal.draw(|frame| draw(frame, &self.label, progress, courses));
            }
            Drawing::Lines {
                last,
                skipped,
                phase,
            } => {
                *skipped += 1;
                // A run of hours says at its checkpoints how it goes, and in between only what it begins.
                let due = if progress.lasts_ms.is_some() {
                    *phase != progress.phase
                } else {
                    *skipped >= LINES_SKIP && *last != state
                };
                if due {
                    output::note(format_args!("{}: {state}", self.label));
                    *skipped = 0;
                    phase.clone_from(&progress.phase);
                }
                *last = state;
            }
            Drawing::Nothing => {}
        }
    }

    /// Shows what was found so far. A run that sends this is a long one, so without a terminal these are its lines.
    pub fn checkpoint(&mut self, report: &Report) {
        if let Drawing::Lines { last, .. } = &self.drawing {
            let summary = report.summary();
            output::note(format_args!("{}: {last}. {summary}", self.label));
        }
    }

    /// Says something beside the progress.
    pub fn note(&mut self, text: &str) {
        match &mut self.drawing {
            Drawing::Screen { terminal, .. } => terminal.note(text),
            Drawing::Bar(bar) => bar.suspend(|| output::note(text)),
            Drawing::Lines { .. } => output::note(text),
            Drawing::Nothing => {}
        }
    }
}

/// How a run goes, in one line.
fn state(progress: &Progress) -> String {
    let mut state = match progress.sessions {
        Some(planned) => format!("{}/{planned} sessions", progress.sessions_done),
        None => format!("{} sessions", progress.sessions_done),
    };
    state += &format!(
        ", {} alive, {} RSS, {} left over; {}",
        progress.children,
        units::bytes(progress.rss_bytes),
        progress.leftovers,
        progress.phase
    );
    if let Some(lasts) = progress.lasts_ms {
        let span = |millis| units::span(Span::from_millis(millis));
        state += &format!(
            ", {} of {}",
            span(progress.load_ms.unwrap_or(0).min(lasts)),
            span(lasts)
        );
        state += &format!("; recording {}", units::bytes(progress.recording_bytes));
        if let Some(growth) = progress.recording_bytes_per_hour {
            state += &format!(", {} per hour", units::bytes(growth));
        }
    }
    state
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if let Drawing::Bar(bar) = &self.drawing {
            bar.finish_and_clear();
        }
    }
}
