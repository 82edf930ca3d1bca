//! `attach`: watches a live daemon, and writes a block ready to paste into an issue.

use std::fs;

use super::args::AttachArguments;
use super::exit_code::ExitCode;
use super::failure::Failure;
use super::output;
use super::run::again;
use super::screen::Screen;
use crate::attach::error::AttachError;
use crate::attach::report::{AttachReport, End};
use crate::attach::screen::{self, Courses};
use crate::attach::watch::Watch;
use crate::attach::{self, Asked, live, markdown};
use crate::clock::Clock;
use crate::report::escape::plain;
use crate::units::RunTime;

/// A shorter pause would be nothing but looking.
const SHORTEST_PAUSE_MS: u64 = 100;
/// The pause between two lines where nothing can be redrawn, in milliseconds.
const LINE_EVERY: u64 = 10_000;

impl From<AttachError> for Failure {
    fn from(error: AttachError) -> Self {
        match error {
            AttachError::System { .. } => Self::internal(error),
            _ => Self::usage(error),
        }
    }
}

/// Watches, then writes the block.
pub fn attach(arguments: &AttachArguments, quiet: bool) -> Result<ExitCode, Failure> {
    if arguments.every.as_millis() < SHORTEST_PAUSE_MS {
        return Err(Failure::usage(format_args!(
            "--every {}: looks cannot follow each other faster than each {SHORTEST_PAUSE_MS}ms",
            arguments.every
        )));
    }
    if let Some(out) = &arguments.out {
        // Before the time is spent.
        fs::create_dir_all(out).map_err(|cause| Failure::file(out, &cause))?;
    }
    let asked = Asked {
        pid: arguments.pid,
        time: arguments.time,
        every: arguments.every,
        data: arguments.data.clone(),
        command: command(),
        harness_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut view = View::new(&asked, quiet);
    let report = attach::attach(&asked, &mut |watch, name| view.show(watch, name));
    drop(view);
    let report = report?;
    let block = markdown::render(&report);
    let data = serde_json::to_string_pretty(&report).map_err(Failure::internal)? + "\n";
    if let Some(out) = &arguments.out {
        for (name, content) in [("attach.json", &data), ("attach.md", &block)] {
            let path = out.join(name);
            fs::write(&path, content).map_err(|cause| Failure::file(&path, &cause))?;
        }
        if !quiet {
            output::note(format_args!("results: {}", plain(&out.to_string_lossy())));
        }
    }
    if let Some(word) = live::ended(report.watching.end, asked.pid) {
        output::note(word);
    }
    output::result(if arguments.json { &data } else { &block })?;
    Ok(code_of(&report))
}

/// A daemon that ends is no failure of the watch; being stopped is told as everywhere.
const fn code_of(report: &AttachReport) -> ExitCode {
    match report.watching.end {
        End::TimeOver | End::DaemonEnded | End::PidReused => ExitCode::Expected,
        End::Interrupted => ExitCode::Interrupted,
    }
}

/// The command as it was typed, the program by its name alone.
fn command() -> String {
    let again = again();
    match again.split_once(' ') {
        Some((_, rest)) => format!("leak-harness {rest}"),
        None => again,
    }
}

/// The live view on stderr.
struct View {
    drawing: Drawing,
    courses: Courses,
    of_ms: u64,
}

enum Drawing {
    Screen(Screen),
    /// When the next line is due.
    Lines {
        clock: Clock,
        due: RunTime,
    },
    Nothing,
}

impl View {
    fn new(asked: &Asked, quiet: bool) -> Self {
        let drawing = if quiet {
            Drawing::Nothing
        } else if let Some(terminal) = Screen::open(screen::ROWS) {
            Drawing::Screen(terminal)
        } else {
            Drawing::lines()
        };
        Self {
            drawing,
            courses: Courses::default(),
            of_ms: asked.time.as_millis(),
        }
    }

    fn show(&mut self, watch: &Watch, name: &str) {
        match &mut self.drawing {
            Drawing::Screen(terminal) => {
                self.courses.see(watch);
                let drawn = terminal
                    .draw(|frame| screen::draw(frame, watch, &self.courses, name, self.of_ms));
                if drawn.is_err() {
                    self.drawing = Drawing::lines();
                }
            }
            Drawing::Lines { clock, due } => {
                if clock.now() >= *due {
                    output::note(live::line(watch, name));
                    *due = RunTime::from_millis(clock.now().as_millis() + LINE_EVERY);
                }
            }
            Drawing::Nothing => {}
        }
    }
}

impl Drawing {
    fn lines() -> Self {
        Self::Lines {
            clock: Clock::start(),
            due: RunTime::START,
        }
    }
}
