//! The inner process: the worker, the driver, the witnesses and the recorder of one run.
//!
//! Everything runs on one thread, as tasks of a `LocalSet`; the recorder alone has a thread of its own. The life of a run, in order:
//! witnesses, worker, load, drain, stored work read back, grace, examination of what is left, the worker's stop, the time for its
//! children to follow, the final cleaning, the end of the recording. Whatever goes wrong on the way is an event, and the way goes on
//! from the next step that still makes sense.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fake_claude::behaviour::Behaviour;
use fake_claude::quantity::Span;
use tokio::sync::{mpsc, watch};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{interval, sleep, timeout};

use super::order::{Order, Progress, Told};
use crate::clock::Clock;
use crate::driver::{self, Driver, Schedule};
use crate::emitter::Emitter;
use crate::isolation::inner::{self, Adopted, Command, OuterLink};
use crate::judge::{Expectations, Judge};
use crate::platform;
use crate::recording::Recorder;
use crate::scenario::{FaultKind, Scenario};
use crate::timeline::event::{Event, EventKind, RunFacts, Source};
use crate::witness::{self, Scope, Switches, Witnesses};
use crate::worker::{Exit, Place, RunFolder, System, Worker, WorkerError};

/// How often the outer process hears how the run goes.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// How long the final cleaning may take.
const CLEANING: Duration = Duration::from_secs(10);

/// The inner process's `main`.
pub fn inner() -> ExitCode {
    let adopted = match inner::adopt() {
        Ok(adopted) => adopted,
        // Without the link to the outer process there is nobody to tell but whoever started this by hand.
        Err(_) => return ExitCode::from(70),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            adopted.outer.tell_last(&Told::Failed { message: format!("no runtime: {error}") });
            return ExitCode::from(70);
        }
    };
    LocalSet::new().block_on(&runtime, async {
        let Adopted { plan, outer, .. } = &adopted;
        let outcome = match serde_json::from_slice::<Order>(plan) {
            Ok(order) => Inner::run(order, &adopted).await,
            Err(error) => Err(Ended::Failed(format!("the order is damaged: {error}"))),
        };
        let (told, code) = match outcome {
            Ok(interrupted) => (Told::Finished { interrupted }, 0),
            Err(Ended::WorkerWouldNotStart(message)) => (Told::WorkerWouldNotStart { message }, 4),
            Err(Ended::Failed(message)) => (Told::Failed { message }, 70),
        };
        outer.tell(&told).await;
        ExitCode::from(code)
    })
}
