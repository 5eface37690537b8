//! One plain HTTP/1.1 request on loopback.
//!
//! It keeps no connection and follows nothing.

use std::{io, net::SocketAddr};

use axum::body::{Body, to_bytes};
use http::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Upper bound on an answer's body, in bytes.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// Sends `request` to `address` and reads the whole answer.
///
/// # Errors
/// If the exchange breaks off.
pub async fn exchange(address: SocketAddr, request: Request<Body>) -> io::Result<Response<String>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.map_err(io::Error::other)?.into_parts();
    let body = to_bytes(Body::new(body), MAX_BODY).await.map_err(io::Error::other)?;
    connection.abort();
    let text = String::from_utf8(body.into()).map_err(io::Error::other)?;
    Ok(Response::from_parts(parts, text))
}

/// A GET with these header lines.
///
/// # Errors
/// If a line is no header.
pub fn get(path: &str, headers: &[(&str, &str)]) -> io::Result<Request<Body>> {
    let mut request = Request::get(path).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).map_err(io::Error::other)
}
