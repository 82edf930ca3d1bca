//! What the program writes to its stdout.
//!
//! Each function of [`Conversation`] adds one or more whole lines to a buffer. The fields are those that every real program has, and
//! of the newest one's those that cost nothing to tell.

mod shapes;

use serde::Serialize;
use serde_json::value::RawValue;

use self::shapes::*;
use crate::identity::{Moment, Uuids};

/// The version that the program claims to have.
pub const VERSION: &str = "2.1.330";
/// The model that is used where none is asked for.
pub const DEFAULT_MODEL: &str = "claude-sonnet-4-5";
/// The permission modes that exist, as the refusal of another one lists them.
pub const PERMISSION_MODES: [&str; 6] = [
    "acceptEdits",
    "auto",
    "bypassPermissions",
    "default",
    "dontAsk",
    "plan",
];

const TOOLS: [&str; 15] = [
    "Task",
    "AskUserQuestion",
    "Bash",
    "Edit",
    "ExitPlanMode",
    "Glob",
    "Grep",
    "KillShell",
    "NotebookEdit",
    "Read",
    "Skill",
    "TodoWrite",
    "WebFetch",
    "WebSearch",
    "Write",
];
const COMMANDS: [&str; 2] = ["compact", "context"];
const AGENTS: [&str; 2] = ["general-purpose", "Explore"];

/// What a turn came to.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// It was answered with this text.
    Success(&'a str),
    /// It failed, with this message.
    Failure(&'a str),
    /// It was broken off.
    Interrupted,
    /// It never began: the program refuses to serve, with this message.
    Refused(&'a str),
}

impl Outcome<'_> {
    /// Whether the result is an error.
    pub fn is_error(self) -> bool {
        !matches!(self, Self::Success(_))
    }
}

/// The circumstances of a result.
#[derive(Debug, Clone, Default)]
pub struct TurnFacts<'a> {
    /// How long the turn took, in milliseconds.
    pub duration_ms: u64,
    /// The size of its input in bytes, from which the tokens are reckoned.
    pub input_bytes: usize,
    /// How many messages wait for the next turns.
    pub waiting: usize,
    /// The callers' ids of the messages that it answers.
    pub message_uuids: &'a [String],
}

/// What may be said about the state of a session to a host that asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// A turn runs.
    Running,
    /// Nothing runs.
    Idle,
}

/// One conversation, as stdout shows it.
#[derive(Debug)]
pub struct Conversation {
    /// The id that stdout shows.
    pub session_id: String,
    /// The working directory.
    pub cwd: String,
    /// The model that answers.
    pub model: String,
    /// The permission mode.
    pub permission_mode: String,
    /// The tools that are not to be offered.
    pub disallowed_tools: Vec<String>,
    /// Where the API key comes from.
    pub api_key_source: &'static str,
    /// Whether the pieces of a message are shown before the whole.
    pub partial_messages: bool,
    uuids: Uuids,
    usage: Vec<ModelUsage>,
    messages: u32,
    results: u32,
}

/// The tokens that one model has used.
#[derive(Debug, Clone, Default)]
struct ModelUsage {
    model: String,
    input: u64,
    output: u64,
}

impl ModelUsage {
    /// The price in dollars: 3 for a million tokens of input, 15 of output.
    fn cost(&self) -> f64 {
        (self.input * 3 + self.output * 15) as f64 / 1e6
    }
}

impl Conversation {
    /// A conversation with the defaults of the real program.
    pub fn new(uuids: Uuids, session_id: String, cwd: String) -> Self {
        Self {
            session_id,
            cwd,
            model: DEFAULT_MODEL.to_owned(),
            permission_mode: "default".to_owned(),
            disallowed_tools: Vec::new(),
            api_key_source: "none",
            partial_messages: false,
            uuids,
            usage: Vec::new(),
            messages: 0,
            results: 0,
        }
    }

    /// The answer to `initialize`.
    pub fn initialized(&self, out: &mut Vec<u8>, id: &str, state: SessionState) {
        let payload = Initialized {
            commands: COMMANDS.map(|name| Command {
                name,
                description: "A command of the real program",
                argument_hint: "",
                builtin: true,
            }),
            agents: AGENTS.map(|name| Agent {
                name,
                description: "An agent of the real program",
            }),
            output_style: "default",
            available_output_styles: ["default", "Explanatory"],
            models: [
                Model {
                    value: "default",
                    display_name: "Default (recommended)",
                    description: "Use the default model",
                },
                Model {
                    value: "sonnet",
                    display_name: "Sonnet",
                    description: "Best for everyday tasks",
                },
            ],
            account: Account {
                token_source: "none",
                api_key_source: self.api_key_source,
            },
            pid: std::process::id(),
            claude_code_version: VERSION,
            current_permission_mode: &self.permission_mode,
            analytics_disabled: true,
            fast_mode_state: "off",
            session_state: state,
            capabilities: [],
        };
        control_response(out, id, &Reply::Success(Some(&payload)));
    }

    /// A successful answer to a control request, with or without a payload.
    pub fn granted<P: Serialize>(&self, out: &mut Vec<u8>, id: &str, payload: Option<&P>) {
        control_response(out, id, &Reply::Success(payload));
    }

    /// The refusal of a control request.
    pub fn denied(&self, out: &mut Vec<u8>, id: &str, error: &str, error_code: &'static str) {
        let reply: Reply<'_, ()> = Reply::Error { error, error_code };
        control_response(out, id, &reply);
    }

    /// `system/status`: the model is being asked.
    pub fn requesting(&self, out: &mut Vec<u8>) {
        let body = Status {
            status: Some("requesting"),
            permission_mode: None,
        };
        self.system(out, "status", body);
    }

    /// `system/status`: the permission mode is another one now.
    pub fn permission_mode_changed(&self, out: &mut Vec<u8>) {
        let body = Status {
            status: None,
            permission_mode: Some(&self.permission_mode),
        };
        self.system(out, "status", body);
    }

    /// `system/background_tasks_changed`: there are none.
    pub fn no_background_tasks(&self, out: &mut Vec<u8>) {
        self.system(
            out,
            "background_tasks_changed",
            BackgroundTasks { tasks: [] },
        );
    }

    /// `system/session_state_changed`, for hosts that ask for it.
    pub fn session_state_changed(&self, out: &mut Vec<u8>, state: SessionState) {
        let body = StateChange {
            state,
            sdk_host_only: true,
        };
        self.system(out, "session_state_changed", body);
    }

    /// `system/init`, with which every turn begins.
    pub fn init(&self, out: &mut Vec<u8>) {
        let body = Init {
            cwd: &self.cwd,
            tools: Offered {
                disallowed: &self.disallowed_tools,
            },
            mcp_servers: [],
            model: &self.model,
            permission_mode: &self.permission_mode,
            slash_commands: COMMANDS,
            api_key_source: self.api_key_source,
            claude_code_version: VERSION,
            output_style: "default",
            agents: AGENTS,
            skills: [],
            plugins: [],
            capabilities: ["interrupt_receipt_v1", "interrupt_cancel_queued_v1"],
            analytics_disabled: true,
            original_cwd: &self.cwd,
            additional_directories: [],
            fast_mode_state: "off",
        };
        self.system(out, "init", body);
    }

    fn system<B: Serialize>(&self, out: &mut Vec<u8>, subtype: &'static str, body: B) {
        let message = SystemMessage {
            r#type: "system",
            subtype,
            body,
            session_id: &self.session_id,
            uuid: self.uuids.make(),
        };
        line(out, &message);
    }

    /// A user message as it was received, where the caller asked to see them again. Content that is no JSON is left out.
    pub fn replay(&self, out: &mut Vec<u8>, content: &str, uuid: Option<&str>) {
        let Ok(content) = serde_json::from_str::<&RawValue>(content) else {
            return;
        };
        self.user(out, content, uuid, Some(true));
    }

    /// What is said of a turn that was broken off.
    pub fn interrupted(&self, out: &mut Vec<u8>) {
        self.user(
            out,
            [text_block("[Request interrupted by user]")],
            None,
            None,
        );
    }

    fn user<C: Serialize>(
        &self,
        out: &mut Vec<u8>,
        content: C,
        uuid: Option<&str>,
        is_replay: Option<bool>,
    ) {
        let made;
        let uuid = match uuid {
            Some(uuid) => uuid,
            None => {
                made = self.uuids.make().to_string();
                &made
            }
        };
        let message = UserMessage {
            r#type: "user",
            message: UserBody {
                role: "user",
                content,
            },
            parent_tool_use_id: (),
            session_id: &self.session_id,
            uuid,
            timestamp: Moment::now(),
            is_replay,
        };
        line(out, &message);
    }

    /// An `assistant` message, whole, with its pieces around it where the caller asked for them.
    pub fn assistant(&mut self, out: &mut Vec<u8>, text: &str) {
        self.messages += 1;
        let id = format!("msg_fake_{}_{}", std::process::id(), self.messages);
        let usage = MessageUsage {
            input_tokens: 0,
            cache_creation_input_tokens: 0,
            cache_read_input_tokens: 0,
            output_tokens: tokens(text.len()),
            service_tier: "standard",
        };
        let message = |content| AssistantBody {
            id: &id,
            r#type: "message",
            role: "assistant",
            model: &self.model,
            content,
            stop_reason: (),
            stop_sequence: (),
            usage,
        };
        let event = |out: &mut Vec<u8>, event: Event<'_>| {
            if self.partial_messages {
                let message = StreamEvent {
                    r#type: "stream_event",
                    event,
                    session_id: &self.session_id,
                    parent_tool_use_id: (),
                    uuid: self.uuids.make(),
                    api_message_id: &id,
                };
                line(out, &message);
            }
        };
        event(
            out,
            Event::MessageStart {
                message: message(&[]),
            },
        );
        event(
            out,
            Event::ContentBlockStart {
                index: 0,
                content_block: text_block(""),
            },
        );
        for piece in pieces(text) {
            event(
                out,
                Event::ContentBlockDelta {
                    index: 0,
                    delta: TextDelta {
                        r#type: "text_delta",
                        text: piece,
                    },
                },
            );
        }
        let content = [text_block(text)];
        let whole = AssistantMessage {
            r#type: "assistant",
            message: message(&content),
            parent_tool_use_id: (),
            session_id: &self.session_id,
            uuid: self.uuids.make(),
            timestamp: Moment::now(),
            request_id: &format!("req_{id}"),
        };
        line(out, &whole);
        event(out, Event::ContentBlockStop { index: 0 });
        event(
            out,
            Event::MessageDelta {
                delta: StopDelta {
                    stop_reason: "end_turn",
                    stop_sequence: (),
                },
                usage: OutputUsage {
                    output_tokens: usage.output_tokens,
                },
            },
        );
        event(out, Event::MessageStop);
    }

    /// The `result` of a turn.
    pub fn result(&mut self, out: &mut Vec<u8>, outcome: Outcome<'_>, facts: &TurnFacts<'_>) {
        let turn = match outcome {
            Outcome::Success(text) => ModelUsage {
                model: self.model.clone(),
                input: tokens(facts.input_bytes),
                output: tokens(text.len()),
            },
            _ => ModelUsage::default(),
        };
        self.add_usage(&turn);
        let (subtype, result, errors, terminal_reason, num_turns) = match outcome {
            Outcome::Success(text) => ("success", Some(text), None, Some("completed"), 1),
            Outcome::Failure(error) => (FAILED, None, Some([error]), Some("api_error"), 1),
            Outcome::Interrupted => (
                FAILED,
                None,
                Some(["the request was interrupted by the user"]),
                Some("aborted_streaming"),
                2,
            ),
            Outcome::Refused(error) => (FAILED, None, Some([error]), None, 0),
        };
        let message = ResultMessage {
            r#type: "result",
            subtype,
            is_error: outcome.is_error(),
            duration_ms: facts.duration_ms,
            duration_api_ms: facts.duration_ms,
            ttft_ms: facts.duration_ms,
            num_turns,
            result,
            errors,
            stop_reason: result.map(|_| "end_turn"),
            terminal_reason,
            api_error_status: result.map(|_| ()),
            session_id: &self.session_id,
            total_cost_usd: self.usage.iter().map(ModelUsage::cost).sum(),
            usage: ResultUsage {
                input_tokens: turn.input,
                cache_creation_input_tokens: 0,
                cache_read_input_tokens: 0,
                output_tokens: turn.output,
                server_tool_use: ServerToolUse {
                    web_search_requests: 0,
                    web_fetch_requests: 0,
                },
                service_tier: "standard",
                cache_creation: CacheCreation {
                    ephemeral_1h_input_tokens: 0,
                    ephemeral_5m_input_tokens: 0,
                },
            },
            model_usage: ByModel(&self.usage),
            permission_denials: [],
            fast_mode_state: "off",
            safety_stops: 0,
            queued_turn_count: facts.waiting,
            result_index: self.results,
            user_message_uuid: facts.message_uuids.last().map(String::as_str),
            user_message_uuids: facts.message_uuids,
            uuid: self.uuids.make(),
        };
        line(out, &message);
        self.results += 1;
    }

    fn add_usage(&mut self, turn: &ModelUsage) {
        if turn.model.is_empty() {
            return;
        }
        match self.usage.iter_mut().find(|sum| sum.model == turn.model) {
            Some(sum) => {
                sum.input += turn.input;
                sum.output += turn.output;
            }
            None => self.usage.push(turn.clone()),
        }
    }
}

/// The subtype of every result that is not a success.
const FAILED: &str = "error_during_execution";

/// How many tokens a text of that many bytes is, roughly.
fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(4).max(1) as u64
}

/// A text in pieces of about thirty bytes, at most a hundred of them.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let size = (text.len() / 100).max(30);
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.ceil_char_boundary(size.min(rest.len()));
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn line<T: Serialize>(out: &mut Vec<u8>, message: &T) {
    let start = out.len();
    // Neither the buffer nor any of the types of this file can fail; half a line would be worse than none.
    if serde_json::to_writer(&mut *out, message).is_ok() {
        out.push(b'\n');
    } else {
        out.truncate(start);
    }
}

fn control_response<P: Serialize>(out: &mut Vec<u8>, id: &str, reply: &Reply<'_, P>) {
    let (subtype, response, error, error_code) = match *reply {
        Reply::Success(payload) => ("success", payload, None, None),
        Reply::Error { error, error_code } => ("error", None, Some(error), Some(error_code)),
    };
    let message = ControlResponse {
        r#type: "control_response",
        response: Response {
            subtype,
            request_id: id,
            response,
            error,
            error_code,
        },
    };
    line(out, &message);
}

fn text_block(text: &str) -> TextBlock<'_> {
    TextBlock {
        r#type: "text",
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation() -> Conversation {
        let id = "11111111-2222-4333-8444-555555555555".to_owned();
        Conversation::new(Uuids::new(), id, "/somewhere".to_owned())
    }

    fn lines(out: &[u8]) -> Vec<serde_json::Value> {
        serde_json::Deserializer::from_slice(out)
            .into_iter()
            .map(|line| line.expect("every line is JSON"))
            .collect()
    }

    #[test]
    fn usage_is_per_turn_and_the_cost_of_the_whole_process() {
        let mut conversation = conversation();
        let mut out = Vec::new();
        let facts = TurnFacts {
            input_bytes: 480,
            ..TurnFacts::default()
        };
        let reply = "x".repeat(80);
        conversation.result(&mut out, Outcome::Success(&reply), &facts);
        conversation.result(&mut out, Outcome::Success(&reply), &facts);
        let lines = lines(&out);
        assert_eq!(lines[0]["total_cost_usd"], 0.00066);
        assert_eq!(lines[1]["total_cost_usd"], 0.00132);
        assert_eq!(lines[1]["usage"]["input_tokens"], 120);
        assert_eq!(lines[1]["modelUsage"][DEFAULT_MODEL]["inputTokens"], 240);
        assert_eq!(lines[1]["result_index"], 1);
    }

    #[test]
    fn an_error_has_errors_and_no_result() {
        let mut out = Vec::new();
        conversation().result(&mut out, Outcome::Failure("why"), &TurnFacts::default());
        let result = &lines(&out)[0];
        assert_eq!(result["errors"], serde_json::json!(["why"]));
        assert!(result.get("result").is_none() && result.get("api_error_status").is_none());
    }

    #[test]
    fn the_pieces_of_a_message_make_up_the_whole() {
        for text in ["", "short", &"äöü€ ".repeat(2_000)] {
            assert_eq!(pieces(text).collect::<String>(), text);
            assert!(pieces(text).count() <= 101);
        }
        let mut conversation = conversation();
        conversation.partial_messages = true;
        let mut out = Vec::new();
        conversation.assistant(&mut out, "hello");
        let types: Vec<_> = lines(&out)
            .iter()
            .map(|line| {
                line["event"]["type"]
                    .as_str()
                    .unwrap_or("assistant")
                    .to_owned()
            })
            .collect();
        assert_eq!(
            types,
            [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "assistant",
                "content_block_stop",
                "message_delta",
                "message_stop"
            ]
        );
    }

    #[test]
    fn tools_that_are_not_allowed_are_not_offered() {
        let mut conversation = conversation();
        conversation.disallowed_tools = vec!["Bash".to_owned()];
        let mut out = Vec::new();
        conversation.init(&mut out);
        let tools = &lines(&out)[0]["tools"];
        assert!(
            tools
                .as_array()
                .is_some_and(|tools| !tools.contains(&"Bash".into()))
        );
        assert!(
            tools
                .as_array()
                .is_some_and(|tools| tools.contains(&"Read".into()))
        );
    }
}
