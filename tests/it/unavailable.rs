//! Issuers that do not answer: readiness, checks that wait, and how long.

use std::time::Duration;

use prost::Message as _;

use crate::support::{
    claims, config,
    issuer::{Behaviour, TestIssuer},
    keys::ES256,
    remote,
    request::TestRequest,
    server::TestServer,
};

const MISSES: &str = "claimgate_token_cache_misses_total";

/// A server whose issuer hangs, with this `--ready-timeout`.
async fn hanging(ready_timeout: Duration) -> (TestServer, TestIssuer) {
    let issuer = TestIssuer::behaving(Behaviour::Hang).await;
    let more = "refresh_cooldown: 1h, timeout: 60s";
    let provider = remote("a", &issuer.url, &issuer.jwks_uri(), more);
    let config = config(&[provider], "providers: [a]");
    let server = TestServer::with(&config, |s| s.ready_timeout = ready_timeout).await;
    issuer.fetched(1).await;
    (server, issuer)
}

fn good(issuer: &TestIssuer) -> TestRequest {
    TestRequest::bearer(&ES256.token(&claims(&issuer.url)))
}

const NEVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_server_is_not_ready_while_the_first_fetch_is_under_way() {
    let (server, issuer) = hanging(NEVER).await;
    assert_eq!(server.get("/readyz").await.status(), 503);
    assert_eq!(server.get("/healthz").await.status(), 200);
    assert_eq!(server.status().await["providers"][0]["state"], "pending");
    issuer.now_serves(&ES256.jwks());
    server.server.ready().await;
    assert_eq!(server.get("/readyz").await.status(), 200);
    assert_eq!(server.status().await["providers"][0]["state"], "ready");
}

#[tokio::test]
async fn a_first_fetch_that_fails_is_finished_too() {
    let (server, issuer) = hanging(NEVER).await;
    issuer.now(Behaviour::Fail(500, String::new()));
    server.server.ready().await;
    assert_eq!(server.status().await["providers"][0]["state"], "unavailable");
}

#[tokio::test]
async fn a_server_is_ready_without_keys_after_the_ready_timeout() {
    let (server, issuer) = hanging(Duration::from_millis(1)).await;
    server.server.ready().await;
    assert_eq!(server.get("/readyz").await.status(), 200);
    let request = good(&issuer).build().encode_to_vec();
    let answer = server.raw(request, Some(Duration::from_millis(300))).await;
    assert_eq!((answer.status, answer.code, answer.reason()), (503, 14, "keys_unavailable"));
    issuer.now_serves(&ES256.jwks());
    server.expect(good(&issuer), 200, "").await;
}

#[tokio::test]
async fn a_check_that_waits_is_answered_well_when_the_keys_come() {
    let (server, issuer) = hanging(NEVER).await;
    let waiting = tokio::spawn(server.check(good(&issuer)));
    server.metric_reaches(MISSES, 1.0).await;
    issuer.now_serves(&ES256.jwks());
    assert_eq!(waiting.await.unwrap().status, 200);
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_stop_the_fetch() {
    let (server, issuer) = hanging(NEVER).await;
    let waiting = tokio::spawn(server.check(good(&issuer)));
    server.metric_reaches(MISSES, 1.0).await;
    waiting.abort();
    assert!(waiting.await.is_err());
    issuer.now_serves(&ES256.jwks());
    server.expect(good(&issuer), 200, "").await;
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn a_time_out_of_nothing_is_still_a_denial() {
    let (server, issuer) = hanging(NEVER).await;
    let request = good(&issuer).build().encode_to_vec();
    let answer = server.raw(request, Some(Duration::ZERO)).await;
    assert_eq!((answer.status, answer.reason()), (503, "keys_unavailable"));
}

#[tokio::test]
async fn checks_that_need_no_fetch_are_answered_meanwhile() {
    let (server, issuer) = hanging(NEVER).await;
    let waiting = tokio::spawn(server.check(good(&issuer)));
    server.metric_reaches(MISSES, 1.0).await;
    server.expect(TestRequest::default(), 401, "credentials_missing").await;
    server.expect(TestRequest::bearer("x"), 401, "token_malformed").await;
    let forged = claims("https://other.example");
    server.expect(TestRequest::bearer(&ES256.token(&forged)), 401, "issuer_not_allowed").await;
    issuer.now(Behaviour::Fail(500, String::new()));
    assert_eq!(waiting.await.unwrap().reason(), "keys_unavailable");
}

#[tokio::test]
async fn an_issuer_that_refuses_connections_makes_its_tokens_unavailable() {
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let issuer = format!("http://{address}");
    let provider = remote("a", &issuer, &format!("{issuer}/jwks"), "refresh_cooldown: 1h");
    let server = TestServer::start(&config(&[provider], "providers: [a]")).await;
    let request = TestRequest::bearer(&ES256.token(&claims(&issuer)));
    server.expect(request, 503, "keys_unavailable").await;
    let provider = server.status().await["providers"][0].clone();
    assert_eq!(
        (&provider["state"], &provider["last_error"]),
        (&"unavailable".into(), &"connection failed".into())
    );
}
