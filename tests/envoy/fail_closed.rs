//! What must stay closed: nothing that a client sends makes an allow of a denial, and without
//! claimgate nothing passes unless the operator says so.

use crate::{
    client::Request,
    credentials::{denied, good},
    listener::Listener,
    stack::{Stack, listener},
};

/// The example under `failure_mode_allow`, with room for large headers and the body in the check.
fn fail_open() -> Listener {
    listener()
        .fail_open()
        .filter("with_request_body: { max_request_bytes: 1048576, allow_partial_message: true }")
        .manager("max_request_headers_kb: 600")
}

/// Sends to a route that asks for a token, and holds Envoy to an answer that is no allow.
async fn check(stack: &Stack, what: &str, request: Request) {
    // Envoy may also just close the connection: then nothing has passed.
    if let Ok(reply) = request.send(stack.envoy.listener).await {
        assert!(!reply.is_from_upstream(), "{what} passed");
        assert!((400..=503).contains(&reply.status), "{what}: {}", reply.status);
    }
}

async fn check_denials(listener: &Listener) {
    let Some(stack) = Stack::start(listener).await else { return };
    for case in denied() {
        let reply = stack.send(&case.request()).await;
        let got = (reply.status, reply.is_from_upstream());
        assert_eq!(got, (case.status, false), "{}", case.what);
        // No UTF-8, and all of it goes into the check.
        let reply = stack.send(&case.request().method("POST").body(vec![0xFF; 1 << 19])).await;
        assert_eq!(reply.status, case.status, "{} with a body", case.what);
    }
    let reply = stack.send(&Request::get("/p/strict").bearer(&good())).await;
    assert!(reply.is_from_upstream(), "a good token passes");
}

#[tokio::test]
async fn no_denial_becomes_an_allow_under_failure_mode_allow() {
    check_denials(&fail_open()).await;
}

#[tokio::test]
async fn no_denial_becomes_an_allow_under_failure_mode_allow_with_a_map_of_headers() {
    check_denials(&fail_open().header_map()).await;
}

#[tokio::test]
async fn a_body_as_bytes_changes_no_denial() {
    let packed = "with_request_body: { max_request_bytes: 1048576, allow_partial_message: true, pack_as_bytes: true }";
    check_denials(&listener().fail_open().filter(packed)).await;
}

async fn check_odd_requests(listener: &Listener) {
    let Some(stack) = Stack::start(listener).await else { return };
    let strict = || Request::get("/p/strict");
    let big = "x".repeat(300 * 1024);
    check(&stack, "a header of 300 KiB", strict().line("x-big", &big)).await;
    let many = (0..90).fold(strict(), |r, i| r.line(&format!("x-{i}"), &big[..5 * 1024]));
    check(&stack, "90 headers of 5 KiB", many).await;
    check(&stack, "a token of 300 KiB", strict().bearer(&big)).await;
    check(&stack, "a path of 300 KiB", strict().path_suffix(b"?").path_suffix(big.as_bytes()))
        .await;
    for method in ["HEAD", "OPTIONS", "TRACE", "PROPFIND", "CONNECT", "PRI", "M-SEARCH", "get"] {
        check(&stack, method, strict().method(method)).await;
    }
    for bytes in [&b"\xFF\xFE"[..], b"\xC3\x28", b"\xF0\x9F\x98\x80", b"\x80", b"\xED\xA0\x80"] {
        let bearer = [b"Bearer ", bytes].concat();
        check(&stack, "bytes in the path", strict().path_suffix(bytes)).await;
        check(&stack, "bytes in the query", strict().path_suffix(b"?a=").path_suffix(bytes)).await;
        check(&stack, "bytes in a header", strict().line("x-odd", bytes)).await;
        check(&stack, "bytes as a token", strict().line("authorization", &bearer)).await;
        check(&stack, "bytes as a scheme", strict().line("authorization", bytes)).await;
    }
    let chunked = strict().line("transfer-encoding", "chunked").body(b"0\r\n\r\n".to_vec());
    check(&stack, "two lengths", chunked.method("POST")).await;
    for (name, value) in [
        ("content-length", "-1"),
        ("upgrade", "websocket"),
        ("connection", "authorization"),
        ("connection", "x-auth-subject, upgrade"),
        ("authorization\t", "Bearer x"),
        ("host", "other.example"),
    ] {
        check(&stack, name, strict().line(name, value).line("authorization", "Bearer x")).await;
    }
}

#[tokio::test]
async fn no_odd_request_passes_under_failure_mode_allow() {
    check_odd_requests(&fail_open()).await;
}

#[tokio::test]
async fn no_odd_request_passes_under_failure_mode_allow_with_a_map_of_headers() {
    check_odd_requests(&fail_open().header_map()).await;
}

#[tokio::test]
async fn a_good_token_passes_beside_a_header_that_is_no_text() {
    for listener in [fail_open(), fail_open().header_map()] {
        let Some(stack) = Stack::start(&listener).await else { return };
        let request = Request::get("/p/strict").bearer(&good()).line("x-odd", b"\xFF\xFE");
        assert_eq!(stack.send(&request).await.seen("x-auth-subject"), "alice");
        // Envoy itself refuses a path that is no ASCII, so no check ever sees one.
        let request = Request::get("/p/strict?a=").path_suffix(b"\xC3\x28").bearer(&good());
        assert_eq!(stack.send(&request).await.status, 400);
    }
}

#[tokio::test]
async fn a_client_that_names_authorization_in_connection_gains_nothing() {
    let Some(stack) = Stack::start(&listener()).await else { return };
    // Envoy removes hop-by-hop names before or after the check; either way nobody is forged.
    let request = Request::get("/p/permissive")
        .line("connection", "x-auth-subject")
        .line("x-auth-subject", "mallory");
    if let Ok(reply) = request.send(stack.envoy.listener).await
        && reply.is_from_upstream()
    {
        assert_eq!(reply.seen("x-auth-subject"), "");
    }
}

/// Whether a good token passes and what it is answered once claimgate has stopped.
async fn without_claimgate(listener: &Listener) -> Option<(bool, u16)> {
    let stack = Stack::start(listener).await?;
    let request = Request::get("/p/strict").bearer(&good());
    assert!(stack.send(&request).await.is_from_upstream());
    let Stack { claimgate, envoy, upstream: _upstream } = stack;
    claimgate.server.stop().await;
    let reply = request.send(envoy.listener).await.unwrap();
    Some((reply.is_from_upstream(), reply.status))
}

#[tokio::test]
async fn nothing_passes_once_claimgate_has_stopped() {
    let Some(answer) = without_claimgate(&listener()).await else { return };
    assert_eq!(answer, (false, 503));
}

#[tokio::test]
async fn failure_mode_allow_lets_all_pass_once_claimgate_has_stopped() {
    let Some(answer) = without_claimgate(&listener().fail_open()).await else { return };
    assert_eq!(answer, (true, 200));
}
