//! Figures as rows: what it is, how much, and its whole course as a sparkline.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::Line;
use ratatui::widgets::{Sparkline, SparklineBar};

use super::{History, NAME, words};

/// The columns of a figure's name.
const NAME_WIDTH: u16 = 11;
/// The most columns of its words; what is left is the sparkline's.
const WORDS_WIDTH: u16 = 50;
/// A sparkline narrower than this shows nothing.
const LEAST_SPARKLINE: u16 = 8;

/// Whether a figure is good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Neither.
    Plain,
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Nobody knows yet.
    Doubt,
}

impl Tone {
    /// Its style. Every use of it has words that say the same.
    pub const fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => Style::new().fg(Color::Green),
            Self::Bad => Style::new().fg(Color::Red),
            Self::Doubt => Style::new().fg(Color::Yellow),
        }
    }
}

/// A figure.
#[derive(Debug)]
pub struct Figure<'a> {
    /// What it is.
    pub name: &'a str,
    /// How much, in words.
    pub words: String,
    /// Whether that is good news.
    pub tone: Tone,
    /// Its course, where it has one.
    pub history: Option<&'a History>,
}

/// Draws figures below each other, a row each, as many as fit.
pub fn figures(frame: &mut Frame<'_>, area: Rect, shown: &[Figure<'_>]) {
    let rows = area.rows();
    for (figure, row) in shown.iter().zip(rows) {
        let [name, text, line] = Layout::horizontal([
            Constraint::Length(NAME_WIDTH),
            Constraint::Max(WORDS_WIDTH),
            Constraint::Min(0),
        ])
        .areas(row);
        frame.render_widget(Line::styled(figure.name.to_owned(), NAME), name);
        let said = words(&figure.words).style(figure.tone.style());
        frame.render_widget(Line::from(said), text);
        let Some(history) = figure.history.filter(|_| line.width >= LEAST_SPARKLINE) else {
            continue;
        };
        let samples = history.course(usize::from(line.width));
        // A figure that does not change is a flat line at the bottom, and not a full block.
        let least = samples.iter().min().copied().unwrap_or(0);
        let bars = samples.iter().map(|sample| {
            let above = sample - least + 1;
            SparklineBar::from(above)
        });
        let most = samples.iter().max().map_or(1, |most| most - least + 1);
        let sparkline = Sparkline::default()
            .data(bars)
            .max(most.max(8))
            .style(figure.tone.style());
        frame.render_widget(sparkline, line);
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn drawn(width: u16, shown: &[Figure<'_>]) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, 2)).unwrap();
        terminal
            .draw(|frame| figures(frame, frame.area(), shown))
            .unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn a_figure_has_its_course_beside_it_where_there_is_room() {
        let mut rising = History::default();
        let mut flat = History::default();
        for sample in 0..10 {
            rising.push(sample * 100);
            flat.push(7);
        }
        let shown = [
            Figure {
                name: "children",
                words: "9 alive".to_owned(),
                tone: Tone::Bad,
                history: Some(&rising),
            },
            Figure {
                name: "worker",
                words: "evil\x1b[2J".to_owned(),
                tone: Tone::Plain,
                history: Some(&flat),
            },
        ];
        insta::assert_snapshot!(drawn(80, &shown));
        assert!(!drawn(40, &shown).contains('▂'));
    }
}
