//! The task through which every fact passes on its way to the recorder.

use std::cell::RefCell;
use std::rc::Rc;

use fake_claude::quantity::Span;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_local};

use super::rest::Rest;
use super::steps::Steps;
use crate::isolation::inner::is_orphaned;
use crate::judge::{Expectations, Judge};
use crate::timeline::event::{Event, EventKind};
use crate::units::RunTime;

/// What is followed while facts pass by.
pub struct Followed {
    /// Who owes work, and when something last happened.
    pub rest: Rest,
    /// The judge of what was seen so far, for the progress line alone.
    pub live: Judge,
    expectations: Expectations,
    steps: Rc<RefCell<Steps>>,
    /// The grace after the end of the last session that has ended.
    grace: Span,
}

/// The task through which every fact passes on its way to the recorder.
pub struct Following {
    /// What is followed.
    pub state: Rc<RefCell<Followed>>,
    task: JoinHandle<()>,
}

impl Following {
    /// Starts to pass facts on.
    pub fn start(
        mut facts: mpsc::Receiver<Event>,
        recorder: mpsc::Sender<Event>,
        expectations: Expectations,
        steps: Rc<RefCell<Steps>>,
    ) -> Self {
        let live = Judge::new(&expectations);
        let state = Rc::new(RefCell::new(Followed {
            rest: Rest::default(),
            live,
            expectations,
            steps,
            grace: Span::ZERO,
        }));
        let followed = Rc::clone(&state);
        let task = spawn_local(async move {
            while let Some(event) = facts.recv().await {
                // From then on everything is ended by the harness itself. A recording that is cut off is honest; deaths in it that
                // nobody seems to have asked for would be laid at the worker's door.
                if is_orphaned() {
                    continue;
                }
                followed.borrow_mut().see(&event);
                if recorder.send(event).await.is_err() {
                    // The recorder is gone and says why itself; whoever emits must still not wait for ever.
                    while facts.recv().await.is_some() {}
                }
            }
        });
        Self { state, task }
    }

    /// Waits until every emitter is gone and the last fact was passed on.
    pub async fn finish(self) {
        // A panic in it is a bug of ours that the recording shows by its missing end.
        let _ = self.task.await;
    }
}

impl Followed {
    fn see(&mut self, event: &Event) {
        let grace_ends = match &event.event {
            EventKind::SessionEnded { end, .. } => {
                self.grace = self.expectations.grace_after(*end);
                event.at + self.grace
            }
            // A death before the first end of a session is covered by the grace of that.
            EventKind::ProcessExited { .. } | EventKind::Sampled { .. } => event.at + self.grace,
            _ => RunTime::START,
        };
        self.rest.see(event, grace_ends);
        self.live.see(event);
        self.steps.borrow_mut().see(event);
    }
}
