//! Command lines, each once, with the name of their session left out, and one that is like another as its difference to that: a session's
//! claude differs from the next one's in an id, and is said in a few bytes rather than in four hundred.

use std::collections::HashMap;

use serde::Serialize;

use crate::report::escape::plain_cut;

/// The most characters of a command line that are shown.
const LENGTH: usize = 400;
/// The most bytes that all of them together may take; what comes later is left out.
const ROOM: usize = 1 << 20;
/// How many of the latest full texts a new one is compared with: enough for the handful of programs that a worker starts in turn.
const COMPARED: usize = 8;

/// What stands for the name of the process's session; no text that was made plain holds it.
const SESSION: &str = "\u{1}";
/// The fewest bytes of a name that is replaced: less would save nothing.
const NAME: usize = 8;

/// A command line as it is written.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Command {
    /// All of it.
    Full(String),
    /// The place of a full one, how many of its characters this one begins with, what follows, and how many of its characters this one
    /// ends with.
    Like(usize, usize, String, usize),
}

/// The command lines that were met.
#[derive(Default)]
pub(super) struct Commands {
    written: Vec<Command>,
    places: HashMap<String, usize>,
    full: Vec<(usize, Vec<char>)>,
    bytes: usize,
}

impl Commands {
    /// The place of the command line of a process of this session, which is written where it is new; none where there is no more room.
    /// The session's name is as the page has it.
    pub(super) fn place(&mut self, command: &str, session: &str) -> Option<usize> {
        let mut text = plain_cut(command, LENGTH);
        if session.len() >= NAME {
            text = text.replace(session, SESSION);
        }
        if let Some(place) = self.places.get(&text) {
            return Some(*place);
        }
        let place = self.written.len();
        let letters: Vec<char> = text.chars().collect();
        let command = self.shortest(&letters);
        let bytes = match &command {
            Command::Full(text) | Command::Like(_, _, text, _) => text.len() + 16,
        };
        if self.bytes + bytes > ROOM {
            return None;
        }
        self.bytes += bytes;
        if matches!(command, Command::Full(_)) {
            self.full.push((place, letters));
            if self.full.len() > COMPARED {
                self.full.remove(0);
            }
        }
        self.written.push(command);
        self.places.insert(text, place);
        Some(place)
    }

    fn shortest(&self, letters: &[char]) -> Command {
        let like = self
            .full
            .iter()
            .map(|(place, full)| {
                let shorter = full.len().min(letters.len());
                let same = |(a, b): &(&char, &char)| a == b;
                let start = full.iter().zip(letters).take_while(same).count();
                let ends = full.iter().rev().zip(letters.iter().rev());
                let end = ends.take(shorter - start).take_while(same).count();
                (start + end, *place, start, end)
            })
            .max_by_key(|(shared, ..)| *shared);
        match like {
            Some((shared, place, start, end)) if shared * 2 > letters.len() => Command::Like(
                place,
                start,
                letters[start..letters.len() - end].iter().collect(),
                end,
            ),
            _ => Command::Full(letters.iter().collect()),
        }
    }

    /// All of them, in the order of their places.
    pub(super) fn written(self) -> Vec<Command> {
        self.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(commands: &[&str]) -> (Vec<Option<usize>>, Vec<Command>) {
        let mut all = Commands::default();
        let places = commands
            .iter()
            .map(|command| all.place(command, "session-1"))
            .collect();
        (places, all.written())
    }

    #[test]
    fn a_like_command_is_its_difference() {
        let (places, commands) = written(&[
            "claude --resume 1a --verbose",
            "npx mcp-server",
            "claude --resume 2é --verbose",
            "claude --resume 1a --verbose",
        ]);
        assert_eq!(places, [Some(0), Some(1), Some(2), Some(0)]);
        assert_eq!(
            commands[2],
            Command::Like(0, 16, "2é".to_owned(), " --verbose".len())
        );
        assert_eq!(commands[1], Command::Full("npx mcp-server".to_owned()));
    }

    #[test]
    fn a_session_is_not_named_again() {
        let (_, commands) = written(&["claude --resume session-1 --id session-12"]);
        assert_eq!(
            commands,
            [Command::Full(
                "claude --resume \u{1} --id \u{1}2".to_owned()
            )]
        );
        let mut all = Commands::default();
        assert_eq!(all.place("claude --resume first-one", "first-one"), Some(0));
        assert_eq!(
            all.place("claude --resume another-one", "another-one"),
            Some(0)
        );
        // A text cannot pretend to hold the name, and a short name is left as it is.
        assert_eq!(all.place("claude \u{1}", "s1"), Some(1));
        assert_eq!(all.place("claude s1", "s1"), Some(2));
        assert_eq!(all.written()[1], Command::Like(0, 7, "\\x01".to_owned(), 0));
    }

    #[test]
    fn what_overlaps_is_not_counted_twice() {
        let (_, commands) = written(&["aaaa", "aaaaa", "aaa"]);
        assert_eq!(commands[1], Command::Like(0, 4, "a".to_owned(), 0));
        assert_eq!(commands[2], Command::Like(0, 3, String::new(), 0));
    }

    #[test]
    fn a_flood_of_long_commands_has_an_end() {
        let mut all = Commands::default();
        let mut places = (0..10_000).map(|number: u32| {
            // No two of these are alike.
            let text: String = (0..LENGTH as u32)
                .map(|at| char::from(b'a' + ((number * 31 + at * (number % 97 + 1)) % 26) as u8))
                .collect();
            all.place(&format!("{number}{text}"), "")
        });
        assert_eq!(places.next(), Some(Some(0)));
        assert_eq!(places.last(), Some(None));
        let size = serde_json::to_string(&all.written()).unwrap().len();
        assert!(size <= ROOM + (ROOM >> 2), "{size}");
    }
}
