//! The gRPC listener: accept, HTTP/2, GOAWAY.
//!
//! It does not look into requests (`server/connection.rs`).

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{server::conn::http2, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{net::TcpListener, sync::watch};
use tonic_health::pb::health_server::{Health, HealthServer};

use crate::{grpc::Authorizer, server::connection};

/// A burst of Envoy's time-outs resets many streams at once; the default of 20 would close the
/// connection and fail the checks that are well.
const MAX_RESETS: usize = 4096;
/// Streams of one connection at once.
const MAX_STREAMS: u32 = 4096;
/// Per-stream and per-connection windows: a CheckRequest with a body fits.
const WINDOW: u32 = 1024 * 1024;
/// How long to pause where the system has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound port that does not answer yet.
pub struct Listener {
    tcp: TcpListener,
}

impl Listener {
    /// Binds `address`; port 0 lets the system choose.
    ///
    /// # Errors
    /// The system's, if it cannot be bound.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(address).await.map(|tcp| Self { tcp })
    }

    /// The address, with the port that the system chose.
    ///
    /// # Errors
    /// The system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until `stop` is true, then sends GOAWAY on every connection and waits for what is
    /// in flight.
    pub async fn serve<H: Health>(
        self,
        authorizer: Arc<Authorizer>,
        health: HealthServer<H>,
        mut stop: watch::Receiver<bool>,
    ) {
        let connections = GracefulShutdown::new();
        let http = http();
        loop {
            let accepted = tokio::select! {
                accepted = self.tcp.accept() => accepted,
                // An error means that nobody is left who could say stop.
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Small answers must not wait for the client's acknowledgement.
            let _ = stream.set_nodelay(true);
            let (authorizer, health) = (authorizer.clone(), health.clone());
            let service = service_fn(move |request| {
                connection::answer(request, authorizer.clone(), health.clone())
            });
            let served = http.serve_connection(TokioIo::new(stream), service);
            // A connection's end, good or bad, is the peer's affair.
            tokio::spawn(connections.watch(served));
        }
        drop(self.tcp);
        connections.shutdown().await;
    }
}

fn http() -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW * 4)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    http
}
