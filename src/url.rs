//! The URLs that config and discovery may hold: absolute, `http` or `https`, and read alike by everyone.
//!
//! It resolves no name and connects to nothing.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use http::{Uri, uri::Scheme};
use thiserror::Error;

/// Why a text is no URL here. No variant shows the text: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum UrlError {
    #[error("not a URL; an absolute http or https URL with a host is accepted")]
    NotAbsolute,
    #[error("a character that no URL may hold; others are written as %XX")]
    Character,
    #[error("a user name or password in the URL; a URL without them is accepted")]
    UserInfo,
    #[error("a fragment (#…) in the URL; a URL without one is accepted")]
    Fragment,
}

/// A URL of keys. Its `Debug` leaves the query out, which may carry a secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UrlText(pub String);

impl fmt::Debug for UrlText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", without_query(&self.0))
    }
}

/// How an URL's server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `https`.
    Tls,
    /// `http` to localhost, 127.0.0.0/8 or ::1.
    PlainLoopback,
    /// `http` to anybody else.
    PlainRemote,
}

/// Reads an absolute `http` or `https` URL.
///
/// # Errors
/// [`UrlError`] if it is another text, or one that parsers may read in different ways.
pub fn parse(text: &str) -> Result<Transport, UrlError> {
    // Characters that RFC 3986 does not know are read differently by different parsers.
    if !text.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\<>^`{|}".contains(&b)) {
        return Err(UrlError::Character);
    }
    if text.contains('#') {
        return Err(UrlError::Fragment);
    }
    let uri: Uri = text.parse().map_err(|_| UrlError::NotAbsolute)?;
    let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
        return Err(UrlError::NotAbsolute);
    };
    let host = authority.host();
    let rest = match authority.as_str().strip_prefix(host) {
        Some(rest) if !authority.as_str().contains('@') => rest,
        _with_user_info => return Err(UrlError::UserInfo),
    };
    if !is_host(host) || !is_port(rest) {
        return Err(UrlError::NotAbsolute);
    }
    if *scheme == Scheme::HTTPS {
        Ok(Transport::Tls)
    } else if *scheme != Scheme::HTTP {
        Err(UrlError::NotAbsolute)
    } else if is_loopback_host(host) {
        Ok(Transport::PlainLoopback)
    } else {
        Ok(Transport::PlainRemote)
    }
}

/// Scheme, host and port of an accepted URL, as written.
#[must_use]
pub fn origin(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |end| end + 3);
    let end = url.get(authority..).and_then(|rest| rest.find(['/', '?']));
    url.get(..end.map_or(url.len(), |end| authority + end)).unwrap_or(url)
}

/// An accepted URL as logs may show it: its query may carry a secret.
#[must_use]
pub fn without_query(url: &str) -> &str {
    url.split_once('?').map_or(url, |(before, _)| before)
}

/// The host of an accepted URL, as written.
#[must_use]
pub fn host(url: &str) -> &str {
    let authority = origin(url).split_once("://").map_or(url, |(_, rest)| rest);
    match authority.find(']') {
        Some(end) => authority.get(..=end).unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// Whether an accepted URL leads to localhost, 127.0.0.0/8 or ::1.
#[must_use]
pub fn is_loopback(url: &str) -> bool {
    is_loopback_host(host(url))
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok()),
        None => {
            !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        }
    }
}

/// Nothing, or `:` and a port.
fn is_port(rest: &str) -> bool {
    rest.is_empty()
        || rest.strip_prefix(':').is_some_and(|port| {
            port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|p| p > 0)
        })
}

/// Only the plain spellings: whatever else a resolver takes for loopback is refused.
fn is_loopback_host(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || host == "[::1]"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<Transport, UrlError>) {
        assert_eq!(parse(text), expected, "{text}");
    }

    #[test]
    fn debug_shows_no_query() {
        let shown = |url: &str| format!("{:?}", UrlText(url.to_owned()));
        assert_eq!(shown("https://a.example/keys?code=secret"), r#""https://a.example/keys""#);
        assert_eq!(shown("https://a.example?code=secret?"), r#""https://a.example""#);
        assert_eq!(shown("https://a.example/keys"), r#""https://a.example/keys""#);
    }

    #[track_caller]
    fn check_host(text: &str, expected: &str) {
        assert!(parse(text).is_ok());
        assert_eq!(host(text), expected, "{text}");
    }

    #[test]
    fn the_host_stands_before_port_path_and_query() {
        check_host("https://idp", "idp");
        check_host("https://idp:8443/a:b/c", "idp");
        check_host("https://idp?a=/b:c", "idp");
        check_host("http://[::1]:80/x", "[::1]");
        check_host("http://[::1]", "[::1]");
        assert_eq!(origin("https://idp:8443/a:b/c"), "https://idp:8443");
        assert_eq!(origin("http://[::1]?a"), "http://[::1]");
        assert!(is_loopback("https://LOCALHOST:1/") && is_loopback("http://[::1]:1/"));
        assert!(!is_loopback("https://idp/localhost"));
    }

    #[test]
    fn https_is_accepted_from_anywhere() {
        for good in [
            "https://idp",
            "https://idp.example.com/keys?a=b%20c",
            "HTTPS://IDP:8443/",
            "https://[::2]/",
            "https://10.0.0.1:1/x",
            "https://svc_name.ns.svc/",
        ] {
            check(good, Ok(Transport::Tls));
        }
    }

    #[test]
    fn http_is_told_apart_by_loopback() {
        for loopback in [
            "http://localhost/",
            "http://LocalHost:80",
            "http://127.9.9.9:1/a",
            "http://[::1]:8080/",
        ] {
            check(loopback, Ok(Transport::PlainLoopback));
        }
        for remote in [
            "http://idp/",
            "http://localhost.evil/",
            "http://localhost./",
            "http://127.1/",
            "http://0x7f.0.0.1/",
            "http://2130706433/",
            "http://128.0.0.1/",
            "http://[::2]/",
            "http://[::ffff:127.0.0.1]/",
            "http://127.0.0.1.evil/",
            "http://0.0.0.0/",
        ] {
            check(remote, Ok(Transport::PlainRemote));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for bad in [
            "",
            "idp",
            "/keys",
            "//idp/keys",
            "idp:443",
            "ftp://idp/",
            "file:///etc/passwd",
            "https:",
            "https://",
            "https:///keys",
            "http:/idp",
            "https://:443/",
            "https://idp:/",
            "https://idp:0/",
            "https://idp:65536/",
            "https://idp:x/",
            "https://[::1/",
            "https://[x]/",
            "https://i!dp/",
            "https://i%64p/",
            "https://[::1%25eth0]/",
            "unix:/run/x",
            "https://idp:+1/",
        ] {
            check(bad, Err(UrlError::NotAbsolute));
        }
        for bad in
            ["https://u@idp/", "https://u:p@idp/", "https://@idp/", "http://localhost:1@evil/"]
        {
            check(bad, Err(UrlError::UserInfo));
        }
        check("https://idp/#keys", Err(UrlError::Fragment));
        check("https://idp#", Err(UrlError::Fragment));
        for bad in [
            "https://idp/a b",
            "https://idp/\\x",
            "http://localhost\\@evil/",
            "https://ídp/",
            "https://idp/\n",
            "\thttps://idp/",
            "https://idp/\"",
            "https://idp/{tenant}",
        ] {
            check(bad, Err(UrlError::Character));
        }
    }
}
