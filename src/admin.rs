//! The HTTP side: what operators and orchestrators ask.

pub mod status;

use axum::{
    Router,
    extract::State,
    http::{HeaderName, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

use crate::admin::status::Status;

/// Answers on `listener` for as long as the process lives.
pub async fn serve(listener: TcpListener, status: Status) {
    let routes = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/status", get(show))
        .with_state(status);
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "the HTTP listener ended");
    }
}

async fn readyz(State(status): State<Status>) -> impl IntoResponse {
    if *status.ready.borrow() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

async fn metrics(State(status): State<Status>) -> Response {
    let text = aside(move || status.metrics()).await;
    text.map(|text| (METRICS, text)).into_response()
}

async fn show(State(status): State<Status>) -> Response {
    let report = aside(move || serde_json::to_string(&status.report()).map_err(|_| FAILED));
    report.await.flatten().map(|json| (JSON, json)).into_response()
}

/// What lists every provider takes long where there are many: beside the threads that answer.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StatusCode> {
    tokio::task::spawn_blocking(work).await.map_err(|_| FAILED)
}

const FAILED: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;
const METRICS: [(HeaderName, &str); 1] =
    [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
const JSON: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "application/json")];
