//! The fake against transcripts of the real program: the same messages in the same order, every field that a caller may rely on, and
//! no field of another type.

use std::fmt;
use std::fs;

use fake_claude::behaviour::Behaviour;
use serde_json::{Value, json};

use crate::support::{Fake, Place, STREAMING, in_flight, kind_of, quick, request, user};

/// What every real program says, by kind of message; `[]` stands for each entry of a list.
const REQUIRED: [(&str, &[&str]); 8] = [
    (
        "control_response",
        &[
            "type",
            "response",
            "response.subtype",
            "response.request_id",
        ],
    ),
    (
        "system/init",
        &[
            "type",
            "subtype",
            "cwd",
            "session_id",
            "tools",
            "tools[]",
            "mcp_servers",
            "model",
            "permissionMode",
            "slash_commands",
            "slash_commands[]",
            "apiKeySource",
            "claude_code_version",
            "output_style",
            "agents",
            "agents[]",
            "skills",
            "plugins",
            "uuid",
        ],
    ),
    (
        "assistant",
        &[
            "type",
            "message",
            "message.id",
            "message.type",
            "message.role",
            "message.model",
            "message.content",
            "message.content[]",
            "message.content[].type",
            "message.content[].text",
            "message.stop_reason",
            "message.stop_sequence",
            "message.usage",
            "message.usage.input_tokens",
            "message.usage.output_tokens",
            "parent_tool_use_id",
            "session_id",
            "uuid",
        ],
    ),
    (
        "result/success",
        &[
            "type",
            "subtype",
            "is_error",
            "duration_ms",
            "duration_api_ms",
            "num_turns",
            "result",
            "session_id",
            "total_cost_usd",
            "usage",
            "usage.input_tokens",
            "usage.output_tokens",
            "usage.cache_creation_input_tokens",
            "usage.cache_read_input_tokens",
            "usage.server_tool_use",
            "usage.service_tier",
            "usage.cache_creation",
            "modelUsage",
            "modelUsage.*.inputTokens",
            "modelUsage.*.outputTokens",
            "modelUsage.*.cacheReadInputTokens",
            "modelUsage.*.cacheCreationInputTokens",
            "modelUsage.*.webSearchRequests",
            "modelUsage.*.costUSD",
            "modelUsage.*.contextWindow",
            "permission_denials",
            "uuid",
        ],
    ),
    (
        "result/error_during_execution",
        &[
            "type",
            "subtype",
            "is_error",
            "duration_ms",
            "duration_api_ms",
            "num_turns",
            "errors",
            "errors[]",
            "session_id",
            "total_cost_usd",
            "usage",
            "modelUsage",
            "permission_denials",
            "uuid",
        ],
    ),
    (
        "stream_event",
        &[
            "type",
            "event",
            "event.type",
            "session_id",
            "parent_tool_use_id",
            "uuid",
            "event.message",
            "event.message.id",
            "event.message.usage",
            "event.index",
            "event.content_block",
            "event.content_block.type",
            "event.content_block.text",
            "event.delta",
            "event.delta.type",
            "event.delta.text",
            "event.delta.stop_reason",
            "event.delta.stop_sequence",
            "event.usage",
            "event.usage.output_tokens",
        ],
    ),
    (
        "user",
        &[
            "type",
            "message",
            "message.role",
            "message.content",
            "message.content[]",
            "message.content[].type",
            "message.content[].text",
            "parent_tool_use_id",
            "session_id",
            "uuid",
            "timestamp",
            "isReplay",
        ],
    ),
    (
        "system/session_state_changed",
        &[
            "type",
            "subtype",
            "state",
            "sdk_host_only",
            "uuid",
            "session_id",
        ],
    ),
];

/// What every real program says when it is asked to introduce itself, or refuses a request.
const REQUIRED_IN_RESPONSES: &[&str] = &[
    "response.response",
    "response.error",
    "response.error_code",
    "response.response.commands",
    "response.response.commands[].name",
    "response.response.commands[].description",
    "response.response.commands[].argumentHint",
    "response.response.output_style",
    "response.response.available_output_styles",
    "response.response.available_output_styles[]",
    "response.response.models",
    "response.response.models[].value",
    "response.response.models[].displayName",
    "response.response.models[].description",
    "response.response.account",
    "response.response.mode",
    "response.response.model",
    "response.response.still_queued",
    "response.response.mcpServers",
];

/// Where the fake and the real program differ.
#[derive(Debug, PartialEq, Eq)]
enum Difference {
    /// Not the same messages in the same order.
    Order {
        real: Vec<String>,
        fake: Vec<String>,
    },
    /// A field that must be there is not.
    Missing { kind: String, path: String },
    /// A field has another type.
    Type {
        kind: String,
        path: String,
        real: &'static str,
        fake: &'static str,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order { real, fake } => write!(f, "order: real {real:#?}, fake {fake:#?}"),
            Self::Missing { kind, path } => write!(f, "{kind}: {path} is missing"),
            Self::Type {
                kind,
                path,
                real,
                fake,
            } => write!(
                f,
                "{kind}: {path} is {fake}, and {real} in the real program"
            ),
        }
    }
}

/// Compares what the fake wrote with what the real program wrote.
fn check(real: &[Value], fake: &[Value]) -> Result<(), Difference> {
    let (real, fake) = (condensed(real), condensed(fake));
    let order = |messages: &[&Value]| messages.iter().map(|it| precise_kind(it)).collect();
    let (real_order, fake_order): (Vec<String>, Vec<String>) = (order(&real), order(&fake));
    if real_order != fake_order {
        return Err(Difference::Order {
            real: real_order,
            fake: fake_order,
        });
    }
    real.iter()
        .zip(&fake)
        .try_for_each(|(real, fake)| compare(&kind_of(real), "", real, fake))
}

/// The messages, of neighbours of the same kind only the first: how a text is cut into pieces is nobody's business.
fn condensed(messages: &[Value]) -> Vec<&Value> {
    let mut condensed: Vec<&Value> = Vec::new();
    for message in messages {
        if message["type"] != "stream_event"
            || condensed
                .last()
                .is_none_or(|last| precise_kind(last) != precise_kind(message))
        {
            condensed.push(message);
        }
    }
    condensed
}

fn precise_kind(message: &Value) -> String {
    let kind = kind_of(message);
    match (
        message["event"]["type"].as_str(),
        message["response"]["request_id"].as_str(),
    ) {
        (Some(event), _) => format!("{kind}/{event}"),
        (_, Some(id)) => format!("{kind}/{id}"),
        _ => kind,
    }
}

fn compare(kind: &str, path: &str, real: &Value, fake: &Value) -> Result<(), Difference> {
    if type_of(real) != type_of(fake) {
        return Err(Difference::Type {
            kind: kind.to_owned(),
            path: path.to_owned(),
            real: type_of(real),
            fake: type_of(fake),
        });
    }
    match (real, fake) {
        (Value::Object(real), Value::Object(fake)) => {
            for (key, real) in real {
                // Models have different names; what is said of each is what counts.
                let is_model = path == "modelUsage";
                let key_path = match path {
                    "" => key.clone(),
                    "modelUsage" => "modelUsage.*".to_owned(),
                    _ => format!("{path}.{key}"),
                };
                let found = if is_model {
                    fake.values().next()
                } else {
                    fake.get(key)
                };
                match found {
                    Some(fake) => compare(kind, &key_path, real, fake)?,
                    None if is_required(kind, &key_path) => {
                        return Err(Difference::Missing {
                            kind: kind.to_owned(),
                            path: key_path,
                        });
                    }
                    None => {}
                }
            }
            Ok(())
        }
        (Value::Array(real), Value::Array(fake)) => {
            let entries = format!("{path}[]");
            match (real.first(), fake.first()) {
                (Some(real), Some(fake)) => compare(kind, &entries, real, fake),
                (Some(_), None) if is_required(kind, &entries) => Err(Difference::Missing {
                    kind: kind.to_owned(),
                    path: entries,
                }),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn is_required(kind: &str, path: &str) -> bool {
    let by_kind = REQUIRED.iter().find(|(name, _)| *name == kind);
    by_kind.is_some_and(|(_, paths)| paths.contains(&path))
        || kind == "control_response" && REQUIRED_IN_RESPONSES.contains(&path)
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn transcript(name: &str) -> Vec<Value> {
    let path = format!(
        "{}/tests/data/transcripts/{name}.jsonl",
        env!("CARGO_MANIFEST_DIR")
    );
    let mut messages: Vec<Value> = fs::read_to_string(&path)
        .expect(name)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a transcript is JSON"))
        .collect();
    for message in &mut messages {
        if message["type"] == "assistant" {
            // Older versions tell here why the message stopped; the newest leaves that to the result.
            message["message"]["stop_reason"] = Value::Null;
        }
    }
    messages
}

/// Drives a fake as the real program was driven, to the end of its stdout, and compares.
fn conforms(
    name: &str,
    behaviour: Behaviour,
    options: &[&str],
    drive: impl FnOnce(&mut Fake) -> Vec<Value>,
) {
    let place = Place::new();
    let _harness = place.harness(behaviour);
    let arguments: Vec<&str> = if options.contains(&"-p") {
        options.to_vec()
    } else {
        [&STREAMING, options].concat()
    };
    let mut command = place.command(&arguments);
    command.env("ANTHROPIC_API_KEY", "none");
    if name == "control-requests-and-session-state" {
        command.env("CLAUDE_CODE_SDK_READS_SESSION_STATE", "1");
    }
    let mut fake = Fake::start(&mut command);
    let mut messages = drive(&mut fake);
    fake.close_stdin();
    messages.extend(fake.rest());
    if let Err(difference) = check(&transcript(name), &messages) {
        panic!("{name}: {difference}");
    }
}

fn two_turns(fake: &mut Fake) -> Vec<Value> {
    fake.initialize();
    let mut messages = Vec::new();
    for text in ["one", "two"] {
        fake.ask(text);
        loop {
            let message = fake.next().expect("a turn");
            let is_result = message["type"] == "result";
            messages.push(message);
            if is_result {
                break;
            }
        }
    }
    messages
}

fn initialize_and_ask(fake: &mut Fake) -> Vec<Value> {
    fake.initialize();
    fake.ask("hello");
    Vec::new()
}

#[test]
fn two_turns_are_as_in_every_version() {
    for name in [
        "basic-two-turns",
        "cli-2.0.76-two-turns",
        "cli-2.1.76-two-turns",
    ] {
        conforms(name, quick(), &[], two_turns);
    }
}

#[test]
fn one_turn_is_the_same_however_it_is_asked_for() {
    conforms("eof-right-after-user", quick(), &[], initialize_and_ask);
    conforms("eof-in-flight", quick(), &[], initialize_and_ask);
    conforms(
        "resume-known",
        quick(),
        &["--resume", "11111111-2222-4333-8444-555555555555"],
        initialize_and_ask,
    );
    conforms("no-initialize", quick(), &[], |fake| {
        fake.ask("hello");
        Vec::new()
    });
    conforms("unknown-stdin-types-then-turn", quick(), &[], |fake| {
        fake.initialize();
        for line in [
            "{}",
            "[]",
            "",
            r#"{"type":"keep_alive"}"#,
            r#"{"type":"no_such"}"#,
        ] {
            fake.tell(line);
        }
        fake.ask("hello");
        Vec::new()
    });
}

#[test]
fn control_requests_are_answered_in_order() {
    conforms("control-requests-and-session-state", quick(), &[], |fake| {
        fake.initialize();
        for (id, ask) in [
            (
                "a",
                json!({"subtype": "set_model", "model": "claude-haiku-4-5"}),
            ),
            (
                "b",
                json!({"subtype": "set_permission_mode", "mode": "plan"}),
            ),
            (
                "c",
                json!({"subtype": "set_permission_mode", "mode": "bogus"}),
            ),
            ("d", json!({"subtype": "no_such"})),
            ("e", json!({"subtype": "interrupt"})),
            (
                "f",
                json!({"subtype": "set_max_thinking_tokens", "max_thinking_tokens": null}),
            ),
            ("g", json!({"subtype": "mcp_status"})),
            ("h", json!({"subtype": "initialize"})),
            (
                "i",
                json!({"subtype": "set_permission_mode", "mode": "default"}),
            ),
        ] {
            fake.tell(request(id, &ask));
        }
        fake.ask("hello");
        Vec::new()
    });
}

#[test]
fn a_turn_is_broken_off_as_in_the_real_program() {
    conforms("interrupt-request-in-flight", in_flight(), &[], |fake| {
        fake.initialize();
        fake.ask("hello");
        let mut messages = vec![
            fake.next().expect("the answer"),
            fake.read_to("system/init"),
        ];
        fake.tell(request("int1", &json!({"subtype": "interrupt"})));
        messages.extend((0..3).map_while(|_| fake.next()));
        messages
    });
    conforms("sigint-in-flight", in_flight(), &[], |fake| {
        fake.initialize();
        fake.ask("hello");
        let messages = vec![
            fake.next().expect("the answer"),
            fake.read_to("system/init"),
        ];
        fake.signal(libc::SIGINT);
        messages
    });
}

#[test]
fn pieces_and_replays_come_where_they_belong() {
    conforms(
        "partial-and-replay",
        quick(),
        &["--include-partial-messages", "--replay-user-messages"],
        initialize_and_ask,
    );
}

#[test]
fn what_waits_may_be_merged() {
    let merging = Behaviour {
        merge: true,
        ..quick()
    };
    conforms("three-users-at-once", merging, &[], |fake| {
        fake.initialize();
        // The first one begins a turn as soon as it is read, so all three come as one write.
        fake.tell([user("", "one"), user("", "two"), user("", "three")].join("\n"));
        Vec::new()
    });
}

#[test]
fn a_single_answer_is_one_object() {
    conforms(
        "print-json",
        quick(),
        &["-p", "--output-format", "json"],
        |fake| {
            fake.tell("hello");
            Vec::new()
        },
    );
}

#[test]
fn what_is_refused_is_refused_in_the_same_way() {
    conforms("malformed-stdin", quick(), &[], |fake| {
        fake.initialize();
        let answer = fake.next().expect("the answer");
        fake.tell("this is not json");
        vec![answer]
    });
    let refusing = Behaviour {
        refuse_resume: true,
        ..quick()
    };
    conforms(
        "resume-unknown",
        refusing,
        &["--resume", "11111111-2222-4333-8444-555555555555"],
        |_| Vec::new(),
    );
    conforms("resume-invalid-id", quick(), &["--resume", "mine"], |_| {
        Vec::new()
    });
}

#[test]
fn the_comparison_can_fail() {
    let real = transcript("basic-two-turns");
    assert_eq!(check(&real, &real), Ok(()));

    let broken = |break_it: fn(&mut Vec<Value>)| {
        let mut messages = real.clone();
        break_it(&mut messages);
        check(&real, &messages).expect_err("a difference")
    };
    let missing = |kind: &str, path: &str| Difference::Missing {
        kind: kind.to_owned(),
        path: path.to_owned(),
    };
    let order = broken(|messages| drop(messages.remove(2)));
    assert!(matches!(order, Difference::Order { .. }));
    let order = broken(|messages| messages.swap(1, 2));
    assert!(matches!(order, Difference::Order { .. }));
    assert_eq!(
        broken(|messages| drop(messages[1].as_object_mut().map(|it| it.remove("plugins")))),
        missing("system/init", "plugins")
    );
    assert_eq!(
        broken(|messages| messages[2]["message"]["content"] = json!([])),
        missing("assistant", "message.content[]")
    );
    assert_eq!(
        broken(|messages| messages[3]["total_cost_usd"] = json!("0.1")),
        Difference::Type {
            kind: "result/success".to_owned(),
            path: "total_cost_usd".to_owned(),
            real: "a number",
            fake: "a string",
        }
    );
    assert_eq!(
        broken(|messages| {
            let models = messages[3]["modelUsage"].as_object_mut();
            models.and_then(|it| it.values_mut().next()?.as_object_mut()?.remove("costUSD"));
        }),
        missing("result/success", "modelUsage.*.costUSD")
    );
}
