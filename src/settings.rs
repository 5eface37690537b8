//! What flags and environment fix for the life of the process. The config file is not here.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, ValueEnum};

/// Settings of `serve`. Each flag has an environment twin: `--http-listen` is
/// `CLAIMGATE_HTTP_LISTEN`.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// The config: a YAML or JSON file, or a folder of them
    #[arg(long, env = "CLAIMGATE_CONFIG", value_name = "PATH")]
    pub config: PathBuf,

    /// Where Envoy asks: IP:PORT, or unix:/path; may be repeated
    #[arg(
        long,
        env = "CLAIMGATE_GRPC_LISTEN",
        value_name = "ADDRESS",
        value_delimiter = ',',
        default_value = "127.0.0.1:9191"
    )]
    pub grpc_listen: Vec<GrpcAddress>,

    /// Permissions of a unix socket, octal
    #[arg(
        long,
        env = "CLAIMGATE_SOCKET_MODE",
        value_name = "MODE",
        default_value = "0660",
        value_parser = socket_mode
    )]
    pub socket_mode: u32,

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

    /// What is logged of claimgate itself; libraries log warnings and errors
    #[arg(long, env = "CLAIMGATE_LOG_LEVEL", value_enum, default_value = "info")]
    pub log_level: LogLevel,

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

    /// Where each good key set is kept for a restart; without it nothing is
    #[arg(long, env = "CLAIMGATE_STATE_DIR", value_name = "PATH")]
    pub state_dir: Option<PathBuf>,

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

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What is broken.
    Error,
    /// What needs attention.
    Warn,
    /// What changes.
    Info,
    /// Every check, too.
    Debug,
    /// As debug.
    Trace,
}

/// An address of the gRPC service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrpcAddress {
    /// A TCP port; 0 lets the system choose.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl GrpcAddress {
    /// The TCP address, if it is one.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl FromStr for GrpcAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(_) => Err("not an absolute path; accepted is unix:/path".to_owned()),
            None => text.parse().map(Self::Tcp).map_err(|_| {
                "not an address; accepted are IP:PORT, [IPv6]:PORT and unix:/path".to_owned()
            }),
        }
    }
}

impl fmt::Display for GrpcAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Settings {
    /// Settings for a server on loopback with ports from the system.
    #[must_use]
    pub fn loopback(config: PathBuf) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            config,
            grpc_listen: vec![GrpcAddress::Tcp(any)],
            socket_mode: 0o660,
            http_listen: any,
            metadata_namespace: "claimgate".to_owned(),
            log_format: LogFormat::Text,
            log_level: LogLevel::Warn,
            ready_timeout: Duration::from_secs(5),
            drain_settle: Duration::ZERO,
            drain_timeout: Duration::from_secs(5),
            state_dir: None,
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

/// Octal permissions, such as `0660`.
fn socket_mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| "not a mode; accepted are 000 to 0777, octal".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let read = text.parse::<GrpcAddress>().ok().map(|address| address.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    }

    #[test]
    fn addresses_are_ports_or_absolute_sockets() {
        check("127.0.0.1:9191", Some("127.0.0.1:9191"));
        check("[::1]:0", Some("[::1]:0"));
        check("unix:/run/claimgate.sock", Some("unix:/run/claimgate.sock"));
        for text in ["", "9191", ":9191", "127.0.0.1", "unix:", "unix:claimgate.sock", "tcp:1"] {
            check(text, None);
        }
    }

    #[test]
    fn a_socket_mode_is_octal() {
        assert_eq!(socket_mode("0660"), Ok(0o660));
        for text in ["", "rw", "888", "01000", "-1"] {
            assert!(socket_mode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_settle_time_is_at_most_a_third_of_the_drain() {
        let mut settings = Settings::loopback(PathBuf::new());
        settings.drain_timeout = Duration::from_secs(15);
        settings.drain_settle = Duration::from_secs(5);
        assert!(settings.clone().checked().is_ok());
        settings.drain_settle = Duration::from_secs(6);
        assert!(settings.checked().is_err());
    }
}
