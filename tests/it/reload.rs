//! The config file changes under a server that answers.

use serde_json::json;

use crate::support::{
    claims, config,
    issuer::TestIssuer,
    keys::{ES256, TestKey},
    provider, remote,
    request::TestRequest,
    server::TestServer,
};

const A: &str = "https://a.example";
const B: &str = "https://b.example";
const SUCCESSFUL: &str = "claimgate_config_last_reload_successful";

fn both() -> [String; 2] {
    [provider("a", A, &ES256.jwks()), provider("b", B, &ES256.jwks())]
}

fn from(issuer: &str) -> TestRequest {
    TestRequest::bearer(&ES256.token(&claims(issuer)))
}

async fn generation(server: &TestServer, number: u64) -> serde_json::Value {
    server.status_until(|status| status["generation"].as_u64() >= Some(number)).await
}

async fn refused(server: &TestServer) -> String {
    let status = server.status_until(|status| !status["last_reload_error"].is_null()).await;
    status["last_reload_error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_changed_policy_is_served() {
    let server = TestServer::start(&config(&both(), "providers: [a]")).await;
    server.expect(TestRequest::default(), 401, "credentials_missing").await;
    let before = server.status().await["config_hash"].clone();
    server.rewrite(&config(&both(), "mode: anonymous"));
    let status = generation(&server, 2).await;
    assert_ne!(status["config_hash"], before);
    server.expect(TestRequest::default(), 200, "").await;
    assert_eq!(server.metric("claimgate_config_generation").await, Some(2.0));
    let reloads = "claimgate_config_reloads_total{result=\"success\"}";
    assert_eq!(server.metric(reloads).await, Some(2.0));
}

#[tokio::test]
async fn a_token_that_was_remembered_is_refused_once_its_provider_is_gone() {
    let server = TestServer::start(&config(&both(), "providers: [a, b]")).await;
    let remembered = from(A);
    server.expect(remembered.clone(), 200, "").await;
    server.expect(remembered.clone(), 200, "").await;
    assert_eq!(server.metric("claimgate_token_cache_hits_total").await, Some(1.0));
    server.rewrite(&config(&both()[1..], "providers: [a, b]"));
    generation(&server, 2).await;
    server.expect(remembered.clone(), 401, "issuer_not_allowed").await;
    server.expect(from(B), 200, "").await;
    let named = remembered.extension("claimgate.providers", "a");
    server.expect(named, 503, "provider_unknown").await;
}

#[tokio::test]
async fn a_token_that_was_remembered_is_judged_by_the_new_rules() {
    let server = TestServer::start(&config(&both(), "providers: [a]")).await;
    let remembered = from(A);
    server.expect(remembered.clone(), 200, "").await;
    let [a, b] = both();
    server.rewrite(&config(&[a.replace("test-api", "other"), b], "providers: [a]"));
    generation(&server, 2).await;
    server.expect(remembered.clone(), 401, "audience_not_allowed").await;
    let [a, b] = both();
    server.rewrite(&config(&[a + "  enabled: false\n", b], "providers: [a]"));
    generation(&server, 3).await;
    server.expect(remembered, 503, "provider_disabled").await;
}

#[tokio::test]
async fn a_removed_providers_headers_are_no_longer_owned_and_a_new_ones_are() {
    let server = TestServer::start(&config(&both(), "mode: anonymous")).await;
    let removed = server.expect(TestRequest::default(), 200, "").await.removed;
    assert!(removed.contains(&"x-auth-subject".to_owned()));
    let renamed = both().map(|provider| provider.replace("x-auth-subject", "x-new"));
    server.rewrite(&config(&renamed, "mode: anonymous"));
    generation(&server, 2).await;
    let removed = server.expect(TestRequest::default(), 200, "").await.removed;
    assert!(removed.contains(&"x-new".to_owned()));
    assert!(!removed.contains(&"x-auth-subject".to_owned()));
}

#[tokio::test]
async fn a_new_provider_is_fetched_and_an_old_one_not_again() {
    let (first, second) =
        (TestIssuer::serving(&ES256.jwks()).await, TestIssuer::serving(&ES256.jwks()).await);
    let remote = |name: &str, issuer: &TestIssuer| {
        remote(name, &issuer.url, &issuer.jwks_uri(), "refresh_cooldown: 1h")
    };
    let server = TestServer::start(&config(&[remote("a", &first)], "providers: [a, b]")).await;
    server.expect(from(&second.url), 401, "issuer_not_allowed").await;
    let providers = [remote("a", &first), remote("b", &second)];
    server.rewrite(&config(&providers, "providers: [a, b]"));
    second.fetched(1).await;
    generation(&server, 2).await;
    server.expect(from(&second.url), 200, "").await;
    server.expect(from(&first.url), 200, "").await;
    assert_eq!((first.fetches(), second.fetches()), (1, 1));
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_is_reported_until_it_is_restored() {
    let good = config(&both(), "providers: [a]");
    let server = TestServer::start(&good).await;
    let before = server.status().await;
    server.rewrite(&good.replace("providers: [a]", "providers: [a], mode: lax"));
    let error = refused(&server).await;
    assert!(error.contains("policies[0].mode: unknown mode"), "{error}");
    assert!(error.contains("claimgate.yaml:"), "{error}");
    let status = server.status().await;
    assert_eq!(status["generation"], before["generation"]);
    assert_eq!(status["config_hash"], before["config_hash"]);
    assert_eq!(server.metric(SUCCESSFUL).await, Some(0.0));
    let failures = "claimgate_config_reloads_total{result=\"failure\"}";
    assert_eq!(server.metric(failures).await, Some(1.0));
    server.expect(from(A), 200, "").await;
    server.rewrite(&good);
    let status = server.status_until(|status| status["last_reload_error"].is_null()).await;
    assert_eq!(status["generation"], before["generation"]);
}

#[tokio::test]
async fn the_metric_of_the_last_reload_recovers_with_the_file() {
    let good = config(&both(), "providers: [a]");
    let server = TestServer::start(&good).await;
    assert_eq!(server.metric(SUCCESSFUL).await, Some(1.0));
    server.rewrite("providers: 1");
    refused(&server).await;
    assert_eq!(server.metric(SUCCESSFUL).await, Some(0.0));
    server.rewrite(&good);
    server.status_until(|status| status["last_reload_error"].is_null()).await;
    assert_eq!(server.metric(SUCCESSFUL).await, Some(1.0));
}

#[tokio::test]
async fn an_empty_or_deleted_file_is_a_problem_and_no_config() {
    let server = TestServer::start(&config(&both(), "providers: [a]")).await;
    server.rewrite("");
    assert!(refused(&server).await.contains("empty"));
    server.expect(from(A), 200, "").await;
    std::fs::remove_file(server.config()).unwrap();
    let gone = |status: &serde_json::Value| {
        status["last_reload_error"].as_str().is_some_and(|error| error.contains("cannot be read"))
    };
    server.status_until(gone).await;
    server.expect(from(A), 200, "").await;
    server.rewrite(&config(&both(), "providers: [b]"));
    let status = generation(&server, 2).await;
    assert!(status["last_reload_error"].is_null());
    server.expect(from(A), 401, "issuer_not_allowed").await;
}

#[tokio::test]
async fn a_key_file_is_part_of_the_config() {
    let text = "- { name: a, issuer: 'https://a.example', audiences: [test-api], jwks: { file: keys.json } }\n";
    let server = TestServer::start(&config(&[text.to_owned()], "providers: [a]")).await;
    server.expect(from(A), 503, "keys_unavailable").await;
    let write = |key: &TestKey| {
        std::fs::write(server.config().with_file_name("keys.json"), key.jwks().to_string())
            .unwrap();
    };
    write(&ES256);
    generation(&server, 2).await;
    server.expect(from(A), 200, "").await;
    write(&TestKey::with_kid("ES256", "new"));
    generation(&server, 3).await;
    server.expect(from(A), 401, "key_unknown").await;
}

#[tokio::test]
async fn status_names_what_the_newest_reload_changed() {
    let before = config(&both(), "providers: [a]");
    let server = TestServer::start(&before).await;
    assert!(server.status().await["changes"].is_null());
    let provider_c = provider("c", "https://c.example", &ES256.jwks());
    let [_, b] = both();
    let b = b.replace("test-api", "other-api");
    let after = config(&[b, provider_c], "providers: [b]") + "strip_headers: [x-old]\n";
    server.rewrite(&after.replace("name: p,", "name: q,").replace("policy: p", "policy: q"));
    let status = generation(&server, 2).await;
    let expected = json!({
        "providers": { "added": ["c"], "removed": ["a"], "changed": ["b"] },
        "policies": { "added": ["q"], "removed": ["p"], "changed": [] },
        "settings": { "added": ["strip_headers"], "removed": [], "changed": ["default_policy"] },
    });
    assert_eq!(status["changes"], expected);
}

#[tokio::test]
async fn another_order_and_a_comment_are_a_generation_but_no_change() {
    let before = "policies: [{ name: p, mode: anonymous }]\nproviders: []\n";
    let server = TestServer::start(before).await;
    server.rewrite("# the same\nproviders: []\npolicies:\n- mode: anonymous\n  name: p\n");
    let status = generation(&server, 2).await;
    for kind in ["providers", "policies", "settings"] {
        assert_eq!(
            status["changes"][kind],
            json!({ "added": [], "removed": [], "changed": [] }),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_cached_token_is_refused_once_its_provider_is_removed_changed_or_disabled() {
    let good = config(&both(), "providers: [a, b]");
    let [a, b] = both();
    for (next, reason) in [
        (config(std::slice::from_ref(&b), "providers: [a, b]"), "issuer_not_allowed"),
        (
            config(&[a.replace("test-api", "other"), b.clone()], "providers: [a, b]"),
            "audience_not_allowed",
        ),
        (
            config(&[a.clone() + "  enabled: false\n", b.clone()], "providers: [a, b]"),
            "issuer_not_allowed",
        ),
        (config(&both(), "providers: [b]"), "issuer_not_allowed"),
    ] {
        let server = TestServer::start(&good).await;
        let token = || TestRequest::bearer(&ES256.token(&claims(A)));
        let cached = token();
        server.expect(cached.clone(), 200, "").await;
        server.expect(cached.clone(), 200, "").await;
        assert_eq!(server.metric("claimgate_token_cache_hits_total").await, Some(1.0));
        server.rewrite(&next);
        generation(&server, 2).await;
        server.expect(cached, 401, reason).await;
        server.expect(token(), 401, reason).await;
    }
}

/// What editors do: the new text beside the file, the old one kept as a backup.
#[tokio::test]
async fn an_editor_that_renames_the_old_file_away_is_followed() {
    let server = TestServer::start(&config(&both(), "providers: [a]")).await;
    let (file, backup) = (server.config(), server.config().with_file_name("claimgate.yaml~"));
    std::fs::rename(&file, &backup).unwrap();
    std::fs::write(&file, config(&both(), "providers: [b]")).unwrap();
    std::fs::remove_file(&backup).unwrap();
    generation(&server, 2).await;
    server.expect(from(A), 401, "issuer_not_allowed").await;
    server.expect(from(B), 200, "").await;
}

/// A prefix of a good config can be a good config: it must not be served on its way.
#[tokio::test]
async fn a_file_that_is_written_in_two_parts_is_served_as_a_whole() {
    use std::io::Write as _;
    let whole = config(&both(), "providers: [a]") + "# end\n";
    let server = TestServer::start(&config(&both(), "providers: [b]")).await;
    let cut = whole.find("policies:").unwrap();
    let mut file = std::fs::File::create(server.config()).unwrap();
    file.write_all(&whole.as_bytes()[..cut]).unwrap();
    file.sync_all().unwrap();
    file.write_all(&whole.as_bytes()[cut..]).unwrap();
    drop(file);
    let status = generation(&server, 2).await;
    assert_eq!(status["generation"], 2);
    server.expect(from(A), 200, "").await;
}
