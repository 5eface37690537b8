//! One message of a call as gRPC frames it: a byte that says "not compressed", four of length, the
//! message (gRPC over HTTP/2, "Length-Prefixed-Message").
//!
//! It does not look into the message, and does not say what a call is that brings none.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header::CONTENT_TYPE};
use hyper::body::{Body, Frame, SizeHint};
use tonic::Status;

use crate::grpc::{MAX_MESSAGE_BYTES, MAX_WAIT};

const PREFIX_BYTES: usize = 5;
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const OK: HeaderValue = HeaderValue::from_static("0");
const TYPE: HeaderValue = HeaderValue::from_static("application/grpc");

/// Reads a call to its end: its one message, without a copy where it came in one piece. None where
/// there is no message, more than one, a compressed one, one over [`MAX_MESSAGE_BYTES`] or one that
/// has not come within [`MAX_WAIT`]: of these two, nothing more is read.
///
/// # Errors
/// The connection's: the caller is gone.
pub(super) async fn read<B>(body: B) -> Result<Option<Bytes>, B::Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    tokio::time::timeout(MAX_WAIT, read_all(body)).await.unwrap_or(Ok(None))
}

async fn read_all<B>(mut body: B) -> Result<Option<Bytes>, B::Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut one = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(data) = frame?.into_data() else { continue };
        if one.is_empty() {
            one = data;
            continue;
        }
        if joined.is_empty() {
            joined.extend_from_slice(&one);
        }
        joined.extend_from_slice(&data);
        if joined.len() > PREFIX_BYTES + MAX_MESSAGE_BYTES {
            return Ok(None);
        }
    }
    Ok(message(if joined.is_empty() { one } else { joined.freeze() }))
}

fn message(mut framed: Bytes) -> Option<Bytes> {
    let (&[compressed, length @ ..], rest) = framed.split_first_chunk::<PREFIX_BYTES>()?;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    let sound = compressed == 0 && length == rest.len() && length <= MAX_MESSAGE_BYTES;
    sound.then(|| framed.split_off(PREFIX_BYTES))
}

/// The answer that is `message`, with `grpc-status: 0` behind it.
#[must_use]
pub(super) fn response(message: &[u8]) -> Response<Answer> {
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    framed.put_u8(0);
    // An answer is bounded by the request that it is made from.
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    let mut response = Response::new(Answer::Message(framed.freeze()));
    response.headers_mut().insert(CONTENT_TYPE, TYPE);
    response
}

/// The body of an answer, part by part.
#[derive(Debug)]
pub(super) enum Answer {
    /// The framed message comes next.
    Message(Bytes),
    /// The trailers come next.
    Trailers,
    /// Nothing comes.
    End,
    /// What tonic answers: health, and errors of gRPC.
    Tonic(tonic::body::Body),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let (frame, next) = match &mut *self {
            Self::Message(bytes) => (Frame::data(std::mem::take(bytes)), Self::Trailers),
            Self::Trailers => {
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert(STATUS, OK);
                (Frame::trailers(trailers), Self::End)
            }
            Self::End => return Poll::Ready(None),
            Self::Tonic(body) => return Pin::new(body).poll_frame(context),
        };
        *self = next;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Message(_) | Self::Trailers => false,
            Self::End => true,
            Self::Tonic(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Message(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Trailers | Self::End => SizeHint::with_exact(0),
            Self::Tonic(body) => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// These DATA frames, then a connection that breaks.
    struct Broken(Option<Bytes>);

    impl Body for Broken {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            let frame = self.0.take().map(Frame::data);
            Poll::Ready(Some(frame.ok_or_else(|| io::ErrorKind::ConnectionReset.into())))
        }
    }

    /// A whole message whose end does not come.
    struct Stalled(Option<Bytes>);

    impl Body for Stalled {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            self.0.take().map_or(Poll::Pending, |part| Poll::Ready(Some(Ok(Frame::data(part)))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_does_not_end_is_waited_for_no_longer_than_for_keys() {
        let begun = tokio::time::Instant::now();
        let part = Bytes::from_static(b"\0\0\0\0\x01a");
        assert_eq!(read(Stalled(Some(part))).await.unwrap(), None);
        assert_eq!(begun.elapsed().as_secs(), MAX_WAIT.as_secs());
    }

    #[tokio::test]
    async fn a_connection_that_breaks_is_no_message_even_where_one_came() {
        for part in [&b""[..], b"\0\0\0\0\x01", b"\0\0\0\0\x01a"] {
            read(Broken(Some(part.into()))).await.unwrap_err();
        }
    }
}
