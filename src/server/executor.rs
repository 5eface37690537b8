//! Where the requests of a connection run: in its own task as far as they come without waiting, on
//! the runtime from there.
//!
//! It does not know what they do.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    task::{Context, Poll, Waker},
    time::Duration,
};

use hyper::rt::Executor;
use tokio::{task::coop, time::Instant};

/// So long the answers of one turn may wait for each other, so that they leave in one call to the
/// system, which costs more than most checks: a few signatures.
const TURN: Duration = Duration::from_micros(100);

/// So many requests of a connection wait for their turn. What comes beyond runs where it arrives, so
/// that nothing piles up, whatever a peer sends.
const ROOM: usize = 256;

type Request = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes the requests of one connection as they arrive.
#[derive(Debug, Clone)]
pub(super) struct Arrivals(SyncSender<Request>);

impl<F> Executor<F> for Arrivals
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, request: F) {
        match self.0.try_send(Box::pin(request)) {
            // Where the connection has ended, nobody could be answered.
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(request)) => run(request),
        }
    }
}

/// The requests of one connection that have arrived and not yet run.
pub(super) struct Arrived(Receiver<Request>);

/// Where one connection puts its requests, and where they are found.
pub(super) fn queue() -> (Arrivals, Arrived) {
    let (sender, receiver) = sync_channel(ROOM);
    (Arrivals(sender), Arrived(receiver))
}

impl Arrived {
    /// Runs a connection to its end, and in turn with it the requests that it reads: it reads all
    /// that has come, some of it runs, it sends what was answered, and so on. Each turn runs twice as
    /// many as the one before: the first answer leaves at once, so that the proxy need not stand
    /// still meanwhile, and a burst takes few calls to the system.
    pub(super) async fn beside(self, connection: impl Future) {
        let mut connection = pin!(connection);
        poll_fn(move |context| {
            let mut most: usize = 1;
            while connection.as_mut().poll(context).is_pending() {
                if self.turn(most) == 0 {
                    return Poll::Pending;
                }
                most = most.saturating_mul(2);
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Runs some requests: how many.
    fn turn(&self, most: usize) -> usize {
        let begun = Instant::now();
        let mut ran = 0;
        while ran < most
            && let Ok(request) = self.0.try_recv()
        {
            run(request);
            ran += 1;
            if begun.elapsed() >= TURN {
                break;
            }
        }
        ran
    }
}

/// Polls a request once where it arrived. Most checks are answered by then, and a task for each
/// would cost more than they do. Each is a step of the connection's turn, which tokio bounds (128
/// steps); what comes beyond that gets a task unseen, so that no connection keeps a thread. A panic
/// ends the request and not those beside it.
fn run(mut request: Request) {
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

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::{
        sync::{mpsc::unbounded_channel, oneshot},
        task,
    };

    use super::*;

    /// A connection that reads `count` requests at once: how many of them have run whenever it may
    /// send, to the end.
    async fn turns(count: usize, request: fn()) -> Vec<usize> {
        let (arrivals, arrived) = queue();
        let ran = Arc::new(AtomicUsize::new(0));
        let mut seen = Vec::new();
        let connection = poll_fn(|_| {
            if seen.is_empty() {
                for _ in 0..count {
                    let ran = ran.clone();
                    arrivals.execute(async move {
                        request();
                        ran.fetch_add(1, Ordering::Relaxed);
                    });
                }
            }
            seen.push(ran.load(Ordering::Relaxed));
            if seen.last() == Some(&count) { Poll::Ready(()) } else { Poll::Pending }
        });
        arrived.beside(connection).await;
        seen
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_answer_leaves_at_once_and_those_of_a_burst_together() {
        assert_eq!(turns(1, || ()).await, [0, 1]);
        assert_eq!(turns(10, || ()).await, [0, 1, 3, 7, 10]);
    }

    #[tokio::test]
    async fn what_finds_no_room_runs_where_it_arrives() {
        let (arrivals, arrived) = queue();
        let ran = Arc::new(AtomicUsize::new(0));
        let connection = async {
            for _ in 0..ROOM + 10 {
                let ran = ran.clone();
                arrivals.execute(async move {
                    ran.fetch_add(1, Ordering::Relaxed);
                });
            }
            assert_eq!(ran.load(Ordering::Relaxed), 10);
        };
        arrived.beside(connection).await;
    }

    #[tokio::test]
    async fn no_answer_waits_long_for_others() {
        let long = || {
            let begun = Instant::now();
            while begun.elapsed() < TURN {}
        };
        assert_eq!(turns(4, long).await, [0, 1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn a_panic_ends_no_other_request() {
        let (arrivals, arrived) = queue();
        let (done, ended) = oneshot::channel();
        let connection = async {
            arrivals.execute(async { panic!("on purpose") });
            arrivals.execute(async { done.send(1).unwrap() });
            assert_eq!(ended.await, Ok(1));
        };
        arrived.beside(connection).await;
    }

    #[tokio::test]
    async fn beyond_its_share_a_connection_s_requests_get_tasks() {
        const MANY: usize = 1000;
        let (arrivals, arrived) = queue();
        let (done, mut ended) = unbounded_channel();
        let mut in_place = 0;
        let connection = async {
            for _ in 0..MANY {
                let done = done.clone();
                // This test is no task.
                arrivals.execute(async move { done.send(task::try_id().is_none()).unwrap() });
            }
            for _ in 0..MANY {
                in_place += usize::from(ended.recv().await.unwrap());
            }
        };
        arrived.beside(connection).await;
        assert!((1..MANY).contains(&in_place), "{in_place}");
    }

    #[tokio::test]
    async fn what_waits_goes_on_once_it_need_not() {
        let (arrivals, arrived) = queue();
        let (go, going) = oneshot::channel();
        let (done, ended) = oneshot::channel();
        let connection = async {
            arrivals.execute(async { done.send(going.await).unwrap() });
            task::yield_now().await;
            go.send(1).unwrap();
            assert_eq!(ended.await.unwrap(), Ok(1));
        };
        arrived.beside(connection).await;
    }

    #[tokio::test]
    async fn what_nobody_could_answer_does_not_run() {
        let (arrivals, arrived) = queue();
        let (done, ended) = oneshot::channel();
        arrived.beside(async { arrivals.execute(async { done.send(1).unwrap() }) }).await;
        ended.await.unwrap_err();
    }
}
