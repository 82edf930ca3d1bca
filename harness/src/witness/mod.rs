//! The sources of facts about processes, wired together as one value: [`Witnesses`].
//!
//! | witness | file | what it emits |
//! |---|---|---|
//! | reaper and pidfds | `reaper.rs` | `ProcessExited`, `ProcessReaped`, `ProcessGone` the moment they happen |
//! | process table | `table.rs` | `ProcessSeen`, then `Sampled`; `ProcessGone`; `SampleMissed` |
//! | cookie | `roll.rs` | `CookieFound` at first sight |
//! | control socket | `control.rs` | `ProcessSeen` at a hello, `Said`, `LifelineLost` |
//! | portable table | `cross_check.rs` | `WitnessFailed` when two tables differ at two checkpoints in a row |
//! | examination | `examine.rs` | `Examined` on request |
//! | the final cleaning | `ending.rs` | `HarnessSignalled` |
//!
//! All of them share one roll of the run's processes (`roll.rs`), so whoever sees a process first makes it known to all, and every
//! fact about one process leaves in the order in which it was learned. Everything runs on the one thread of the inner process: tasks
//! of its `LocalSet`, no blocking call longer than a few milliseconds but at checkpoints.
//!
//! The processes of the run are, in a PID namespace of its own, all but the harness itself; otherwise what descends from the harness,
//! which as subreaper is the parent of every orphan.

mod control;
mod cross_check;
mod ending;
mod examine;
mod reaper;
mod roll;
mod table;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use fake_claude::behaviour::Behaviour;
use fake_claude::control::Role;
use fake_claude::quantity::Span;
use tokio::task::JoinHandle;

use crate::emitter::Emitter;
use crate::platform::{self, Exit, HostPids};
use crate::process::ProcessIdentity;
use crate::timeline::event::{EventKind, Source};
use crate::units::RunTime;

pub use ending::Cleaning;
use roll::Roll;
pub use roll::{Scope, View};

/// The name of the environment variable that marks the processes of a run; its value is the run's id.
pub const COOKIE_VARIABLE: &str = "LEAK_HARNESS_RUN";

/// Open files that the harness needs beside those of the processes.
const FILES_OF_ITS_OWN: u64 = 128;
/// Open files that each live process costs: its stat file, its pidfd, its control connection.
const FILES_PER_PROCESS: u64 = 3;

/// Which witnesses speak. One that is switched off still does what the run needs of it (orphans are reaped, fakes are told how to
/// behave), but nothing that it sees becomes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switches {
    /// PID 1 or subreaper, and pidfds.
    pub reaper: bool,
    /// The process table.
    pub table: bool,
    /// The control socket.
    pub control: bool,
    /// The environment cookie.
    pub cookie: bool,
    /// The portable process table.
    pub portable: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            reaper: true,
            table: true,
            control: true,
            cookie: true,
            portable: true,
        }
    }
}

impl Switches {
    /// Whether this source speaks; sources that are no witnesses always do.
    pub const fn speaks(&self, source: Source) -> bool {
        match source {
            Source::Reaper => self.reaper,
            Source::Table => self.table,
            Source::Control => self.control,
            Source::Cookie => self.cookie,
            Source::Portable => self.portable,
            Source::Run | Source::Driver => true,
        }
    }

    /// The witnesses that speak, for the facts of a run.
    pub fn sources(&self) -> Vec<Source> {
        [
            Source::Reaper,
            Source::Table,
            Source::Portable,
            Source::Control,
            Source::Cookie,
        ]
        .into_iter()
        .filter(|source| self.speaks(*source))
        .collect()
    }
}

/// The role of a process by its command line, where the adapter names one.
pub type RoleOf = Box<dyn Fn(&str) -> Option<Role>>;
/// How a fake behaves: asked at its hello with the session that it inherited, if any, and again once it serves one.
pub type BehaviourOf = Box<dyn FnMut(Option<&str>) -> Behaviour>;

/// What the witnesses need to know.
pub struct Settings {
    /// Which processes are the run's.
    pub scope: Scope,
    /// The host's `/proc`, where the run has its own: gives the pids that the user's `ps` shows.
    pub host_proc: Option<OwnedFd>,
    /// The time between two samples.
    pub tick: Span,
    /// Which witnesses speak.
    pub switches: Switches,
    /// The value of [`COOKIE_VARIABLE`] in this run's processes, where it was set.
    pub cookie: Option<String>,
    /// The folder of the control socket: made with mode 0700, or found so. None: no control socket, as when a live daemon is watched.
    pub control_folder: Option<PathBuf>,
    /// The role of a process by its command line, where the adapter names one.
    pub role: RoleOf,
    /// How a fake behaves: asked at its hello with the session that it inherited, if any, and again once it serves one.
    pub behaviour: BehaviourOf,
}

/// Why the witnesses cannot do their work.
#[derive(Debug)]
pub enum WitnessError {
    /// The process table cannot be read.
    Table(io::Error),
    /// The ends of processes cannot be waited for.
    Endings(io::Error),
    /// The control socket cannot be opened.
    Control {
        /// Its path.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The process that was started cannot be watched.
    Started {
        /// Its pid.
        pid: u32,
        /// Why.
        cause: io::Error,
    },
    /// Too few files may be open for so many processes.
    Files {
        /// The processes that may live at once.
        processes: u64,
        /// The files that they need.
        required: u64,
        /// The files that are allowed.
        allowed: u64,
    },
}

impl fmt::Display for WitnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(cause) => write!(f, "the process table cannot be read: {cause}"),
            Self::Endings(cause) => {
                write!(f, "the ends of processes cannot be waited for: {cause}")
            }
            Self::Control { path, cause } => {
                write!(
                    f,
                    "control socket {} cannot be opened: {cause}",
                    path.display()
                )
            }
            Self::Started { pid, cause } => {
                write!(f, "process {pid}, just started, cannot be watched: {cause}")
            }
            Self::Files {
                processes,
                required,
                allowed,
            } => write!(
                f,
                "{processes} processes need {required} open files ({FILES_PER_PROCESS} for each, {FILES_OF_ITS_OWN} for the harness), and \
                 the hard limit is {allowed}: raise it (`ulimit -Hn`) or plan fewer sessions"
            ),
        }
    }
}

impl std::error::Error for WitnessError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Table(cause)
            | Self::Endings(cause)
            | Self::Control { cause, .. }
            | Self::Started { cause, .. } => Some(cause),
            Self::Files { .. } => None,
        }
    }
}

/// The open files that the harness needs while so many processes live.
pub const fn required_files(processes: u64) -> u64 {
    FILES_OF_ITS_OWN + FILES_PER_PROCESS * processes
}

/// The open files that this process may ever have: the hard limit, to which the inner process raises itself.
pub fn allowed_files() -> u64 {
    use nix::sys::resource::{Resource, getrlimit};
    getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard)
}

/// Checks that this process may open enough files for so many processes. The soft limit should have been raised before.
pub fn check_files(processes: u64) -> Result<(), WitnessError> {
    use nix::sys::resource::{Resource, getrlimit};
    let required = required_files(processes);
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((allowed, _)) if allowed < required => Err(WitnessError::Files {
            processes,
            required,
            allowed,
        }),
        // A limit that cannot be asked for will speak for itself.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What watching has cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overhead {
    /// Processor time of the whole inner process since the witnesses began.
    pub processor_time: Duration,
    /// How long the inner process was ready to run and had to wait for a processor, where the system counts that.
    pub scheduling_wait: Option<Duration>,
    /// Samples taken.
    pub ticks: u64,
    /// Samples that came more than one tick late.
    pub late_ticks: u64,
    /// How late the latest of them was.
    pub worst_late: Span,
}

/// The witnesses of a run. Dropping them ends their tasks and the control connections, which ends every fake.
pub struct Witnesses {
    shared: Rc<Shared>,
    sampler: RefCell<table::Sampler>,
    cross_check: RefCell<cross_check::CrossCheck>,
    control_socket: Option<PathBuf>,
    tasks: RefCell<Vec<JoinHandle<()>>>,
    processor_time_before: Duration,
    scheduling_wait_before: Option<Duration>,
}

impl fmt::Debug for Witnesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witnesses")
            .field("control_socket", &self.control_socket)
            .finish_non_exhaustive()
    }
}

impl Witnesses {
    /// Starts every witness but the sampler, for which there is [`Witnesses::begin_sampling`]. Must be called on a `LocalSet`, before
    /// the worker is started. `emitter` is where the facts go; its source does not matter.
    pub fn start(settings: Settings, emitter: &Emitter) -> Result<Rc<Self>, WitnessError> {
        let Settings {
            scope,
            host_proc,
            tick,
            switches,
            cookie,
            control_folder,
            role,
            behaviour,
        } = settings;
        let roll = Roll::new(
            scope,
            switches,
            HostPids::new(host_proc),
            role,
            cookie.map(|value| format!("{COOKIE_VARIABLE}={value}").into_bytes()),
            *emitter.clock(),
        )
        .map_err(WitnessError::Endings)?;
        let shared = Rc::new(Shared::new(roll, emitter.clone(), switches));
        let sampler = table::Sampler::new(tick).map_err(WitnessError::Table)?;
        let mut tasks = vec![reaper::reap_children(&shared).map_err(WitnessError::Endings)?];
        // A reaper that is switched off goes on reaping, and leaves the noticing of endings to the table.
        if switches.reaper {
            tasks.push(reaper::watch_endings(&shared));
        }
        let mut control_socket = None;
        if let Some(folder) = control_folder {
            let server = control::Server::open(&folder, behaviour)?;
            control_socket = Some(server.path().to_owned());
            tasks.push(server.serve(&shared));
        }
        Ok(Rc::new(Self {
            shared,
            sampler: RefCell::new(sampler),
            cross_check: RefCell::default(),
            control_socket,
            tasks: RefCell::new(tasks),
            processor_time_before: platform::processor_time(),
            scheduling_wait_before: platform::scheduling_wait(),
        }))
    }

    /// Starts taking samples, one each tick, from now on.
    pub fn begin_sampling(self: &Rc<Self>) {
        if self.shared.switches.table {
            let sampling = tokio::task::spawn_local(table::sample_for_ever(Rc::downgrade(self)));
            self.tasks.borrow_mut().push(sampling);
        }
    }

    /// The path of the control socket.
    pub fn control_socket(&self) -> Option<&Path> {
        self.control_socket.as_deref()
    }

    /// Makes a process known that the harness itself has just started. To be called before anything else is awaited, and nobody may
    /// wait for the process: the reaper does, and [`Witnesses::exit_of`] tells.
    pub fn started(&self, pid: u32) -> Result<ProcessIdentity, WitnessError> {
        self.shared
            .roll
            .borrow_mut()
            .started(pid)
            .map_err(|cause| WitnessError::Started { pid, cause })
    }

    /// Names the process that is the worker from now on: its resources stand apart in every sample, and it is no child.
    pub fn set_worker(&self, worker: ProcessIdentity) {
        self.shared.roll.borrow_mut().worker = Some(worker);
    }

    /// Waits for the end of a process that [`Witnesses::started`] made known.
    pub async fn exit_of(&self, process: ProcessIdentity) -> Exit {
        loop {
            let changed = self.shared.changed();
            if let Some(exit) = self.shared.roll.borrow().exit_of_started(process) {
                return exit;
            }
            changed.await;
        }
    }

    /// Sends a signal to a process of the run, having compared its identity again. Tells whether there was anybody to get it.
    pub async fn signal(&self, process: ProcessIdentity, signal: i32) -> io::Result<bool> {
        let sent = self.shared.roll.borrow_mut().signal(process, signal);
        self.shared.flush().await;
        sent
    }

    /// As [`Witnesses::signal`], for a caller that cannot wait: the fact about it is handed over a moment later.
    pub fn signal_soon(self: &Rc<Self>, process: ProcessIdentity, signal: i32) -> io::Result<bool> {
        let sent = self.shared.roll.borrow_mut().signal(process, signal);
        let shared = Rc::clone(&self.shared);
        tokio::task::spawn_local(async move { shared.flush().await });
        sent
    }

    /// Counts of this moment, for a progress line and for whoever waits for rest.
    pub fn view(&self) -> View {
        self.shared.roll.borrow().view()
    }

    /// The processes of the run that live now, the worker included, zombies left out, in the order of their pids.
    pub fn living(&self) -> Vec<ProcessIdentity> {
        self.shared.roll.borrow().living().collect()
    }

    /// Waits until something about the run's processes changes: one is seen, says something, ends or goes.
    pub async fn change(&self) {
        self.shared.changed().await;
    }

    /// What watching has cost so far.
    pub fn overhead(&self) -> Overhead {
        let now = platform::scheduling_wait();
        Overhead {
            processor_time: platform::processor_time().saturating_sub(self.processor_time_before),
            scheduling_wait: now
                .zip(self.scheduling_wait_before)
                .map(|(now, before)| now.saturating_sub(before)),
            ..self.shared.roll.borrow().sampling
        }
    }

    /// Stops every task and closes the control connections. Processes that still live are not touched; see
    /// [`Witnesses::end_everything`].
    pub async fn close(&self) {
        self.shared.flush().await;
        self.stop_tasks();
    }

    fn stop_tasks(&self) {
        for task in self.tasks.borrow_mut().drain(..) {
            task.abort();
        }
        self.shared.connections.borrow_mut().clear();
    }
}

impl Drop for Witnesses {
    fn drop(&mut self) {
        self.stop_tasks();
    }
}

/// What the tasks of the witnesses share.
struct Shared {
    roll: RefCell<Roll>,
    emitter: Emitter,
    switches: Switches,
    /// Held while facts are handed over, so that they leave in their order even when the recorder is slow.
    handing_over: tokio::sync::Mutex<()>,
    changed: tokio::sync::Notify,
    /// The task of each control connection, by a number of its own.
    connections: RefCell<BTreeMap<u64, AbortOnDrop>>,
}

/// A task that ends with this value.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Shared {
    fn new(roll: Roll, emitter: Emitter, switches: Switches) -> Self {
        Self {
            roll: RefCell::new(roll),
            emitter,
            switches,
            handing_over: tokio::sync::Mutex::new(()),
            changed: tokio::sync::Notify::new(),
            connections: RefCell::default(),
        }
    }

    /// The moment of the run that is now.
    fn now(&self) -> RunTime {
        self.emitter.clock().now()
    }

    /// A future that is ready after the next change; changes count from the call on, not from the first poll.
    fn changed(&self) -> impl Future<Output = ()> {
        let mut notified = Box::pin(self.changed.notified());
        notified.as_mut().enable();
        notified
    }

    /// Hands every fact that was learned to the recorder, in order; waits while that one is busy.
    async fn flush(&self) {
        if self.roll.borrow_mut().take_news() {
            self.changed.notify_waiters();
        }
        let _order = self.handing_over.lock().await;
        loop {
            let Some(fact) = self.roll.borrow_mut().facts.pop_front() else {
                return;
            };
            self.emitter
                .of(fact.source)
                .emit_at(fact.at, fact.event)
                .await;
        }
    }

    /// Says that a witness knows less than it should.
    async fn failed(&self, witness: Source, reason: String) {
        let event = EventKind::WitnessFailed { witness, reason };
        self.roll.borrow_mut().learn(witness, event);
        self.flush().await;
    }
}
