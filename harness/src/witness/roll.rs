//! The roll: every process of the run that lives or was not waited for, and the facts about them that wait to be handed over.
//!
//! No witness keeps a list of its own. Whoever meets a pid asks the roll, which looks at the process, decides whether it belongs to
//! the run, holds it open, and says so; whoever learns of an end tells the roll, which says so once.

mod open_files;
mod sampling;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::rc::Rc;

use fake_claude::quantity::Span;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{RoleOf, Switches};
use crate::clock::Clock;
use crate::platform::{self, Endings, Exit, HostPids, ShortName, Stat, Watched};
use crate::process::{ProcessIdentity, ProcessRow, ProcessState};
use crate::timeline::event::{EventKind, Isolation, Source, WorkerResources};
use crate::units::{Drift, RunTime};

/// How many ancestors are asked before a process counts as a stranger.
const ANCESTORS: usize = 64;
/// A process that the table finds between fork and exec is announced when it has its name, or after this time: then it is a fork of its
/// parent that means to stay one.
const FORK_TO_EXEC: Span = Span::from_millis(200);
/// After how many ticks a stranger's pid is looked at again: it may have been given to a process of the run meanwhile.
const STRANGER_TICKS: u64 = 20;

/// Which processes are the run's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All that can be seen, but for the harness itself: the run has a PID namespace of its own.
    Everything,
    /// Those that descend from this pid. The pid itself belongs to them unless it is the harness's own.
    DescendantsOf(u32),
}

impl Scope {
    /// The scope of an inner process behind these walls.
    pub fn behind(isolation: Isolation) -> Self {
        if isolation.pid_namespace {
            Self::Everything
        } else {
            Self::DescendantsOf(std::process::id())
        }
    }
}

/// Counts of one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct View {
    /// Live processes of the run, the worker and zombies left out.
    pub children: u32,
    /// Processes that ended and were not waited for.
    pub zombies: u32,
    /// The sum of the RSS of the children at the last sample, in bytes.
    pub rss_bytes: u64,
    /// The worker at the last sample, while it lives.
    pub worker: Option<WorkerResources>,
}

/// What became of a pid that was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// A process of the run.
    Ours(ProcessIdentity),
    /// Somebody else's, or the harness itself.
    Stranger,
    /// There is no such process.
    Gone,
}

/// A fact that waits to be handed over.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) source: Source,
    pub(super) at: RunTime,
    pub(super) event: EventKind,
}

/// A process of the run.
struct Known {
    watched: Watched,
    /// The moment of its first sight, and who had it.
    seen: (RunTime, Source),
    /// Whether it was announced. One that has not settled yet waits for its name.
    announced: bool,
    exited: bool,
    /// Whether it said that it is a claude.
    is_claude: bool,
    has_executed: bool,
    command: String,
    pgid: u32,
    sid: u32,
    row: ProcessRow,
    /// Whether the row differs from the last sample's.
    changed: bool,
}

struct Stranger {
    start_time: u64,
    look_again: u64,
}

/// The roll of the run's processes.
pub(super) struct Roll {
    scope: Scope,
    own_pid: u32,
    page_size: u64,
    switches: Switches,
    host_pids: HostPids,
    role: RoleOf,
    cookie: Option<Vec<u8>>,
    clock: Clock,
    endings: Rc<AsyncFd<Endings>>,
    known: BTreeMap<u32, Known>,
    strangers: HashMap<u32, Stranger>,
    /// What the harness itself started, and how it ended.
    started: HashMap<ProcessIdentity, Option<Exit>>,
    /// The worker.
    pub(super) worker: Option<ProcessIdentity>,
    /// Workers that were started beside it.
    pub(super) other_workers: Vec<ProcessIdentity>,
    /// Whether pids are given out again at once, so that the pid that was given out last tells nothing about who is new.
    pub(super) reuses_pids: bool,
    /// The pid of the claude that went last, until somebody takes note of it.
    freed_pid: Option<u32>,
    /// Facts in the order in which they were learned.
    pub(super) facts: VecDeque<Fact>,
    /// How many samples were taken.
    pub(super) ticks: u64,
    /// The RSS of this process at the samples, in bytes.
    pub(super) own_rss_bytes: Option<Drift>,
    /// What is known of the worker's open files.
    open_files: open_files::OpenFiles,
    view: View,
    /// Whether anything changed since the last time somebody asked.
    news: bool,
    /// Pids that a pass over the table has to look at more closely; kept for its memory alone.
    to_look_at: Vec<u32>,
}

impl Roll {
    pub(super) fn new(
        scope: Scope,
        switches: Switches,
        host_pids: HostPids,
        role: RoleOf,
        cookie: Option<Vec<u8>>,
        clock: Clock,
    ) -> io::Result<Self> {
        let endings = Endings::new()?;
        // SAFETY: the value owns its file, gives the same one at every call, and closes it only when it is dropped.
        let endings = unsafe { AsyncFd::register_with_interest(endings, Interest::READABLE) }?;
        Ok(Self {
            scope,
            own_pid: std::process::id(),
            page_size: platform::page_size(),
            switches,
            host_pids,
            role,
            cookie,
            clock,
            endings: Rc::new(endings),
            known: BTreeMap::new(),
            strangers: HashMap::new(),
            started: HashMap::new(),
            worker: None,
            other_workers: Vec::new(),
            reuses_pids: false,
            freed_pid: None,
            facts: VecDeque::new(),
            ticks: 0,
            own_rss_bytes: None,
            open_files: open_files::OpenFiles::default(),
            view: View::default(),
            news: false,
            to_look_at: Vec::new(),
        })
    }

    /// Which processes are the run's.
    pub(super) const fn scope(&self) -> Scope {
        self.scope
    }

    /// The file that tells of endings.
    pub(super) fn endings(&self) -> Rc<AsyncFd<Endings>> {
        Rc::clone(&self.endings)
    }

    /// Takes down a fact of this moment.
    pub(super) fn learn(&mut self, source: Source, event: EventKind) {
        self.learn_at(self.clock.now(), source, event);
    }

    /// Takes down a fact of some moment. What a witness that is switched off says is dropped here.
    pub(super) fn learn_at(&mut self, at: RunTime, source: Source, event: EventKind) {
        if self.switches.speaks(source) {
            self.facts.push_back(Fact { source, at, event });
        }
    }

    /// Notes that something happened.
    pub(super) fn stir(&mut self) {
        self.news = true;
    }

    /// Whether something happened since the last call.
    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    /// The RSS of a process now, in bytes.
    pub(super) fn rss_bytes(&self, process: ProcessIdentity) -> Option<u64> {
        let known = self.known.get(&process.pid)?;
        let stat = known.watched.stat().ok()??;
        (stat.process == process).then_some(stat.rss_pages * self.page_size)
    }

    /// Live processes, zombies left out, in the order of their pids.
    pub(super) fn living(&self) -> impl Iterator<Item = ProcessIdentity> {
        self.known
            .values()
            .filter(|known| !known.exited)
            .map(|known| known.watched.process())
    }

    /// Whether a process is on the roll, and still the one with this identity.
    pub(super) fn is_there(&self, process: ProcessIdentity) -> io::Result<bool> {
        let known = self.known.get(&process.pid);
        let Some(known) = known.filter(|known| known.watched.process() == process) else {
            return Ok(false);
        };
        Ok(known.watched.stat()?.is_some())
    }

    /// Notes that a process said that it is a claude.
    pub(super) fn is_claude(&mut self, process: ProcessIdentity) {
        if let Some(known) = self.known.get_mut(&process.pid)
            && known.watched.process() == process
        {
            known.is_claude = true;
        }
    }

    /// Claudes that have ended and were not waited for, as far as is known.
    pub(super) fn dead_claudes(&self) -> Vec<u32> {
        let known = self.known.iter();
        let dead = known.filter(|(_, known)| known.exited && known.is_claude);
        dead.map(|(pid, _)| *pid).collect()
    }

    /// The pid of the claude that went last, once.
    pub(super) fn take_freed_pid(&mut self) -> Option<u32> {
        self.freed_pid.take()
    }

    /// Every process on the roll, zombies included.
    pub(super) fn identities(&self) -> impl Iterator<Item = ProcessIdentity> {
        self.known.values().map(|known| known.watched.process())
    }

    /// Whether nobody lives and nobody waits to be waited for.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(super) fn view(&self) -> View {
        let worker = self.worker;
        let children = self
            .living()
            .filter(|process| Some(*process) != worker && !self.other_workers.contains(process))
            .count();
        let zombies = self.known.len() - self.living().count();
        View {
            children: children as u32,
            zombies: zombies as u32,
            ..self.view
        }
    }

    /// How a process ended that the harness itself started.
    pub(super) fn exit_of_started(&self, process: ProcessIdentity) -> Option<Exit> {
        self.started.get(&process).copied().flatten()
    }

    /// Makes a process known that the harness has just started.
    pub(super) fn started(&mut self, pid: u32) -> io::Result<ProcessIdentity> {
        let gone = || io::Error::from_raw_os_error(libc::ESRCH);
        let process = match self.look(pid, Source::Run)? {
            Look::Ours(process) => process,
            Look::Stranger | Look::Gone => return Err(gone()),
        };
        self.started.insert(process, None);
        Ok(process)
    }

    /// Sends a signal to a process on the roll.
    pub(super) fn signal(&mut self, process: ProcessIdentity, signal: i32) -> io::Result<bool> {
        let Some(known) = self
            .known
            .get(&process.pid)
            .filter(|known| known.watched.process() == process && !known.exited)
        else {
            return Ok(false);
        };
        let sent = known.watched.signal(signal)?;
        if sent {
            self.learn(Source::Run, EventKind::HarnessSignalled { process, signal });
        }
        Ok(sent)
    }

    /// Looks at the process that has this pid now, and takes it onto the roll if it is the run's.
    pub(super) fn look(&mut self, pid: u32, source: Source) -> io::Result<Look> {
        if pid == self.own_pid {
            return Ok(Look::Stranger);
        }
        if let Some(known) = self.known.get(&pid) {
            if known.watched.stat()?.is_some() {
                return Ok(Look::Ours(known.watched.process()));
            }
            self.gone(pid, source);
        }
        let Some((watched, stat)) = Watched::open(pid)? else {
            return Ok(Look::Gone);
        };
        if !self.belongs(stat, source)? {
            self.strangers.insert(
                pid,
                Stranger {
                    start_time: stat.process.start_time,
                    look_again: self.ticks + STRANGER_TICKS,
                },
            );
            return Ok(Look::Stranger);
        }
        self.strangers.remove(&pid);
        self.endings.get_ref().add(&watched)?;
        let command = platform::command(pid, &stat.name);
        self.known.insert(
            pid,
            Known {
                watched,
                seen: (self.clock.now(), source),
                announced: false,
                exited: false,
                is_claude: false,
                has_executed: stat.has_executed,
                command,
                pgid: stat.pgid,
                sid: stat.sid,
                row: stat.row(self.page_size),
                changed: true,
            },
        );
        self.stir();
        if source != Source::Table || self.has_settled(pid) {
            self.announce(pid);
        }
        Ok(Look::Ours(stat.process))
    }

    /// Whether a process is the run's.
    fn belongs(&self, stat: Stat, source: Source) -> io::Result<bool> {
        let ancestor = match self.scope {
            Scope::Everything => return Ok(true),
            Scope::DescendantsOf(ancestor) => ancestor,
        };
        // Where orphans go to the system, parents prove little; what was started here or speaks on our socket, or carries the
        // cookie, is ours all the same.
        if !platform::KEEPS_ORPHANS
            && (source == Source::Control
                || self.cookie.as_ref().is_some_and(|cookie| {
                    platform::has_environment_entry(stat.process.pid, cookie) == Some(true)
                }))
        {
            return Ok(true);
        }
        let asked = stat.process.pid;
        let mut current = stat;
        for _ in 0..ANCESTORS {
            let on_roll = |pid: u32| self.known.contains_key(&pid);
            if current.process.pid == ancestor || current.ppid == ancestor || on_roll(current.ppid)
            {
                return Ok(true);
            }
            if current.ppid <= 1 {
                return Ok(false);
            }
            current = match platform::stat_of(current.ppid)? {
                // A parent never is younger than its child; this one took over the pid of the real one.
                Some(parent) if parent.process.start_time <= current.process.start_time => parent,
                // The parent has just ended, so the child has another one by now.
                Some(_) | None => match platform::stat_of(asked)? {
                    Some(again) => again,
                    None => return Ok(false),
                },
            };
        }
        Ok(false)
    }

    /// Whether a process is what it was started to be: not between fork and exec, where it has its parent's name, and not in the midst
    /// of an exec, where it has none.
    fn has_settled(&self, pid: u32) -> bool {
        self.known.get(&pid).is_none_or(|known| {
            (known.has_executed && !known.command.starts_with('['))
                || known.exited
                || known.row.state == ProcessState::Zombie
                || self.clock.now().since(known.seen.0) > FORK_TO_EXEC
        })
    }

    /// Announces a process that had not settled at first sight, if it has by now.
    fn look_again(&mut self, pid: u32) -> io::Result<()> {
        if let Some(known) = self.known.get_mut(&pid)
            && let Some(stat) = known.watched.stat()?
            && stat.state != ProcessState::Zombie
        {
            known.has_executed = stat.has_executed;
            known.command = platform::command(pid, &stat.name);
        }
        if self.has_settled(pid) {
            self.announce(pid);
        }
        Ok(())
    }

    /// Says that a process was seen, its parent before it.
    pub(super) fn announce(&mut self, pid: u32) {
        let Some(known) = self.known.get_mut(&pid).filter(|known| !known.announced) else {
            return;
        };
        known.announced = true;
        let parent = known.row.ppid;
        self.announce(parent);
        let Some(known) = self.known.get_mut(&pid) else {
            return;
        };
        let process = known.watched.process();
        // It may have made a session of its own since the first look.
        if let Ok(Some(stat)) = known.watched.stat() {
            (known.pgid, known.sid) = (stat.pgid, stat.sid);
        }
        let (at, source) = known.seen;
        let event = EventKind::ProcessSeen {
            process,
            ppid: known.row.ppid,
            host_pid: self.host_pids.of(&known.watched),
            pgid: known.pgid,
            sid: known.sid,
            command: known.command.clone(),
            role: (self.role)(&known.command),
        };
        let has_cookie = self.switches.cookie
            && self
                .cookie
                .as_ref()
                .is_some_and(|cookie| platform::has_environment_entry(pid, cookie) == Some(true));
        self.learn_at(at, source, event);
        if has_cookie {
            self.learn(Source::Cookie, EventKind::CookieFound { process });
        }
    }

    /// Takes down the hello of a process that had ended before anybody could look at it; its own word is all there is.
    pub(super) fn seen_too_late(
        &mut self,
        process: ProcessIdentity,
        ppid: u32,
        argv: &[String],
        at: RunTime,
    ) {
        let command =
            platform::proc_text::command(argv.join("\0").as_bytes(), &ShortName::default());
        let seen = EventKind::ProcessSeen {
            process,
            ppid,
            host_pid: None,
            pgid: 0,
            sid: 0,
            role: (self.role)(&command),
            command,
        };
        self.stir();
        self.learn_at(at, Source::Control, seen);
        let exited = EventKind::ProcessExited {
            process,
            code: None,
            signal: None,
        };
        self.learn(Source::Control, exited);
        self.learn(Source::Control, EventKind::ProcessGone { process });
    }

    /// Looks whether a process has ended, or was waited for, and says what is new.
    pub(super) fn look_for_end(&mut self, pid: u32, source: Source) -> io::Result<()> {
        let Some(known) = self.known.get(&pid) else {
            return Ok(());
        };
        match known.watched.stat()? {
            Some(stat) if stat.state == ProcessState::Zombie => self.exited(pid, None),
            Some(_) => {}
            None => self.gone(pid, source),
        }
        Ok(())
    }

    /// Says that a process ended, once: as whoever waited for it knows, or else as the kernel tells others.
    fn exited(&mut self, pid: u32, exit: Option<Exit>) {
        self.announce(pid);
        let Some(known) = self.known.get_mut(&pid).filter(|known| !known.exited) else {
            return;
        };
        known.exited = true;
        let process = known.watched.process();
        let exit = exit.unwrap_or_else(|| known.watched.exit());
        if let Some(unknown @ None) = self.started.get_mut(&process) {
            *unknown = Some(exit);
        }
        self.stir();
        let event = EventKind::ProcessExited {
            process,
            code: exit.code,
            signal: exit.signal,
        };
        self.learn(Source::Reaper, event);
    }

    /// Takes a process off the roll: it ended and was waited for.
    pub(super) fn gone(&mut self, pid: u32, source: Source) {
        self.exited(pid, None);
        if let Some(known) = self.known.remove(&pid) {
            let process = known.watched.process();
            if known.is_claude {
                self.freed_pid = Some(pid);
            }
            self.stir();
            // What a witness that is switched off has seen go, the process table would miss at its next look.
            let source = if self.switches.speaks(source) {
                source
            } else {
                Source::Table
            };
            self.learn(source, EventKind::ProcessGone { process });
        }
    }

    /// Says that the harness itself has waited for a process, and takes it off the roll.
    pub(super) fn reaped(&mut self, process: ProcessIdentity, exit: Exit) {
        self.exited(process.pid, Some(exit));
        // What was started here is waited for here anyway; only for orphans is it news.
        if !self.started.contains_key(&process) {
            let event = EventKind::ProcessReaped {
                process,
                code: exit.code,
                signal: exit.signal,
            };
            self.learn(Source::Reaper, event);
        }
        self.gone(process.pid, Source::Reaper);
    }
}
