//! The terminal of live views: a few rows below what was written before, redrawn in place.
//!
//! The terminal stays in its ordinary mode, so Ctrl-C and scrolling work as ever, and what is drawn last stays where it is until
//! [`Screen::close`] takes it away.

use std::io::{self, IsTerminal, Stderr, stderr};

use ratatui::backend::CrosstermBackend;
use ratatui::text::Line;
use ratatui::widgets::Widget;
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

use crate::screen::words;

/// Fewer rows or columns than these show nothing worth redrawing.
const LEAST: (u16, u16) = (48, 8);

/// A part of the user's terminal.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stderr>>,
}

impl Screen {
    /// At most so many rows of the terminal at stderr; none where there is none, or where it is too small or not able to.
    pub fn open(rows: u16) -> Option<Self> {
        if !stderr().is_terminal() {
            return None;
        }
        let (width, height) = ratatui::crossterm::terminal::size().ok()?;
        if width < LEAST.0 || height < LEAST.1 {
            return None;
        }
        let options = TerminalOptions {
            // One row is left for what was written before.
            viewport: Viewport::Inline(rows.min(height - 1)),
        };
        let backend = CrosstermBackend::new(stderr());
        let terminal = Terminal::with_options(backend, options).ok()?;
        Some(Self { terminal })
    }

    /// Draws anew.
    ///
    /// # Errors
    ///
    /// When the terminal has gone.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(draw).map(|_| ())
    }

    /// Says something above the view.
    pub fn note(&mut self, text: &str) {
        let width = self
            .terminal
            .size()
            .map_or(80, |size| usize::from(size.width));
        let text = crate::report::terminal::wrap(text, width, 2);
        let height = u16::try_from(text.lines().count()).unwrap_or(u16::MAX);
        // A terminal that has gone needs no note.
        let _ = self.terminal.insert_before(height, |buffer| {
            for (line, row) in text.lines().zip(buffer.area.rows()) {
                Line::from(words(line)).render(row, buffer);
            }
        });
    }

    /// Takes the view away, so that what follows stands where it stood.
    pub fn close(&mut self) {
        // A terminal that has gone shows nothing anyway.
        let _ = self.terminal.clear();
        let _ = self.terminal.show_cursor();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}
