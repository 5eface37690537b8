//! What an OpenID Connect discovery document says about keys: pure.
//!
//! Of all that it holds only `issuer` and `jwks_uri` are read.

use serde::Deserialize;
use thiserror::Error;

use crate::{
    provider::{Issuer, PlainHttp},
    url::{self, Transport},
};

/// A document that names no set: a category, never fetched text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum DiscoveryError {
    #[error("not a discovery document: a JSON object with issuer and jwks_uri is accepted")]
    NotADocument,
    #[error("the document is of another issuer")]
    OtherIssuer,
    #[error(
        "jwks_uri is no https URL, nor http from loopback to loopback or permitted by allow_http"
    )]
    JwksUri,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

/// The `jwks_uri` of the discovery document of `issuer` that was found at `found_at`.
///
/// # Errors
/// [`DiscoveryError`] if it is none, is another's (OpenID Connect Discovery 1.0 section 4.3: the
/// issuers must be identical), or names a set that must not be fetched.
pub fn jwks_uri(
    document: &[u8],
    found_at: &str,
    issuer: &Issuer,
    plain: PlainHttp,
) -> Result<String, DiscoveryError> {
    // Serde would read an array as the struct's fields in order.
    if !document.trim_ascii_start().starts_with(b"{") {
        return Err(DiscoveryError::NotADocument);
    }
    let document: Document =
        serde_json::from_slice(document).map_err(|_| DiscoveryError::NotADocument)?;
    if *document.issuer != *issuer.0 {
        return Err(DiscoveryError::OtherIssuer);
    }
    let transport = url::parse(&document.jwks_uri).map_err(|_| DiscoveryError::JwksUri)?;
    // Another machine's document must not make this one ask whatever listens here.
    let strange = transport == Transport::PlainLoopback
        && plain == PlainHttp::Loopback
        && !url::is_loopback(found_at);
    if strange || !plain.accepts(transport) {
        return Err(DiscoveryError::JwksUri);
    }
    Ok(document.jwks_uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(document: &str, expected: Result<&str, DiscoveryError>) {
        let issuer = Issuer("https://idp".into());
        let read = jwks_uri(document.as_bytes(), "https://idp/", &issuer, PlainHttp::Loopback);
        assert_eq!(read.as_deref(), expected.as_ref().map(|uri| *uri), "{document}");
    }

    fn document(issuer: &str, uri: &str) -> String {
        format!(r#"{{"x": [1], "issuer": "{issuer}", "jwks_uri": "{uri}"}}"#)
    }

    #[test]
    fn the_set_of_the_very_issuer_is_found_on_any_host() {
        for uri in ["https://idp/keys", "https://elsewhere/keys", "https://127.0.0.1:1/keys"] {
            check(&document("https://idp", uri), Ok(uri));
        }
    }

    #[test]
    fn another_issuer_is_refused_even_if_it_looks_alike() {
        for issuer in ["https://idp/", "https://IDP", "https://evil", "http://idp", ""] {
            check(&document(issuer, "https://idp/keys"), Err(DiscoveryError::OtherIssuer));
        }
    }

    #[test]
    fn a_set_that_must_not_be_fetched_is_refused() {
        for uri in [
            "http://idp/keys",
            "http://127.0.0.1:1/keys",
            "http://localhost/",
            "/keys",
            "file:///keys",
            "https://u:p@idp/",
            "",
        ] {
            check(&document("https://idp", uri), Err(DiscoveryError::JwksUri));
        }
    }

    #[track_caller]
    fn check_plain(found_at: &str, uri: &str, plain: PlainHttp, is_accepted: bool) {
        let (issuer, document) = (Issuer("https://idp".into()), document("https://idp", uri));
        let read = jwks_uri(document.as_bytes(), found_at, &issuer, plain);
        assert_eq!(read.is_ok(), is_accepted, "{uri} at {found_at}");
    }

    #[test]
    fn plain_http_stays_on_loopback_unless_it_is_permitted_anywhere() {
        let (here, there) = ("http://127.0.0.1:1/document", "https://idp/document");
        for (found_at, uri, is_accepted) in [
            (here, "http://127.0.0.1:2/keys", true),
            (here, "http://[::1]:2/keys", true),
            (here, "http://idp/keys", false),
            (there, "http://127.0.0.1:2/keys", false),
        ] {
            check_plain(found_at, uri, PlainHttp::Loopback, is_accepted);
            check_plain(found_at, uri, PlainHttp::Anywhere, true);
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for text in [
            "",
            "<html>",
            "{",
            "null",
            "[]",
            r#"["https://idp", "https://idp/keys"]"#,
            r#"{"issuer": "https://idp"}"#,
            r#"{"jwks_uri": "https://idp/keys"}"#,
            r#"{"issuer": 1, "jwks_uri": "https://idp/keys"}"#,
            r#"{"issuer": "https://idp", "issuer": "https://idp", "jwks_uri": "https://idp"}"#,
        ] {
            check(text, Err(DiscoveryError::NotADocument));
        }
    }
}
