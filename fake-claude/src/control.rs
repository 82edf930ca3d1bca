//! The control socket's messages, and the lines of a journal file.
//!
//! One JSON object per line, both ways. The fake speaks first ([`Say::Hello`]) and then waits for [`Order::Behave`]; after
//! [`Say::Serves`] it waits for one more `Behave`, because which session it serves may decide how it behaves. A ballast file, where
//! one is in play, travels as `SCM_RIGHTS` with the first byte of the `Behave` that announces it. The connection is a lifeline: a
//! fake that reads its end exits at once, whatever else it was told to ignore.

use serde::{Deserialize, Serialize};

use crate::behaviour::Behaviour;

/// The file beside the executable, as it was called, that holds the path of the control socket.
pub const SOCKET_FILE: &str = "fake-claude.socket";
/// The environment variable that names the control socket, where no file does.
pub const SOCKET_VARIABLE: &str = "FAKE_CLAUDE_CONTROL";
/// The environment variable that names a behaviour file (TOML) for a fake without a harness.
pub const BEHAVIOUR_VARIABLE: &str = "FAKE_CLAUDE_BEHAVIOUR";
/// The behaviour file beside the executable, for a fake without a harness.
pub const BEHAVIOUR_FILE: &str = "fake-claude.toml";
/// The environment variable that names the journal file (JSON Lines of [`Said`]) of a fake without a harness.
pub const JOURNAL_VARIABLE: &str = "FAKE_CLAUDE_JOURNAL";

/// The first characters of every marker; the whole is `lhm-<hex>-<session>-<p|o|s><number>z`.
pub const MARKER_PREFIX: &str = "lhm-";

/// What a fake says, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// The moment by the system's monotonic clock, in nanoseconds: the same clock for every process of the machine.
    pub at_ns: u64,
    /// What it says.
    #[serde(flatten)]
    pub say: Say,
}

/// The statements of a fake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum Say {
    /// The first line: who it is.
    Hello {
        /// Its pid, as it sees it itself.
        pid: u32,
        /// Its start time in kernel ticks since boot (field 22 of `/proc/self/stat`); 0 where the system does not tell.
        start_time: u64,
        /// Its parent at that moment.
        ppid: u32,
        /// Its role.
        role: Role,
        /// The session, where it was inherited from the fake that started it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        /// Its arguments as they were given, bytes that are no UTF-8 replaced.
        argv: Vec<String>,
        /// Its working directory.
        cwd: String,
        /// What its stdin is: the link of `/proc/self/fd/0`, such as `socket:[4711]` or `pipe:[4712]`.
        stdin: String,
    },
    /// It learned which session it serves: the `session_id` of a user message.
    Serves {
        /// The session.
        session: String,
    },
    /// A user message arrived on stdin.
    SawWork {
        /// What it asks for.
        kind: TurnKind,
        /// Every marker in it.
        markers: Vec<String>,
    },
    /// A turn began.
    TurnStarted {
        /// The turn, counted from 1.
        turn: u32,
        /// What it answers.
        kind: TurnKind,
        /// Every marker in its input.
        markers: Vec<String>,
    },
    /// A turn ended and its result is written (or failed to be).
    TurnEnded {
        /// The turn.
        turn: u32,
        /// What it answered.
        kind: TurnKind,
        /// Whether the result was a good one and went out whole.
        good: bool,
        /// Every marker in its input.
        markers: Vec<String>,
    },
    /// Its stdin ended.
    SawEof {
        /// How many messages were read and not yet answered.
        owed: u32,
    },
    /// A signal arrived.
    SawSignal {
        /// The signal's number.
        signal: i32,
        /// The sender's pid as the receiver sees it; 0 when it is outside the receiver's namespace or is the kernel.
        sender: u32,
        /// Whether the signal is being ignored, as told.
        ignored: bool,
        /// How many messages were read and not yet answered.
        owed: u32,
    },
    /// A misbehaviour was carried out.
    Did {
        /// What, in the words of the behaviour's key: `leave = session`.
        what: String,
        /// The pid of a process that it started for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
    },
    /// The last line: it is about to exit.
    Goodbye {
        /// The exit code, or none when it ends itself by a signal.
        code: Option<i32>,
        /// Why.
        why: Why,
        /// How many messages were read and never answered.
        owed: u32,
    },
}

/// Why a fake exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Its stdin ended and its work is done.
    Eof,
    /// A signal that it obeys.
    Signal,
    /// It was told to die.
    Planned,
    /// Its input was no JSON, its arguments made no sense, the id to resume was unknown: what the real program does as well.
    Refused,
    /// Its only job is done: `--version`, `--print`.
    Done,
    /// It was alone and idle for too long.
    Idle,
}

/// What a process is in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Serves a session.
    Primary,
    /// The real process behind a wrapper.
    Payload,
    /// Something that a primary or payload started.
    Grandchild,
    /// A process of the worker that serves no session.
    Helper,
    /// A short question, such as `--version`.
    Probe,
}

/// What a turn answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnKind {
    /// An opening or continuing prompt.
    Prompt,
    /// An observation to be made of a tool's use.
    Observation,
    /// A summary of progress.
    Summary,
}

/// What the harness tells a fake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// Behave so from now on.
    Behave {
        /// The behaviour, times already scaled.
        behaviour: Box<Behaviour>,
        /// Whether a ballast file came along with this line's first byte.
        #[serde(default)]
        ballast: bool,
    },
}

/// Finds every marker in a text, in order, without repeating one.
pub fn markers(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(MARKER_PREFIX) {
        rest = &rest[start..];
        let length = marker_length(rest.as_bytes());
        if let Some(length) = length {
            let marker = &rest[..length];
            if !found.iter().any(|known| known == marker) {
                found.push(marker.to_owned());
            }
        }
        rest = &rest[length.unwrap_or(MARKER_PREFIX.len())..];
    }
    found
}

/// The length of the marker at the start of `text`, if there is a whole one.
fn marker_length(text: &[u8]) -> Option<usize> {
    let run = |from: usize, accept: fn(&u8) -> bool| {
        text[from..].iter().take_while(|byte| accept(byte)).count()
    };
    let mut at = MARKER_PREFIX.len();
    let hex = run(at, u8::is_ascii_hexdigit);
    at += hex;
    if hex == 0 || text.get(at) != Some(&b'-') {
        return None;
    }
    at += 1;
    let session = run(at, u8::is_ascii_digit);
    at += session;
    if session == 0 || text.get(at) != Some(&b'-') {
        return None;
    }
    at += 1;
    if !matches!(text.get(at), Some(b'p' | b'o' | b's')) {
        return None;
    }
    at += 1;
    let number = run(at, u8::is_ascii_digit);
    at += number;
    (number > 0 && text.get(at) == Some(&b'z')).then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_found_once_each_in_any_surroundings() {
        let text = r#"{\"command\":\"echo lhm-4f2a-12-o1z\"} lhm-4f2a-12-o1zlhm-4f2a-12-s2z lhm-xyz lhm-4f2a-1-o lhm-"#;
        assert_eq!(markers(text), ["lhm-4f2a-12-o1z", "lhm-4f2a-12-s2z"]);
    }

    #[test]
    fn statements_survive_the_wire() {
        let said = Said {
            at_ns: 7,
            say: Say::SawSignal {
                signal: 15,
                sender: 42,
                ignored: true,
                owed: 1,
            },
        };
        let line = serde_json::to_string(&said).unwrap();
        assert_eq!(
            line,
            r#"{"at_ns":7,"say":"saw_signal","signal":15,"sender":42,"ignored":true,"owed":1}"#
        );
        assert_eq!(serde_json::from_str::<Said>(&line).unwrap(), said);
    }
}
