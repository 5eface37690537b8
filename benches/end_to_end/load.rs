//! The load: closed loops, which keep a server busy, and open schedules, which do not wait for it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use bytes::Bytes;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    net::TcpStream,
    sync::mpsc::{self, UnboundedReceiver},
    task::JoinSet,
};

/// What one run did.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) requests: usize,
    pub(crate) elapsed: Duration,
    /// Sorted; for an open schedule since the intended time.
    pub(crate) latencies: Vec<Duration>,
}

impl Outcome {
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that this part of the requests did not exceed, in milliseconds.
    pub(crate) fn percentile(&self, part: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let index = (last as f64 * part).round() as usize;
        self.latencies.get(index).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

type Sender = http2::SendRequest<Body>;

async fn connect(address: SocketAddr) -> Sender {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let executor = TokioExecutor::new();
    let (sender, connection) = http2::Builder::new(executor)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

/// Sends one frame; anything but an allow ends the benchmark.
async fn check(sender: &mut Sender, frame: Bytes) {
    let request = Request::post("http://claimgate/envoy.service.auth.v3.Authorization/Check")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::from(frame))
        .unwrap();
    sender.ready().await.unwrap();
    let response = sender.send_request(request).await.unwrap();
    let body = to_bytes(Body::new(response.into_body()), 1 << 20).await.unwrap();
    let message = body.get(5..).unwrap_or_default();
    let allowed = message.starts_with(&[0x0A, 0]) || message.starts_with(&[0x0A, 2, 8, 0]);
    assert!(allowed, "not an allow: {}", String::from_utf8_lossy(message));
}

/// `count` checks in rotation, as fast as they are answered: 4 connections of 16 streams.
pub(crate) async fn closed(address: SocketAddr, frames: &Arc<Vec<Bytes>>, count: usize) -> Outcome {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    let mut senders = Vec::new();
    for _ in 0..4 {
        senders.push(connect(address).await);
    }
    let begun = Instant::now();
    for sender in senders.iter().cycle().take(64) {
        let (mut sender, frames, next) = (sender.clone(), frames.clone(), next.clone());
        tasks.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    break;
                }
                check(&mut sender, frames[n % frames.len()].clone()).await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    Outcome { requests: count, elapsed: begun.elapsed(), latencies: Vec::new() }
}

/// `rate` checks a second, due in ticks of a millisecond whether earlier ones were answered or not.
pub(crate) async fn open(
    address: SocketAddr,
    frames: &Arc<Vec<Bytes>>,
    rate: f64,
    seconds: u64,
) -> Outcome {
    let mut senders = Vec::new();
    for _ in 0..4 {
        senders.push(connect(address).await);
    }
    let begun = Instant::now();
    let (mut sent, mut tasks) = (0, Vec::new());
    let mut ticks = ticks(begun, seconds * 1000);
    while let Some((tick, due)) = ticks.recv().await {
        while (sent as f64) < rate * tick as f64 / 1000.0 {
            let mut sender = senders[sent % senders.len()].clone();
            let frame = frames[sent % frames.len()].clone();
            tasks.push(tokio::spawn(async move {
                check(&mut sender, frame).await;
                due.elapsed()
            }));
            sent += 1;
        }
    }
    let mut latencies = Vec::with_capacity(tasks.len());
    for task in tasks {
        latencies.push(task.await.unwrap());
    }
    latencies.sort();
    Outcome { requests: sent, elapsed: begun.elapsed(), latencies }
}

/// Ticks of a millisecond and when they were due, from a thread of their own: tokio's timer has ticks
/// of a millisecond, too, whose distance to these would be another in each run.
fn ticks(begun: Instant, count: u64) -> UnboundedReceiver<(u64, Instant)> {
    let (ticker, ticks) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for tick in 1..=count {
            let due = begun + Duration::from_millis(tick);
            while Instant::now() < due {
                thread::park_timeout(due.saturating_duration_since(Instant::now()));
            }
            if ticker.send((tick, due)).is_err() {
                break;
            }
        }
    });
    ticks
}

/// `count` GETs through Envoy, each with the next token from the one numbered `first`, over 16
/// connections.
pub(crate) async fn through_envoy(
    address: SocketAddr,
    tokens: &Arc<Vec<String>>,
    first: usize,
    count: usize,
) -> Outcome {
    let next = Arc::new(AtomicUsize::new(first));
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..16 {
        let (tokens, next) = (tokens.clone(), next.clone());
        tasks.spawn(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= first + count {
                    break;
                }
                let request = Request::get("/orders/42")
                    .header("host", "api.example.com")
                    .header("authorization", format!("Bearer {}", tokens[n % tokens.len()]))
                    .body(Body::empty())
                    .unwrap();
                let response = sender.send_request(request).await.unwrap();
                assert_eq!(response.status(), 200, "not let through");
                to_bytes(Body::new(response.into_body()), 1 << 20).await.unwrap();
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    Outcome { requests: count, elapsed: begun.elapsed(), latencies: Vec::new() }
}
