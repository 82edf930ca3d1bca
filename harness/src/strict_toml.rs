//! TOML that is read strictly: what is wrong is shown with file, line and column, and with the key that was probably meant.
//!
//! Scenario files and adapter files are both written by hand; both are read through here.

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong in a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlError {
    /// The file's name, as the user gave it.
    pub file: String,
    /// The place, counted from 1: line and column (in characters); none where the whole file is meant.
    pub place: Option<(usize, usize)>,
    /// The line in question.
    line: Box<str>,
    /// How many characters of it are meant.
    width: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub remedy: Option<String>,
}

impl fmt::Display for TomlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((line, column)) = self.place else {
            write!(f, "{}: {}", self.file, self.message)?;
            return self
                .remedy
                .as_ref()
                .map_or(Ok(()), |remedy| write!(f, "\n  = {remedy}"));
        };
        let gutter = line.to_string().len();
        writeln!(f, "{}:{line}:{column}: {}", self.file, self.message)?;
        writeln!(f, "{:gutter$} |", "")?;
        writeln!(f, "{line} | {}", self.line)?;
        write!(
            f,
            "{:gutter$} | {:indent$}{}",
            "",
            "",
            "^".repeat(self.width.max(1)),
            indent = column - 1
        )?;
        self.remedy
            .as_ref()
            .map_or(Ok(()), |remedy| write!(f, "\n{:gutter$} = {remedy}", ""))
    }
}

impl std::error::Error for TomlError {}

/// A file's text with its name: what every error needs to point.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The file's name, as the user gave it.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
}

impl<'a> Source<'a> {
    /// The file as a table whose values know their places.
    pub fn table(&self) -> Result<Spanned<DeTable<'a>>, TomlError> {
        DeTable::parse(self.text).map_err(|error| self.parsed(&error))
    }

    /// The table, or a part of it, as a type.
    pub fn read<T: DeserializeOwned>(&self, table: Spanned<DeTable<'_>>) -> Result<T, TomlError> {
        T::deserialize(toml::de::Deserializer::from(table)).map_err(|error| self.parsed(&error))
    }

    /// An error at a span of the text.
    pub fn error(
        &self,
        span: Option<Range<usize>>,
        message: impl Into<String>,
        remedy: Option<String>,
    ) -> TomlError {
        // Spans come from the parser; a text that was cut meanwhile must still not make the error itself fail.
        let span = span
            .filter(|span| span.end <= self.text.len() && self.text.is_char_boundary(span.start));
        let (place, line, width) = span.map_or((None, String::new(), 0), |span| {
            let before = &self.text[..span.start];
            let start = before.rfind('\n').map_or(0, |newline| newline + 1);
            let end = self.text[span.start..]
                .find('\n')
                .map_or(self.text.len(), |newline| span.start + newline);
            let line = self.text[start..end].trim_end_matches('\r');
            let column = self.text[start..span.start].chars().count() + 1;
            let number = before.matches('\n').count() + 1;
            let width = self
                .text
                .get(span.start..span.end.min(end))
                .map_or(1, |text| text.chars().count());
            (Some((number, column)), line.replace('\t', " "), width)
        });
        TomlError {
            file: self.file.to_owned(),
            place,
            line: line.into(),
            width,
            message: message.into(),
            remedy,
        }
    }

    /// An error of the parser, in our words where it has the parser's own.
    fn parsed(&self, error: &toml::de::Error) -> TomlError {
        let message = error.message().trim().to_owned();
        let unknown = message
            .strip_prefix("unknown field ")
            .map(|rest| (rest, "key"));
        let unknown = unknown.or_else(|| {
            message
                .strip_prefix("unknown variant ")
                .map(|rest| (rest, "value"))
        });
        let Some((rest, what)) = unknown else {
            return self.error(
                error.span(),
                message
                    .replace("missing field", "missing key")
                    .replace('\n', ", "),
                None,
            );
        };
        let mut names = rest.split('`').skip(1).step_by(2);
        let given = names.next().unwrap_or_default();
        let known: Vec<_> = names.collect();
        self.error(
            error.span(),
            format!("unknown {what} `{given}`"),
            nearest(given, &known, what),
        )
    }
}

/// The nearest of the known names, and all of them.
fn nearest(given: &str, known: &[&str], what: &str) -> Option<String> {
    let closest = known
        .iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(given, name), *name))
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .filter(|(likeness, _)| *likeness >= 0.5);
    let all = (!known.is_empty()).then(|| format!("known {what}s: {}", known.join(", ")));
    match (closest, all) {
        (Some((_, name)), Some(all)) => Some(format!("did you mean `{name}`? {all}")),
        (_, all) => all,
    }
}

/// An error at the value of a path such as `["load", "sessions"]`, found only after the file was read and left.
pub fn error_at(
    source: &Source<'_>,
    path: &[&str],
    message: impl Into<String>,
    remedy: Option<String>,
) -> TomlError {
    let table = source.table().ok();
    let span = table.and_then(|table| span_of(table.get_ref(), path));
    source.error(span, message, remedy)
}

/// The span of the value at a path such as `["load", "sessions"]`, for errors that only the whole can show.
pub fn span_of(table: &DeTable<'_>, path: &[&str]) -> Option<Range<usize>> {
    let (last, parents) = path.split_last()?;
    let mut here = table;
    for name in parents {
        match here.get(*name)?.get_ref() {
            DeValue::Table(table) => here = table,
            _ => return None,
        }
    }
    here.get(*last).map(Spanned::span)
}
