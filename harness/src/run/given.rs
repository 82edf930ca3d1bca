//! What the parts of a run are given: the fakes' behaviour, and what a worker asks of the operating system.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::spawn_local;

use crate::clock::Clock;
use crate::driver::Schedule;
use crate::isolation::UserLimits;
use crate::platform::die_with_parent;
use crate::scenario::Scenario;
use crate::witness::{BehaviourOf, Witnesses};
use crate::worker::{Exit, Standing, System};

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
        identity: Rc::new(move |pid, standing| {
            let process = identity.started(pid).map_err(io::Error::other)?;
            match standing {
                Standing::First => identity.set_worker(process),
                Standing::Second => identity.add_worker(process),
            }
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
