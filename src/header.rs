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
const FEW: usize = 32;

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
        let mut gaps: Vec<usize> = except.filter_map(|name| self.place(name)).collect();
        gaps.sort_unstable();
        let start = |index: usize| index.checked_sub(1).map_or(0, |before| ends[before]);
        let mut from = 0;
        for gap in gaps {
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
    let usual = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if name.bytes().all(usual) || name.starts_with(':') {
        return None;
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    Some(name.chars().map(plain).collect())
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
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Result<&str, HeaderTargetError>) {
        let got = HeaderTarget::parse(name);
        assert_eq!(got.as_ref().map(HeaderTarget::as_str).map_err(|e| *e), expected, "{name}");
    }

    #[test]
    fn targets_are_lower_cased_names() {
        check("X-Auth-Subject", Ok("x-auth-subject"));
        check("x_auth", Ok("x_auth"));
        check("", Err(HeaderTargetError::NotAName));
        check(":path", Err(HeaderTargetError::NotAName));
        check("x auth", Err(HeaderTargetError::NotAName));
        check("x-auth\r\n", Err(HeaderTargetError::NotAName));
    }

    #[test]
    fn reserved_names_are_refused_in_any_case_and_in_their_underscore_form() {
        for name in [
            "Host",
            "authorization",
            "Cookie",
            "accept-language",
            "content_type",
            "sec-fetch-site",
            "proxy-authorization",
            "grpc-timeout",
            "x-envoy-original-path",
            "x-http-method-override",
            "x-csrf-token",
            "x-httpmethod-override",
            "X_Forwarded_For",
            "X_Forwarded_Authorization",
            "x-forwarded-authorization",
            "x-api-key",
            "te",
        ] {
            check(name, Err(HeaderTargetError::Reserved));
        }
    }

    #[test]
    fn only_forward_token_may_use_x_forwarded_authorization() {
        assert!(HeaderTarget::parse_forward("X-Forwarded-Authorization").is_ok());
        assert!(HeaderTarget::parse_forward("Authorization").is_err());
    }

    #[test]
    fn owned_headers_include_underscore_forms_once() {
        let target = HeaderTarget::parse("x-auth-sub").unwrap();
        let owned = OwnedHeaders::new([&target, &target]);
        let names: Vec<&str> = owned.iter().map(|n| &**n).collect();
        assert_eq!(names, ["x-auth-sub", "x_auth_sub"]);
    }

    #[test]
    fn a_token_may_stand_where_credentials_do_and_in_no_other_reserved_header() {
        for name in ["Authorization", "proxy-authorization", "X-API-Key", "x-auth-token"] {
            assert_eq!(token_header(name).as_deref(), Ok(&*name.to_ascii_lowercase()));
        }
        assert!(token_header("x-forwarded-authorization").is_ok());
        for name in ["cookie", "host", "sec-websocket-protocol", "x-csrf-token", "x_api_key", "te"]
        {
            assert_eq!(token_header(name), Err(HeaderTargetError::Reserved), "{name}");
        }
        assert_eq!(token_header("a b"), Err(HeaderTargetError::NotAName));
    }

    #[test]
    fn every_reserved_name_of_the_contract_is_refused() {
        for name in [
            "connection",
            "upgrade",
            "trailer",
            "transfer-encoding",
            "expect",
            "via",
            "forwarded",
            "origin",
            "referer",
            "user-agent",
            "accept",
            "accept-encoding",
            "content-length",
            "proxy-connection",
            "grpc-status",
            "traceparent",
            "tracestate",
            "x-request-id",
            "x-real-ip",
            "x-original-url",
            "x-rewrite-url",
            "x-method-override",
            "x-verb-method-override",
            "csrf",
            "x-xsrf-csrftoken",
            "x-envoy-internal",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-port",
            "x-forwarded-prefix",
            "x-forwarded-client-cert",
        ] {
            check(name, Err(HeaderTargetError::Reserved));
            check(&name.to_ascii_uppercase().replace('-', "_"), Err(HeaderTargetError::Reserved));
        }
    }

    #[test]
    fn names_beside_the_reserved_ones_are_free() {
        for name in ["x-auth-host", "x-forwarded-user", "x-teams", "team", "x-user-agent"] {
            check(name, Ok(name));
        }
    }

    #[test]
    fn forward_token_may_use_no_other_reserved_name() {
        for name in ["x-forwarded-for", "X_Forwarded_Host", "cookie", "x-api-key", "", "x y"] {
            assert!(HeaderTarget::parse_forward(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_header_is_owned_in_its_hyphen_form_too() {
        let target = HeaderTarget::parse("x_auth-sub").unwrap();
        let owned = OwnedHeaders::new([&target]);
        let names: Vec<&str> = owned.iter().map(|n| &**n).collect();
        assert_eq!(names, ["x-auth-sub", "x_auth-sub", "x_auth_sub"]);
    }

    #[test]
    fn a_header_of_any_spelling_is_owned_as_the_plainest_is() {
        for (name, expected) in [
            ("x.user", &["x-user", "x.user", "x_user"][..]),
            ("x~a_b-c", &["x-a-b-c", "x_a_b_c", "x~a-b-c", "x~a_b-c", "x~a_b_c"]),
            ("user", &["user"]),
        ] {
            let target = HeaderTarget::parse(name).unwrap();
            let owned = OwnedHeaders::new([&target]);
            assert_eq!(owned.iter().map(|n| &**n).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_name_that_a_backend_reads_as_a_reserved_one_is_reserved() {
        for name in ["x.forwarded.for", "Content~Type", "x.csrf", "x_http.method-override"] {
            check(name, Err(HeaderTargetError::Reserved));
        }
        check("x.forwarded~authorization", Err(HeaderTargetError::Reserved));
        assert_eq!(token_header("x.api.key"), Err(HeaderTargetError::Reserved));
    }

    #[test]
    fn headers_that_a_later_config_gives_up_are_told() {
        let [a, b] = ["x-a", "x_b"].map(|name| HeaderTarget::parse(name).unwrap());
        let (before, after) = (OwnedHeaders::new([&a, &b]), OwnedHeaders::new([&b]));
        assert_eq!(before.without(&after).collect::<Vec<_>>(), ["x-a", "x_a"]);
        assert_eq!(after.without(&before).count(), 0);
    }

    #[test]
    fn the_encoded_names_are_all_but_the_excepted_ones() {
        let targets = ["x-a", "x-b", "x-c", "y"].map(|name| HeaderTarget::parse(name).unwrap());
        let owned = OwnedHeaders::new(&targets);
        let encoded = |except: &[&str]| {
            let mut bytes = Vec::new();
            let line = |name: &str| format!("{name};").into_bytes();
            owned.encoded_except(except.iter().copied(), line, |piece| bytes.extend(piece));
            String::from_utf8(bytes).unwrap()
        };
        for (except, expected) in [
            (&[][..], "x-a;x-b;x-c;x_a;x_b;x_c;y;"),
            (&["x-a"], "x-b;x-c;x_a;x_b;x_c;y;"),
            (&["y", "x-b"], "x-a;x-c;x_a;x_b;x_c;"),
            (&["x-b", "x-c", "x-b", "unknown", ""], "x-a;x_a;x_b;x_c;y;"),
            (&["x-a", "x-b", "x-c", "x_a", "x_b", "x_c", "y"], ""),
        ] {
            assert_eq!(encoded(except), expected, "{except:?}");
        }
    }
}
