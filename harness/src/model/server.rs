//! The HTTP server: which path goes where, the requests about the daemon itself, and how errors look.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, body::Bytes};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinError;

use super::data_routes;
use super::json_lines::StoreError;
use super::quirks::probe_storm;
use super::routes;
use super::service::WorkerService;
use super::sessions::SessionError;

/// The largest body that is read: as in v9.0.0.
const BODY_LIMIT: usize = 50 << 20;

/// All routes.
pub(super) fn router(service: Arc<WorkerService>) -> Router {
    Router::new()
        .route("/api/sessions/init", post(routes::init_by_content_id))
        .route(
            "/api/sessions/observations",
            post(routes::observation_by_content_id),
        )
        .route(
            "/api/sessions/summarize",
            post(routes::summarize_by_content_id),
        )
        .route("/sessions/{id}/init", post(routes::init))
        .route("/sessions/{id}/observations", post(routes::observation))
        .route("/sessions/{id}/summarize", post(routes::summarize))
        .route("/sessions/{id}/status", get(routes::status))
        .route("/sessions/{id}/complete", post(routes::complete))
        .route("/sessions/{id}", delete(routes::delete))
        .route("/api/observations", get(data_routes::observations))
        .route("/api/summaries", get(data_routes::summaries))
        .route("/api/prompts", get(data_routes::prompts))
        .route(
            "/api/processing-status",
            get(data_routes::processing_status),
        )
        .route("/api/pending-queue", get(data_routes::pending_queue))
        .route("/api/stats", get(data_routes::stats))
        .route("/api/health", get(health))
        .route("/api/readiness", get(readiness))
        .route("/api/version", get(version))
        .route("/api/admin/shutdown", post(shutdown))
        .layer(from_fn_with_state(Arc::clone(&service), probed))
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(service)
}

/// Any request, with whatever a quirk does at each.
async fn probed(
    State(service): State<Arc<WorkerService>>,
    request: Request,
    next: Next,
) -> Response {
    probe_storm::probe(&service);
    next.run(request).await
}

async fn health() -> Json<Value> {
    Json(json!({
        "status": "ok",
        "managed": false,
        "hasIpc": false,
        "platform": std::env::consts::OS,
        "pid": std::process::id(),
        "initialized": true,
        "mcpReady": true,
    }))
}

/// The daemon listens only when it is ready, so it never answers anything else.
async fn readiness() -> Json<Value> {
    Json(json!({"status": "ready", "mcpReady": true}))
}

async fn version() -> Json<Value> {
    Json(json!({"version": env!("CARGO_PKG_VERSION")}))
}

async fn shutdown(State(service): State<Arc<WorkerService>>) -> Json<Value> {
    service.stop.notify_one();
    Json(json!({"status": "shutting_down"}))
}

async fn not_found(method: Method, uri: Uri) -> Response {
    let body = json!({"error": "NotFound", "message": format!("Cannot {method} {}", uri.path())});
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    message: String,
}

impl ApiError {
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: message.into(),
        }
    }

    /// The daemon has too much to do.
    pub(super) fn busy(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            message: message.into(),
        }
    }

    /// The task that worked on the request is gone, because the daemon is.
    pub(super) fn interrupted(error: JoinError) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            message: error.to_string(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.message}))).into_response()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            message: error.to_string(),
        }
    }
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Unknown(_) => Self {
                status: StatusCode::NOT_FOUND,
                message: error.to_string(),
            },
            SessionError::Store(error) => error.into(),
        }
    }
}

/// Reads a JSON body, whatever its content type says. No body means an empty object.
pub(super) fn parsed<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(text)
        .map_err(|error| ApiError::bad_request(format!("Invalid body: {error}")))
}

/// Reads the number of a session.
pub(super) fn number(text: &str) -> Result<i64, ApiError> {
    text.parse()
        .map_err(|_| ApiError::bad_request("Invalid sessionDbId"))
}
