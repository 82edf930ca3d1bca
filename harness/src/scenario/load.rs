//! `[load]`: how many sessions come, when, what they do, and how they end.

use std::fmt;

use fake_claude::quantity::{Rate, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Step;

/// The load. With `arrival` sessions come at a rate whatever the worker does (open); with `concurrency` the next one comes when
/// one has ended (closed). It is over when all `sessions` have ended; with `lasts`, when its time is over and the sessions that are
/// open then have come to their own end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// How many sessions; where the load `lasts` a time, the most that open, without a limit where this is not named.
    #[serde(default)]
    pub sessions: Option<u32>,
    /// For how long new sessions open, in the worker's time: a time scale divides it. Needs `arrival` or `concurrency`.
    #[serde(default)]
    pub lasts: Option<Span>,
    /// At which rate they arrive. Either this or `concurrency`; without both, all sessions open at once.
    #[serde(default)]
    pub arrival: Option<Rate>,
    /// How many are open at a time.
    #[serde(default)]
    pub concurrency: Option<u32>,
    /// Divides arrival and think times.
    #[serde(default = "one")]
    pub compress: f64,
    /// Prompts of each session.
    #[serde(default = "one_prompt")]
    pub prompts: u32,
    /// Observations of each prompt.
    #[serde(default)]
    pub observations: u32,
    /// Whether each prompt closes with a summary.
    #[serde(default)]
    pub summary: bool,
    /// The mean time between two requests of a session, exponentially distributed.
    #[serde(default)]
    pub think: Span,
    /// How long a session waits, after its last work request was answered, before its end is sent. Time for queued work.
    #[serde(default)]
    pub linger: Span,
    /// How sessions end.
    pub end: End,
    /// At which step of a session its end is sent; without it, when all its work was handed over and `linger` is over. What was not
    /// offered by then is not offered. A session that does not reach the step within the time of a request ends then.
    #[serde(default)]
    pub end_at: Option<Step>,
    /// Whose requests are sent twice at once, as by hooks that were registered twice. The item that both hand over is one item: it is
    /// to be answered once, and a worker that answers it for each request duplicates it. The better of the two answers counts.
    #[serde(default)]
    pub twice: Vec<Hook>,
}

/// A moment at which a hook of the user's program speaks to the worker.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// The session opens.
    Open,
    /// A prompt is given.
    Prompt,
    /// A tool was used.
    Observation,
    /// The agent stops, and a summary is asked for.
    Summary,
    /// The session ends.
    End,
}

impl Load {
    /// How many sessions open at the most.
    pub fn most(&self) -> u32 {
        self.sessions.unwrap_or(u32::MAX)
    }

    /// How many sessions will open, where that is known before: a load that lasts a time has no number.
    pub fn planned(&self) -> Option<u32> {
        self.sessions.filter(|_| self.lasts.is_none())
    }
}

fn one() -> f64 {
    1.0
}

fn one_prompt() -> u32 {
    1
}

/// How a session ends.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Its end request is sent.
    Complete,
    /// The last work request was answered, and nothing more is said.
    Abandon,
    /// The adapter's abort request is sent.
    Abort,
    /// The driver closes its connection in the middle of a request.
    Disconnect,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Complete => "complete",
            Self::Abandon => "abandon",
            Self::Abort => "abort",
            Self::Disconnect => "disconnect",
        })
    }
}
