//! Tests of the program from outside: on its stdin and stdout as its caller, on the control socket as its harness.

mod alone;
mod behaviours;
mod conformance;
mod control;
mod invocation;
mod lifecycle;
mod memory;
mod mutations;
mod support;
