//! 100,000 tokens with random kids, each of which could pass but for its key.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    load::{ask, beside, client, connect},
    pairs::{PAIRS, good, issuers, print},
    server::Claimgate,
    support::{
        claims, config,
        issuer::TestIssuer,
        keys::{ES256, TestKey},
        remote,
        request::TestRequest,
    },
};

const KIDS: u64 = 100_000;
/// Requests of the flood under way at once.
const AT_ONCE: u64 = 16;
/// Of the flood beside good tokens: kids in each millisecond.
const EACH_MILLISECOND: u64 = 2;

/// Never the same in one run.
static NEXT: AtomicU64 = AtomicU64::new(0);

pub(crate) fn run() {
    let runtime = issuers();
    let start = async {
        let issuer = TestIssuer::serving(&ES256.jwks()).await;
        let a = remote("a", &issuer.url, &issuer.jwks_uri(), "refresh_cooldown: 1h");
        let server = Claimgate::serving(&config(&[a], "providers: [a]")).await;
        (issuer, server)
    };
    let (issuer, server) = runtime.block_on(start);
    let (address, url, planned) = (server.grpc(), issuer.url.clone(), issuer.fetches());
    let took = client(move || flood(address, url)).join().unwrap();
    let unplanned = issuer.fetches() - planned;
    println!("flood: {KIDS} random kids in {took:.1?}: {unplanned} fetch in one cool-down");
    assert!(unplanned <= 1, "a client drives fetches");

    let tokens: Vec<String> = (0..50).map(|n| good_token(&issuer.url, n)).collect();
    let measure = || good(&server, &runtime, &tokens);
    let (mut to_none, mut to_foreign) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        to_none.push((with_flood(address, &issuer.url, measure), measure()));
        let flooded = with_flood(address, &issuer.url, measure);
        to_foreign.push((flooded, with_flood(address, "https://nobody.example", measure)));
    }
    let each_second = EACH_MILLISECOND * 1000;
    println!("flood: good tokens beside {each_second} unknown kids/s");
    print(&to_none, "no flood");
    print(&to_foreign, "as many tokens of no issuer");
}

/// All the kids, as fast as a connection takes them.
async fn flood(server: SocketAddr, issuer: String) -> Duration {
    let begun = tokio::time::Instant::now();
    let mut askers = tokio::task::JoinSet::new();
    let client = connect(server).await;
    for _ in 0..AT_ONCE {
        let (mut client, issuer) = (client.clone(), issuer.clone());
        askers.spawn(async move {
            for _ in 0..KIDS / AT_ONCE {
                let answer = ask(&mut client, unknown(&issuer).build()).await;
                assert_eq!(answer, (401, "key_unknown".to_owned()));
            }
        });
    }
    askers.join_all().await;
    begun.elapsed()
}

fn with_flood<T>(server: SocketAddr, issuer: &str, measured: impl FnOnce() -> T) -> T {
    let issuer = issuer.to_owned();
    beside(move |done| steady(server, issuer, done), measured)
}

/// As many kids as [`EACH_MILLISECOND`] says, until it is `done`.
async fn steady(server: SocketAddr, issuer: String, done: &AtomicBool) {
    let client = connect(server).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    while !done.load(Ordering::Relaxed) {
        ticks.tick().await;
        for _ in 0..EACH_MILLISECOND {
            let (mut client, request) = (client.clone(), unknown(&issuer).build());
            tokio::spawn(async move { assert_eq!(ask(&mut client, request).await.0, 401) });
        }
    }
}

/// The signature is of no interest: without the key it is never looked at.
fn unknown(issuer: &str) -> TestRequest {
    let n = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"ES256","kid":"{n:x}"}}"#));
    let payload = URL_SAFE_NO_PAD.encode(claims(issuer).to_string());
    TestRequest::bearer(&format!("{header}.{payload}.{}", "A".repeat(86)))
}

/// Fifty that differ, so that the cache of tokens is used as people use it.
fn good_token(issuer: &str, n: u32) -> String {
    let key: &TestKey = &ES256;
    key.token(&crate::support::with(claims(issuer), "jti", n.into()))
}
