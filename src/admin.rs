//! The HTTP side: what operators and orchestrators ask.

pub mod status;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
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

async fn metrics(State(status): State<Status>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], status.metrics())
}

async fn show(State(status): State<Status>) -> impl IntoResponse {
    match serde_json::to_string(&status.report()) {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
