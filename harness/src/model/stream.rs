//! The stream-json lines that are exchanged with a claude: those that the worker writes, and what it reads out of the others.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::json;

/// What one line of a claude means to the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// The session id that the line carries.
    pub(super) session_id: Option<String>,
    pub(super) content: Content,
}

/// The kinds of line that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// The text of an answer.
    Assistant(String),
    /// A turn has ended, with a good result or not. The newest claudes name the messages that the turn answered.
    Result { answered: Vec<String> },
    /// The claude asks its caller something.
    ControlRequest { id: String, subtype: String },
    /// Anything else.
    Other,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    session_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct AssistantLine {
    message: AssistantMessage,
}

#[derive(Deserialize)]
struct AssistantMessage {
    content: AssistantContent,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AssistantContent {
    Text(String),
    Blocks(Vec<Block>),
}

#[derive(Deserialize)]
struct Block {
    #[serde(default)]
    text: Option<String>,
}

#[derive(Deserialize)]
struct ResultLine {
    #[serde(default)]
    user_message_uuids: Vec<String>,
}

#[derive(Deserialize)]
struct ControlRequestLine {
    request_id: String,
    request: ControlRequestBody,
}

#[derive(Deserialize)]
struct ControlRequestBody {
    subtype: String,
}

/// Reads one line. Only a line that is no JSON is an error; unknown shapes are passed over, as the SDKs do.
pub(super) fn read(line: &[u8]) -> Result<Message, serde_json::Error> {
    let envelope: Envelope<'_> = match serde_json::from_slice(line) {
        Ok(envelope) => envelope,
        Err(_) => {
            serde_json::from_slice::<serde::de::IgnoredAny>(line)?;
            return Ok(Message {
                session_id: None,
                content: Content::Other,
            });
        }
    };
    let content = match envelope.kind.as_deref() {
        Some("assistant") => serde_json::from_slice(line)
            .map_or(Content::Other, |line: AssistantLine| {
                Content::Assistant(text(line.message.content))
            }),
        Some("result") => Content::Result {
            answered: serde_json::from_slice(line)
                .map_or_else(|_| Vec::new(), |line: ResultLine| line.user_message_uuids),
        },
        Some("control_request") => {
            serde_json::from_slice(line).map_or(Content::Other, |line: ControlRequestLine| {
                Content::ControlRequest {
                    id: line.request_id,
                    subtype: line.request.subtype,
                }
            })
        }
        _ => Content::Other,
    };
    Ok(Message {
        session_id: envelope.session_id.map(Cow::into_owned),
        content,
    })
}

fn text(content: AssistantContent) -> String {
    match content {
        AssistantContent::Text(text) => text,
        AssistantContent::Blocks(blocks) => blocks
            .into_iter()
            .filter_map(|block| block.text)
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

#[derive(Serialize)]
struct UserLine<'a> {
    r#type: &'a str,
    message: UserMessage<'a>,
    session_id: &'a str,
    parent_tool_use_id: Option<&'a str>,
    #[serde(rename = "isSynthetic")]
    is_synthetic: bool,
    uuid: &'a str,
}

#[derive(Serialize)]
struct UserMessage<'a> {
    role: &'a str,
    content: &'a str,
}

/// The first line of every conversation.
pub(super) fn initialize(request_id: &str) -> Vec<u8> {
    line(&json!({
        "request_id": request_id,
        "type": "control_request",
        "request": {"subtype": "initialize", "systemPrompt": ""},
    }))
}

/// A user message. v9.0.0 sends none of the ids in `uuid`; with them a turn into which several messages were merged can say
/// which ones it answered.
pub(super) fn user(content: &str, session_id: &str, uuid: &str) -> Vec<u8> {
    line(&UserLine {
        r#type: "user",
        message: UserMessage {
            role: "user",
            content,
        },
        session_id,
        parent_tool_use_id: None,
        is_synthetic: true,
        uuid,
    })
}

/// The answer to a question of the claude's: the worker has no hooks, no tools and no permissions to give.
pub(super) fn refusal(request_id: &str, subtype: &str) -> Vec<u8> {
    line(&json!({
        "type": "control_response",
        "response": {
            "subtype": "error",
            "request_id": request_id,
            "error": format!("Unsupported control request subtype: {subtype}"),
        },
    }))
}

fn line(value: &impl Serialize) -> Vec<u8> {
    // Every value here is made of strings and fixed shapes, which always can be written.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(line: &str) -> Content {
        read(line.as_bytes()).unwrap().content
    }

    #[test]
    fn answers_come_as_blocks_or_as_text() {
        let blocks = r#"{"type":"assistant","session_id":"s","message":{"content":[{"type":"text","text":"a"},{"type":"tool_use","id":"x"},{"type":"text","text":"b"}]}}"#;
        assert_eq!(content(blocks), Content::Assistant("a\nb".into()));
        assert_eq!(
            read(blocks.as_bytes()).unwrap().session_id.as_deref(),
            Some("s")
        );
        let plain = r#"{"message":{"content":"a\"b"},"type":"assistant"}"#;
        assert_eq!(content(plain), Content::Assistant("a\"b".into()));
    }

    #[test]
    fn results_may_name_what_they_answer() {
        assert_eq!(
            content(r#"{"type":"result","is_error":true}"#),
            Content::Result { answered: vec![] }
        );
        assert_eq!(
            content(r#"{"type":"result","user_message_uuids":["u1","u2"]}"#),
            Content::Result {
                answered: vec!["u1".into(), "u2".into()]
            }
        );
    }

    #[test]
    fn strange_json_is_passed_over_and_no_json_is_an_error() {
        for line in [
            "[]",
            "7",
            "{}",
            r#"{"type":9}"#,
            r#"{"type":"assistant"}"#,
            r#"{"type":"x","session_id":{}}"#,
        ] {
            assert_eq!(content(line), Content::Other, "{line}");
        }
        for line in ["nonsense", "{\"type\":", "{} {}"] {
            assert!(read(line.as_bytes()).is_err(), "{line}");
        }
    }
}
