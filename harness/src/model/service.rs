//! WorkerService: puts the parts together, serves, and stops.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::serve::ListenerExt;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::cleanup::reaper::OrphanReaper;
use super::cleanup::tracked::TrackedChildren;
use super::generator;
use super::json_lines::StoreError;
use super::log::Log;
use super::memory::{Memory, Moment};
use super::pending::PendingStore;
use super::policy::{Cleanup, Quirk};
use super::processes::ProcessManager;
use super::quirks::attendants;
use super::quirks::ladder::Ladder;
use super::quirks::left_behind::LeftBehind;
use super::quirks::readoption::Readoption;
use super::quirks::requests::LastTaken;
use super::quirks::sweeps;
use super::sdk_agent::SdkAgent;
use super::server::router;
use super::sessions::SessionManager;
use super::settings::{Settings, Timing};
use super::shutdown;
use super::slots::SlotPool;

/// The daemon.
#[derive(Debug)]
pub(super) struct WorkerService {
    pub(super) settings: Settings,
    pub(super) timing: Timing,
    pub(super) log: Log,
    pub(super) port: u16,
    pub(super) started: Instant,
    pub(super) processes: Arc<ProcessManager>,
    pub(super) memory: Arc<Mutex<Memory>>,
    pub(super) sessions: Arc<SessionManager>,
    pub(super) agent: Arc<SdkAgent>,
    pub(super) tracked: TrackedChildren,
    pub(super) slots: Arc<SlotPool>,
    pub(super) last_taken: LastTaken,
    left_behind: LeftBehind,
    /// What the last daemon has left, where this one takes it over.
    pub(super) readoption: Option<Readoption>,
    /// Somebody has asked for the end.
    pub(super) stop: Notify,
}

/// Why the daemon cannot start or go on.
#[derive(Debug)]
pub(super) enum ServiceError {
    /// The port is taken, perhaps by another daemon.
    Listen { port: u16, cause: io::Error },
    /// The data folder cannot be used.
    Store(StoreError),
    /// The system does not give what the daemon needs to run at all.
    System(io::Error),
}

impl std::fmt::Display for ServiceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Listen { port, cause } => {
                write!(f, "cannot listen on 127.0.0.1:{port}: {cause}")
            }
            Self::Store(error) => error.fmt(f),
            Self::System(cause) => write!(f, "cannot run: {cause}"),
        }
    }
}

impl std::error::Error for ServiceError {}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for ServiceError {
    fn from(cause: io::Error) -> Self {
        Self::System(cause)
    }
}

/// Runs the daemon until somebody asks for its end. Children that are left when this returns are left behind.
pub(super) fn run(settings: Settings) -> Result<(), ServiceError> {
    raise_file_limit();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(serve(settings))
}

async fn serve(settings: Settings) -> Result<(), ServiceError> {
    // The port comes first: a second daemon must not touch the data folder of the first.
    let listen = |cause| ServiceError::Listen {
        port: settings.port,
        cause,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port))
        .await
        .map_err(listen)?;
    let port = listener.local_addr().map_err(listen)?.port();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let processes = Arc::new(ProcessManager::new(Ladder::of(&settings.quirks)));
    if !settings.has(Quirk::NeverWaits) {
        tokio::spawn(Arc::clone(&processes).reap()?);
    }

    let pid_file = PidFile::new(&settings.data);
    let service = Arc::new(WorkerService::new(settings, port, processes)?);
    pid_file.write(port)?;
    service.start_background();

    let asked = {
        let service = Arc::clone(&service);
        async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = service.stop.notified() => {}
            }
        }
    };
    let (closing, closed) = tokio::sync::oneshot::channel::<()>();
    let quick = listener.tap_io(|connection| {
        // Answers are small and somebody waits for each.
        let _ = connection.set_nodelay(true);
    });
    let server =
        axum::serve(quick, router(Arc::clone(&service))).with_graceful_shutdown(async move {
            asked.await;
            drop(closing);
        });
    service.log.ready(port);
    let time_is_up = async {
        let _ = closed.await;
        sleep(service.timing.server_close).await;
    };
    // Answers that are on their way get their time; a request that waits for something longer does not.
    tokio::select! {
        result = async { server.await } => result?,
        () = time_is_up => {}
    }
    shutdown::end_children(&service).await;
    pid_file.remove();
    Ok(())
}

impl WorkerService {
    fn new(
        settings: Settings,
        port: u16,
        processes: Arc<ProcessManager>,
    ) -> Result<Self, StoreError> {
        let timing = settings.timing();
        let memory = Arc::new(Mutex::new(Memory::open(&settings.data)?));
        let pending = PendingStore::open(&settings.data, &settings.quirks)?;
        let sessions = Arc::new(SessionManager::new(Arc::clone(&memory), pending));
        let slots = Arc::new(SlotPool::new(settings.slots, &settings.quirks));
        let agent = Arc::new(SdkAgent {
            claude: settings.claude.clone(),
            stdio: settings.stdio,
            drain_limit: timing.drain_limit,
            idle_limit: settings
                .cleans_up_by(Cleanup::Idle)
                .then_some(timing.idle_limit),
            replace_after: settings
                .has(Quirk::ReplacesSilent)
                .then_some(timing.kill_after),
            quirks: settings.quirks.clone(),
            processes: Arc::clone(&processes),
            sessions: Arc::clone(&sessions),
            memory: Arc::clone(&memory),
            slots: Arc::clone(&slots),
        });
        let readoption = settings
            .has(Quirk::ReadoptsChildren)
            .then(|| Readoption::open(&settings.data))
            .transpose()?;
        Ok(Self {
            log: Log::new(settings.log),
            settings,
            timing,
            port,
            started: Instant::now(),
            processes,
            memory,
            sessions,
            agent,
            tracked: TrackedChildren::default(),
            slots,
            last_taken: LastTaken::default(),
            left_behind: LeftBehind::default(),
            readoption,
            stop: Notify::new(),
        })
    }

    /// What a quirk leaves behind of a session that is over.
    pub(super) fn leave_behind(&self) {
        if let Err(error) = self.left_behind.session_is_over(&self.settings.quirks) {
            self.log
                .event(format_args!("nothing more can be left behind: {error}"));
        }
    }

    fn start_background(self: &Arc<Self>) {
        if self.settings.cleans_up_by(Cleanup::Reaper) {
            let reaper = OrphanReaper {
                processes: Arc::clone(&self.processes),
                interval: self.timing.reaper_interval,
                age: self.timing.reaper_age,
                log: self.log,
            };
            tokio::spawn(reaper.start());
        }
        let interval = self.timing.reaper_interval;
        if self.settings.has(Quirk::SweepsParentOne) {
            tokio::spawn(sweeps::sweep_parent_one(interval));
        }
        if self.settings.has(Quirk::SweepsDescendants) {
            let processes = Arc::clone(&self.processes);
            tokio::spawn(sweeps::sweep_descendants(processes, interval));
        }
        attendants::daemon_starts(self);
        tokio::spawn(recover(Arc::clone(self), self.sessions.with_pending_work()));
    }
}

/// Takes up the sessions for which the last daemon left work, one after another.
async fn recover(service: Arc<WorkerService>, sessions: Vec<i64>) {
    let mut pause = Duration::ZERO;
    for id in sessions {
        sleep(pause).await;
        pause = service.timing.recovery_pause;
        match service.sessions.initialize(id, None, None) {
            Ok(session) => generator::ensure_running(&service, &session, "startup-recovery"),
            Err(error) => service.log.event(format_args!("recovery: {error}")),
        }
    }
}

/// Every child costs two open files. The runtimes of the real workers raise this limit for themselves as well.
fn raise_file_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Where it cannot be raised, starting a child fails later, and says why.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// The file that says who serves this data folder, and where.
#[derive(Debug)]
struct PidFile(PathBuf);

impl PidFile {
    fn new(data: &Path) -> Self {
        Self(data.join("worker.pid"))
    }

    fn write(&self, port: u16) -> Result<(), StoreError> {
        let content = serde_json::json!({
            "pid": std::process::id(),
            "port": port,
            "startedAt": Moment::now().iso(),
        });
        std::fs::write(&self.0, content.to_string())
            .map_err(|cause| StoreError::new(&self.0, cause))
    }

    fn remove(&self) {
        // Left over, it does no harm: nobody trusts it without asking the port.
        let _ = std::fs::remove_file(&self.0);
    }
}
