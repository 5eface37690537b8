//! As much of a token as can be read, for what is said about it.
//!
//! It judges nothing: a token that is refused is read as far as it goes.

use crate::{
    check::{
        claims::{Claims, Json},
        token::{Envelope, Header, Jws},
    },
    provider::ClaimPath,
};

/// What was read.
pub(super) struct Token {
    pub(super) header: Option<Header>,
    pub(super) claims: Option<Claims>,
}

impl Token {
    pub(super) fn read(token: &str) -> Self {
        match Jws::parse(token) {
            Ok(Jws { envelope, claims }) => {
                Self { header: Some(envelope.header), claims: Some(claims) }
            }
            Err(_) => {
                let header = Envelope::parse(token).ok().map(|envelope| envelope.header);
                Self { header, claims: None }
            }
        }
    }

    pub(super) fn issuer(&self) -> Option<String> {
        let issuer = self.claims.as_ref()?.member("iss")?.string()?;
        Some(issuer.into_owned())
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.header.as_ref()?.kid.as_deref()
    }

    pub(super) fn alg(&self) -> &str {
        self.header.as_ref().map(|header| header.alg.as_str()).unwrap_or_default()
    }

    pub(super) fn date(&self, name: &str) -> Option<f64> {
        self.claims.as_ref()?.member(name)?.date()
    }

    pub(super) fn member(&self, name: &str) -> Option<Json<'_>> {
        self.claims.as_ref()?.member(name)
    }

    /// The strings at `path`; none where there is another shape.
    pub(super) fn strings(&self, path: &ClaimPath) -> Option<Vec<String>> {
        let strings = self.claims.as_ref()?.find(path)?.strings().ok()?;
        Some(strings.into_iter().map(|text| text.into_owned()).collect())
    }
}
