//! What a request that failed goes back to: a category, never a library's text, which may hold
//! what a server sent, or a URL.

use std::{error::Error as StdError, io, iter};

use rustls::CertificateError as Refused;
use thiserror::Error;

use super::{
    FetchError,
    dial::{Forbidden, Unresolved},
};

/// What is wrong with a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum CertificateError {
    #[error("expired")]
    Expired,
    #[error("not valid yet")]
    NotValidYet,
    #[error("of an unknown authority")]
    UnknownAuthority,
    #[error("of another host")]
    OtherHost,
    #[error("refused")]
    Other,
}

/// `forbidden` is what an address that must not be dialled is called.
pub(super) fn category(error: &reqwest::Error, forbidden: FetchError) -> FetchError {
    let known = |cause: &(dyn StdError + 'static)| {
        if cause.is::<Forbidden>() {
            Some(forbidden)
        } else if cause.is::<Unresolved>() {
            Some(FetchError::Unresolved)
        } else {
            cause.downcast_ref().map(tls)
        }
    };
    causes(error).find_map(known).unwrap_or(if error.is_timeout() {
        FetchError::Timeout
    } else if error.is_redirect() {
        FetchError::Redirect
    } else {
        FetchError::Connect
    })
}

/// The error, what it goes back to, and so on.
fn causes<'e>(
    error: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        // Its source is that of the error inside, which would be passed over.
        Some(outer) => outer.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
        None => error.source(),
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "rustls may name more")]
fn tls(error: &rustls::Error) -> FetchError {
    let rustls::Error::InvalidCertificate(refused) = error else {
        return FetchError::Handshake;
    };
    FetchError::Certificate(match refused {
        Refused::Expired | Refused::ExpiredContext { .. } => CertificateError::Expired,
        Refused::NotValidYet | Refused::NotValidYetContext { .. } => CertificateError::NotValidYet,
        // Another authority of the same name has not signed it.
        Refused::UnknownIssuer | Refused::BadSignature => CertificateError::UnknownAuthority,
        Refused::NotValidForName | Refused::NotValidForNameContext { .. } => {
            CertificateError::OtherHost
        }
        _ => CertificateError::Other,
    })
}
