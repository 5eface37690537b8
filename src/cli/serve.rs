//! `claimgate serve`: start, wait for a signal, drain.

use std::{process::ExitCode, sync::Arc};

use tokio::signal::unix::{SignalKind, signal};

use crate::{jwks::fetch::HttpFetch, server::Server, settings::Settings, telemetry};

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(settings: Settings) -> ExitCode {
    let settings = match settings.checked() {
        Ok(settings) => settings,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::from(2);
        }
    };
    telemetry::init(settings.log_format, settings.log_level);
    let served = tokio::runtime::Runtime::new()
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(serve(settings)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> Result<(), String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let server =
        Server::start(settings, Arc::new(HttpFetch)).await.map_err(|error| error.to_string())?;
    for address in &server.listens_at {
        tracing::info!(%address, "gRPC");
    }
    tracing::info!(address = %server.http, "HTTP");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("draining");
    server.stop().await;
    Ok(())
}
