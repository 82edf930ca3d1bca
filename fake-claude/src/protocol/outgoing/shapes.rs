//! The shapes of the messages, field by field as they are written.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{AGENTS, COMMANDS, ModelUsage, SessionState, TOOLS};
use crate::identity::{Moment, Uuid};

pub enum Reply<'a, P> {
    Success(Option<&'a P>),
    Error {
        error: &'a str,
        error_code: &'static str,
    },
}

#[derive(Serialize)]
pub struct ControlResponse<'a, P> {
    pub r#type: &'static str,
    pub response: Response<'a, P>,
}

#[derive(Serialize)]
pub struct Response<'a, P> {
    pub subtype: &'static str,
    pub request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<&'a P>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<&'static str>,
}

#[derive(Serialize)]
pub struct Initialized<'a> {
    pub commands: [Command; COMMANDS.len()],
    pub agents: [Agent; AGENTS.len()],
    pub output_style: &'static str,
    pub available_output_styles: [&'static str; 2],
    pub models: [Model; 2],
    pub account: Account,
    pub pid: u32,
    pub claude_code_version: &'static str,
    pub current_permission_mode: &'a str,
    pub analytics_disabled: bool,
    pub fast_mode_state: &'static str,
    pub session_state: SessionState,
    pub capabilities: [&'static str; 0],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Command {
    pub name: &'static str,
    pub description: &'static str,
    pub argument_hint: &'static str,
    pub builtin: bool,
}

#[derive(Serialize)]
pub struct Agent {
    pub name: &'static str,
    pub description: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    pub value: &'static str,
    pub display_name: &'static str,
    pub description: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    pub token_source: &'static str,
    pub api_key_source: &'static str,
}

#[derive(Serialize)]
pub struct SystemMessage<'a, B> {
    pub r#type: &'static str,
    pub subtype: &'static str,
    #[serde(flatten)]
    pub body: B,
    pub session_id: &'a str,
    pub uuid: Uuid,
}

#[derive(Serialize)]
pub struct Init<'a> {
    pub cwd: &'a str,
    pub tools: Offered<'a>,
    pub mcp_servers: [(); 0],
    pub model: &'a str,
    #[serde(rename = "permissionMode")]
    pub permission_mode: &'a str,
    pub slash_commands: [&'static str; COMMANDS.len()],
    #[serde(rename = "apiKeySource")]
    pub api_key_source: &'static str,
    pub claude_code_version: &'static str,
    pub output_style: &'static str,
    pub agents: [&'static str; AGENTS.len()],
    pub skills: [&'static str; 0],
    pub plugins: [(); 0],
    pub capabilities: [&'static str; 2],
    pub analytics_disabled: bool,
    pub original_cwd: &'a str,
    pub additional_directories: [&'static str; 0],
    pub fast_mode_state: &'static str,
}

#[derive(Serialize)]
pub struct Status<'a> {
    pub status: Option<&'static str>,
    #[serde(rename = "permissionMode", skip_serializing_if = "Option::is_none")]
    pub permission_mode: Option<&'a str>,
}

#[derive(Serialize)]
pub struct StateChange {
    pub state: SessionState,
    pub sdk_host_only: bool,
}

#[derive(Serialize)]
pub struct BackgroundTasks {
    pub tasks: [(); 0],
}

/// The tools that are offered: all but those that are not to be.
pub struct Offered<'a> {
    pub disallowed: &'a [String],
}

impl Serialize for Offered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_offered = |tool: &&str| !self.disallowed.iter().any(|name| name == tool);
        serializer.collect_seq(TOOLS.iter().filter(|tool| is_offered(tool)))
    }
}

#[derive(Serialize)]
pub struct UserMessage<'a, C> {
    pub r#type: &'static str,
    pub message: UserBody<C>,
    pub parent_tool_use_id: (),
    pub session_id: &'a str,
    pub uuid: &'a str,
    pub timestamp: Moment,
    #[serde(rename = "isReplay", skip_serializing_if = "Option::is_none")]
    pub is_replay: Option<bool>,
}

#[derive(Serialize)]
pub struct UserBody<C> {
    pub role: &'static str,
    pub content: C,
}

#[derive(Serialize)]
pub struct TextBlock<'a> {
    pub r#type: &'static str,
    pub text: &'a str,
}

#[derive(Serialize)]
pub struct AssistantMessage<'a> {
    pub r#type: &'static str,
    pub message: AssistantBody<'a>,
    pub parent_tool_use_id: (),
    pub session_id: &'a str,
    pub uuid: Uuid,
    pub timestamp: Moment,
    pub request_id: &'a str,
}

#[derive(Serialize)]
pub struct AssistantBody<'a> {
    pub id: &'a str,
    pub r#type: &'static str,
    pub role: &'static str,
    pub model: &'a str,
    pub content: &'a [TextBlock<'a>],
    pub stop_reason: (),
    pub stop_sequence: (),
    pub usage: MessageUsage,
}

#[derive(Clone, Copy, Serialize)]
pub struct MessageUsage {
    pub input_tokens: u64,
    pub cache_creation_input_tokens: u64,
    pub cache_read_input_tokens: u64,
    pub output_tokens: u64,
    pub service_tier: &'static str,
}

#[derive(Serialize)]
pub struct StreamEvent<'a> {
    pub r#type: &'static str,
    pub event: Event<'a>,
    pub session_id: &'a str,
    pub parent_tool_use_id: (),
    pub uuid: Uuid,
    pub api_message_id: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event<'a> {
    MessageStart {
        message: AssistantBody<'a>,
    },
    ContentBlockStart {
        index: u32,
        content_block: TextBlock<'a>,
    },
    ContentBlockDelta {
        index: u32,
        delta: TextDelta<'a>,
    },
    ContentBlockStop {
        index: u32,
    },
    MessageDelta {
        delta: StopDelta,
        usage: OutputUsage,
    },
    MessageStop,
}

#[derive(Serialize)]
pub struct TextDelta<'a> {
    pub r#type: &'static str,
    pub text: &'a str,
}

#[derive(Serialize)]
pub struct StopDelta {
    pub stop_reason: &'static str,
    pub stop_sequence: (),
}

#[derive(Serialize)]
pub struct OutputUsage {
    pub output_tokens: u64,
}

#[derive(Serialize)]
pub struct ResultMessage<'a> {
    pub r#type: &'static str,
    pub subtype: &'static str,
    pub is_error: bool,
    pub duration_ms: u64,
    pub duration_api_ms: u64,
    pub ttft_ms: u64,
    pub num_turns: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<[&'a str; 1]>,
    pub stop_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal_reason: Option<&'static str>,
    /// Present and null in a success, absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_error_status: Option<()>,
    pub session_id: &'a str,
    pub total_cost_usd: f64,
    pub usage: ResultUsage,
    #[serde(rename = "modelUsage")]
    pub model_usage: ByModel<'a>,
    pub permission_denials: [(); 0],
    pub fast_mode_state: &'static str,
    pub safety_stops: u32,
    pub queued_turn_count: usize,
    pub result_index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_message_uuid: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub user_message_uuids: &'a [String],
    pub uuid: Uuid,
}

#[derive(Serialize)]
pub struct ResultUsage {
    pub input_tokens: u64,
    pub cache_creation_input_tokens: u64,
    pub cache_read_input_tokens: u64,
    pub output_tokens: u64,
    pub server_tool_use: ServerToolUse,
    pub service_tier: &'static str,
    pub cache_creation: CacheCreation,
}

#[derive(Serialize)]
pub struct ServerToolUse {
    pub web_search_requests: u64,
    pub web_fetch_requests: u64,
}

#[derive(Serialize)]
pub struct CacheCreation {
    pub ephemeral_1h_input_tokens: u64,
    pub ephemeral_5m_input_tokens: u64,
}

/// An object with one entry for each model.
pub struct ByModel<'a>(pub &'a [ModelUsage]);

impl Serialize for ByModel<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for usage in self.0 {
            let entry = UsageEntry {
                input_tokens: usage.input,
                output_tokens: usage.output,
                cache_read_input_tokens: 0,
                cache_creation_input_tokens: 0,
                web_search_requests: 0,
                cost_usd: usage.cost(),
                context_window: 200_000,
                max_output_tokens: 32_000,
            };
            map.serialize_entry(&usage.model, &entry)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageEntry {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_read_input_tokens: u64,
    pub cache_creation_input_tokens: u64,
    pub web_search_requests: u64,
    #[serde(rename = "costUSD")]
    pub cost_usd: f64,
    pub context_window: u64,
    pub max_output_tokens: u64,
}
