//! The live view on a terminal: what came of it so far, the figures with their course, and what is past its time.

use fake_claude::quantity::Span;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Row, Table};

use crate::judge::Leftover;
use crate::judge::finding::rule_name;
use crate::report::escape::plain;
use crate::run::Progress;
use crate::scenario::{Bin, Counts};
use crate::screen::{self, Figure, History, NAME, Tone, right, words};
use crate::units::{self, Count};

/// How many rows the view takes at most.
pub const ROWS: u16 = 18;

/// What a view remembers between two tellings.
#[derive(Debug, Default)]
pub struct Courses {
    sessions: History,
    children: History,
    memory: History,
    worker: History,
}

impl Courses {
    /// Takes in what was told last.
    pub fn see(&mut self, progress: &Progress) {
        self.sessions.push(u64::from(progress.sessions_open));
        self.children.push(u64::from(progress.children));
        self.memory.push(progress.rss_bytes);
        self.worker.push(progress.worker_rss_bytes.unwrap_or(0));
    }
}

/// Draws the state.
pub fn draw(frame: &mut Frame<'_>, label: &str, progress: &Progress, courses: &Courses) {
    let shown = figures(progress, courses);
    let rows = u16::try_from(shown.len()).unwrap_or(u16::MAX);
    let [heading, verdict, _, figures, _, leftovers] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(rows),
        Constraint::Length(1),
        Constraint::Min(0),
    ])
    .areas(frame.area());
    draw_heading(frame, heading, label, progress);
    draw_verdict(frame, verdict, progress);
    screen::figures(frame, figures, &shown);
    draw_leftovers(frame, leftovers, progress);
}

fn draw_heading(frame: &mut Frame<'_>, area: Rect, label: &str, progress: &Progress) {
    let time = match (progress.load_ms, progress.lasts_ms) {
        (Some(load), Some(lasts)) if load < lasts => {
            format!("{} of {}", clock(load), clock(lasts))
        }
        _ => format!("{}, {}", progress.phase, clock(progress.elapsed_ms)),
    };
    screen::heading(frame, area, label, &time);
}

fn draw_verdict(frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
    let so_far = &progress.so_far;
    let found = findings(&so_far.findings);
    let (said, tone) = match &so_far.failed {
        Some(signature) => (format!("fails: {signature}"), Tone::Bad),
        None if !found.is_empty() => (
            format!("found, and not held against it: {found}"),
            Tone::Doubt,
        ),
        None => ("nothing found so far".to_owned(), Tone::Good),
    };
    frame.render_widget(Line::from(words(&said)).style(tone.style()), area);
}

/// The figures. What was found is among them where the verdict's line names one of the findings alone.
fn figures<'a>(progress: &Progress, courses: &'a Courses) -> Vec<Figure<'a>> {
    let so_far = &progress.so_far;
    let over = so_far.over.all();
    let worker = match (progress.worker_up, progress.worker_rss_bytes) {
        (true, Some(bytes)) => format!("up, {} RSS", units::bytes(bytes)),
        (true, None) => "up".to_owned(),
        (false, _) => "down".to_owned(),
    };
    let growth = progress
        .recording_bytes_per_hour
        .map_or_else(String::new, |rate| {
            format!(", {} per hour", units::bytes(rate))
        });
    let mut figures = vec![
        Figure {
            name: "sessions",
            words: format!(
                "{} opened, {} open",
                progress.sessions_opened, progress.sessions_open
            ),
            tone: Tone::Plain,
            history: Some(&courses.sessions),
        },
        Figure {
            name: "children",
            words: format!("{} alive, {over} past their time", progress.children),
            tone: if over > 0 { Tone::Bad } else { Tone::Plain },
            history: Some(&courses.children),
        },
        Figure {
            name: "memory",
            words: format!("{} RSS of these", units::bytes(progress.rss_bytes)),
            tone: Tone::Plain,
            history: Some(&courses.memory),
        },
        Figure {
            name: "worker",
            words: worker,
            tone: if progress.worker_up {
                Tone::Plain
            } else {
                Tone::Doubt
            },
            history: Some(&courses.worker),
        },
        Figure {
            name: "harness",
            words: format!(
                "{} RSS; recording {}{growth}",
                units::bytes(progress.harness_rss_bytes + progress.outer_rss_bytes),
                units::bytes(progress.recording_bytes),
            ),
            tone: Tone::Plain,
            history: None,
        },
    ];
    if so_far.failed.is_some() {
        figures.push(Figure {
            name: "found",
            words: findings(&so_far.findings),
            tone: Tone::Plain,
            history: None,
        });
    }
    figures
}

fn draw_leftovers(frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
    let newest = &progress.so_far.newest;
    if newest.is_empty() {
        frame.render_widget(Line::from("no process is past its time").style(NAME), area);
        return;
    }
    let numbers = ["PID", "PAST BY", "RSS"].map(right);
    let texts = ["BIN", "SESSION", "WHY"].map(Cell::from);
    let header = Row::new(numbers.into_iter().chain(texts)).style(NAME);
    let room = usize::from(area.height.saturating_sub(1));
    let all = progress.so_far.over.all() as usize;
    let fitting = newest.len().min(room);
    // The last row says how many more there are.
    let shown = if all > fitting {
        fitting.saturating_sub(1)
    } else {
        fitting
    };
    let mut rows: Vec<Row<'_>> = newest
        .iter()
        .take(shown)
        .map(|leftover| row(leftover, progress.elapsed_ms))
        .collect();
    if all > shown {
        let more = Count((all - shown) as u64, "process");
        let mut cells = vec![Cell::from(""); 5];
        cells.push(Cell::from(format!("and {more} more, older ones")));
        rows.push(Row::new(cells).style(NAME));
    }
    let widths = [
        Constraint::Length(8),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(11),
        Constraint::Length(12),
        Constraint::Min(10),
    ];
    frame.render_widget(Table::new(rows, widths).header(header), area);
}

fn row(leftover: &Leftover, now_ms: u64) -> Row<'_> {
    let session = leftover.session.as_deref().unwrap_or("-");
    Row::new([
        right(
            leftover
                .host_pid
                .unwrap_or(leftover.process.pid)
                .to_string(),
        ),
        right(clock(now_ms.saturating_sub(leftover.due_ms))),
        right(units::bytes(leftover.rss_bytes)),
        Cell::from(said(leftover.bin)),
        Cell::from(plain(session)),
        Cell::from(plain(&leftover.cause)),
    ])
}

/// What was found, by rule, in words.
fn findings(counts: &Counts) -> String {
    let parts: Vec<String> = counts
        .iter()
        .map(|(rule, count)| format!("{count} {}", said(*rule)))
        .collect();
    parts.join(", ")
}

/// A rule's name for people.
fn said(rule: Bin) -> String {
    rule_name(rule).replace('_', " ")
}

fn clock(ms: u64) -> String {
    units::elapsed(Span::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::judge::{Over, SoFar};
    use crate::process::ProcessIdentity;

    fn clean() -> Progress {
        Progress {
            phase: "sessions".to_owned(),
            elapsed_ms: 753_000,
            lasts_ms: Some(3_600_000),
            load_ms: Some(752_000),
            sessions_done: 404,
            sessions: None,
            sessions_opened: 412,
            sessions_open: 8,
            children: 8,
            rss_bytes: 3_000 << 20,
            leftovers: 0,
            so_far: SoFar::default(),
            worker_up: true,
            worker_rss_bytes: Some(9 << 20),
            recording_bytes: 12 << 20,
            recording_bytes_per_hour: Some(57 << 20),
            harness_rss_bytes: 13 << 20,
            outer_rss_bytes: 8 << 20,
        }
    }

    fn leaking() -> Progress {
        let leftover = |pid: u32| Leftover {
            process: ProcessIdentity::new(pid, 77),
            host_pid: Some(40_000 + pid),
            bin: Bin::Retained,
            session: Some(format!("s{pid}\x1b[2J")),
            due_ms: 10_000 * u64::from(pid),
            rss_bytes: 372 << 20,
            cause: "never signalled, stdin still held open by the worker".to_owned(),
        };
        Progress {
            children: 42,
            leftovers: 34,
            so_far: SoFar {
                findings: Counts::from([(Bin::Retained, 34), (Bin::KilledEarly, 2)]),
                over: Over {
                    retained: 34,
                    ..Over::default()
                },
                newest: (1..=12).rev().map(leftover).collect(),
                failed: Some(
                    "retained: primary `claude` after complete: never signalled".to_owned(),
                ),
                ..SoFar::default()
            },
            ..clean()
        }
    }

    fn drawn(progress: &Progress, width: u16, height: u16) -> String {
        let mut courses = Courses::default();
        for children in 0..30 {
            courses.see(&Progress {
                children,
                ..progress.clone()
            });
        }
        courses.see(progress);
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let label = "603-as-reported on model";
        terminal
            .draw(|frame| draw(frame, label, progress, &courses))
            .unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn a_clean_soak_says_so() {
        insta::assert_snapshot!(drawn(&clean(), 100, 13));
    }

    #[test]
    fn what_is_past_its_time_is_listed_and_the_rest_counted() {
        insta::assert_snapshot!(drawn(&leaking(), 110, 16));
    }

    #[test]
    fn after_the_load_the_phase_is_said() {
        let resting = Progress {
            phase: "waiting for rest".to_owned(),
            load_ms: Some(3_600_000),
            worker_up: false,
            ..clean()
        };
        insta::assert_snapshot!(drawn(&resting, 80, 11));
    }

    #[test]
    fn nothing_controls_the_terminal() {
        let text = drawn(&leaking(), 80, 16);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
    }
}
