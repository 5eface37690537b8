//! What operators see: the log's set-up, the metrics, and the references that were not found.

pub mod metrics;
pub mod references;

use std::io::{IsTerminal as _, stderr};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer as _, Registry,
    filter::Targets,
    fmt,
    layer::{Layered, SubscriberExt as _},
};

use crate::settings::{LogFormat, LogLevel};

/// Sends the log to stderr. Called once, by a command.
///
/// Libraries log warnings and errors alone, whatever `level` is: at lower levels they would write
/// what clients sent.
pub fn init(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let libraries = level.min(LevelFilter::WARN);
    let filter = Targets::new().with_default(libraries).with_target("claimgate", level);
    let log = fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
    // A second subscriber in one process is refused; the first one stays.
    let _ = match format {
        LogFormat::Text => install(Registry::default().with(log.with_filter(filter))),
        LogFormat::Json => install(Registry::default().with(log.json().with_filter(filter))),
    };
}

fn install<L>(subscriber: Layered<L, Registry>) -> bool
where
    Layered<L, Registry>: tracing::Subscriber + Send + Sync,
    L: Send + Sync + 'static,
{
    tracing::subscriber::set_global_default(subscriber).is_ok()
}
