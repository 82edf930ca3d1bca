//! Everything that can happen in a run: one closed list.
//!
//! Events are facts, never judgements, and hold no type of an operating system, so any machine can judge any recording.
//! A consumer matches every kind by name, without a wildcard, so that a new kind cannot be forgotten.

use fake_claude::control::{Role, Say, TurnKind};
use fake_claude::quantity::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::process::{ProcessIdentity, ProcessRow};
use crate::scenario::{End, FaultKind};
use crate::units::RunTime;

/// One fact, with its moment and its source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the recording, from 0, without gaps.
    pub seq: u64,
    /// When it happened. A fake's statement carries the fake's own moment, so `at` may be earlier than the event before it.
    pub at: RunTime,
    /// Who saw it.
    pub source: Source,
    /// What happened.
    pub event: EventKind,
}

/// Who saw it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The run itself.
    Run,
    /// The driver, which plays the worker's users.
    Driver,
    /// PID 1 or subreaper, and pidfds.
    Reaper,
    /// The process table.
    Table,
    /// The portable process table, as a cross-check.
    Portable,
    /// The control socket of the fakes.
    Control,
    /// The environment cookie.
    Cookie,
}

/// What kind of place a run had. Each part was tried on its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Isolation {
    /// Whether the run had its own PID namespace: leftovers get parent 1, and the kernel ends everything with its PID 1.
    pub pid_namespace: bool,
    /// Whether it had its own mount namespace (and so its own `/proc`).
    pub mount_namespace: bool,
    /// Whether it had its own network namespace: fixed ports never clash, nothing gets out.
    pub network_namespace: bool,
    /// Whether a user namespace was needed for that.
    pub user_namespace: bool,
}

/// What stands before the first event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// The place of the run.
    pub isolation: Isolation,
    /// The witnesses that were switched on.
    pub witnesses: Vec<Source>,
    /// Sessions that the schedule plans; 0 where the load lasts a time instead.
    pub sessions_planned: u32,
    /// For how long new sessions open, in the worker's time, where the load lasts a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
    /// The time between two samples.
    pub tick: Span,
    /// Physical memory of the machine, in bytes.
    pub memory_bytes: u64,
    /// Whether ballast is in play, so that RSS overstates physical memory.
    pub ballast: bool,
    /// The factor by which the worker's and the fakes' times were divided.
    pub time_scale: f64,
    /// The factor by which arrival and think times were divided.
    pub compress: f64,
}

/// Why a load was stopped before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadStop {
    /// Something was found that fails the run whatever comes later, and the user had asked to stop then.
    SureFailure {
        /// The signature of the finding.
        finding: String,
    },
    /// The recording came near the space that it may take.
    Disk {
        /// What it may take, in bytes.
        bytes: u64,
    },
}

/// A state of the worker's own resources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerResources {
    /// Resident set size in bytes.
    pub rss_bytes: u64,
    /// Open files, where they were counted at this tick.
    pub files: Option<u32>,
    /// Of the open files, those that are pipes or sockets, where they were counted at this tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipes: Option<u32>,
    /// Threads.
    pub threads: Option<u32>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The run began. Always the first event.
    RunStarted(RunFacts),
    /// The worker's process was started.
    WorkerStarted {
        /// Who it is.
        process: ProcessIdentity,
    },
    /// The worker answered that it is ready.
    WorkerReady {
        /// How long that took since its start.
        after: Span,
    },
    /// The worker was asked to stop by the harness, at the end of the run or by a planned fault.
    WorkerStopAsked,
    /// The worker's process ended.
    WorkerExited {
        /// Who it was.
        process: ProcessIdentity,
        /// Its exit code.
        code: Option<i32>,
        /// The signal that killed it.
        signal: Option<i32>,
        /// Whether the harness had asked for it.
        asked: bool,
    },

    /// A session opened: its first request was sent.
    SessionOpened {
        /// The session's id, chosen by the driver.
        session: String,
    },
    /// The worker is being told that a prompt of the session is done: until the session goes on, it may end what serves it.
    PromptEnded {
        /// The session.
        session: String,
    },
    /// The session goes on with its next prompt, after one that it said was done.
    PromptBegun {
        /// The session.
        session: String,
    },
    /// A session ended, in the sense of its kind of end.
    SessionEnded {
        /// The session.
        session: String,
        /// How it ended.
        end: End,
    },
    /// The worker answered an end request.
    EndAnswered {
        /// The session.
        session: String,
        /// The HTTP status, or none when no answer came.
        status: Option<u16>,
        /// How long the answer took.
        after: Span,
    },
    /// A session could not go on.
    SessionStalled {
        /// The session.
        session: String,
        /// What it waited for.
        waiting_for: String,
    },

    /// A work item was sent to the worker.
    WorkOffered {
        /// The session.
        session: String,
        /// The item's marker.
        item: String,
        /// Its kind.
        kind: TurnKind,
    },
    /// The worker accepted it.
    WorkAccepted {
        /// The item's marker.
        item: String,
    },
    /// The worker said no.
    WorkRefused {
        /// The item's marker.
        item: String,
        /// The HTTP status.
        status: u16,
        /// What it said, cut to 200 characters.
        reason: String,
    },
    /// The worker said that it skips the item.
    WorkSkipped {
        /// The item's marker.
        item: String,
        /// Why, in its words.
        reason: String,
    },
    /// No answer came: a time-out, or a connection that broke.
    WorkUnknown {
        /// The item's marker.
        item: String,
        /// What happened instead.
        reason: String,
    },
    /// The driver gave the item up itself.
    WorkAborted {
        /// The item's marker.
        item: String,
    },
    /// Stored work was read back from the worker, when the run had drained or after [`EventKind::LookedAgain`], and this item was in it.
    /// Told for each page that was read, so that an item in records on two pages is told of twice.
    WorkStored {
        /// The item's marker.
        item: String,
        /// In how many stored records of that page.
        times: u32,
    },
    /// The worker still keeps the item in its queue on disk, when stored work is read back.
    WorkKept {
        /// The item's marker.
        item: String,
    },
    /// Stored work was read back, completely or not; before this event nothing is known about storage.
    StoreRead {
        /// Which kinds of work the worker lets one read back.
        kinds: Vec<TurnKind>,
        /// Whether all of it could be read; after [`EventKind::LookedAgain`], what the worker keeps in its queue included.
        complete: bool,
    },
    /// No new sessions open any more, before the load's own time is over. Those that are open go on to their own end.
    LoadStopped {
        /// Why.
        why: LoadStop,
    },
    /// Every session has ended or stalled.
    LoadFinished,
    /// The harness waited for the worker's work to come to rest.
    Drained {
        /// Whether it came to rest, or the deadline did.
        quiet: bool,
    },
    /// The graces have passed, and what the first look at stored work had left open is looked at once more: what is stored and kept is
    /// read back a second time after this event. A run in which nothing was left open has no second look.
    LookedAgain {
        /// Whether the worker's work was at rest then.
        quiet: bool,
    },

    /// A process of the run was seen for the first time.
    ProcessSeen {
        /// Who it is.
        process: ProcessIdentity,
        /// Its parent.
        ppid: u32,
        /// Its pid as the user's `ps` shows it, where that is known.
        host_pid: Option<u32>,
        /// Its process group.
        pgid: u32,
        /// Its session (of the terminal kind).
        sid: u32,
        /// Its command line, bytes that are no UTF-8 replaced, cut to 400 characters.
        command: String,
        /// Its role, where the adapter names it by its command; a fake says its own.
        role: Option<Role>,
    },
    /// The process table at one moment.
    Sampled {
        /// How late the tick was.
        late: Span,
        /// Live processes of the run, the worker itself left out, zombies left out.
        children: u32,
        /// The sum of their RSS in bytes.
        rss_bytes: u64,
        /// The worker itself, while it lives.
        worker: Option<WorkerResources>,
        /// The rows that changed since the sample before: new state, parent, or RSS.
        changed: Vec<ProcessRow>,
    },
    /// A tick was lost.
    SampleMissed {
        /// Why.
        reason: String,
    },
    /// A process is no longer in the table: it ended and was waited for.
    ProcessGone {
        /// Who it was.
        process: ProcessIdentity,
    },
    /// A process ended (it may still be a zombie).
    ProcessExited {
        /// Who it was.
        process: ProcessIdentity,
        /// Its exit code, where it is known.
        code: Option<i32>,
        /// The signal that killed it, where it is known.
        signal: Option<i32>,
    },
    /// The harness itself waited for a process: its parent had left it to PID 1 or the subreaper.
    ProcessReaped {
        /// Who it was.
        process: ProcessIdentity,
        /// Its exit code.
        code: Option<i32>,
        /// The signal that killed it.
        signal: Option<i32>,
    },
    /// A fake said something.
    Said {
        /// Who.
        process: ProcessIdentity,
        /// What.
        say: Say,
    },
    /// The control connection of a fake ended.
    LifelineLost {
        /// Whose.
        process: ProcessIdentity,
    },
    /// A live process was examined closely: a checkpoint, or a leftover.
    Examined {
        /// Who.
        process: ProcessIdentity,
        /// Its proportional set size in bytes, where the system tells.
        pss_bytes: Option<u64>,
        /// The processes that hold the other end of its stdin, itself left out; empty when nobody does.
        stdin_holders: Vec<ProcessIdentity>,
        /// Whether that list is whole.
        holders_known: bool,
    },
    /// The harness sent a signal, having compared the identity again: a planned fault or the final cleaning.
    HarnessSignalled {
        /// To whom.
        process: ProcessIdentity,
        /// Which.
        signal: i32,
    },
    /// A planned fault came. One that is missing in a recording never came.
    FaultCame {
        /// Its place in the scenario, from 1.
        fault: u32,
        /// What it is.
        what: FaultKind,
        /// Whom it concerned: a worker, or a process of a session.
        victim: Option<ProcessIdentity>,
        /// Why it came to nothing, if it did.
        failed: Option<String>,
    },
    /// The harness is about to stop a process in its tracks, to let it go on later: what it does not do meanwhile is not its fault.
    ProcessPaused {
        /// Who: a worker, or a process of a session.
        process: ProcessIdentity,
    },
    /// The harness let a process go on that it had paused.
    ProcessContinued {
        /// Who.
        process: ProcessIdentity,
    },
    /// A second worker was started beside the first, on the same data folder, by a planned fault.
    SecondWorkerStarted {
        /// Who it is.
        process: ProcessIdentity,
    },
    /// A second worker ended, by itself or because the harness stopped it.
    SecondWorkerExited {
        /// Who it was.
        process: ProcessIdentity,
        /// Its exit code.
        code: Option<i32>,
        /// The signal that killed it.
        signal: Option<i32>,
    },
    /// A process carries this run's environment cookie.
    CookieFound {
        /// Who.
        process: ProcessIdentity,
    },
    /// A witness failed, and from here on knows less than it should.
    WitnessFailed {
        /// Which.
        witness: Source,
        /// Why.
        reason: String,
    },
    /// The grace of every session has passed; what lives now and should not is a leftover.
    GracePassed,
    /// The worker is gone and the time for its children to follow is over.
    ResiduePassed,
    /// The user or a signal stopped the run early.
    Interrupted,
    /// The run's last event. A recording without it was cut off.
    RunEnded,
}
