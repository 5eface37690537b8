//! How long a check waits for keys, on a paused clock and without sockets.

use std::{
    future::pending,
    sync::Arc,
    time::{Duration, SystemTime},
};

use claimgate::{
    clock::Clock,
    config::load::load,
    grpc::{Authorizer, Call},
    jwks::{
        fetch::{FetchError, FetchJwks, FetchRequest, Fetching},
        refresh::Refresher,
        store::KeyStore,
    },
    snapshot::cell::SnapshotCell,
    telemetry::{metrics::Metrics, references::References},
    token_cache::TokenCache,
};
use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use prost::Message as _;
use tokio::time::{Instant, sleep};

use crate::support::{answer::Answer, claims, config, keys::ES256, remote, request::TestRequest};

const ISSUER: &str = "https://a.example";
const FIVE: Duration = Duration::from_secs(5);

/// Each fetch takes this long and fails; none: it never ends.
struct Slow(Option<Duration>);

impl FetchJwks for Slow {
    fn fetch(&self, _: FetchRequest) -> Fetching {
        let takes = self.0;
        Box::pin(async move {
            match takes {
                Some(takes) => sleep(takes).await,
                None => pending().await,
            }
            Err(FetchError::Timeout)
        })
    }
}

fn authorizer(config: &str, fetch: Slow) -> (Authorizer, Refresher) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claimgate.yaml");
    std::fs::write(&path, config).unwrap();
    let snapshot = load(&path).unwrap().into_snapshot(1, SystemTime::UNIX_EPOCH);
    let (store, metrics) = (Arc::new(KeyStore::default()), Arc::new(Metrics::new().unwrap()));
    let clock = Clock::start();
    let refresher = Refresher::new(store.clone(), Arc::new(fetch), clock, metrics.clone());
    refresher.follow(&snapshot);
    let authorizer = Authorizer {
        cell: Arc::new(SnapshotCell::new(snapshot)),
        store,
        tokens: TokenCache::new(0, || {}),
        metrics,
        references: References::default(),
        clock,
        namespace: "claimgate".to_owned(),
    };
    (authorizer, refresher)
}

/// The keys are unavailable after so many milliseconds, up to the timer's one.
async fn check(jwks: &[&str], fetch: Slow, budget: Duration, expected: u128) {
    let issuer = |n| if n == 0 { ISSUER.to_owned() } else { format!("https://{n}.example") };
    let provider = |(n, jwks): (usize, &&str)| {
        remote(&format!("p{n}"), &issuer(n), "https://keys.example", jwks)
    };
    let providers: Vec<_> = jwks.iter().enumerate().map(provider).collect();
    let (authorizer, _refresher) = authorizer(&config(&providers, "providers: [p0]"), fetch);
    let request = TestRequest::bearer(&ES256.token(&claims(ISSUER))).build().encode_to_vec();
    let started = Instant::now();
    let answer = authorizer.check(Call { message: request.into(), authority: None }, budget).await;
    let took = started.elapsed().as_millis();
    let answer = Answer::read(CheckResponse::decode(&*answer).unwrap());
    assert_eq!((answer.status, answer.reason()), (503, "keys_unavailable"));
    assert!((expected..expected + 10).contains(&took), "took {took} ms");
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_bounded_by_the_callers_time() {
    check(&["timeout: 60s"], Slow(None), Duration::from_millis(160), 160).await;
    check(&["timeout: 60s"], Slow(None), Duration::ZERO, 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_bounded_by_five_seconds() {
    check(&["timeout: 60s"], Slow(None), FIVE * 10, 5000).await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_bounded_by_the_time_out_of_the_tokens_own_provider() {
    check(&["timeout: 2s", "timeout: 60s"], Slow(None), FIVE, 2000).await;
}

#[tokio::test(start_paused = true)]
async fn all_waits_of_a_check_together_are_bounded() {
    let second = Duration::from_millis(1500);
    check(&["timeout: 2s, refresh_cooldown: 1s"], Slow(Some(second)), FIVE, 2000).await;
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_fails_ends_the_wait_inside_the_cool_down() {
    let second = Duration::from_secs(1);
    check(&["timeout: 5s, refresh_cooldown: 1h"], Slow(Some(second)), FIVE, 2000).await;
}
