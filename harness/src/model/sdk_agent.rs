//! SdkAgent: runs one `query()` for a session, feeds it from the session's queue and stores what it answers.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep_until};

use super::cleanup::idle::IdleTimer;
use super::json_lines::StoreError;
use super::lock;
use super::memory::{Memory, Moment};
use super::pending::Item;
use super::policy::{Quirk, Stdio};
use super::processes::{Child, ProcessManager};
use super::prompts;
use super::query::{Query, QueryError, QueryOptions, Step, query, unique_uuid};
use super::quirks::{garbage, garbled, handing_over, in_flight, storing, sweeps};
use super::responses;
use super::sessions::{ActiveSession, Opening, SessionManager};
use super::slots::SlotPool;
use super::stream::{self, Content, Message};

/// The agent. One serves all sessions.
#[derive(Debug)]
pub(super) struct SdkAgent {
    pub(super) claude: PathBuf,
    pub(super) stdio: Stdio,
    /// For how long a claude may be silent while a session that is over waits for its last answers. The real v9.0.0 does not
    /// wait: it aborts, and what was in flight is gone. Later releases wait as long as this default for their generator.
    pub(super) drain_limit: Duration,
    /// The idle policy's limit, where that policy is on.
    pub(super) idle_limit: Option<Duration>,
    /// After which silence with answers due a claude is given up for another one, where the daemon does that.
    pub(super) replace_after: Option<Duration>,
    /// What the daemon does beyond the report.
    pub(super) quirks: Vec<Quirk>,
    pub(super) processes: Arc<ProcessManager>,
    pub(super) sessions: Arc<SessionManager>,
    pub(super) memory: Arc<Mutex<Memory>>,
    pub(super) slots: Arc<SlotPool>,
}

/// Why the iterator of a query has ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The session is over and everything that was accepted for it is answered.
    Drained,
    /// The session is over, and its claude has been silent for too long with answers due.
    Silent,
    /// The session was aborted.
    Aborted,
    /// Nothing new came for longer than the idle policy allows.
    Idle,
    /// It had nothing to do, and another session waited for a slot.
    MadeRoom,
    /// Its claude has been silent for too long with answers due, and another one takes its place.
    Replaced,
    /// The claude has ended by itself, or was ended by somebody else.
    ChildExited(ExitStatus),
    /// It could not be started, it cannot be understood, or what it said could not be kept.
    Failed(AgentError),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Drained => f.write_str("drained"),
            Self::Silent => f.write_str("its claude is silent with answers due"),
            Self::Aborted => f.write_str("aborted"),
            Self::Idle => f.write_str("idle for too long"),
            Self::MadeRoom => f.write_str("idle, and others wait for a slot"),
            Self::Replaced => f.write_str("its claude is silent and is replaced"),
            Self::ChildExited(status) => write!(f, "its claude has ended, {status}"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// What makes a generator fail.
#[derive(Debug)]
pub(super) enum AgentError {
    Query(QueryError),
    Store(StoreError),
}

impl std::fmt::Display for AgentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Query(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AgentError {}

impl From<QueryError> for AgentError {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl From<StoreError> for AgentError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// One run of the agent: the query, and the turns that its claude owes.
#[derive(Debug)]
pub(super) struct Conversation {
    query: Query,
    turns: VecDeque<Turn>,
    /// `confirms-at-end`: items whose turn has ended, and which are pending still.
    unconfirmed: Vec<Item>,
    last_heard: Instant,
    last_said: Instant,
}

/// A message that was sent and whose turn has not ended.
#[derive(Debug)]
struct Turn {
    uuid: String,
    /// The work item that it carries; the opening carries none.
    item: Option<Item>,
}

impl Conversation {
    pub(super) const fn child(&self) -> &Arc<Child> {
        self.query.child()
    }

    /// Closes the child's stdin.
    pub(super) fn close_input(&mut self) {
        self.query.close_input();
    }

    fn say(&mut self, content: &str, session: &ActiveSession, item: Option<Item>) {
        let uuid = unique_uuid();
        let line = stream::user(content, &session.content_session_id, &uuid);
        self.query.send(&line);
        self.turns.push_back(Turn { uuid, item });
        self.last_said = Instant::now();
    }

    /// Takes out the turns that a result ends: those that it names, or else the oldest.
    fn ended_turns(&mut self, answered: &[String]) -> Vec<Turn> {
        let named = |turn: &Turn| answered.contains(&turn.uuid);
        if self.turns.iter().any(named) {
            let (ended, left) = self.turns.drain(..).partition(named);
            self.turns = left;
            return VecDeque::into(ended);
        }
        self.turns.pop_front().into_iter().collect()
    }

    /// Since when answers are due and nothing is heard.
    fn silent_since(&self) -> Option<Instant> {
        (!self.turns.is_empty()).then(|| self.last_heard.max(self.last_said))
    }

    fn unanswered(&mut self) -> Vec<Item> {
        self.turns.drain(..).filter_map(|turn| turn.item).collect()
    }
}

impl SdkAgent {
    /// Runs until the iterator ends. What `query()` does with its child then is not decided here: the conversation is given back
    /// with the child in whatever state it is in.
    pub(super) async fn start_session(
        &self,
        session: &ActiveSession,
        opening: &Opening,
        started: impl FnOnce(&Arc<Child>),
    ) -> (Ended, Option<Conversation>) {
        let mut conversation = match self.begin(session, opening, started) {
            Ok(conversation) => conversation,
            Err(error) => return (Ended::Failed(error.into()), None),
        };
        let ended = match self.converse(session, opening, &mut conversation).await {
            Ok(ended) => ended,
            Err(AgentError::Query(QueryError::NotJson(cause)))
                if self.quirks.contains(&Quirk::DiesOfGarbage) =>
            {
                garbage::die_of(&cause)
            }
            Err(error) => {
                // As measured: the SDK ends a child that it cannot understand.
                self.processes.signal(conversation.child(), Signal::SIGTERM);
                Ended::Failed(error)
            }
        };
        self.settle(session, &ended, &mut conversation);
        (ended, Some(conversation))
    }

    /// Starts a claude and says what every conversation begins with.
    pub(super) fn begin(
        &self,
        session: &ActiveSession,
        opening: &Opening,
        started: impl FnOnce(&Arc<Child>),
    ) -> Result<Conversation, QueryError> {
        let options = QueryOptions {
            claude: &self.claude,
            resume: opening.resume.as_deref(),
            stdio: self.stdio,
            inheritable: self.quirks.contains(&Quirk::InheritablePipes),
        };
        let query = query(&self.processes, &options)?;
        started(query.child());
        let mut conversation = Conversation {
            query,
            turns: VecDeque::new(),
            unconfirmed: Vec::new(),
            last_heard: Instant::now(),
            last_said: Instant::now(),
        };
        let today = Moment::now().iso();
        let text = prompts::opening(
            &opening.user_prompt,
            opening.prompt_number,
            &opening.project,
            today.split('T').next().unwrap_or_default(),
        );
        conversation.say(&text, session, None);
        Ok(conversation)
    }

    /// The message generator and the loop over the answers in one: both end together, so no item can slip in between.
    async fn converse(
        &self,
        session: &ActiveSession,
        opening: &Opening,
        conversation: &mut Conversation,
    ) -> Result<Ended, AgentError> {
        let mut idle = self.idle_limit.map(IdleTimer::start);
        let mut given = 0;
        loop {
            let changed = session.changed();
            tokio::pin!(changed);
            let room = self.slots.changed();
            tokio::pin!(room);
            // From here on no wake-up is missed, also not one that comes before the first poll.
            changed.as_mut().enable();
            room.as_mut().enable();

            if session.is_aborted_since(opening.aborts) {
                return Ok(Ended::Aborted);
            }
            while conversation.query.accepts()
                && (conversation.turns.is_empty() || !handing_over::is_one_at_a_time(&self.quirks))
                && !handing_over::has_stopped(&self.quirks, given)
            {
                let Some(item) = self.sessions.claim(session) else {
                    break;
                };
                if let Some(idle) = &mut idle {
                    idle.item_came();
                }
                let occurred_at = Moment::at(item.created_at_epoch).iso();
                let text = prompts::item(&item.work, &occurred_at);
                for _ in 1..handing_over::times(&self.quirks) {
                    conversation.say(&text, session, None);
                }
                conversation.say(&text, session, Some(item));
                given += 1;
                if self.quirks.contains(&Quirk::WritesGarbage) {
                    conversation.query.send(garbled::LINE);
                }
            }
            let ending = session.ending();
            if ending.is_some()
                && conversation.turns.is_empty()
                && self.sessions.waiting(session.id) == 0
            {
                return Ok(Ended::Drained);
            }
            if conversation.turns.is_empty() && self.slots.wants_room_of(conversation.child()) {
                return Ok(Ended::MadeRoom);
            }
            let silence = ending.map(|since| since.max(conversation.last_heard) + self.drain_limit);
            let idle_at = idle.as_ref().map(IdleTimer::deadline);
            let replaced_at = self
                .replace_after
                .and_then(|limit| Some(conversation.silent_since()? + limit));
            tokio::select! {
                () = changed => {}
                () = room => {}
                step = conversation.query.step() => match step? {
                    Step::Message(message) => self.hear(session, conversation, message)?,
                    Step::Progress => conversation.last_heard = Instant::now(),
                    Step::Exited(status) => return Ok(Ended::ChildExited(status)),
                },
                () = until(silence) => return Ok(Ended::Silent),
                () = until(idle_at) => return Ok(Ended::Idle),
                () = until(replaced_at) => return Ok(Ended::Replaced),
            }
        }
    }

    /// What becomes of items that were delivered and not answered.
    fn settle(&self, session: &ActiveSession, ended: &Ended, conversation: &mut Conversation) {
        let unanswered = conversation.unanswered();
        // Where the data folder takes no more, they stay on disk as pending and are taken up after a restart.
        let _ = self.sessions.confirm(&conversation.unconfirmed);
        match ended {
            // Whoever aborts gives up what is in flight, as v9.0.0 does; what no claude has seen yet stays pending.
            Ended::Aborted => {
                // Where the data folder takes no more, they stay on disk as pending and are taken up after a restart.
                let _ = self.sessions.confirm(&unanswered);
            }
            Ended::Drained
            | Ended::Silent
            | Ended::Idle
            | Ended::MadeRoom
            | Ended::Replaced
            | Ended::ChildExited(_)
            | Ended::Failed(_) => {
                let waiting = in_flight::give_up(self, session, unanswered);
                self.sessions.put_back(session, waiting);
            }
        }
    }

    /// Takes in one message: an answer is stored when it comes, and counts as given when its turn has ended. Whether the result
    /// was a good one is not looked at, as in v9.0.0.
    fn hear(
        &self,
        session: &ActiveSession,
        conversation: &mut Conversation,
        message: Message,
    ) -> Result<(), StoreError> {
        if let Some(id) = &message.session_id {
            self.sessions.capture(session, id)?;
        }
        match message.content {
            Content::Assistant(text) => self.store(session, &text)?,
            Content::Result { answered } => {
                if self.quirks.contains(&Quirk::KillsToolsAfterTurn) {
                    sweeps::kill_what_it_started(conversation.child());
                }
                let ended = conversation.ended_turns(&answered);
                let items = ended.into_iter().filter_map(|turn| turn.item);
                if self.quirks.contains(&Quirk::ConfirmsAtEnd) {
                    conversation.unconfirmed.extend(items);
                } else {
                    self.sessions.confirm(&items.collect::<Vec<_>>())?;
                }
            }
            Content::ControlRequest { id, subtype } => {
                conversation.query.send(&stream::refusal(&id, &subtype));
            }
            Content::Other => {}
        }
        Ok(())
    }

    pub(super) fn store(&self, session: &ActiveSession, text: &str) -> Result<(), StoreError> {
        let observations = responses::observations(text);
        let summary = responses::summary(text);
        let moment = session
            .take_earliest_pending()
            .map_or_else(Moment::now, Moment::at);
        if observations.is_empty() && summary.is_none() {
            return Ok(());
        }
        (0..storing::times(&self.quirks)).try_for_each(|_| {
            lock(&self.memory).store(
                session.id,
                session.last_prompt_number(),
                moment,
                &observations,
                summary.as_ref(),
            )
        })
    }

    /// Reads on after the iterator has ended, until the child has. Two reasons: a child whose stdout nobody reads can neither
    /// write nor exit, and with its stdin closed it may still answer what it had been given. The SDK reads on too, and throws
    /// away what it reads; the model keeps it, because it must lose nothing. Whoever holds the child's stdin holds it here.
    pub(super) async fn read_to_the_end(
        self: Arc<Self>,
        session: Arc<ActiveSession>,
        mut conversation: Conversation,
    ) {
        loop {
            match conversation.query.step().await {
                Ok(Step::Message(message)) => {
                    if self.hear(&session, &mut conversation, message).is_err() {
                        return;
                    }
                }
                Ok(Step::Progress) => {}
                Ok(Step::Exited(_)) | Err(_) => return,
            }
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
