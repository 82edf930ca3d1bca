//! A scenario: the load, how the fake claudes behave, what is expected.

pub mod expect;
pub mod faults;
pub mod load;
mod parse;
pub mod schema;

use std::collections::BTreeMap;

use fake_claude::behaviour::Behaviour;
use fake_claude::quantity::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::policy::{Cleanup, QueryEnd, Quirk, Shutdown, Stdio};

pub use expect::{Bin, Expect, ExpectedCause, GrowthSettings, Limits, Survivor, Verdict};
pub use faults::{Fault, FaultKind, SecondPort, Step, Victim, When};
pub use load::{End, Hook, Load};

/// A scenario file, read and checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name: letters, digits and hyphens.
    pub name: String,
    /// What it shows, in a sentence or two.
    #[serde(default)]
    pub description: String,
    /// The public issue that tells of it, as `owner/repository#number`.
    #[serde(default)]
    pub issue: Option<String>,
    /// What the worker should have done, in words for those who work on it: a report to its project says so, and no machine can tell.
    #[serde(default)]
    pub should: Option<String>,
    /// What it means to those who use the worker when it does not, in the same words.
    #[serde(default)]
    pub impact: Option<String>,
    /// The seed of everything that is drawn by chance.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Which worker is driven, and how the model behaves.
    #[serde(default)]
    pub worker: WorkerSettings,
    /// The load.
    pub load: Load,
    /// How every fake claude behaves.
    #[serde(default)]
    pub claude: Behaviour,
    /// Shares of the sessions whose fakes behave otherwise; written as `[[claude.mix]]`.
    #[serde(default)]
    pub mix: Vec<Mix>,
    /// What happens to the worker or a claude, and when; written as `[[faults]]`.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// What is expected.
    #[serde(default)]
    pub expect: Expect,
    /// How the run is run.
    #[serde(default)]
    pub run: RunSettings,
}

fn default_seed() -> u64 {
    603
}

/// `[worker]`: which worker is driven. All keys but `use` speak to the model alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerSettings {
    /// `model`, `claude-mem@VERSION`, `claude-mem:DIR`, or an adapter file.
    #[serde(rename = "use")]
    pub worker: String,
    /// What ends the child of a session that is over.
    pub cleanup: Vec<Cleanup>,
    /// What `query()` does with its child when its iterator ends.
    pub query_end: QueryEnd,
    /// How the worker finds its children when it shuts down.
    pub shutdown: Shutdown,
    /// What kind of file a child's stdin is.
    pub stdio: Stdio,
    /// How often the reaper looks.
    pub reaper_interval: Span,
    /// From which age on the reaper kills.
    pub reaper_age: Span,
    /// After which silence the idle policy ends a generator.
    pub idle_limit: Span,
    /// How long a child may take to obey SIGTERM before `tracked` and `close` send SIGKILL.
    pub kill_after: Span,
    /// How long the worker waits before it restarts a generator that ended with work pending.
    pub restart_delay: Span,
    /// For how long a claude may be silent while a session that is over waits for its last answers.
    pub drain_limit: Span,
    /// How many claudes may live at once; without it, as many as are asked for.
    pub slots: Option<u32>,
    /// What the model does beyond the report.
    pub quirks: Vec<Quirk>,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            worker: "model".to_owned(),
            cleanup: vec![Cleanup::None],
            query_end: QueryEnd::HoldsStdin,
            shutdown: Shutdown::WindowsOnly,
            stdio: Stdio::Pipe,
            reaper_interval: Span::from_secs(60),
            reaper_age: Span::from_secs(1_800),
            idle_limit: Span::from_secs(180),
            kill_after: Span::from_secs(5),
            restart_delay: Span::from_secs(1),
            drain_limit: Span::from_secs(30),
            slots: None,
            quirks: Vec::new(),
        }
    }
}

impl Scenario {
    /// How long the whole run may take: its time-out, and the time of a load that lasts one.
    pub fn longest(&self) -> Span {
        let lasts = self.load.lasts.unwrap_or_default();
        let lasts = lasts.divided(self.run.time_scale);
        Span::from_nanos(self.run.timeout.as_nanos().saturating_add(lasts.as_nanos()))
    }
}

/// A share of the sessions whose fakes behave otherwise. Keys that it does not name are those of `[claude]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mix {
    /// The share of the sessions, above 0 and at most 1. Which ones is drawn from the seed; how many is exact. Where a load lasts a
    /// time, it is so to within one session in each hundred, one after the other.
    pub share: f64,
    /// How their fakes behave.
    pub behaviour: Behaviour,
}

/// `[run]`: how the run is run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RunSettings {
    /// Divides the worker's, the fakes' and the driver's times.
    pub time_scale: f64,
    /// How long the whole run may take; the time of a load that `lasts` comes on top.
    pub timeout: Span,
    /// How long the worker's work may take to come to rest after the load.
    pub drain: Span,
    /// For how long nothing may happen before the work counts as at rest.
    pub quiet: Span,
    /// How long after the last session's end a run goes on at least, while anything lives, even where the grace is shorter: to see
    /// how long what outlives its grace lives on. A time scale divides it.
    pub watch: Span,
    /// The time between two samples of the process table.
    pub tick: Span,
    /// How long a request may take.
    pub request_timeout: Span,
    /// Witnesses that are switched off: what would be seen without them?
    pub without: Vec<Witness>,
}

/// A witness that can be switched off.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Witness {
    /// PID 1 or subreaper, and pidfds: who ended, when, and how.
    Reaper,
    /// The process table.
    Table,
    /// The portable process table, which checks the other.
    Portable,
    /// The control socket: what each fake saw and did.
    Control,
    /// The environment cookie.
    Cookie,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            time_scale: 1.0,
            timeout: Span::from_secs(600),
            drain: Span::from_secs(60),
            quiet: Span::from_millis(700),
            watch: Span::ZERO,
            tick: Span::from_millis(100),
            request_timeout: Span::from_secs(30),
            without: Vec::new(),
        }
    }
}

/// Counts by bin or finding, as `[expect] findings` names them.
pub type Counts = BTreeMap<Bin, u32>;
