//! What a check reads of a request, borrowed from wherever the host keeps it.
//!
//! It does not know protobuf: a host fills a [`CheckView`] with plain names and values.

use std::borrow::Cow;

use crate::check::{decision::Denial, target};

/// One request as a check sees it.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct CheckView<'a> {
    /// What the client sent.
    pub http: HttpView<'a>,
    /// What the proxy attached to the route, by source, strongest first.
    pub route: RouteSources<'a>,
}

/// What the client sent, as it sent it. Every text is empty where the proxy left it out.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct HttpView<'a> {
    /// The method.
    pub method: &'a str,
    /// `http` or `https`, as the proxy sees it.
    pub scheme: &'a str,
    /// `Host`, or what an absolute-form target put in its place. See [`HttpView::host_name`].
    pub host: &'a str,
    /// Path and query. See [`HttpView::plain_path`].
    pub path: &'a str,
    /// The header lines.
    pub headers: Headers<'a>,
}

impl<'a> HttpView<'a> {
    /// The host in lower case, without port and trailing dot.
    ///
    /// # Errors
    /// `request_malformed` where it is no host, or one that two readers may read in two ways.
    pub fn host_name(&self) -> Result<Cow<'a, str>, Denial> {
        target::host(self.host).ok_or(Denial::RequestMalformed)
    }

    /// The path without its query, unreserved characters decoded.
    ///
    /// # Errors
    /// `request_malformed` where two readers may read it in two ways.
    pub fn plain_path(&self) -> Result<Cow<'a, str>, Denial> {
        let (path, _query) = self.path.split_once('?').unwrap_or((self.path, ""));
        target::path(path).ok_or(Denial::RequestMalformed)
    }
}

/// Header lines in order, pseudo-headers among them. Envoy joins repeated lines with `,`.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Headers<'a>(pub Vec<(&'a str, &'a [u8])>);

impl<'a> FromIterator<(&'a str, &'a [u8])> for Headers<'a> {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a [u8])>>(lines: I) -> Self {
        Self(lines.into_iter().collect())
    }
}

impl<'a> Headers<'a> {
    /// Every value of the header of that name, in order, ignoring case.
    pub fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [u8]> + 's {
        self.0.iter().filter(|(line, _)| line.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// The value of the header of that name; none where it is absent or repeated.
    #[must_use]
    pub fn one(&self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.values(name);
        let first = values.next()?;
        if values.next().is_none() { Some(first) } else { None }
    }
}

/// Where a proxy can say which policy a route has. The first of the metadata, the extensions and
/// the annotations that is present wins, even if it is empty or wrong; the rest are names that
/// the config's own `routes` may know.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct RouteSources<'a> {
    /// Typed route metadata under the namespace.
    pub typed: Option<Typed<'a>>,
    /// Struct route metadata under the namespace.
    pub filter: Option<Value<'a>>,
    /// Context extensions whose key starts with `claimgate.`, with that prefix taken off.
    pub extensions: Vec<(&'a str, &'a str)>,
    /// Struct route metadata of Envoy Gateway.
    pub gateway: Option<Value<'a>>,
    /// Struct route metadata of Istio.
    pub istio: Option<Value<'a>>,
    /// The `:authority` by which the proxy called claimgate.
    pub authority: &'a str,
    /// The identity of the workload that the request is for, such as its SPIFFE ID.
    pub principal: &'a str,
}

/// Typed route metadata (`google.protobuf.Any`).
#[derive(Debug, Clone, PartialEq)]
pub enum Typed<'a> {
    /// A RoutePolicy, bare or inside a TypedStruct.
    Policy(Value<'a>),
    /// Another type, or bytes that are not of the type they claim.
    Unexpected,
}

/// A `google.protobuf.Value`, borrowed.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Text.
    String(&'a str),
    /// A list.
    List(Vec<Value<'a>>),
    /// A struct; a repeated name keeps the last value, as protobuf has it.
    Struct(Vec<(&'a str, Value<'a>)>),
    /// Null, a number or a boolean, or nesting that no route policy has.
    Other,
}

impl<'a> Value<'a> {
    /// The member of a struct.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Value<'a>> {
        let Self::Struct(members) = self else { return None };
        members.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// The prefix of the context extensions that are ours.
pub const EXTENSION_PREFIX: &str = "claimgate.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_ignoring_case_in_every_line() {
        let headers = Headers(vec![("A", b"1"), ("b", b"2"), ("a", b"3")]);
        assert_eq!(headers.values("a").collect::<Vec<_>>(), [b"1", b"3"]);
        assert_eq!(headers.one("B"), Some(&b"2"[..]));
        assert_eq!((headers.one("a"), headers.one("c")), (None, None));
    }

    #[test]
    fn host_and_path_are_plain_or_the_request_is_malformed() {
        let plain = |host, path| {
            let http = HttpView { host, path, ..HttpView::default() };
            (http.host_name().ok(), http.plain_path().ok())
        };
        let (host, path) = plain("A.b:1", "/%61?/../;");
        assert_eq!((host.as_deref(), path.as_deref()), (Some("a.b"), Some("/a")));
        assert_eq!(plain("a b", "/a/../b?x"), (None, None));
        assert_eq!(plain("", ""), (None, None));
    }
}
