//! What operators see: the log's set-up, the metrics, and the references that were not found.

pub mod metrics;
pub mod references;

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt};

use crate::settings::LogFormat;

/// Sends the log to stderr. Called once, by `main`.
///
/// `level` is a level or a filter directive list such as `info,claimgate=debug`; one that cannot
/// be read means `info`.
pub fn init(format: LogFormat, level: &str) {
    // Envoy's and the client library's own spans would carry request data at trace level.
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = fmt::Subscriber::builder()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter);
    // A second subscriber in one process is refused; the first one stays.
    let _ = match format {
        LogFormat::Text => tracing::subscriber::set_global_default(log.finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(log.json().finish()),
    };
}
