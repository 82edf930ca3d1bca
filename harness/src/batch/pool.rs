//! A few runs at a time, until all are made or the user stops them.

use std::collections::VecDeque;
use std::num::NonZero;
use std::thread::available_parallelism;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::child::run;
use super::{BatchError, Job, Outcome};
use crate::run::Signals;

/// At most so many runs at a time, whatever the machine: each has its own tick, and ticks that come late prove nothing.
const MOST_AT_ONCE: usize = 8;

/// How many runs are made at a time where nobody says otherwise: two for each core, since a run mostly waits.
pub fn default_at_once() -> usize {
    let cores = available_parallelism().map_or(1, NonZero::get);
    (2 * cores).min(MOST_AT_ONCE)
}

/// Makes all runs, at most `at_once` at a time, in their order. `finished` takes each as soon as it is over, with the number of those
/// that are.
///
/// # Errors
///
/// When the user stops them; then every run that was started has ended, and nothing of it lives.
pub fn carry_out(
    jobs: Vec<Job>,
    at_once: usize,
    finished: &mut dyn FnMut(usize, &Job, Outcome),
) -> Result<(), BatchError> {
    let failed = |doing| move |cause| BatchError::Machine { doing, cause };
    // Of this thread alone, so that every run is started by it: the kernel ends them with the thread that has started them.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed("start a runtime"))?;
    runtime.block_on(async {
        let mut signals = Signals::listen().map_err(failed("listen to signals"))?;
        let (stop, stops) = watch::channel(0);
        let total = jobs.len();
        let mut waiting = VecDeque::from(jobs);
        let mut running = JoinSet::new();
        let mut done = 0;
        loop {
            while running.len() < at_once.max(1)
                && *stop.borrow() == 0
                && let Some(job) = waiting.pop_front()
            {
                let stops = stops.clone();
                running.spawn(async move {
                    let outcome = run(&job, stops).await;
                    (job, outcome)
                });
            }
            tokio::select! {
                biased;
                () = signals.next() => {
                    stop.send_modify(|asked| *asked += 1);
                }
                ended = running.join_next() => match ended {
                    Some(Ok((job, outcome))) if *stop.borrow() == 0 => {
                        done += 1;
                        finished(done, &job, outcome);
                    }
                    // A run that was stopped is half a run, and proves nothing.
                    Some(Ok(_)) => {}
                    Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
                    None => break,
                },
            }
        }
        if *stop.borrow() > 0 {
            return Err(BatchError::Interrupted { done, total });
        }
        Ok(())
    })
}
