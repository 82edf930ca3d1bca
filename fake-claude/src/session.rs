//! A session: one event loop over stdin, stdout, signals, the harness and the clock, and the turns that it runs.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::env;

use serde::Serialize;

use crate::act;
use crate::answer;
use crate::arguments::{Arguments, Format};
use crate::asked::Asked;
use crate::behaviour::{Garble, Hang, Ignore};
use crate::control::{Say, TurnKind, Why};
use crate::identity::{Uuids, is_uuid};
use crate::input::Input;
use crate::os::{self, Arrived, Watch};
use crate::output::Output;
use crate::process::{Process, note};
use crate::protocol::incoming::{self, Ask, ControlRequest, Line, NotJson};
use crate::protocol::outgoing::{
    Conversation, DEFAULT_MODEL, Outcome, PERMISSION_MODES, SessionState, TurnFacts,
};
use crate::quantity::Span;

/// A line that is no JSON, though it begins as if it were.
const MALFORMED: &[u8] = b"{\"type\":\"assistant\",\"message\":oops\n";

/// What a failed turn says.
const FAILURE: &str = "API Error: 500 the model is out of order";

/// A session and everything that it needs.
#[derive(Debug)]
pub struct Session {
    process: Process,
    arguments: Arguments,
    conversation: Conversation,
    input: Input,
    output: Output,
    phase: Phase,
    /// The running turn; also the one in which it hangs.
    turn: Option<Turn>,
    queue: VecDeque<Message>,
    /// The `initialize` that is being answered, and when that is due.
    initializing: Option<(String, u64)>,
    is_initialized: bool,
    /// Requests that came behind it and are answered after it.
    deferred: VecDeque<ControlRequest>,
    /// Until when the orders for the session that is served must have come.
    orders_due: Option<u64>,
    turns: u32,
    /// Whether a turn has just ended, so that what is in the queue has waited for that.
    follows_turn: bool,
    results: u32,
    last_result_failed: bool,
    saw_end: bool,
    shows_state: bool,
    active_ns: u64,
}

/// What the session is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It takes its time before it reads anything.
    Starting { until_ns: u64 },
    /// It reads, and runs turns.
    Serving,
    /// It does nothing any more.
    Hung,
    /// It has decided to exit.
    Exiting {
        code: i32,
        why: Why,
        at_ns: u64,
        /// Whether everything is to be written first.
        after_output: bool,
    },
}

/// A message that was read and not yet answered.
#[derive(Debug)]
struct Message {
    asked: Asked,
    bytes: usize,
    uuid: Option<String>,
    /// The content in JSON, kept only where it is to be shown again.
    content: Option<String>,
}

/// A turn.
#[derive(Debug)]
struct Turn {
    number: u32,
    started_ns: u64,
    due_ns: u64,
    messages: Vec<Message>,
    stage: Stage,
}

/// How far a turn is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its first half runs.
    Begun,
    /// What strikes in mid-turn has struck.
    PastMiddle,
    /// It is answered; the answer is being written.
    Answered { good: bool },
}

impl Session {
    /// A session that is about to start.
    pub fn new(process: Process, arguments: Arguments) -> Self {
        let uuids = Uuids::new();
        let resumed = arguments
            .resume
            .clone()
            .filter(|id| is_uuid(id) && !arguments.fork_session);
        let session_id = arguments
            .session_id
            .clone()
            .or(resumed)
            .unwrap_or_else(|| uuids.make().to_string());
        let cwd = env::current_dir().unwrap_or_default();
        let mut conversation =
            Conversation::new(uuids, session_id, cwd.to_string_lossy().into_owned());
        if let Some(model) = &arguments.model {
            conversation.model.clone_from(model);
        }
        if let Some(mode) = &arguments.permission_mode {
            conversation.permission_mode.clone_from(mode);
        }
        conversation
            .disallowed_tools
            .clone_from(&arguments.disallowed_tools);
        conversation.partial_messages = arguments.partial_messages;
        if env::var_os("ANTHROPIC_API_KEY").is_some_and(|key| !key.is_empty()) {
            conversation.api_key_source = "ANTHROPIC_API_KEY";
        }
        let shows_state = arguments.output == Format::StreamJson
            && env::var_os("CLAUDE_CODE_SDK_READS_SESSION_STATE").is_some_and(|it| it == "1");
        let now = os::monotonic_ns();
        let until_ns = now + process.behaviour.start.as_nanos();
        Self {
            process,
            arguments,
            conversation,
            input: Input::new(os::STDIN),
            output: Output::new(os::STDOUT),
            phase: Phase::Starting { until_ns },
            turn: None,
            queue: VecDeque::new(),
            initializing: None,
            is_initialized: false,
            deferred: VecDeque::new(),
            orders_due: None,
            turns: 0,
            follows_turn: false,
            results: 0,
            last_result_failed: false,
            saw_end: false,
            shows_state,
            active_ns: now,
        }
    }

    /// Runs the session to its end, which is the process's.
    pub fn run(mut self) -> ! {
        loop {
            // What is written may be what the next step waits for.
            self.output.flush();
            while self.advance() {
                self.output.flush();
            }
            let mut watched = [
                self.process.watch_link(),
                Watch::readable(self.process.signals.fd()),
                self.output.watch(),
                if self.reads_input() {
                    Watch::readable(self.input.fd())
                } else {
                    Watch::nothing()
                },
            ];
            let now = os::monotonic_ns();
            let timeout = self.deadline().map(|at| at.saturating_sub(now));
            os::wait(&mut watched, timeout);
            let [link, signals, _, input] = watched.map(|watch| watch.is_ready());
            // The lifeline comes first, whatever else has happened.
            if link && self.process.take_orders() {
                self.orders_due = None;
            }
            if signals {
                self.hear_signals();
            }
            if input && self.reads_input() {
                self.read_input();
            }
        }
    }

    fn reads_input(&self) -> bool {
        self.phase == Phase::Serving
            && !self.process.behaviour.deaf
            && !self.input.has_ended()
            && !self.has_its_prompt()
    }

    /// Whether the only prompt was given on the command line.
    fn has_its_prompt(&self) -> bool {
        !self.arguments.streams_input && self.arguments.prompt.is_some()
    }

    /// How many messages were read and not yet answered.
    fn owed(&self) -> u32 {
        let running = self.turn.as_ref().map_or(0, |turn| turn.messages.len());
        (self.queue.len() + running) as u32
    }

    /// When something is to be done even if nothing happens.
    fn deadline(&self) -> Option<u64> {
        let initialize = self.initializing.as_ref().map(|(_, due)| *due);
        let phase = match self.phase {
            Phase::Starting { until_ns } => Some(until_ns),
            Phase::Exiting { at_ns, .. } => Some(at_ns).filter(|at| *at > os::monotonic_ns()),
            Phase::Serving => [initialize, self.turn_deadline()]
                .into_iter()
                .flatten()
                .min(),
            Phase::Hung => None,
        };
        [phase, self.orders_due, self.idle_end()]
            .into_iter()
            .flatten()
            .min()
    }

    fn turn_deadline(&self) -> Option<u64> {
        let turn = self.turn.as_ref()?;
        match turn.stage {
            Stage::Begun => Some(turn.middle_ns()),
            Stage::PastMiddle => Some(turn.due_ns),
            Stage::Answered { .. } => None,
        }
    }

    /// When this process, being alone, has been idle for too long. A turn under way is no idleness, unless it will never end.
    fn idle_end(&self) -> Option<u64> {
        let is_busy = match self.phase {
            Phase::Starting { .. } => true,
            Phase::Serving => self.initializing.is_some() || self.turn_deadline().is_some(),
            Phase::Exiting { at_ns, .. } => os::monotonic_ns() < at_ns,
            Phase::Hung => false,
        };
        let idle = self.process.idle.filter(|_| !is_busy)?;
        Some(self.active_ns.saturating_add(idle.as_nanos()))
    }

    /// Does the next thing that is due, and tells whether there was one.
    fn advance(&mut self) -> bool {
        let now = os::monotonic_ns();
        self.process.check_patience(self.orders_due);
        if let (Some(end), Some(idle)) = (self.idle_end(), self.process.idle)
            && now >= end
        {
            self.end_of_idleness(idle);
        }
        match self.phase {
            Phase::Starting { until_ns } if now >= until_ns => {
                self.phase = Phase::Serving;
                self.start_serving();
                true
            }
            Phase::Serving => self.serve(now),
            Phase::Exiting {
                code,
                why,
                at_ns,
                after_output,
            } if now >= at_ns && (self.output.is_drained() || !after_output) => {
                self.process.exit(code, why, self.owed())
            }
            _ => false,
        }
    }

    fn end_of_idleness(&mut self, idle: Span) -> ! {
        note(&format_args!("idle for {idle} without a harness"));
        self.process.exit(0, Why::Idle, self.owed())
    }

    /// What comes first once the program has started.
    fn start_serving(&mut self) {
        if self.refuses_resume() {
            return;
        }
        if self.process.behaviour.deaf {
            self.process.did("deaf = true".to_owned(), None);
        }
        if self.has_its_prompt()
            && let Some(prompt) = self.arguments.prompt.clone()
        {
            self.accept(message(&prompt, None, None));
        }
    }

    /// Refuses to resume what is no session, or as it was told to.
    fn refuses_resume(&mut self) -> bool {
        let Some(id) = self.arguments.resume.clone() else {
            return false;
        };
        let error = if !is_uuid(&id) {
            "Error: --resume requires a valid session ID or session title when used with --print. \
             Usage: claude -p --resume <session-id|title>"
                .to_owned()
        } else if self.process.behaviour.refuse_resume {
            self.process.did("refuse_resume = true".to_owned(), None);
            // The refusal names what was asked for, also where a new id would have been given.
            self.conversation.session_id.clone_from(&id);
            format!("No conversation found with session ID: {id}")
        } else {
            return false;
        };
        if self.arguments.output != Format::Text {
            let facts = TurnFacts::default();
            self.output.add(|out| {
                self.conversation
                    .result(out, Outcome::Refused(&error), &facts)
            });
        }
        os::note(&format!("{error}\n"));
        self.decide_to_exit(1, Why::Refused, true);
        true
    }

    /// Does the next thing that is due while serving.
    fn serve(&mut self, now: u64) -> bool {
        if let Some((id, _)) = self.initializing.take_if(|(_, due)| now >= *due) {
            self.answer_initialize(&id);
            return true;
        }
        if self.turn.is_some() {
            return self.advance_turn(now);
        }
        if self.initializing.is_some() || self.orders_due.is_some() {
            return false;
        }
        if !self.queue.is_empty() {
            self.begin_turn(now);
            return true;
        }
        self.follows_turn = false;
        let is_over = self.saw_end || (self.has_its_prompt() && self.turns > 0);
        if is_over && !(self.process.behaviour.ignores(Ignore::Eof) && self.arguments.streams_input)
        {
            let why = if self.arguments.streams_input {
                Why::Eof
            } else {
                Why::Done
            };
            self.decide_to_exit(i32::from(self.last_result_failed), why, true);
            return true;
        }
        false
    }

    fn decide_to_exit(&mut self, code: i32, why: Why, after_output: bool) {
        self.phase = Phase::Exiting {
            code,
            why,
            at_ns: os::monotonic_ns() + self.process.behaviour.exit.as_nanos(),
            after_output,
        };
    }

    fn hear_signals(&mut self) {
        while let Some(arrived) = self.process.signals.next() {
            if arrived.signal == os::SIGCHLD {
                while os::reap().is_some() {}
            } else {
                self.hear(arrived);
            }
        }
    }

    fn hear(&mut self, arrived: Arrived) {
        let owed = self.owed();
        let Some(code) = self.process.heed(arrived, owed) else {
            return;
        };
        if let Phase::Exiting {
            why: Why::Signal, ..
        } = self.phase
        {
            return;
        }
        if arrived.signal == os::SIGINT && self.phase == Phase::Serving && self.interrupt_turn() {
            self.output.flush();
            self.end_turn(false);
        }
        self.decide_to_exit(code, Why::Signal, false);
    }

    fn read_input(&mut self) {
        self.active_ns = os::monotonic_ns();
        self.input.fill();
        if self.arguments.streams_input {
            while self.phase == Phase::Serving {
                let keeps_content = self.arguments.replay_user_messages;
                let Some(received) = self
                    .input
                    .next_line()
                    .map(|line| receive(&line, keeps_content))
                else {
                    break;
                };
                self.take(received);
            }
        }
        if self.input.has_ended() && self.phase == Phase::Serving {
            self.saw_end = true;
            let owed = self.owed();
            self.process.say(Say::SawEof { owed });
            if !self.arguments.streams_input {
                self.take_piped_prompt();
            }
        }
    }

    fn take(&mut self, received: Received) {
        match received {
            Received::Nothing => {}
            Received::Message {
                session_id,
                message,
            } => {
                self.serve_session(session_id);
                self.accept(message);
            }
            Received::Request(request) => self.take_request(request),
            Received::NotJson(NotJson { characters }) => {
                os::note(&format!(
                    "Error parsing streaming input line (type=unknown, {characters} chars): SyntaxError\n"
                ));
                self.decide_to_exit(1, Why::Refused, true);
            }
        }
    }

    fn take_piped_prompt(&mut self) {
        let prompt = self.input.rest().trim_end().to_owned();
        if prompt.is_empty() {
            os::note(
                "Error: Input must be provided either through stdin or as a prompt argument when using --print\n",
            );
            self.decide_to_exit(1, Why::Refused, true);
        } else {
            self.accept(message(&prompt, None, None));
        }
    }

    /// Says which session is served, when that is news; how to behave in it is then still to be told.
    fn serve_session(&mut self, session_id: String) {
        if session_id.is_empty() || self.process.session.as_ref() == Some(&session_id) {
            return;
        }
        self.process.session = Some(session_id.clone());
        self.process.say(Say::Serves {
            session: session_id,
        });
        self.orders_due = self.process.orders_deadline();
    }

    fn accept(&mut self, message: Message) {
        self.process.say(Say::SawWork {
            kind: message.asked.kind,
            markers: message.asked.markers(),
        });
        self.queue.push_back(message);
    }

    fn take_request(&mut self, request: ControlRequest) {
        if self.initializing.is_some() {
            // In order: what came later is not answered earlier.
            self.deferred.push_back(request);
        } else {
            self.answer(request);
        }
    }

    fn answer(&mut self, request: ControlRequest) {
        let ControlRequest { id, ask } = request;
        let conversation = &mut self.conversation;
        match ask {
            Ask::Initialize => {
                let due = os::monotonic_ns() + self.process.behaviour.initialize.as_nanos();
                self.initializing = Some((id, due));
            }
            Ask::Interrupt { cancel_queued } => self.answer_interrupt(&id, cancel_queued),
            Ask::SetPermissionMode(mode) if PERMISSION_MODES.contains(&mode.as_str()) => {
                conversation.permission_mode = mode;
                self.output.add(|out| {
                    let payload = ModePayload {
                        mode: &conversation.permission_mode,
                    };
                    conversation.granted(out, &id, Some(&payload));
                    conversation.permission_mode_changed(out);
                });
            }
            Ask::SetPermissionMode(_) => {
                let error = format!(
                    "Cannot set permission mode: must be one of {}",
                    PERMISSION_MODES.join(", ")
                );
                self.output
                    .add(|out| conversation.denied(out, &id, &error, "invalid_mode"));
            }
            Ask::SetModel(model) => {
                conversation.model = model.unwrap_or_else(|| DEFAULT_MODEL.to_owned());
                self.output.add(|out| {
                    let payload = ModelPayload {
                        model: &conversation.model,
                    };
                    conversation.granted(out, &id, Some(&payload));
                });
            }
            Ask::SetMaxThinkingTokens => self
                .output
                .add(|out| conversation.granted(out, &id, None::<&()>)),
            Ask::McpStatus => self.output.add(|out| {
                conversation.granted(out, &id, Some(&ServersPayload { servers: [] }));
            }),
            Ask::Unsupported(subtype) => {
                let error = format!("Unsupported control request subtype: {subtype}");
                self.output
                    .add(|out| conversation.denied(out, &id, &error, "unsupported_request"));
            }
        }
    }

    fn answer_initialize(&mut self, id: &str) {
        let state = if self.turn.is_some() {
            SessionState::Running
        } else {
            SessionState::Idle
        };
        let is_repeated = std::mem::replace(&mut self.is_initialized, true);
        self.output.add(|out| {
            self.conversation.initialized(out, id, state);
            if is_repeated {
                self.conversation.no_background_tasks(out);
            }
        });
        while self.initializing.is_none()
            && let Some(request) = self.deferred.pop_front()
        {
            self.answer(request);
        }
    }

    fn answer_interrupt(&mut self, id: &str, cancel_queued: bool) {
        if cancel_queued {
            self.queue.clear();
        }
        let waiting: Vec<&str> = self
            .queue
            .iter()
            .filter_map(|message| message.uuid.as_deref())
            .collect();
        let payload = InterruptPayload {
            still_queued: &waiting,
        };
        self.output
            .add(|out| self.conversation.granted(out, id, Some(&payload)));
        self.interrupt_turn();
    }

    fn begin_turn(&mut self, now: u64) {
        // What waited while a turn ran is merged; the message that ends an idleness has a turn to itself.
        let count = if self.process.behaviour.merge && self.follows_turn {
            self.queue.len()
        } else {
            1
        };
        let messages: Vec<Message> = self.queue.drain(..count).collect();
        self.turns += 1;
        self.active_ns = now;
        let turn = Turn {
            number: self.turns,
            started_ns: now,
            due_ns: now + self.process.behaviour.turn.as_nanos(),
            messages,
            stage: Stage::Begun,
        };
        for (kind, markers) in turn.contents() {
            self.process.say(Say::TurnStarted {
                turn: turn.number,
                kind,
                markers,
            });
        }
        let strikes = self.strikes();
        self.turn = Some(turn);
        if self.turns == 1 {
            self.misbehave_once();
        }
        if let Some(size) = self.process.behaviour.grow {
            act::grow(&mut self.process, size);
        }
        if strikes && self.process.behaviour.hang == Some(Hang::BeforeInit) {
            return self.hang("before-init");
        }
        if self.arguments.output == Format::StreamJson {
            self.write_beginning();
        }
        if let Some(size) = self.process.behaviour.flood {
            act::flood(&mut self.process, &mut self.output, size);
        }
        if strikes && self.process.behaviour.hang == Some(Hang::MidTurn) {
            self.hang("mid-turn");
        }
    }

    /// Whether the misbehaviours of one turn strike in the present one.
    fn strikes(&self) -> bool {
        self.turns == self.process.behaviour.at_turn
    }

    /// The misbehaviours of the first turn.
    fn misbehave_once(&mut self) {
        if let Some(leave) = self.process.behaviour.leave {
            act::leave(&mut self.process, leave);
        }
        let storm = self.process.behaviour.storm;
        act::storm(&mut self.process, storm);
        if self.process.behaviour.litter {
            let conversation = &self.conversation;
            act::litter(
                &mut self.process,
                &conversation.session_id,
                &conversation.cwd,
            );
        }
    }

    fn hang(&mut self, word: &str) {
        self.process.did(format!("hang = {word}"), None);
        self.phase = Phase::Hung;
    }

    fn write_beginning(&mut self) {
        let conversation = &self.conversation;
        let messages = self.turn.as_ref().map_or(&[][..], |turn| &turn.messages);
        self.output.add(|out| {
            if self.shows_state {
                conversation.session_state_changed(out, SessionState::Running);
            }
            conversation.init(out);
            if self.arguments.partial_messages {
                conversation.requesting(out);
            }
            if self.arguments.replay_user_messages {
                for message in messages {
                    let content = message.content.as_deref().unwrap_or("null");
                    conversation.replay(out, content, message.uuid.as_deref());
                }
            }
        });
    }

    /// Takes the running turn further, as far as time and stdout allow.
    fn advance_turn(&mut self, now: u64) -> bool {
        let Some(turn) = &mut self.turn else {
            return false;
        };
        match turn.stage {
            Stage::Begun if now >= turn.middle_ns() => {
                turn.stage = Stage::PastMiddle;
                self.strike_in_the_middle();
                true
            }
            Stage::PastMiddle if now >= turn.due_ns => {
                self.answer_turn(now);
                true
            }
            Stage::Answered { good } if self.output.is_drained() => {
                self.end_turn(good && !self.output.is_closed());
                true
            }
            _ => false,
        }
    }

    fn strike_in_the_middle(&mut self) {
        if !self.strikes() {
            return;
        }
        if let Some(death) = self.process.behaviour.die.clone() {
            self.output.flush();
            let owed = self.owed();
            act::die(&mut self.process, &death, owed);
        }
        match self.process.behaviour.garble {
            Some(Garble::Malformed) => {
                self.output.add(|out| out.extend_from_slice(MALFORMED));
                self.process.did("garble = malformed".to_owned(), None);
            }
            Some(Garble::Huge) => {
                act::write_huge_line(&mut self.output);
                self.process.did("garble = huge".to_owned(), None);
            }
            // That one cuts the result, once it is there.
            Some(Garble::Partial) | None => {}
        }
    }

    fn answer_turn(&mut self, now: u64) {
        let Some(turn) = &mut self.turn else {
            return;
        };
        let asked: Vec<&Asked> = turn.messages.iter().map(|message| &message.asked).collect();
        let uuids: Vec<String> = turn
            .messages
            .iter()
            .filter_map(|message| message.uuid.clone())
            .collect();
        let facts = TurnFacts {
            duration_ms: (now - turn.started_ns) / 1_000_000,
            input_bytes: turn.messages.iter().map(|message| message.bytes).sum(),
            waiting: self.queue.len(),
            message_uuids: &uuids,
        };
        let strikes = self.turns == self.process.behaviour.at_turn;
        let behaviour = &self.process.behaviour;
        let texts = answer::texts(&asked, behaviour.reply);
        if strikes && behaviour.silent {
            turn.stage = Stage::Answered { good: false };
            self.process.did("silent = true".to_owned(), None);
            return;
        }
        let fails = strikes && behaviour.fail;
        let is_cut = strikes && behaviour.garble == Some(Garble::Partial);
        let outcome = if fails {
            Outcome::Failure(FAILURE)
        } else {
            Outcome::Success(texts.last().map_or("", String::as_str))
        };
        turn.stage = Stage::Answered {
            good: !fails && !is_cut,
        };
        write_answer(
            &mut self.output,
            &mut self.conversation,
            self.arguments.output,
            if fails { &[] } else { &texts },
            outcome,
            &facts,
            is_cut,
        );
        if self.shows_state {
            self.output.add(|out| {
                self.conversation
                    .session_state_changed(out, SessionState::Idle)
            });
        }
        self.last_result_failed = fails;
        self.results += 1;
        if fails {
            self.process.did("fail = true".to_owned(), None);
        }
        if is_cut {
            self.process.did("garble = partial".to_owned(), None);
        }
    }

    fn end_turn(&mut self, good: bool) {
        let Some(turn) = self.turn.take() else {
            return;
        };
        self.follows_turn = true;
        self.active_ns = os::monotonic_ns();
        for (kind, markers) in turn.contents() {
            self.process.say(Say::TurnEnded {
                turn: turn.number,
                kind,
                good,
                markers,
            });
        }
        if self.process.behaviour.close_stdout && self.results == 1 && !self.output.is_closed() {
            match self.output.close() {
                Ok(()) => self.process.did("close_stdout = true".to_owned(), None),
                Err(error) => note(&format_args!("stdout cannot be closed: {error}")),
            }
        }
        if self.strikes() && self.process.behaviour.hang == Some(Hang::AfterResult) {
            self.hang("after-result");
        }
    }

    /// Breaks the running turn off, unless there is none or it is answered already.
    fn interrupt_turn(&mut self) -> bool {
        let Some(turn) = &mut self.turn else {
            return false;
        };
        if matches!(turn.stage, Stage::Answered { .. }) {
            return false;
        }
        turn.stage = Stage::Answered { good: false };
        let facts = TurnFacts {
            duration_ms: (os::monotonic_ns() - turn.started_ns) / 1_000_000,
            waiting: self.queue.len(),
            ..TurnFacts::default()
        };
        if self.arguments.output == Format::StreamJson {
            self.output.add(|out| {
                self.conversation.interrupted(out);
                self.conversation.result(out, Outcome::Interrupted, &facts);
                if self.shows_state {
                    self.conversation
                        .session_state_changed(out, SessionState::Idle);
                }
            });
        }
        self.last_result_failed = true;
        self.results += 1;
        true
    }
}

impl Turn {
    /// When what strikes in mid-turn strikes.
    fn middle_ns(&self) -> u64 {
        self.started_ns + (self.due_ns - self.started_ns) / 2
    }

    /// What it answers: its kinds, and the markers of each. A merged turn may have several.
    fn contents(&self) -> Vec<(TurnKind, Vec<String>)> {
        let mut contents: Vec<(TurnKind, Vec<String>)> = Vec::new();
        for Message { asked, .. } in &self.messages {
            match contents.iter_mut().find(|(kind, _)| *kind == asked.kind) {
                Some((_, markers)) => markers.extend(asked.markers()),
                None => contents.push((asked.kind, asked.markers())),
            }
        }
        contents
    }
}

/// What came in on a line.
enum Received {
    Nothing,
    Message {
        session_id: String,
        message: Message,
    },
    Request(ControlRequest),
    NotJson(NotJson),
}

fn receive(line: &str, keeps_content: bool) -> Received {
    match incoming::parse(line) {
        Ok(Line::Ignored) => Received::Nothing,
        Ok(Line::Control(request)) => Received::Request(request),
        Ok(Line::User(user)) => Received::Message {
            message: message(
                &user.text,
                user.uuid.map(Cow::into_owned),
                keeps_content.then(|| user.content.to_owned()),
            ),
            session_id: user.session_id.into_owned(),
        },
        Err(error) => Received::NotJson(error),
    }
}

fn message(text: &str, uuid: Option<String>, content: Option<String>) -> Message {
    Message {
        asked: Asked::read(text),
        bytes: text.len(),
        uuid,
        content,
    }
}

/// Writes the answer of a turn in the format that was asked for; the line of a result that is to be cut stops in its middle, and the
/// rest of it comes before whatever is written next.
fn write_answer(
    output: &mut Output,
    conversation: &mut Conversation,
    format: Format,
    texts: &[String],
    outcome: Outcome<'_>,
    facts: &TurnFacts<'_>,
    is_cut: bool,
) {
    let mut rest = Vec::new();
    output.add(|out| {
        if format == Format::StreamJson {
            for text in texts {
                conversation.assistant(out, text);
            }
        }
        let start = out.len();
        match (format, outcome) {
            (Format::Text, Outcome::Success(text) | Outcome::Failure(text)) => {
                out.extend_from_slice(text.as_bytes());
                out.push(b'\n');
            }
            _ => conversation.result(out, outcome, facts),
        }
        if is_cut {
            rest = out.split_off(start + (out.len() - start) / 2);
        }
    });
    output.withhold(rest);
}

#[derive(Serialize)]
struct ModePayload<'a> {
    mode: &'a str,
}

#[derive(Serialize)]
struct ModelPayload<'a> {
    model: &'a str,
}

#[derive(Serialize)]
struct InterruptPayload<'a> {
    still_queued: &'a [&'a str],
}

#[derive(Serialize)]
struct ServersPayload {
    #[serde(rename = "mcpServers")]
    servers: [(); 0],
}
