//! One HTTP request for a key set. The lowest edge: tests put their own [`FetchJwks`] here.
//!
//! It does not parse keys and does not decide when to fetch.

use std::{pin::Pin, sync::Arc, time::Duration};

use reqwest::{Certificate, Client, StatusCode, redirect};
use thiserror::Error;

use crate::{
    jwks::key_set::{KeySetError, MAX_SET_BYTES},
    provider::{CaFile, JwksPlace},
};

/// Fetches key sets.
pub trait FetchJwks: Send + Sync + 'static {
    /// The document at `place`, whole, within `timeout`.
    fn fetch(&self, place: Arc<JwksPlace>, timeout: Duration) -> Fetching;
}

/// A fetch under way.
pub type Fetching = Pin<Box<dyn Future<Output = Result<Vec<u8>, FetchError>> + Send>>;

/// Why a fetch gave no usable set: a category, never fetched text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum FetchError {
    #[error("connection failed")]
    Connect,
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
    #[error("ca_file unreadable or without a certificate")]
    CaFile,
    #[error("TLS set-up failed")]
    TlsSetup,
}

impl FetchError {
    /// The `result` label of `claimgate_jwks_fetches_total`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Interrupted => "interrupted",
            Self::Status(_) => "status",
            Self::Redirect => "redirect",
            Self::Unusable(_) => "unusable",
            Self::CaFile => "ca_file",
            Self::TlsSetup => "tls_setup",
        }
    }
}

/// Fetches over HTTP/1.1, with rustls and the platform's verifier.
#[derive(Debug, Default, Clone, Copy)]
pub struct HttpFetch;

impl FetchJwks for HttpFetch {
    fn fetch(&self, place: Arc<JwksPlace>, timeout: Duration) -> Fetching {
        Box::pin(async move {
            // The bound covers everything: name resolution, TLS, headers and body.
            match tokio::time::timeout(timeout, get(&place)).await {
                Ok(result) => result,
                Err(_) => Err(FetchError::Timeout),
            }
        })
    }
}

async fn get(place: &JwksPlace) -> Result<Vec<u8>, FetchError> {
    let client = client(place)?;
    let request =
        client.get(&place.uri).header("accept", "application/json, application/jwk-set+json");
    let mut response = request.send().await.map_err(|error| category(&error))?;
    let status = response.status();
    if status.is_redirection() {
        return Err(FetchError::Redirect);
    }
    if status != StatusCode::OK {
        return Err(FetchError::Status(status.as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| FetchError::Interrupted)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_SET_BYTES {
            return Err(KeySetError::TooLarge.into());
        }
    }
    Ok(body)
}

/// A client for one fetch: sets are fetched minutes apart, so no connection is worth keeping,
/// and a new one sees changed DNS.
fn client(place: &JwksPlace) -> Result<Client, FetchError> {
    let mut builder = Client::builder()
        // Who may stand between us and the issuer is for the config to say, not for HTTP_PROXY.
        .no_proxy()
        .redirect(redirect::Policy::custom(same_origin))
        .tls_danger_accept_invalid_certs(!place.verify_tls)
        .user_agent(concat!("claimgate/", env!("CARGO_PKG_VERSION")));
    match &place.ca {
        CaFile::None => {}
        CaFile::Unreadable => return Err(FetchError::CaFile),
        CaFile::Pem(pem) => {
            let roots = Certificate::from_pem_bundle(pem).map_err(|_| FetchError::CaFile)?;
            builder = builder.tls_certs_merge(roots);
        }
    }
    builder.build().map_err(|_| FetchError::TlsSetup)
}

/// Follows a redirect only where scheme, host and port stay, and three times at most.
fn same_origin(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let stays =
        attempt.previous().last().is_some_and(|from| from.origin() == attempt.url().origin());
    if stays && attempt.previous().len() <= 3 { attempt.follow() } else { attempt.stop() }
}

fn category(error: &reqwest::Error) -> FetchError {
    if error.is_timeout() {
        FetchError::Timeout
    } else if error.is_redirect() {
        FetchError::Redirect
    } else {
        FetchError::Connect
    }
}
