//! Servers, issuers and clients on threads of their own, and the figures of what they see.

use std::{
    future::Future,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, JoinHandle},
    time::Duration,
};

use envoy_types::pb::envoy::service::auth::v3::{
    CheckRequest, authorization_client::AuthorizationClient,
};
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};
use tonic::transport::Channel;

use crate::support::{answer::Answer, request::TestRequest};

/// Good tokens are asked about at this pace, so that both halves of a pair are one load.
const PACE: Duration = Duration::from_millis(1);
/// Checks of good tokens in each half of a pair.
pub(crate) const CHECKS: usize = 4000;
/// Pairs behind each ratio.
pub(crate) const PAIRS: usize = 11;

/// A runtime for the servers.
pub(crate) fn servers() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs clients on a thread of their own.
pub(crate) fn client<T: Send + 'static, F: Future<Output = T>>(
    work: impl FnOnce() -> F + Send + 'static,
) -> JoinHandle<T> {
    thread::spawn(move || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(work())
    })
}

/// A connection of its own.
pub(crate) async fn connect(server: SocketAddr) -> AuthorizationClient<Channel> {
    AuthorizationClient::connect(format!("http://{server}")).await.unwrap()
}

/// Asks once: the status, and the reason if it is no allow.
pub(crate) async fn ask(
    client: &mut AuthorizationClient<Channel>,
    request: CheckRequest,
) -> (u32, String) {
    let answer = Answer::read(client.check(request).await.unwrap().into_inner());
    (answer.status, answer.reason().to_owned())
}

/// What good tokens saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Of each check, sorted.
    pub(crate) took: Vec<Duration>,
    /// Reasons of those that were refused.
    pub(crate) failed: Vec<String>,
}

impl Seen {
    /// The latency that 99 of 100 checks do not exceed.
    pub(crate) fn p99(&self) -> Duration {
        self.took[self.took.len() * 99 / 100]
    }
}

/// [`CHECKS`] checks of these tokens in turn, one each [`PACE`].
pub(crate) fn good(server: SocketAddr, tokens: Vec<String>) -> JoinHandle<Seen> {
    client(move || async move {
        let mut client = connect(server).await;
        let requests: Vec<_> = tokens.iter().map(|token| TestRequest::bearer(token)).collect();
        let requests: Vec<_> = requests.into_iter().map(TestRequest::build).collect();
        let mut ticks = tokio::time::interval(PACE);
        let mut seen = Seen::default();
        for n in 0..CHECKS {
            ticks.tick().await;
            let begun = Instant::now();
            let (status, reason) = ask(&mut client, requests[n % requests.len()].clone()).await;
            seen.took.push(begun.elapsed());
            if status != 200 {
                seen.failed.push(reason);
            }
        }
        seen.took.sort();
        seen
    })
}

/// Calls `work` on a thread of its own, again and again, until `measured` is done.
pub(crate) fn beside<T, F: Future<Output = ()>>(
    work: impl FnOnce(&'static AtomicBool) -> F + Send + 'static,
    measured: impl FnOnce() -> T,
) -> T {
    let done: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
    let other = client(move || work(done));
    let seen = measured();
    done.store(true, Ordering::Relaxed);
    other.join().unwrap();
    seen
}

/// The median of the ratios of pairs, with their least and greatest.
pub(crate) fn ratio(pairs: &[(Duration, Duration)]) -> String {
    let mut ratios: Vec<f64> =
        pairs.iter().map(|(with, alone)| with.as_secs_f64() / alone.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
    let micros = |pick: fn(&(Duration, Duration)) -> Duration| {
        let mut all: Vec<_> = pairs.iter().map(pick).collect();
        all.sort();
        all[all.len() / 2].as_micros()
    };
    format!(
        "{median:.2} ({least:.2} to {most:.2}; medians {} µs and {} µs)",
        micros(|pair| pair.0),
        micros(|pair| pair.1)
    )
}
