//! The requests of an adapter: what a worker is asked, and what its answers mean.

use std::collections::BTreeMap;
use std::fmt;

use fake_claude::control::TurnKind;
use fake_claude::quantity::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;

use super::client::Target;
use super::template::{Body, Template, Unset, Variables};
use crate::scenario::End;

/// How a worker says that it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// The path that is asked with GET; the kind `http` alone. The kind `stdio` waits for a line.
    #[serde(default)]
    pub path: Option<String>,
    /// The status that means ready.
    #[serde(default = "ok")]
    pub status: u16,
    /// What the answer must hold as well; of the kind `stdio`, what the line holds (else `"ready": true`).
    #[serde(default)]
    pub field: Option<Field>,
    /// How long it may take.
    pub timeout: Span,
}

const fn ok() -> u16 {
    200
}

/// A place in a JSON answer and the value that is looked for there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The place: a JSON pointer, such as `/status`.
    pub at: Pointer,
    /// One of these is meant.
    pub is: Vec<Value>,
}

impl Field {
    /// Whether the value is there.
    pub fn fits(&self, answer: &Value) -> bool {
        self.at
            .of(answer)
            .is_some_and(|value| self.is.contains(value))
    }
}

/// A JSON pointer: empty for the whole, or `/` before each step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Pointer(String);

impl Pointer {
    /// The value at the place.
    pub fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        value.pointer(&self.0)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || text.starts_with('/') {
            Ok(Self(text))
        } else {
            Err(de::Error::custom(format!(
                "`{text}` is no JSON pointer: write \"/{text}\""
            )))
        }
    }
}

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Hands over.
    Post,
    /// Replaces.
    Put,
    /// Takes away.
    Delete,
}

impl Method {
    /// The method as it is written on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// A request of a session. Placeholders: `{session}`, `{project}`, `{prompt}` (the text of the latest prompt, its marker in it),
/// `{marker}` (of this prompt, observation or summary), `{cwd}` (the session's folder), `{number}` (of the prompt, from 1), and
/// whatever an earlier request of the session has captured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Its method; the kind `http` alone.
    #[serde(default)]
    pub method: Option<Method>,
    /// Its path. Values are percent-encoded; the kind `http` alone.
    #[serde(default)]
    pub path: Option<Template>,
    /// What its line asks for; the kind `stdio` alone.
    #[serde(default)]
    pub ask: Option<String>,
    /// Its body, sent as JSON; of the kind `stdio`, a table whose keys stand in the line.
    #[serde(default)]
    pub body: Option<Body>,
    /// Whether it is this request that hands the work item over. At most one of a moment.
    #[serde(default)]
    pub work: bool,
    /// How an answer of success says that the item is skipped, and where it says why.
    #[serde(default)]
    pub skipped: Option<Skipped>,
    /// Variables that are taken out of the answer, by name.
    #[serde(default)]
    pub capture: BTreeMap<String, Pointer>,
    /// The request is left out when a captured variable has this value.
    #[serde(default)]
    pub unless: BTreeMap<String, Value>,
    /// The request is made again and again, first after a pause, until its answer holds a value or time is up; in either case the
    /// session then goes on. Such a request hands nothing over and, among the requests of an end, is not yet the end.
    #[serde(default)]
    pub until: Option<Until>,
}

impl Request {
    /// What it is addressed to.
    ///
    /// # Errors
    ///
    /// A placeholder without a value.
    pub fn target(&self, variables: &Variables) -> Result<Target, Unset> {
        target(
            self.path.as_ref(),
            self.ask.as_deref(),
            self.method,
            variables,
        )
    }
}

/// What is addressed by a path or by what a line asks for: an adapter that was read has one of them.
fn target(
    path: Option<&Template>,
    ask: Option<&str>,
    method: Option<Method>,
    variables: &Variables,
) -> Result<Target, Unset> {
    Ok(match path {
        Some(path) => Target::Http {
            method: method.unwrap_or(Method::Get),
            path: path.render_path(variables)?,
        },
        None => Target::Line(ask.unwrap_or_default().to_owned()),
    })
}

/// What a request that is made again and again waits for. Both times are in the worker's time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Until {
    /// The place in the answer: a JSON pointer.
    pub at: Pointer,
    /// One of these is waited for.
    pub is: Vec<Value>,
    /// The pause before each question.
    pub every: Span,
    /// How long it is asked at the most.
    pub within: Span,
}

impl Until {
    /// Whether an answer holds what is waited for.
    pub fn fits(&self, answer: &Value) -> bool {
        self.at
            .of(answer)
            .is_some_and(|value| self.is.contains(value))
    }
}

/// How an answer says that an item is skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// The place that tells: a JSON pointer.
    pub at: Pointer,
    /// What stands there then.
    pub is: Vec<Value>,
    /// Where the reason stands.
    #[serde(default)]
    pub reason: Option<Pointer>,
}

/// How sessions end. What is absent is an end that this worker does not know: a scenario that asks for it is refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ends {
    /// How the worker's own client ends a session; absent: `complete` where that is known, else `abandon`.
    pub usual: Option<End>,
    /// Why an end is absent that one might expect, for the error of a scenario that asks for it.
    pub because: Option<String>,
    /// The requests that say that a prompt is done, sent after the last item of each prompt that another one follows. From then to the
    /// next prompt the worker may end what serves the session.
    pub prompt: Vec<Request>,
    /// The requests that say that the session is over; those that say that its last prompt is done are among them.
    pub complete: Option<Vec<Request>>,
    /// The requests that give its work up.
    pub abort: Option<Vec<Request>>,
    /// Which request is broken off.
    pub disconnect: Option<Disconnect>,
}

/// A request that is broken off in the middle: one more work item of the session, aborted by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Disconnect {
    /// The moment whose work request it is.
    pub during: Moment,
    /// How far it goes.
    pub after: Cut,
}

/// The moments of a session that hand work over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// A prompt.
    Prompt,
    /// An observation.
    Observation,
    /// A summary.
    Summary,
}

impl Moment {
    /// The kind of turn that answers it.
    pub const fn kind(self) -> TurnKind {
        match self {
            Self::Prompt => TurnKind::Prompt,
            Self::Observation => TurnKind::Observation,
            Self::Summary => TurnKind::Summary,
        }
    }

    /// The letter of its markers.
    pub const fn letter(self) -> char {
        match self {
            Self::Prompt => 'p',
            Self::Observation => 'o',
            Self::Summary => 's',
        }
    }
}

/// How far a request goes that is broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// Half of its body is sent.
    HalfBody,
    /// All of it is sent, and its answer is not waited for.
    Sent,
}

/// A list of records that the worker lets one read, page by page, or that lies in its database: either `path` (of the kind `stdio`,
/// `ask`) and `items`, or `database` and `query`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// The kinds of work that it holds.
    #[schemars(with = "Vec<String>")]
    pub kinds: Vec<TurnKind>,
    /// The path that is asked with GET. Placeholders: `{offset}`, `{limit}`.
    #[serde(default)]
    pub path: Option<Template>,
    /// What is asked for, by a line with `limit` and `offset` where it is paged; the kind `stdio` alone.
    #[serde(default)]
    pub ask: Option<String>,
    /// Where the list stands in the answer.
    #[serde(default)]
    pub items: Option<Pointer>,
    /// A file of SQLite, which is only read. Placeholders: `{home}`, `{data}`, `{tmp}`, `{cwd}` (the folder of the sessions' folders).
    #[serde(default)]
    pub database: Option<Template>,
    /// The statement whose rows are the records: an object each, by the names of the columns.
    #[serde(default)]
    pub query: Option<String>,
    /// Where a record's own id stands in it, so that a record that moved from page to page counts once.
    #[serde(default)]
    pub id: Option<Pointer>,
    /// How many records a page holds; a page with fewer is the last. Absent: all of them come at once.
    #[serde(default)]
    pub limit: Option<u32>,
    /// Only records for which this holds count.
    #[serde(default)]
    pub only: Option<Field>,
}

impl Listing {
    /// What a page of it is asked of.
    ///
    /// # Errors
    ///
    /// A placeholder without a value.
    pub fn target(&self, variables: &Variables) -> Result<Target, Unset> {
        target(self.path.as_ref(), self.ask.as_deref(), None, variables)
    }
}

/// Where the length of the worker's own queue can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// The path that is asked with GET; the kind `http` alone.
    #[serde(default)]
    pub path: Option<String>,
    /// What is asked for; the kind `stdio` alone.
    #[serde(default)]
    pub ask: Option<String>,
    /// Where the number stands in the answer.
    pub at: Pointer,
}

impl Queue {
    /// What its length is asked of.
    pub fn target(&self) -> Target {
        match &self.path {
            Some(path) => Target::Http {
                method: Method::Get,
                path: path.clone(),
            },
            None => Target::Line(self.ask.clone().unwrap_or_default()),
        }
    }
}
