//! How long a check waits for keys, on a paused clock and without sockets.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use claimgate::jwks::fetch::{FetchError, FetchJwks, FetchRequest, Fetching};
use tokio::time::{Instant, sleep};

use crate::support::{claims, config, keys::ES256, offline, remote, request::TestRequest};

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

/// The keys are unavailable after so many milliseconds, up to the timer's one.
async fn check(jwks: &[&str], fetch: Slow, budget: Duration, expected: u128) {
    let issuer = |n| if n == 0 { ISSUER.to_owned() } else { format!("https://{n}.example") };
    let provider = |(n, jwks): (usize, &&str)| {
        remote(&format!("p{n}"), &issuer(n), "https://keys.example", jwks)
    };
    let providers: Vec<_> = jwks.iter().enumerate().map(provider).collect();
    let config = config(&providers, "providers: [p0]");
    let (authorizer, _refresher) = offline::authorizer(&config, fetch);
    let request = TestRequest::bearer(&ES256.token(&claims(ISSUER)));
    let started = Instant::now();
    let answer = offline::ask(&authorizer, request, budget).await;
    let took = started.elapsed().as_millis();
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

/// The first fetch takes this long; every one is counted.
#[derive(Clone)]
struct Counted(Duration, Arc<AtomicUsize>);

impl FetchJwks for Counted {
    fn fetch(&self, _: FetchRequest) -> Fetching {
        let Self(takes, count) = self.clone();
        count.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            sleep(takes).await;
            Ok(ES256.jwks().to_string().into_bytes().into())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_outlives_the_request_that_waited_for_it() {
    let (second, count) = (Duration::from_secs(1), Arc::new(AtomicUsize::new(0)));
    let provider = remote("a", ISSUER, "https://keys.example", "refresh_interval: 10m");
    let config = config(&[provider], "providers: [a]");
    let (authorizer, _refresher) = offline::authorizer(&config, Counted(second, count.clone()));
    let request = TestRequest::bearer(&ES256.token(&claims(ISSUER)));
    let dropped = offline::ask(&authorizer, request.clone(), FIVE);
    assert!(tokio::time::timeout(second / 2, dropped).await.is_err(), "the caller has gone");
    assert_eq!(offline::ask(&authorizer, request, FIVE).await.status, 200);
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn no_check_waits_that_has_its_key_whatever_is_fetched() {
    let (slow, count) = (Duration::from_secs(4), Arc::new(AtomicUsize::new(0)));
    let provider = remote("a", ISSUER, "https://keys.example", "refresh_interval: 30s");
    let config = config(&[provider], "providers: [a]");
    let (authorizer, refresher) = offline::authorizer(&config, Counted(slow, count.clone()));
    refresher.fetched_once().await;
    let request = TestRequest::bearer(&ES256.token(&claims(ISSUER)));
    sleep(Duration::from_secs(32)).await;
    assert_eq!(count.load(Ordering::Relaxed), 2, "a refresh is under way");
    let begun = Instant::now();
    assert_eq!(offline::ask(&authorizer, request, FIVE).await.status, 200);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_fails_ends_the_wait_inside_the_cool_down() {
    let second = Duration::from_secs(1);
    check(&["timeout: 5s, refresh_cooldown: 1h"], Slow(Some(second)), FIVE, 2000).await;
}

/// A check that waits for keys is answered at once by a config that begins to be served.
async fn check_reload(next: &str, expected: (u32, &str)) {
    let providers = [remote("p0", ISSUER, "https://keys.example", "timeout: 60s")];
    let config = config(&providers, "providers: [p0]");
    let (authorizer, _refresher) = offline::authorizer(&config, Slow(None));
    let authorizer = Arc::new(authorizer);
    let request = TestRequest::bearer(&ES256.token(&claims(ISSUER)));
    let started = Instant::now();
    let waiting = tokio::spawn({
        let authorizer = authorizer.clone();
        async move { offline::ask(&authorizer, request, FIVE).await }
    });
    // On a paused clock time goes on only where nothing else is left to do: it waits by then.
    sleep(Duration::from_secs(1)).await;
    assert!(!waiting.is_finished());
    authorizer.cell.replace(offline::snapshot(next, 2));
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, answer.reason()), expected);
    assert!(started.elapsed() < Duration::from_millis(1010), "took {:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_removed_is_refused_at_once_also_where_a_check_waits_for_its_keys() {
    let other = [remote("p1", "https://1.example", "https://keys.example", "timeout: 60s")];
    check_reload(&config(&other, "providers: [p0]"), (503, "provider_unknown")).await;
    check_reload(&config(&other, "providers: [p1]"), (401, "issuer_not_allowed")).await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_changed_is_asked_anew_also_where_a_check_waits_for_its_keys() {
    let off = remote("p0", ISSUER, "https://keys.example", "timeout: 60s") + "  enabled: false\n";
    check_reload(&config(&[off], "providers: [p0]"), (503, "provider_disabled")).await;
    let none = remote("p0", ISSUER, "https://keys.example", "timeout: 60s");
    let none = none + "  algorithms: [RS256]\n";
    check_reload(&config(&[none], "providers: [p0]"), (401, "algorithm_not_allowed")).await;
}
