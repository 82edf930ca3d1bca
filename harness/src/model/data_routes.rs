//! DataRoutes: what is stored, and how much is being worked on.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::lock;
use super::memory::Kind;
use super::server::ApiError;
use super::service::WorkerService;

const DEFAULT_LIMIT: i64 = 20;
const HIGHEST_LIMIT: i64 = 100;

type Service = State<Arc<WorkerService>>;
type Parameters = Query<HashMap<String, String>>;

/// `GET /api/observations`.
pub(super) async fn observations(
    State(service): Service,
    Query(parameters): Parameters,
) -> Result<Response, ApiError> {
    page(&service, Kind::Observations, &parameters)
}

/// `GET /api/summaries`.
pub(super) async fn summaries(
    State(service): Service,
    Query(parameters): Parameters,
) -> Result<Response, ApiError> {
    page(&service, Kind::Summaries, &parameters)
}

/// `GET /api/prompts`.
pub(super) async fn prompts(
    State(service): Service,
    Query(parameters): Parameters,
) -> Result<Response, ApiError> {
    page(&service, Kind::Prompts, &parameters)
}

/// `GET /api/processing-status`. Items in flight count; v9.0.0, which forgets an item when it delivers it, shows none of them.
pub(super) async fn processing_status(State(service): Service) -> Json<Value> {
    let depth = service.sessions.total_pending();
    Json(json!({"isProcessing": depth > 0, "queueDepth": depth}))
}

/// `GET /api/pending-queue`: what waits to be delivered, also for sessions that are not active.
pub(super) async fn pending_queue(State(service): Service) -> Json<Value> {
    let messages: Vec<_> = service
        .sessions
        .all_waiting()
        .into_iter()
        .map(|item| {
            json!({
                "id": item.id,
                "session_db_id": item.session,
                "status": "pending",
                "created_at_epoch": item.created_at_epoch,
                "message": item.work,
            })
        })
        .collect();
    Json(json!({"queue": {"totalPending": messages.len(), "messages": messages}}))
}

/// `GET /api/stats`.
pub(super) async fn stats(State(service): Service) -> Json<Value> {
    let memory = lock(&service.memory);
    let counts = memory.counts();
    Json(json!({
        "worker": {
            "version": env!("CARGO_PKG_VERSION"),
            "uptime": service.started.elapsed().as_secs(),
            "activeSessions": service.sessions.active_count(),
            "sseClients": 0,
            "port": service.port,
        },
        "database": {
            "path": memory.folder(),
            "size": counts.bytes,
            "observations": counts.observations,
            "sessions": counts.sessions,
            "summaries": counts.summaries,
        },
    }))
}

fn page(
    service: &WorkerService,
    kind: Kind,
    parameters: &HashMap<String, String>,
) -> Result<Response, ApiError> {
    // What is no number, and zero, mean the default, as in v9.0.0.
    let number = |name: &str| {
        parameters
            .get(name)
            .and_then(|text| text.parse::<i64>().ok())
            .filter(|number| *number != 0)
    };
    let limit = number("limit").unwrap_or(DEFAULT_LIMIT).min(HIGHEST_LIMIT);
    let offset = number("offset").unwrap_or(0);
    let project = parameters
        .get("project")
        .map(String::as_str)
        .filter(|project| !project.is_empty());
    let count = |number: i64| usize::try_from(number).unwrap_or(0);
    let (lines, more) = lock(&service.memory).page(kind, project, count(offset), count(limit))?;

    // The lines are JSON already.
    let mut body = b"{\"items\":[".to_vec();
    body.extend(lines.join(&b','));
    body.extend(
        format!("],\"hasMore\":{more},\"offset\":{offset},\"limit\":{limit}}}").into_bytes(),
    );
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}
