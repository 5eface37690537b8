//! One fetch over real sockets: what is sent, what is accepted, and which way it goes.

use std::{net::Ipv6Addr, path::Path, sync::Arc, time::Duration};

use claimgate::{
    jwks::fetch::{Body, FetchError, FetchJwks as _, FetchRequest, Fetched, HttpFetch, Validators},
    provider::{CaFile, JwksPlace, KeysAt, pem::Pem},
    url::UrlText,
};

use crate::support::site::{Reply, Site, ok, status};

fn place(uri: &str) -> JwksPlace {
    JwksPlace {
        at: KeysAt::Set { uri: UrlText(uri.to_owned()) },
        ca: CaFile::None,
        verify_tls: true,
        proxy: None,
        token_file: None,
    }
}

async fn fetch(url: &str, place: JwksPlace) -> Result<Fetched, FetchError> {
    let timeout = Duration::from_millis(500);
    let request =
        FetchRequest { url: url.to_owned(), place: Arc::new(place), known: None, timeout };
    HttpFetch.fetch(request).await
}

async fn document(url: &str, place: JwksPlace) -> Result<String, FetchError> {
    match fetch(url, place).await?.body {
        Body::New(document) => Ok(String::from_utf8(document).unwrap()),
        Body::Unchanged => panic!("unchanged from what?"),
    }
}

async fn check(answer: impl Fn(&str) -> Reply + Send + Sync + 'static, expected: FetchError) {
    let site = Site::answering(answer).await;
    assert_eq!(document(&site.url, place(&site.url)).await, Err(expected));
}

fn raw(text: &str) -> Reply {
    Reply::Bytes(text.to_owned())
}

#[tokio::test]
async fn a_whole_document_is_fetched() {
    let site = Site::answering(|_| ok("{}", "")).await;
    assert_eq!(document(&site.url, place(&site.url)).await.as_deref(), Ok("{}"));
    let asked = site.asked().concat().to_lowercase();
    assert!(asked.starts_with("get / http/1.1\r\n") && asked.contains("user-agent: claimgate/"));
    for unasked in ["authorization", "if-none-match", "if-modified-since", "accept-encoding"] {
        assert!(!asked.contains(unasked), "{asked}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_no_document() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"keys\":[]}";
    check(move |_| raw(cut), FetchError::Interrupted).await;
    let cut = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"key";
    check(move |_| raw(cut), FetchError::Interrupted).await;
    check(|_| raw("HTTP/1.1 200 OK\r\nconte"), FetchError::Connect).await;
    check(|_| raw("SSH-2.0-OpenSSH_9.6\r\n"), FetchError::Connect).await;
    check(|_| raw(""), FetchError::Connect).await;
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    check(|_| Reply::Hang, FetchError::Timeout).await;
}

#[tokio::test]
async fn a_document_over_512_kib_is_given_up_while_it_comes() {
    let large = " ".repeat(512 * 1024 + 1);
    let error = claimgate::jwks::key_set::KeySetError::TooLarge;
    let answer = move |_: &str| {
        let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n{large}");
        Reply::Bytes(endless)
    };
    check(answer, FetchError::Unusable(error)).await;
}

#[tokio::test]
async fn a_redirect_to_another_host_port_or_scheme_is_refused() {
    let other = Site::answering(|_| ok("{}", "")).await;
    let port = other.address.port();
    for to in [
        other.url.clone(),
        format!("http://localhost:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        "http://169.254.169.254/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let location = format!("location: {to}\r\n");
        check(move |_| status(302, &location), FetchError::Redirect).await;
    }
    assert!(other.asked().is_empty());
    check(|_| status(302, "location: /again\r\n"), FetchError::Redirect).await;
}

#[tokio::test]
async fn a_redirect_on_the_same_origin_is_followed() {
    let site = Site::answering(|head| match head.starts_with("GET /keys ") {
        true => ok("{}", ""),
        false => status(307, "location: /keys\r\n"),
    });
    let site = site.await;
    assert_eq!(document(&site.url, place(&site.url)).await.as_deref(), Ok("{}"));
}

#[tokio::test]
async fn link_local_and_metadata_addresses_are_never_dialled() {
    for host in [
        "169.254.169.254",
        // The same, as other parsers write it.
        "2852039166",
        "0xa9.0xfe.0xa9.0xfe",
        "[::ffff:169.254.169.254]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "metadata.google.internal",
    ] {
        let url = format!("http://{host}/latest/meta-data/");
        assert_eq!(document(&url, place(&url)).await, Err(FetchError::Forbidden), "{host}");
        let proxied = JwksPlace { proxy: Some(url), ..place("http://idp.example/") };
        let fetched = document("http://idp.example/", proxied).await;
        assert_eq!(fetched, Err(FetchError::ForbiddenProxy), "{host}");
    }
}

#[tokio::test]
async fn ipv6_is_spoken() {
    let site = Site::at(Ipv6Addr::LOCALHOST.into(), |_| ok("{}", "")).await;
    assert_eq!(document(&site.url, place(&site.url)).await.as_deref(), Ok("{}"));
}

#[tokio::test]
async fn validators_are_sent_and_a_304_is_the_known_document() {
    let headers = "etag: W/\"1\"\r\nlast-modified: Mon, 06 Oct 2025 12:00:00 GMT\r\n";
    let site = Site::answering(move |head| match head.contains("if-none-match: W/\"1\"\r\n") {
        true => status(304, "cache-control: max-age=60\r\n"),
        false => ok("{}", headers),
    });
    let site = site.await;
    let first = fetch(&site.url, place(&site.url)).await.unwrap();
    assert_eq!((first.body, first.fresh_for), (Body::New(b"{}".to_vec()), None));
    let (url, place) = (site.url.clone(), Arc::new(place(&site.url)));
    let timeout = Duration::from_secs(5);
    let known = Some(first.validators);
    let second = HttpFetch.fetch(FetchRequest { url, place, known, timeout }).await.unwrap();
    assert_eq!(second.body, Body::Unchanged);
    assert_eq!(second.fresh_for, Some(Duration::from_secs(60)));
    assert!(site.asked()[1].contains("if-modified-since: Mon, 06 Oct 2025 12:00:00 GMT\r\n"));
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_a_failure() {
    check(|_| status(304, ""), FetchError::Status(304)).await;
    assert!(Validators::default().is_empty());
}

/// A place whose bearer token is in this file.
fn with_token(url: &str, file: &Path) -> JwksPlace {
    JwksPlace { token_file: Some(file.to_owned()), ..place(url) }
}

#[tokio::test]
async fn the_token_is_read_again_at_each_fetch() {
    let site = Site::answering(|_| ok("{}", "")).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    for token in ["first", "second.x-y_z~+/=="] {
        std::fs::write(&file, format!(" {token}\n")).unwrap();
        assert!(document(&site.url, with_token(&site.url, &file)).await.is_ok());
        let asked = site.asked().pop().unwrap();
        assert!(asked.contains(&format!("authorization: Bearer {token}\r\n")), "{asked}");
    }
}

#[tokio::test]
async fn without_a_good_token_nothing_is_sent() {
    let site = Site::answering(|_| ok("{}", "")).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let refused = async |file: &Path| {
        let fetched = document(&site.url, with_token(&site.url, file)).await;
        assert_eq!(fetched, Err(FetchError::TokenFile));
    };
    refused(&file).await;
    refused(folder.path()).await;
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    refused(&pipe).await;
    let long = "a".repeat(64 * 1024 + 1);
    for text in ["", " \n", "two words", "a\r\nx-evil: 1", "\u{e9}", &long] {
        std::fs::write(&file, text).unwrap();
        refused(&file).await;
    }
    assert!(site.asked().is_empty());
}

#[tokio::test]
async fn the_token_is_not_told_to_another_server() {
    let (first, other) =
        (Site::answering(|_| ok("{}", "")).await, Site::answering(|_| ok("{}", "")).await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "hush").unwrap();
    assert!(document(&other.url, with_token(&first.url, &file)).await.is_ok());
    assert!(!other.asked().concat().contains("hush"));
}

#[tokio::test]
async fn a_proxy_is_asked_for_everything() {
    let proxy = Site::answering(|_| ok("{}", "")).await;
    let through = |url: &str| JwksPlace { proxy: Some(proxy.url.clone()), ..place(url) };
    let url = "http://idp.example/keys";
    assert_eq!(document(url, through(url)).await.as_deref(), Ok("{}"));
    assert!(proxy.asked()[0].starts_with("GET http://idp.example/keys HTTP/1.1\r\n"));
    let url = "https://idp.example/keys";
    assert_eq!(document(url, through(url)).await, Err(FetchError::Connect));
    assert!(proxy.asked()[1].starts_with("CONNECT idp.example:443 HTTP/1.1\r\n"));
    let url = "http://127.0.0.1:1/keys";
    assert_eq!(document(url, through(url)).await.as_deref(), Ok("{}"));
}

#[tokio::test]
async fn an_authority_that_cannot_be_read_fails_every_fetch() {
    for ca in [
        CaFile::Unreadable,
        CaFile::Pem(Pem::new(b"-----BEGIN CERTIFICATE-----\nx".as_slice().into())),
    ] {
        let place = JwksPlace { ca, ..place("https://127.0.0.1:1/") };
        assert_eq!(document("https://127.0.0.1:1/", place).await, Err(FetchError::CaFile));
    }
}
