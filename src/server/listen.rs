//! The gRPC listener: accept, HTTP/2, GOAWAY.
//!
//! It does not look into requests (`server/connection.rs`).

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use hyper::{server::conn::http2, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, UnixListener, UnixStream},
    sync::watch,
};
use tonic_health::pb::health_server::{Health, HealthServer};

use crate::{
    grpc::Authorizer,
    server::{
        connection,
        executor::{self, Arrivals},
        stream::Stream,
    },
    settings::GrpcAddress,
};

/// A burst of Envoy's time-outs resets many streams at once; the default of 20 would close the
/// connection and fail the checks that are well.
const MAX_RESETS: usize = 4096;
/// Streams of one connection at once.
const MAX_STREAMS: u32 = 4096;
/// Per-stream and per-connection windows: a CheckRequest with a body fits.
const WINDOW: u32 = 1024 * 1024;
/// How long to pause where the system has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound address that does not answer yet.
pub(super) struct Listener {
    /// The address, with the port that the system chose.
    pub(super) address: GrpcAddress,
    socket: Socket,
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Binds `address`. A unix socket that nobody answers at is replaced, and gets `mode`.
    ///
    /// # Errors
    /// The system's, if it cannot be bound.
    pub(super) async fn bind(address: &GrpcAddress, mode: u32) -> io::Result<Self> {
        let (address, socket) = match address {
            GrpcAddress::Tcp(address) => {
                let tcp = TcpListener::bind(address).await?;
                (GrpcAddress::Tcp(tcp.local_addr()?), Socket::Tcp(tcp))
            }
            GrpcAddress::Unix(path) => {
                (address.clone(), Socket::Unix(bind_unix(path, mode).await?))
            }
        };
        Ok(Self { address, socket })
    }

    /// Serves until `stop` is true, then sends GOAWAY on every connection and waits for what is
    /// in flight.
    pub(super) async fn serve<H: Health>(
        self,
        authorizer: Arc<Authorizer>,
        health: HealthServer<H>,
        mut stop: watch::Receiver<bool>,
    ) {
        let connections = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                // An error means that nobody is left who could say stop.
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let stream = match accepted {
                Ok(stream) => stream,
                // The peer was gone before we came: its affair.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (authorizer, health) = (authorizer.clone(), health.clone());
            let service = service_fn(move |request| {
                connection::answer(request, authorizer.clone(), health.clone())
            });
            let (arrivals, arrived) = executor::queue();
            let served = http(arrivals).serve_connection(TokioIo::new(stream), service);
            // A connection's end, good or bad, is the peer's affair.
            tokio::spawn(arrived.beside(connections.watch(served)));
        }
        drop(self.socket);
        connections.shutdown().await;
    }
}

impl Socket {
    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Small answers must not wait for the client's acknowledgement.
                let _ = stream.set_nodelay(true);
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(Stream::Unix(stream))
            }
        }
    }
}

/// What an earlier process left at `path` is taken away, but nothing else is, and no socket that
/// answers.
async fn bind_unix(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let is_socket = |path: &Path| {
        path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket())
    };
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket(path) && UnixStream::connect(path).await.is_err_and(refused) {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok(listener)
}

fn http(arrivals: Arrivals) -> http2::Builder<Arrivals> {
    let mut http = http2::Builder::new(arrivals);
    http.timer(TokioTimer::new())
        // gRPC has no use for it, and Envoy would read it each time.
        .auto_date_header(false)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW * 4)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    http
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        pin::Pin,
        sync::atomic::{AtomicUsize, Ordering},
        task::{Context, Poll},
    };

    use http::Request;
    use hyper_util::rt::TokioExecutor;
    use tokio::{
        io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex},
        task::JoinSet,
    };

    use super::*;
    use crate::server::frame;

    /// A connection whose writes are counted.
    struct Counted(DuplexStream, Arc<AtomicUsize>);

    impl AsyncRead for Counted {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(context, buffer)
        }
    }

    impl AsyncWrite for Counted {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut self.0).poll_write(context, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(context)
        }

        fn poll_shutdown(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(context)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answers_of_a_burst_leave_in_few_writes_and_without_a_date() {
        const BURST: usize = 60;
        let (ours, theirs) = duplex(1 << 20);
        let writes = Arc::new(AtomicUsize::new(0));
        let (arrivals, arrived) = executor::queue();
        let service = service_fn(|_| async { Ok::<_, Infallible>(frame::response(b"a")) });
        let io = TokioIo::new(Counted(ours, writes.clone()));
        tokio::spawn(arrived.beside(http(arrivals).serve_connection(io, service)));

        let client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (sender, connection) =
            client.handshake::<_, frame::Answer>(TokioIo::new(theirs)).await.unwrap();
        tokio::spawn(connection);
        let ask = || {
            let mut sender = sender.clone();
            async move { sender.send_request(Request::new(frame::Answer::End)).await.unwrap() }
        };
        ask().await;
        let before = writes.load(Ordering::Relaxed);
        for answer in (0..BURST).map(|_| ask()).collect::<JoinSet<_>>().join_all().await {
            assert!(answer.headers().contains_key("content-type"));
            assert!(!answer.headers().contains_key("date"));
        }
        let writes = writes.load(Ordering::Relaxed) - before;
        assert!(writes <= BURST / 4, "{writes}");
    }
}
