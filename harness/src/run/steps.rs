//! Which step of the protocol each session has reached, and which process serves it: what planned faults, and sessions that end at a step,
//! wait for. It decides when something is done, never what is judged.
//!
//! A session is followed until it ends, since it waits for its own steps alone; those that faults name are followed to the end of the run.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::rc::Rc;

use fake_claude::control::{Role, Say};
use tokio::sync::oneshot;

use crate::driver::Schedule;
use crate::process::ProcessIdentity;
use crate::scenario::{Fault, Step, Victim};
use crate::timeline::event::{Event, EventKind};

/// How many sessions are kept for which nobody has said yet that they were started. Of more, the first are not waited for any more.
const UNSERVED: usize = 4_096;

/// The steps of sessions, by their numbers from 1.
#[derive(Debug)]
pub struct Steps {
    schedule: Rc<Schedule>,
    /// The sessions that faults name.
    named: BTreeSet<u32>,
    /// What sessions have reached that are open or named.
    reached: BTreeMap<u32, BTreeSet<Step>>,
    /// Sessions that opened and for which no claude has said hello yet.
    unserved: BTreeSet<u32>,
    waiting: BTreeMap<(u32, Step), Vec<oneshot::Sender<()>>>,
    /// The session of each item that was offered and not yet answered.
    items: BTreeMap<String, u32>,
    processes: BTreeMap<ProcessIdentity, Known>,
    /// How many processes were met so far.
    met: u64,
}

/// A fake that lives.
#[derive(Debug, Clone, Copy)]
struct Known {
    role: Role,
    ppid: u32,
    session: Option<u32>,
    /// Its place among all that were met.
    order: u64,
}

impl Steps {
    /// Nothing was reached yet. `faults` are those that are planned.
    pub fn new(schedule: Rc<Schedule>, faults: &[Fault]) -> Self {
        Self {
            schedule,
            named: faults.iter().map(Fault::session).collect(),
            reached: BTreeMap::new(),
            unserved: BTreeSet::new(),
            waiting: BTreeMap::new(),
            items: BTreeMap::new(),
            processes: BTreeMap::new(),
            met: 0,
        }
    }

    /// Ready when a session reaches a step, at once if it has; never, if it never does.
    pub fn when(&mut self, session: u32, step: Step) -> impl Future<Output = ()> + use<> {
        let (tell, told) = oneshot::channel();
        if self.has_reached(session, step) {
            // The other end is held two lines above.
            let _ = tell.send(());
        } else {
            self.waiting.entry((session, step)).or_default().push(tell);
        }
        async move {
            if told.await.is_err() {
                // The run is over.
                std::future::pending::<()>().await;
            }
        }
    }

    fn has_reached(&self, session: u32, step: Step) -> bool {
        let reached = self.reached.get(&session);
        reached.is_some_and(|reached| reached.contains(&step))
    }

    /// The live process of a session that a fault is for: of several, the one that was met last. The worker is no process of a session.
    pub fn victim(&self, session: u32, victim: Victim) -> Option<ProcessIdentity> {
        let role = match victim {
            Victim::Worker => return None,
            Victim::Primary => Role::Primary,
            Victim::Payload => Role::Payload,
            Victim::Grandchild => Role::Grandchild,
        };
        let mut fitting: Vec<_> = self
            .processes
            .iter()
            .filter(|(process, known)| {
                known.role == role && self.session_of(**process, **known) == Some(session)
            })
            .collect();
        fitting.sort_by_key(|(_, known)| known.order);
        fitting.last().map(|(process, _)| **process)
    }

    /// The session of a process: its own word, or that of what it started or what started it: a wrapper reads nothing, and whoever was
    /// started before the first message was read cannot know.
    fn session_of(&self, process: ProcessIdentity, known: Known) -> Option<u32> {
        let relatives = self
            .processes
            .iter()
            .filter(|(other, relative)| relative.ppid == process.pid || other.pid == known.ppid);
        known.session.or_else(|| {
            relatives
                .filter_map(|(_, relative)| relative.session)
                .next()
        })
    }

    /// Follows one fact.
    pub fn see(&mut self, event: &Event) {
        match &event.event {
            EventKind::SessionOpened { session } => self.reach_named(session, Step::Opened),
            EventKind::SessionEnded { session, .. } => {
                self.reach_named(session, Step::Ended);
                self.forget(session);
            }
            EventKind::WorkOffered { session, item, .. } => {
                if let Some(number) = self.schedule.number_of(session) {
                    self.items.insert(item.clone(), number);
                }
            }
            EventKind::Said { process, say } => self.said(*process, say),
            EventKind::ProcessExited { process, .. }
            | EventKind::ProcessGone { process }
            | EventKind::LifelineLost { process } => {
                self.processes.remove(process);
            }
            _ => {}
        }
    }

    fn said(&mut self, process: ProcessIdentity, say: &Say) {
        match say {
            Say::Hello {
                role,
                ppid,
                session,
                ..
            } => self.hello(process, *role, *ppid, session.as_deref()),
            Say::Serves { session } => {
                let number = self.schedule.number_of(session);
                if let Some(known) = self.processes.get_mut(&process) {
                    known.session = number;
                }
                if let Some(number) = number {
                    self.reach(number, Step::Started);
                    self.reach(number, Step::Serves);
                }
            }
            Say::SawWork { markers, .. } => self.reach_with(markers, Step::Given),
            Say::TurnStarted { markers, .. } => self.reach_with(markers, Step::Answering),
            Say::TurnEnded { markers, .. } => self.reach_with(markers, Step::Answered),
            Say::SawEof { .. } => {
                let known = self.processes.get(&process).copied();
                if let Some(number) = known.and_then(|known| self.session_of(process, known)) {
                    self.reach(number, Step::Eof);
                }
            }
            Say::SawSignal { .. } | Say::Did { .. } | Say::Goodbye { .. } => {}
        }
    }

    fn hello(&mut self, process: ProcessIdentity, role: Role, ppid: u32, session: Option<&str>) {
        self.met += 1;
        let session = session.and_then(|session| self.schedule.number_of(session));
        let known = Known {
            role,
            ppid,
            session,
            order: self.met,
        };
        self.processes.insert(process, known);
        if role != Role::Primary {
            return;
        }
        // Nobody has said yet whom it serves; sessions are served in the order in which they come.
        if let Some(number) = self.unserved.first().copied() {
            if let Some(known) = self.processes.get_mut(&process) {
                known.session = known.session.or(Some(number));
            }
            self.reach(number, Step::Started);
        }
    }

    fn reach_named(&mut self, session: &str, step: Step) {
        if let Some(number) = self.schedule.number_of(session) {
            self.reach(number, step);
        }
    }

    fn reach_with(&mut self, markers: &[String], step: Step) {
        for marker in markers {
            if let Some(number) = self.items.get(marker).copied() {
                self.reach(number, step);
                if step == Step::Answered {
                    self.items.remove(marker);
                }
            }
        }
    }

    fn reach(&mut self, session: u32, step: Step) {
        match step {
            Step::Opened => {
                self.unserved.insert(session);
                if self.unserved.len() > UNSERVED {
                    self.unserved.pop_first();
                }
            }
            Step::Started => {
                self.unserved.remove(&session);
            }
            _ => {}
        }
        let reached = match self.reached.entry(session) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) if step == Step::Opened || self.named.contains(&session) => {
                new.insert(BTreeSet::new())
            }
            // It is over, and nobody waits for anything of it.
            Entry::Vacant(_) => return,
        };
        if reached.insert(step) {
            for tell in self.waiting.remove(&(session, step)).unwrap_or_default() {
                // Whoever waited may have given up.
                let _ = tell.send(());
            }
        }
    }

    /// A session is over: it waits for nothing any more.
    fn forget(&mut self, session: &str) {
        let number = self.schedule.number_of(session);
        if let Some(number) = number.filter(|number| !self.named.contains(number)) {
            self.reached.remove(&number);
            self.waiting.retain(|(waiting, _), _| *waiting != number);
            self.items.retain(|_, of| *of != number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Load;
    use crate::timeline::notation::events;

    /// Two sessions whose ids are written as `s1` and `s2` in the histories; a fault names both.
    fn follow(text: &str) -> Steps {
        follow_with(text, &[1, 2])
    }

    /// The same, with faults that name these.
    fn follow_with(text: &str, named: &[u32]) -> Steps {
        let load: Load = toml::from_str("sessions = 2\nend = \"complete\"").unwrap();
        let schedule = Rc::new(Schedule::new(&load, &[], 603, 1.0));
        let ids: Vec<String> = (0..2).map(|index| schedule.plan(index).id).collect();
        let fault = |number: &u32| {
            let text = format!("what = \"sigkill\"\non = \"given\"\nsession = {number}");
            toml::from_str(&text).unwrap()
        };
        let faults: Vec<Fault> = named.iter().map(fault).collect();
        let mut steps = Steps::new(schedule, &faults);
        for event in events(&text.replace("s1", &ids[0]).replace("s2", &ids[1])) {
            steps.see(&event);
        }
        steps
    }

    fn reached(steps: &Steps, session: u32) -> Vec<Step> {
        let of = steps.reached.get(&session);
        of.map_or(Vec::new(), |of| of.iter().copied().collect())
    }

    const SERVED: &str = "
        0s worker 5; 1s open s1; 1s offer a s1 observation; 1s hello 10 primary; 1s open s2; 1s hello 11 primary
        1.1s serves 10 s1; 1.2s work 10 prompt p; 1.2s work 10 observation a";

    #[test]
    fn each_step_is_reached_once_its_evidence_is_there() {
        let steps = follow(SERVED);
        assert_eq!(
            reached(&steps, 1),
            [Step::Opened, Step::Started, Step::Serves, Step::Given]
        );
        assert_eq!(reached(&steps, 2), [Step::Opened, Step::Started]);
        let steps = follow(&format!(
            "{SERVED}; 1.5s done 10 1 observation a; 2s end s1 complete; 2.1s eof 10"
        ));
        assert_eq!(
            reached(&steps, 1),
            [
                Step::Opened,
                Step::Started,
                Step::Serves,
                Step::Given,
                Step::Answered,
                Step::Ended,
                Step::Eof
            ]
        );
    }

    #[test]
    fn one_that_no_fault_names_is_forgotten_at_its_end() {
        let text =
            format!("{SERVED}; 2s end s1 complete; 2.1s eof 10; 2.2s done 10 1 observation a");
        let steps = follow_with(&text, &[2]);
        assert_eq!(reached(&steps, 1), []);
        assert_eq!(reached(&steps, 2), [Step::Opened, Step::Started]);
        assert_eq!((steps.items.len(), steps.unserved.len()), (0, 0));
        let open = follow_with(SERVED, &[]);
        assert_eq!(
            reached(&open, 1),
            [Step::Opened, Step::Started, Step::Serves, Step::Given]
        );
    }

    #[test]
    fn a_prompt_that_is_no_work_is_not_given() {
        let steps =
            follow("1s open s1; 1s hello 10 primary; 1.1s serves 10 s1; 1.2s work 10 prompt p");
        assert!(!reached(&steps, 1).contains(&Step::Given));
    }

    #[test]
    fn victims_live_and_belong_to_the_session() {
        let steps = follow(SERVED);
        let pid = |session, victim| steps.victim(session, victim).map(|process| process.pid);
        assert_eq!(pid(1, Victim::Primary), Some(10));
        assert_eq!(pid(2, Victim::Primary), Some(11));
        assert_eq!(pid(1, Victim::Payload), None);
        assert_eq!(pid(1, Victim::Worker), None);
        let steps = follow(&format!("{SERVED}; 1.3s exited 10"));
        assert_eq!(steps.victim(1, Victim::Primary), None);
    }

    #[test]
    fn a_wrapper_belongs_to_the_session_of_its_payload_and_a_grandchild_to_that_of_its_starter() {
        let steps = follow(
            "1s hello 10 primary; 1s open s1; 1s hello 12 payload parent 10; 1.1s serves 12 s1; 1.2s hello 13 grandchild parent 12",
        );
        let pid = |victim| steps.victim(1, victim).map(|process| process.pid);
        assert_eq!(pid(Victim::Primary), Some(10));
        assert_eq!(pid(Victim::Payload), Some(12));
        assert_eq!(pid(Victim::Grandchild), Some(13));
    }

    #[test]
    fn whoever_waits_is_told_and_what_was_reached_before_is_told_at_once() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut steps = follow(SERVED);
            steps.when(1, Step::Given).await;
            let later = steps.when(2, Step::Serves);
            steps.reach(2, Step::Serves);
            later.await;
        });
    }
}
