//! Where a policy lets a request carry its token.
//!
//! It reads no request; `check/credential.rs` does.

use std::sync::Arc;

use crate::header::{self, plain_name};

/// One place of `token_from`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TokenPlace {
    /// A header.
    Header(TokenHeader),
    /// A parameter of the query, whose name has only unreserved characters (RFC 3986 section 2.3).
    Query(Arc<str>),
    /// A cookie.
    Cookie(Arc<str>),
}

/// A header that may carry the token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenHeader {
    /// Its name, in lower case.
    pub name: Arc<str>,
    /// The scheme before the token; none where the value is the token.
    pub scheme: Option<Arc<str>>,
    /// What many backends read as the same header, see [`header::other_forms`].
    pub other_forms: Arc<[Arc<str>]>,
}

impl TokenHeader {
    /// The header of this lower-case name.
    #[must_use]
    pub fn new(name: Arc<str>, scheme: Option<Arc<str>>) -> Self {
        Self { other_forms: header::other_forms(&name).collect(), name, scheme }
    }
}

impl TokenPlace {
    /// `Authorization: Bearer TOKEN`: the default.
    #[must_use]
    pub fn authorization() -> Self {
        Self::Header(TokenHeader::new(AUTHORIZATION.into(), Some(BEARER.into())))
    }

    /// The name of its header, if it is one.
    #[must_use]
    pub fn header(&self) -> Option<&str> {
        match self {
            Self::Header(TokenHeader { name, .. }) => Some(name),
            Self::Query(_) | Self::Cookie(_) => None,
        }
    }

    /// Whether it is a header that a backend may read by this name, see [`plain_name`].
    #[must_use]
    pub fn is_read_as(&self, plain: &str) -> bool {
        self.header().is_some_and(|own| plain_name(own).as_deref().unwrap_or(own) == plain)
    }
}

/// The header of the default place.
pub const AUTHORIZATION: &str = "authorization";
/// The scheme of RFC 6750 section 2.1.
pub const BEARER: &str = "Bearer";
