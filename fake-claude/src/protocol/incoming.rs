//! What a caller writes to the program's stdin.
//!
//! The real program takes any JSON and ignores what it does not know; only a line that is no JSON ends it. So every field is looked
//! at by itself: one of an unexpected type counts as absent, and never makes the line an error.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// One line of a caller.
#[derive(Debug, Clone, PartialEq)]
pub enum Line<'a> {
    /// A message that wants a turn.
    User(UserMessage<'a>),
    /// A request that wants a `control_response`.
    Control(ControlRequest),
    /// Anything else that is JSON.
    Ignored,
}

/// A user message.
#[derive(Debug, Clone, PartialEq)]
pub struct UserMessage<'a> {
    /// The text of its content, whether that is a string or blocks.
    pub text: Cow<'a, str>,
    /// Its content as it was written, in JSON.
    pub content: &'a str,
    /// The session that the caller names; empty where it names none.
    pub session_id: Cow<'a, str>,
    /// The caller's own id of the message.
    pub uuid: Option<Cow<'a, str>>,
}

/// A control request.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlRequest {
    /// The id to be answered to.
    pub id: String,
    /// What is asked.
    pub ask: Ask,
}

/// What a control request asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// To introduce itself.
    Initialize,
    /// To break the running turn off.
    Interrupt {
        /// And to forget the messages that wait.
        cancel_queued: bool,
    },
    /// To change the permission mode.
    SetPermissionMode(String),
    /// To change the model; none means the default.
    SetModel(Option<String>),
    /// To change the limit of thinking, which a fake does not do anyway.
    SetMaxThinkingTokens,
    /// To tell the state of the MCP servers.
    McpStatus,
    /// Something that is not supported, by name.
    Unsupported(String),
}

/// A line that is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJson {
    /// How many characters the line has.
    pub characters: usize,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    session_id: Option<&'a RawValue>,
    #[serde(borrow)]
    uuid: Option<&'a RawValue>,
    #[serde(borrow)]
    request_id: Option<&'a RawValue>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Request<'a> {
    #[serde(borrow)]
    subtype: Option<&'a RawValue>,
    #[serde(borrow)]
    mode: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    cancel_queued: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Understands a line, given without its newline. An empty one is ignored, as the real program does.
pub fn parse(line: &str) -> Result<Line<'_>, NotJson> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(Line::Ignored);
    }
    let envelope: Envelope<'_> = match serde_json::from_str(line) {
        Ok(envelope) => envelope,
        // The structure was given up at the first thing of a wrong type; whether the rest is JSON is still to be seen.
        Err(error) if error.is_data() && serde_json::from_str::<IgnoredAny>(line).is_ok() => {
            return Ok(Line::Ignored);
        }
        Err(_) => {
            return Err(NotJson {
                characters: line.chars().count(),
            });
        }
    };
    Ok(match text(envelope.kind).as_deref() {
        Some("user") => user_message(&envelope).map_or(Line::Ignored, Line::User),
        Some("control_request") => control_request(&envelope).map_or(Line::Ignored, Line::Control),
        _ => Line::Ignored,
    })
}

fn user_message<'a>(envelope: &Envelope<'a>) -> Option<UserMessage<'a>> {
    let message: Message<'a> = object(envelope.message?);
    let content = message.content?;
    Some(UserMessage {
        text: content_text(content)?,
        content: content.get(),
        session_id: text(envelope.session_id).unwrap_or_default(),
        uuid: text(envelope.uuid),
    })
}

fn control_request(envelope: &Envelope<'_>) -> Option<ControlRequest> {
    let request: Request<'_> = object(envelope.request?);
    let owned = |value| text(value).map(Cow::into_owned);
    let subtype = owned(request.subtype).unwrap_or_else(|| "undefined".to_owned());
    let ask = match subtype.as_str() {
        "initialize" => Ask::Initialize,
        "interrupt" => Ask::Interrupt {
            cancel_queued: request.cancel_queued.is_some_and(|it| it.get() == "true"),
        },
        "set_permission_mode" => Ask::SetPermissionMode(owned(request.mode).unwrap_or_default()),
        "set_model" => Ask::SetModel(owned(request.model)),
        "set_max_thinking_tokens" => Ask::SetMaxThinkingTokens,
        "mcp_status" => Ask::McpStatus,
        _ => Ask::Unsupported(subtype),
    };
    Some(ControlRequest {
        id: owned(envelope.request_id)?,
        ask,
    })
}

/// The text of a message's content: the string itself, or what its text blocks say, a line break between two.
fn content_text(content: &RawValue) -> Option<Cow<'_, str>> {
    if let Some(text) = text(Some(content)) {
        return Some(text);
    }
    let blocks: Vec<&RawValue> = serde_json::from_str(content.get()).ok()?;
    let mut whole: Option<Cow<'_, str>> = None;
    for block in blocks {
        let block: Block<'_> = object(block);
        if text(block.kind).as_deref() != Some("text") {
            continue;
        }
        let Some(said) = text(block.text) else {
            continue;
        };
        whole = Some(match whole {
            None => said,
            Some(before) => Cow::Owned(format!("{before}\n{said}")),
        });
    }
    Some(whole.unwrap_or_default())
}

/// The fields of an object; of anything else, none.
fn object<'a, T: Default + Deserialize<'a>>(json: &'a RawValue) -> T {
    serde_json::from_str(json.get()).unwrap_or_default()
}

/// A string's text; of anything else, none.
fn text<'a>(json: Option<&'a RawValue>) -> Option<Cow<'a, str>> {
    let json = json?.get();
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    match serde_json::from_str::<Text<'a>>(json) {
        Ok(Text(text)) => Some(text),
        // JavaScript takes halves of surrogate pairs, which are no text here: then the source must do.
        Err(_) => Some(Cow::Borrowed(inner)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(line: &str) -> UserMessage<'_> {
        match parse(line) {
            Ok(Line::User(message)) => message,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn content_may_be_a_string_or_blocks() {
        for content in [
            r#""a\nb""#,
            r#"[{"type":"text","text":"a"},{"type":"image","text":5},7,{"type":"text","text":"b"}]"#,
        ] {
            let line = format!(
                r#"{{"session_id":"s","message":{{"role":"user","content":{content}}},"type":"user","new":[{{}}]}}"#
            );
            let message = user(&line);
            assert_eq!(message.text, "a\nb");
            assert_eq!(message.content, content);
            assert_eq!(message.session_id, "s");
            assert_eq!(message.uuid, None);
        }
    }

    #[test]
    fn fields_of_a_wrong_type_count_as_absent() {
        let message = user(r#"{"type":"user","session_id":7,"uuid":{},"message":{"content":""}}"#);
        assert_eq!(message.session_id, "");
        assert_eq!(message.uuid, None);
    }

    #[test]
    fn requests_are_told_apart() {
        for (request, ask) in [
            (
                r#"{"subtype":"initialize","systemPrompt":[""]}"#,
                Ask::Initialize,
            ),
            (
                r#"{"subtype":"interrupt"}"#,
                Ask::Interrupt {
                    cancel_queued: false,
                },
            ),
            (
                r#"{"subtype":"interrupt","cancel_queued":true}"#,
                Ask::Interrupt {
                    cancel_queued: true,
                },
            ),
            (
                r#"{"subtype":"set_permission_mode","mode":"plan"}"#,
                Ask::SetPermissionMode("plan".to_owned()),
            ),
            (
                r#"{"subtype":"set_model","model":null}"#,
                Ask::SetModel(None),
            ),
            (
                r#"{"subtype":"no_such"}"#,
                Ask::Unsupported("no_such".to_owned()),
            ),
            ("{}", Ask::Unsupported("undefined".to_owned())),
        ] {
            let line =
                format!(r#"{{"request_id":"a","type":"control_request","request":{request}}}"#);
            let expected = ControlRequest {
                id: "a".to_owned(),
                ask,
            };
            assert_eq!(parse(&line), Ok(Line::Control(expected)), "{line}");
        }
    }

    #[test]
    fn what_is_json_but_no_message_is_ignored() {
        for line in [
            "",
            "  \r",
            "{}",
            "[]",
            "[1]",
            "7",
            "null",
            r#""user""#,
            r#"{"type":5}"#,
            r#"{"type":"keep_alive"}"#,
            r#"{"type":"user"}"#,
            r#"{"type":"user","message":{"content":5}}"#,
            r#"{"type":"control_request","request":{"subtype":"initialize"}}"#,
            r#"{"type":"control_request","request_id":"a"}"#,
            r#"{"type":"control_cancel_request","request_id":"a"}"#,
        ] {
            assert_eq!(parse(line), Ok(Line::Ignored), "{line}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_length() {
        for line in [
            "this is not json",
            "{",
            r#"{"type":"user""#,
            "[1,}",
            "nul",
            "{}{}",
        ] {
            let characters = line.len();
            assert_eq!(parse(line), Err(NotJson { characters }), "{line}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_no_reason_to_give_up() {
        let message = user(r#"{"type":"user","message":{"content":"lhm-1-1-o1z \ud83d"}}"#);
        assert!(message.text.contains("lhm-1-1-o1z"));
    }

    #[test]
    fn deep_nesting_does_not_exhaust_the_stack() {
        let line = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(parse(&line), Ok(Line::Ignored));
    }
}
