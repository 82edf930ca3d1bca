//! The stage: the witnesses at work in an inner process, on a worker of the cast.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::rc::Rc;
use std::time::Duration;

use fake_claude::behaviour::Behaviour;
use fake_claude::control::Role;
use fake_claude::quantity::Span;
use leak_harness::clock::Clock;
use leak_harness::emitter::Emitter;
use leak_harness::isolation::inner::OuterLink;
use leak_harness::isolation::{Adopted, UserLimits};
use leak_harness::platform;
use leak_harness::process::ProcessIdentity;
use leak_harness::timeline::event::{Event, EventKind};
use leak_harness::witness::{Scope, Settings, Switches, Witnesses};
use tokio::sync::mpsc;

use crate::cast::member;

/// How long anything that is waited for may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// The witnesses at work on a worker of the cast, and what they said.
pub struct Stage {
    pub witnesses: Rc<Witnesses>,
    events: mpsc::Receiver<Event>,
    pub seen: Vec<Event>,
    pub worker: ProcessIdentity,
    pub orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub limits: UserLimits,
    _outer: OuterLink,
    _folder: tempfile::TempDir,
}

impl Stage {
    pub fn set(adopted: Adopted) -> Self {
        Self::set_with(adopted, Switches::default(), |_| Behaviour::default())
    }

    #[expect(clippy::zombie_processes, reason = "waiting is the reaper's task")]
    pub fn set_with(
        adopted: Adopted,
        switches: Switches,
        behaviour: impl FnMut(Option<&str>) -> Behaviour + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (emitter, events) = Emitter::channel(Clock::start());
        let settings = Settings {
            scope: Scope::behind(adopted.isolation),
            host_proc: adopted.host_proc,
            tick: Span::from_millis(20),
            switches,
            cookie: Some("stage".to_owned()),
            control_folder: Some(folder.path().join("control")),
            role: Box::new(|command| command.contains("reader").then_some(Role::Helper)),
            behaviour: Box::new(behaviour),
        };
        let witnesses = Witnesses::start(settings, &emitter).unwrap();
        witnesses.begin_sampling();
        let limits = adopted.user_limits;
        let mut command = member(&["worker"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .env("LEAK_HARNESS_RUN", "stage");
        let parent = std::process::id();
        // SAFETY: the closure makes system calls only.
        unsafe {
            command.pre_exec(move || {
                nix::unistd::setsid()?;
                limits.restore()?;
                platform::die_with_parent(parent)
            })
        };
        let mut child = command.spawn().unwrap();
        let worker = witnesses.started(child.id()).unwrap();
        witnesses.set_worker(worker);
        Self {
            witnesses,
            events,
            seen: Vec::new(),
            worker,
            orders: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            limits,
            _outer: adopted.outer,
            _folder: folder,
        }
    }

    /// Gives the worker an order; gives its answer, mostly a pid.
    pub fn order(&mut self, order: &str) -> u32 {
        writeln!(self.orders, "{order}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim().parse().unwrap()
    }

    /// Waits for an event that the closure makes something of.
    pub async fn until<T>(&mut self, what: &str, mut find: impl FnMut(&Event) -> Option<T>) -> T {
        if let Some(found) = self.seen.iter().find_map(&mut find) {
            return found;
        }
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            let Ok(event) = tokio::time::timeout_at(deadline, self.events.recv()).await else {
                panic!("no {what} within {DEADLINE:?}; seen: {:#?}", self.seen);
            };
            let event = event.unwrap();
            let found = find(&event);
            self.seen.push(event);
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// Waits until a pid is seen by anybody.
    pub async fn identity(&mut self, pid: u32) -> ProcessIdentity {
        self.until("sight of a process", |event| match &event.event {
            EventKind::ProcessSeen { process, .. } if process.pid == pid => Some(*process),
            _ => None,
        })
        .await
    }

    /// Waits until a process is gone from the table.
    pub async fn gone(&mut self, process: ProcessIdentity) {
        self.until("process that is gone", |event| {
            (event.event == EventKind::ProcessGone { process }).then_some(())
        })
        .await;
    }

    /// How a process ended.
    pub async fn exit(&mut self, process: ProcessIdentity) -> (Option<i32>, Option<i32>) {
        self.until("end of a process", |event| match event.event {
            EventKind::ProcessExited {
                process: who,
                code,
                signal,
            } if who == process => Some((code, signal)),
            _ => None,
        })
        .await
    }

    /// Waits until so many samples were taken.
    pub async fn samples(&mut self, count: u64) {
        while self.witnesses.overhead().ticks < count {
            let event = self.events.recv().await.unwrap();
            self.seen.push(event);
        }
    }

    /// Everything that waits to be taken.
    pub fn take_all(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.seen.push(event);
        }
    }

    pub fn count(&self, count: impl Fn(&EventKind) -> bool) -> usize {
        self.seen.iter().filter(|event| count(&event.event)).count()
    }

    /// Ends everything, and sees that the books are complete: who was seen has ended once and is gone.
    pub async fn strike(mut self) {
        let cleaning = self.witnesses.end_everything().await;
        assert_eq!(cleaning.left, []);
        assert_eq!(self.witnesses.living(), []);
        let view = self.witnesses.view();
        assert_eq!((view.children, view.zombies), (0, 0));
        self.take_all();
        let mut ends: BTreeMap<ProcessIdentity, [u32; 3]> = BTreeMap::new();
        for event in &self.seen {
            match event.event {
                EventKind::ProcessSeen { process, .. } => ends.entry(process).or_default()[0] += 1,
                EventKind::ProcessExited { process, .. } => {
                    ends.entry(process).or_default()[1] += 1;
                }
                EventKind::ProcessGone { process } => ends.entry(process).or_default()[2] += 1,
                _ => {}
            }
        }
        for (process, counts) in ends {
            assert_eq!(
                counts,
                [1, 1, 1],
                "{process} was seen, ended, gone so often"
            );
        }
        self.witnesses.close().await;
    }
}
