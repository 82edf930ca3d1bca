//! The proposed cures, one file each, as the report writes them, flaws included. Which of them are on is a setting; they combine.
//!
//! | policy | where it sits | what it reaches |
//! |---|---|---|
//! | `close` (D) | in the SDK, when the iterator of `query()` ends | its own child |
//! | `tracked` (A) | in the agent's `finally` | the child that it started |
//! | `session-diff` (B) | in the route's `finally` | every child that appeared since, whoever it serves |
//! | `reaper` (C) | on an interval | every old child, working or not |
//! | `idle` | in the message generator | a generator that waits without an end, and with it its child |
//!
//! The first three do nothing as long as no generator ends.

pub(super) mod close;
pub(super) mod idle;
pub(super) mod reaper;
pub(super) mod session_diff;
pub(super) mod tracked;
