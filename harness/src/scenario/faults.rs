//! `[[faults]]`: what happens to the worker, or to a claude of a session, in the middle of the run, and when.

use std::fmt;

use fake_claude::quantity::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::de::{DeArray, DeTable, DeValue};

use super::Scenario;
use crate::strict_toml::{Source, TomlError, span_of};

/// Something that happens in the middle of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When, since the worker was ready. Either this or `on`.
    #[serde(default)]
    pub at: Option<Span>,
    /// On which step of a session. Either this or `at`. A step that is never reached brings no fault.
    #[serde(default)]
    pub on: Option<Step>,
    /// Whose step, and whose process: a session by its number in the schedule, from 1. By default the first.
    #[serde(default)]
    pub session: Option<u32>,
    /// How long after that step.
    #[serde(default)]
    pub after: Option<Span>,
    /// What.
    pub what: FaultKind,
    /// Whom a signal is for.
    #[serde(default)]
    pub victim: Victim,
    /// After which time `sigstop` is followed by SIGCONT, or `file-limit` by the old limit.
    #[serde(default)]
    pub lasts: Option<Span>,
    /// How many more files `file-limit` lets the worker open; by default 4.
    #[serde(default)]
    pub files: Option<u32>,
    /// Where `second-worker` listens.
    #[serde(default)]
    pub port: Option<SecondPort>,
}

impl Fault {
    /// The session whose step and process are meant, from 1.
    pub fn session(&self) -> u32 {
        self.session.unwrap_or(1)
    }

    /// When it comes.
    pub fn when(&self) -> When {
        match self.on {
            Some(step) => When::On {
                step,
                session: self.session(),
                after: self.after.unwrap_or_default(),
            },
            None => When::At(self.at.unwrap_or_default()),
        }
    }
}

/// When a fault comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// So long after the worker was ready.
    At(Span),
    /// So long after a step of a session.
    On {
        /// The step.
        step: Step,
        /// The session, from 1.
        session: u32,
        /// How long after it.
        after: Span,
    },
}

/// A step of the protocol between driver, worker and claude, as the evidence shows it, for the first time in a session.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The first request of the session is about to be sent.
    Opened,
    /// A claude for it says hello. Which session a claude serves is known only once it reads a message, so this is the first hello of a
    /// primary that came after the session opened and that no session before it has claimed.
    Started,
    /// Its claude reads its first user message, which names the session.
    Serves,
    /// Its claude reads a work item.
    Given,
    /// Its claude begins a turn that answers a work item.
    Answering,
    /// Its claude has ended such a turn.
    Answered,
    /// The end request is about to be sent.
    Ended,
    /// Its claude sees the end of its stdin.
    Eof,
}

impl Step {
    /// Every step, in the order of an ordinary session.
    pub const ALL: [Self; 8] = [
        Self::Opened,
        Self::Started,
        Self::Serves,
        Self::Given,
        Self::Answering,
        Self::Answered,
        Self::Ended,
        Self::Eof,
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opened => "opened",
            Self::Started => "started",
            Self::Serves => "serves",
            Self::Given => "given",
            Self::Answering => "answering",
            Self::Answered => "answered",
            Self::Ended => "ended",
            Self::Eof => "eof",
        })
    }
}

/// What happens.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The victim gets SIGTERM.
    Sigterm,
    /// The victim gets SIGKILL.
    Sigkill,
    /// The victim gets SIGINT.
    Sigint,
    /// The victim gets SIGSTOP, and SIGCONT after `lasts`. What it does not do meanwhile is not held against it.
    Sigstop,
    /// The worker gets SIGKILL and is started again on the same data folder.
    Restart,
    /// From then on, whenever a claude has ended and was waited for, the next process that is started gets its pid. Needs a PID
    /// namespace.
    ReusePid,
    /// A second worker is started on the same data folder.
    SecondWorker,
    /// The worker can open no more than `files` files, until `lasts` is over.
    FileLimit,
}

impl FaultKind {
    /// Whether it is a signal, which may go to others than the worker.
    pub const fn is_signal(self) -> bool {
        matches!(
            self,
            Self::Sigterm | Self::Sigkill | Self::Sigint | Self::Sigstop
        )
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sigterm => "sigterm",
            Self::Sigkill => "sigkill",
            Self::Sigint => "sigint",
            Self::Sigstop => "sigstop",
            Self::Restart => "restart",
            Self::ReusePid => "reuse-pid",
            Self::SecondWorker => "second-worker",
            Self::FileLimit => "file-limit",
        })
    }
}

/// Whom a signal is for. All but the worker are those of the fault's session that were seen last and live.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Victim {
    /// The worker.
    #[default]
    Worker,
    /// The session's claude, or the wrapper that started it.
    Primary,
    /// The real process behind a wrapper.
    Payload,
    /// Something that the session's claude started.
    Grandchild,
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Worker => "worker",
            Self::Primary => "primary",
            Self::Payload => "payload",
            Self::Grandchild => "grandchild",
        })
    }
}

/// Where a second worker listens.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SecondPort {
    /// On the port of the first one, which is taken as long as that one lives: what a daemon that is started twice meets.
    #[default]
    Same,
    /// On a port of its own, so that two daemons share a data folder.
    Own,
}

/// What no single key of a fault can tell. Errors point at the entry.
pub(super) fn check(
    source: &Source<'_>,
    table: &DeTable<'_>,
    scenario: &Scenario,
) -> Result<(), TomlError> {
    let nothing = DeArray::default();
    let entries = match table.get("faults").map(|faults| faults.get_ref()) {
        Some(DeValue::Array(entries)) => entries,
        _ => &nothing,
    };
    for (number, fault) in scenario.faults.iter().enumerate() {
        let Some((key, message, remedy)) = wrong(fault, scenario) else {
            continue;
        };
        let entry = entries.get(number);
        let place = entry.and_then(|entry| match entry.get_ref() {
            DeValue::Table(entry) => span_of(entry, &[key]),
            _ => None,
        });
        let place = place
            .or_else(|| entry.map(|entry| entry.span()))
            .or_else(|| span_of(table, &["faults"]));
        return Err(source.error(place, message, Some(remedy.to_owned())));
    }
    Ok(())
}

/// What is wrong with a fault: the key, what, and what would be right.
fn wrong(fault: &Fault, scenario: &Scenario) -> Option<(&'static str, String, &'static str)> {
    let what = fault.what;
    let load = &scenario.load;
    let signal = what.is_signal();
    match (fault.at, fault.on) {
        (Some(_), Some(_)) => {
            return Some((
                "on",
                "a fault comes at a time or on a step, not both".to_owned(),
                "keep `at` (since the worker was ready) or `on` (a step of a session)",
            ));
        }
        (None, None) => {
            return Some((
                "what",
                "nothing says when this comes".to_owned(),
                "write at = \"1s\" (since the worker was ready) or on = \"given\" (a step of a session)",
            ));
        }
        (Some(at), None) if at > scenario.longest() => {
            return Some((
                "at",
                format!(
                    "the fault at {at} comes after the run's time-out of {}",
                    scenario.longest()
                ),
                "let it come earlier, or raise [run] timeout",
            ));
        }
        _ => {}
    }
    if fault.after.is_some() && fault.on.is_none() {
        return Some((
            "after",
            "`after` counts from a step, and no step is named".to_owned(),
            "name one: on = \"given\", or write the whole time as `at`",
        ));
    }
    if fault.session.is_some() && fault.on.is_none() && fault.victim == Victim::Worker {
        return Some((
            "session",
            "neither a step nor a victim of a session is named".to_owned(),
            "leave `session` out, or name a step: on = \"given\"",
        ));
    }
    if !(1..=load.most()).contains(&fault.session()) {
        return Some((
            "session",
            format!(
                "there is no session {}: the load has {}",
                fault.session(),
                load.most()
            ),
            "sessions are counted from 1",
        ));
    }
    if fault.victim != Victim::Worker && !signal {
        return Some((
            "victim",
            format!("`{what}` concerns the worker alone"),
            "leave `victim` out, or use a signal: sigterm, sigkill, sigint, sigstop",
        ));
    }
    match (what, fault.lasts) {
        (FaultKind::Sigstop, None) => {
            return Some((
                "what",
                "nothing says when it goes on".to_owned(),
                "write lasts = \"2s\"",
            ));
        }
        (FaultKind::Sigstop | FaultKind::FileLimit, Some(lasts)) if lasts.is_zero() => {
            return Some((
                "lasts",
                "nothing could happen in no time".to_owned(),
                "write lasts = \"2s\"",
            ));
        }
        (FaultKind::Sigstop | FaultKind::FileLimit, _) | (_, None) => {}
        (_, Some(_)) => {
            return Some((
                "lasts",
                format!("`{what}` does not last"),
                "`lasts` goes with sigstop and file-limit",
            ));
        }
    }
    if fault.files.is_some() && what != FaultKind::FileLimit {
        return Some((
            "files",
            format!("`{what}` limits no files"),
            "`files` goes with file-limit",
        ));
    }
    if fault.port.is_some() && what != FaultKind::SecondWorker {
        return Some((
            "port",
            format!("`{what}` listens nowhere"),
            "`port` goes with second-worker",
        ));
    }
    None
}
