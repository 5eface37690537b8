//! exp, nbf and iat: their shape, their bounds, leeway and lifetime.

use serde_json::{Value, json};

use crate::support::{
    claims, config, keys::ES256, provider, request::TestRequest, server::TestServer, unix, with,
};

const ISSUER: &str = "https://a.example";

async fn serving(more: &str) -> TestServer {
    let provider = provider("a", ISSUER, &ES256.jwks()) + more;
    TestServer::start(&config(&[provider], "providers: [a]")).await
}

fn dated(name: &str, value: impl Into<Value>) -> TestRequest {
    TestRequest::bearer(&ES256.token(&with(claims(ISSUER), name, value.into())))
}

/// A claim written with exactly this JSON text.
fn written(name: &str, text: &str) -> TestRequest {
    let header = json!({ "alg": "ES256", "kid": ES256.kid }).to_string();
    let payload = with(claims(ISSUER), name, Value::Null).to_string();
    let payload = payload.replacen('{', &format!(r#"{{"{name}":{text},"#), 1);
    TestRequest::bearer(&ES256.jws(&header, &payload))
}

#[tokio::test]
async fn a_date_is_a_number_from_zero_to_two_to_the_53() {
    let server = serving("").await;
    for name in ["exp", "nbf", "iat"] {
        for text in
            ["null", "true", "\"1\"", "[1]", "{}", "-1", "-0.1", "1e999", "9007199254740994"]
        {
            server.expect(written(name, text), 401, "claims_malformed").await;
        }
    }
    server.expect(written("exp", "9007199254740992"), 200, "").await;
    server.expect(written("exp", "4e9"), 200, "").await;
    server.expect(written("iat", "1.5"), 200, "").await;
    server.expect(written("nbf", "0"), 200, "").await;
}

#[tokio::test]
async fn a_malformed_date_is_not_overlooked_because_another_decides() {
    let server = serving("").await;
    let both = with(with(claims(ISSUER), "exp", 1.into()), "iat", "x".into());
    let request = TestRequest::bearer(&ES256.token(&both));
    server.expect(request, 401, "claims_malformed").await;
}

#[tokio::test]
async fn exp_ends_a_token_without_leeway() {
    let server = serving("  leeway: 0s\n").await;
    for exp in [0, 1, unix() - 3600, unix()] {
        server.expect(dated("exp", exp), 401, "token_expired").await;
    }
    server.expect(dated("exp", unix() + 3600), 200, "").await;
}

#[tokio::test]
async fn leeway_moves_every_bound_and_no_further() {
    let server = serving("  leeway: 10m\n").await;
    server.expect(dated("exp", unix() - 300), 200, "").await;
    server.expect(dated("nbf", unix() + 300), 200, "").await;
    server.expect(dated("iat", unix() + 300), 200, "").await;
    server.expect(dated("exp", unix() - 900), 401, "token_expired").await;
    server.expect(dated("nbf", unix() + 900), 401, "token_not_yet_valid").await;
    server.expect(dated("iat", unix() + 900), 401, "token_not_yet_valid").await;
}

#[tokio::test]
async fn nbf_and_iat_begin_a_token() {
    let server = serving("  leeway: 0s\n").await;
    for name in ["nbf", "iat"] {
        server.expect(dated(name, unix() + 1800), 401, "token_not_yet_valid").await;
        server.expect(dated(name, unix() - 1), 200, "").await;
    }
}

#[tokio::test]
async fn exp_is_required_unless_the_provider_says_otherwise() {
    let server = serving("").await;
    server.expect(dated("exp", Value::Null), 401, "expiry_missing").await;
    let server = serving("  require_exp: false\n").await;
    server.expect(dated("exp", Value::Null), 200, "").await;
    server.expect(dated("exp", 1), 401, "token_expired").await;
    let server = serving("  require_exp: false\n  max_lifetime: 1h\n").await;
    server.expect(dated("exp", Value::Null), 401, "expiry_missing").await;
}

#[tokio::test]
async fn the_lifetime_counts_from_iat_or_else_from_now() {
    let server = serving("  max_lifetime: 2h\n").await;
    let request = |iat: Value, exp: u64| {
        let claims = with(with(claims(ISSUER), "iat", iat), "exp", exp.into());
        TestRequest::bearer(&ES256.token(&claims))
    };
    server.expect(request((unix() - 7000).into(), unix() + 3600), 401, "lifetime_too_long").await;
    server.expect(request(Value::Null, unix() + 10_800), 401, "lifetime_too_long").await;
    server.expect(request((unix() - 60).into(), unix() + 7141), 401, "lifetime_too_long").await;
    server.expect(request((unix() - 60).into(), unix() + 3600), 200, "").await;
    server.expect(request(Value::Null, unix() + 3600), 200, "").await;
}

#[tokio::test]
async fn time_is_looked_at_before_the_key_and_the_signature() {
    let server = serving("").await;
    let header = json!({ "alg": "ES256", "kid": "unknown" });
    let expired = with(claims(ISSUER), "exp", 1.into());
    let request = TestRequest::bearer(&ES256.token_with(header, &expired));
    server.expect(request, 401, "token_expired").await;
}

#[tokio::test]
async fn a_token_that_was_allowed_is_allowed_again_with_the_same_answer() {
    let server = serving("").await;
    let request = dated("nbf", 1);
    let first = server.expect(request.clone(), 200, "").await;
    assert_eq!(server.expect(request, 200, "").await, first);
    assert_eq!(server.metric("claimgate_token_cache_hits_total").await, Some(1.0));
}
