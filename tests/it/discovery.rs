//! Keys found by discovery, over real sockets.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::json;

use crate::support::{
    claims, config,
    keys::{ES256, TestKey},
    request::TestRequest,
    server::TestServer,
    site::{Reply, Site, ok, status},
};

/// A discovery document of this issuer and set.
fn discovery(issuer: &str, jwks_uri: &str) -> String {
    json!({ "issuer": issuer, "jwks_uri": jwks_uri, "token_endpoint": "x" }).to_string()
}

/// A provider of this issuer with these further lines, of which each starts with two spaces.
fn provider(issuer: &str, lines: &str) -> String {
    format!("- name: a\n  issuer: {issuer}\n  audiences: any\n{lines}")
}

/// An issuer that serves what its own document names; `at` is where the document is.
async fn issuer(at: &'static str, issuer: impl Fn(&str) -> String + Send + Sync + 'static) -> Site {
    Site::answering(move |head| {
        let host = head.to_lowercase();
        let host = host.split("host: ").nth(1).unwrap().lines().next().unwrap().to_owned();
        let url = format!("http://{host}");
        if head.starts_with(&format!("GET {at} ")) {
            ok(&discovery(&issuer(&url), &format!("{url}/keys")), "")
        } else if head.starts_with("GET /keys ") {
            ok(&ES256.jwks().to_string(), "")
        } else {
            status(404, "")
        }
    })
    .await
}

const WELL_KNOWN: &str = "/.well-known/openid-configuration";

async fn serve(provider: String) -> TestServer {
    TestServer::start(&config(&[provider], "providers: [a]")).await
}

fn signed(issuer: &str) -> TestRequest {
    TestRequest::bearer(&ES256.token(&claims(issuer)))
}

#[tokio::test]
async fn without_jwks_the_keys_are_found_at_the_issuer() {
    let site = issuer(WELL_KNOWN, str::to_owned).await;
    let server = serve(provider(&site.url, "")).await;
    server.expect(signed(&site.url), 200, "").await;
    assert_eq!(site.asked().len(), 2);
}

#[tokio::test]
async fn a_slash_at_the_end_of_the_issuer_is_left_out_of_the_url_only() {
    let site = issuer(WELL_KNOWN, |url| format!("{url}/")).await;
    let issuer = format!("{}/", site.url);
    let server = serve(provider(&issuer, "")).await;
    server.expect(signed(&issuer), 200, "").await;
    server.expect(signed(&site.url), 401, "issuer_not_allowed").await;
}

#[tokio::test]
async fn discovery_url_says_where_the_document_is() {
    let site = issuer("/tenant/metadata?v=1", |_| "urn:issuer".to_owned()).await;
    let lines = format!("  discovery_url: '{}/tenant/metadata?v=1'\n", site.url);
    let server = serve(provider("urn:issuer", &lines)).await;
    server.expect(signed("urn:issuer"), 200, "").await;
}

#[tokio::test]
async fn the_document_of_another_issuer_gives_no_keys() {
    let site = issuer(WELL_KNOWN, |url| format!("{url}/other")).await;
    let server = serve(provider(&site.url, "")).await;
    server.expect(signed(&site.url), 503, "keys_unavailable").await;
    let provider = server.status().await["providers"][0].clone();
    assert_eq!(provider["state"], "unavailable");
    assert_eq!(provider["last_error"], "discovery failed: the document is of another issuer");
    assert!(site.asked().iter().all(|head| !head.starts_with("GET /keys ")));
}

#[tokio::test]
async fn the_first_issuer_is_the_one_that_the_document_must_name() {
    let site = issuer(WELL_KNOWN, |_| "urn:second".to_owned()).await;
    let text = provider("x", &format!("  discovery_url: {}{WELL_KNOWN}\n", site.url));
    let server = serve(text.replace("issuer: x", "issuers: [urn:first, urn:second]")).await;
    server.expect(signed("urn:first"), 503, "keys_unavailable").await;
    server.expect(signed("urn:second"), 503, "keys_unavailable").await;
}

#[tokio::test]
async fn what_is_no_document_gives_no_keys() {
    let large = " ".repeat(512 * 1024 + 1);
    let answers: [(String, &str); 3] = [
        ("<html>".to_owned(), "discovery failed: not a discovery document"),
        (large, "set unusable: larger than 512 KiB"),
        (discovery("urn:a", "http://idp.example/keys"), "discovery failed: jwks_uri is no https"),
    ];
    for (answer, expected) in answers {
        let site = Site::answering(move |_| ok(&answer, "")).await;
        let server = serve(provider("urn:a", &format!("  discovery_url: {}\n", site.url))).await;
        let status = server.status().await;
        let error = status["providers"][0]["last_error"].as_str().unwrap();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[tokio::test]
async fn keys_on_another_host_are_used_and_shown() {
    let keys =
        Site::at(std::net::Ipv6Addr::LOCALHOST.into(), |_| ok(&ES256.jwks().to_string(), ""));
    let keys = keys.await;
    let document = discovery("urn:a", &format!("{}/keys?secret=hush", keys.url));
    let site = Site::answering(move |_| ok(&document, "")).await;
    let server = serve(provider("urn:a", &format!("  discovery_url: {}\n", site.url))).await;
    server.expect(signed("urn:a"), 200, "").await;
    let warning = "provider a: discovery names keys on another host, [::1]";
    assert_eq!(server.status().await["warnings"], json!([warning]));
    let same = issuer(WELL_KNOWN, str::to_owned).await;
    let server = serve(provider(&same.url, "")).await;
    assert_eq!(server.status().await["warnings"], json!([]));
}

#[tokio::test]
async fn the_document_is_read_again_with_each_refresh() {
    let (old, new) = (ES256.jwks(), TestKey::with_kid("ES256", "new"));
    let moved = Arc::new(AtomicBool::new(false));
    let (has_moved, new_set) = (moved.clone(), new.jwks());
    let site = Site::answering(move |head| {
        let url =
            format!("http://{}", head.split("host: ").nth(1).unwrap().lines().next().unwrap());
        let path = if has_moved.load(Ordering::Relaxed) { "new" } else { "old" };
        match head.split(' ').nth(1).unwrap() {
            "/old" => ok(&old.to_string(), "etag: 1\r\n"),
            "/new" if head.contains("if-none-match") => status(304, ""),
            "/new" => ok(&new_set.to_string(), "etag: 1\r\n"),
            _document => ok(&discovery("urn:a", &format!("{url}/{path}")), ""),
        }
    })
    .await;
    let server = serve(provider("urn:a", &format!("  discovery_url: {}\n", site.url))).await;
    server.expect(signed("urn:a"), 200, "").await;
    moved.store(true, Ordering::Relaxed);
    server.expect(TestRequest::bearer(&new.token(&claims("urn:a"))), 200, "").await;
    server.expect(signed("urn:a"), 401, "key_unknown").await;
}

#[tokio::test]
async fn a_document_that_goes_leaves_the_good_keys() {
    let gone = Arc::new(AtomicBool::new(false));
    let is_gone = gone.clone();
    let site = Site::answering(move |head| {
        let url =
            format!("http://{}", head.split("host: ").nth(1).unwrap().lines().next().unwrap());
        if head.starts_with("GET /keys ") {
            ok(&ES256.jwks().to_string(), "")
        } else if is_gone.load(Ordering::Relaxed) {
            Reply::Bytes(String::new())
        } else {
            ok(&discovery("urn:a", &format!("{url}/keys")), "")
        }
    })
    .await;
    let server = serve(provider("urn:a", &format!("  discovery_url: {}\n", site.url))).await;
    gone.store(true, Ordering::Relaxed);
    let unknown = TestKey::with_kid("ES256", "new");
    let unknown = TestRequest::bearer(&unknown.token(&claims("urn:a")));
    server.expect(unknown, 503, "keys_unavailable").await;
    server.expect(signed("urn:a"), 200, "").await;
    assert_eq!(server.status().await["providers"][0]["state"], "stale");
}
