//! Which policy a request gets, from every source.

use serde_json::{Value, json};

use crate::support::{
    claims,
    keys::ES256,
    provider,
    request::{RoutePolicy, TestRequest, structure},
    server::TestServer,
    with,
};

/// Providers a, b (other issuer), twin (the issuer of a) and off; policies open, strict, narrow.
async fn serving(default: &str) -> TestServer {
    let jwks = ES256.jwks();
    let off = provider("off", "https://off.example", &jwks) + "  enabled: false\n";
    let config = [
        "providers:\n".to_owned(),
        provider("a", "https://a.example", &jwks),
        provider("b", "https://b.example", &jwks),
        provider("twin", "https://a.example", &jwks),
        off,
        "policies:\n- { name: strict, providers: [a] }\n- { name: open, mode: anonymous }\n".into(),
        "- { name: narrow, providers: [a], audiences: [narrow], scopes: { all_of: [x] } }\n".into(),
        "- { name: partial, providers: [a, ghost] }\n".into(),
        default.to_owned(),
    ];
    TestServer::start(&config.concat()).await
}

fn good() -> TestRequest {
    TestRequest::bearer(&ES256.token(&claims("https://a.example")))
}

fn with_claims(members: &[(&str, Value)]) -> TestRequest {
    let add = |claims, (name, value): &(&str, Value)| with(claims, name, value.clone());
    TestRequest::bearer(&ES256.token(&members.iter().fold(claims("https://a.example"), add)))
}

fn named(policy: &str) -> RoutePolicy {
    RoutePolicy { policy: policy.to_owned(), ..Default::default() }
}

fn open() -> Value {
    json!({ "policy": "open" })
}

const INVALID: (u32, &str) = (503, "route_policy_invalid");

#[tokio::test]
async fn every_source_can_name_a_policy() {
    let server = serving("").await;
    server.expect(good(), 503, "route_policy_missing").await;
    for request in [
        good().route_policy(&named("strict")),
        good().typed_struct(&json!({ "policy": "strict" })),
        good().filter(&json!({ "policy": "strict" })),
        good().extension("claimgate.policy", "strict"),
    ] {
        let answer = server.expect(request, 200, "").await;
        assert_eq!(answer.metadata["policy"], "strict");
    }
}

#[tokio::test]
async fn the_first_source_wins_and_none_are_merged() {
    let server = serving("default_policy: open\n").await;
    let none = TestRequest::default;
    server.expect(none(), 200, "").await;
    let extensions = none().extension("claimgate.policy", "strict");
    server.expect(extensions.clone(), 401, "credentials_missing").await;
    let filter = extensions.filter(&open());
    server.expect(filter.clone(), 200, "").await;
    let typed = filter.route_policy(&named("strict"));
    server.expect(typed, 401, "credentials_missing").await;
    let apart = none().extension("claimgate.mode", "anonymous").filter(&json!({ "scopes": ["x"] }));
    server.expect(apart, INVALID.0, INVALID.1).await;
}

#[tokio::test]
async fn a_source_that_is_present_and_empty_still_wins() {
    let server = serving("default_policy: open\n").await;
    for request in [
        good().typed("type.googleapis.com/claimgate.v1.RoutePolicy", Vec::new()).filter(&open()),
        good().typed("", Vec::new()).filter(&open()),
        good().filter(&json!({})).extension("claimgate.policy", "open"),
        good().extension("claimgate.policy", ""),
        good().extension("claimgate.", ""),
    ] {
        server.expect(request, INVALID.0, INVALID.1).await;
    }
    server.expect(good().extension("claimgatex", "").extension("claimgate", ""), 200, "").await;
}

#[tokio::test]
async fn what_is_not_exactly_a_route_policy_is_invalid() {
    let server = serving("default_policy: open\n").await;
    for policy in [
        json!({ "policy": "strict", "x": 1 }),
        json!({ "Policy": "strict" }),
        json!({ "policy": ["strict"] }),
        json!({ "policy": null }),
        json!({ "policy": "" }),
        json!({ "policy": "strict", "mode": "strict" }),
        json!({ "policy": "strict", "providers": ["a"] }),
        json!({ "policy": "strict", "audiences": "x" }),
        json!({ "policy": "strict", "audiences": [] }),
        json!({ "policy": "strict", "scopes": [1] }),
        json!({ "policy": "strict", "scopes": [""] }),
        json!({ "providers": [] }),
        json!({ "providers": "" }),
        json!({ "providers": "a," }),
        json!({ "providers": { "a": "b" } }),
        json!({ "providers": ["a"], "mode": "Strict" }),
        json!({ "providers": ["a"], "mode": "off" }),
        json!({ "providers": ["a"], "mode": 1 }),
        json!({ "providers": ["a", "twin"] }),
        json!({ "providers": ["a", "A"] }),
        json!({ "mode": "strict" }),
        json!({ "mode": "optional" }),
        json!({ "mode": "anonymous", "scopes": ["x"] }),
        json!({ "mode": "anonymous", "audiences": ["x"] }),
        json!({ "audiences": ["x"] }),
    ] {
        server.expect(good().filter(&policy), INVALID.0, INVALID.1).await;
        server.expect(good().typed_struct(&policy), INVALID.0, INVALID.1).await;
    }
}

#[tokio::test]
async fn extensions_are_read_as_strictly() {
    let server = serving("default_policy: open\n").await;
    for extensions in [
        &[("policy", "strict"), ("mode", "strict")][..],
        &[("policy", "strict"), ("providers", "a")],
        &[("providers", "a,,b")],
        &[("providers", "a"), ("mode", "none")],
        &[("providers", "a"), ("scopes", "")],
        &[("mode", "permissive")],
        &[("realm", "x")],
        &[("Policy", "open")],
    ] {
        let add = |request: TestRequest, (key, value): &(&str, &str)| {
            request.extension(&format!("claimgate.{key}"), value)
        };
        server.expect(extensions.iter().fold(good(), add), INVALID.0, INVALID.1).await;
    }
}

#[tokio::test]
async fn a_typed_value_of_another_type_is_invalid() {
    let server = serving("default_policy: open\n").await;
    let bytes = prost::Message::encode_to_vec(&named("open"));
    for url in ["type.googleapis.com/google.protobuf.Struct", "claimgate.v1.RoutePolicy", "", "/"] {
        server.expect(good().typed(url, bytes.clone()), INVALID.0, INVALID.1).await;
    }
    let url = "type.googleapis.com/claimgate.v1.RoutePolicy";
    server.expect(good().typed(url, bytes.clone()), 200, "").await;
    for unknown in [&b"\x32\x01a"[..], b"\x08\x01", b"\x0a\x7f"] {
        server.expect(good().typed(url, unknown.to_vec()), INVALID.0, INVALID.1).await;
    }
    for inner in ["type.googleapis.com/claimgate.v1.Other", ""] {
        server.expect(good().typed_struct_of(inner, &open()), INVALID.0, INVALID.1).await;
    }
}

#[tokio::test]
async fn nothing_that_a_client_or_another_filter_wrote_chooses_a_policy() {
    let server = serving("default_policy: strict\n").await;
    let mut request = TestRequest::default()
        .header("claimgate.policy", "open")
        .header("x-claimgate-policy", "open")
        .raw_header("claimgate.mode", b"anonymous");
    let mut context = request.route.clone();
    context.filter_metadata.insert("claimgate".to_owned(), structure(&open()));
    request.metadata_context = Some(context);
    request.route.filter_metadata.insert("claimgate2".to_owned(), structure(&open()));
    server.expect(request, 401, "credentials_missing").await;
}

#[tokio::test]
async fn names_ignore_case_and_lists_may_be_one_string() {
    let server = serving("").await;
    server.expect(good().extension("claimgate.policy", "STRICT"), 200, "").await;
    server.expect(good().extension("claimgate.providers", "B, A"), 200, "").await;
    server.expect(good().filter(&json!({ "providers": "b,a" })), 200, "").await;
    server.expect(good().filter(&json!({ "providers": "b" })), 401, "issuer_not_allowed").await;
}

#[tokio::test]
async fn a_route_narrows_what_its_policy_asks_for() {
    let server = serving("").await;
    let check = async |members: &[(&str, Value)], status, reason: &str| {
        let route = json!({ "policy": "narrow", "audiences": ["route", "r2"], "scopes": ["y"] });
        server.expect(with_claims(members).filter(&route), status, reason).await;
    };
    let aud = |list: &[&str]| ("aud", json!(list));
    let all = aud(&["test-api", "narrow", "r2"]);
    check(&[aud(&["test-api"])], 401, "audience_not_allowed").await;
    check(&[aud(&["test-api", "route"])], 401, "audience_not_allowed").await;
    check(&[aud(&["test-api", "narrow"])], 401, "audience_not_allowed").await;
    check(&[aud(&["narrow", "route"])], 401, "audience_not_allowed").await;
    check(&[all.clone(), ("scope", "x".into())], 403, "scope_insufficient").await;
    check(&[all.clone(), ("scope", "y".into())], 403, "scope_insufficient").await;
    check(&[all, ("scope", "x y".into())], 200, "").await;
}

#[tokio::test]
async fn an_inline_policy_has_audiences_and_scopes_too() {
    let server = serving("").await;
    let route = json!({ "providers": ["a"], "audiences": ["x"], "scopes": ["s"] });
    server.expect(good().filter(&route), 401, "audience_not_allowed").await;
    let aud = ("aud", json!(["test-api", "x"]));
    let request = with_claims(std::slice::from_ref(&aud)).filter(&route);
    server.expect(request, 403, "scope_insufficient").await;
    let request = with_claims(&[aud, ("scp", json!(["s"]))]).filter(&route);
    assert_eq!(server.expect(request, 200, "").await.metadata["policy"], "inline");
}
