//! One check in process, CheckRequest bytes in to CheckResponse bytes out, with its allocations.
//!
//! Warm: the one token was seen before. Crowd: one of 100,000 that were. Threads: as warm, on one
//! thread and on two at once; the same time means twice the checks. Cold: the cache is off. New: it
//! is on, and the token was not seen. Verify: the bare signature, the floor of a cold check. Rules: as
//! warm, by what the policy asks for besides the token; `none` is what the others are compared with.
//! `.ci/allocations` and `.ci/instructions` hold the counts.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot go on has failed"
)]

#[path = "support/direct.rs"]
mod direct;
#[path = "../tests/support/keys.rs"]
mod keys;

use std::cell::Cell;

use bytes::Bytes;
use claimgate::{clock::Clock, grpc::Authorizer};
use direct::{Signed, allowed, ask};
use divan::{AllocProfiler, Bencher};
use envoy_types::pb::envoy::service::auth::v3::{
    AttributeContext, CheckRequest,
    attribute_context::{HttpRequest, Request},
};
use keys::TestKey;
use prost::Message as _;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: AllocProfiler<mimalloc::MiMalloc> = AllocProfiler::new(mimalloc::MiMalloc);

const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];

const CACHE: u64 = 512 * 1024 * 1024;
const CROWD: usize = 100_000;

fn main() {
    divan::main();
}

#[divan::bench(args = ALGORITHMS)]
fn warm(bencher: Bencher<'_, '_>, alg: &'static str) {
    check(bencher, alg, CACHE);
}

#[divan::bench(args = ALGORITHMS)]
fn cold(bencher: Bencher<'_, '_>, alg: &'static str) {
    check(bencher, alg, 0);
}

/// Each token is asked about once, and remembered.
#[divan::bench(args = ALGORITHMS, sample_count = 40, sample_size = 50)]
fn new(bencher: Bencher<'_, '_>, alg: &'static str) {
    let key = TestKey::new(alg);
    let authorizer = authorizer(&key, CACHE);
    let requests: Vec<Bytes> = (0..40 * 50).map(|n| request(&key, &format!("a-{n}"))).collect();
    let asked = Cell::new(0);
    let next = || {
        asked.set(asked.get() + 1);
        requests[asked.get() - 1].clone()
    };
    bencher.with_inputs(next).bench_local_values(|request| ask(&authorizer, request));
}

#[divan::bench(args = ALGORITHMS)]
fn verify(bencher: Bencher<'_, '_>, alg: &'static str) {
    let signed = Signed::new(&TestKey::new(alg), 500);
    bencher.bench_local(|| signed.verify());
}

#[divan::bench]
fn crowd(bencher: Bencher<'_, '_>) {
    let key = TestKey::new("ES256");
    let authorizer = authorizer(&key, CACHE);
    let requests: Vec<Bytes> = (0..CROWD).map(|n| request(&key, &format!("alice-{n}"))).collect();
    requests.iter().for_each(|request| drop(ask(&authorizer, request.clone())));
    let next = Cell::new(0);
    // A request comes fresh from its socket; what was remembered of its token may be anywhere.
    let fresh = || {
        next.set((next.get() + 7919) % CROWD);
        Bytes::copy_from_slice(&requests[next.get()])
    };
    bencher.with_inputs(fresh).bench_local_values(|request| ask(&authorizer, request));
}

#[divan::bench(threads = [1, 2])]
fn threads(bencher: Bencher<'_, '_>) {
    let key = TestKey::new("ES256");
    let (authorizer, request) = (authorizer(&key, CACHE), request(&key, "alice"));
    bencher.bench(|| ask(&authorizer, request.clone()));
}

/// What a policy may ask for besides the token, by name.
const CONDITIONS: [(&str, &str); 4] = [
    ("none", ""),
    (
        "plain",
        "scopes: { all_of: [orders.read] }, subjects: [alice], claims: [{ claim: groups, any_of: [AI-Users] }]",
    ),
    ("one", r#"rules: [{ name: ai, require: '"AI-Users" in claims.groups' }]"#),
    (
        "eight",
        r#"rules: [
    { name: ai, require: '"AI-Users" in claims.groups' },
    { name: scope, require: '"orders.read" in scopes' },
    { name: mail, require: 'claims.email.endsWith("@example.com")' },
    { name: role, require: 'claims.realm_access.roles.exists(r, r == "user")' },
    { name: get, require: 'request.method == "GET" || "orders.write" in scopes' },
    { name: host, require: 'request.host == "api.example.com"' },
    { name: path, require: 'request.path.matches("^/orders/[0-9]+$")' },
    { name: fresh, deny: 'now - claims.iat > 172800' }]"#,
    ),
];

#[divan::bench(args = CONDITIONS.map(|(name, _)| name))]
fn rules(bencher: Bencher<'_, '_>, name: &str) {
    let (_, conditions) = CONDITIONS.into_iter().find(|(other, _)| *other == name).expect("one");
    let key = TestKey::new("ES256");
    let (authorizer, request) = (under(&key, CACHE, conditions), request(&key, "alice"));
    allowed(&authorizer, &request);
    bencher.bench_local(|| ask(&authorizer, request.clone()));
}

fn check(bencher: Bencher<'_, '_>, alg: &'static str, cache: u64) {
    let key = TestKey::new(alg);
    let (authorizer, request) = (authorizer(&key, cache), request(&key, "alice"));
    allowed(&authorizer, &request);
    bencher.bench_local(|| ask(&authorizer, request.clone()));
}

fn authorizer(key: &TestKey, cache: u64) -> Authorizer {
    under(key, cache, "")
}

/// With these conditions in the policy.
fn under(key: &TestKey, cache: u64, conditions: &str) -> Authorizer {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("claimgate.yaml");
    let jwks = key.jwks();
    let config = format!(
        "
providers:
- name: bench
  issuer: https://issuer.example
  audiences: [bench-api]
  jwks: {{ inline: {jwks} }}
  claim_to_headers:
  - {{ claim: sub, header: x-auth-subject }}
  - {{ claim: groups, header: x-auth-groups }}
  - {{ value: provider, header: x-auth-provider }}
policies:
- {{ name: bench, providers: [bench], {conditions} }}
default_policy: bench
"
    );
    std::fs::write(&file, config).expect("a config");
    direct::authorizer(&file, cache)
}

/// A CheckRequest of about 1.5 KiB with the headers of a browser.
fn request(key: &TestKey, subject: &str) -> Bytes {
    let exp = Clock::start().now().unix as u64 + 86_400;
    let claims = json!({
        "iss": "https://issuer.example", "sub": subject, "aud": "bench-api", "exp": exp,
        "iat": exp - 86_400, "jti": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "scope": "orders.read orders.write", "groups": ["staff", "AI-Users"],
        "email": "alice@example.com", "azp": "web", "realm_access": { "roles": ["user"] },
    });
    let bearer = format!("Bearer {}", key.token(&claims));
    let headers = [
        (":authority", "api.example.com"),
        (":method", "GET"),
        (":path", "/orders/42?expand=items"),
        ("accept", "application/json, text/plain, */*"),
        ("accept-encoding", "gzip, deflate, br"),
        ("authorization", bearer.as_str()),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "b5b7a6c2-9a31-4c07-9c0c-0a1d0f4b6a11"),
    ];
    let http = HttpRequest {
        method: "GET".to_owned(),
        path: "/orders/42?expand=items".to_owned(),
        host: "api.example.com".to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..HttpRequest::default()
    };
    let request = Some(Request { http: Some(http), ..Request::default() });
    let attributes = Some(AttributeContext { request, ..AttributeContext::default() });
    CheckRequest { attributes }.encode_to_vec().into()
}
