//! What a CheckRequest looks like on the wire: gRPC's frames over HTTP/2.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use axum::http::{HeaderMap, Request, Response};
use bytes::Bytes;
use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use hyper::{
    body::{Body, Frame, Incoming},
    client::conn::http2,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use tokio::net::TcpStream;

use crate::support::{
    answer::Answer, claims, grpc::CHECK, keys::ES256, provider, request::TestRequest,
    server::TestServer,
};

const ISSUER: &str = "https://a.example";

async fn serving() -> TestServer {
    let config = "providers:\n".to_owned() + &provider("a", ISSUER, &ES256.jwks());
    TestServer::start(&(config + "policies: [{ name: p, providers: [a] }]\ndefault_policy: p\n"))
        .await
}

fn good() -> Vec<u8> {
    TestRequest::bearer(&ES256.token(&claims(ISSUER))).build().encode_to_vec()
}

/// The message behind its five bytes, of which the first says whether it is compressed.
fn framed(compressed: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[compressed], &length[..], message].concat()
}

/// What comes after the parts of a body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    End,
    Trailers,
    MoreForEver,
    NothingForEver,
}

/// A body that comes in these DATA frames.
struct Parts(std::vec::IntoIter<Vec<u8>>, Then);

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = match (self.0.next(), self.1) {
            (Some(part), _) => Frame::data(part.into()),
            (None, Then::End) => return Poll::Ready(None),
            (None, Then::Trailers) => {
                self.1 = Then::End;
                Frame::trailers(HeaderMap::new())
            }
            (None, Then::MoreForEver) => Frame::data(Bytes::from_static(&[b'a'; 16_384])),
            (None, Then::NothingForEver) => return Poll::Pending,
        };
        Poll::Ready(Some(Ok(frame)))
    }
}

/// Sends this request, on a connection of its own.
async fn send(server: &TestServer, request: Request<Parts>) -> Response<Incoming> {
    let stream = TcpStream::connect(server.server.grpc[0]).await.unwrap();
    let executor = TokioExecutor::new();
    let (mut sender, connection) = http2::handshake(executor, TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap()
}

/// The answer to a call of `Check` with this body.
async fn ask(server: &TestServer, parts: Vec<Vec<u8>>, then: Then) -> Answer {
    let request = Request::post(format!("http://claimgate.test{CHECK}"));
    read(send(server, request.body(Parts(parts.into_iter(), then)).unwrap()).await).await
}

/// An answer, which must be one CheckResponse and `grpc-status: 0`.
async fn read(response: Response<Incoming>) -> Answer {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let (mut body, mut bytes, mut trailers) = (response.into_body(), Vec::new(), HeaderMap::new());
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        match frame.unwrap().into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().unwrap(),
        }
    }
    assert_eq!(trailers["grpc-status"], "0");
    let message = &bytes[5..];
    assert_eq!(bytes, framed(0, message));
    Answer::read(CheckResponse::decode(message).unwrap())
}

#[tokio::test]
async fn one_message_is_read_however_it_is_cut() {
    let server = serving().await;
    let whole = framed(0, &good());
    for size in [1, 4, 5, 6, 100, whole.len()] {
        let parts = whole.chunks(size).map(<[u8]>::to_vec).collect();
        assert_eq!(ask(&server, parts, Then::End).await.status, 200, "in parts of {size}");
    }
    let (head, rest) = whole.split_at(7);
    let with_empty = [&[], head, &[], rest, &[]].map(<[u8]>::to_vec).to_vec();
    assert_eq!(ask(&server, with_empty, Then::End).await.status, 200);
    assert_eq!(ask(&server, vec![whole], Then::Trailers).await.status, 200);
}

#[tokio::test]
async fn what_is_not_one_message_is_denied_and_no_grpc_error() {
    let server = serving().await;
    let good = good();
    let whole = framed(0, &good);
    let saying = |length: u32| [&[0], &length.to_be_bytes()[..], &good].concat();
    let length = u32::try_from(good.len()).unwrap();
    let cases: [(&str, Vec<Vec<u8>>); 11] = [
        ("nothing", vec![]),
        ("half a head", vec![whole[..4].to_vec()]),
        ("a head alone", vec![whole[..5].to_vec()]),
        ("one byte short", vec![whole[..whole.len() - 1].to_vec()]),
        ("one byte more", vec![[&whole[..], &[0]].concat()]),
        ("a length that is one too large", vec![saying(length + 1)]),
        ("a length that is one too small", vec![saying(length - 1)]),
        ("the largest length", vec![saying(u32::MAX)]),
        ("two messages", vec![whole.clone(), whole]),
        ("a compressed message", vec![framed(1, &good)]),
        ("another flag", vec![framed(0x80, &good)]),
    ];
    let count = cases.len();
    for (name, parts) in cases {
        let answer = ask(&server, parts, Then::End).await;
        assert_eq!((answer.status, answer.reason()), (400, "request_malformed"), "{name}");
    }
    let labels = r#"outcome="denied",policy="",provider="",reason="request_malformed""#;
    let counted = server.metric(&format!("claimgate_checks_total{{{labels}}}")).await;
    assert_eq!(counted, Some(count as f64));
}

#[tokio::test]
async fn of_a_message_over_the_bound_the_rest_is_not_waited_for() {
    let server = serving().await;
    let answer = ask(&server, vec![framed(0, &good())], Then::MoreForEver).await;
    assert_eq!((answer.status, answer.reason()), (400, "request_malformed"));
}

#[tokio::test]
async fn a_caller_that_stalls_or_leaves_in_the_middle_of_a_message_holds_nobody_up() {
    let server = serving().await;
    let whole = framed(0, &good());
    let half = ask(&server, vec![whole[..9].to_vec()], Then::NothingForEver);
    // Half a message is never answered, so the other call ends first, and the first one is dropped.
    tokio::select! {
        biased;
        _ = half => panic!("an answer to half a message"),
        answer = ask(&server, vec![whole.clone()], Then::End) => assert_eq!(answer.status, 200),
    }
    assert_eq!(ask(&server, vec![whole], Then::End).await.status, 200);
}
