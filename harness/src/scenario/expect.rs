//! `[expect]`: what a scenario expects of a run, and the words for it.

use std::fmt;

use fake_claude::control::Role;
use fake_claude::quantity::{Size, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Counts, End};

/// What is expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// The verdict.
    pub verdict: Verdict,
    /// Exact counts of what is found. What is not named here must not be found, once this key or `verdict = "fail"` is there.
    pub findings: Option<Counts>,
    /// What is found, with its cause. The first entry is what the scenario is about. Findings of a rule that is named here must all
    /// fit one of the entries for that rule, and each entry must be met.
    pub causes: Vec<ExpectedCause>,
    /// How long after its session's end a process may live; by default 12 s, and 240 s after abandon.
    pub grace: Option<Span>,
    /// How long processes may live after the worker has stopped.
    pub residue_grace: Span,
    /// Whether work that still waits at the end is no reason for doubt.
    pub allow_pending: bool,
    /// What is meant to live.
    pub survivors: Vec<Survivor>,
    /// Thresholds.
    pub limits: Limits,
    /// From when on, and from which size on, a trend upward counts.
    pub growth: GrowthSettings,
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            verdict: Verdict::Pass,
            findings: None,
            causes: Vec::new(),
            grace: None,
            residue_grace: Span::from_secs(1),
            allow_pending: false,
            survivors: Vec::new(),
            limits: Limits::default(),
            growth: GrowthSettings::default(),
        }
    }
}

impl Expect {
    /// The grace in force after an end of this kind: as given, or the default, which rests on the longest escalation in the field
    /// (10 s) and on the longest idle limit (180 s).
    pub fn grace_after(&self, end: End) -> Span {
        self.grace.unwrap_or(match end {
            End::Abandon => Span::from_secs(240),
            End::Complete | End::Abort | End::Disconnect => Span::from_secs(12),
        })
    }
}

/// The outcome of a run. Fail beats inconclusive beats pass.
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
pub enum Verdict {
    /// Nothing was found, and everything was seen.
    #[default]
    Pass,
    /// The evidence does not suffice.
    Inconclusive,
    /// Something was found.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
        })
    }
}

/// What can be found and counted: bins of processes, bins of work items, other findings.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Bin {
    /// Processes alive past the grace under a live owner.
    Retained,
    /// Processes alive past the grace whose owner is gone, or that left the tree.
    Reparented,
    /// Processes dead past the grace and never waited for.
    Zombie,
    /// Processes alive after the worker was stopped, and in no bin before.
    Residue,
    /// Processes that survived a restart of the worker and that the new one owns up to.
    Readopted,
    /// Processes ended from outside while their session was open and work was owed or might come.
    KilledEarly,
    /// Processes that ended by themselves with work owed.
    Crashed,
    /// Processes for which the evidence does not suffice.
    Undecided,
    /// Work items answered twice or more.
    Duplicated,
    /// Work items accepted and neither answered nor waiting.
    Lost,
    /// Work items that still wait.
    Pending,
    /// Work items that the worker refused.
    Refused,
    /// Work items that the worker said it skips.
    Skipped,
    /// Work items to which no answer came.
    Unknown,
    /// Sessions that had two live primaries at once.
    Twin,
    /// Sessions that could not go on.
    Stalled,
    /// Far more spawns than sessions.
    Storm,
    /// A trend upward after warm-up.
    Growth,
    /// Thresholds crossed.
    Limit,
    /// Deaths of the worker that nobody asked for.
    WorkerDied,
    /// What one witness missed and another saw.
    Blind,
}

/// `[[expect.causes]]`: a finding that is expected, with the reason that the judge has to name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedCause {
    /// The rule.
    pub rule: Bin,
    /// Whom it concerns: a role (`primary`), a kind of work (`observation`), `session`, or a figure such as `the worker's threads`.
    #[serde(default)]
    pub subject: Option<String>,
    /// The cause, word for word.
    pub cause: String,
}

/// Something that is meant to live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Survivor {
    /// Its role.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub role: Option<Role>,
    /// A part of its command line.
    #[serde(default)]
    pub command: Option<String>,
    /// Why it may live.
    pub reason: String,
}

/// Thresholds. Each one that is crossed is a finding of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Live children at any moment.
    pub peak_children: Option<u32>,
    /// The sum of their RSS at any moment.
    pub peak_rss: Option<Size>,
    /// The worker's own RSS at any moment.
    pub worker_rss: Option<Size>,
    /// How long a process may take to go after its session's end, 95th percentile.
    pub time_to_reap_p95: Option<Span>,
    /// Processes started in all.
    pub spawned: Option<u32>,
}

/// `[expect.growth]`: which part of the load is judged for growth, and from which rise on a figure counts. A rise also has to be
/// a twentieth of the figure's level, and to stand out from what else the figure does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GrowthSettings {
    /// How long the load warms up; without it, a quarter of the load. A time scale divides it, but not below 5 s.
    pub warm_up: Option<Span>,
    /// How long the load must last after the warm-up to be judged. A time scale divides it, but not below 10 s.
    pub least: Span,
    /// Rise of the worker's own RSS that counts.
    pub rss: Size,
    /// Rise of the number of files, pipes and sockets left out, that the worker has open.
    pub files: u32,
    /// Rise of the number of pipes and sockets that the worker has open.
    pub pipes: u32,
    /// Rise of the number of the worker's threads.
    pub threads: u32,
    /// Rise of the number of helpers and probes.
    pub helpers: u32,
    /// Rise of the number of processes that no session under way accounts for.
    pub children: u32,
}

impl Default for GrowthSettings {
    fn default() -> Self {
        Self {
            warm_up: None,
            least: Span::from_secs(60),
            rss: Size::from_bytes(8 << 20),
            files: 8,
            pipes: 8,
            threads: 4,
            helpers: 4,
            children: 4,
        }
    }
}
