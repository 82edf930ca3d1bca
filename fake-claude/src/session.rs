//! A session: one event loop over stdin, stdout, signals, the harness and the clock, and the turns that it runs.

mod requests;
mod turns;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::env;

use self::turns::{Stage, Turn};
use crate::arguments::{Arguments, Format};
use crate::asked::Asked;
use crate::behaviour::{Ignore, Leave};
use crate::control::{Say, Why};
use crate::identity::{Uuids, is_uuid};
use crate::input::Input;
use crate::os::{self, Arrived, Watch};
use crate::output::Output;
use crate::process::{Process, note};
use crate::protocol::incoming::{self, ControlRequest, Line, NotJson};
use crate::protocol::outgoing::{Conversation, Outcome, TurnFacts};
use crate::quantity::Span;

/// What the Python SDK puts where its caller names no session.
const NO_SESSION: &str = "default";

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
                // One that leaves a zombie waits for no child at all.
                let waits = self.process.behaviour.leave != Some(Leave::Zombie);
                while waits && os::reap().is_some() {}
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
        let is_named = !session_id.is_empty() && session_id != NO_SESSION;
        if !is_named || self.process.session.as_ref() == Some(&session_id) {
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
