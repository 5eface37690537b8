//! Answers to tokens that are good in themselves: scopes, audiences, challenges, metadata.

use serde_json::Value;

use crate::support::{
    claims, config, keys::ES256, provider, request::TestRequest, server::TestServer, with,
};

const ISSUER: &str = "https://a.example";
const SCOPES: &str = "scopes: { all_of: [read, write], any_of: [x, y] }";

async fn serving(policy: &str) -> TestServer {
    let providers = [provider("a", ISSUER, &ES256.jwks())];
    TestServer::start(&config(&providers, &format!("providers: [a], {policy}"))).await
}

fn with_claim(name: &str, value: impl Into<Value>) -> TestRequest {
    TestRequest::bearer(&ES256.token(&with(claims(ISSUER), name, value.into())))
}

#[tokio::test]
async fn scopes_that_are_missing_are_asked_for() {
    let server = serving(SCOPES).await;
    let answer = server.expect(TestRequest::default(), 401, "credentials_missing").await;
    assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="api", scope="read write x y""#);
    let answer = server.expect(with_claim("scope", "read"), 403, "scope_insufficient").await;
    assert_eq!(answer.code, 7);
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with(r#"Bearer realm="api", error="insufficient_scope", error_d"#));
    assert!(challenge.ends_with(r#"", scope="read write x y""#), "{challenge}");
    assert!(answer.body.starts_with(r#"{"error":"insufficient_scope","error_description":""#));
}

#[tokio::test]
async fn scopes_are_not_asked_for_where_they_are_not_what_is_missing() {
    let server = serving(SCOPES).await;
    let answer = server.expect(TestRequest::bearer("x"), 401, "token_malformed").await;
    assert!(!answer.header("www-authenticate").contains("scope="));
}

#[tokio::test]
async fn every_scope_of_all_of_and_one_of_any_of_is_needed() {
    let server = serving(SCOPES).await;
    for scope in ["", "read", "read write", "read x y", "write x", "READ write x", "read,write,x"] {
        server.expect(with_claim("scope", scope), 403, "scope_insufficient").await;
    }
    for scope in [Value::from(1), Value::from(vec![1]), Value::from(true)] {
        server.expect(with_claim("scope", scope), 403, "scope_insufficient").await;
    }
    for scope in ["read write x", "y  write read z"] {
        server.expect(with_claim("scope", scope), 200, "").await;
    }
    server.expect(with_claim("scp", vec!["read", "write", "y"]), 200, "").await;
}

#[tokio::test]
async fn scopes_are_the_union_of_both_claims() {
    let server = serving(SCOPES).await;
    let both = with(with(claims(ISSUER), "scope", "read x".into()), "scp", "write".into());
    server.expect(TestRequest::bearer(&ES256.token(&both)), 200, "").await;
}

#[tokio::test]
async fn realm_and_resource_metadata_stand_in_every_challenge() {
    let url = "https://api.example/.well-known/oauth-protected-resource";
    let server = serving(&format!("realm: 'my api', resource_metadata: '{url}'")).await;
    let tail = format!(r#", resource_metadata="{url}""#);
    let answer = server.expect(TestRequest::default(), 401, "credentials_missing").await;
    assert_eq!(answer.header("www-authenticate"), format!(r#"Bearer realm="my api"{tail}"#));
    for (request, status, reason) in [
        (TestRequest::bearer("x"), 401, "token_malformed"),
        (TestRequest::bearer("x,y"), 400, "multiple_credentials"),
    ] {
        let answer = server.expect(request, status, reason).await;
        assert!(answer.header("www-authenticate").starts_with(r#"Bearer realm="my api", error="#));
        assert!(answer.header("www-authenticate").ends_with(&tail));
    }
}

#[tokio::test]
async fn an_audience_failure_can_be_forbidden_and_nothing_else_is() {
    let server = serving("audience_failure_status: 403").await;
    let answer = server.expect(with_claim("aud", "x"), 403, "audience_not_allowed").await;
    assert_eq!(answer.code, 7);
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with(r#"Bearer realm="api", error="invalid_token""#), "{challenge}");
    server.expect(with_claim("exp", 1), 401, "token_expired").await;
    server.expect(with_claim("aud", 1), 401, "claims_malformed").await;
}

#[tokio::test]
async fn provider_and_subject_are_told_only_of_a_verified_token() {
    let server = serving("scopes: { all_of: [read] }").await;
    let answer = server.expect(with_claim("scope", "other"), 403, "scope_insufficient").await;
    assert_eq!((&*answer.metadata["provider"], &*answer.metadata["subject"]), ("a", "alice"));
    let answer = server.expect(with_claim("scope", "read"), 200, "").await;
    assert_eq!((&*answer.metadata["provider"], &*answer.metadata["subject"]), ("a", "alice"));
    assert_eq!((&*answer.metadata["outcome"], &*answer.metadata["policy"]), ("allowed", "p"));
    assert!(!answer.metadata.contains_key("reason"));
    for request in [with_claim("aud", "x"), with_claim("cnf", "x"), with_claim("exp", 1)] {
        let answer = server.check(request).await;
        assert!(!answer.metadata.contains_key("provider") && answer.status == 401);
        assert!(!answer.metadata.contains_key("subject"));
    }
}

#[tokio::test]
async fn a_claim_that_fits_no_header_is_malformed_and_the_token_still_verified() {
    let server = serving("mode: strict").await;
    for value in [Value::from(vec![Value::Null]), "x".repeat(8 * 1024 + 1).into()] {
        let answer = server.expect(with_claim("sub", value), 401, "claims_malformed").await;
        assert_eq!(answer.metadata["provider"], "a");
    }
    let answer = server.expect(with_claim("sub", "a\r\nb"), 200, "").await;
    assert_eq!(answer.header("x-auth-subject"), "a%0D%0Ab");
}
