//! Fetched keys over real sockets: the first fetch, rotation, and refreshes that fail.

use serde_json::{Value, json};

use crate::support::{
    claims, config,
    issuer::{Behaviour, TestIssuer},
    keys::{ES256, TestKey, set},
    remote,
    request::TestRequest,
    server::TestServer,
    with,
};

/// Long enough that no test sees its end.
const COOLDOWN: &str = "refresh_cooldown: 1h";

async fn serving(issuer: &TestIssuer) -> TestServer {
    let provider = remote("a", &issuer.url, &issuer.jwks_uri(), COOLDOWN);
    TestServer::start(&config(&[provider], "providers: [a]")).await
}

fn signed(key: &TestKey, issuer: &TestIssuer) -> TestRequest {
    TestRequest::bearer(&key.token(&claims(&issuer.url)))
}

fn rotated(kid: &str) -> TestKey {
    TestKey::with_kid("ES256", kid)
}

#[tokio::test]
async fn keys_are_fetched_before_anybody_asks() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let server = serving(&issuer).await;
    assert_eq!(issuer.fetches(), 1);
    assert_eq!(server.status().await["providers"][0]["state"], "ready");
    server.expect(signed(&ES256, &issuer), 200, "").await;
    server.expect(signed(&ES256, &issuer), 200, "").await;
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn an_unknown_kid_causes_one_refresh_and_is_found() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let server = serving(&issuer).await;
    let new = rotated("new");
    issuer.now_serves(&set(&[&ES256, &new]));
    server.expect(signed(&new, &issuer), 200, "").await;
    server.expect(signed(&ES256, &issuer), 200, "").await;
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn a_key_that_the_issuer_took_back_is_refused_also_for_remembered_tokens() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let server = serving(&issuer).await;
    let remembered = signed(&ES256, &issuer);
    server.expect(remembered.clone(), 200, "").await;
    let new = rotated("new");
    issuer.now_serves(&new.jwks());
    server.expect(signed(&new, &issuer), 200, "").await;
    server.expect(remembered, 401, "key_unknown").await;
}

#[tokio::test]
async fn a_key_that_changed_under_its_kid_verifies_no_older_token() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let server = serving(&issuer).await;
    let remembered = signed(&ES256, &issuer);
    server.expect(remembered.clone(), 200, "").await;
    let (same, new) = (rotated(&ES256.kid), rotated("new"));
    issuer.now_serves(&set(&[&same, &new]));
    server.expect(signed(&new, &issuer), 200, "").await;
    server.expect(remembered, 401, "signature_invalid").await;
    server.expect(signed(&same, &issuer), 200, "").await;
}

#[tokio::test]
async fn unknown_kids_inside_the_cool_down_cause_no_refresh() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let server = serving(&issuer).await;
    for n in 0..20 {
        server.expect(signed(&rotated(&n.to_string()), &issuer), 401, "key_unknown").await;
    }
    assert_eq!(issuer.fetches(), 2);
    let suppressed = "claimgate_jwks_refresh_suppressed_total{provider=\"a\"}";
    assert!(server.metric(suppressed).await.unwrap() >= 19.0);
    server.expect(signed(&ES256, &issuer), 200, "").await;
}

#[tokio::test]
async fn many_unknown_kids_at_once_cause_one_refresh() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let server = serving(&issuer).await;
    let new = rotated("new");
    issuer.now(Behaviour::Hang);
    let asked: Vec<_> =
        (0..20).map(|_| tokio::spawn(server.check(signed(&new, &issuer)))).collect();
    issuer.fetched(2).await;
    issuer.now_serves(&set(&[&ES256, &new]));
    for asked in asked {
        assert_eq!(asked.await.unwrap().status, 200);
    }
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn only_a_token_that_could_pass_causes_a_refresh() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let server = serving(&issuer).await;
    let new = rotated("new");
    let expired = json!({ "iss": issuer.url, "aud": "test-api", "exp": 1 });
    server.expect(TestRequest::bearer(&new.token(&expired)), 401, "token_expired").await;
    let header = json!({ "alg": "HS256", "kid": "x" });
    let symmetric = TestRequest::bearer(&new.token_with(header, &claims(&issuer.url)));
    server.expect(symmetric, 401, "algorithm_not_allowed").await;
    let header = json!({ "alg": "RS256", "kid": ES256.kid });
    let mismatch = TestRequest::bearer(&new.token_with(header, &claims(&issuer.url)));
    server.expect(mismatch, 401, "algorithm_not_allowed").await;
    let header = json!({ "alg": "ES384" });
    let without_kid = TestRequest::bearer(&new.token_with(header, &claims(&issuer.url)));
    server.expect(without_kid, 401, "key_unknown").await;
    for (name, value, reason) in [
        ("iss", json!("https://other.example"), "issuer_not_allowed"),
        ("nbf", json!(crate::support::unix() + 600), "token_not_yet_valid"),
        ("iat", json!(crate::support::unix() + 600), "token_not_yet_valid"),
        ("exp", json!("soon"), "claims_malformed"),
        ("exp", Value::Null, "expiry_missing"),
    ] {
        let claims = with(claims(&issuer.url), name, value);
        server.expect(TestRequest::bearer(&new.token(&claims)), 401, reason).await;
    }
    let header = json!({ "alg": "ES256", "kid": "new", "crit": ["exp"], "jku": issuer.jwks_uri() });
    let critical = TestRequest::bearer(&new.token_with(header, &claims(&issuer.url)));
    server.expect(critical, 401, "critical_header_unsupported").await;
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn a_bad_signature_under_a_known_kid_causes_no_refresh() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let server = serving(&issuer).await;
    let forger = rotated(&ES256.kid);
    for _ in 0..5 {
        server.expect(signed(&forger, &issuer), 401, "signature_invalid").await;
    }
    // A place that a token names is no place of ours.
    let foreign = TestIssuer::serving(&forger.jwks()).await;
    let header = json!({ "alg": "ES256", "kid": ES256.kid, "jku": foreign.jwks_uri() });
    let told = TestRequest::bearer(&forger.token_with(header, &claims(&issuer.url)));
    server.expect(told, 401, "signature_invalid").await;
    assert_eq!((issuer.fetches(), foreign.fetches()), (1, 0));
}

/// A refresh with this outcome leaves the good keys, and unknown kids open.
async fn check_bad_refresh(behaviour: Behaviour, last_error: &str) {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let server = serving(&issuer).await;
    issuer.now(behaviour);
    server.expect(signed(&rotated("new"), &issuer), 503, "keys_unavailable").await;
    server.expect(signed(&ES256, &issuer), 200, "").await;
    let provider = server.status().await["providers"][0].clone();
    assert_eq!(
        (&provider["state"], &provider["last_error"]),
        (&json!("stale"), &json!(last_error))
    );
    assert!(provider["consecutive_failures"].as_u64().unwrap() >= 1);
    assert_eq!(provider["keys"][0]["kid"], Value::from(&*ES256.kid));
}

#[tokio::test]
async fn a_refresh_that_fails_leaves_the_good_keys() {
    check_bad_refresh(Behaviour::Fail(500, "{}".into()), "HTTP status 500").await;
    check_bad_refresh(Behaviour::Fail(404, ES256.jwks().to_string()), "HTTP status 404").await;
    check_bad_refresh(Behaviour::Fail(204, String::new()), "HTTP status 204").await;
}

#[tokio::test]
async fn a_refresh_that_gives_no_usable_set_leaves_the_good_keys() {
    let not_a_set = "set unusable: not a JWK Set: a JSON object with an array `keys` is accepted";
    let serve = |text: &str| Behaviour::Serve(text.to_owned());
    check_bad_refresh(serve("<html>maintenance</html>"), not_a_set).await;
    check_bad_refresh(serve(""), not_a_set).await;
    check_bad_refresh(serve("{\"keys\":[]}"), "set unusable: no usable key").await;
    let oct = TestKey::new("HS256").jwks().to_string();
    check_bad_refresh(serve(&oct), "set unusable: no usable key").await;
    let large = " ".repeat(512 * 1024) + &ES256.jwks().to_string();
    check_bad_refresh(serve(&large), "set unusable: larger than 512 KiB").await;
    let many = json!({ "keys": vec![ES256.jwk(); 101] }).to_string();
    check_bad_refresh(serve(&many), "set unusable: more than 100 keys").await;
}

#[tokio::test]
async fn a_redirect_to_another_origin_is_refused() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let server = serving(&issuer).await;
    let attacker = rotated("new");
    let other = TestIssuer::serving(&attacker.jwks()).await;
    issuer.now(Behaviour::Redirect(other.jwks_uri()));
    server.expect(signed(&attacker, &issuer), 503, "keys_unavailable").await;
    assert_eq!(other.fetches(), 0);
    assert_eq!(server.status().await["providers"][0]["last_error"], "redirect refused");
}

#[tokio::test]
async fn an_issuer_that_is_gone_leaves_the_good_keys() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let server = serving(&issuer).await;
    let (good, unknown) = (signed(&ES256, &issuer), signed(&rotated("new"), &issuer));
    let address = issuer.address;
    drop(issuer);
    while tokio::net::TcpStream::connect(address).await.is_ok() {}
    server.expect(unknown, 503, "keys_unavailable").await;
    server.expect(good, 200, "").await;
    assert_eq!(server.status().await["providers"][0]["last_error"], "connection failed");
}
