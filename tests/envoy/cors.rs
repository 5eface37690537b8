//! Envoy's `cors` filter before claimgate, as the README advises.

use crate::{
    client::Request,
    credentials::{good, with_scopes},
    listener::Listener,
    stack::{Stack, listener},
};

const PAGE: (&str, &str) = ("origin", "https://app.example");

/// The filter, and a virtual host that lets one page in and lets it read the challenge.
fn with_cors(listener: Listener) -> Listener {
    let filters = "          http_filters:\n";
    let cors = "          - name: envoy.filters.http.cors\n            typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors }\n";
    let host = "              domains: [\"*\"]\n";
    let allowed = "              typed_per_filter_config:\n                envoy.filters.http.cors:\n                  \"@type\": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy\n                  allow_origin_string_match: [{ exact: https://app.example }]\n                  allow_methods: GET, PUT\n                  allow_headers: authorization\n                  expose_headers: WWW-Authenticate\n";
    listener
        .replace(filters, &format!("{filters}{cors}"))
        .replace(host, &format!("{host}{allowed}"))
}

async fn stack() -> Option<Stack> {
    Stack::start(&with_cors(listener())).await
}

#[tokio::test]
async fn a_preflight_is_answered_by_the_filter_and_reaches_nobody() {
    let Some(stack) = stack().await else { return };
    let preflight = Request::get("/p/strict").method("OPTIONS").lines([PAGE]);
    let preflight = preflight.line("access-control-request-method", "PUT");
    let reply = stack.send(&preflight).await;
    assert_eq!((reply.status, reply.is_from_upstream()), (200, false));
    assert_eq!(reply.header("access-control-allow-origin"), PAGE.1);
    assert_eq!(reply.header("access-control-allow-methods"), "GET, PUT");
    let checks = stack.claimgate.get("/metrics").await.into_body();
    let asked = checks.lines().filter(|line| line.starts_with("claimgate_checks_total{"));
    assert_eq!(asked.count(), 0, "claimgate was asked");
}

#[tokio::test]
async fn a_page_can_read_a_denial_and_its_challenge() {
    let Some(stack) = stack().await else { return };
    let scoped = Request::get("/p/scoped").bearer(&with_scopes("orders.read"));
    for (request, status, challenge) in [
        (Request::get("/p/strict"), 401, "Bearer realm=\"api\""),
        (scoped, 403, "Bearer realm=\"admins\", error=\"insufficient_scope\""),
    ] {
        let reply = stack.send(&request.lines([PAGE])).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("access-control-allow-origin"), PAGE.1);
        assert_eq!(reply.header("access-control-expose-headers"), "WWW-Authenticate");
        assert!(reply.header("www-authenticate").starts_with(challenge));
    }
    let reply = stack.send(&Request::get("/p/strict").bearer(&good()).lines([PAGE])).await;
    assert_eq!((reply.status, reply.seen("x-auth-subject").as_str()), (200, "alice"));
    assert_eq!(reply.header("access-control-allow-origin"), PAGE.1);
}

#[tokio::test]
async fn a_page_of_another_origin_is_let_into_nothing() {
    let Some(stack) = stack().await else { return };
    let evil = ("origin", "https://evil.example");
    let denied = stack.send(&Request::get("/p/strict").lines([evil])).await;
    assert_eq!((denied.status, denied.header("access-control-allow-origin")), (401, String::new()));
    // A preflight that the filter does not know is asked about as any request.
    let preflight = Request::get("/p/strict").method("OPTIONS").lines([evil]);
    let preflight = preflight.line("access-control-request-method", "PUT");
    assert_eq!(stack.send(&preflight).await.status, 401);
}
