//! A gRPC client that sends any bytes to any method and, unlike tonic's channel, leaves
//! `grpc-timeout` to the server.

use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::http::{Request, Response, Uri, uri::PathAndQuery};
use bytes::{Buf as _, BufMut as _, Bytes};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tonic::{
    Status,
    body::Body,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::Service,
};

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

/// Passes bytes through.
#[derive(Debug, Default, Clone, Copy)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
