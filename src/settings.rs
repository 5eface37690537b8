//! What flags and environment fix for the life of the process. The config file is not here.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

/// Settings of `serve`. Each flag has an environment twin: `--http-listen` is
/// `CLAIMGATE_HTTP_LISTEN`.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// The config: a YAML or JSON file, or a folder of them
    #[arg(long, env = "CLAIMGATE_CONFIG", value_name = "PATH")]
    pub config: PathBuf,

    /// Where Envoy asks; may be repeated
    #[arg(
        long,
        env = "CLAIMGATE_GRPC_LISTEN",
        value_name = "ADDRESS",
        value_delimiter = ',',
        default_value = "127.0.0.1:9191"
    )]
    pub grpc_listen: Vec<SocketAddr>,

    /// Where /healthz, /readyz, /metrics and /status are
    #[arg(
        long,
        env = "CLAIMGATE_HTTP_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9192"
    )]
    pub http_listen: SocketAddr,

    /// The namespace of the route metadata that carries the policy
    #[arg(
        long,
        env = "CLAIMGATE_METADATA_NAMESPACE",
        value_name = "NAME",
        default_value = "claimgate"
    )]
    pub metadata_namespace: String,

    /// How the log is written to stderr
    #[arg(long, env = "CLAIMGATE_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,

    /// error, warn, info, debug or trace
    #[arg(long, env = "CLAIMGATE_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub log_level: String,

    /// Ready after this time even if an issuer has not answered yet
    #[arg(long, env = "CLAIMGATE_READY_TIMEOUT", value_name = "DURATION", default_value = "5s",
        value_parser = duration)]
    pub ready_timeout: Duration,

    /// Between "not ready" and the end of new connections, at a stop
    #[arg(long, env = "CLAIMGATE_DRAIN_SETTLE", value_name = "DURATION", default_value = "5s",
        value_parser = duration)]
    pub drain_settle: Duration,

    /// A stop takes at most this long
    #[arg(long, env = "CLAIMGATE_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "15s",
        value_parser = duration)]
    pub drain_timeout: Duration,

    /// Bytes that verified tokens may take; 0 turns the cache off
    #[arg(long, env = "CLAIMGATE_TOKEN_CACHE_SIZE", value_name = "BYTES",
        default_value_t = 64 * 1024 * 1024)]
    pub token_cache_size: u64,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Settings {
    /// Settings for a server on loopback with ports from the system.
    #[must_use]
    pub fn loopback(config: PathBuf) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            config,
            grpc_listen: vec![any],
            http_listen: any,
            metadata_namespace: "claimgate".to_owned(),
            log_format: LogFormat::Text,
            log_level: "warn".to_owned(),
            ready_timeout: Duration::from_secs(5),
            drain_settle: Duration::ZERO,
            drain_timeout: Duration::from_secs(5),
            token_cache_size: 64 * 1024 * 1024,
        }
    }

    /// What clap cannot check of one value alone.
    ///
    /// # Errors
    /// A sentence for the user.
    pub fn checked(self) -> Result<Self, String> {
        if self.drain_settle > self.drain_timeout / 3 {
            return Err("--drain-settle is at most a third of --drain-timeout".to_owned());
        }
        Ok(self)
    }
}

/// `30s`, `10m`, `24h`.
fn duration(text: &str) -> Result<Duration, String> {
    crate::duration::parse(text).ok_or_else(|| {
        "not a duration; accepted are whole seconds, minutes or hours: 30s, 10m, 24h".to_owned()
    })
}
