//! One run.

/// How a run goes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Progress {
    /// What is being done.
    pub phase: String,
    /// Sessions that ended or stalled.
    pub sessions_done: u32,
    /// Sessions that are planned.
    pub sessions: u32,
    /// Live children of the worker.
    pub children: u32,
    /// The sum of their RSS, in bytes.
    pub rss_bytes: u64,
    /// Processes past their grace.
    pub leftovers: u32,
}
