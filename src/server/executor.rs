//! Where the requests of a connection run: in its own task as far as they come without waiting, on
//! the runtime from there.
//!
//! It does not know what they do.

use std::task::{Context, Poll, Waker};

use hyper::rt::Executor;

/// Polls a request once where it arrived. Most checks are answered by then, and a task for each
/// would cost more than they do.
#[derive(Debug, Clone, Copy)]
pub(super) struct InPlace;

impl<F> Executor<F> for InPlace
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, request: F) {
        let mut request = Box::pin(request);
        // A task polls once more before it waits, so whom this poll would wake does not matter.
        let first = request.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if first == Poll::Pending {
            tokio::spawn(request);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn what_need_not_wait_needs_no_runtime() {
        let (done, mut ended) = oneshot::channel();
        InPlace.execute(async { done.send(1).unwrap() });
        assert_eq!(ended.try_recv(), Ok(1));
    }

    #[tokio::test]
    async fn what_waits_goes_on_once_it_need_not() {
        let (go, going) = oneshot::channel();
        let (done, ended) = oneshot::channel();
        InPlace.execute(async { done.send(going.await).unwrap() });
        go.send(1).unwrap();
        assert_eq!(ended.await.unwrap(), Ok(1));
    }
}
