//! The names of headers that claimgate may set, and so must own.
//!
//! It does not format values; `check/claims.rs` does.

use std::{
    borrow::Cow,
    ptr,
    sync::{Arc, OnceLock},
};

use thiserror::Error;

/// A lower-case field name (RFC 9110 section 5.1) that the config may fill.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeaderTarget(Arc<str>);

/// Why a name cannot be a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeaderTargetError {
    /// Not a token of RFC 9110 section 5.6.2.
    #[error("not a header name; accepted are letters, digits and !#$%&'*+-.^_`|~")]
    NotAName,
    /// A name that Envoy, HTTP or the caller's own credentials depend on.
    #[error("a reserved header that claimgate never sets; choose another, such as x-auth-…")]
    Reserved,
}

impl HeaderTarget {
    /// Parses and lower-cases `name`.
    ///
    /// # Errors
    /// [`HeaderTargetError`] if it is no field name or a reserved one.
    pub fn parse(name: &str) -> Result<Self, HeaderTargetError> {
        let name = Self::lower(name)?;
        if is_reserved(&name) || plain(&name) == "x-forwarded-authorization" {
            return Err(HeaderTargetError::Reserved);
        }
        Ok(Self(name.into()))
    }

    /// As [`HeaderTarget::parse`], for `forward_token.header`, which alone may be
    /// `x-forwarded-authorization`.
    ///
    /// # Errors
    /// [`HeaderTargetError`] if it is no field name or a reserved one.
    pub fn parse_forward(name: &str) -> Result<Self, HeaderTargetError> {
        let name = Self::lower(name)?;
        if is_reserved(&name) {
            return Err(HeaderTargetError::Reserved);
        }
        Ok(Self(name.into()))
    }

    /// The name, lower-case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn lower(name: &str) -> Result<String, HeaderTargetError> {
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(HeaderTargetError::NotAName);
        }
        Ok(name.to_ascii_lowercase())
    }
}

/// The lower-case name of a header that may carry a token: any that may be a target, and those
/// that are there for credentials.
///
/// # Errors
/// [`HeaderTargetError`] if it is no field name or a reserved one.
pub fn token_header(name: &str) -> Result<Arc<str>, HeaderTargetError> {
    let name = HeaderTarget::lower(name)?;
    if is_reserved(&name) && !CREDENTIALS.contains(&name.as_str()) {
        return Err(HeaderTargetError::Reserved);
    }
    Ok(name.into())
}

/// Whether `byte` may stand in a token (RFC 9110 section 5.6.2).
#[must_use]
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Every header of the running config that the client must not be able to set, each in its own
/// and in its [`other_forms`]. Sorted, without duplicates.
#[derive(Debug, Clone, Default)]
pub struct OwnedHeaders {
    names: Vec<Arc<str>>,
    /// What an encoder made of them, once for all checks of this config.
    encoded: OnceLock<Encoded>,
}

/// The encoded names one after another, and where each ends.
#[derive(Debug, Clone)]
struct Encoded {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// So many names are looked through by their place in memory, which costs less than to compare
/// the text of one.
const FEW: usize = u32::BITS as usize;

impl OwnedHeaders {
    /// The owned names of `targets`.
    #[must_use]
    pub fn new<'a>(targets: impl IntoIterator<Item = &'a HeaderTarget>) -> Self {
        let mut names: Vec<Arc<str>> = Vec::new();
        for HeaderTarget(name) in targets {
            names.push(name.clone());
            names.extend(other_forms(name));
        }
        names.sort();
        names.dedup();
        Self { names, encoded: OnceLock::new() }
    }

    /// The names that `later` does not have.
    pub fn without<'a>(&'a self, later: &'a Self) -> impl Iterator<Item = &'a str> {
        let gone = self.names.iter().filter(|name| later.names.binary_search(name).is_err());
        gone.map(|name| &**name)
    }

    /// Whether `name`, in lower case, is one of them.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.names.binary_search_by(|own| (**own).cmp(name)).is_ok()
    }

    /// The names in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.names.iter()
    }

    /// Hands `write` the encoded names, all but those of `except`, in few pieces. There is one
    /// encoder: `encode` runs for each name the first time that anybody asks, and never again.
    pub fn encoded_except<'a>(
        &self,
        except: impl Iterator<Item = &'a str>,
        encode: impl Fn(&str) -> Vec<u8>,
        mut write: impl FnMut(&[u8]),
    ) {
        let Encoded { bytes, ends } = self.encoded.get_or_init(|| self.encode(encode));
        // A bit for each of the first names, which are nearly always all.
        let (mut few, mut others) = (0_u32, Vec::new());
        for place in except.filter_map(|name| self.place(name)) {
            if place < FEW { few |= 1 << place } else { others.push(place) }
        }
        others.sort_unstable();
        let first = std::iter::from_fn(|| {
            let place = few.trailing_zeros();
            few &= few.wrapping_sub(1);
            (place < u32::BITS).then_some(place as usize)
        });
        let start = |index: usize| index.checked_sub(1).map_or(0, |before| ends[before]);
        let mut from = 0;
        for gap in first.chain(others) {
            // A name that is excepted twice leaves nothing between.
            write(bytes.get(from..start(gap)).unwrap_or_default());
            from = ends[gap];
        }
        write(&bytes[from..]);
    }

    fn place(&self, name: &str) -> Option<usize> {
        // The text of a target that asked for it first is the very one that stands here.
        let few = self.names.get(..self.names.len().min(FEW)).unwrap_or_default();
        few.iter()
            .position(|known| ptr::eq(&**known, name))
            .or_else(|| self.names.binary_search_by(|known| (**known).cmp(name)).ok())
    }

    fn encode(&self, encode: impl Fn(&str) -> Vec<u8>) -> Encoded {
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(self.names.len()));
        for name in &self.names {
            bytes.extend(encode(name));
            ends.push(bytes.len());
        }
        Encoded { bytes, ends }
    }
}

/// `name` in lower case with a hyphen for all that is neither letter nor digit, as the laxest of
/// backends read it; none for a name that has nothing else, and for pseudo-headers.
#[must_use]
pub fn plain_name(name: &str) -> Option<String> {
    if is_usual(name.as_bytes()) || name.starts_with(':') {
        return None;
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    Some(name.chars().map(plain).collect())
}

/// Whether all are letters, digits and hyphens, as nearly every byte of every name of a request is.
/// Eight are looked at together; of the last eight of a longer name some twice.
fn is_usual(name: &[u8]) -> bool {
    let Some(last) = name.last_chunk() else {
        return name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-');
    };
    let mut rest = name;
    while let Some((eight, after)) = rest.split_first_chunk() {
        if !are_usual(*eight) {
            return false;
        }
        rest = after;
    }
    are_usual(*last)
}

#[inline]
fn are_usual(eight: [u8; 8]) -> bool {
    const TOP: u64 = u64::from_ne_bytes([0x80; 8]);
    const fn all(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    let word = u64::from_ne_bytes(eight);
    // The top bit of each byte from `first` to `last`: no sum of two bytes below 0x80 is carried.
    let within = |word: u64, first: u8, last: u8| {
        word.wrapping_add(all(0x80 - first)) & !word.wrapping_add(all(0x7F - last))
    };
    let ascii = word & !TOP;
    let usual = within(ascii | all(0x20), b'a', b'z')
        | within(ascii, b'0', b'9')
        | within(ascii, b'-', b'-');
    usual & !word & TOP == TOP
}

/// [`plain_name`] of any name, which is lower-case.
pub fn plain(name: &str) -> Cow<'_, str> {
    plain_name(name).map_or(Cow::Borrowed(name), Cow::Owned)
}

/// What many backends read as one header with `name`, which is lower-case: `x_user`, `x-user` and
/// `x.user` are. Without `name` itself; one may be there twice.
pub fn other_forms(name: &str) -> impl Iterator<Item = Arc<str>> {
    let plain = plain_name(name);
    let forms = [
        name.contains('-').then(|| name.replace('-', "_")),
        name.contains('_').then(|| name.replace('_', "-")),
        plain.as_ref().map(|plain| plain.replace('-', "_")),
        plain,
    ];
    forms.into_iter().flatten().filter(move |form| form != name).map(Arc::from)
}

/// `name` is lower-case. It is reserved as backends read it, see [`plain_name`].
fn is_reserved(name: &str) -> bool {
    let name = plain(name);
    RESERVED.contains(&&*name)
        || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || name.starts_with("x-") && name.ends_with("method-override")
        || name.contains("csrf")
}

const RESERVED: [&str; 27] = [
    "host",
    "authorization",
    "cookie",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "transfer-encoding",
    "expect",
    "via",
    "forwarded",
    "origin",
    "referer",
    "user-agent",
    "traceparent",
    "tracestate",
    "x-request-id",
    "x-real-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-api-key",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-client-cert",
];

/// Reserved as targets, and where clients put credentials.
const CREDENTIALS: [&str; 3] = ["authorization", "proxy-authorization", "x-api-key"];

const RESERVED_PREFIXES: [&str; 6] = ["accept", "content-", "sec-", "proxy-", "grpc-", "x-envoy-"];

#[cfg(test)]
mod tests;
