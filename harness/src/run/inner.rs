//! The inner process: the worker, the driver, the witnesses and the recorder of one run.
//!
//! Everything runs on one thread, as tasks of a `LocalSet`; the recorder alone has a thread of its own. The life of a run, in order:
//! witnesses, worker, load, drain, stored work read back, grace, a second look at what was left open, examination of what is left, the
//! worker's stop, the time for its children to follow, the final cleaning, the end of the recording. Whatever goes wrong on the way is an event, and the way goes on
//! from the next step that still makes sense.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::rc::Rc;

use fake_claude::quantity::Span;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use super::faults::{Faults, Hands};
use super::following::{Followed, Following};
use super::given::{behaviour_of, system};
use super::judged::identity;
use super::order::{Order, Soak, Told};
use super::steps::Steps;
use super::telling::Telling;
use crate::clock::Clock;
use crate::driver::{self, Drain, Driver, Look, Reached, ReadBack, Schedule};
use crate::emitter::{self, Emitter};
use crate::isolation::UserLimits;
use crate::isolation::inner::{Adopted, Command, ToOuter, adopt};
use crate::judge::Expectations;
use crate::platform;
use crate::recording::{Disk, Overhead, Recorder, SEGMENT_BYTES, write_overhead};
use crate::scenario::{Fault, FaultKind, Scenario, Witness};
use crate::timeline::event::{EventKind, Isolation, RunFacts, Source};
use crate::units::RunTime;
use crate::witness::{self, Scope, Settings, Switches, Witnesses};
use crate::worker::client::Client;
use crate::worker::{Life, Place, RunFolder, Worker};

/// The least time that children have to follow their worker, whatever the scale: one or two samples.
const LEAST_RESIDUE_GRACE: Span = Span::from_millis(300);

/// Why a run has no recording that could be judged.
enum Ended {
    /// The worker would not start.
    WorkerWouldNotStart(String),
    /// The machine does not give what the scenario asks for.
    Refused(String),
    /// Our bug, or a machine that refuses what is needed.
    Failed(String),
}

/// The inner process's `main`.
pub fn inner() -> ExitCode {
    // Without the link to the outer process there is nobody to tell.
    let Ok(adopted) = adopt() else {
        return ExitCode::from(70);
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(_) => return ExitCode::from(70),
    };
    LocalSet::new().block_on(&runtime, async {
        let Adopted {
            plan,
            outer,
            isolation,
            host_proc,
            user_limits,
        } = adopted;
        // Without the link there is nobody to work for.
        let Ok((commands, to_outer)) = outer.open() else {
            return ExitCode::from(70);
        };
        let outer = Outer {
            commands: tokio::sync::Mutex::new(commands),
            to_outer,
        };
        let outer = Rc::new(outer);
        let place = Surroundings {
            isolation,
            host_proc,
            user_limits,
        };
        let told = match serde_json::from_slice::<Order>(&plan) {
            Ok(order) => carry_out(order, place, &outer).await,
            Err(error) => Err(Ended::Failed(format!("the order is damaged: {error}"))),
        };
        let (told, code) = match told {
            Ok(interrupted) => (Told::Finished { interrupted }, 0),
            Err(Ended::WorkerWouldNotStart(message)) => (Told::WorkerWouldNotStart { message }, 4),
            Err(Ended::Refused(message)) => (Told::Refused { message }, 2),
            Err(Ended::Failed(message)) => (Told::Failed { message }, 70),
        };
        outer.tell(&told).await;
        ExitCode::from(code)
    })
}

/// The outer process, as the inner one sees it. Its end is this process's end; nobody has to look for it.
pub(super) struct Outer {
    commands: tokio::sync::Mutex<mpsc::UnboundedReceiver<Command>>,
    to_outer: ToOuter,
}

impl Outer {
    /// Tells it something.
    pub(super) async fn tell(&self, told: &Told) {
        if let Ok(message) = serde_json::to_vec(told) {
            // An outer process that is gone has ended this one already.
            let _ = self.to_outer.send(&message).await;
        }
    }

    /// The next request to stop.
    async fn command(&self) -> Command {
        match self.commands.lock().await.recv().await {
            Some(command) => command,
            None => std::future::pending().await,
        }
    }
}

/// What the place of the run gives.
struct Surroundings {
    isolation: Isolation,
    host_proc: Option<OwnedFd>,
    user_limits: UserLimits,
}

/// Carries a run out. Gives whether it was stopped early.
async fn carry_out(order: Order, place: Surroundings, outer: &Rc<Outer>) -> Result<bool, Ended> {
    let (scenario, _) = Scenario::parse_with(&order.scenario_file, &order.scenario, &[])
        .map_err(|error| failed("the order's scenario", &error))?;
    check_faults(&scenario)?;
    let clock = Clock::start();
    let (emitter, facts) = Emitter::channel(clock);
    let (passed_on, to_recorder) = mpsc::channel(emitter::CAPACITY);
    let recording = order.out.join("recording");
    let adapter = order.worker.adapter.to_toml();
    let recorder = Recorder::start(
        &recording,
        &order.manifest,
        &order.scenario,
        &adapter,
        order
            .soak
            .as_ref()
            .map_or(SEGMENT_BYTES, Soak::segment_bytes),
        to_recorder,
    )
    .map_err(|error| failed("the recording cannot be written", &error))?;
    let mut expectations = Expectations::of(&scenario);
    if let Some(soak) = &order.soak {
        expectations = expectations
            .with_baseline(soak.known.iter().cloned())
            .with_baseline_growth(soak.known_growth.clone());
    }
    let schedule = Rc::new(Schedule::new(
        &scenario.load,
        &scenario.mix,
        scenario.seed,
        scenario.run.time_scale,
    ));
    let steps = Rc::new(RefCell::new(Steps::new(
        Rc::clone(&schedule),
        &scenario.faults,
    )));
    let following = Following::start(facts, passed_on, expectations, Rc::clone(&steps));

    let run = Run::prepare(
        &order,
        scenario,
        schedule,
        place,
        &emitter,
        Seen {
            followed: following.state.clone(),
            steps,
            disk: recorder.disk(),
        },
        outer,
    )?;
    let outcome = run.live().await;
    let watching = run.witnesses.overhead();
    let overhead = Overhead {
        cpu_ms: u64::try_from(watching.processor_time.as_millis()).unwrap_or(u64::MAX),
        rss_bytes: watching.rss_bytes,
    };
    run.close().await;
    drop(run);
    drop(emitter);
    following.finish().await;
    // Joining waits for the disk alone: every emitter is gone.
    recorder
        .finish()
        .map_err(|error| failed("the recording could not be finished", &error))?;
    write_overhead(&recording, overhead)
        .map_err(|error| failed("the recording could not be finished", &error))?;
    outcome
}

/// How many sessions have live claudes at once, if the worker does as it should: where the load has a number, it is judged by the worst,
/// that none of them ever ends; a load that lasts a time could never be run by that.
fn at_once(scenario: &Scenario) -> u64 {
    let load = &scenario.load;
    let scale = scenario.run.time_scale;
    let expected = match (load.planned(), load.concurrency, load.arrival) {
        (Some(planned), ..) => f64::from(planned),
        (None, Some(places), _) => f64::from(places),
        (None, None, Some(rate)) => {
            let steps = 1 + load.observations + u32::from(load.summary);
            let thinking = load.think.as_secs_f64() * f64::from(load.prompts * steps);
            let grace = Expectations::of(scenario).grace_after(load.end);
            let lives = thinking / (load.compress * scale)
                + load.linger.divided(scale).as_secs_f64()
                + grace.as_secs_f64();
            (rate.per_second() * load.compress * scale * lives).ceil()
        }
        (None, None, None) => 1.0,
    };
    (expected as u64).min(u64::from(load.most())).max(1)
}

/// Refuses faults that this machine does not let anybody make, before anything is started.
fn check_faults(scenario: &Scenario) -> Result<(), Ended> {
    let reuses = |fault: &Fault| fault.what == FaultKind::ReusePid;
    if scenario.faults.iter().any(reuses)
        && let Err(cause) = platform::may_give_out_pids()
    {
        return Err(Ended::Refused(format!(
            "the fault `reuse-pid` cannot be made here: /proc/sys/kernel/ns_last_pid: {cause}; it needs Linux 5.9 with CONFIG_CHECKPOINT_RESTORE, or root"
        )));
    }
    Ok(())
}

/// The witnesses that speak in a run.
fn switches(scenario: &Scenario) -> Switches {
    let speaks = |witness| !scenario.run.without.contains(&witness);
    Switches {
        reaper: speaks(Witness::Reaper),
        table: speaks(Witness::Table),
        portable: speaks(Witness::Portable),
        control: speaks(Witness::Control),
        cookie: speaks(Witness::Cookie),
    }
}

fn failed(what: &str, error: &dyn Display) -> Ended {
    Ended::Failed(format!("{what}: {error}"))
}

/// Why a phase of a run ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// The user asked: stop, clean up, report.
    Asked,
    /// The user asked again: at once.
    AtOnce,
    /// The run took longer than it may.
    TimedOut,
    /// The recording takes all that it may.
    Full,
}

/// One run, prepared.
struct Run {
    order: Order,
    scenario: Scenario,
    schedule: Rc<Schedule>,
    witnesses: Rc<Witnesses>,
    worker: Rc<Worker>,
    folder: RunFolder,
    emitter: Emitter,
    followed: Rc<RefCell<Followed>>,
    steps: Rc<RefCell<Steps>>,
    /// The planned faults, from the beginning of the load on.
    faults: RefCell<Option<Rc<Faults>>>,
    outer: Rc<Outer>,
    phase: Rc<Cell<&'static str>>,
    /// Whether it was stated that the time for children to follow their worker is over.
    residue_stated: watch::Sender<bool>,
    /// Whether the grace of every session was waited for.
    grace_passed: Cell<bool>,
    tasks: RefCell<Vec<JoinHandle<()>>>,
    disk: Disk,
    /// When the load began.
    load_began: Rc<Cell<Option<RunTime>>>,
    /// Whether no new sessions are to open.
    enough: watch::Sender<bool>,
    /// Whether the recording takes all that it may.
    full: watch::Sender<bool>,
}

/// What is seen of a run by those through whom its facts pass.
struct Seen {
    followed: Rc<RefCell<Followed>>,
    steps: Rc<RefCell<Steps>>,
    disk: Disk,
}

impl Run {
    fn prepare(
        order: &Order,
        scenario: Scenario,
        schedule: Rc<Schedule>,
        place: Surroundings,
        emitter: &Emitter,
        Seen {
            followed,
            steps,
            disk,
        }: Seen,
        outer: &Rc<Outer>,
    ) -> Result<Self, Ended> {
        let fail = |error: &dyn Display| Ended::Failed(error.to_string());
        let scale = scenario.run.time_scale;
        // What a session leaves if nothing ever ends: a claude for each prompt, and whatever that one starts.
        let claude = &scenario.claude;
        let started =
            u64::from(claude.storm) + u64::from(claude.wrapper) + u64::from(claude.leave.is_some());
        let per_session = u64::from(scenario.load.prompts) * (1 + started);
        witness::check_files(at_once(&scenario) * per_session).map_err(|error| fail(&error))?;
        let witnesses = Witnesses::start(
            Settings {
                scope: Scope::behind(place.isolation),
                host_proc: place.host_proc,
                tick: scenario.run.tick,
                switches: switches(&scenario),
                cookie: Some(order.cookie.clone()),
                control_folder: Some(order.folder.join("control")),
                role: {
                    let adapter = order.worker.adapter.clone();
                    Box::new(move |command| adapter.role_of(command))
                },
                behaviour: behaviour_of(&scenario, &schedule),
            },
            emitter,
        )
        .map_err(|error| fail(&error))?;
        let socket = witnesses
            .control_socket()
            .ok_or_else(|| Ended::Failed("there is no control socket".to_owned()))?;
        let folder = RunFolder::prepare(&order.folder, &order.fake_claude, socket)
            .map_err(|error| fail(&error))?;
        let at = Place {
            folder: folder.clone(),
            own_network: place.isolation.network_namespace,
            time_scale: scale,
            environment: vec![(witness::COOKIE_VARIABLE.to_owned(), order.cookie.clone())],
        };
        let worker = Worker::new(
            order.worker.clone(),
            at,
            system(&witnesses, *emitter.clock(), place.user_limits),
            emitter.clone(),
        )
        .map_err(|error| fail(&error))?;
        let facts = RunFacts {
            isolation: place.isolation,
            witnesses: switches(&scenario).sources(),
            sessions_planned: scenario.load.planned().unwrap_or_default(),
            lasts: scenario.load.lasts,
            tick: scenario.run.tick,
            memory_bytes: platform::memory_bytes(),
            ballast: scenario.claude.rss.is_some()
                || scenario.mix.iter().any(|mix| mix.behaviour.rss.is_some()),
            time_scale: scale,
            compress: scenario.load.compress,
        };
        let emitter = emitter.of(Source::Run);
        emitter.emit_first(EventKind::RunStarted(facts));
        Ok(Self {
            order: order.clone(),
            scenario,
            schedule,
            witnesses,
            worker: Rc::new(worker),
            folder,
            emitter,
            followed,
            steps,
            faults: RefCell::default(),
            outer: Rc::clone(outer),
            phase: Rc::new(Cell::new("starting the worker")),
            residue_stated: watch::channel(false).0,
            grace_passed: Cell::new(false),
            tasks: RefCell::default(),
            disk,
            load_began: Rc::default(),
            enough: watch::channel(false).0,
            full: watch::channel(false).0,
        })
    }

    /// The life of the run, whatever stops it early.
    async fn live(&self) -> Result<bool, Ended> {
        self.witnesses.begin_sampling();
        self.tell();
        self.watch_residue();
        let stop = tokio::select! {
            biased;
            stop = self.stopped() => Some(stop),
            started = self.worker.start() => {
                if let Err(error) = started {
                    self.witnesses.end_everything().await;
                    return Err(Ended::WorkerWouldNotStart(error.to_string()));
                }
                None
            }
        };
        let stop = match stop {
            Some(stop) => Some(stop),
            None => tokio::select! {
                biased;
                stop = self.stopped() => Some(stop),
                () = self.load_and_wait() => None,
            },
        };
        // A run that took too long shows it by what is missing: the end of the load, the drain, the grace.
        if matches!(stop, Some(Stop::Asked | Stop::AtOnce)) {
            self.emitter.emit(EventKind::Interrupted).await;
        }
        if !matches!(stop, Some(Stop::AtOnce)) {
            tokio::select! {
                () = self.end_in_order() => {}
                () = self.stopped_at_once() => {}
            }
        }
        self.phase.set("cleaning up");
        self.witnesses.end_everything().await;
        self.emitter.emit(EventKind::RunEnded).await;
        Ok(matches!(stop, Some(Stop::Asked | Stop::AtOnce)))
    }

    /// The load, the drain, the reading back, the grace, and the second look.
    async fn load_and_wait(&self) {
        self.phase.set("load");
        let hands = Hands {
            worker: Rc::clone(&self.worker),
            witnesses: Rc::clone(&self.witnesses),
            steps: Rc::clone(&self.steps),
            emitter: self.emitter.clone(),
            time_scale: self.scenario.run.time_scale,
        };
        let faults = Rc::new(Faults::start(hands, &self.scenario.faults));
        self.faults.replace(Some(Rc::clone(&faults)));
        let steps = Rc::clone(&self.steps);
        let reached =
            Reached::by(move |session, step| Box::pin(steps.borrow_mut().when(session, step)));
        let adapter = Rc::new(self.order.worker.adapter.clone());
        let driver = Driver::new(
            Rc::clone(&self.schedule),
            Rc::clone(&adapter),
            self.worker.endpoint(),
            self.worker.life(),
            self.folder.cwd(),
            self.scenario.run.request_timeout,
            &self.emitter,
        )
        .told_by(reached)
        .until(self.enough.subscribe());
        self.load_began.set(Some(self.emitter.clock().now()));
        Rc::new(driver).drive().await;
        self.phase.set("waiting for rest");
        let mut client = Client::new(self.worker.endpoint());
        let owed = || {
            self.followed
                .borrow()
                .rest
                .owed(self.emitter.clock().now(), self.longest_silence())
        };
        let rest = Drain {
            quiet: self.scenario.run.quiet,
            deadline: self.scenario.run.drain,
            last_activity: &|| self.followed.borrow().rest.last_activity,
            owed: &|| owed().working + self.faults_under_way(),
            hanging: &|| owed().hanging,
        };
        let quiet = driver::drained(&rest, &adapter, &mut client, &self.emitter).await;
        let drained = self.emitter.clock().now();
        let in_hand = owed();
        self.phase.set("reading stored work back");
        let first = self.read_back(&mut client, Look::First).await;
        // Nothing more can come of work of which all is stored.
        let settled = quiet && in_hand.working + in_hand.hanging == 0 && !first.kept;
        // Faults that are planned for later than the end of the load strike a worker at rest.
        faults.timed_are_over().await;
        self.phase.set("waiting for the grace to pass");
        self.wait_for_grace().await;
        if !settled || self.followed.borrow().rest.last_work > drained {
            self.phase.set("looking again at what was left open");
            // The worker may be another one than at the first look.
            let mut client = Client::new(self.worker.endpoint());
            driver::look_again(&rest, &adapter, &mut client, &self.emitter).await;
            self.read_back(&mut client, Look::Second).await;
        }
        self.grace_passed.set(true);
    }

    /// Reads back what the worker has stored and keeps.
    async fn read_back(&self, client: &mut Client, look: Look) -> ReadBack {
        driver::read_back(
            &self.order.worker.adapter,
            client,
            &self.folder.variables(),
            &self.schedule.marker_prefix(),
            &self.emitter,
            look,
        )
        .await
    }

    /// How many planned faults have begun and are not over.
    fn faults_under_way(&self) -> u64 {
        self.faults
            .borrow()
            .as_ref()
            .map_or(0, |faults| faults.under_way())
    }

    /// For how long a fake that works may say nothing: thrice the longest of its planned times, and a second for a busy machine.
    fn longest_silence(&self) -> Span {
        let behaviours = self
            .scenario
            .mix
            .iter()
            .map(|mix| &mix.behaviour)
            .chain([&self.scenario.claude]);
        let longest = behaviours
            .flat_map(|behaviour| {
                [
                    behaviour.start,
                    behaviour.initialize,
                    behaviour.turn,
                    behaviour.exit,
                ]
            })
            .max();
        let longest = longest
            .unwrap_or_default()
            .divided(self.scenario.run.time_scale);
        Span::from_nanos(3 * longest.as_nanos() + Span::from_secs(1).as_nanos())
    }

    /// Waits until the grace of every session has passed, or until nothing is left that could outlive it.
    async fn wait_for_grace(&self) {
        // One more sample must be taken after the grace, and it may be late.
        let margin = Span::from_nanos(
            2 * self.scenario.run.tick.as_nanos() + Span::from_millis(50).as_nanos(),
        );
        let run = &self.scenario.run;
        let watch = run.watch.divided(run.time_scale);
        loop {
            let end = {
                let rest = &self.followed.borrow().rest;
                rest.grace_ends().max(rest.last_end + watch)
            };
            let left = self.emitter.clock().until(end + margin);
            if left.is_zero() || !self.anything_left() {
                return;
            }
            // Whatever changes may have been the last one; nothing changing is what the grace waits for.
            let _ = timeout(left, self.witnesses.change()).await;
        }
    }

    /// Whether any process lives that owes its end to a session, or any is dead and not waited for.
    fn anything_left(&self) -> bool {
        let view = self.witnesses.view();
        view.children > 0 || view.zombies > 0
    }

    /// What follows the load: examination, stop, the time for children to follow.
    async fn end_in_order(&self) {
        let faults = self.faults.take();
        if let Some(faults) = faults {
            // What was paused must be able to stop.
            faults.let_go().await;
        }
        self.phase.set("examining what is left");
        self.witnesses.examine(&self.witnesses.living()).await;
        // Twice, since what differs once may have changed between the two tables.
        self.witnesses.cross_check().await;
        self.witnesses.cross_check().await;
        if self.grace_passed.get() {
            self.emitter.emit(EventKind::GracePassed).await;
        }
        self.phase.set("stopping the worker");
        // A worker that will not go is ended by the final cleaning; the recording shows that it did not go by itself.
        // The others are asked right after it: what they do then is part of the run's end too.
        let _ = tokio::join!(self.worker.stop(), self.worker.stop_seconds());
        // Without a worker that is gone for good there is nothing to wait for.
        if *self.worker.life().borrow() == Life::Gone {
            let mut stated = self.residue_stated.subscribe();
            let _ = stated.wait_for(|stated| *stated).await;
        }
    }

    /// States, once the worker is gone for good, that its children had their time to follow: whenever that is, since what lives then
    /// has broken its first obligation then.
    fn watch_residue(&self) {
        let (mut life, witnesses, emitter, stated) = (
            self.worker.life(),
            Rc::clone(&self.witnesses),
            self.emitter.clone(),
            self.residue_stated.clone(),
        );
        let grace = self
            .scenario
            .expect
            .residue_grace
            .divided(self.scenario.run.time_scale)
            .max(LEAST_RESIDUE_GRACE);
        let watching = spawn_local(async move {
            if life.wait_for(|life| *life == Life::Gone).await.is_err() {
                return;
            }
            let end = emitter.clock().now() + grace;
            loop {
                let left = emitter.clock().until(end);
                if left.is_zero() || witnesses.living().is_empty() {
                    break;
                }
                // Whatever changes may have been the last one to go.
                let _ = timeout(left, witnesses.change()).await;
            }
            emitter.emit(EventKind::ResiduePassed).await;
            stated.send_replace(true);
        });
        self.tasks.borrow_mut().push(watching);
    }

    /// Waits for a reason to stop early.
    async fn stopped(&self) -> Stop {
        tokio::select! {
            command = self.outer.command() => match command {
                Command::Stop => Stop::Asked,
                Command::StopNow => Stop::AtOnce,
            },
            () = sleep(self.scenario.longest().into()) => Stop::TimedOut,
            () = self.recording_is_full() => Stop::Full,
        }
    }

    /// Waits until the recording takes all that it may.
    async fn recording_is_full(&self) {
        // This run holds the other end.
        let _ = self.full.subscribe().wait_for(|full| *full).await;
    }

    /// Waits for the request to stop at once.
    async fn stopped_at_once(&self) {
        while self.outer.command().await == Command::Stop {}
    }

    /// Tells the outer process how the run goes, and what would be reported of a long one.
    fn tell(&self) {
        let scenario = &self.scenario;
        let telling = Rc::new(Telling {
            outer: Rc::clone(&self.outer),
            witnesses: Rc::clone(&self.witnesses),
            followed: Rc::clone(&self.followed),
            phase: Rc::clone(&self.phase),
            life: self.worker.life(),
            emitter: self.emitter.clone(),
            disk: self.disk.clone(),
            identity: identity(scenario, &self.order.scenario, &self.order.manifest, None),
            sessions: scenario.load.planned(),
            lasts: self.schedule.lasts(),
            load_began: Rc::clone(&self.load_began),
            soak: self.order.soak.clone(),
            enough: self.enough.clone(),
            full: self.full.clone(),
        });
        let mut tasks = self.tasks.borrow_mut();
        tasks.push(spawn_local(Rc::clone(&telling).progress()));
        tasks.push(spawn_local(telling.checkpoints()));
    }

    /// Ends what still runs beside the run, so that every emitter is gone.
    async fn close(&self) {
        for task in self.tasks.borrow_mut().drain(..) {
            task.abort();
        }
        self.witnesses.close().await;
    }
}
