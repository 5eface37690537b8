//! Names in routes and policies that the config does not have, or has switched off.

use serde_json::{Value, json};

use crate::support::{claims, keys::ES256, provider, request::TestRequest, server::TestServer};

async fn serving() -> TestServer {
    let jwks = ES256.jwks();
    let off = |name: &str| {
        provider(name, &format!("https://{name}.example"), &jwks) + "  enabled: false\n"
    };
    let config = [
        "providers:\n".to_owned(),
        provider("a", "https://a.example", &jwks),
        off("off"),
        off("out"),
        "policies:\n- { name: partial, providers: [ghost, a, off] }\n".into(),
        "- { name: ghosts, providers: [ghost] }\n".into(),
        "- { name: dark, providers: [off, ghost] }\n".into(),
    ];
    TestServer::start(&config.concat()).await
}

fn from(issuer: &str) -> TestRequest {
    TestRequest::bearer(&ES256.token(&claims(issuer)))
}

/// `/status` counts exactly these.
#[track_caller]
fn check(status: &Value, expected: &[(&str, &str, u64)]) {
    let mut counted: Vec<Value> = status["unknown_references"].as_array().unwrap().clone();
    let key = |line: &Value| (line["kind"].to_string(), line["name"].to_string());
    counted.sort_by_key(key);
    let line = |(kind, name, count): &(&str, &str, u64)| json!({ "kind": kind, "name": name, "count": count });
    assert_eq!(counted, expected.iter().map(line).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_known_providers_of_a_list_work_and_the_others_are_counted() {
    let server = serving().await;
    check(&server.status().await, &[]);
    for route in [json!({ "providers": ["nobody", "a"] }), json!({ "providers": "a,nobody" })] {
        server.expect(from("https://a.example").filter(&route), 200, "").await;
    }
    let named = |name: &str| from("https://a.example").extension("claimgate.policy", name);
    server.expect(named("partial"), 200, "").await;
    server.expect(named("Ghost"), 503, "policy_unknown").await;
    let expected = [("policy", "Ghost", 1), ("provider", "ghost", 1), ("provider", "nobody", 2)];
    check(&server.status().await, &expected);
    let met = "claimgate_route_policy_problems_total{problem=\"unknown_reference\"}";
    assert_eq!(server.metric(met).await, Some(4.0));
}

#[tokio::test]
async fn a_list_without_any_known_provider_is_a_fault() {
    let server = serving().await;
    let named = |name: &str| from("https://a.example").extension("claimgate.policy", name);
    server.expect(named("ghosts"), 503, "provider_unknown").await;
    let inline = from("https://a.example").filter(&json!({ "providers": ["x", "y"] }));
    server.expect(inline, 503, "provider_unknown").await;
    let problems = "claimgate_route_policy_problems_total{problem=\"provider_unknown\"}";
    assert_eq!(server.metric(problems).await, Some(2.0));
}

#[tokio::test]
async fn disabled_providers_are_known_and_accept_nothing() {
    let server = serving().await;
    let inline =
        |providers: &str| from("https://off.example").extension("claimgate.providers", providers);
    server.expect(inline("off"), 503, "provider_disabled").await;
    server.expect(inline("off,out"), 503, "provider_disabled").await;
    server.expect(inline("off,nobody"), 503, "provider_disabled").await;
    server.expect(inline("off,a"), 401, "issuer_not_allowed").await;
    let dark = from("https://off.example").extension("claimgate.policy", "dark");
    server.expect(dark, 503, "provider_disabled").await;
}

#[tokio::test]
async fn a_fault_of_the_route_is_denied_in_every_mode() {
    let server = serving().await;
    for mode in ["strict", "optional", "permissive", "anonymous"] {
        let route = json!({ "providers": ["nobody"], "mode": mode });
        server.expect(TestRequest::default().filter(&route), 503, "provider_unknown").await;
        let route = json!({ "providers": ["off"], "mode": mode });
        server.expect(TestRequest::default().filter(&route), 503, "provider_disabled").await;
    }
}

#[tokio::test]
async fn a_policy_with_an_unknown_provider_is_warned_about() {
    let warnings = serving().await.status().await["warnings"].to_string();
    assert!(warnings.contains("no provider has the name ghost"), "{warnings}");
}
