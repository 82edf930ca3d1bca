//! Turns: how they begin, run, are answered and end, and what strikes in them.

use super::{Message, Phase, Session};
use crate::act;
use crate::answer;
use crate::arguments::Format;
use crate::asked::Asked;
use crate::behaviour::{Garble, Hang};
use crate::control::{Say, TurnKind};
use crate::os;
use crate::output::Output;
use crate::process::note;
use crate::protocol::outgoing::{Conversation, Outcome, SessionState, TurnFacts};

/// A line that is no JSON, though it begins as if it were.
const MALFORMED: &[u8] = b"{\"type\":\"assistant\",\"message\":oops\n";

/// What a failed turn says.
const FAILURE: &str = "API Error: 500 the model is out of order";

/// A turn.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) number: u32,
    pub(super) started_ns: u64,
    pub(super) due_ns: u64,
    pub(super) messages: Vec<Message>,
    pub(super) stage: Stage,
}

/// How far a turn is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its first half runs.
    Begun,
    /// What strikes in mid-turn has struck.
    PastMiddle,
    /// It is answered; the answer is being written.
    Answered { good: bool },
}
impl Turn {
    /// When what strikes in mid-turn strikes.
    pub(super) fn middle_ns(&self) -> u64 {
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

impl Session {
    pub(super) fn begin_turn(&mut self, now: u64) {
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
        if let (true, Some(whom)) = (strikes, self.process.behaviour.tool_kills) {
            act::run_tool(&mut self.process, whom);
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
    pub(super) fn advance_turn(&mut self, now: u64) -> bool {
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

    pub(super) fn end_turn(&mut self, good: bool) {
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
    pub(super) fn interrupt_turn(&mut self) -> bool {
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
