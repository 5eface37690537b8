//! What the client is answered, and what the proxy learns, for each reason.

use std::panic::Location;

use serde_json::{Value, json};

use crate::support::{
    answer::Answer, claims, keys::ES256, provider, request::TestRequest, server::TestServer, unix,
    with,
};

const ISSUER: &str = "https://secret.example";

/// One policy whose provider asks for everything that it can ask for.
fn config() -> String {
    let jwks = ES256.jwks();
    let good = provider("secret-provider", ISSUER, &jwks)
        + "  max_lifetime: 24h\n  required_claims: { hd: secret.example }\n";
    let off = provider("secret-off", "https://off.example", &jwks) + "  enabled: false\n";
    let gone = "- { name: secret-gone, issuer: 'https://gone.example', audiences: any, jwks: { file: gone.json } }\n";
    format!(
        "providers:\n{good}{off}{gone}policies:\n- {{ name: orders, providers: [secret-provider, secret-gone] }}\n"
    )
}

fn good() -> Value {
    with(claims(ISSUER), "hd", "secret.example".into())
}

fn ordered(token: &str) -> TestRequest {
    TestRequest::bearer(token).extension("claimgate.policy", "orders")
}

/// What one row of the table says.
struct Row {
    status: u32,
    code: i32,
    error: &'static str,
    outcome: &'static str,
}

const UNAUTHORIZED: Row = Row { status: 401, code: 16, error: "invalid_token", outcome: "denied" };
const BAD: Row = Row { status: 400, code: 3, error: "invalid_request", outcome: "denied" };
const FAULT: Row =
    Row { status: 503, code: 14, error: "temporarily_unavailable", outcome: "fault" };

/// Holds an answer to its row, to the byte where the contract says so.
#[track_caller]
fn check_answer(answer: &Answer, reason: &str, row: &Row) {
    let Row { status, code, error, outcome } = *row;
    assert_eq!((answer.status, answer.code, answer.reason()), (status, code, reason));
    assert_eq!(answer.metadata["outcome"], outcome);
    assert!(answer.body.len() < 512);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let description = body["error_description"].as_str().unwrap();
    assert_eq!(body, json!({ "error": error, "error_description": description }));
    assert_eq!(answer.header("content-type"), "application/json");
    let challenge = match error {
        "temporarily_unavailable" => String::new(),
        "unauthorized" => r#"Bearer realm="api""#.to_owned(),
        _ => format!(r#"Bearer realm="api", error="{error}", error_description="{description}""#),
    };
    assert_eq!(answer.header("www-authenticate"), challenge);
    let retry = answer.header("retry-after");
    assert_eq!(retry.parse::<u32>().is_ok_and(|seconds| seconds > 0), status == 503, "{retry}");
    let expected = 1 + usize::from(!challenge.is_empty()) + usize::from(status == 503);
    assert_eq!(answer.headers.len(), expected, "{:?}", answer.headers);
    let told = format!("{:?} {}", answer.headers, answer.body);
    for secret in ["secret", "alice", "example", "orders", &ES256.kid] {
        assert!(!told.contains(secret), "the client learns {secret}: {told}");
    }
}

#[track_caller]
fn check<'s>(
    server: &'s TestServer,
    request: TestRequest,
    reason: &'s str,
    row: Row,
) -> impl Future<Output = ()> + use<'s> {
    let caller = Location::caller();
    let answer = server.check(request);
    async move {
        let answer = answer.await;
        assert_eq!(answer.reason(), reason, "asked at {caller}");
        check_answer(&answer, reason, &row);
        assert!(!answer.metadata.contains_key("provider"), "nothing is proven: {caller}");
        assert!(!answer.metadata.contains_key("subject"), "nothing is proven: {caller}");
    }
}

#[tokio::test]
async fn a_missing_credential_is_challenged_without_an_error() {
    let server = TestServer::start(&config()).await;
    let request = TestRequest::default().extension("claimgate.policy", "orders");
    let row = Row { error: "unauthorized", ..UNAUTHORIZED };
    check(&server, request, "credentials_missing", row).await;
}

#[tokio::test]
async fn a_request_that_is_ambiguous_is_bad() {
    let server = TestServer::start(&config()).await;
    let request = ordered("a,Bearer b");
    check(&server, request, "multiple_credentials", BAD).await;
    let answer = server.raw(b"\x0a\xff".to_vec(), None).await;
    check_answer(&answer, "request_malformed", &BAD);
    assert!(!answer.metadata.contains_key("policy"));
}

#[tokio::test]
async fn each_way_in_which_a_token_fails_has_its_reason() {
    let server = TestServer::start(&config()).await;
    let check_token = async |token: &str, reason: &str| {
        check(&server, ordered(token), reason, UNAUTHORIZED).await;
    };
    let check_claims = async |name: &str, value: Value, reason: &str| {
        check_token(&ES256.token(&with(good(), name, value)), reason).await;
    };
    let header = |name: &str, value: &str| {
        let header = with(json!({ "alg": "ES256", "kid": ES256.kid }), name, value.into());
        ES256.token_with(header, &good())
    };
    check_token("x", "token_malformed").await;
    check_token(&"a".repeat(16 * 1024 + 1), "token_too_large").await;
    check_token(&header("crit", "x"), "critical_header_unsupported").await;
    check_claims("iss", "https://other.example".into(), "issuer_not_allowed").await;
    check_token(&header("alg", "RS256"), "algorithm_not_allowed").await;
    check_claims("exp", "soon".into(), "claims_malformed").await;
    check_claims("exp", 1.into(), "token_expired").await;
    check_claims("nbf", (unix() + 3600).into(), "token_not_yet_valid").await;
    check_claims("exp", Value::Null, "expiry_missing").await;
    check_token(&header("kid", "secret-kid"), "key_unknown").await;
    check_token(&format!("{}AAAA", ES256.token(&good())), "signature_invalid").await;
    check_token(&header("typ", "id+jwt"), "token_type_not_allowed").await;
    check_claims("exp", (unix() + 48 * 3600).into(), "lifetime_too_long").await;
    check_claims("aud", "secret-other".into(), "audience_not_allowed").await;
    check_claims("hd", "secret.other".into(), "claims_rejected").await;
}

#[tokio::test]
async fn what_the_client_cannot_mend_is_a_fault_to_be_tried_again() {
    let server = TestServer::start(&config()).await;
    let token = ES256.token(&good());
    let check_route = async |key: &str, value: &str, reason: &str| {
        let request = TestRequest::bearer(&token).extension(key, value);
        check(&server, request, reason, FAULT).await;
    };
    check(&server, TestRequest::bearer(&token), "route_policy_missing", FAULT).await;
    check_route("claimgate.mode", "strict", "route_policy_invalid").await;
    check_route("claimgate.policy", "secret-policy", "policy_unknown").await;
    check_route("claimgate.providers", "secret-nobody", "provider_unknown").await;
    check_route("claimgate.providers", "secret-off", "provider_disabled").await;
    let gone = ES256.token(&with(good(), "iss", "https://gone.example".into()));
    check(&server, ordered(&gone), "keys_unavailable", FAULT).await;
}

#[tokio::test]
async fn the_policy_is_named_in_the_metadata_once_it_is_known() {
    let server = TestServer::start(&config()).await;
    assert_eq!(server.check(ordered("x")).await.metadata["policy"], "orders");
    let inline = TestRequest::bearer("x").extension("claimgate.providers", "secret-provider");
    assert_eq!(server.check(inline).await.metadata["policy"], "inline");
    let missing = server.check(TestRequest::bearer("x")).await;
    assert!(!missing.metadata.contains_key("policy"));
}
