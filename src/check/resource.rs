//! Whether a request asks for what claimgate itself serves: the metadata of a protected resource.
//!
//! It holds nothing that a client must not know, so no credential is looked at.

use crate::{
    check::{decision::Answered, request::HttpView},
    policy::Policy,
};

/// What is answered without the upstream, whatever the mode; none for every other request.
#[must_use]
pub fn answered(http: &HttpView<'_>, policy: &Policy) -> Option<Answered> {
    let resource = policy.protected_resource.as_ref()?;
    let (path, _query) = http.path.split_once('?').unwrap_or((http.path, ""));
    if !resource.is_at(path) {
        return None;
    }
    match http.method {
        "GET" | "HEAD" => Some(Answered::Document(resource.clone())),
        "OPTIONS" if is_preflight(http) => Some(Answered::Preflight),
        _other => None,
    }
}

/// Whether a browser asks before a request to another origin (Fetch, "CORS-preflight request").
///
/// No browser sends a body with it, an upgrade or another method in a header: an upstream might do
/// more for these than answer.
#[must_use]
pub fn is_preflight(http: &HttpView<'_>) -> bool {
    let filled = |name| http.headers.one(name).is_some_and(|value| !value.is_empty());
    http.method == "OPTIONS"
        && filled("origin")
        && filled("access-control-request-method")
        && !http.headers.0.iter().any(|(name, value)| asks_for_more(name, value))
}

fn asks_for_more(name: &str, value: &[u8]) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    match name.as_str() {
        "upgrade" | "transfer-encoding" | "x-http-method" => true,
        "content-length" => value.trim_ascii() != b"0",
        _other => name.ends_with("method-override"),
    }
}
