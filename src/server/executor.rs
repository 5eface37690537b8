//! Where the requests of a connection run: in its own task as far as they come without waiting, on
//! the runtime from there.
//!
//! It does not know what they do.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll, Waker},
};

use hyper::rt::Executor;
use tokio::task::coop;

/// Polls a request once where it arrived. Most checks are answered by then, and a task for each
/// would cost more than they do. Each is a step of the connection's turn, which tokio bounds (128
/// steps); what comes beyond that gets a task unseen, so that no connection keeps a thread. A panic
/// ends the request and not those beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct InPlace;

impl<F> Executor<F> for InPlace
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, request: F) {
        let mut request = Box::pin(request);
        // A task polls once more before it waits, so whom this poll would wake does not matter.
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(step) = coop::poll_proceed(&mut context) else {
            tokio::spawn(request);
            return;
        };
        step.made_progress();
        let first = catch_unwind(AssertUnwindSafe(|| request.as_mut().poll(&mut context)));
        if matches!(first, Ok(Poll::Pending)) {
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

    #[test]
    fn a_panic_ends_no_other_request() {
        InPlace.execute(async { panic!("on purpose") });
    }

    #[tokio::test]
    async fn a_turn_has_an_end_beyond_which_requests_get_tasks() {
        let (done, mut ended) = tokio::sync::mpsc::unbounded_channel();
        const MANY: usize = 1000;
        for n in 0..MANY {
            let done = done.clone();
            InPlace.execute(async move { done.send(n).unwrap() });
        }
        // Nothing else has run so far: these were polled in place.
        let in_place = ended.len();
        assert!((1..MANY).contains(&in_place), "{in_place}");
        for _ in 0..MANY {
            ended.recv().await.unwrap();
        }
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
