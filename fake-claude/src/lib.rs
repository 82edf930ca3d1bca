//! A stand-in for the `claude` CLI: it speaks the stream-json protocol, and misbehaves on demand.
#![allow(missing_docs)]

pub mod behaviour;
pub mod control;
pub mod quantity;
