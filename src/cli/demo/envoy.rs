//! A real Envoy as a child process, with the listener of `envoy/envoy.yaml`.

use std::{
    env, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::cli::demo::http::{exchange, get};

/// The listener that users copy.
pub const CONFIG: &str = include_str!("../../../envoy/envoy.yaml");

/// How long Envoy may take to start.
const START: Duration = Duration::from_secs(60);

/// A running Envoy. Dropping it ends it.
pub struct Envoy {
    /// Where clients connect.
    pub listener: SocketAddr,
    /// Its admin interface.
    pub admin: SocketAddr,
    _child: Child,
    _folder: TempDir,
}

/// An Envoy binary: `ENVOY_BIN`, then `PATH`, then where `envoy/fetch` puts one.
#[must_use]
pub fn find() -> Option<PathBuf> {
    if let Some(named) = env::var_os("ENVOY_BIN") {
        return Some(PathBuf::from(named)).filter(|path| path.is_file());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path).map(|folder| folder.join("envoy"));
    let exe = env::current_exe().unwrap_or_default();
    let fetched =
        exe.ancestors().skip(1).take(3).map(|folder| folder.join("envoy/envoy/_bin/envoy"));
    in_path.chain(fetched).find(|path| path.is_file())
}

/// [`CONFIG`] with the ports of a run: claimgate's, the upstream's, and the system's choice for
/// Envoy itself.
#[must_use]
pub fn config(claimgate: SocketAddr, upstream: SocketAddr) -> String {
    let port = |port: u16| format!("port_value: {port} ");
    CONFIG
        .replace(&port(9901), &port(0))
        .replace(&port(10000), &port(0))
        .replace(&port(9191), &port(claimgate.port()))
        .replace(&port(8080), &port(upstream.port()))
}

impl Envoy {
    /// Starts `binary` with `config` and waits until it listens.
    ///
    /// # Errors
    /// If it does not start; what it logged is in the error.
    pub async fn start(binary: &Path, config: &str) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (file, admin) = (folder.path().join("envoy.yaml"), folder.path().join("admin"));
        std::fs::write(&file, config)?;
        let mut child = Command::new(binary)
            .arg("--config-path")
            .arg(&file)
            .arg("--admin-address-path")
            .arg(&admin)
            .args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "info"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let started = tokio::time::timeout(START, started(&mut child)).await;
        started.map_err(|_| io::Error::other("Envoy did not start in time"))??;
        let admin = std::fs::read_to_string(&admin)?;
        let admin: SocketAddr = admin.trim().parse().map_err(io::Error::other)?;
        let listeners = exchange(admin, get("/listeners?format=json", &[])?).await?;
        let listeners: Value = serde_json::from_str(listeners.body())?;
        let port =
            listeners.pointer("/listener_statuses/0/local_address/socket_address/port_value");
        let port = port.and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
        let port = port.ok_or_else(|| io::Error::other("Envoy has no listener"))?;
        let listener = SocketAddr::from(([127, 0, 0, 1], port));
        Ok(Self { listener, admin, _child: child, _folder: folder })
    }
}

/// Reads Envoy's log until its workers start; goes on reading, so that it never blocks on a full
/// pipe.
async fn started(child: &mut Child) -> io::Result<()> {
    let stderr = child.stderr.take().ok_or_else(|| io::Error::other("no stderr"))?;
    let mut lines = BufReader::new(stderr).lines();
    let mut log = String::new();
    while let Some(line) = lines.next_line().await? {
        if line.contains("all dependencies initialized. starting workers") {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(());
        }
        log.push_str(&line);
        log.push('\n');
    }
    Err(io::Error::other(format!("Envoy ended at its start:\n{log}")))
}
