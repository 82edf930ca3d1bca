//! A worker's process: started, asked whether it is ready, stopped, started again.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use fake_claude::quantity::Span;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use super::adapter::{Kind, Method, TimeScaling};
use super::client::{Client, Endpoint, Target};
use super::environment::{self, Prepared};
use super::error::WorkerError;
use super::http::Failure;
use super::lines::Lines;
use super::place::{Exit, Place, Standing, System};
use super::scaled;
use super::spec::ResolvedWorker;
use super::template::Variables;
use crate::emitter::Emitter;
use crate::process::ProcessIdentity;
use crate::timeline::event::EventKind;
use crate::units::RunTime;

/// Lines of the log that an error shows.
const LOG_LINES: usize = 20;
/// The time between two questions whether the worker is ready: at first, and at most.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// How long one such question may take.
const QUESTION: Duration = Duration::from_secs(5);
/// How long a worker may take to be gone once it was killed.
const KILLED: Duration = Duration::from_secs(5);
/// Where free ports are looked for: below those that outgoing connections use.
const FREE_PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Whether a worker is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Its first start is under way, or not yet begun.
    Starting,
    /// It answers.
    Ready,
    /// It is there and cannot answer: the harness keeps it from running, by a planned fault.
    Paused,
    /// It is away and will be back: a planned restart.
    Away,
    /// It ended, and nobody starts it again.
    Gone,
}

/// A worker under test. All methods take `&self`: one part of a run may wait for it while another one signals it.
#[derive(Debug)]
pub struct Worker {
    worker: ResolvedWorker,
    place: Place,
    system: System,
    emitter: Emitter,
    port: Cell<u16>,
    /// Its stdin and stdout, where it is spoken to by lines.
    lines: Rc<Lines>,
    process: RefCell<Option<Process>>,
    /// Workers that were started beside it.
    seconds: RefCell<Vec<Process>>,
    life: Rc<watch::Sender<Life>>,
}

#[derive(Debug, Clone)]
struct Process {
    identity: ProcessIdentity,
    started: RunTime,
    /// Told after the event of its end was emitted.
    exited: watch::Receiver<Option<Exit>>,
    /// Whether its end was asked for.
    asked: Rc<Cell<bool>>,
    /// Its stdin and stdout, where it is spoken to by lines.
    lines: Rc<Lines>,
}

impl Worker {
    /// A worker that is to run in a place. Nothing is started yet, but its port is chosen.
    ///
    /// # Errors
    ///
    /// No port is free, or its timers cannot be divided as the place asks.
    pub fn new(
        worker: ResolvedWorker,
        place: Place,
        system: System,
        emitter: Emitter,
    ) -> Result<Self, WorkerError> {
        worker.check_time_scale(place.time_scale)?;
        let port = match worker.adapter.port {
            Some(port) if place.own_network => port,
            // Without a network there is no port to choose.
            None if worker.adapter.kind == Kind::Stdio => 0,
            _ => free_port()?,
        };
        Ok(Self {
            worker,
            place,
            system,
            emitter,
            port: Cell::new(port),
            lines: Rc::default(),
            process: RefCell::new(None),
            seconds: RefCell::default(),
            life: Rc::new(watch::channel(Life::Starting).0),
        })
    }

    /// Where it takes requests.
    pub fn endpoint(&self) -> Endpoint {
        match self.worker.adapter.kind {
            Kind::Http => SocketAddr::from((Ipv4Addr::LOCALHOST, self.port.get())).into(),
            Kind::Stdio => Endpoint::Lines(Rc::clone(&self.lines)),
        }
    }

    /// Who it is, once it was started; after a restart the new one.
    pub fn identity(&self) -> Option<ProcessIdentity> {
        self.process
            .borrow()
            .as_ref()
            .map(|process| process.identity)
    }

    /// Whether it is there, for those who must know at once when it is not.
    pub fn life(&self) -> watch::Receiver<Life> {
        self.life.subscribe()
    }

    /// Starts it and waits until it is ready. A start that fails because its port seems to be taken is tried once more: some workers
    /// refuse themselves now and then.
    ///
    /// The events of a failed attempt stay: an end before `WorkerReady` is a failed start, not a death.
    ///
    /// # Errors
    ///
    /// It could not be started, ended, or was not ready in time.
    pub async fn start(&self) -> Result<(), WorkerError> {
        let first = *self.life.borrow() == Life::Starting;
        match self.start_once().await {
            Err(WorkerError::DiedAtStart { log, .. }) if port_was_taken(&log) => {
                if first && !self.place.own_network {
                    self.port.set(free_port()?);
                }
                self.start_once().await
            }
            other => other,
        }
    }

    async fn start_once(&self) -> Result<(), WorkerError> {
        let process = self.spawn(Standing::First, self.port.get()).await?;
        *self.process.borrow_mut() = Some(process.clone());
        let ready = match self.ready(&process).await {
            Ok(()) => self.scaled(process.identity.pid).await,
            error => error,
        };
        match &ready {
            Ok(()) => {
                let after = self.emitter.clock().now().since(process.started);
                self.emitter.emit(EventKind::WorkerReady { after }).await;
                self.life.send_replace(Life::Ready);
            }
            Err(_) => drop(self.life.send_replace(Life::Gone)),
        }
        ready
    }

    async fn spawn(&self, standing: Standing, port: u16) -> Result<Process, WorkerError> {
        let prepared = environment::prepare(&self.worker, &self.place, port)?;
        let log = self.place.folder.open_log()?;
        let started = self.emitter.clock().now();
        let lines = match standing {
            Standing::First => Rc::clone(&self.lines),
            // Nobody asks it anything; its stdin stays open.
            Standing::Second => Rc::default(),
        };
        let identity = self.spawn_process(prepared, log, standing, &lines)?;
        let mut told = (self.system.exit)(identity);
        let event = match standing {
            Standing::First => EventKind::WorkerStarted { process: identity },
            Standing::Second => EventKind::SecondWorkerStarted { process: identity },
        };
        self.emitter.emit_at(started, event).await;

        let (exited, seen) = watch::channel(None);
        let asked = Rc::new(Cell::new(false));
        let (emitter, life, was_asked) = (
            self.emitter.clone(),
            Rc::clone(&self.life),
            Rc::clone(&asked),
        );
        let pipes = Rc::clone(&lines);
        spawn_local(async move {
            let exit = match told.wait_for(Option::is_some).await {
                Ok(exit) => *exit,
                // The waiter is gone, and the run with it.
                Err(_) => return,
            };
            let Some(exit) = exit else { return };
            pipes.disconnect();
            let (code, signal) = (exit.code, exit.signal);
            let event = match standing {
                Standing::First => EventKind::WorkerExited {
                    process: identity,
                    code,
                    signal,
                    asked: was_asked.get(),
                },
                Standing::Second => EventKind::SecondWorkerExited {
                    process: identity,
                    code,
                    signal,
                },
            };
            emitter.emit_at(exit.at, event).await;
            // Whoever planned its return has said so before it went.
            life.send_if_modified(|life| {
                let gone =
                    standing == Standing::First && matches!(*life, Life::Ready | Life::Paused);
                if gone {
                    *life = Life::Gone;
                }
                gone
            });
            exited.send_replace(Some(exit));
        });
        Ok(Process {
            identity,
            started,
            exited: seen,
            asked,
            lines,
        })
    }

    /// Nothing waits for the child here: one waiter owns all reaping, and tells of this end as of every other.
    fn spawn_process(
        &self,
        prepared: Prepared,
        log: std::fs::File,
        standing: Standing,
        lines: &Lines,
    ) -> Result<ProcessIdentity, WorkerError> {
        let failed = |cause| WorkerError::Start {
            program: prepared.program.clone(),
            cause,
        };
        let before_exec = self.system.before_exec.clone();
        let mut command = Command::new(&prepared.program);
        command
            .args(&prepared.arguments)
            .current_dir(&prepared.cwd)
            .env_clear()
            .envs(prepared.environment.iter().cloned())
            .stderr(log.try_clone().map_err(failed)?);
        match self.worker.adapter.kind {
            Kind::Http => command
                .stdin(Stdio::null())
                .stdout(log.try_clone().map_err(failed)?),
            Kind::Stdio => command.stdin(Stdio::piped()).stdout(Stdio::piped()),
        };
        // SAFETY: setsid is safe to call between fork and exec, and `before_exec` promises to make only such calls.
        unsafe {
            command.pre_exec(move || {
                // A session of its own: neither the terminal's signals nor a signal to the harness's group reach it.
                if libc::setsid() == -1 {
                    return Err(io::Error::last_os_error());
                }
                before_exec()
            });
        }
        let mut child = command.spawn().map_err(failed)?;
        if let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) {
            lines.connect(stdin, stdout, log).map_err(failed)?;
        }
        (self.system.identity)(child.id(), standing).map_err(failed)
    }

    /// Asks until the worker says that it is ready.
    async fn ready(&self, process: &Process) -> Result<(), WorkerError> {
        let ready = &self.worker.adapter.ready;
        let mut last = "it was not asked yet".to_owned();
        let mut exited = process.exited.clone();
        let asking = async {
            let Some(path) = &ready.path else {
                last = "it has written no line that says that it is ready".to_owned();
                return self.lines.ready(ready.field.as_ref()).await;
            };
            let target = Target::Http {
                method: Method::Get,
                path: path.clone(),
            };
            let mut client = Client::new(self.endpoint());
            let mut pause = ASK_AGAIN.0;
            loop {
                match client.send(&target, None, QUESTION).await {
                    Ok(answer)
                        if answer.status == ready.status
                            && ready
                                .field
                                .as_ref()
                                .is_none_or(|field| field.fits(&answer.json())) =>
                    {
                        return;
                    }
                    Ok(answer) => {
                        last = format!("it answered {} {}", answer.status, answer.text(200))
                    }
                    Err(failure) => last = failure.to_string(),
                }
                sleep(pause).await;
                pause = (pause * 3 / 2).min(ASK_AGAIN.1);
            }
        };
        let outcome = tokio::select! {
            // An end that is already known counts more than an answer: somebody else may listen on that port.
            biased;
            Ok(exit) = exited.wait_for(Option::is_some) => Err(*exit),
            outcome = timeout(ready.timeout.into(), asking) => Ok(outcome.is_ok()),
        };
        let log = || self.place.folder.log_end(LOG_LINES);
        match outcome {
            Ok(true) => Ok(()),
            Ok(false) => Err(WorkerError::NotReady {
                waited: ready.timeout,
                last,
                log: log(),
            }),
            Err(exit) => Err(WorkerError::DiedAtStart {
                exit: exit.unwrap_or(Exit {
                    at: RunTime::START,
                    code: None,
                    signal: None,
                }),
                log: log(),
            }),
        }
    }

    /// Makes sure that the worker's own times are divided where they have to be: otherwise the run would measure something else.
    async fn scaled(&self, pid: u32) -> Result<(), WorkerError> {
        let preloaded = self.worker.adapter.time_scale == Some(TimeScaling::Preloaded);
        if preloaded && self.place.time_scale != 1.0 {
            let (root, factor) = (self.place.folder.root(), self.place.time_scale);
            scaled::proven(root, pid, factor, scaled::PATIENCE).await?;
        }
        Ok(())
    }

    /// A planned fault: sends a signal, and says before that its end is wanted.
    ///
    /// # Errors
    ///
    /// The signal could not be sent.
    pub async fn strike(&self, signal: i32) -> Result<(), WorkerError> {
        match self.living() {
            Some(process) => {
                process.asked.set(true);
                self.emitter.emit(EventKind::WorkerStopAsked).await;
                self.signal(&process, signal)
            }
            None => Ok(()),
        }
    }

    /// A planned fault: keeps it from running. Gives back whom, unless it is not there. Whoever pauses it lets it go on.
    ///
    /// # Errors
    ///
    /// The signal could not be sent.
    pub async fn pause(&self) -> Result<Option<ProcessIdentity>, WorkerError> {
        let Some(process) = self.living() else {
            return Ok(None);
        };
        let process_paused = EventKind::ProcessPaused {
            process: process.identity,
        };
        self.emitter.emit(process_paused).await;
        self.life.send_if_modified(|life| {
            let serves = *life == Life::Ready;
            if serves {
                *life = Life::Paused;
            }
            serves
        });
        self.signal(&process, libc::SIGSTOP)?;
        Ok(Some(process.identity))
    }

    /// Lets it go on after [`Worker::pause`].
    ///
    /// # Errors
    ///
    /// The signal could not be sent.
    pub async fn go_on(&self) -> Result<(), WorkerError> {
        let Some(process) = self.living() else {
            return Ok(());
        };
        self.signal(&process, libc::SIGCONT)?;
        self.life.send_if_modified(|life| {
            let was_paused = *life == Life::Paused;
            if was_paused {
                *life = Life::Ready;
            }
            was_paused
        });
        let process = process.identity;
        self.emitter
            .emit(EventKind::ProcessContinued { process })
            .await;
        Ok(())
    }

    /// A planned fault: starts one more on the same data folder, on the same port or, with `own_port`, on another one. Nobody waits for it
    /// to be ready; one that finds its port taken ends.
    ///
    /// # Errors
    ///
    /// It could not be started, or no port is free.
    pub async fn start_second(&self, own_port: bool) -> Result<ProcessIdentity, WorkerError> {
        let port = if own_port {
            free_port()?
        } else {
            self.port.get()
        };
        let second = self.spawn(Standing::Second, port).await?;
        let identity = second.identity;
        self.seconds.borrow_mut().push(second);
        Ok(identity)
    }

    /// Stops what was started beside it, by SIGTERM and then by SIGKILL.
    ///
    /// # Errors
    ///
    /// One could not be signalled, or lives on.
    pub async fn stop_seconds(&self) -> Result<(), WorkerError> {
        let seconds = self.seconds.take();
        for second in seconds
            .iter()
            .filter(|second| second.exited.borrow().is_none())
        {
            let patience: Duration = self.worker.adapter.stop.timeout.into();
            self.signal(second, libc::SIGTERM)?;
            if !gone_within(second, patience).await {
                self.signal(second, libc::SIGKILL)?;
                if !gone_within(second, KILLED).await {
                    return Err(WorkerError::WouldNotGo {
                        waited: Span::from(patience + KILLED),
                    });
                }
            }
        }
        Ok(())
    }

    /// A planned fault: kills it and starts it again on the same data and the same port.
    ///
    /// # Errors
    ///
    /// It could not be killed, or did not come back.
    pub async fn restart(&self) -> Result<(), WorkerError> {
        self.life.send_replace(Life::Away);
        self.strike(libc::SIGKILL).await?;
        if let Some(process) = self.living()
            && !gone_within(&process, KILLED).await
        {
            self.life.send_replace(Life::Gone);
            return Err(WorkerError::WouldNotGo {
                waited: KILLED.into(),
            });
        }
        self.start().await
    }

    /// Stops it as its adapter says, and kills it when it does not go in time. Gives back how it ended; none when it was not there.
    ///
    /// # Errors
    ///
    /// It could not be signalled, or lives on.
    pub async fn stop(&self) -> Result<Option<Exit>, WorkerError> {
        let Some(process) = self.living() else {
            return Ok(None);
        };
        process.asked.set(true);
        self.emitter.emit(EventKind::WorkerStopAsked).await;
        let stop = &self.worker.adapter.stop;
        let patience = stop.timeout.into();
        let asked = async {
            if let Some(signal) = stop.signal {
                self.signal(&process, signal.number())?;
            }
            if let Some(request) = &stop.request {
                let nothing = Variables::default();
                let unset = |unset: super::template::Unset| WorkerError::Unset {
                    placeholder: unset.0,
                };
                let target = request.target(&nothing).map_err(unset)?;
                let body = request
                    .body
                    .as_ref()
                    .map(|body| body.render(&nothing))
                    .transpose()
                    .map_err(unset)?;
                // No answer is no reason to wait: what counts is whether it goes.
                let _: Result<_, Failure> = Client::new(self.endpoint())
                    .send(&target, body.as_ref(), patience)
                    .await;
            }
            if stop.closes_stdin {
                process.lines.close_stdin();
            }
            Ok::<(), WorkerError>(())
        };
        asked.await?;
        if !gone_within(&process, patience).await {
            self.signal(&process, libc::SIGKILL)?;
            if !gone_within(&process, KILLED).await {
                return Err(WorkerError::WouldNotGo {
                    waited: Span::from(patience + KILLED),
                });
            }
        }
        Ok(*process.exited.borrow())
    }

    /// The last lines of what it wrote.
    pub fn log_end(&self) -> String {
        self.place.folder.log_end(LOG_LINES)
    }

    fn living(&self) -> Option<Process> {
        self.process
            .borrow()
            .clone()
            .filter(|process| process.exited.borrow().is_none())
    }

    fn signal(&self, process: &Process, signal: i32) -> Result<(), WorkerError> {
        // Whoever sends it says so; a process that is gone by now needs no signal.
        (self.system.signal)(process.identity, signal)
            .map_err(|cause| WorkerError::Signal { signal, cause })?;
        Ok(())
    }
}

async fn gone_within(process: &Process, patience: Duration) -> bool {
    let mut exited = process.exited.clone();
    matches!(
        timeout(patience, exited.wait_for(Option::is_some)).await,
        Ok(Ok(_))
    )
}

fn port_was_taken(log: &str) -> bool {
    let log = log.to_lowercase();
    [
        "eaddrinuse",
        "already in use",
        "address in use",
        "port in use",
    ]
    .iter()
    .any(|words| log.contains(words))
}

/// A port that nobody listens on at this moment, looked for from a random place on, so that runs side by side do not meet.
fn free_port() -> Result<u16, WorkerError> {
    let count = FREE_PORTS.len();
    let first = rand::random_range(0..count);
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for at in 0..count.min(1_000) {
        let port = FREE_PORTS.start + u16::try_from((first + at) % count).unwrap_or_default();
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(WorkerError::NoPort(last))
}

#[cfg(test)]
mod tests;
