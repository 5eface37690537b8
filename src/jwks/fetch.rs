//! One HTTP request for a document. The lowest edge: tests put their own [`FetchJwks`] here.
//!
//! It parses no document and does not decide when to fetch.

mod cause;
mod dial;
mod freshness;
mod http;
mod trust;
mod way;

use std::{pin::Pin, sync::Arc, time::Duration};

use thiserror::Error;

pub use self::{cause::CertificateError, http::HttpFetch};
use crate::{
    jwks::{discovery::DiscoveryError, key_set::KeySetError},
    provider::JwksPlace,
};

/// Fetches key sets, and the discovery documents that name them.
pub trait FetchJwks: Send + Sync + 'static {
    /// The document at `request.url`, whole, within `request.timeout`.
    fn fetch(&self, request: FetchRequest) -> Fetching;
}

/// What is fetched.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// Of the document.
    pub url: String,
    /// Whom to trust on the way there, and which way.
    pub place: Arc<JwksPlace>,
    /// Of the document that is there already, if any.
    pub known: Option<Validators>,
    /// Bound on the whole fetch.
    pub timeout: Duration,
}

/// A fetch under way.
pub type Fetching = Pin<Box<dyn Future<Output = Result<Fetched, FetchError>> + Send>>;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The document.
    pub body: Body,
    /// To ask next time whether it has changed.
    pub validators: Validators,
    /// For how long the server calls it fresh; none if it does not say.
    pub fresh_for: Option<Duration>,
}

/// The document that a server answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// This one.
    New(Vec<u8>),
    /// The one that is there already (RFC 9110 section 15.4.5).
    Unchanged,
}

/// What tells a document from its next version (RFC 9110 section 8.8), as the server wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

impl Validators {
    /// Whether they can tell nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

impl From<Vec<u8>> for Fetched {
    /// A document about which the server said nothing.
    fn from(document: Vec<u8>) -> Self {
        let validators = Validators::default();
        Self { body: Body::New(document), validators, fresh_for: None }
    }
}

/// Why a fetch gave no usable set: a category, never fetched text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum FetchError {
    #[error("connection failed")]
    Connect,
    #[error("name not resolved")]
    Unresolved,
    #[error("server certificate {0}")]
    Certificate(CertificateError),
    #[error("TLS handshake failed")]
    Handshake,
    #[error("timed out")]
    Timeout,
    #[error("answer interrupted")]
    Interrupted,
    #[error("HTTP status {0}")]
    Status(u16),
    #[error("redirect refused")]
    Redirect,
    #[error("set unusable: {0}")]
    Unusable(#[from] KeySetError),
    #[error("discovery failed: {0}")]
    Discovery(#[from] DiscoveryError),
    #[error("ca_file unreadable or without a certificate")]
    CaFile,
    #[error("token_file unreadable, empty or no token")]
    TokenFile,
    #[error("address refused: link-local or of a cloud's metadata service")]
    Forbidden,
    #[error("address of the proxy refused: link-local or of a cloud's metadata service")]
    ForbiddenProxy,
    #[error("TLS set-up failed")]
    TlsSetup,
}

impl FetchError {
    /// The `result` label of `claimgate_jwks_fetches_total`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Unresolved => "unresolved",
            Self::Certificate(_) => "tls_certificate",
            Self::Handshake => "tls_handshake",
            Self::Timeout => "timeout",
            Self::Interrupted => "interrupted",
            Self::Status(_) => "status",
            Self::Redirect => "redirect",
            Self::Unusable(_) => "unusable",
            Self::Discovery(_) => "discovery",
            Self::CaFile => "ca_file",
            Self::TokenFile => "token_file",
            Self::Forbidden | Self::ForbiddenProxy => "forbidden_address",
            Self::TlsSetup => "tls_setup",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_name_every_failure() {
        let docs = include_str!("../../docs/keys.md");
        for error in [
            FetchError::Connect,
            FetchError::Unresolved,
            FetchError::Certificate(CertificateError::Expired),
            FetchError::Handshake,
            FetchError::Timeout,
            FetchError::Interrupted,
            FetchError::Status(500),
            FetchError::Redirect,
            FetchError::Unusable(KeySetError::NotASet),
            FetchError::Discovery(DiscoveryError::JwksUri),
            FetchError::CaFile,
            FetchError::TokenFile,
            FetchError::Forbidden,
            FetchError::ForbiddenProxy,
            FetchError::TlsSetup,
        ] {
            assert!(docs.contains(&format!("`{}`", error.label())), "{}", error.label());
            let text = error.to_string();
            let named = text.split([':', '0']).next().unwrap().trim_end_matches(" 5");
            let named = named.split(" unreadable").next().unwrap();
            assert!(docs.contains(named), "{named}");
        }
    }
}
