//! Where a policy lets a request carry its token.
//!
//! It reads no request; `check/credential.rs` does.

use std::sync::Arc;

use crate::header::plain_name;

/// One place of `token_from`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TokenPlace {
    /// A header.
    Header {
        /// Its name, in lower case.
        name: Arc<str>,
        /// The scheme before the token; none where the value is the token.
        scheme: Option<Arc<str>>,
    },
    /// A parameter of the query, whose name has only unreserved characters (RFC 3986 section 2.3).
    Query(Arc<str>),
    /// A cookie.
    Cookie(Arc<str>),
}

impl TokenPlace {
    /// `Authorization: Bearer TOKEN`: the default.
    #[must_use]
    pub fn authorization() -> Self {
        Self::Header { name: AUTHORIZATION.into(), scheme: Some(BEARER.into()) }
    }

    /// The name of its header, if it is one.
    #[must_use]
    pub fn header(&self) -> Option<&str> {
        match self {
            Self::Header { name, .. } => Some(name),
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
