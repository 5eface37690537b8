//! Whether a request asks for what claimgate itself serves: the metadata of a protected resource.
//!
//! It holds nothing that a client must not know, so no credential is looked at.

use crate::{
    check::{decision::Answered, request::HttpView},
    header::plain_name,
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
/// No browser announces a body with it, asks for an upgrade or names another method in a header: an
/// upstream might do more for these than answer. A body that no header announces, as HTTP/2 can
/// carry, comes after the decision and is not seen.
#[must_use]
pub fn is_preflight(http: &HttpView<'_>) -> bool {
    let filled = |name| http.headers.one(name).is_some_and(|value| !value.is_empty());
    http.method == "OPTIONS"
        && filled("origin")
        && filled("access-control-request-method")
        && !http.headers.0.iter().any(|(name, value)| asks_for_more(name, value))
}

fn asks_for_more(name: &str, value: &[u8]) -> bool {
    let name = plain_name(name).unwrap_or_else(|| name.to_ascii_lowercase());
    match name.as_str() {
        "upgrade" | "transfer-encoding" | "trailer" | "expect" | "x-http-method" => true,
        "content-length" => value.trim_ascii() != b"0",
        _other => name.starts_with("content-") || name.ends_with("method-override"),
    }
}
