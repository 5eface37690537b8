//! `claimgate serve`: start, wait for a signal, drain.

use std::{process::ExitCode, sync::Arc, time::Duration};

use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

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
    let served = Runtime::new()
        .map_err(|error| error.to_string())
        .and_then(|runtime| to_its_end(runtime, serve(settings)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Runs `work`, and then leaves what still runs beside it: a name that does not resolve or a disk
/// that hangs would keep the process for as long.
fn to_its_end<T>(runtime: Runtime, work: impl Future<Output = T>) -> T {
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(GRACE);
    done
}

/// Enough to write a key set to a disk that is well.
const GRACE: Duration = Duration::from_millis(100);

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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::spawn_blocking;

    use super::*;

    #[test]
    fn what_hangs_beside_it_does_not_keep_the_process() {
        let (hold, held) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel();
        let work = async {
            spawn_blocking(move || {
                begun.send(()).unwrap();
                // For as long as this test lives.
                let _ = held.recv();
            });
            begins.recv().unwrap();
            1
        };
        assert_eq!(to_its_end(Runtime::new().unwrap(), work), 1);
        drop(hold);
    }
}
