//! A server as a process of its own: its port, its CPU time, its memory.

use std::{
    ffi::OsStr,
    fs::{self, DirEntry},
    io,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running server; dropping it ends it.
pub(crate) struct Process {
    child: Child,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    /// From the start of the process to the first connection it took.
    pub(crate) started_in: Duration,
}

impl Process {
    /// This program itself, as the server that these arguments name.
    pub(crate) async fn own(server: &str, arguments: &[&OsStr]) -> Self {
        let (grpc, http) = (free_port(), free_port());
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([server, &grpc.port().to_string()]).args(arguments);
        Self::start(command, grpc, http).await
    }

    pub(crate) async fn claimgate(config: &Path, cache: &str) -> Self {
        let (grpc, http) = (free_port(), free_port());
        let mut command = Command::new(env!("CARGO_BIN_EXE_claimgate"));
        command.arg("serve").arg("--config").arg(config);
        command.args(["--token-cache-size", cache, "--log-level", "warn"]);
        command.args(["--grpc-listen", &grpc.to_string(), "--http-listen", &http.to_string()]);
        Self::start(command, grpc, http).await
    }

    async fn start(mut command: Command, grpc: SocketAddr, http: SocketAddr) -> Self {
        let begun = Instant::now();
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while tokio::net::TcpStream::connect(grpc).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{command:?} does not listen");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Self { child, grpc, http, started_in: begun.elapsed() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// User and system time of its threads so far, in seconds. `stat` counts in hundredths only.
    pub(crate) fn cpu(&self) -> f64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let nanoseconds = |thread: io::Result<DirEntry>| {
            // A thread may end meanwhile.
            let seen = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            seen.split_whitespace().next()?.parse::<f64>().ok()
        };
        threads.filter_map(nanoseconds).sum::<f64>() / 1e9
    }

    /// Resident memory in MiB.
    pub(crate) fn memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
