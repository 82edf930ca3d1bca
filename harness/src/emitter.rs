//! The one bounded channel through which every fact of a run reaches its recorder.

use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::timeline::event::{Event, EventKind, Source};
use crate::units::RunTime;

/// How many events may wait for the recorder before whoever has more must wait.
pub const CAPACITY: usize = 8_192;

/// Sends facts to the recorder. Cheap to clone; each part of a run holds its own.
#[derive(Debug, Clone)]
pub struct Emitter {
    clock: Clock,
    source: Source,
    sender: mpsc::Sender<Event>,
}

impl Emitter {
    /// A pair of an emitter and the recorder's end of the channel.
    pub fn channel(clock: Clock) -> (Self, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        (
            Self {
                clock,
                source: Source::Run,
                sender,
            },
            receiver,
        )
    }

    /// The same channel, for another source.
    pub fn of(&self, source: Source) -> Self {
        Self {
            source,
            ..self.clone()
        }
    }

    /// The clock of the run.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Emits the run's first fact, while the channel is still empty and nobody could wait.
    pub fn emit_first(&self, event: EventKind) {
        let _ = self.sender.try_send(Event {
            seq: 0,
            at: RunTime::START,
            source: self.source,
            event,
        });
    }

    /// Emits a fact that happened now.
    pub async fn emit(&self, event: EventKind) {
        self.emit_at(self.clock.now(), event).await;
    }

    /// Emits a fact that happened at a moment.
    pub async fn emit_at(&self, at: RunTime, event: EventKind) {
        // The recorder numbers events as it takes them. A recorder that is gone has ended the run already, and says why itself.
        let _ = self
            .sender
            .send(Event {
                seq: 0,
                at,
                source: self.source,
                event,
            })
            .await;
    }
}
