//! The driver: plays the users of a worker. It knows requests and answers, never processes.
//!
//! The [`Schedule`] says what each session does and when; a session is one task that does it; what the worker answers is emitted as
//! facts. Nothing that a worker does is an error here: a time-out, a refused connection and a dead worker are events.

mod drain;
#[cfg(test)]
mod end_tests;
mod reached;
mod read_back;
mod schedule;
mod session;
#[cfg(test)]
mod step_tests;
#[cfg(test)]
pub(crate) mod tests;

use std::cell::Cell;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::rc::Rc;

use fake_claude::quantity::Span;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;

pub use drain::{Drain, drained, look_again};
pub use reached::{Moment, Reached};
pub use read_back::{Look, ReadBack, read_back};
pub use schedule::{Schedule, SessionPlan, Step};

use crate::emitter::Emitter;
use crate::timeline::event::{EventKind, Source};
use crate::units::RunTime;
use crate::worker::client::Endpoint;
use crate::worker::{Adapter, Life};
use session::Session;

/// Everything that the sessions of a run share.
#[derive(Debug)]
pub struct Driver {
    /// What each session does.
    pub schedule: Rc<Schedule>,
    /// How the worker is spoken to.
    pub adapter: Rc<Adapter>,
    /// Where it takes requests.
    pub endpoint: Endpoint,
    /// Whether it is there: requests wait while it is away, and stop when it is gone.
    pub life: watch::Receiver<Life>,
    /// The folder in which each session gets one of its own.
    pub cwd: PathBuf,
    /// How long a request may take.
    pub request_timeout: Span,
    /// Tells of the step at which sessions end, where the load names one.
    reached: Option<Reached>,
    /// Whether no new sessions are to open, though the load's own time is not over.
    enough: watch::Receiver<bool>,
    emitter: Emitter,
}

impl Driver {
    /// A driver. `emitter` may be that of any source; facts are emitted as the driver's.
    pub fn new(
        schedule: Rc<Schedule>,
        adapter: Rc<Adapter>,
        endpoint: impl Into<Endpoint>,
        life: watch::Receiver<Life>,
        cwd: PathBuf,
        request_timeout: Span,
        emitter: &Emitter,
    ) -> Self {
        Self {
            schedule,
            adapter,
            endpoint: endpoint.into(),
            life,
            cwd,
            request_timeout,
            reached: None,
            enough: watch::channel(false).1,
            emitter: emitter.of(Source::Driver),
        }
    }

    /// The same with somebody who tells when a session reaches the step at which it ends.
    pub fn told_by(self, reached: Reached) -> Self {
        Self {
            reached: Some(reached),
            ..self
        }
    }

    /// The same with somebody who may say that no new sessions are to open: those that are open go on to their own end.
    pub fn until(self, enough: watch::Receiver<bool>) -> Self {
        Self { enough, ..self }
    }

    /// Drives the whole load and emits `LoadFinished`. To be run within a `LocalSet`; dropping the future stops every session where it is.
    pub async fn drive(self: Rc<Self>) {
        let mut sessions = JoinSet::new();
        let over = self
            .schedule
            .lasts()
            .map_or(RunTime::NEVER, |lasts| self.now() + lasts);
        match self.schedule.load().concurrency {
            Some(places) => {
                let next = Rc::new(Cell::new(0));
                for _ in 0..places.min(self.schedule.sessions()) {
                    let (driver, next) = (Rc::clone(&self), Rc::clone(&next));
                    sessions.spawn_local(async move {
                        while next.get() < driver.schedule.sessions()
                            && driver.now() < over
                            && !driver.has_enough()
                        {
                            let index = next.replace(next.get() + 1);
                            Session::new(&driver, driver.schedule.plan(index))
                                .run()
                                .await;
                        }
                    });
                }
            }
            None => self.open(over, &mut sessions).await,
        }
        while let Some(ended) = sessions.join_next().await {
            unwrap_panic(ended);
        }
        self.emitter.emit(EventKind::LoadFinished).await;
    }

    /// Sessions come when they come, whatever the worker does.
    async fn open(self: &Rc<Self>, over: RunTime, sessions: &mut JoinSet<()>) {
        let began = self.now();
        let mut enough = self.enough.clone();
        for (index, arrival) in (0..self.schedule.sessions()).zip(self.schedule.arrivals()) {
            let comes = began + arrival;
            let wait = self.emitter.clock().until(comes.min(over));
            if !wait.is_zero() {
                tokio::select! {
                    () = sleep(wait) => {}
                    () = said(&mut enough) => {}
                }
            }
            if comes >= over || self.has_enough() {
                break;
            }
            let driver = Rc::clone(self);
            sessions.spawn_local(async move {
                Session::new(&driver, driver.schedule.plan(index))
                    .run()
                    .await;
            });
            while let Some(ended) = sessions.try_join_next() {
                unwrap_panic(ended);
            }
        }
    }

    /// Whether no new sessions are to open: somebody said so, or a load that lasts a time has lost its worker for good.
    fn has_enough(&self) -> bool {
        let lost = self.schedule.lasts().is_some() && *self.life.borrow() == Life::Gone;
        lost || *self.enough.borrow()
    }

    fn now(&self) -> RunTime {
        self.emitter.clock().now()
    }
}

/// Ready when it was said that no new sessions are to open; never, if nobody is there to say it.
async fn said(enough: &mut watch::Receiver<bool>) {
    if enough.wait_for(|enough| *enough).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A panic of a session is a bug of ours, to be seen as one.
fn unwrap_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        resume_unwind(error.into_panic());
    }
}
