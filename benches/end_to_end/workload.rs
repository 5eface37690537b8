//! Tokens, the CheckRequests that carry them, and the configs that accept them.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use envoy_types::pb::envoy::service::auth::v3::{
    AttributeContext, CheckRequest,
    attribute_context::{HttpRequest, Request},
};
use prost::Message as _;
use serde_json::json;

use crate::keys::TestKey;

/// Tokens and the gRPC frames of the requests that carry them.
#[derive(Clone)]
pub(crate) struct Workload {
    pub(crate) tokens: Arc<Vec<String>>,
    pub(crate) frames: Arc<Vec<Bytes>>,
}

impl Workload {
    /// `count` tokens that differ in `sub` and `jti`, the token `n` of issuer `n % issuers`.
    pub(crate) fn new(key: &TestKey, count: usize, issuers: usize) -> Self {
        let tokens: Vec<String> = (0..count).map(|n| token(key, n, n % issuers)).collect();
        let frames = tokens.iter().map(|token| frame(token)).collect();
        Self { tokens: Arc::new(tokens), frames: Arc::new(frames) }
    }
}

fn token(key: &TestKey, n: usize, issuer: usize) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    key.token(&json!({
        "iss": format!("https://issuer-{issuer}.example"), "sub": format!("user-{n}"),
        "aud": "bench-api", "exp": now + 86_400, "iat": now - 60, "jti": format!("{n:032x}"),
        "scope": "orders.read orders.write", "groups": ["staff", "AI-Users"],
        "email": "alice@example.com", "azp": "web", "realm_access": { "roles": ["user"] },
    }))
}

/// A CheckRequest of about 1.5 KiB with the headers of a browser, behind gRPC's five bytes.
fn frame(token: &str) -> Bytes {
    let bearer = format!("Bearer {token}");
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
    let headers: HashMap<String, String> =
        headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let http = HttpRequest {
        method: "GET".to_owned(),
        path: "/orders/42?expand=items".to_owned(),
        host: "api.example.com".to_owned(),
        headers,
        ..HttpRequest::default()
    };
    let request = Some(Request { http: Some(http), ..Request::default() });
    let attributes = Some(AttributeContext { request, ..AttributeContext::default() });
    let message = CheckRequest { attributes }.encode_to_vec();
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(&message);
    frame.freeze()
}

/// One provider with three headers; the keys stand in the config.
pub(crate) fn config(keys: &[&TestKey]) -> String {
    let jwks = crate::keys::set(keys);
    format!(
        "providers:\n{}policies:\n- {{ name: bench, providers: [p0] }}\ndefault_policy: bench\n",
        provider(0, &format!("inline: {jwks}"))
    )
}

/// One line of the config for provider `n`.
pub(crate) fn provider(n: usize, jwks: &str) -> String {
    format!(
        "- {{ name: p{n}, issuer: 'https://issuer-{n}.example', audiences: [bench-api], jwks: {{ {jwks} }}, \
         claim_to_headers: [ {{ claim: sub, header: x-auth-subject }}, {{ claim: groups, header: x-auth-groups }}, \
         {{ value: provider, header: x-auth-provider }} ] }}\n"
    )
}
