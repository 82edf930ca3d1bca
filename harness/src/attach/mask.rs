//! Takes out of command lines and paths what nobody should paste into an issue: secrets, home folders, user names.
//!
//! Whoever reads a block in public can do nothing with it, and that goes before completeness: where it is unclear whether something is
//! a secret, it is one. What is left is still untrusted text, which the renderers escape.

mod name;
mod people;
mod shape;

use std::path::Path;

pub use people::People;

use name::is_secret;

/// What stands in the place of a secret.
pub const SECRET: &str = "<secret>";
/// What stands in the place of a mail address.
const ADDRESS: &str = "<address>";

/// Words of an HTTP header after which the secret comes.
const SCHEMES: [&str; 4] = ["bearer", "basic", "digest", "negotiate"];

/// Short options that carry a password, by the program.
const SHORT_OPTIONS: [(&str, &str); 12] = [
    ("sshpass", "-p"),
    ("mysql", "-p"),
    ("mysqldump", "-p"),
    ("mysqladmin", "-p"),
    ("mariadb", "-p"),
    ("redis-cli", "-a"),
    ("curl", "-u"),
    ("curl", "-U"),
    ("curl", "-b"),
    ("http", "-a"),
    ("https", "-a"),
    ("ldapsearch", "-w"),
];
/// Long options whose value is a user's name and a password.
const USER_OPTIONS: [&str; 3] = ["--user", "--proxy-user", "--userpwd"];

/// Hides what is private.
#[derive(Debug, Clone, Default)]
pub struct Mask {
    people: People,
}

impl Mask {
    /// A mask that knows these people.
    pub const fn new(people: People) -> Self {
        Self { people }
    }

    /// A command line, its arguments joined by spaces as `ps` does.
    pub fn command(&self, arguments: &[String]) -> String {
        let program = arguments.first().map_or("", |first| file_name(first));
        let mut words: Vec<String> = Vec::with_capacity(arguments.len());
        let mut secret_comes = false;
        for (number, argument) in arguments.iter().enumerate() {
            let word = if secret_comes && !argument.starts_with("--") {
                SECRET.to_owned()
            } else if let Some(option) = short_option(program, argument).filter(|_| number > 0) {
                format!("{option}{SECRET}")
            } else if argument.is_empty() {
                "\"\"".to_owned()
            } else {
                self.argument(argument)
            };
            secret_comes = number > 0 && announces_secret(program, argument);
            words.push(word);
        }
        words.join(" ")
    }

    /// One argument of a command line, which did not follow an option that announces a secret.
    fn argument(&self, argument: &str) -> String {
        // The whole rest is the value, blanks and quotes included: nothing is taken apart by a shell any more.
        if let Some(at) = argument.find(['=', ':']) {
            let (name, value) = (&argument[..at], &argument[at + 1..]);
            if announces(name) && !value.starts_with("//") && !value.is_empty() {
                let gap = if value.starts_with(' ') { " " } else { "" };
                return self.people.hide(&argument[..=at]) + gap + SECRET;
            }
            // An option's value may be such a field in turn: `--header=Cookie: a=b; c=d`.
            if argument.starts_with('-') && is_name(name) && !value.is_empty() {
                return self.people.hide(&argument[..=at]) + &self.argument(value);
            }
        }
        self.text(argument)
    }

    /// Any text: a title that a process gave itself, a script behind `-c`, JSON in an option.
    pub fn text(&self, text: &str) -> String {
        let text = without_credentials(text);
        let mut scan = Scan {
            rest: &text,
            out: String::with_capacity(text.len()),
            opened: None,
        };
        while let Some(c) = scan.rest.chars().next() {
            if is_separator(c) {
                scan.separator(c);
            } else {
                scan.word();
            }
        }
        self.people.hide(&scan.out)
    }

    /// A path.
    pub fn path(&self, path: &Path) -> String {
        self.text(&path.to_string_lossy())
    }
}

/// Whether the argument after this one is a secret.
pub fn announces_secret(program: &str, argument: &str) -> bool {
    let option = argument.starts_with('-') && is_name(argument) && is_secret(argument);
    option || USER_OPTIONS.contains(&argument) || SHORT_OPTIONS.contains(&(program, argument))
}

/// A short option of this program that has its password in the same argument.
pub fn short_option(program: &str, argument: &str) -> Option<&'static str> {
    SHORT_OPTIONS
        .iter()
        .find(|(of, option)| {
            *of == program && argument.len() > option.len() && argument.starts_with(option)
        })
        .map(|(_, option)| *option)
}

/// Whether the value of an option or a variable with this name is a secret.
pub fn is_private(name: &str) -> bool {
    is_name(name) && is_secret(name)
}

/// Whether a field with this name is a secret; a short option may have the name glued to it: `-HCookie`.
fn announces(name: &str) -> bool {
    let glued = name
        .strip_prefix('-')
        .filter(|rest| !rest.starts_with('-'))
        .and_then(|rest| rest.get(1..));
    is_private(name) || glued.is_some_and(is_private)
}

/// The last part of a path.
pub fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Whether this could be the name of an option, a variable or a field.
fn is_name(text: &str) -> bool {
    let bare = text.trim_start_matches('-');
    bare.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && bare
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "\"'`,;&?(){}[]<>|\\".contains(c)
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`')
}

/// One pass over a text.
struct Scan<'a> {
    rest: &'a str,
    out: String,
    /// The quotation mark in which the pass is.
    opened: Option<char>,
}

impl<'a> Scan<'a> {
    fn take(&mut self, length: usize) -> &'a str {
        let (head, tail) = self.rest.split_at(length);
        self.rest = tail;
        head
    }

    fn keep(&mut self, length: usize) {
        let head = self.take(length);
        self.out += head;
    }

    fn separator(&mut self, c: char) {
        // A quotation mark behind a backslash belongs to a text within the text.
        if is_quote(c) && !self.out.ends_with('\\') {
            self.opened = match self.opened {
                Some(opened) if opened == c => None,
                None => Some(c),
                other => other,
            };
        }
        self.keep(c.len_utf8());
    }

    fn word(&mut self) {
        let end = self.rest.find(is_separator).unwrap_or(self.rest.len());
        let word = self.take(end);
        if let Some(name) = secret_within(word) {
            self.out += &word[..name];
            if name < word.len() {
                self.out += SECRET;
                // The value may go on behind a separator: a header's, within its quotation marks.
                self.skip_quoted();
            } else {
                self.blanks();
                self.value();
            }
        } else if SCHEMES.contains(&word.to_ascii_lowercase().as_str())
            && self.rest.starts_with(char::is_whitespace)
        {
            self.out += word;
            if self.blanks() {
                let end = self.rest.find(is_separator).unwrap_or(self.rest.len());
                if end >= 6 {
                    self.take(end);
                    self.out += SECRET;
                }
            }
        } else if is_name(word) && is_secret(word) {
            self.out += word;
            // A list of arguments written as data has an option's value in its next field.
            let next = connector(self.rest)
                .or_else(|| next_field(self.rest).filter(|_| word.starts_with('-')));
            if let Some(length) = next {
                if self
                    .opened
                    .is_some_and(|opened| self.rest.starts_with(opened))
                {
                    self.opened = None;
                }
                self.keep(length);
                self.value();
            } else if word.starts_with('-') && self.blanks() {
                self.value();
            }
        } else {
            self.out += &plain_word(word);
        }
    }

    /// Keeps the blanks that come now; tells whether there were any.
    fn blanks(&mut self) -> bool {
        let length = self.rest.len() - self.rest.trim_start().len();
        self.keep(length);
        length > 0
    }

    /// Masks the value that comes now: to its closing quotation mark where it is quoted, else to its end.
    fn value(&mut self) {
        let escapes = self.rest.len() - self.rest.trim_start_matches('\\').len();
        let Some(first) = self.rest[escapes..].chars().next() else {
            return;
        };
        if is_quote(first) && (escapes > 0 || self.opened != Some(first)) {
            self.keep(escapes + 1);
            let end = closing(self.rest, first, escapes);
            self.take(end);
            self.out += SECRET;
            let rest_of_quote = if self.rest.is_empty() { 0 } else { escapes + 1 };
            self.keep(rest_of_quote.min(self.rest.len()));
            return;
        }
        let end = self
            .rest
            .find(|c: char| c.is_whitespace() || ",;&\"'`}])|\\".contains(c))
            .unwrap_or(self.rest.len());
        if end == 0 {
            return;
        }
        let value = self.take(end).to_ascii_lowercase();
        self.out += SECRET;
        if SCHEMES.contains(&value.as_str()) || self.opened.is_some_and(|_| !self.is_data()) {
            self.skip_quoted();
            let blanks = self.rest.len() - self.rest.trim_start().len();
            if SCHEMES.contains(&value.as_str()) && blanks > 0 {
                let rest = &self.rest[blanks..];
                let end = rest.find(is_separator).unwrap_or(rest.len());
                self.take(blanks + end);
            }
        }
    }

    /// Whether the value stood in data such as JSON, where the next field may follow.
    fn is_data(&self) -> bool {
        self.out.contains('{')
    }

    /// Within quotation marks, a header's value goes on to their end.
    fn skip_quoted(&mut self) {
        if let Some(opened) = self.opened
            && !self.is_data()
            && let Some(end) = self.rest.find(opened)
        {
            self.take(end);
        }
    }
}

/// Where a quoted value ends: at the mark that opened it, behind as many backslashes.
fn closing(text: &str, quote: char, escapes: usize) -> usize {
    let mut backslashes = 0;
    for (at, c) in text.char_indices() {
        if c == '\\' {
            backslashes += 1;
        } else if c == quote && backslashes <= escapes {
            return at - backslashes;
        } else {
            backslashes = 0;
        }
    }
    text.len()
}

/// What stands between a field's name and its value: `": "`, ` = `, `\":`. The value's own quotation mark is not part of it.
fn connector(rest: &str) -> Option<usize> {
    let trimmed = rest.trim_start_matches(['\\', '"', '\'', '`']).trim_start();
    let behind = trimmed.strip_prefix([':', '='])?;
    Some(rest.len() - behind.trim_start().len())
}

/// What stands between an option and its value in a list: `", "`. The value's own quotation mark is not part of it.
fn next_field(rest: &str) -> Option<usize> {
    let trimmed = rest.trim_start_matches('\\');
    let behind = trimmed.strip_prefix(is_quote)?.trim_start();
    let behind = behind.strip_prefix(',')?.trim_start();
    Some(rest.len() - behind.len())
}

/// The text without what stands before the host in addresses: a user and a password, whatever characters they hold.
fn without_credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out += head;
        let end = tail
            .find(|c: char| c.is_whitespace() || c.is_control() || "\"'`<>\\".contains(c))
            .unwrap_or(tail.len());
        let address = &tail[..end];
        let host_end = address.find('/').unwrap_or(address.len());
        let credentials = match address[..host_end].rfind('@') {
            Some(at) => Some(at),
            // A slash within the password: what follows the colon is no port then.
            None => address
                .find(':')
                .filter(|colon| *colon < host_end)
                .and_then(|colon| {
                    let is_port = address[colon + 1..host_end]
                        .bytes()
                        .all(|b| b.is_ascii_digit());
                    address.rfind('@').filter(|at| !is_port && *at > colon)
                }),
        };
        rest = match credentials {
            Some(at) => {
                out += SECRET;
                &tail[at..]
            }
            None => tail,
        };
    }
    out + rest
}

/// Where, in one word, the value of a secret begins: `API_KEY=…`, `--env=API_KEY=…`, `token:…`. At the word's end if it follows later.
fn secret_within(word: &str) -> Option<usize> {
    let mut begin = 0;
    for (at, c) in word.char_indices() {
        match c {
            '=' | ':' => {
                let name = &word[begin..at];
                let value = &word[at + 1..];
                if announces(name) && !value.starts_with("//") {
                    return Some(at + 1);
                }
                begin = at + 1;
            }
            '/' | '@' | '#' | '$' => begin = at + 1,
            _ => {}
        }
    }
    None
}

/// A word that nothing announced.
fn plain_word(word: &str) -> String {
    if let Some((scheme, rest)) = word.split_once("://") {
        let end = rest.find('/').unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        return format!("{scheme}://{host}{}", pieces(path));
    }
    // A user and a password before a host, without a scheme.
    if let Some((user, host)) = word.split_once('@')
        && user.contains(':')
        && host.contains('.')
    {
        return format!("{SECRET}@{host}");
    }
    if is_address(word) {
        return ADDRESS.to_owned();
    }
    let is_path = word.starts_with(['/', '~', '.']);
    if !is_path && word.contains(['/', '+']) && shape::is_random_with_slashes(word) {
        return SECRET.to_owned();
    }
    pieces(word)
}

/// The pieces of a path, of an assignment or of a list, each for itself.
fn pieces(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut begin = 0;
    for (at, c) in word.char_indices() {
        if "/:@=%#".contains(c) {
            out += &piece(&word[begin..at]);
            out.push(c);
            begin = at + c.len_utf8();
        }
    }
    out + &piece(&word[begin..])
}

fn piece(piece: &str) -> String {
    if shape::has_token_prefix(piece) {
        return SECRET.to_owned();
    }
    // A file's ending tells kinds apart and is no part of a secret.
    let (stem, ending) = match piece.rsplit_once('.') {
        Some((stem, ending)) if ending.len() <= 5 && !stem.is_empty() => (stem, ending),
        _ => (piece, ""),
    };
    let shown = if shape::is_uuid(stem) {
        // Enough to tell two sessions apart, too little to be anybody's key.
        format!("{}-…", &stem[..8])
    } else if shape::is_random(stem) || shape::is_random(piece) {
        SECRET.to_owned()
    } else {
        return piece.to_owned();
    };
    match ending {
        "" => shown,
        ending => format!("{shown}.{ending}"),
    }
}

/// Whether a word is a mail address. A package with its version is none: no domain ends in a number.
fn is_address(word: &str) -> bool {
    let Some((user, host)) = word.split_once('@') else {
        return false;
    };
    let Some((_, top)) = host.rsplit_once('.') else {
        return false;
    };
    !user.is_empty()
        && user
            .chars()
            .all(|c| c.is_alphanumeric() || "._+-".contains(c))
        && top.len() >= 2
        && top.chars().all(char::is_alphabetic)
        && host
            .chars()
            .all(|c| c.is_alphanumeric() || ".-".contains(c))
}

#[cfg(test)]
mod tests;
