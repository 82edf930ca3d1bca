//! What a fake `claude` does, and what it does wrong: the one definition, embedded in scenario files as `[claude]`.
//!
//! The defaults are those of the real program where it matters to a caller: EOF finishes the turn, SIGTERM gives exit code 143,
//! a turn takes time. Everything else is a misbehaviour that somebody has met in the field, to be asked for by name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::{Size, Span};

/// How one fake `claude` behaves. Every key is optional; an empty table is an honest, well-behaved program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// The RSS that `ps` shows for each process, reached with shared ballast: counted in every RSS, held in memory once.
    pub rss: Option<Size>,
    /// How long the program takes before it reads anything.
    pub start: Span,
    /// How long the answer to `initialize` takes.
    pub initialize: Span,
    /// How long each turn takes, from its start to its result.
    pub turn: Span,
    /// How long the program takes to exit once it has decided to.
    pub exit: Span,
    /// What the program ignores of what should end it.
    pub ignore: Vec<Ignore>,
    /// Where the program hangs for ever (signals still end it, unless ignored).
    pub hang: Option<Hang>,
    /// How the program dies in the middle of a turn.
    pub die: Option<Death>,
    /// The turn, counted from 1, at which `hang`, `die`, `garble`, `fail`, `silent` or `tool_kills` strikes.
    pub at_turn: u32,
    /// A child that the program leaves behind, started in its first turn.
    pub leave: Option<Leave>,
    /// The program is a wrapper: the real one is its child on the same stdin and stdout, and signals are not passed on.
    pub wrapper: bool,
    /// With `wrapper`: the wrapper obeys a signal although the real program ignores it, as package runners do.
    pub wrapper_obeys: bool,
    /// A tool that the program runs at the start of turn `at_turn`, which sends SIGTERM to somebody by mistake and ends. Not to be
    /// combined with `leave` or `storm`, whose children would do the same.
    pub tool_kills: Option<Mistaken>,
    /// How many children the program starts at once in its first turn, each of which stays until it is ended.
    pub storm: u32,
    /// Private memory that each turn adds and keeps.
    pub grow: Option<Size>,
    /// How much useless output each turn writes to stdout, as valid lines that no caller knows.
    pub flood: Option<Size>,
    /// The program never reads stdin, so it sees no message and no EOF.
    pub deaf: bool,
    /// A broken line on stdout, once, in turn `at_turn`.
    pub garble: Option<Garble>,
    /// The program closes its stdout after the first result, and stays.
    pub close_stdout: bool,
    /// Turn `at_turn` ends in a result that is an error.
    pub fail: bool,
    /// Turn `at_turn` ends without any result; later turns go on.
    pub silent: bool,
    /// What a turn answers.
    pub reply: Reply,
    /// `--resume` of any id is refused, as the real program refuses an unknown one.
    pub refuse_resume: bool,
    /// Messages that wait while a turn runs are merged into the next turn, as the newest real program does.
    pub merge: bool,
    /// The program leaves files in the temporary folder behind, as the real one does when killed.
    pub litter: bool,
}

/// A way of being ended that a program ignores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ignore {
    /// The end of its stdin.
    Eof,
    /// SIGTERM.
    Sigterm,
    /// SIGINT.
    Sigint,
    /// SIGHUP.
    Sighup,
}

/// Where a program hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Hang {
    /// Before `system/init` of the turn: the message was read, nothing was said.
    BeforeInit,
    /// Between `system/init` and the result.
    MidTurn,
    /// After the result of the turn: the answer is out, the program reads no more.
    AfterResult,
    /// In a short question, such as `--version`, which is never answered. Conversations go on as if nothing were.
    Probe,
}

/// How a program dies in mid-turn: by an exit code or by a signal that it sends itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Death {
    /// It exits with this code: `die = { code = 1 }`.
    Code(u8),
    /// It kills itself by this signal: `die = { signal = "SIGKILL" }`.
    Signal(DeathSignal),
}

/// A signal by which a program can kill itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeathSignal {
    /// As the kernel does when memory runs out.
    #[serde(rename = "SIGKILL")]
    Sigkill,
    /// As a failed assertion does.
    #[serde(rename = "SIGABRT")]
    Sigabrt,
    /// As a wild pointer does.
    #[serde(rename = "SIGSEGV")]
    Sigsegv,
}

/// What becomes of a child that is left behind. Unless it ends at once, it ignores SIGHUP and ends only by a signal or with the harness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Leave {
    /// It stays in the program's process group: whoever ends the group ends it.
    Group,
    /// It leads a process group of its own, in the program's session: signals to the program's group miss it.
    OwnGroup,
    /// It has a session of its own (`setsid`): group signals miss it.
    Session,
    /// It is a daemon by double fork: its parent is already gone.
    Daemon,
    /// It ends at once, and the program, which goes on, never waits for it.
    Zombie,
}

/// Whom a tool signals by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mistaken {
    /// The program that runs it, as `kill $PPID` does.
    Parent,
    /// Every other process of this program that the same caller has started, as `pkill -f` does, which spares the program that runs it.
    Siblings,
    /// The caller of the program that runs it.
    Worker,
}

/// A broken line on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Garble {
    /// A line that stops in the middle of its JSON, without a newline, and is continued only with the next message.
    Partial,
    /// A line that is no JSON.
    Malformed,
    /// A valid line of eight mebibytes.
    Huge,
}

/// What a turn answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// The observation or summary that was asked for, with every marker of its input.
    #[default]
    Honest,
    /// An empty text.
    Empty,
    /// Friendly prose without any of the XML that was asked for.
    Prose,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            rss: None,
            start: Span::ZERO,
            initialize: Span::from_millis(20),
            turn: Span::from_millis(300),
            exit: Span::from_millis(30),
            ignore: Vec::new(),
            hang: None,
            die: None,
            at_turn: 1,
            leave: None,
            wrapper: false,
            wrapper_obeys: false,
            tool_kills: None,
            storm: 0,
            grow: None,
            flood: None,
            deaf: false,
            garble: None,
            close_stdout: false,
            fail: false,
            silent: false,
            reply: Reply::Honest,
            refuse_resume: false,
            merge: false,
            litter: false,
        }
    }
}

impl Behaviour {
    /// Whether this way of being ended is ignored.
    pub fn ignores(&self, what: Ignore) -> bool {
        self.ignore.contains(&what)
    }

    /// The same behaviour with its durations divided, as a time scale asks.
    pub fn scaled(mut self, factor: f64) -> Self {
        for span in [
            &mut self.start,
            &mut self.initialize,
            &mut self.turn,
            &mut self.exit,
        ] {
            *span = span.divided(factor);
        }
        self
    }
}
