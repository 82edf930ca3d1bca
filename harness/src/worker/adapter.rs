//! Adapters: how one kind of worker is started, isolated, asked for readiness, driven, ended and stopped; all of it data.
//!
//! An adapter is a TOML file, read strictly. What is about requests may be taken over from a built-in adapter (`dialect`), so that
//! a dialect is written once however many workers speak it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use fake_claude::control::{Role, TurnKind};
use fake_claude::quantity::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use semver::{Version, VersionReq};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::inherit;
pub use super::requests::{
    Cut, Disconnect, Ends, Field, Listing, Method, Moment, Pointer, Queue, Ready, Request, Skipped,
    Until,
};
use super::template::{Body, Template};
use crate::scenario::End;
use crate::strict_toml::{Source, TomlError};

/// The adapters that come with the program, by name: every file of `adapters/`.
const BUILT_IN: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/built_in_adapters.rs"));

const fn yes() -> bool {
    true
}

/// How one kind of worker is handled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    /// Its name, as reports show it: letters, digits, hyphens and full stops.
    pub name: String,
    /// The package whose workers it handles, where `PACKAGE@VERSION` is to find it.
    #[serde(default)]
    pub package: Option<String>,
    /// The versions that it handles, such as `">=8.5.0, <9.1.0"`; absent: any.
    #[serde(default)]
    pub versions: Versions,
    /// How the worker is spoken to.
    pub kind: Kind,
    /// The built-in adapter whose requests this one takes over: `ready`, `open`, `prompt`, `observation`, `summary`, `ends`, `stored`,
    /// `kept`, `queue` and `roles`, each as a whole, where it is not given here.
    #[serde(default, skip_serializing)]
    pub dialect: Option<String>,
    /// The built-in adapter that this one differs from: everything but `name` and `versions` is taken over where it is not given here,
    /// `needs`, `start` and the tables in them key by key, all else as a whole.
    #[serde(default, skip_serializing)]
    pub based_on: Option<String>,
    /// The port that the worker gets in a network of its own; elsewhere it gets a free one. Below 32768 in either case: higher ports
    /// may be taken by outgoing connections, and a client that polls such a port can even meet itself there. The kind `http` alone.
    #[serde(default)]
    pub port: Option<u16>,
    /// Whether the worker kills processes by what their command line says. Such a worker is run only in a PID namespace of its own.
    #[serde(default)]
    pub kills_by_command_line: bool,
    /// How the worker's own timers can be divided; absent: they cannot.
    #[serde(default)]
    pub time_scale: Option<TimeScaling>,
    /// Whether each session gets a folder of its own that exists: some workers write into the folder that `{cwd}` names.
    #[serde(default = "yes")]
    pub session_folders: bool,
    /// After which silence the worker itself ends the claude of a session; absent: never.
    #[serde(default)]
    pub idle_limit: Option<Span>,
    /// How many sessions may have a live claude at once before the worker refuses or drops work; absent: any number.
    #[serde(default)]
    pub live_sessions: Option<u32>,
    /// What must be there before the worker can start.
    #[serde(default)]
    pub needs: Needs,
    /// How it is started.
    pub start: Start,
    /// How it says that it is ready.
    pub ready: Ready,
    /// The requests by which a session opens, before its first prompt.
    #[serde(default)]
    pub open: Vec<Request>,
    /// The requests of each prompt.
    #[serde(default)]
    pub prompt: Vec<Request>,
    /// The requests of each observation.
    #[serde(default)]
    pub observation: Vec<Request>,
    /// The requests of each summary.
    #[serde(default)]
    pub summary: Vec<Request>,
    /// How sessions end. `abandon` needs nothing and is always there.
    #[serde(default)]
    pub ends: Ends,
    /// The roles of processes that say nothing for themselves. The first entry that fits counts.
    #[serde(default)]
    pub roles: Vec<RoleRule>,
    /// Where stored work can be read back.
    #[serde(default)]
    pub stored: Vec<Listing>,
    /// Where work that still waits on disk can be read.
    #[serde(default)]
    pub kept: Vec<Listing>,
    /// Where the length of the worker's own queue can be read.
    #[serde(default)]
    pub queue: Option<Queue>,
    /// How it is stopped.
    pub stop: Stop,
}

/// How a worker is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// HTTP/1.1 with JSON on the loopback address.
    Http,
    /// JSON lines: requests on its stdin, answers on its stdout.
    Stdio,
}

/// A requirement on versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions(VersionReq);

impl Versions {
    /// Whether a version is among them.
    pub fn hold(&self, version: &Version) -> bool {
        self.0.matches(version)
    }
}

impl Default for Versions {
    fn default() -> Self {
        Self(VersionReq::STAR)
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Versions {
    type Err = semver::Error;

    fn from_str(text: &str) -> Result<Self, semver::Error> {
        text.parse().map(Self)
    }
}

impl Serialize for Versions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Versions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| {
            de::Error::custom(format!(
                "`{text}` is no requirement on versions, such as \">=8.5.0, <9.1.0\": {error}"
            ))
        })
    }
}

impl JsonSchema for Versions {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Versions".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A requirement on versions: \">=8.5.0, <9.1.0\"." })
    }
}

/// How a worker's own timers are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TimeScaling {
    /// It is told: `{time_scale}` stands somewhere in its command.
    Told,
    /// Its runtime preloads a script that divides timer delays and multiplies clocks (bun and node).
    Preloaded,
}

/// What must be there before a worker can start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Needs {
    /// The program that runs it, found in the cache or on PATH: `{runtime}`.
    pub runtime: Option<String>,
    /// The versions of the runtime that will do.
    pub runtime_versions: Versions,
    /// A program of this project that is the worker itself: `{program}`.
    pub program: Option<String>,
    /// A host program that comes with the harness and is written into the folder of the run: `{host}`.
    pub host: Option<String>,
    /// A file of the package by which a folder is known to hold it; relative to the package's folder.
    pub file: Option<String>,
    /// Packages of npm that must lie in a `node_modules` of the package's folder or of one above it, with the version to install.
    pub modules: BTreeMap<String, String>,
}

/// How a worker is started. Placeholders: `{port}`, `{home}`, `{data}`, `{tmp}`, `{cwd}`, `{claude}` (the path of the claude to start),
/// `{package}`, `{adapter}` (the folder of the adapter file), `{runtime}`, `{program}`, `{host}`, `{cache}`, `{time_scale}`, and `{flags}`
/// as an argument of its own (settings from the command line).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The program and its arguments. The started process is the worker itself: nothing that detaches.
    pub command: Vec<Template>,
    /// Its working directory.
    pub cwd: Template,
    /// Variables of its environment, beside HOME, TMPDIR, XDG_*, PATH and a few for language and time zone.
    #[serde(default)]
    pub env: BTreeMap<String, Template>,
    /// Names of variables that are passed on from the user's environment.
    #[serde(default)]
    pub pass: Vec<String>,
    /// Files that are written before it starts, all of them inside the folder of the run.
    #[serde(default)]
    pub files: Vec<FileToWrite>,
    /// Settings that it reads from a file of JSON, or from its environment.
    #[serde(default)]
    pub settings: Option<Settings>,
}

/// Settings of a worker. Each is written into the file and set as a variable of the environment as well: which of the two a release
/// believes differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The file, inside the folder of the run. Its values are texts.
    pub file: Template,
    /// The settings.
    pub values: BTreeMap<String, Template>,
}

/// A file that is written before the worker starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileToWrite {
    /// Where.
    pub path: Template,
    /// Its contents, written as JSON.
    #[serde(default)]
    pub json: Option<Body>,
    /// Its contents as text.
    #[serde(default)]
    pub text: Option<Template>,
}

/// A role that processes have by their command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleRule {
    /// The role.
    #[schemars(with = "String")]
    pub role: Role,
    /// All of these stand in the command line, in any order.
    pub command: Vec<String>,
}

/// How a worker is stopped: by a signal, by a request, or by the end of its stdin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// The signal.
    #[serde(default)]
    pub signal: Option<StopSignal>,
    /// The request.
    #[serde(default)]
    pub request: Option<Request>,
    /// Whether its stdin is closed; the kind `stdio` alone.
    #[serde(default)]
    pub closes_stdin: bool,
    /// How long it may take to go before it is killed.
    pub timeout: Span,
}

/// A signal that asks a worker to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StopSignal {
    /// SIGTERM.
    #[serde(rename = "SIGTERM")]
    Sigterm,
    /// SIGINT.
    #[serde(rename = "SIGINT")]
    Sigint,
}

impl StopSignal {
    /// The signal's number.
    pub const fn number(self) -> i32 {
        match self {
            Self::Sigterm => libc::SIGTERM,
            Self::Sigint => libc::SIGINT,
        }
    }
}

impl Adapter {
    /// Reads an adapter from the text of a file.
    ///
    /// # Errors
    ///
    /// Anything that is not understood, with its place, the nearest valid key, and what would be right.
    pub fn parse(file: &str, text: &str) -> Result<Self, TomlError> {
        let source = Source { file, text };
        let table = inherit::table(&source)?;
        let adapter: Self = source.read(table)?;
        super::check::check(&source, &adapter)?;
        Ok(adapter)
    }

    /// Whether the text of a file is that of an adapter rather than of a scenario: only an adapter says its kind or what it is based on.
    pub fn is_written_in(text: &str) -> bool {
        toml::from_str::<toml::Table>(text).is_ok_and(|table| {
            ["kind", "based_on"]
                .iter()
                .any(|key| table.contains_key(*key))
        })
    }

    /// The names of the built-in adapters.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The file of a built-in adapter.
    pub(super) fn built_in_file(name: &str) -> Option<Source<'static>> {
        BUILT_IN
            .iter()
            .find(|(built_in, _)| *built_in == name)
            .map(|(file, text)| Source { file, text })
    }

    /// The built-in adapter of this name.
    pub fn built_in(name: &str) -> Option<Self> {
        let Source { file, text } = Self::built_in_file(name)?;
        Some(Self::parse(file, text).expect("a test reads every built-in adapter"))
    }

    /// The built-in adapter that handles this version of a package.
    pub fn for_package(package: &str, version: &Version) -> Option<Self> {
        Self::built_in_names()
            .filter_map(Self::built_in)
            .find(|adapter| {
                adapter.package.as_deref() == Some(package) && adapter.versions.hold(version)
            })
    }

    /// The adapter in one piece, as TOML: what it took over from a dialect is written out.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self)
            .expect("an adapter that was read from TOML can be written as TOML")
    }

    /// The role that a command line tells, where it tells one.
    pub fn role_of(&self, command: &str) -> Option<Role> {
        self.roles
            .iter()
            .find(|rule| {
                rule.command
                    .iter()
                    .all(|part| command.contains(part.as_str()))
            })
            .map(|rule| rule.role)
    }

    /// Whether this worker knows an end of this kind.
    pub const fn has_end(&self, end: End) -> bool {
        match end {
            End::Abandon => true,
            End::Complete => self.ends.complete.is_some(),
            End::Abort => self.ends.abort.is_some(),
            End::Disconnect => self.ends.disconnect.is_some(),
        }
    }

    /// How the worker's own client ends a session: what `ends.usual` says, else `complete` where there is one, else `abandon`.
    pub fn usual_end(&self) -> End {
        let known = || match self.ends.complete {
            Some(_) => End::Complete,
            None => End::Abandon,
        };
        self.ends.usual.unwrap_or_else(known)
    }

    /// The requests of a moment.
    pub fn moment(&self, moment: Moment) -> &[Request] {
        match moment {
            Moment::Prompt => &self.prompt,
            Moment::Observation => &self.observation,
            Moment::Summary => &self.summary,
        }
    }

    /// Whether a moment hands a work item over.
    pub fn is_work(&self, moment: Moment) -> bool {
        self.moment(moment).iter().any(|request| request.work)
    }

    /// The kinds of work that can be read back.
    pub fn stored_kinds(&self) -> Vec<TurnKind> {
        let mut kinds: Vec<_> = self
            .stored
            .iter()
            .flat_map(|listing| listing.kinds.clone())
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}
