//! An issuer that is gone for longer than a day, on a paused clock and without sockets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use claimgate::jwks::fetch::{FetchError, FetchJwks, FetchRequest, Fetching};
use tokio::time::{Instant, sleep, sleep_until};

use crate::support::{claims, config, keys::ES256, offline, remote, request::TestRequest};

const ISSUER: &str = "https://a.example";
const SECOND: Duration = Duration::from_secs(1);

/// An issuer that answers at once, until it is gone.
#[derive(Clone, Default)]
struct Issuer {
    gone: Arc<AtomicBool>,
    fetches: Arc<AtomicU64>,
}

impl FetchJwks for Issuer {
    fn fetch(&self, _: FetchRequest) -> Fetching {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let gone = self.gone.load(Ordering::Relaxed);
        Box::pin(async move {
            match gone {
                true => Err(FetchError::Connect),
                false => Ok(ES256.jwks().to_string().into_bytes().into()),
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn good_tokens_pass_until_max_stale_and_none_after() {
    let issuer = Issuer::default();
    let provider = remote("a", ISSUER, "https://keys.example", "refresh_interval: 10m");
    let config = config(&[provider], "providers: [a]");
    let (authorizer, refresher) = offline::authorizer(&config, issuer.clone());
    refresher.fetched_once().await;
    let begun = Instant::now();
    issuer.gone.store(true, Ordering::Relaxed);
    // One token that is remembered, and each minute one that nobody has seen.
    let (day, good) = (24 * 60, ES256.token(&claims(ISSUER)));
    for minute in 0..day + 60 {
        let mut other = claims(ISSUER);
        other["jti"] = minute.into();
        for token in [&good, &ES256.token(&other)] {
            let answer = offline::ask(&authorizer, TestRequest::bearer(token), SECOND).await;
            let expected = if minute < day { (200, "") } else { (503, "keys_unavailable") };
            assert_eq!((answer.status, answer.reason()), expected, "after {minute} minutes");
        }
        sleep_until(begun + 60 * SECOND * (minute + 1) + SECOND / 2).await;
    }
    // A try a minute, give or take the lots, and those before the first minute was over.
    let fetches = issuer.fetches.load(Ordering::Relaxed);
    assert!((1400..3100).contains(&fetches), "{fetches} fetches in 25 hours");
    issuer.gone.store(false, Ordering::Relaxed);
    sleep(60 * SECOND).await;
    let answer = offline::ask(&authorizer, TestRequest::bearer(&good), SECOND).await;
    assert_eq!(answer.status, 200, "it recovers by itself");
}
