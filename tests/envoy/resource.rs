//! The metadata of a protected resource, served by claimgate through a real Envoy.

use serde_json::{Value, json};

use crate::{
    client::Request,
    credentials::{ISSUER, good},
    listener::Listener,
    stack::Stack,
    support::{self, keys::ES256},
};

const DOCUMENT: &str = "/.well-known/oauth-protected-resource/mcp";

/// A resource at `/mcp`; the example has both routes.
async fn stack() -> Option<Stack> {
    let demo = support::provider("demo", ISSUER, &ES256.jwks());
    let resource = "{ resource: https://api.example.com/mcp, scopes_supported: [mcp.read] }";
    let config = format!(
        "providers:\n{demo}policies:\n\
         - {{ name: mcp, providers: [demo], protected_resource: {resource} }}\n\
         - {{ name: plain, providers: [demo] }}\ndefault_policy: plain\n"
    );
    let listener = Listener::default().fail_open().shows_metadata();
    Stack::serving(&config, &listener).await
}

#[tokio::test]
async fn a_client_without_a_token_is_led_to_the_document_and_from_there_to_the_issuer() {
    let Some(stack) = stack().await else { return };
    let refused = stack.send(&Request::get("/mcp")).await;
    let url = format!("https://api.example.com{DOCUMENT}");
    assert_eq!(refused.status, 401);
    let challenge = refused.header("www-authenticate");
    assert!(challenge.contains(&format!("resource_metadata=\"{url}\"")), "{challenge}");
    for path in [DOCUMENT, "/.well-known/oauth-protected-resource"] {
        let reply = stack.send(&Request::get(path).line("origin", "https://app.example")).await;
        assert_eq!((reply.status, reply.header("x-outcome").as_str()), (200, "answered"));
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.header("access-control-allow-origin"), "*");
        assert!(reply.header("cache-control").contains("max-age="));
        let document: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(document["resource"], "https://api.example.com/mcp");
        assert_eq!(document["authorization_servers"], json!([ISSUER]));
        assert_eq!(document["scopes_supported"], json!(["mcp.read"]));
    }
    let counted =
        r#"claimgate_checks_total{outcome="answered",policy="mcp",provider="",reason=""}"#;
    assert_eq!(stack.claimgate.metric(counted).await, Some(2.0));
}

#[tokio::test]
async fn head_and_preflight_are_answered_without_a_body() {
    let Some(stack) = stack().await else { return };
    let head = stack.send(&Request::get(DOCUMENT).method("HEAD")).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let preflight = Request::get(DOCUMENT).method("OPTIONS").line("origin", "https://app.example");
    let preflight = preflight.line("access-control-request-method", "GET");
    let preflight = preflight.line("access-control-request-headers", "mcp-protocol-version");
    let reply = stack.send(&preflight).await;
    assert_eq!((reply.status, reply.body.as_str()), (204, ""));
    assert_eq!(reply.header("access-control-allow-origin"), "*");
    assert_eq!(reply.header("access-control-allow-headers"), "*");
}

#[tokio::test]
async fn nothing_else_is_answered_without_a_token() {
    let Some(stack) = stack().await else { return };
    for request in [
        Request::get("/mcp"),
        Request::get(DOCUMENT).method("POST"),
        Request::get(DOCUMENT).method("OPTIONS"),
        Request::get(&format!("{DOCUMENT}/x")),
        Request::get("/.well-known/oauth-protected-resource/other"),
        Request::get("/mcp?/.well-known/oauth-protected-resource"),
        // The default route has another policy.
        Request::get("/.well-known/oauth-protected-resourcex"),
    ] {
        assert_eq!(stack.send(&request).await.status, 401);
    }
    let reply = stack.send(&Request::get("/mcp").bearer(&good())).await;
    assert_eq!((reply.status, reply.seen("x-auth-subject").as_str()), (200, "alice"));
}
