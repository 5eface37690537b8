//! Every mode with every kind of credential: who passes, and what the upstream sees of it.

use serde_json::{Value, json};

use crate::support::{
    answer::Answer, claims, keys::ES256, provider, request::TestRequest, server::TestServer, with,
};

const MODES: [&str; 4] = ["strict", "optional", "permissive", "anonymous"];

/// Owned headers of a disabled provider, of another policy and of `strip_headers`, too.
async fn serving() -> TestServer {
    let jwks = ES256.jwks();
    let off = format!(
        "- {{ name: off, enabled: false, issuer: off, audiences: any, jwks: {{ inline: {jwks} }}, payload_header: x-off-payload }}\n"
    );
    let gone = "- { name: gone, issuer: 'https://gone.example', audiences: any, jwks: { file: gone.json } }\n";
    let policies = MODES.map(|mode| {
        format!(
            "- {{ name: {mode}, mode: {mode}, providers: [a, gone], scopes: {{ all_of: [s] }} }}\n"
        )
    });
    let keep = "- { name: keep, providers: [a], forward_token: true }\n\
                - { name: drop, providers: [a], forward_token: false }\n\
                - { name: copy, providers: [a], forward_token: { header: x-forwarded-authorization } }\n\
                - { name: ghost, mode: permissive, providers: [ghost] }\n";
    let providers = provider("a", "https://a.example", &jwks) + &off + gone;
    let policies = policies.concat() + keep;
    let config =
        format!("strip_headers: [X-Internal, plain]\nproviders:\n{providers}policies:\n{policies}");
    TestServer::start(&config).await
}

/// Every header of that config with its underscore form.
const OWNED: [&str; 11] = [
    "plain",
    "x-auth-provider",
    "x-auth-subject",
    "x-forwarded-authorization",
    "x-internal",
    "x-off-payload",
    "x_auth_provider",
    "x_auth_subject",
    "x_forwarded_authorization",
    "x_internal",
    "x_off_payload",
];

fn good_claims() -> Value {
    with(claims("https://a.example"), "scope", "s".into())
}

fn good() -> TestRequest {
    TestRequest::bearer(&ES256.token(&good_claims()))
}

fn changed(name: &str, value: Value) -> TestRequest {
    TestRequest::bearer(&ES256.token(&with(good_claims(), name, value)))
}

fn under(policy: &str, request: TestRequest) -> TestRequest {
    request.extension("claimgate.policy", policy)
}

/// Whether the client's Authorization goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Authorization {
    Kept,
    Removed,
}

use Authorization::{Kept, Removed};

/// No claim is set; every owned header is removed, and Authorization where it says so.
#[track_caller]
fn check_anonymous(answer: &Answer, authorization: Authorization) {
    assert!(answer.is_anonymous(), "{answer:?}");
    let mut removed = answer.removed.clone();
    removed.sort();
    let mut expected = OWNED.to_vec();
    if authorization == Removed {
        expected.insert(0, "authorization");
    }
    assert_eq!(removed, expected);
    assert_eq!(answer.metadata["outcome"], "allowed");
}

#[tokio::test]
async fn without_a_credential_only_strict_denies() {
    let server = serving().await;
    for request in
        [TestRequest::default(), TestRequest::default().header("authorization", "Basic x")]
    {
        let asked = |mode| under(mode, request.clone());
        server.expect(asked("strict"), 401, "credentials_missing").await;
        check_anonymous(&server.expect(asked("optional"), 200, "").await, Kept);
        let answer = server.expect(asked("permissive"), 200, "credentials_missing").await;
        check_anonymous(&answer, Kept);
        check_anonymous(&server.expect(asked("anonymous"), 200, "").await, Kept);
    }
}

#[tokio::test]
async fn with_a_bad_credential_only_permissive_and_anonymous_pass() {
    let server = serving().await;
    for (request, status, reason) in [
        (TestRequest::bearer("x"), 401, "token_malformed"),
        (TestRequest::bearer("x,Basic y"), 400, "multiple_credentials"),
        (changed("iss", "x".into()), 401, "issuer_not_allowed"),
        (changed("exp", 1.into()), 401, "token_expired"),
        (changed("aud", "x".into()), 401, "audience_not_allowed"),
        (changed("scope", "x".into()), 403, "scope_insufficient"),
        (changed("sub", json!([null])), 401, "claims_malformed"),
        (changed("iss", "https://gone.example".into()), 503, "keys_unavailable"),
    ] {
        let asked = |mode| under(mode, request.clone());
        server.expect(asked("strict"), status, reason).await;
        server.expect(asked("optional"), status, reason).await;
        let answer = server.expect(asked("permissive"), 200, reason).await;
        check_anonymous(&answer, Removed);
        // The log may know whose token it was once it is verified.
        let verified = ["scope_insufficient", "claims_malformed"].contains(&reason);
        assert_eq!(answer.metadata.contains_key("provider"), verified, "{reason}");
        check_anonymous(&server.expect(asked("anonymous"), 200, "").await, Kept);
    }
}

#[tokio::test]
async fn a_good_credential_is_an_identity_except_where_nobody_looks() {
    let server = serving().await;
    for mode in ["strict", "optional", "permissive"] {
        let answer = server.expect(under(mode, good()), 200, "").await;
        assert_eq!(answer.header("x-auth-subject"), "alice");
        assert_eq!(answer.header("x-auth-provider"), "a");
        assert_eq!(answer.headers.len(), 2);
        let mut removed = answer.removed.clone();
        removed.sort();
        let is_set = |name: &str| name == "x-auth-subject" || name == "x-auth-provider";
        assert_eq!(removed, OWNED.into_iter().filter(|name| !is_set(name)).collect::<Vec<_>>());
    }
    let answer = server.expect(under("anonymous", good()), 200, "").await;
    check_anonymous(&answer, Kept);
}

#[tokio::test]
async fn faults_of_the_route_and_malformed_requests_are_denied_in_every_mode() {
    let server = serving().await;
    server.expect(under("ghost", TestRequest::default()), 503, "provider_unknown").await;
    server.expect(under("nobody", good()), 503, "policy_unknown").await;
    for mode in MODES {
        let invalid = under("strict", good()).extension("claimgate.mode", mode);
        server.expect(invalid, 503, "route_policy_invalid").await;
        let mut bytes = prost::Message::encode_to_vec(&under(mode, good()).build());
        bytes.push(0x0A);
        assert_eq!(server.raw(bytes, None).await.reason(), "request_malformed");
    }
}

/// Some backends read every one of these as `x-auth-subject`.
#[tokio::test]
async fn an_owned_name_in_other_words_is_taken_off_in_every_mode() {
    let server = serving().await;
    let names = ["x-auth_subject", "X_Auth-Subject", "x.auth.subject", "x~auth_subject"];
    let kept = ["xauthsubject", "x-auth-subjects", "x_other", "x-auth-subject-", ":path"];
    for mode in MODES {
        let request = names
            .iter()
            .chain(&kept)
            .fold(good(), |request, name| request.raw_header(name, b"mallory"));
        let bearer = request.http.headers["authorization"].clone();
        let request = request.raw_header("authorization", bearer.as_bytes());
        let answer = server.expect(under(mode, request), 200, "").await;
        for name in names {
            let name = name.to_ascii_lowercase();
            assert!(answer.removed.contains(&name), "{mode} {name}: {:?}", answer.removed);
        }
        for name in kept {
            assert!(!answer.removed.contains(&name.to_owned()), "{mode} {name}");
        }
    }
}

/// A proxy between Envoy and the upstream takes off what `Connection` names.
#[tokio::test]
async fn an_owned_header_that_connection_names_is_malformed_in_every_mode() {
    let server = serving().await;
    for mode in MODES {
        let with = |value: &str| under(mode, good().header("connection", value));
        for value in ["upgrade", "close, te", "x-other,authorization", ""] {
            server.expect(with(value), 200, "").await;
        }
        for value in
            ["x-auth-subject", "upgrade, X-Auth-Subject", "x_auth_subject ,x", "a,x-auth_provider"]
        {
            server.expect(with(value), 400, "request_malformed").await;
        }
    }
}

#[tokio::test]
async fn a_route_can_set_the_mode_of_inline_providers() {
    let server = serving().await;
    for (mode, status, reason) in [
        ("strict", 401, "token_malformed"),
        ("optional", 401, "token_malformed"),
        ("permissive", 200, "token_malformed"),
        ("anonymous", 200, ""),
    ] {
        let route = json!({ "providers": ["a"], "mode": mode });
        server.expect(TestRequest::bearer("x").filter(&route), status, reason).await;
    }
    let alone = TestRequest::bearer("x").extension("claimgate.mode", "anonymous");
    check_anonymous(&server.expect(alone, 200, "").await, Kept);
}

#[tokio::test]
async fn the_token_reaches_the_upstream_as_the_policy_says() {
    let server = serving().await;
    let token = ES256.token(&good_claims());
    let request =
        || TestRequest::bearer(&token).header("x-forwarded-authorization", "Bearer forged");
    let keep = server.expect(under("keep", request()), 200, "").await;
    assert!(!keep.removed.contains(&"authorization".to_owned()));
    assert!(keep.removed.contains(&"x-forwarded-authorization".to_owned()));
    let drop = server.expect(under("drop", request()), 200, "").await;
    assert!(drop.removed.contains(&"authorization".to_owned()));
    assert_eq!(drop.header("x-forwarded-authorization"), "");
    let copy = server.expect(under("copy", request()), 200, "").await;
    assert_eq!(copy.header("x-forwarded-authorization"), format!("Bearer {token}"));
    assert!(!copy.removed.contains(&"authorization".to_owned()));
    assert!(copy.removed.contains(&"x_forwarded_authorization".to_owned()));
}

#[tokio::test]
async fn an_identity_header_without_a_value_is_removed_and_never_empty() {
    let server = serving().await;
    for sub in [Value::Null, "".into(), json!([])] {
        let answer = server.expect(under("strict", changed("sub", sub)), 200, "").await;
        assert!(answer.removed.contains(&"x-auth-subject".to_owned()));
        assert_eq!(answer.header("x-auth-provider"), "a");
    }
}
