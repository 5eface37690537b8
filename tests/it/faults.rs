//! An issuer that goes bad in every way over real sockets: the good keys stay.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::json;

use crate::support::{
    claims, config,
    keys::{ES256, TestKey},
    remote,
    request::TestRequest,
    server::TestServer,
    site::{Reply, Site, ok, status},
};

/// Long enough that no test sees its end; a fetch that hangs is given up after a second.
const OPTIONS: &str = "timeout: 1s, refresh_cooldown: 1h";

/// The keys are fetched, then every answer is `bad`: known kids pass, others wait for a better day.
async fn check(bad: impl Fn() -> Reply + Send + Sync + 'static, last_error: &str) {
    let is_bad = Arc::new(AtomicBool::new(false));
    let turned = is_bad.clone();
    let site = Site::answering(move |_| match turned.load(Ordering::Relaxed) {
        true => bad(),
        false => ok(&ES256.jwks().to_string(), ""),
    })
    .await;
    let provider = remote("a", &site.url, &format!("{}/keys", site.url), OPTIONS);
    let server = TestServer::start(&config(&[provider], "providers: [a]")).await;
    is_bad.store(true, Ordering::Relaxed);
    let signed = |key: &TestKey| TestRequest::bearer(&key.token(&claims(&site.url)));
    let unknown = TestKey::with_kid("ES256", "new");
    server.expect(signed(&unknown), 503, "keys_unavailable").await;
    server.expect(signed(&ES256), 200, "").await;
    let provider = server.status().await["providers"][0].clone();
    assert_eq!(
        (&provider["state"], &provider["last_error"]),
        (&json!("stale"), &json!(last_error))
    );
    assert_eq!(provider["keys"][0]["kid"], json!(*ES256.kid));
    let now = crate::support::unix() as f64;
    let fetched = server.metric("claimgate_jwks_last_success_timestamp_seconds{provider=\"a\"}");
    assert!((now - 60.0..=now + 1.0).contains(&fetched.await.unwrap()));
    for (sample, least) in [
        ("claimgate_jwks_fetches_total{provider=\"a\",result=\"success\"}", 1.0),
        ("claimgate_jwks_consecutive_failures{provider=\"a\"}", 1.0),
        ("claimgate_jwks_keys{provider=\"a\"}", 1.0),
        ("claimgate_providers{state=\"stale\"}", 1.0),
    ] {
        assert!(server.metric(sample).await.unwrap() >= least, "{sample}");
    }
}

fn raw(text: &str) -> Reply {
    Reply::Bytes(text.to_owned())
}

#[tokio::test]
async fn an_answer_that_is_cut_off_leaves_the_good_keys() {
    let cut = || raw("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"keys\":[");
    check(cut, "answer interrupted").await;
}

#[tokio::test]
async fn a_set_that_is_cut_off_leaves_the_good_keys() {
    let whole = ES256.jwks().to_string();
    let error = "set unusable: not a JWK Set: a JSON object with an array `keys` is accepted";
    check(move || ok(&whole[..whole.len() - 2], ""), error).await;
}

#[tokio::test]
async fn a_server_that_hangs_leaves_the_good_keys() {
    check(|| Reply::Hang, "timed out").await;
}

#[tokio::test]
async fn an_empty_body_leaves_the_good_keys() {
    let empty = || raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n");
    let error = "set unusable: not a JWK Set: a JSON object with an array `keys` is accepted";
    check(empty, error).await;
}

#[tokio::test]
async fn a_connection_that_is_closed_leaves_the_good_keys() {
    check(|| raw(""), "connection failed").await;
}

#[tokio::test]
async fn a_redirect_to_another_scheme_or_a_metadata_service_leaves_the_good_keys() {
    for to in ["https://127.0.0.1/keys", "http://169.254.169.254/keys", "http://127.0.0.1:1/keys"] {
        let location = format!("location: {to}\r\n");
        check(move || status(302, &location), "redirect refused").await;
    }
}

#[tokio::test]
async fn an_unasked_304_leaves_the_good_keys() {
    check(|| status(304, ""), "HTTP status 304").await;
}
