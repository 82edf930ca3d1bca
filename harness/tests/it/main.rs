//! The program as its users meet it, one module for each part.

// Looks for processes in /proc.
#[cfg(target_os = "linux")]
mod attach;
mod cli;
// Looks for processes in /proc.
#[cfg(target_os = "linux")]
mod compare;
// Looks for processes in /proc.
#[cfg(target_os = "linux")]
mod end_to_end;
mod explore;
// Looks for processes in /proc.
#[cfg(target_os = "linux")]
mod lines;
mod many;
mod scenario;
mod soak;
mod support;
mod tidy;
