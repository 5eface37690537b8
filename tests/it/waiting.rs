//! How long a check waits for keys, on a paused clock and without sockets.

use std::{future::pending, time::Duration};

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

#[tokio::test(start_paused = true)]
async fn a_fetch_that_fails_ends_the_wait_inside_the_cool_down() {
    let second = Duration::from_secs(1);
    check(&["timeout: 5s, refresh_cooldown: 1h"], Slow(Some(second)), FIVE, 2000).await;
}
