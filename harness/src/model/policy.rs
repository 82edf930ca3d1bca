//! The names of the model worker's policies, as scenario files and command lines write them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! names {
    ($(#[$doc:meta])* $type:ident: $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $type { $($(#[$variant_doc])* #[serde(rename = $name)] $variant,)+ }

        impl $type {
            /// Every name, in the order in which help texts list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name as it is written.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|value| value.name() == text).ok_or_else(|| {
                    let known: Vec<_> = Self::ALL.iter().map(|value| value.name()).collect();
                    format!("`{}` is none of {}", text.escape_debug(), known.join(", "))
                })
            }
        }
    };
}

names! {
    /// What ends the child of a session that is over. Several can be combined.
    Cleanup:
    /// Nothing does: the worker as reported.
    None = "none",
    /// Solution A: the worker knows the child of each session and ends it, TERM then KILL, when the generator ends.
    Tracked = "tracked",
    /// Solution B: kill every child that appeared since the session began, whoever it belongs to.
    SessionDiff = "session-diff",
    /// Solution C: at intervals, kill children older than an age, working or not.
    Reaper = "reaper",
    /// Solution D: the SDK itself ends its child when the iterator ends.
    Close = "close",
    /// What the product did later: a generator without new work for a while is ended.
    Idle = "idle",
}

names! {
    /// What `query()` does with its child when its iterator ends.
    QueryEnd:
    /// The child's stdin stays open: the report's hypothesis.
    HoldsStdin = "holds-stdin",
    /// The child's stdin is closed: what the real SDKs do.
    ClosesStdin = "closes-stdin",
}

names! {
    /// How the worker finds its children when it shuts down.
    Shutdown:
    /// It enumerates children on Windows alone, as shipped: elsewhere it finds none.
    WindowsOnly = "windows-only",
    /// The proposed fix: it enumerates children on Unix too.
    Enumerate = "enumerate",
}

names! {
    /// What the model does beyond the report: mistakes that others have made, one small deviation each, and habits that look like
    /// mistakes and are none. The gym is built of them.
    Quirk:
    /// A child that has to go gets SIGTERM, and nothing harder when it stays.
    TermOnly = "term-only",
    /// A child that has to go gets SIGINT alone.
    InterruptOnly = "interrupt-only",
    /// Each child leads a process group, and the signal that ends it goes to its whole group; what is waited for is the child alone.
    SignalsTheGroup = "signals-the-group",
    /// At its shutdown the worker sends SIGTERM to all that its children have started, and does not look whether it obeys.
    TermsTheTree = "terms-the-tree",
    /// After each turn of a claude, SIGKILL goes to all that it has started.
    KillsToolsAfterTurn = "kills-tools-after-turn",
    /// A claude that was ended because its session is over is taken for one that crashed, and another one resumes the session.
    RespawnsTheEnded = "respawns-the-ended",
    /// A sweep at intervals ends what has parent 1, and nothing else is ever ended.
    SweepsParentOne = "sweeps-parent-one",
    /// A sweep at intervals looks at every descendant and sends SIGTERM to those that the worker has not started itself.
    SweepsDescendants = "sweeps-descendants",
    /// The worker's end of a child's stdin is inherited by later children.
    InheritablePipes = "inheritable-pipes",
    /// Of several claudes of a session only the last one is ended.
    EndsTheLastOnly = "ends-the-last-only",
    /// A claude that is silent for the kill time is replaced by another one; the old one's stdin is closed, and it is forgotten.
    ReplacesSilent = "replaces-silent",
    /// The idle limit ends a generator and closes its claude's stdin, and sends no signal.
    IdleClosesOnly = "idle-closes-only",
    /// No child is ever waited for.
    NeverWaits = "never-waits",
    /// Children are written to disk, and a restarted worker ends those of its forerunner by SIGTERM when their sessions end.
    ReadoptsChildren = "readopts-children",
    /// Each session gets a helper of its own, which lives until the worker's shutdown ends its children.
    HelperPerSession = "helper-per-session",
    /// The worker starts a helper, and leaves it behind when it stops.
    LeavesHelper = "leaves-helper",
    /// The worker starts a short helper for each session, and never waits for it.
    HelperUnreaped = "helper-unreaped",
    /// Each session starts a probe (`claude --version`) whose end nobody waits for, with its stdin left open.
    ProbeForgotten = "probe-forgotten",
    /// Every item is followed by a line that is no JSON.
    WritesGarbage = "writes-garbage",
    /// Each request starts a probe.
    ProbeStorm = "probe-storm",
    /// The end of a session kills its claude at once, whatever it still has to do.
    KillsAtEnd = "kills-at-end",
    /// What ends a child is a number that was remembered, not the child: somebody else may have it by then.
    StalePid = "stale-pid",
    /// At a session's end the worker kills (SIGKILL) a pid that it has mistaken for its child's: its own.
    KillsItself = "kills-itself",
    /// The queue of a session is thrown away when the session ends.
    DropsQueueAtEnd = "drops-queue-at-end",
    /// A summary that waits is forgotten when the session ends.
    DropsSummary = "drops-summary",
    /// Every item is handed to the claude twice.
    DeliversTwice = "delivers-twice",
    /// An item that was answered is taken off the queue only when its session is over.
    ConfirmsAtEnd = "confirms-at-end",
    /// What hands items to a claude stops after the first one, without a word.
    FeederDies = "feeder-dies",
    /// What was in flight when the worker died stays marked as being worked on: it counts as pending, and is never handed out again.
    LeavesClaimed = "leaves-claimed",
    /// Every answer is stored twice.
    StoresTwice = "stores-twice",
    /// What was in flight when a claude died or fell silent is taken as done, with a record that says so.
    DeadTurnIsDone = "dead-turn-is-done",
    /// What was in flight when a claude died or fell silent is forgotten.
    ForgetsInFlight = "forgets-in-flight",
    /// An answer is confirmed and never stored.
    ForgetsToStore = "forgets-to-store",
    /// A slot of the pool is given back only when its claude is gone, and idle claudes are kept.
    SlotsHeldByIdle = "slots-held-by-idle",
    /// A slot of the pool is never given back.
    SlotsNeverReturned = "slots-never-returned",
    /// A claude that ended with work pending is replaced at once and without a limit.
    RestartsForEver = "restarts-for-ever",
    /// A queue that is longer than one item refuses the next.
    RefusesWhenBusy = "refuses-when-busy",
    /// A work request is answered only when the session is over.
    NeverAnswers = "never-answers",
    /// A line that is no JSON ends the worker.
    DiesOfGarbage = "dies-of-garbage",
    /// Each session leaves open files behind in the worker.
    LeaksFiles = "leaks-files",
    /// Each session leaves a pipe behind in the worker.
    LeaksPipes = "leaks-pipes",
    /// Each session leaves a thread behind in the worker.
    LeaksThreads = "leaks-threads",
    /// Each session leaves memory behind in the worker.
    LeaksMemory = "leaks-memory",
    /// No mistake: memory is taken for each session and given back all at once, now and then.
    Sawtooth = "sawtooth",
    /// No mistake: a cache fills with the first sessions and then stays as it is.
    WarmsUp = "warms-up",
    /// No mistake: a request that comes twice is taken once.
    TakesOnce = "takes-once",
}

names! {
    /// What kind of file a child's stdin is.
    Stdio:
    /// A pipe, as most runtimes use.
    Pipe = "pipe",
    /// A Unix socket pair, as node and bun use.
    Socket = "socket",
}
