//! A gRPC client that sends any bytes to any method and, unlike tonic's channel, leaves
//! `grpc-timeout` to the server.

use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::http::{Request, Response, Uri, uri::PathAndQuery};
use bytes::Bytes;
use claimgate::grpc::codec::RawCodec;
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tonic::{Status, body::Body, client::Grpc, codegen::Service};

/// The method that Envoy calls.
pub(crate) const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// One HTTP/2 connection.
#[derive(Clone)]
pub(crate) struct RawClient(SendRequest<Body>);

impl RawClient {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let executor = TokioExecutor::new();
        let (sender, connection) = http2::handshake(executor, TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Sends one message and reads one; `timeout` is written into `grpc-timeout` and no more.
    pub(crate) async fn call(
        &self,
        method: &'static str,
        message: Vec<u8>,
        timeout: Option<Duration>,
    ) -> Result<Bytes, Status> {
        let origin = Uri::from_static("http://claimgate.test");
        let mut grpc = Grpc::with_origin(self.clone(), origin);
        let mut request = tonic::Request::new(message);
        if let Some(timeout) = timeout {
            request.set_timeout(timeout);
        }
        let answer = grpc.unary(request, PathAndQuery::from_static(method), RawCodec).await;
        answer.map(tonic::Response::into_inner)
    }
}

impl Service<Request<Body>> for RawClient {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
