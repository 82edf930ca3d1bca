//! The planned faults of a run: each is a task that waits for its moment and then does what is planned.
//!
//! Whatever is done for a time is undone: a process that was paused goes on, and a limit is raised again, at the latest when the run
//! begins to end. A run that is ended at once kills everything anyway.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::rc::Rc;

use fake_claude::quantity::Span;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;

use super::steps::Steps;
use crate::emitter::Emitter;
use crate::process::ProcessIdentity;
use crate::scenario::{Fault, FaultKind, SecondPort, Victim, When};
use crate::timeline::event::EventKind;
use crate::witness::Witnesses;
use crate::worker::Worker;

/// How many more files `file-limit` leaves, where the scenario does not say.
const FILES_LEFT: u32 = 4;

/// What faults are made with.
pub struct Hands {
    /// The worker.
    pub worker: Rc<Worker>,
    /// Whoever holds the identities of all processes.
    pub witnesses: Rc<Witnesses>,
    /// Which session is where.
    pub steps: Rc<RefCell<Steps>>,
    /// Where it is stated what was done.
    pub emitter: Emitter,
    /// What divides every time.
    pub time_scale: f64,
}

/// The planned faults, each waiting for its moment.
pub struct Faults {
    made: Rc<Made>,
    /// Those that come at a time of the run.
    timed: RefCell<Vec<JoinHandle<()>>>,
    /// Those that come on a step of a session, which may never be reached.
    on_steps: Vec<JoinHandle<()>>,
}

/// A task that ends with this value.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What the tasks share.
struct Made {
    hands: Hands,
    /// How many have begun and are not over.
    under_way: Cell<u64>,
    paused: RefCell<Vec<ProcessIdentity>>,
    /// Whose limit of open files was lowered, and what it was.
    limited: RefCell<Vec<(ProcessIdentity, u64)>>,
}

/// Counts a fault as under way as long as it lives.
struct UnderWay(Rc<Made>);

impl UnderWay {
    fn begin(made: &Rc<Made>) -> Self {
        made.under_way.set(made.under_way.get() + 1);
        Self(Rc::clone(made))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
    }
}

impl Faults {
    /// Begins to wait for the moment of each; times count from now.
    pub fn start(hands: Hands, faults: &[Fault]) -> Self {
        let made = Rc::new(Made {
            hands,
            under_way: Cell::new(0),
            paused: RefCell::default(),
            limited: RefCell::default(),
        });
        let (mut timed, mut on_steps) = (Vec::new(), Vec::new());
        for (index, fault) in faults.iter().enumerate() {
            let task = Rc::clone(&made).carry_out(index as u32 + 1, fault.clone());
            match fault.when() {
                When::At(_) => timed.push(spawn_local(task)),
                When::On { .. } => on_steps.push(spawn_local(task)),
            }
        }
        Self {
            made,
            timed: RefCell::new(timed),
            on_steps,
        }
    }

    /// How many faults have begun and are not over: as long as there are any, nothing is at rest.
    pub fn under_way(&self) -> u64 {
        self.made.under_way.get()
    }

    /// Waits for those that come at a time of the run: they may strike a worker at rest.
    pub async fn timed_are_over(&self) {
        loop {
            let Some(task) = self.timed.borrow_mut().pop() else {
                return;
            };
            // Whoever stops waiting for it must still find it to end it.
            let mut task = AbortOnDrop(task);
            // A panic in it is a bug of ours that the recording shows by what is missing.
            let _ = (&mut task.0).await;
        }
    }

    /// Lets no more come, and undoes what was to be undone later.
    pub async fn let_go(&self) {
        for task in self.timed.borrow().iter().chain(&self.on_steps) {
            task.abort();
        }
        let paused = self.made.paused.take();
        for process in paused {
            self.made.go_on(process).await;
        }
        for (process, limit) in self.made.limited.take() {
            // A process that is gone needs no files.
            let _ = self.made.hands.witnesses.allow_files(process, limit);
        }
    }
}

impl Made {
    async fn carry_out(self: Rc<Self>, number: u32, fault: Fault) {
        let scaled = |span: Span| span.divided(self.hands.time_scale);
        let under_way = match fault.when() {
            When::At(at) => {
                sleep(scaled(at).into()).await;
                UnderWay::begin(&self)
            }
            When::On {
                step,
                session,
                after,
            } => {
                let reached = self.hands.steps.borrow_mut().when(session, step);
                reached.await;
                let under_way = UnderWay::begin(&self);
                if !after.is_zero() {
                    sleep(scaled(after).into()).await;
                }
                under_way
            }
        };
        let outcome = self.make(&fault).await;
        let (victim, failed) = match outcome {
            Ok(victim) => (victim, None),
            Err(reason) => (None, Some(reason)),
        };
        self.hands
            .emitter
            .emit(EventKind::FaultCame {
                fault: number,
                what: fault.what,
                victim,
                failed,
            })
            .await;
        if let (Some(process), Some(lasts)) = (victim, fault.lasts) {
            sleep(scaled(lasts).into()).await;
            self.undo(process).await;
        }
        drop(under_way);
    }

    /// Does what is planned. Gives back whom it concerned, or why it came to nothing.
    async fn make(&self, fault: &Fault) -> Result<Option<ProcessIdentity>, String> {
        let said = |error: &dyn Display| error.to_string();
        let worker = &self.hands.worker;
        let gone = || "the worker is not there".to_owned();
        match fault.what {
            FaultKind::Sigterm => self.signal(fault, libc::SIGTERM).await,
            FaultKind::Sigkill => self.signal(fault, libc::SIGKILL).await,
            FaultKind::Sigint => self.signal(fault, libc::SIGINT).await,
            FaultKind::Sigstop => self.pause(fault).await,
            FaultKind::Restart => {
                worker.restart().await.map_err(|error| said(&error))?;
                Ok(worker.identity())
            }
            FaultKind::ReusePid => {
                let witnesses = &self.hands.witnesses;
                witnesses.reuse_pids().map_err(|error| said(&error))?;
                Ok(None)
            }
            FaultKind::SecondWorker => {
                let own_port = fault.port.unwrap_or_default() == SecondPort::Own;
                let second = worker.start_second(own_port).await;
                second.map(Some).map_err(|error| said(&error))
            }
            FaultKind::FileLimit => {
                let process = worker.identity().ok_or_else(gone)?;
                let more = fault.files.unwrap_or(FILES_LEFT);
                let left = self.hands.witnesses.leave_files(process, more);
                let limit = left.map_err(|error| said(&error))?.ok_or_else(gone)?;
                self.limited.borrow_mut().push((process, limit));
                Ok(Some(process))
            }
        }
    }

    async fn signal(&self, fault: &Fault, signal: i32) -> Result<Option<ProcessIdentity>, String> {
        if fault.victim == Victim::Worker {
            let worker = &self.hands.worker;
            let process = worker.identity();
            worker
                .strike(signal)
                .await
                .map_err(|error| error.to_string())?;
            return Ok(process);
        }
        let process = self.victim(fault)?;
        match self.hands.witnesses.signal(process, signal).await {
            Ok(true) => Ok(Some(process)),
            Ok(false) => Err(format!("the {} has just ended", fault.victim)),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn pause(&self, fault: &Fault) -> Result<Option<ProcessIdentity>, String> {
        let process = if fault.victim == Victim::Worker {
            let paused = self.hands.worker.pause().await;
            paused
                .map_err(|error| error.to_string())?
                .ok_or("the worker is not there")?
        } else {
            let process = self.victim(fault)?;
            let emitter = &self.hands.emitter;
            emitter.emit(EventKind::ProcessPaused { process }).await;
            let sent = self.hands.witnesses.signal(process, libc::SIGSTOP).await;
            if !sent.map_err(|error| error.to_string())? {
                return Err(format!("the {} has just ended", fault.victim));
            }
            process
        };
        self.paused.borrow_mut().push(process);
        Ok(Some(process))
    }

    fn victim(&self, fault: &Fault) -> Result<ProcessIdentity, String> {
        let found = self
            .hands
            .steps
            .borrow()
            .victim(fault.session(), fault.victim);
        found.ok_or_else(|| {
            format!(
                "session {} has no {} that lives",
                fault.session(),
                fault.victim
            )
        })
    }

    /// What lasts for a time is over.
    async fn undo(&self, process: ProcessIdentity) {
        let was_paused = take(&mut self.paused.borrow_mut(), |paused| *paused == process);
        if was_paused.is_some() {
            self.go_on(process).await;
        }
        let was_limited = take(&mut self.limited.borrow_mut(), |(who, _)| *who == process);
        if let Some((_, limit)) = was_limited {
            // A process that is gone needs no files.
            let _ = self.hands.witnesses.allow_files(process, limit);
        }
    }

    /// Lets a process go on that was paused. One that is gone needs nothing.
    async fn go_on(&self, process: ProcessIdentity) {
        if self.hands.worker.identity() == Some(process) {
            let _ = self.hands.worker.go_on().await;
            return;
        }
        let _ = self.hands.witnesses.signal(process, libc::SIGCONT).await;
        self.hands
            .emitter
            .emit(EventKind::ProcessContinued { process })
            .await;
    }
}

fn take<T>(list: &mut Vec<T>, which: impl Fn(&T) -> bool) -> Option<T> {
    let place = list.iter().position(which)?;
    Some(list.swap_remove(place))
}
