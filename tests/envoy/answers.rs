//! What the client and the upstream see of each answer, in both header modes.

use serde_json::Value;

use crate::{
    client::{Reply, Request},
    credentials::{Case, denied, good, with_scopes},
    listener::Listener,
    stack::{Stack, listener},
};

/// Every class of refusal, and a good token, with this listener.
async fn check(listener: Listener) {
    let Some(stack) = Stack::start(&listener.shows_metadata()).await else { return };
    for case in denied() {
        check_denied(&case, &stack.send(&case.request()).await);
    }
    let token = good();
    let reply = stack.send(&Request::get("/p/strict").bearer(&token)).await;
    assert_eq!((reply.status, reply.header("x-outcome").as_str()), (200, "allowed"));
    assert_eq!(reply.seen("x-auth-subject"), "alice");
    assert_eq!(reply.seen("x-auth-provider"), "demo");
    assert_eq!(reply.seen("authorization"), format!("Bearer {token}"));
}

#[track_caller]
fn check_denied(case: &Case, reply: &Reply) {
    let what = case.what;
    assert!(!reply.is_from_upstream(), "{what}");
    assert_eq!(
        (reply.status, reply.header("x-reason").as_str()),
        (case.status, case.reason),
        "{what}"
    );
    assert_eq!(reply.header("content-type"), "application/json", "{what}");
    assert!(reply.body.len() < 512, "{what}");
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(body["error"], case.error, "{what}");
    assert!(body["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{what}");
    let retry = reply.header("retry-after");
    assert_eq!(retry.parse::<u32>().is_ok(), case.status == 503, "{what}: {retry:?}");
    let challenge = reply.header("www-authenticate");
    let expected = match case.status {
        503 => challenge.is_empty(),
        _ if case.reason == "credentials_missing" => challenge == r#"Bearer realm="api""#,
        _ => challenge.contains(&format!(r#", error="{}", error_description=""#, case.error)),
    };
    assert!(expected, "{what}: {challenge}");
    let told = format!("{challenge}{}", reply.body);
    for secret in ["alice", "evil.example", "demo", "ES256", "claimgate"] {
        assert!(!told.contains(secret), "{what} tells of {secret}");
    }
}

#[tokio::test]
async fn each_refusal_is_answered_alike_where_envoy_sends_header_lines_as_bytes() {
    check(listener()).await;
}

#[tokio::test]
async fn each_refusal_is_answered_alike_where_envoy_sends_a_map_of_headers() {
    check(listener().header_map()).await;
}

#[tokio::test]
async fn the_challenge_names_realm_and_scope_of_the_route() {
    let Some(stack) = Stack::start(&listener()).await else { return };
    let invalid = r#"Bearer realm="admins", error="invalid_token", error_description="#;
    let insufficient = r#"Bearer realm="admins", error="insufficient_scope", error_description="#;
    let scope = r#"scope="admin""#;
    // How the challenge begins and how it ends; between them is the wording.
    let table = [
        (Request::get("/p/strict"), r#"Bearer realm="#, r#""api""#),
        (Request::get("/orders"), r#"Bearer realm="api", "#, r#"scope="orders.read""#),
        (Request::get("/p/scoped"), r#"Bearer realm="admins", "#, scope),
        (Request::get("/p/scoped").bearer("x"), invalid, "\""),
        (Request::get("/p/scoped").bearer(&good()), insufficient, scope),
    ];
    for (request, start, end) in table {
        let challenge = stack.send(&request).await.header("www-authenticate");
        let worded = start.ends_with("description=");
        let between = challenge.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
        assert!(between.is_some_and(|text| text.is_empty() != worded), "{challenge}");
        assert_eq!(challenge.contains("scope="), end.starts_with("scope="), "{challenge}");
    }
}

#[tokio::test]
async fn a_token_with_the_scope_passes_where_one_without_does_not() {
    let Some(stack) = Stack::start(&listener()).await else { return };
    for (scopes, status) in [("admin", 200), ("x admin y", 200), ("administrator", 403), ("", 403)]
    {
        let reply = stack.send(&Request::get("/p/scoped").bearer(&with_scopes(scopes))).await;
        assert_eq!(reply.status, status, "{scopes:?}");
    }
}

#[tokio::test]
async fn a_head_request_is_denied_with_the_same_status() {
    let Some(stack) = Stack::start(&listener()).await else { return };
    let reply = stack.send(&Request::get("/p/strict").method("HEAD")).await;
    assert_eq!((reply.status, reply.body.as_str()), (401, ""));
}
