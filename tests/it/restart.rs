//! A restart while the issuer is gone: what `--state-dir` keeps.

use std::path::{Path, PathBuf};

use claimgate::{jwks::fetch::HttpFetch, server::Server, settings::Settings};
use serde_json::{Value, json};

use crate::support::{
    claims, config,
    issuer::{Behaviour, TestIssuer},
    keys::{ES256, TestKey},
    remote,
    request::TestRequest,
    server::TestServer,
};

/// A server that keeps its state in `state`.
async fn start(issuer: &TestIssuer, state: &Path, options: &str) -> TestServer {
    let provider = remote("a", &issuer.url, &issuer.jwks_uri(), options);
    let config = config(&[provider], "providers: [a]");
    let state = state.to_owned();
    let started = TestServer::with(&config, |settings| settings.state_dir = Some(state)).await;
    started.server.ready().await;
    started
}

const LONG: &str = "refresh_cooldown: 1h";

/// The file of the only set, once it is there.
async fn saved(state: &Path) -> PathBuf {
    loop {
        let names = std::fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path());
        let mut names = names.filter(|path| path.extension().is_some_and(|e| e == "json"));
        if let Some(path) = names.next() {
            return path;
        }
        tokio::task::yield_now().await;
    }
}

/// A state folder that a server has left which fetched from `issuer`.
async fn left(issuer: &TestIssuer) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let server = start(issuer, folder.path(), LONG).await;
    let file = saved(folder.path()).await;
    server.server.stop().await;
    (folder, file)
}

fn signed(issuer: &TestIssuer) -> TestRequest {
    TestRequest::bearer(&ES256.token(&claims(&issuer.url)))
}

fn gone() -> Behaviour {
    Behaviour::Fail(500, String::new())
}

fn rewrite(file: &Path, change: impl Fn(&mut Value)) {
    let mut document = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    change(&mut document);
    std::fs::write(file, document.to_string()).unwrap();
}

#[tokio::test]
async fn the_last_good_keys_serve_while_the_issuer_is_gone() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let (folder, file) = left(&issuer).await;
    let fetched_at = |document: &[u8]| -> f64 {
        serde_json::from_slice::<Value>(document).unwrap()["fetched_at"].as_f64().unwrap()
    };
    let before = fetched_at(&std::fs::read(&file).unwrap());
    for behaviour in [gone(), Behaviour::Hang] {
        issuer.now(behaviour);
        let server = start(&issuer, folder.path(), LONG).await;
        server.expect(signed(&issuer), 200, "").await;
        let provider = server.status().await["providers"][0].clone();
        assert_eq!(provider["state"], "stale", "not confirmed");
        assert_eq!(provider["keys"][0]["kid"], Value::from(&*ES256.kid));
        assert_eq!(fetched_at(&std::fs::read(&file).unwrap()), before, "of the original fetch");
        assert_eq!(server.metric("claimgate_providers{state=\"stale\"}").await, Some(1.0));
    }
}

#[tokio::test]
async fn an_unknown_kid_is_not_told_from_old_keys_alone() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let (folder, _file) = left(&issuer).await;
    issuer.now(gone());
    let server = start(&issuer, folder.path(), LONG).await;
    let unknown = TestKey::with_kid("ES256", "new").token(&claims(&issuer.url));
    server.expect(TestRequest::bearer(&unknown), 503, "keys_unavailable").await;
}

#[tokio::test]
async fn a_fetch_confirms_the_keys_or_takes_them_back() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let (folder, _file) = left(&issuer).await;
    let ready = |status: &Value| status["providers"][0]["state"] == "ready";
    let server = start(&issuer, folder.path(), LONG).await;
    server.status_until(ready).await;
    server.expect(signed(&issuer), 200, "").await;
    server.server.stop().await;
    issuer.now_serves(&TestKey::with_kid("ES256", "new").jwks());
    let server = start(&issuer, folder.path(), LONG).await;
    server.status_until(ready).await;
    server.expect(signed(&issuer), 401, "key_unknown").await;
}

#[tokio::test]
async fn keys_that_are_too_old_or_of_the_future_are_not_used() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let (folder, file) = left(&issuer).await;
    issuer.now(gone());
    for shift in [-25.0 * 3600.0, 3600.0] {
        rewrite(&file, |document| {
            let fetched_at = document["fetched_at"].as_f64().unwrap();
            document["fetched_at"] = json!(fetched_at + shift);
        });
        let server = start(&issuer, folder.path(), LONG).await;
        server.expect(signed(&issuer), 503, "keys_unavailable").await;
        let expected = "unavailable";
        assert_eq!(server.status().await["providers"][0]["state"], expected);
    }
}

#[tokio::test]
async fn max_stale_counts_from_the_original_fetch() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let (folder, file) = left(&issuer).await;
    issuer.now(gone());
    rewrite(&file, |document| {
        document["fetched_at"] = json!(document["fetched_at"].as_f64().unwrap() - 60.0);
    });
    let short = "refresh_interval: 30s, max_stale: 50s";
    let server = start(&issuer, folder.path(), short).await;
    server.expect(signed(&issuer), 503, "keys_unavailable").await;
    let server = start(&issuer, folder.path(), "refresh_interval: 30s, max_stale: 2m").await;
    server.expect(signed(&issuer), 200, "").await;
}

#[tokio::test]
async fn keys_of_another_place_are_not_used() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let (folder, _file) = left(&issuer).await;
    issuer.now(gone());
    let lax = "skip_tls_verification: true";
    let server = start(&issuer, folder.path(), lax).await;
    server.expect(signed(&issuer), 503, "keys_unavailable").await;
}

#[tokio::test]
async fn a_folder_that_is_a_link_or_no_folder_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.yaml");
    std::fs::write(&file, "providers: []").unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    for bad in [link, file.clone()] {
        let mut settings = Settings::loopback(file.clone());
        settings.state_dir = Some(bad.clone());
        let refused = Server::start(settings, std::sync::Arc::new(HttpFetch)).await;
        let Err(error) = refused else { panic!("it started with {}", bad.display()) };
        let expected = format!("--state-dir {}: ", bad.display());
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}
