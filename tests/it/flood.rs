//! A flood of tokens that could pass but for a kid that nobody has, on a paused clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use claimgate::jwks::fetch::{FetchJwks, FetchRequest, Fetching};
use serde_json::json;

use crate::support::{claims, config, keys::ES256, offline, remote, request::TestRequest};

const ISSUER: &str = "https://a.example";
const BUDGET: Duration = Duration::from_millis(200);
const COOLDOWNS: u32 = 4;
const KIDS_IN_EACH: u32 = 300;

/// Serves one key and counts how often.
struct Counting(Arc<AtomicU32>);

impl FetchJwks for Counting {
    fn fetch(&self, _: FetchRequest) -> Fetching {
        self.0.fetch_add(1, Ordering::Relaxed);
        let set = ES256.jwks().to_string().into_bytes();
        Box::pin(async move { Ok(set.into()) })
    }
}

#[tokio::test(start_paused = true)]
async fn random_kids_cause_one_refresh_in_a_cool_down_and_good_tokens_pass() {
    let fetches = Arc::<AtomicU32>::default();
    let provider = remote("a", ISSUER, "https://keys.example", "refresh_cooldown: 30s");
    let config = config(&[provider], "providers: [a]");
    let (authorizer, refresher) = offline::authorizer(&config, Counting(fetches.clone()));
    refresher.fetched_once().await;
    let (claims, good) = (claims(ISSUER), ES256.token(&claims(ISSUER)));
    for n in 0..COOLDOWNS * KIDS_IN_EACH {
        let header =
            json!({ "alg": "ES256", "kid": format!("{:08x}", n.wrapping_mul(0x9E37_79B9)) });
        let unknown = TestRequest::bearer(&ES256.token_with(header, &claims));
        let answer = offline::ask(&authorizer, unknown, BUDGET).await;
        assert_eq!((answer.status, answer.reason()), (401, "key_unknown"));
        if n % 100 == 0 {
            let answer = offline::ask(&authorizer, TestRequest::bearer(&good), BUDGET).await;
            assert_eq!((answer.status, answer.reason()), (200, ""));
        }
        tokio::time::advance(Duration::from_secs(30) / KIDS_IN_EACH).await;
    }
    let unplanned = fetches.load(Ordering::Relaxed) - 1;
    assert!((1..=COOLDOWNS).contains(&unplanned), "{unplanned} in {COOLDOWNS} cool-downs");
}
