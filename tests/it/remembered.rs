//! Tokens that were verified before: what a hit looks at again, and what it does not cost.

use serde_json::json;

use crate::support::{
    claims, config,
    issuer::TestIssuer,
    keys::{ES256, TestKey, set},
    provider, remote,
    request::TestRequest,
    server::TestServer,
    unix, with,
};

const A: &str = "https://a.example";
const B: &str = "https://b.example";
const HITS: &str = "claimgate_token_cache_hits_total";
const MISSES: &str = "claimgate_token_cache_misses_total";

fn a() -> String {
    provider("a", A, &ES256.jwks())
}

fn b() -> String {
    provider("b", B, &ES256.jwks())
}

fn bearer(token: &str) -> TestRequest {
    TestRequest::bearer(token)
}

async fn reloaded(server: &TestServer, config: &str, generation: u64) {
    server.rewrite(config);
    server.status_until(|status| status["generation"] == generation).await;
}

#[tokio::test]
async fn a_token_is_verified_once() {
    let server = TestServer::start(&config(&[a()], "providers: [a]")).await;
    let token = ES256.token(&claims(A));
    for hits in 0..3 {
        let answer = server.expect(bearer(&token), 200, "").await;
        assert_eq!(answer.header("x-auth-subject"), "alice");
        assert_eq!(server.metric(HITS).await, Some(f64::from(hits)));
    }
    assert_eq!(server.metric(MISSES).await, Some(1.0));
    assert!(server.metric("claimgate_token_cache_bytes").await.is_some());
}

#[tokio::test]
async fn with_size_0_each_token_is_verified_each_time() {
    let config = config(&[a()], "providers: [a]");
    let server = TestServer::with(&config, |settings| settings.token_cache_size = 0).await;
    let token = ES256.token(&claims(A));
    for _ in 0..3 {
        server.expect(bearer(&token), 200, "").await;
    }
    assert_eq!(server.metric(HITS).await, Some(0.0));
    assert_eq!(server.metric("claimgate_token_cache_bytes").await, Some(0.0));
}

#[tokio::test]
async fn a_known_signature_carries_no_other_header_or_payload() {
    let server = TestServer::start(&config(&[a()], "providers: [a]")).await;
    let token = ES256.token(&claims(A));
    let other = ES256.token(&with(claims(A), "sub", "mallory".into()));
    server.expect(bearer(&token), 200, "").await;
    server.expect(bearer(&other), 200, "").await;
    let segments = |token: &str| -> Vec<String> { token.split('.').map(str::to_owned).collect() };
    let ([header, payload, signature], [_, other_payload, other_signature]) =
        (&segments(&token)[..], &segments(&other)[..])
    else {
        panic!("three segments");
    };
    let swapped = [
        format!("{header}.{other_payload}.{signature}"),
        format!("{header}.{payload}.{other_signature}"),
    ];
    for token in swapped {
        server.expect(bearer(&token), 401, "signature_invalid").await;
    }
    let unsigned_header = ES256.token_with(json!({ "alg": "ES256", "x": 1 }), &claims(A));
    let [foreign_header, ..] = &segments(&unsigned_header)[..] else { panic!("three segments") };
    let token = format!("{foreign_header}.{payload}.{signature}");
    server.expect(bearer(&token), 401, "signature_invalid").await;
}

#[tokio::test]
async fn a_known_token_expires() {
    let brief = a() + "  leeway: 0s\n";
    let server = TestServer::start(&config(&[brief], "providers: [a]")).await;
    let token = ES256.token(&with(claims(A), "exp", (unix() + 2).into()));
    server.expect(bearer(&token), 200, "").await;
    // Asked until it has: a second or two.
    let answer = loop {
        let answer = server.check(bearer(&token)).await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!((answer.status, answer.reason()), (401, "token_expired"));
    assert!(server.metric(HITS).await > Some(0.0));
}

#[tokio::test]
async fn a_known_token_is_held_to_a_lifetime_that_a_reload_brings() {
    let server = TestServer::start(&config(&[a()], "providers: [a]")).await;
    let token = ES256.token(&with(claims(A), "iat", unix().into()));
    server.expect(bearer(&token), 200, "").await;
    let shorter =
        |bound: &str| config(&[a() + "  max_lifetime: " + bound + "\n"], "providers: [a]");
    reloaded(&server, &shorter("30m"), 2).await;
    server.expect(bearer(&token), 401, "lifetime_too_long").await;
    reloaded(&server, &shorter("2h"), 3).await;
    server.expect(bearer(&token), 200, "").await;
}

#[tokio::test]
async fn a_known_token_is_decided_anew_on_another_route() {
    let policies = "policies:\n\
        - { name: open, providers: [a] }\n\
        - { name: scoped, providers: [a], scopes: { all_of: [admin] } }\n\
        - { name: narrow, providers: [a], audiences: [other] }\n\
        - { name: foreign, providers: [b] }\n\
        - name: get\n  providers: [a]\n  rules: [{ name: get-a, require: 'request.method == \"GET\" && request.path == \"/a\"' }]\n";
    let server = TestServer::start(&format!("providers:\n{}{}{policies}", a(), b())).await;
    let token = ES256.token(&claims(A));
    let on = |route: serde_json::Value| bearer(&token).filter(&route);
    let named = |policy: &str| on(json!({ "policy": policy }));
    for _ in 0..2 {
        server.expect(named("open"), 200, "").await;
        server.expect(named("scoped"), 403, "scope_insufficient").await;
        server.expect(named("narrow"), 401, "audience_not_allowed").await;
        server.expect(named("foreign"), 401, "issuer_not_allowed").await;
        server.expect(on(json!({ "providers": ["a"] })), 200, "").await;
        server.expect(on(json!({ "providers": ["b"] })), 401, "issuer_not_allowed").await;
        let narrowed = json!({ "policy": "open", "audiences": ["other"] });
        server.expect(on(narrowed), 401, "audience_not_allowed").await;
        let narrowed = json!({ "policy": "open", "scopes": ["admin"] });
        server.expect(on(narrowed), 403, "scope_insufficient").await;
        for (method, path, status) in [("GET", "/a", 200), ("PUT", "/a", 403), ("GET", "/b", 403)] {
            let mut request = named("get");
            (request.http.method, request.http.path) = (method.to_owned(), path.to_owned());
            request.http.host = "a.example".to_owned();
            assert_eq!(server.check(request).await.status, status, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_refresh_that_brings_the_same_keys_loses_no_token() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let provider = remote("a", &issuer.url, &issuer.jwks_uri(), "refresh_cooldown: 1h");
    let server = TestServer::start(&config(&[provider], "providers: [a]")).await;
    let token = ES256.token(&claims(&issuer.url));
    server.expect(bearer(&token), 200, "").await;
    // An unknown kid causes the refresh, and is answered after it.
    let unknown = TestKey::with_kid("ES256", "unknown").token(&claims(&issuer.url));
    issuer.now_serves(&set(&[&ES256]));
    server.expect(bearer(&unknown), 401, "key_unknown").await;
    assert_eq!(issuer.fetches(), 2);
    server.expect(bearer(&token), 200, "").await;
    assert_eq!(server.metric(HITS).await, Some(1.0));
}

#[tokio::test]
async fn a_reload_loses_only_the_tokens_of_what_it_changed() {
    let server = TestServer::start(&config(&[a(), b()], "providers: [a, b]")).await;
    let (of_a, of_b) = (ES256.token(&claims(A)), ES256.token(&claims(B)));
    for token in [&of_a, &of_b] {
        server.expect(bearer(token), 200, "").await;
    }
    let header = "claim_to_headers: [{ claim: iss, header: x-auth-issuer }]";
    let changed = b().replace("audiences: [test-api]", "audiences: [test-api, more]");
    reloaded(&server, &config(&[a(), changed], &format!("providers: [a, b], {header}")), 2).await;
    // What the policy makes of a token is new for both.
    let answer = server.expect(bearer(&of_a), 200, "").await;
    assert_eq!(answer.header("x-auth-issuer"), A);
    assert_eq!((server.metric(HITS).await, server.metric(MISSES).await), (Some(1.0), Some(2.0)));
    let answer = server.expect(bearer(&of_b), 200, "").await;
    assert_eq!(answer.header("x-auth-issuer"), B);
    assert_eq!((server.metric(HITS).await, server.metric(MISSES).await), (Some(1.0), Some(3.0)));
}

#[tokio::test]
async fn a_key_file_that_changes_withdraws_the_tokens_of_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    let other = TestKey::with_kid("ES256", "other");
    std::fs::write(&keys, set(&[&ES256, &other]).to_string()).unwrap();
    let provider =
        a().replace(&format!("inline: {}", ES256.jwks()), &format!("file: '{}'", keys.display()));
    let server = TestServer::start(&config(&[provider], "providers: [a]")).await;
    let (withdrawn, kept) = (ES256.token(&claims(A)), other.token(&claims(A)));
    for token in [&withdrawn, &kept] {
        server.expect(bearer(token), 200, "").await;
    }
    std::fs::write(folder.path().join("new"), other.jwks().to_string()).unwrap();
    std::fs::rename(folder.path().join("new"), &keys).unwrap();
    server.status_until(|status| status["generation"] == 2).await;
    server.expect(bearer(&withdrawn), 401, "key_unknown").await;
    server.expect(bearer(&kept), 200, "").await;
}
