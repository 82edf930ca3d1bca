//! Parts of live views: pure drawings into a frame. Who owns the terminal is `cli`.
//!
//! All text passes [`words`], so that nothing in it controls the terminal.

mod figure;
mod history;

pub use figure::{Figure, Tone, figures};
pub use history::History;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::Cell;

use crate::report::escape::plain;

/// A piece of text that nobody vouches for.
pub fn words<'a>(text: &str) -> Span<'a> {
    Span::raw(plain(text))
}

/// The style of what something is called.
pub const NAME: Style = Style::new().fg(Color::DarkGray);
/// The style of headings.
const HEADING: Style = Style::new().add_modifier(Modifier::BOLD);

/// A number's cell of a table, aligned to the right.
pub fn right<'a>(text: impl Into<Text<'a>>) -> Cell<'a> {
    Cell::from(text.into().right_aligned())
}

/// A heading in one row: what is watched, and on the right how far it is.
pub fn heading(frame: &mut Frame<'_>, area: Rect, what: &str, far: &str) {
    let width = u16::try_from(far.chars().count()).unwrap_or(u16::MAX);
    let [left, right] =
        Layout::horizontal([Constraint::Min(0), Constraint::Length(width)]).areas(area);
    frame.render_widget(Line::from(words(what)).style(HEADING), left);
    frame.render_widget(Line::from(words(far)).style(NAME), right);
}
