//! What operators, orchestrators and odd gRPC clients are answered.

use std::collections::BTreeSet;

use prost::Message as _;
use serde_json::{Value, json};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

use crate::support::{
    claims, config,
    grpc::RawClient,
    issuer::{Behaviour, TestIssuer},
    keys::ES256,
    provider, remote,
    request::TestRequest,
    server::TestServer,
};

const ISSUER: &str = "https://a.example";
const SERVICES: [&str; 2] = ["", "envoy.service.auth.v3.Authorization"];

async fn serving() -> TestServer {
    let providers = [provider("a", ISSUER, &ES256.jwks())];
    TestServer::start(&config(&providers, "providers: [a]")).await
}

fn good() -> TestRequest {
    TestRequest::bearer(&ES256.token(&claims(ISSUER)))
}

fn asking(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tokio::test]
async fn a_ready_server_says_so_everywhere() {
    let server = serving().await;
    assert_eq!(server.get("/healthz").await.status(), 200);
    assert_eq!(server.get("/readyz").await.status(), 200);
    for service in SERVICES {
        let answer = server.health().await.check(asking(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    assert_eq!(server.get("/").await.status(), 404);
    let unknown = server.health().await.check(asking("other")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

#[tokio::test]
async fn health_is_watched_from_not_serving_to_serving() {
    let issuer = TestIssuer::behaving(Behaviour::Hang).await;
    let provider = remote("a", &issuer.url, &issuer.jwks_uri(), "timeout: 60s");
    let hour = std::time::Duration::from_secs(3600);
    let config = config(&[provider], "providers: [a]");
    let server = TestServer::with(&config, |s| s.ready_timeout = hour).await;
    let mut streams = Vec::new();
    for service in SERVICES {
        let mut stream = server.health().await.watch(asking(service)).await.unwrap().into_inner();
        let first = stream.message().await.unwrap().unwrap();
        assert_eq!(first.status(), ServingStatus::NotServing, "{service}");
        let answer = server.health().await.check(asking(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::NotServing, "{service}");
        streams.push(stream);
    }
    issuer.now_serves(&ES256.jwks());
    for mut stream in streams {
        assert_eq!(stream.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    }
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let server = serving().await;
    let client = RawClient::connect(server.server.grpc[0]).await;
    for method in [
        "/envoy.service.auth.v2.Authorization/Check",
        "/envoy.service.auth.v3.Authorization/check",
        "/envoy.service.auth.v3.Authorization/Check/",
        "/grpc.health.v1.Health/Other",
        "/",
    ] {
        let error = client.call(method, Vec::new(), None).await.unwrap_err();
        assert_eq!(error.code(), Code::Unimplemented, "{method}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_check_request_are_denied_and_no_error() {
    let server = serving().await;
    for bytes in [
        &b"garbage"[..],
        b"\x0a\x05\x22",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x08\x01\x0a",
        b"\x00",
    ] {
        let answer = server.raw(bytes.to_vec(), None).await;
        assert_eq!((answer.status, answer.code, answer.reason()), (400, 3, "request_malformed"));
    }
    let mut broken = good().build().encode_to_vec();
    broken.pop();
    assert_eq!(server.raw(broken, None).await.reason(), "request_malformed");
    assert_eq!(server.raw(Vec::new(), None).await.reason(), "credentials_missing");
}

#[tokio::test]
async fn a_large_request_is_read_and_a_larger_one_denied() {
    let server = serving().await;
    let sized = |bytes: usize| {
        let mut request = good();
        request.http.body = "x".repeat(bytes);
        request.build().encode_to_vec()
    };
    assert_eq!(server.raw(sized(2 * 1024 * 1024), None).await.status, 200);
    for bytes in [8 * 1024 * 1024, 12 * 1024 * 1024] {
        let answer = server.raw(sized(bytes), None).await;
        assert_eq!((answer.status, answer.reason()), (400, "request_malformed"));
    }
}

#[tokio::test]
async fn status_shows_the_config_the_providers_and_no_secret() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let secret = crate::support::keys::TestKey::new("HS256");
    let providers = [
        remote("fetched", &issuer.url, &issuer.jwks_uri(), "timeout: 5s")
            + "  labels: { environment: prod }\n",
        provider("local", ISSUER, &secret.jwks()) + "  algorithms: [HS256]\n",
        provider("off", "https://off.example", &ES256.jwks()) + "  enabled: false\n",
    ];
    let server = TestServer::start(&config(&providers, "providers: [fetched, ghost]")).await;
    let text = server.get("/status").await.into_body();
    assert!(!text.contains(secret.jwk()["k"].as_str().unwrap()));
    let status: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status["generation"], 1);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["config_hash"].as_str().unwrap().len(), 64);
    assert_eq!(status["last_reload_error"], Value::Null);
    assert_eq!(status["unknown_references"], json!([]));
    assert_eq!(status["warnings"].as_array().unwrap().len(), 1);
    assert!(status["applied_at"].as_str().unwrap().ends_with('Z'));
    let [fetched, local, off] = status["providers"].as_array().unwrap().as_slice() else {
        panic!("three providers")
    };
    assert_eq!((&fetched["name"], &fetched["state"]), (&json!("fetched"), &json!("ready")));
    assert_eq!(fetched["issuers"], json!([issuer.url]));
    assert_eq!(fetched["labels"], json!({ "environment": "prod" }));
    assert_eq!(fetched["keys"][0]["kid"], "ES256-1");
    assert_eq!(fetched["consecutive_failures"], 0);
    assert_eq!(fetched["last_error"], Value::Null);
    for date in ["fetched_at", "next_refresh_at"] {
        assert!(fetched[date].as_str().unwrap().ends_with('Z'), "{date}");
        assert_eq!(local[date], Value::Null);
    }
    assert_eq!((&local["state"], &off["state"]), (&json!("ready"), &json!("disabled")));
}

/// The names of all metrics, and of all labels of claimgate's own.
fn names(text: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names = types.map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    let samples = text.lines().filter(|line| line.starts_with("claimgate_"));
    let labels = samples.filter_map(|line| Some(line.split_once('{')?.1.rsplit_once('}')?.0));
    let labels = labels
        .flat_map(|labels| labels.split("\","))
        .map(|label| label.split('=').next().unwrap().to_owned());
    (names, labels.collect())
}

#[tokio::test]
async fn metrics_have_their_names_and_no_label_of_a_client() {
    let issuer = TestIssuer::serving(&ES256.jwks()).await;
    let providers = [
        remote("a", &issuer.url, &issuer.jwks_uri(), "skip_tls_verification: true"),
        provider("b", ISSUER, &ES256.jwks()),
    ];
    let server = TestServer::start(&config(&providers, "providers: [a, b]")).await;
    server.expect(good(), 200, "").await;
    let header = json!({ "alg": "ES256", "kid": "client-kid" });
    let token = ES256.token_with(header, &claims(ISSUER));
    server.expect(TestRequest::bearer(&token), 401, "key_unknown").await;
    let inline = TestRequest::default().extension("claimgate.providers", "client-name");
    server.expect(inline, 503, "provider_unknown").await;
    let text = server.get("/metrics").await.into_body();
    assert!(!text.contains("client-") && !text.contains("alice"));
    let (names, labels) = names(&text);
    for name in [
        "checks_total",
        "check_duration_seconds",
        "jwks_fetches_total",
        "jwks_refresh_suppressed_total",
        "jwks_keys",
        "jwks_last_success_timestamp_seconds",
        "jwks_consecutive_failures",
        "tls_verification_disabled",
        "providers",
        "token_cache_hits_total",
        "token_cache_misses_total",
        "token_cache_evictions_total",
        "token_cache_bytes",
        "config_generation",
        "config_info",
        "config_reloads_total",
        "config_last_reload_successful",
        "config_last_reload_success_timestamp_seconds",
        "route_policy_problems_total",
        "build_info",
    ] {
        assert!(names.contains(&format!("claimgate_{name}")), "{name} in {names:?}");
    }
    assert!(names.iter().any(|name| name.starts_with("process_")));
    let expected = ["hash", "le", "outcome", "policy", "problem", "provider", "reason", "result"];
    let expected = expected.into_iter().chain(["revision", "state", "version"]);
    assert_eq!(labels, expected.map(str::to_owned).collect());
}

#[tokio::test]
async fn checks_are_counted_by_their_end() {
    let server = serving().await;
    let counted = async |labels: &str| {
        server.metric(&format!("claimgate_checks_total{{{labels}}}")).await.unwrap_or(0.0)
    };
    let allowed = r#"outcome="allowed",policy="p",provider="a",reason="""#;
    let missing = r#"outcome="denied",policy="p",provider="",reason="credentials_missing""#;
    let fault = r#"outcome="fault",policy="",provider="",reason="policy_unknown""#;
    assert_eq!(
        (counted(allowed).await, counted(missing).await, counted(fault).await),
        (0., 0., 0.)
    );
    server.expect(good(), 200, "").await;
    server.expect(good(), 200, "").await;
    server.expect(TestRequest::default(), 401, "credentials_missing").await;
    let lost = good().extension("claimgate.policy", "x");
    server.expect(lost, 503, "policy_unknown").await;
    assert_eq!(
        (counted(allowed).await, counted(missing).await, counted(fault).await),
        (2., 1., 1.)
    );
    let inline = good().extension("claimgate.providers", "a");
    server.expect(inline, 200, "").await;
    assert_eq!(counted(r#"outcome="allowed",policy="inline",provider="a",reason="""#).await, 1.);
    let durations = r#"claimgate_check_duration_seconds_count{outcome="allowed"}"#;
    assert_eq!(server.metric(durations).await, Some(3.));
    let least = r#"claimgate_check_duration_seconds_bucket{outcome="allowed",le="0.00001"}"#;
    assert!(server.metric(least).await.is_some());
}
