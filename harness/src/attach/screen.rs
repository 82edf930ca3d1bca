//! The live view on a terminal: the daemon, its figures with their course, and who belongs to it.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Stylize;
use ratatui::widgets::{Cell, Row, Table};

use super::growth::Change;
use super::report::Group;
use super::watch::Watch;
use super::words;
use crate::report::escape::plain;
use crate::screen::{self, Figure, History, NAME, Tone, right};
use crate::units;

/// How many rows the view takes at most.
pub const ROWS: u16 = 18;

/// What a view remembers between two looks.
#[derive(Debug, Default)]
pub struct Courses {
    processes: History,
    memory: History,
    daemon: History,
    files: History,
}

impl Courses {
    /// Takes in the last look.
    pub fn see(&mut self, watch: &Watch) {
        let daemon = watch.daemon();
        let family = watch.family();
        self.processes.push(family.living());
        self.memory.push(family.rss_bytes);
        self.daemon.push(daemon.rss_bytes);
        self.files.push(daemon.open_files.unwrap_or(0));
    }
}

/// Draws the state.
pub fn draw(frame: &mut Frame<'_>, watch: &Watch, courses: &Courses, name: &str, of_ms: u64) {
    let [heading, figures, _, groups] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(5),
        Constraint::Length(1),
        Constraint::Min(0),
    ])
    .areas(frame.area());
    draw_heading(frame, heading, watch, name, of_ms);
    draw_figures(frame, figures, watch, courses);
    draw_groups(frame, groups, &watch.groups());
}

fn draw_heading(frame: &mut Frame<'_>, area: Rect, watch: &Watch, name: &str, of_ms: u64) {
    let time = format!(
        "{} of {}",
        words::time(watch.last().at.as_millis()),
        words::time(of_ms)
    );
    screen::heading(frame, area, name, &time);
}

fn draw_figures(frame: &mut Frame<'_>, area: Rect, watch: &Watch, courses: &Courses) {
    let daemon = watch.daemon();
    let family = watch.family();
    let (processes, memory) = watch.changes();
    let count = |what: Option<u64>, noun: &str| {
        what.map_or_else(String::new, |count| format!(", {count} {noun}"))
    };
    let figures = [
        Figure {
            name: "processes",
            words: words::family(&family),
            tone: Tone::Plain,
            history: Some(&courses.processes),
        },
        Figure {
            name: "memory",
            words: format!("{} RSS of these", units::bytes(family.rss_bytes)),
            tone: Tone::Plain,
            history: Some(&courses.memory),
        },
        Figure {
            name: "itself",
            words: format!(
                "up {}, {} RSS{}",
                words::age(daemon.age_ms),
                units::bytes(daemon.rss_bytes),
                count(daemon.threads, "threads")
            ),
            tone: Tone::Plain,
            history: Some(&courses.daemon),
        },
        Figure {
            name: "open files",
            words: daemon
                .open_files
                .map_or_else(|| "not told".to_owned(), |files| files.to_string()),
            tone: Tone::Plain,
            history: daemon.open_files.map(|_| &courses.files),
        },
        Figure {
            name: "attached",
            words: format!(
                "{} processes, {} RSS since then",
                words::counts(processes),
                words::bytes(memory)
            ),
            tone: tone(processes),
            history: None,
        },
    ];
    screen::figures(frame, area, &figures);
}

fn tone(change: Change) -> Tone {
    match change.difference() {
        1.. => Tone::Bad,
        _ => Tone::Plain,
    }
}

fn draw_groups(frame: &mut Frame<'_>, area: Rect, groups: &[Group]) {
    let numbers = ["COUNT", "CHANGE", "DEAD", "RSS", "OLDEST"].map(right);
    let words = ["RELATION", "COMMAND"].map(Cell::from);
    let header = Row::new(numbers.into_iter().chain(words));
    let room = usize::from(area.height.saturating_sub(1));
    // The last row says what does not fit.
    let shown = if groups.len() > room {
        room.saturating_sub(1)
    } else {
        groups.len()
    };
    let mut rows: Vec<Row<'_>> = groups.iter().take(shown).map(row).collect();
    if shown < groups.len() {
        let more = format!("and {} more kinds", groups.len() - shown);
        let mut cells = vec![Cell::from(""); 5];
        cells.push(Cell::from(more));
        rows.push(Row::new(cells).style(NAME));
    }
    let widths = [
        Constraint::Length(6),
        Constraint::Length(7),
        Constraint::Length(5),
        Constraint::Length(10),
        Constraint::Length(11),
        Constraint::Length(16),
        Constraint::Min(10),
    ];
    frame.render_widget(Table::new(rows, widths).header(header.style(NAME)), area);
}

fn row(group: &Group) -> Row<'_> {
    let change = right(words::counts(group.count_change));
    let change = match tone(group.count_change) {
        Tone::Bad => change.red(),
        _ => change,
    };
    Row::new([
        right(group.count.to_string()),
        change,
        right(match group.zombies {
            0 => String::new(),
            zombies => zombies.to_string(),
        }),
        right(units::bytes(group.rss_bytes).to_string()),
        right(words::age(group.oldest_ms)),
        Cell::from(group.relation.word()),
        Cell::from(plain(&group.signature)),
    ])
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::attach::examples::growing_watch;

    fn drawn(name: &str, width: u16, height: u16) -> String {
        let watch = growing_watch();
        let mut courses = Courses::default();
        courses.see(&watch);
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal
            .draw(|frame| draw(frame, &watch, &courses, name, 600_000))
            .unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn the_daemon_and_its_kinds_are_shown() {
        insta::assert_snapshot!(drawn("bun worker-service.cjs", 100, 12));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        insta::assert_snapshot!(drawn("bun worker-service.cjs", 80, 10));
    }

    #[test]
    fn nothing_controls_the_terminal() {
        let text = drawn("evil\x1b[2J\u{202e}", 80, 12);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
        assert!(!text.contains('\u{202e}'));
    }
}
