//! Text in lines that fit a terminal.

use ratatui::text::Span;

use super::room::NARROWEST;
use crate::report::escape::plain;

/// How many columns of a terminal a text takes: letters of some scripts take two, and some marks none.
pub(crate) fn columns(text: &str) -> usize {
    Span::raw(text).width()
}

/// A text of at most so many columns, its end marked where it was cut. It must be plain already.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let (first, _) = split(text, width.saturating_sub(1));
    format!("{first}…")
}

/// The most of a text that fits so many columns, and the rest. Of what does not fit at all, one character is taken.
fn split(text: &str, width: usize) -> (&str, &str) {
    let mut taken = 0;
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let next = at + c.len_utf8();
        taken += columns(&text[at..next]);
        if taken > width && end > 0 {
            break;
        }
        end = next;
    }
    text.split_at(end)
}

/// A text in at most so many lines of at most so many columns each: broken between words, and in a word that is longer than a line. It must be
/// plain already. What does not fit is cut off, with a mark.
pub(crate) fn broken(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut empty = true;
    for word in text.split(' ') {
        let fits = columns(&line) + 1 + columns(word) <= width;
        if !empty && !fits {
            lines.push(std::mem::take(&mut line));
            empty = true;
        }
        if lines.len() > most {
            break;
        }
        if !empty {
            line.push(' ');
        }
        let mut word = word;
        while lines.len() <= most {
            let (first, rest) = split(word, width);
            if rest.is_empty() {
                break;
            }
            lines.push(first.to_owned());
            word = rest;
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            let (first, _) = split(last, width.saturating_sub(2));
            *last = format!("{} …", first.trim_end());
        }
    }
    lines
}

/// A text broken into lines of at most so many columns, where its words allow it; every line but the first is indented by so many.
/// Nothing in it controls a terminal.
pub fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    for word in plain(text).split(' ') {
        let word_length = word.chars().count();
        if length > 0 && length + 1 + word_length > width.max(NARROWEST) {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            length = indent;
        } else if length > 0 {
            out.push(' ');
            length += 1;
        }
        out.push_str(word);
        length += word_length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_broken_into_lines_that_fit() {
        let text = "word ".repeat(40);
        let wrapped = wrap(text.trim(), 70, 4);
        assert!(wrapped.lines().all(|line| line.chars().count() <= 70));
        assert!(
            wrapped
                .lines()
                .skip(1)
                .all(|line| line.starts_with("    word"))
        );
        assert_eq!(wrapped.split_whitespace().count(), 40);
        assert_eq!(wrap("a\x1bb", 70, 0), "a\\x1bb");
    }

    #[test]
    fn a_text_is_broken_into_as_many_lines_as_there_may_be() {
        let lines = |text, width, most| broken(text, width, most);
        assert_eq!(lines("one two three", 7, 9), ["one two", "three"]);
        assert_eq!(lines("one two three", 7, 1), ["one t …"]);
        assert_eq!(lines("abcdefghij k", 4, 9), ["abcd", "efgh", "ij k"]);
        assert_eq!(lines("abcdefghij k", 4, 2), ["abcd", "ef …"]);
        assert_eq!(lines("", 4, 1), [""]);
        // Two columns each.
        assert_eq!(lines("進程漏", 4, 9), ["進程", "漏"]);
        assert_eq!(
            (cut("進程漏", 5), cut("進程漏", 6)),
            ("進程…".to_owned(), "進程漏".to_owned())
        );
    }
}
