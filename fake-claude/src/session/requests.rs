//! Control requests and their answers.

use serde::Serialize;

use super::Session;
use crate::os;
use crate::protocol::incoming::{Ask, ControlRequest};
use crate::protocol::outgoing::{DEFAULT_MODEL, PERMISSION_MODES, SessionState};

impl Session {
    pub(super) fn take_request(&mut self, request: ControlRequest) {
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

    pub(super) fn answer_initialize(&mut self, id: &str) {
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
