//! What the test targets share: keys that sign anything, issuers that misbehave on demand, a
//! server in this process, and answers read as Envoy reads them.
#![allow(dead_code, reason = "each target uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "support/answer.rs"]
pub(crate) mod answer;
#[path = "support/atomic_writer.rs"]
pub(crate) mod atomic_writer;
#[path = "support/grpc.rs"]
pub(crate) mod grpc;
#[path = "support/issuer.rs"]
pub(crate) mod issuer;
#[path = "support/keys.rs"]
pub(crate) mod keys;
#[path = "support/offline.rs"]
pub(crate) mod offline;
#[path = "support/readme.rs"]
pub(crate) mod readme;
#[path = "support/request.rs"]
pub(crate) mod request;
#[path = "support/rollout.rs"]
pub(crate) mod rollout;
#[path = "support/server.rs"]
pub(crate) mod server;
#[path = "support/site.rs"]
pub(crate) mod site;

use serde_json::{Value, json};

/// The `aud` of [`claims`] and of [`provider`].
pub(crate) const AUDIENCE: &str = "test-api";

/// Seconds since the epoch.
pub(crate) fn unix() -> u64 {
    claimgate::clock::Clock::start().now().unix as u64
}

/// Claims that any provider of [`provider`] accepts for an hour.
pub(crate) fn claims(issuer: &str) -> Value {
    json!({ "iss": issuer, "sub": "alice", "aud": AUDIENCE, "exp": unix() + 3600 })
}

/// `claims` with one member replaced, or taken out where `value` is null.
pub(crate) fn with(mut claims: Value, name: &str, value: Value) -> Value {
    let members = claims.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
    claims
}

/// One list item of `providers:` with keys in the config.
pub(crate) fn provider(name: &str, issuer: &str, jwks: &Value) -> String {
    format!(
        "- name: {name}\n  issuer: {issuer}\n  audiences: [{AUDIENCE}]\n  jwks: {{ inline: {jwks} }}\n  claim_to_headers:\n  - {{ claim: sub, header: x-auth-subject }}\n  - {{ value: provider, header: x-auth-provider }}\n"
    )
}

/// One list item of `providers:` with keys from this URL; `jwks` adds to its mapping.
pub(crate) fn remote(name: &str, issuer: &str, uri: &str, jwks: &str) -> String {
    format!(
        "- name: {name}\n  issuer: {issuer}\n  audiences: [{AUDIENCE}]\n  jwks: {{ uri: '{uri}', {jwks} }}\n  claim_to_headers:\n  - {{ claim: sub, header: x-auth-subject }}\n"
    )
}

/// A config of these providers and one policy `p`, the default, with these members.
pub(crate) fn config(providers: &[String], policy: &str) -> String {
    let providers = providers.concat();
    format!("providers:\n{providers}policies: [{{ name: p, {policy} }}]\ndefault_policy: p\n")
}
