//! A fake without a harness: behaviour from a file, statements to a journal, and an end when nobody needs it.

use std::env;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::behaviour::Behaviour;
use crate::control::{BEHAVIOUR_FILE, BEHAVIOUR_VARIABLE, JOURNAL_VARIABLE};
use crate::quantity::{QuantityError, Span};

/// The variable that says after how long without input or a turn a fake without a harness ends.
pub const IDLE_VARIABLE: &str = "FAKE_CLAUDE_IDLE";
/// How long that is where the variable does not say.
const IDLE: Span = Span::from_secs(600);

/// What a fake without a harness goes by.
#[derive(Debug)]
pub struct Alone {
    /// How it behaves.
    pub behaviour: Box<Behaviour>,
    /// After how long without input or a turn it ends.
    pub idle: Span,
    /// Where its statements go.
    pub journal: Option<File>,
}

/// Why a fake without a harness cannot begin.
#[derive(Debug)]
pub enum AloneError {
    /// The behaviour file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The behaviour file makes no sense.
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The column in characters, counted from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// The idle limit is no duration.
    Idle(QuantityError),
    /// The journal cannot be opened.
    Journal {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

impl fmt::Display for AloneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, cause } => {
                write!(f, "{}: cannot be read: {cause}", path.display())
            }
            Self::Invalid {
                path,
                line,
                column,
                message,
            } => write!(f, "{}:{line}:{column}: {message}", path.display()),
            Self::Idle(cause) => write!(f, "{IDLE_VARIABLE}: {cause}"),
            Self::Journal { path, cause } => {
                write!(
                    f,
                    "the journal {} cannot be opened: {cause}",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for AloneError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { cause, .. } | Self::Journal { cause, .. } => Some(cause),
            Self::Invalid { .. } => None,
            Self::Idle(cause) => Some(cause),
        }
    }
}

impl Alone {
    /// Looks up what a program in this folder goes by.
    pub fn look(folder: &Path) -> Result<Self, AloneError> {
        let idle = match env::var(IDLE_VARIABLE) {
            Ok(text) => text.parse().map_err(AloneError::Idle)?,
            Err(_) => IDLE,
        };
        Ok(Self {
            behaviour: Box::new(behaviour(folder)?),
            idle,
            journal: journal()?,
        })
    }
}

/// Where the statements of a fake without a harness go, if they are wanted.
pub fn journal() -> Result<Option<File>, AloneError> {
    let Some(path) = env::var_os(JOURNAL_VARIABLE).filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let opened = File::options().append(true).create(true).open(&path);
    opened.map(Some).map_err(|cause| AloneError::Journal {
        path: PathBuf::from(path),
        cause,
    })
}

fn behaviour(folder: &Path) -> Result<Behaviour, AloneError> {
    let named = env::var_os(BEHAVIOUR_VARIABLE).filter(|path| !path.is_empty());
    let is_named = named.is_some();
    let path = named.map_or_else(|| folder.join(BEHAVIOUR_FILE), PathBuf::from);
    match fs::read_to_string(&path) {
        Ok(text) => parse(&path, &text),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => {
            Ok(Behaviour::default())
        }
        Err(cause) => Err(AloneError::Unreadable { path, cause }),
    }
}

fn parse(path: &Path, text: &str) -> Result<Behaviour, AloneError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let before = &text[..text.floor_char_boundary(at)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        AloneError::Invalid {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: error.message().to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::{Ignore, Leave};
    use crate::quantity::Size;

    #[test]
    fn a_behaviour_file_needs_to_say_only_what_is_different() {
        let text = "rss = \"100MiB\"\nignore = [\"eof\", \"sigterm\"]\nleave = \"daemon\"\n";
        let expected = Behaviour {
            rss: Some(Size::from_bytes(100 << 20)),
            ignore: vec![Ignore::Eof, Ignore::Sigterm],
            leave: Some(Leave::Daemon),
            ..Behaviour::default()
        };
        assert_eq!(parse(Path::new("b.toml"), text).expect("valid"), expected);
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        for (text, start) in [
            (
                "turn = \"1s\"\nrs = \"1MiB\"\n",
                "b.toml:2:1: unknown field `rs`",
            ),
            ("\n\nturn = 5\n", "b.toml:3:8: invalid type: integer `5`"),
            (
                "turn = \"5\"\n",
                "b.toml:1:8: `5` is not a duration with a unit",
            ),
            (
                "ignore = [\"eof\", \"äöü\"]",
                "b.toml:1:18: unknown variant `äöü`",
            ),
            ("die = { code = 300 }", "b.toml:1:16: invalid value"),
            ("turn = ", "b.toml:1:8: "),
        ] {
            let error = parse(Path::new("b.toml"), text)
                .expect_err(text)
                .to_string();
            assert!(error.starts_with(start), "{error}");
        }
    }
}
