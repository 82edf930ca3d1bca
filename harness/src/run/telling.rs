//! What the inner process tells of a run that goes on: how it goes, several times a second; and for a long run, what would be reported of
//! it so far, every minute. It also sees when a long run has had enough.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use fake_claude::quantity::Span;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use super::following::Followed;
use super::inner::Outer;
use super::order::{Progress, Soak, Told};
use crate::emitter::Emitter;
use crate::platform;
use crate::recording::Disk;
use crate::report::{RecordingSize, Report, RunIdentity};
use crate::timeline::event::{EventKind, LoadStop};
use crate::units::RunTime;
use crate::witness::Witnesses;
use crate::worker::Life;

/// How often the outer process hears how the run goes.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// What there is to tell of.
pub(super) struct Telling {
    pub outer: Rc<Outer>,
    pub witnesses: Rc<Witnesses>,
    pub followed: Rc<RefCell<Followed>>,
    pub phase: Rc<Cell<&'static str>>,
    pub life: watch::Receiver<Life>,
    pub emitter: Emitter,
    pub disk: Disk,
    pub identity: RunIdentity,
    /// Sessions that are planned; none where the load lasts a time.
    pub sessions: Option<u32>,
    /// For how long the load lasts by the wall clock, where it does.
    pub lasts: Option<Span>,
    /// When the load began.
    pub load_began: Rc<Cell<Option<RunTime>>>,
    pub soak: Option<Soak>,
    /// Says that no new sessions are to open.
    pub enough: watch::Sender<bool>,
    /// Says that the recording takes all that it may.
    pub full: watch::Sender<bool>,
}

impl Telling {
    /// Tells how the run goes, now and then, until it is dropped; and ends the load of a long run that has had enough.
    pub async fn progress(self: Rc<Self>) {
        let mut ticks = interval(TELL_EVERY);
        loop {
            ticks.tick().await;
            let progress = self.how_it_goes();
            self.look_for_the_end(&progress).await;
            self.outer.tell(&Told::Progress(Box::new(progress))).await;
        }
    }

    /// Tells what would be reported of a long run so far, again and again until it is dropped.
    pub async fn checkpoints(self: Rc<Self>) {
        let Some(soak) = &self.soak else {
            return;
        };
        let every = Duration::from(soak.checkpoint).max(TELL_EVERY);
        let mut ticks = interval_at(Instant::now() + every, every);
        // A machine that is busy with one must not be asked for the next at once.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Some(report) = self.checkpoint().await {
                self.outer.tell(&Told::Checkpoint(report)).await;
            }
        }
    }

    /// What would be reported now. The recording holds, on disk, all that it rests on.
    async fn checkpoint(&self) -> Option<Box<Report>> {
        let judge = self.followed.borrow().live.clone();
        let (disk, identity) = (self.disk.clone(), self.identity.clone());
        // Judging takes longer than the time between two samples.
        let judged = spawn_blocking(move || {
            // A disk that refuses is told by the recorder.
            let _ = disk.sync();
            let mut report = Report::new(&identity, judge.so_far_judged());
            report.recording = Some(RecordingSize::of(disk.bytes(), report.elapsed_ms));
            Box::new(report)
        });
        // A panic in it is a bug of ours that costs a checkpoint and must not cost the run.
        judged.await.ok()
    }

    fn how_it_goes(&self) -> Progress {
        let view = self.witnesses.view();
        let now = self.emitter.clock().now();
        let followed = self.followed.borrow();
        let bytes = self.disk.bytes();
        let (opened, open) = followed.live.sessions();
        let so_far = followed.live.so_far();
        Progress {
            phase: self.phase.get().to_owned(),
            elapsed_ms: now.as_millis(),
            lasts_ms: self.lasts.map(|lasts| lasts.as_millis()),
            load_ms: self
                .load_began
                .get()
                .map(|began| now.since(began).as_millis()),
            sessions_done: followed.rest.sessions_done,
            sessions: self.sessions,
            sessions_opened: opened,
            sessions_open: open,
            children: view.children,
            rss_bytes: view.rss_bytes,
            leftovers: so_far.over.all(),
            so_far,
            worker_up: *self.life.borrow() == Life::Ready,
            worker_rss_bytes: view.worker.map(|worker| worker.rss_bytes),
            recording_bytes: bytes,
            recording_bytes_per_hour: RecordingSize::of(bytes, now.as_millis()).bytes_per_hour,
            harness_rss_bytes: platform::resident_bytes().unwrap_or(0),
            outer_rss_bytes: 0,
        }
    }

    /// Ends the load when something was found that fails the run, or when the recording comes near what it may take.
    async fn look_for_the_end(&self, progress: &Progress) {
        let Some(soak) = &self.soak else {
            return;
        };
        if progress.recording_bytes >= soak.disk_bytes {
            self.full.send_replace(true);
        }
        if *self.enough.borrow() || self.load_began.get().is_none() {
            return;
        }
        let why = match &progress.so_far.failed {
            Some(finding) if soak.stop_on_fail => LoadStop::SureFailure {
                finding: finding.clone(),
            },
            _ if progress.recording_bytes >= soak.near_bytes() => LoadStop::Disk {
                bytes: soak.disk_bytes,
            },
            _ => return,
        };
        self.enough.send_replace(true);
        self.emitter.emit(EventKind::LoadStopped { why }).await;
    }
}
