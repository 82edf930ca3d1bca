//! The stream-json protocol: one JSON object per line, both ways. Pure: text in, values out; values in, text out.

pub mod incoming;
pub mod outgoing;
