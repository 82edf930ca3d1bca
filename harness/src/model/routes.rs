//! SessionRoutes: the requests that open sessions, hand over work and end sessions.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::completion;
use super::generator;
use super::lock;
use super::pending::Work;
use super::privacy::without_private;
use super::quirks::{helper_per_session, requests};
use super::server::{ApiError, number, parsed};
use super::service::WorkerService;

/// Tools whose use is not worth an observation.
const SKIPPED_TOOLS: [&str; 5] = [
    "ListMcpResourcesTool",
    "SlashCommand",
    "Skill",
    "TodoWrite",
    "AskUserQuestion",
];
/// Tools that touch files; what they do to the product's own notes is not observed.
const FILE_TOOLS: [&str; 4] = ["Edit", "Write", "Read", "NotebookEdit"];

type Service = State<Arc<WorkerService>>;
type Answer = Result<Response, ApiError>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InitBody {
    content_session_id: Option<String>,
    project: Option<String>,
    prompt: Option<String>,
}

/// `POST /api/sessions/init`: a prompt of a session. Nothing is started yet.
pub(super) async fn init_by_content_id(State(service): Service, body: Bytes) -> Answer {
    let body: InitBody = parsed(&body)?;
    let content_session_id = required(body.content_session_id, "contentSessionId")?;
    let project = required(body.project, "project")?;
    let prompt = required(body.prompt, "prompt")?;

    let mut memory = lock(&service.memory);
    let id = memory.session(&content_session_id, &project)?;
    let prompt = without_private(&prompt);
    if prompt.is_empty() {
        let number = memory.row(id).map_or(0, |row| row.prompts) + 1;
        let skipped = json!({
            "sessionDbId": id, "promptNumber": number, "skipped": true, "reason": "private",
        });
        return Ok(Json(skipped).into_response());
    }
    let number = match service.last_taken.prompt(id, &prompt) {
        Some(number) => number,
        None => memory.save_prompt(id, &prompt)?,
    };
    service
        .last_taken
        .saved(&service.settings, id, &prompt, number);
    let answer = json!({"sessionDbId": id, "promptNumber": number, "skipped": false});
    Ok(Json(answer).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartBody {
    user_prompt: Option<String>,
    prompt_number: Option<u32>,
}

/// `POST /sessions/:id/init`: starts one more generator, unconditionally.
pub(super) async fn init(State(service): Service, Path(id): Path<String>, body: Bytes) -> Answer {
    let id = number(&id)?;
    let body: StartBody = parsed(&body)?;
    let prompt = body.user_prompt.filter(|prompt| !prompt.is_empty());
    let session = service
        .sessions
        .initialize(id, prompt.as_deref(), body.prompt_number)?;
    helper_per_session::start(&service, body.prompt_number);
    if !service
        .last_taken
        .has_started(&service.settings, id, body.prompt_number)
    {
        generator::start(&service, &session, "init");
    }
    let answer = json!({"status": "initialized", "sessionDbId": id, "port": service.port});
    Ok(Json(answer).into_response())
}

#[derive(Deserialize)]
pub(super) struct ObservationBody {
    #[serde(rename = "contentSessionId")]
    content_session_id: Option<String>,
    tool_name: Option<String>,
    tool_input: Option<Value>,
    tool_response: Option<Value>,
    prompt_number: Option<u32>,
    cwd: Option<String>,
}

impl ObservationBody {
    fn into_work(self, prompt_number: Option<u32>) -> Work {
        Work::Observation {
            tool_name: self.tool_name.unwrap_or_default(),
            tool_input: json_text(self.tool_input.as_ref()),
            tool_response: json_text(self.tool_response.as_ref()),
            prompt_number,
            cwd: self.cwd.filter(|cwd| !cwd.is_empty()),
        }
    }

    fn touches_session_memory(&self) -> bool {
        let is_file_tool = self
            .tool_name
            .as_deref()
            .is_some_and(|name| FILE_TOOLS.contains(&name));
        is_file_tool
            && self.tool_input.as_ref().is_some_and(|input| {
                ["file_path", "notebook_path"]
                    .iter()
                    .filter_map(|key| input.get(key)?.as_str())
                    .any(|path| path.contains("session-memory"))
            })
    }
}

/// `POST /sessions/:id/observations`.
pub(super) async fn observation(
    State(service): Service,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let id = number(&id)?;
    let body: ObservationBody = parsed(&body)?;
    let prompt_number = body.prompt_number;
    queue(&service, id, body.into_work(prompt_number), "observation").await
}

/// `POST /api/sessions/observations`.
pub(super) async fn observation_by_content_id(State(service): Service, body: Bytes) -> Answer {
    let body: ObservationBody = parsed(&body)?;
    let content_session_id = required_text(body.content_session_id.as_ref(), "contentSessionId")?;
    if body
        .tool_name
        .as_deref()
        .is_some_and(|name| SKIPPED_TOOLS.contains(&name))
    {
        return Ok(skipped("tool_excluded"));
    }
    if body.touches_session_memory() {
        return Ok(skipped("session_memory_meta"));
    }
    let (id, prompts) = session_and_prompts(&service, content_session_id)?;
    if prompts == 0 {
        return Ok(skipped("private"));
    }
    queue(&service, id, body.into_work(Some(prompts)), "observation").await
}

#[derive(Deserialize)]
pub(super) struct SummarizeBody {
    #[serde(rename = "contentSessionId")]
    content_session_id: Option<String>,
    last_assistant_message: Option<String>,
}

impl SummarizeBody {
    fn into_work(self) -> Work {
        Work::Summarize {
            last_assistant_message: self.last_assistant_message.unwrap_or_default(),
        }
    }
}

/// `POST /sessions/:id/summarize`.
pub(super) async fn summarize(
    State(service): Service,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let id = number(&id)?;
    let body: SummarizeBody = parsed(&body)?;
    queue(&service, id, body.into_work(), "summarize").await
}

/// `POST /api/sessions/summarize`.
pub(super) async fn summarize_by_content_id(State(service): Service, body: Bytes) -> Answer {
    let body: SummarizeBody = parsed(&body)?;
    let content_session_id = required_text(body.content_session_id.as_ref(), "contentSessionId")?;
    let (id, prompts) = session_and_prompts(&service, content_session_id)?;
    if prompts == 0 {
        return Ok(skipped("private"));
    }
    queue(&service, id, body.into_work(), "summarize").await
}

/// `GET /sessions/:id/status`.
pub(super) async fn status(State(service): Service, Path(id): Path<String>) -> Answer {
    let id = number(&id)?;
    let answer = match service.sessions.get(id) {
        None => json!({"status": "not_found"}),
        Some(session) => json!({
            "status": "active",
            "sessionDbId": id,
            "project": *session.project(),
            "queueLength": service.sessions.pending(id),
            "uptime": session.uptime_ms(),
        }),
    };
    Ok(Json(answer).into_response())
}

/// `POST /sessions/:id/complete`: answers when the session's generators have ended.
pub(super) async fn complete(State(service): Service, Path(id): Path<String>) -> Answer {
    let id = number(&id)?;
    // A task of its own: a client that hangs up changes nothing.
    let ending = tokio::spawn(async move { completion::complete(&service, id).await });
    ending.await.map_err(ApiError::interrupted)?;
    Ok(Json(json!({"success": true})).into_response())
}

/// `DELETE /sessions/:id`: aborts the session.
pub(super) async fn delete(State(service): Service, Path(id): Path<String>) -> Answer {
    let id = number(&id)?;
    let ending = tokio::spawn(async move { completion::abort(&service, id).await });
    ending.await.map_err(ApiError::interrupted)?;
    Ok(Json(json!({"status": "deleted"})).into_response())
}

async fn queue(service: &Arc<WorkerService>, id: i64, work: Work, source: &str) -> Answer {
    requests::keep_waiting(service, id).await?;
    if let Some(refusal) = requests::refusal(service, id) {
        return Err(refusal);
    }
    if service.last_taken.has_taken(&service.settings, id, &work) {
        return Ok(Json(json!({"status": "queued"})).into_response());
    }
    let session = service.sessions.queue(id, work)?;
    generator::ensure_running(service, &session, source);
    Ok(Json(json!({"status": "queued"})).into_response())
}

fn skipped(reason: &str) -> Response {
    Json(json!({"status": "skipped", "reason": reason})).into_response()
}

/// The session's number, and how many of its prompts were saved: one that has none is private as a whole.
fn session_and_prompts(
    service: &WorkerService,
    content_session_id: &str,
) -> Result<(i64, u32), ApiError> {
    let mut memory = lock(&service.memory);
    let id = memory.session(content_session_id, "")?;
    Ok((id, memory.row(id).map_or(0, |row| row.prompts)))
}

fn required(value: Option<String>, name: &str) -> Result<String, ApiError> {
    value.ok_or_else(|| ApiError::bad_request(format!("Missing {name}")))
}

fn required_text<'a>(value: Option<&'a String>, name: &str) -> Result<&'a str, ApiError> {
    value
        .map(String::as_str)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| ApiError::bad_request(format!("Missing {name}")))
}

fn json_text(value: Option<&Value>) -> String {
    value.map_or_else(
        || "{}".to_owned(),
        |value| without_private(&value.to_string()),
    )
}
