//! Watches a live daemon without a scenario: who belongs to it, what it weighs, what becomes more.
//!
//! It only reads. Nothing here signals, writes to or starts a process, and none of it needs root.
//!
//! ```text
//! Looker (reads the system) ─► Look ─► Watch (a pure fold) ─► AttachReport ─► markdown | JSON
//!                                        └─► live, screen
//! ```

pub mod error;
pub mod evidence;
pub mod family;
pub mod growth;
mod identity;
pub mod live;
pub mod looker;
pub mod markdown;
pub mod marks;
pub mod mask;
pub mod report;
pub mod screen;
pub mod signature;
pub mod watch;
mod words;

#[cfg(test)]
mod examples;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use fake_claude::quantity::Span;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::error::AttachError;
use self::looker::{Closeness, Looker};
use self::report::{AttachReport, End, Watching};
use self::watch::Watch;
use crate::platform;
use crate::units::RunTime;

/// Open files and working folders of those who may be relatives are looked at this often, in milliseconds.
const FILES_EVERY: u64 = 10_000;
/// Whether the daemon still lives is asked at least this often.
const ALIVE_EVERY: Duration = Duration::from_secs(1);

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The daemon's pid.
    pub pid: u32,
    /// For how long to watch.
    pub time: Span,
    /// The pause between two looks.
    pub every: Span,
    /// The daemon's data folders; without any, they are found.
    pub data: Vec<PathBuf>,
    /// The command as it was typed, for the report.
    pub command: String,
    /// The version of this program, for the report.
    pub harness_version: String,
}

/// Watches until the time is over, the user stops it, or the daemon ends. `show` is called after each look with what was seen so far
/// and the daemon's name.
///
/// # Errors
///
/// When there is nothing to attach to, or when the system refuses what is needed.
pub fn attach(
    asked: &Asked,
    show: &mut dyn FnMut(&Watch, &str),
) -> Result<AttachReport, AttachError> {
    let failed = |doing| move |cause: io::Error| AttachError::System { doing, cause };
    let mut looker = Looker::attach(asked.pid, &asked.data)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed("start a runtime"))?;
    runtime.block_on(async {
        let mut signals = Signals::listen().map_err(failed("listen to signals"))?;
        watch(asked, &mut looker, &mut signals, show).await
    })
}

async fn watch(
    asked: &Asked,
    looker: &mut Looker,
    signals: &mut Signals,
    show: &mut dyn FnMut(&Watch, &str),
) -> Result<AttachReport, AttachError> {
    let watching = Watching {
        for_ms: 0,
        every_ms: asked.every.as_millis(),
        looks: 0,
        end: End::TimeOver,
        command: asked.command.clone(),
        cookies: Vec::new(),
        data_folders: Vec::new(),
    };
    // Before anything else: of a daemon that ends, nothing can be read afterwards.
    let mut facts = looker.facts(watching, &asked.harness_version);
    let mut watch = Watch::new();
    watch.see(looker.look(Closeness::Memory)?);
    show(&watch, &facts.signature);
    let clock = *looker.clock();
    let over = RunTime::START + asked.time;
    let mut due = RunTime::START + asked.every;
    let mut files_at = RunTime::START;
    let end = loop {
        if let Some(end) = looker.ended() {
            break end;
        }
        let next = due.min(over);
        let pause = clock.until(next).min(ALIVE_EVERY);
        tokio::select! {
            biased;
            () = signals.next() => break End::Interrupted,
            () = tokio::time::sleep(pause) => {}
        }
        let now = clock.now();
        let alive = looker.is_alive();
        if alive && now >= over {
            break End::TimeOver;
        }
        if alive && now < next {
            continue;
        }
        let closely = now.since(files_at).as_millis() >= FILES_EVERY;
        let closeness = if closely {
            Closeness::Files
        } else {
            Closeness::Table
        };
        if closely {
            files_at = now;
        }
        // The last look, below, is taken of who is left once the daemon has ended.
        if alive {
            watch.see(looker.look(closeness)?);
            show(&watch, &facts.signature);
        } else {
            break End::DaemonEnded;
        }
        // Looks that are over by now are not made up for.
        while due <= clock.now() {
            due = due + asked.every;
        }
    };
    watch.see(looker.look(Closeness::Memory)?);
    show(&watch, &facts.signature);
    facts.watching.end = looker.ended().unwrap_or(end);
    facts.host.available_memory_bytes = platform::available_memory_bytes();
    Ok(watch.finish(facts))
}

/// The signals by which a user stops the watch.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
