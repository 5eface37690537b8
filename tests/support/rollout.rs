//! Two servers behind a real Envoy, replaced one after the other while requests come at a fixed rate.

use std::{
    net::SocketAddr,
    path::Path,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::body::{Body, to_bytes};
use claimgate::cli::demo::{
    envoy::{self, Envoy},
    http::{exchange, get},
    upstream::Upstream,
};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::support::{claims, config, keys::ES256, provider};

const ISSUER: &str = "https://issuer.example";

/// What is done.
pub(crate) struct Plan {
    /// How many times one of the two is stopped and started again.
    pub(crate) rolls: usize,
    /// Requests a second, over all connections.
    pub(crate) rate: u32,
    /// Connections to Envoy.
    pub(crate) connections: u32,
    /// `--drain-settle`; longer than Envoy takes to act on a server that is not ready: the interval
    /// of its health checks and `update_merge_window`, in which it gathers changes (1 s by default).
    pub(crate) settle: &'static str,
    /// The interval of Envoy's health checks.
    pub(crate) health_interval: &'static str,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Figure {
    /// Requests that were sent.
    pub(crate) sent: u64,
    /// What those got that were not answered with 200, and when.
    pub(crate) failed: Vec<String>,
}

/// Starts everything, carries the plan out and counts. `claimgate` and `envoy` are binaries.
pub(crate) async fn roll(claimgate: &str, envoy: &Path, plan: &Plan) -> Figure {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("claimgate.yaml");
    let provider = provider("a", ISSUER, &ES256.jwks());
    std::fs::write(&file, config(&[provider], "providers: [a]")).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut servers = [
        Process::start(claimgate, &file, any, plan.settle).await,
        Process::start(claimgate, &file, any, plan.settle).await,
    ];
    let upstream = Upstream::start().await.unwrap();
    let addresses = [servers[0].grpc, servers[1].grpc];
    let config = two_endpoints(addresses, upstream.address, plan.health_interval);
    let envoy = Envoy::start(envoy, &config).await.unwrap();
    healthy(&envoy, addresses).await;

    let load = Load::start(envoy.listener, plan).await;
    for number in 0..plan.rolls {
        let server = &mut servers[number % 2];
        server.stop().await;
        *server = Process::start(claimgate, &file, server.grpc, plan.settle).await;
        healthy(&envoy, addresses).await;
    }
    load.end().await
}

/// One `claimgate serve`.
struct Process {
    child: Child,
    grpc: SocketAddr,
}

impl Process {
    /// Starts it and waits until it is ready.
    async fn start(claimgate: &str, config: &Path, grpc: SocketAddr, settle: &str) -> Self {
        let mut child = Command::new(claimgate)
            .args(["serve", "--log-format", "json", "--http-listen", "127.0.0.1:0"])
            .args(["--drain-settle", settle, "--drain-timeout", "15s"])
            .args(["--grpc-listen", &grpc.to_string()])
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut listens = None;
        loop {
            let line = lines.next_line().await.unwrap().expect("it ended before it was ready");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            match line["fields"]["message"].as_str() {
                Some("gRPC") => listens = line["fields"]["address"].as_str().map(str::to_owned),
                Some("ready") => break,
                _ => {}
            }
        }
        // "ready" may come before the address is logged.
        while listens.is_none() {
            let line = lines.next_line().await.unwrap().expect("it ended before it said where");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["fields"]["message"] == "gRPC" {
                listens = line["fields"]["address"].as_str().map(str::to_owned);
            }
        }
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, grpc: listens.unwrap().parse().unwrap() }
    }

    /// SIGTERM, and a drained stop.
    async fn stop(&mut self) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        let status = self.child.wait().await.unwrap();
        assert!(status.success(), "a drained stop exits with 0: {status}");
    }
}

/// The example's listener with two claimgates.
fn two_endpoints(claimgates: [SocketAddr; 2], upstream: SocketAddr, health: &str) -> String {
    let config = envoy::config(claimgates[0], upstream);
    let port = |address: SocketAddr| format!("port_value: {} ", address.port());
    let first = config.lines().find(|line| line.contains(&port(claimgates[0]))).unwrap();
    let second = first.replace(&port(claimgates[0]), &port(claimgates[1]));
    let intervals = "      interval: 1s\n      no_traffic_interval: 1s\n";
    assert_eq!(config.matches(intervals).count(), 1);
    let host = "            - name: upstream\n";
    assert_eq!(config.matches(host).count(), 1);
    let details = r#"[{ header: { key: x-details, value: "%RESPONSE_CODE_DETAILS%" } }]"#;
    config
        .replace(host, &format!("{host}              response_headers_to_add: {details}\n"))
        .replace(first, &format!("{first}\n{second}"))
        .replace(intervals, &intervals.replace("1s", health))
}

/// Waits until Envoy sends to both.
async fn healthy(envoy: &Envoy, claimgates: [SocketAddr; 2]) {
    let mut looks = interval(Duration::from_millis(20));
    loop {
        looks.tick().await;
        let clusters = exchange(envoy.admin, get("/clusters", &[]).unwrap()).await.unwrap();
        let is_healthy = |address: &SocketAddr| {
            let line = format!("claimgate::{address}::health_flags::healthy");
            clusters.body().lines().any(|l| l == line)
        };
        if claimgates.iter().all(is_healthy) {
            return;
        }
    }
}

/// Requests on a schedule that does not wait for the answers of other connections.
struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    failed: Arc<Mutex<Vec<String>>>,
    connections: JoinSet<()>,
}

impl Load {
    async fn start(to: SocketAddr, plan: &Plan) -> Self {
        let (stop, sent) = <(Arc<AtomicBool>, Arc<AtomicU64>)>::default();
        let (failed, began) = (Arc::<Mutex<Vec<String>>>::default(), Instant::now());
        let mut connections = JoinSet::new();
        let bearer = format!("Bearer {}", ES256.token(&claims(ISSUER)));
        for _ in 0..plan.connections {
            let stream = TcpStream::connect(to).await.unwrap();
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let mut schedule = interval(Duration::from_secs(1) * plan.connections / plan.rate);
            // A late request is made up for, so that the rate holds.
            schedule.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let (stop, sent, failed, bearer) =
                (stop.clone(), sent.clone(), failed.clone(), bearer.clone());
            connections.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    schedule.tick().await;
                    sent.fetch_add(1, Ordering::Relaxed);
                    let asked = began.elapsed();
                    if let Err(got) = send(&mut sender, &bearer).await {
                        let after = began.elapsed();
                        let failure = format!("{got}, asked at {asked:?}, answered at {after:?}");
                        failed.lock().unwrap().push(failure);
                    }
                }
            });
        }
        Self { stop, sent, failed, connections }
    }

    async fn end(mut self) -> Figure {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.connections.join_next().await {
            ended.unwrap();
        }
        let failed = std::mem::take(&mut *self.failed.lock().unwrap());
        Figure { sent: self.sent.load(Ordering::Relaxed), failed }
    }
}

/// One request; what it got where that was not 200.
async fn send(sender: &mut SendRequest<Body>, bearer: &str) -> Result<(), String> {
    let broken = |error: hyper::Error| error.to_string();
    sender.ready().await.map_err(broken)?;
    let request = get("/", &[("authorization", bearer)]).map_err(|error| error.to_string())?;
    let (parts, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
    to_bytes(Body::new(body), 1 << 20).await.map_err(|error| error.to_string())?;
    if parts.status == 200 {
        return Ok(());
    }
    Err(format!("{}: {:?}", parts.status, parts.headers.get("x-details")))
}
