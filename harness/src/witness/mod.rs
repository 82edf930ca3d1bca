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
//! What planned faults need of the operating system is done here as well, where the identities are: `reuse.rs`, `limits.rs`.
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
mod error;
mod examine;
mod limits;
mod reaper;
mod reuse;
mod roll;
mod settings;
mod shared;
mod table;

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::emitter::Emitter;
use crate::platform::{self, Exit, HostPids};
use crate::process::ProcessIdentity;
use crate::units::Drift;

pub use ending::Cleaning;
pub use error::{WitnessError, allowed_files, check_files, required_files};
use roll::Roll;
pub use roll::{Scope, View};
pub use settings::{BehaviourOf, RoleOf, Settings, Switches};
use shared::Shared;

/// The name of the environment variable that marks the processes of a run; its value is the run's id.
pub const COOKIE_VARIABLE: &str = "LEAK_HARNESS_RUN";

/// What watching has cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overhead {
    /// Processor time of the whole inner process since the witnesses began.
    pub processor_time: Duration,
    /// Samples taken.
    pub ticks: u64,
    /// The RSS of the inner process at the samples, in bytes, where that can be read.
    pub rss_bytes: Option<Drift>,
}

/// The witnesses of a run. Dropping them ends their tasks and the control connections, which ends every fake.
pub struct Witnesses {
    shared: Rc<Shared>,
    sampler: RefCell<table::Sampler>,
    cross_check: RefCell<cross_check::CrossCheck>,
    control_socket: Option<PathBuf>,
    tasks: RefCell<Vec<JoinHandle<()>>>,
    processor_time_before: Duration,
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
        let mut tasks = vec![
            reaper::reap_children(&shared).map_err(WitnessError::Endings)?,
            tokio::task::spawn_local(shared::hand_over(Rc::downgrade(&shared))),
        ];
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

    /// Names a process that is a worker beside the one that is watched most closely: it is no child either.
    pub fn add_worker(&self, worker: ProcessIdentity) {
        self.shared.roll.borrow_mut().other_workers.push(worker);
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

    /// As [`Witnesses::signal`], for a caller that cannot wait until the fact about it is handed over.
    pub fn signal_soon(&self, process: ProcessIdentity, signal: i32) -> io::Result<bool> {
        let sent = self.shared.roll.borrow_mut().signal(process, signal);
        self.shared.hand_over_soon();
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
        Overhead {
            processor_time: platform::processor_time().saturating_sub(self.processor_time_before),
            ticks: self.shared.roll.borrow().ticks,
            rss_bytes: self.shared.roll.borrow().own_rss_bytes,
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
        self.shared.close();
    }
}

impl Drop for Witnesses {
    fn drop(&mut self) {
        self.stop_tasks();
    }
}
