//! `writes-garbage`: something else writes to the pipe that carries the messages, such as a logger that was pointed at it.

/// A line that is no JSON.
pub(in crate::model) const LINE: &[u8] = b"[worker] item handed over\n";
