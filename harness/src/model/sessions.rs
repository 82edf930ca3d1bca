//! SessionManager: the sessions that are active, and their queues. Event-driven: whoever waits for an item is woken by it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::json_lines::StoreError;
use super::lock;
use super::memory::{Memory, Moment};
use super::pending::{Item, PendingStore, Work};

/// A session that the worker knows in memory.
#[derive(Debug)]
pub(super) struct ActiveSession {
    pub(super) id: i64,
    pub(super) content_session_id: Arc<str>,
    started: Instant,
    changed: Notify,
    /// How many generators there are, their `finally` and their wait for a restart included.
    generators: watch::Sender<usize>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    project: Arc<str>,
    user_prompt: Arc<str>,
    last_prompt_number: u32,
    memory_session_id: Option<Arc<str>>,
    /// v9.0.0 keeps one `generatorPromise` although there may be several: the last start fills it, the first end empties it.
    generator_promise: bool,
    /// How many generators may still take an item.
    open_iterators: usize,
    /// The abort controller, as a count of its aborts: a generator belongs to the count at which it began.
    aborts: u64,
    ending: Option<Instant>,
    restarts_while_ending: u32,
    came_too_late: bool,
    earliest_pending: Option<i64>,
}

/// What a generator begins with, fixed at the moment of its start.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) project: Arc<str>,
    pub(super) user_prompt: Arc<str>,
    pub(super) prompt_number: u32,
    pub(super) resume: Option<Arc<str>>,
    pub(super) aborts: u64,
}

/// Why a request about a session cannot be served.
#[derive(Debug)]
pub(super) enum SessionError {
    /// Nobody has ever seen this session.
    Unknown(i64),
    /// The data folder does not take it.
    Store(StoreError),
}

impl std::fmt::Display for SessionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(id) => write!(f, "session {id} is not known"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SessionError {}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// All active sessions, and what is pending for whom.
#[derive(Debug)]
pub(super) struct SessionManager {
    memory: Arc<Mutex<Memory>>,
    pending: Mutex<PendingStore>,
    active: Mutex<HashMap<i64, Arc<ActiveSession>>>,
}

impl SessionManager {
    pub(super) fn new(memory: Arc<Mutex<Memory>>, pending: PendingStore) -> Self {
        Self {
            memory,
            pending: Mutex::new(pending),
            active: Mutex::new(HashMap::new()),
        }
    }

    /// Makes a session active, or tells an active one of its new prompt. Without a prompt the first one that was saved is taken,
    /// as after a restart.
    pub(super) fn initialize(
        &self,
        id: i64,
        user_prompt: Option<&str>,
        prompt_number: Option<u32>,
    ) -> Result<Arc<ActiveSession>, SessionError> {
        if let Some(session) = self.get(id) {
            if let Some(prompt) = user_prompt {
                let mut state = lock(&session.state);
                state.user_prompt = prompt.into();
                state.last_prompt_number = prompt_number.unwrap_or(state.last_prompt_number);
            }
            return Ok(session);
        }
        let memory = lock(&self.memory);
        let row = memory.row(id).ok_or(SessionError::Unknown(id))?;
        let user_prompt: Arc<str> = match user_prompt {
            Some(prompt) => prompt.into(),
            None => memory.first_prompt(id)?.into(),
        };
        let session = Arc::new(ActiveSession {
            id,
            content_session_id: Arc::clone(&row.content_session_id),
            started: Instant::now(),
            changed: Notify::new(),
            generators: watch::Sender::new(0),
            state: Mutex::new(State {
                project: Arc::clone(&row.project),
                user_prompt,
                last_prompt_number: prompt_number.unwrap_or(row.prompts),
                memory_session_id: row.memory_session_id.clone(),
                generator_promise: false,
                open_iterators: 0,
                aborts: 0,
                ending: None,
                restarts_while_ending: 0,
                came_too_late: false,
                earliest_pending: None,
            }),
        });
        lock(&self.active).insert(id, Arc::clone(&session));
        Ok(session)
    }

    pub(super) fn get(&self, id: i64) -> Option<Arc<ActiveSession>> {
        lock(&self.active).get(&id).map(Arc::clone)
    }

    /// Whether this very session is still active, and not one that took its place.
    pub(super) fn knows(&self, session: &Arc<ActiveSession>) -> bool {
        self.get(session.id)
            .is_some_and(|known| Arc::ptr_eq(&known, session))
    }

    /// Takes a work item in, on disk first, and wakes whoever waits for one.
    pub(super) fn queue(&self, id: i64, work: Work) -> Result<Arc<ActiveSession>, SessionError> {
        let session = self.initialize(id, None, None)?;
        lock(&self.pending).enqueue(id, Moment::now().epoch_ms(), work)?;
        {
            let mut state = lock(&session.state);
            state.came_too_late |= state.ending.is_some() && state.open_iterators == 0;
        }
        session.changed.notify_waiters();
        Ok(session)
    }

    /// The next item of a session, for whichever of its generators asks first.
    pub(super) fn claim(&self, session: &ActiveSession) -> Option<Item> {
        let item = lock(&self.pending).claim(session.id)?;
        let mut state = lock(&session.state);
        state.earliest_pending = Some(
            state
                .earliest_pending
                .map_or(item.created_at_epoch, |earliest| {
                    earliest.min(item.created_at_epoch)
                }),
        );
        if let Work::Observation {
            prompt_number: Some(number),
            ..
        } = item.work
        {
            state.last_prompt_number = number;
        }
        Some(item)
    }

    /// Items whose turn has ended are pending no longer.
    pub(super) fn confirm<'a>(
        &self,
        items: impl IntoIterator<Item = &'a Item>,
    ) -> Result<(), StoreError> {
        let mut pending = lock(&self.pending);
        items.into_iter().try_for_each(|item| pending.confirm(item))
    }

    /// Items that were delivered and not answered wait again.
    pub(super) fn put_back(&self, session: &ActiveSession, items: Vec<Item>) {
        if !items.is_empty() {
            lock(&self.pending).put_back(items);
            session.changed.notify_waiters();
        }
    }

    /// Throws away waiting items of a session, and says how many that were.
    pub(super) fn drop_waiting(
        &self,
        id: i64,
        is_dropped: impl Fn(&Work) -> bool,
    ) -> Result<usize, StoreError> {
        lock(&self.pending).drop_waiting(id, is_dropped)
    }

    /// How many items of a session wait to be delivered.
    pub(super) fn waiting(&self, id: i64) -> usize {
        lock(&self.pending).waiting(id)
    }

    /// All items that wait to be delivered.
    pub(super) fn all_waiting(&self) -> Vec<Item> {
        lock(&self.pending).all_waiting().cloned().collect()
    }

    /// How many items of a session are pending.
    pub(super) fn pending(&self, id: i64) -> usize {
        lock(&self.pending).count(id)
    }

    /// How many items are pending in all, those in flight included.
    pub(super) fn total_pending(&self) -> usize {
        lock(&self.pending).total()
    }

    /// The sessions that have pending items, active or not.
    pub(super) fn with_pending_work(&self) -> Vec<i64> {
        lock(&self.pending).sessions()
    }

    pub(super) fn active_count(&self) -> usize {
        lock(&self.active).len()
    }

    /// Forgets an active session; its rows and pending items stay. Says whether an item came after its last generator had closed.
    pub(super) fn delete(&self, session: &Arc<ActiveSession>) -> bool {
        let mut active = lock(&self.active);
        if active
            .get(&session.id)
            .is_some_and(|known| Arc::ptr_eq(known, session))
        {
            active.remove(&session.id);
            return lock(&session.state).came_too_late;
        }
        false
    }

    /// Remembers the id that a claude gave to its side of the session, the first time that one is seen.
    pub(super) fn capture(
        &self,
        session: &ActiveSession,
        memory_session_id: &str,
    ) -> Result<(), StoreError> {
        {
            let mut state = lock(&session.state);
            if state.memory_session_id.is_some() {
                return Ok(());
            }
            state.memory_session_id = Some(memory_session_id.into());
        }
        lock(&self.memory).capture(session.id, memory_session_id)
    }
}

impl ActiveSession {
    pub(super) fn project(&self) -> Arc<str> {
        Arc::clone(&lock(&self.state).project)
    }

    pub(super) fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn last_prompt_number(&self) -> u32 {
        lock(&self.state).last_prompt_number
    }

    /// When the oldest item was accepted that was claimed since the last answer; it starts anew with each answer.
    pub(super) fn take_earliest_pending(&self) -> Option<i64> {
        lock(&self.state).earliest_pending.take()
    }

    /// A future that is ready as soon as an item comes, the session is to end, or it is aborted, from now on.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Whether a generator is on record, so that an item need not start one.
    pub(super) fn has_generator(&self) -> bool {
        lock(&self.state).generator_promise
    }

    /// Records the start of one more generator. Only a continuation resumes what the claude knew before.
    pub(super) fn generator_starts(&self) -> Opening {
        self.generators.send_modify(|count| *count += 1);
        self.iterator_opens()
    }

    /// Records that a generator begins, anew after a crash or for the first time.
    pub(super) fn iterator_opens(&self) -> Opening {
        let mut state = lock(&self.state);
        state.generator_promise = true;
        state.open_iterators += 1;
        Opening {
            project: Arc::clone(&state.project),
            user_prompt: Arc::clone(&state.user_prompt),
            prompt_number: state.last_prompt_number,
            resume: state
                .memory_session_id
                .clone()
                .filter(|_| state.last_prompt_number > 1),
            aborts: state.aborts,
        }
    }

    /// How a claude would begin that goes on with what an earlier one knew, and that counts as no generator's.
    pub(super) fn continuation(&self) -> Opening {
        let state = lock(&self.state);
        Opening {
            project: Arc::clone(&state.project),
            user_prompt: Arc::clone(&state.user_prompt),
            prompt_number: state.last_prompt_number,
            resume: state.memory_session_id.clone(),
            aborts: state.aborts,
        }
    }

    /// Records that a generator takes no more items; its `finally` comes next.
    pub(super) fn iterator_closes(&self) {
        lock(&self.state).open_iterators -= 1;
    }

    /// Records the end of a generator's `finally`.
    pub(super) fn promise_settles(&self) {
        lock(&self.state).generator_promise = false;
    }

    /// Records that a generator is gone for good.
    pub(super) fn generator_is_gone(&self) {
        self.generators.send_modify(|count| *count -= 1);
    }

    /// Returns when the session has no generator left.
    pub(super) async fn without_generators(&self) {
        // The sender lives in `self`, so this cannot fail.
        let _ = self
            .generators
            .subscribe()
            .wait_for(|count| *count == 0)
            .await;
    }

    /// The session is over: generators deliver what waits, and end.
    pub(super) fn end(&self) {
        lock(&self.state).ending.get_or_insert_with(Instant::now);
        self.changed.notify_waiters();
    }

    /// Since when the session has been over.
    pub(super) fn ending(&self) -> Option<Instant> {
        lock(&self.state).ending
    }

    /// Counts a restart of a session that is over.
    pub(super) fn restarts_while_ending(&self) -> u32 {
        let mut state = lock(&self.state);
        state.restarts_while_ending += 1;
        state.restarts_while_ending
    }

    /// Aborts every generator that the session has.
    pub(super) fn abort(&self) {
        lock(&self.state).aborts += 1;
        self.changed.notify_waiters();
    }

    /// Whether a generator that began at this count was aborted.
    pub(super) fn is_aborted_since(&self, aborts: u64) -> bool {
        lock(&self.state).aborts != aborts
    }
}
