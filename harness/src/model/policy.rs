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
    /// What kind of file a child's stdin is.
    Stdio:
    /// A pipe, as most runtimes use.
    Pipe = "pipe",
    /// A Unix socket pair, as node and bun use.
    Socket = "socket",
}
