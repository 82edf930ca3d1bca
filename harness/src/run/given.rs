//! What the parts of a run are given: planned faults, the fakes' behaviour, and what a worker asks of the operating system.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fake_claude::quantity::Span;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::driver::Schedule;
use crate::isolation::{UserLimits, die_with_parent};
use crate::scenario::{Fault, FaultKind, Scenario};
use crate::witness::{BehaviourOf, Witnesses};
use crate::worker::{Exit, System, Worker};

/// The planned faults, in their order.
pub async fn strike(worker: Rc<Worker>, mut faults: Vec<Fault>, scale: f64) {
    faults.sort_by_key(|fault| fault.at);
    let mut passed = Span::ZERO;
    for fault in faults {
        let at = fault.at.divided(scale);
        sleep(Duration::from_nanos(
            at.as_nanos().saturating_sub(passed.as_nanos()),
        ))
        .await;
        passed = at;
        // What a fault does to the worker is seen by the witnesses; that it could not be done, by its absence.
        let _ = match fault.what {
            FaultKind::Sigterm => worker.strike(libc::SIGTERM).await,
            FaultKind::Sigkill => worker.strike(libc::SIGKILL).await,
            FaultKind::Restart => worker.restart().await,
        };
    }
}

/// How the fake of a session behaves.
pub fn behaviour_of(scenario: &Scenario, schedule: &Rc<Schedule>) -> BehaviourOf {
    let scale = scenario.run.time_scale;
    let base = scenario.claude.clone().scaled(scale);
    let mixed: Vec<_> = scenario
        .mix
        .iter()
        .map(|mix| mix.behaviour.clone().scaled(scale))
        .collect();
    let schedule = Rc::clone(schedule);
    Box::new(move |session| {
        let mix = session
            .and_then(|session| schedule.mix_of(session))
            .and_then(|index| mixed.get(index));
        mix.unwrap_or(&base).clone()
    })
}

/// What the worker asks of the operating system, answered by the witnesses.
pub fn system(witnesses: &Rc<Witnesses>, clock: Clock, user_limits: UserLimits) -> System {
    let own_pid = std::process::id();
    let (identity, exit, signal) = (
        Rc::clone(witnesses),
        Rc::clone(witnesses),
        Rc::clone(witnesses),
    );
    System {
        before_exec: Arc::new(move || {
            user_limits.restore()?;
            die_with_parent(own_pid)
        }),
        identity: Rc::new(move |pid| {
            let process = identity.started(pid).map_err(io::Error::other)?;
            identity.set_worker(process);
            Ok(process)
        }),
        exit: Rc::new(move |process| {
            let (tell, told) = watch::channel(None);
            let witnesses = Rc::clone(&exit);
            spawn_local(async move {
                let end = witnesses.exit_of(process).await;
                tell.send_replace(Some(Exit {
                    at: clock.now(),
                    code: end.code,
                    signal: end.signal,
                }));
            });
            told
        }),
        signal: Rc::new(move |process, number| signal.signal_soon(process, number)),
    }
}
