//! As much as there is room for.

use super::super::escape::plain;
use super::{Style, broken};

/// The narrowest screen that is laid out for.
pub(super) const NARROWEST: usize = 60;
/// How many lines of a small screen the first sentence may take.
const HEADLINE: usize = 3;

/// How much is said.
pub(crate) trait Amount: Copy + 'static {
    /// All that is ever said.
    const ALL: Self;
    /// What must be said.
    const LEAST: Self;
    /// What is worth more room, the most worthy first; each is left out where it does not fit.
    const MORE: &'static [fn(&mut Self)];
}

/// Draws as much as the screen is high enough for.
pub(crate) fn fitted<A: Amount>(style: Style, drawn: impl Fn(Style, A) -> String) -> String {
    let style = Style {
        width: style.width.max(NARROWEST),
        ..style
    };
    let all = drawn(style, A::ALL);
    let Some(height) = style.height else {
        return all;
    };
    let fits = |text: &str| text.lines().count() <= height;
    if fits(&all) {
        return all;
    }
    let mut amount = A::LEAST;
    let mut text = drawn(style, amount);
    for more in A::MORE {
        let mut with = amount;
        more(&mut with);
        let longer = drawn(style, with);
        if fits(&longer) {
            (amount, text) = (with, longer);
        }
    }
    text.split_inclusive('\n').take(height).collect()
}

impl Style {
    /// The first sentence, painted up to the first of these signs: one line, however long, where a script may want it with `head -1`.
    pub(crate) fn headline(self, sentence: &str, colour: &str, ends: &[char]) -> String {
        let safe = plain(sentence);
        let shown = match self.height {
            Some(_) => broken(&safe, self.width, HEADLINE).join("\n"),
            None => safe,
        };
        let (first, rest) = shown.split_at(shown.find(ends).unwrap_or(shown.len()));
        format!("{}{rest}", self.painted(first, colour))
    }
}
