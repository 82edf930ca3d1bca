//! The outer process's part of a run: the temporary folder, the inner process, Ctrl-C, progress.

use std::fs;
use std::io;
use std::path::Path;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::order::{Order, Progress, Told};
use crate::isolation::Wanted;
use crate::isolation::outer::{Inner, launch};
use crate::platform::{self, Exit};
use crate::report::Report;
use crate::scenario::{FaultKind, Scenario};
use crate::units::Count;

/// How a run that can be judged ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// By itself.
    Finished,
    /// Early, because the user asked.
    Interrupted,
}

/// Why there is nothing that could be judged.
#[derive(Debug)]
pub enum RunError {
    /// The worker would not start; the message has its last lines of output.
    WorkerWouldNotStart(String),
    /// What was asked for cannot be done on this machine.
    Usage(String),
    /// The user asked twice to stop.
    InterruptedAtOnce,
    /// Our bug, or a machine that refuses what is needed.
    Failed(String),
}

/// What is to be shown while a run goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// How the run goes.
    Progress(Box<Progress>),
    /// What would be reported of what was seen so far; only runs that are asked for it send it.
    Checkpoint(Box<Report>),
    /// Something that the user should know.
    Note(String),
}

/// Makes a run happen: its temporary folder, its inner process, and what the two say to each other.
///
/// # Errors
///
/// When the run leaves nothing that could be judged.
pub fn run(
    order: &mut Order,
    place: PlaceWanted,
    keep: bool,
    show: &mut dyn FnMut(Shown),
) -> Result<Stopped, RunError> {
    let failed = |doing: &'static str| {
        move |cause: io::Error| RunError::Failed(format!("cannot {doing}: {cause}"))
    };
    let folder = tempfile::Builder::new()
        .prefix("leak-harness-")
        .tempdir()
        .map_err(failed("make a temporary folder"))?;
    folder.path().clone_into(&mut order.folder);
    order.cookie = folder
        .path()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let plan = serde_json::to_vec(order)
        .map_err(|error| RunError::Failed(format!("the order cannot be written: {error}")))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed("start a runtime"))?;
    let outcome = runtime.block_on(async {
        // Before the inner process exists: a Ctrl-C in between must not end this one without the other.
        let mut signals = Signals::listen().map_err(failed("listen to signals"))?;
        let inner =
            launch(&plan, place.wanted).map_err(|error| RunError::Failed(error.to_string()))?;
        check_place(&inner, place, order)?;
        follow(inner, &mut signals, show).await
    });
    keep_log(&order.folder, &order.out);
    if keep {
        show(Shown::Note(format!(
            "the run's folder stays: {}",
            folder.keep().display()
        )));
    }
    outcome
}

/// What kind of place a run wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceWanted {
    /// How much isolation.
    pub wanted: Wanted,
    /// Whether less than a PID namespace is refused.
    pub or_nothing: bool,
}

/// Refuses a place that is not what was asked for, or in which this worker could reach processes that are none of the run's.
/// Dropping the inner process ends it.
fn check_place(inner: &Inner, place: PlaceWanted, order: &Order) -> Result<(), RunError> {
    if inner.isolation().pid_namespace {
        return Ok(());
    }
    let refused = inner.refused().join("; ");
    let because = if refused.is_empty() {
        String::new()
    } else {
        format!(" ({refused})")
    };
    if plans(order, FaultKind::ReusePid) {
        return Err(RunError::Usage(format!(
            "the fault `reuse-pid` needs a PID namespace of the run's own, which there is none of here{because}; `leak-harness doctor` tells more"
        )));
    }
    if place.or_nothing {
        return Err(RunError::Usage(format!(
            "this machine gives a run no namespaces of its own{because}; `leak-harness doctor` tells more"
        )));
    }
    if order.worker.adapter.kills_by_command_line {
        return Err(RunError::Usage(format!(
            "{} kills processes by what their command line says, so it is run only in a PID namespace, which there is none of here{because}",
            order.worker.name
        )));
    }
    Ok(())
}

/// Whether the scenario plans a fault of this kind. One that cannot be read is refused by the inner process, which says why.
fn plans(order: &Order, what: FaultKind) -> bool {
    Scenario::parse(&order.scenario_file, &order.scenario)
        .is_ok_and(|scenario| scenario.faults.iter().any(|fault| fault.what == what))
}

/// Follows the inner process until it has ended.
async fn follow(
    mut inner: Inner,
    signals: &mut Signals,
    show: &mut dyn FnMut(Shown),
) -> Result<Stopped, RunError> {
    let mut last = None;
    let mut asked = 0;
    loop {
        tokio::select! {
            biased;
            () = signals.next() => {
                asked += 1;
                // An inner process that is gone needs no request; its end is seen below.
                let _ = if asked == 1 {
                    show(Shown::Note("stopping: cleaning up, then the report (once more: at once)".to_owned()));
                    inner.stop().await
                } else {
                    inner.stop_now().await
                };
            }
            message = inner.next_message() => match message {
                Ok(Some(message)) => match serde_json::from_slice(&message) {
                    Ok(Told::Progress(progress)) => show(Shown::Progress(with_own(progress))),
                    Ok(Told::Checkpoint(report)) => show(Shown::Checkpoint(report)),
                    Ok(told) => last = Some(told),
                    Err(error) => last = Some(Told::Failed { message: format!("the inner process said something odd: {error}") }),
                },
                Ok(None) | Err(_) => break,
            },
        }
    }
    let end = inner.wait().await.map_err(|error| {
        RunError::Failed(format!("the inner process cannot be waited for: {error}"))
    })?;
    match last {
        _ if asked > 1 => Err(RunError::InterruptedAtOnce),
        Some(Told::Finished { interrupted: false }) => Ok(Stopped::Finished),
        Some(Told::Finished { interrupted: true }) => Ok(Stopped::Interrupted),
        Some(Told::WorkerWouldNotStart { message }) => Err(RunError::WorkerWouldNotStart(message)),
        Some(Told::Refused { message }) => Err(RunError::Usage(message)),
        Some(Told::Failed { message }) => Err(RunError::Failed(message)),
        Some(Told::Progress(_) | Told::Checkpoint(_)) | None => Err(RunError::Failed(format!(
            "the inner process ended early ({}), having left {} behind; what it recorded until then can be judged: leak-harness judge DIR",
            ended(end.exit),
            Count(end.leftovers.killed.len() as u64, "process"),
        ))),
    }
}

/// The same with what this process itself takes.
fn with_own(mut progress: Box<Progress>) -> Box<Progress> {
    progress.outer_rss_bytes = platform::resident_bytes().unwrap_or(0);
    progress
}

/// The signals by which a user stops a run.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Listens from now on: none of them ends this process any more.
    ///
    /// # Errors
    ///
    /// When the system refuses it.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next of them. May be dropped before that without losing any.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// The worker's log goes to the results. It is never evidence, so a run without one is whole.
fn keep_log(folder: &Path, out: &Path) {
    let _ = fs::copy(folder.join("worker.log"), out.join("worker.log"));
}

fn ended(exit: Exit) -> String {
    match (exit.code, exit.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "nobody knows how".to_owned(),
    }
}
