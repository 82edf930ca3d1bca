//! The roll: every process of the run that lives or was not waited for, and the facts about them that wait to be handed over.
//!
//! No witness keeps a list of its own. Whoever meets a pid asks the roll, which looks at the process, decides whether it belongs to
//! the run, holds it open, and says so; whoever learns of an end tells the roll, which says so once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::rc::Rc;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Overhead, RoleOf, Switches};
use crate::clock::Clock;
use crate::platform::{self, Endings, Exit, HostPids, ShortName, Stat, Watched};
use crate::process::{ProcessIdentity, ProcessRow, ProcessState};
use crate::timeline::event::{EventKind, Source, WorkerResources};
use crate::units::RunTime;

/// How many ancestors are asked before a process counts as a stranger.
const ANCESTORS: usize = 64;
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
    /// Processes seen so far, the worker included.
    pub seen: u64,
    /// Processes that ended so far.
    pub exited: u64,
    /// Orphans that the harness itself waited for.
    pub reaped: u64,
    /// The last moment at which a process was seen, said something, or ended.
    pub last_activity: RunTime,
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
    /// Whether it was announced. One that looks exactly like its parent may stand between fork and exec, and waits a tick for its name.
    announced: bool,
    exited: bool,
    name: ShortName,
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
    /// Facts in the order in which they were learned.
    pub(super) facts: VecDeque<Fact>,
    /// What sampling has cost.
    pub(super) sampling: Overhead,
    view: View,
    /// Whether anything changed since the last time somebody asked.
    news: bool,
    /// Pids that a pass over the table found to be gone; kept for its memory alone.
    vanished: Vec<u32>,
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
            facts: VecDeque::new(),
            sampling: Overhead::default(),
            view: View::default(),
            news: false,
            vanished: Vec::new(),
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
        self.view.last_activity = self.clock.now();
        self.news = true;
    }

    /// Whether something happened since the last call.
    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    /// Who has this pid on the roll.
    pub(super) fn identity(&self, pid: u32) -> Option<ProcessIdentity> {
        self.known.get(&pid).map(|known| known.watched.process())
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

    /// Every process on the roll, zombies included.
    pub(super) fn identities(&self) -> impl Iterator<Item = ProcessIdentity> {
        self.known.values().map(|known| known.watched.process())
    }

    pub(super) fn view(&self) -> View {
        let worker = self.worker;
        let children = self
            .living()
            .filter(|process| Some(*process) != worker)
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
                    look_again: self.sampling.ticks + STRANGER_TICKS,
                },
            );
            return Ok(Look::Stranger);
        }
        self.strangers.remove(&pid);
        self.endings.get_ref().add(&watched)?;
        let command = platform::command(pid, &stat.name);
        let may_be_between_fork_and_exec = source == Source::Table
            && self
                .known
                .get(&stat.ppid)
                .is_some_and(|parent| parent.name == stat.name && parent.command == command);
        self.known.insert(
            pid,
            Known {
                watched,
                seen: (self.clock.now(), source),
                announced: false,
                exited: false,
                name: stat.name,
                command,
                pgid: stat.pgid,
                sid: stat.sid,
                row: stat.row(self.page_size),
                changed: true,
            },
        );
        self.view.seen += 1;
        self.stir();
        if !may_be_between_fork_and_exec {
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
        // By now it may have become what it was started to be.
        if let Ok(Some(stat)) = known.watched.stat()
            && stat.state != ProcessState::Zombie
        {
            known.name = stat.name;
            known.command = platform::command(pid, &stat.name);
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
        self.view.seen += 1;
        self.view.exited += 1;
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
            Some(stat) if stat.state == ProcessState::Zombie => self.exited(pid),
            Some(_) => {}
            None => self.gone(pid, source),
        }
        Ok(())
    }

    /// Says that a process ended, once.
    fn exited(&mut self, pid: u32) {
        self.announce(pid);
        let Some(known) = self.known.get_mut(&pid).filter(|known| !known.exited) else {
            return;
        };
        known.exited = true;
        let process = known.watched.process();
        let exit = known.watched.exit();
        self.set_exit(process, exit);
        self.view.exited += 1;
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
        self.exited(pid);
        if let Some(known) = self.known.remove(&pid) {
            let process = known.watched.process();
            self.stir();
            self.learn(source, EventKind::ProcessGone { process });
        }
    }

    /// Says that the harness itself has waited for a process, and takes it off the roll.
    pub(super) fn reaped(&mut self, process: ProcessIdentity, exit: Exit) {
        // What was started here is waited for here anyway; only for orphans is it news.
        if self.started.contains_key(&process) {
            self.set_exit(process, exit);
        } else {
            self.view.reaped += 1;
            let event = EventKind::ProcessReaped {
                process,
                code: exit.code,
                signal: exit.signal,
            };
            self.learn(Source::Reaper, event);
        }
        if self.identity(process.pid) == Some(process) {
            self.gone(process.pid, Source::Reaper);
        }
    }

    fn set_exit(&mut self, process: ProcessIdentity, exit: Exit) {
        if let Some(known) = self.started.get_mut(&process)
            && known.is_none_or(|known| !known.is_known())
        {
            *known = Some(exit);
            self.news = true;
        }
    }

    /// Compares the roll with the pids of the table: who is gone goes, who is new comes.
    pub(super) fn compare(&mut self, pids: &[u32]) -> io::Result<()> {
        let mut vanished = std::mem::take(&mut self.vanished);
        vanished.clear();
        for (pid, known) in &mut self.known {
            match known.watched.stat()? {
                Some(stat) => {
                    let row = stat.row(self.page_size);
                    let is_worker = self.worker == Some(stat.process);
                    known.changed |= differs(&known.row, &row, is_worker);
                    known.row = row;
                    known.name = stat.name;
                    known.pgid = stat.pgid;
                    known.sid = stat.sid;
                    if is_worker {
                        self.view.worker = Some(WorkerResources {
                            rss_bytes: row.rss_bytes,
                            files: None,
                            threads: Some(stat.threads).filter(|threads| *threads > 0),
                        });
                    }
                    if !known.announced || (row.state == ProcessState::Zombie && !known.exited) {
                        vanished.push(*pid);
                    }
                }
                None => vanished.push(*pid),
            }
        }
        for &pid in &vanished {
            self.announce(pid);
            self.look_for_end(pid, Source::Table)?;
        }
        self.vanished = vanished;
        self.strangers
            .retain(|pid, _| pids.binary_search(pid).is_ok());
        for &pid in pids {
            if !self.known.contains_key(&pid) && pid != self.own_pid && !self.still_strange(pid)? {
                self.look(pid, Source::Table)?;
            }
        }
        Ok(())
    }

    /// Whether a pid is a stranger's that was looked at lately, or looks the same again.
    fn still_strange(&mut self, pid: u32) -> io::Result<bool> {
        let tick = self.sampling.ticks;
        let Some(stranger) = self.strangers.get_mut(&pid) else {
            return Ok(false);
        };
        if stranger.look_again > tick {
            return Ok(true);
        }
        stranger.look_again = tick + STRANGER_TICKS;
        let start_time = stranger.start_time;
        Ok(platform::stat_of(pid)?.is_some_and(|stat| stat.process.start_time == start_time))
    }

    /// The sample of the pass that was just made. With `count_files` the worker's open files are counted.
    pub(super) fn sample(
        &mut self,
        late: fake_claude::quantity::Span,
        count_files: bool,
    ) -> EventKind {
        let mut children = 0;
        let mut rss_bytes = 0;
        let mut changed = Vec::new();
        let mut worker = None;
        for known in self.known.values_mut().filter(|known| known.announced) {
            let living = known.row.state != ProcessState::Zombie;
            if self.worker == Some(known.row.process) {
                worker = self.view.worker.filter(|_| living);
            } else if living {
                children += 1;
                rss_bytes += known.row.rss_bytes;
            }
            if std::mem::take(&mut known.changed) {
                changed.push(known.row);
            }
        }
        if let (Some(resources), Some(process), true) = (&mut worker, self.worker, count_files) {
            resources.files = platform::open_file_count(process.pid);
        }
        self.view.rss_bytes = rss_bytes;
        self.view.worker = worker;
        EventKind::Sampled {
            late,
            children,
            rss_bytes,
            worker,
            changed,
        }
    }
}

/// Whether a row says something new. Running and asleep are one: a busy process alternates all the time, and nobody asks. The worker's
/// RSS stands in every sample anyway.
fn differs(before: &ProcessRow, now: &ProcessRow, is_worker: bool) -> bool {
    let settled = |state| match state {
        ProcessState::Running => ProcessState::Sleeping,
        other => other,
    };
    settled(before.state) != settled(now.state)
        || before.ppid != now.ppid
        || (before.rss_bytes != now.rss_bytes && !is_worker)
}
