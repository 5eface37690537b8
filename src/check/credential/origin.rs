//! Whether a request that carries a cookie was made by the site that it goes to.
//!
//! Browsers add cookies to what any page makes them send. This holds for what may change
//! something: other methods than GET and HEAD, and upgrades, which browsers open across origins.

use crate::check::{
    request::{Headers, HttpView},
    target,
};

/// Whether a cookie may be the credential of this request.
///
/// `Sec-Fetch-Site`, which pages cannot write, must be `same-origin` where it is there; `Origin`
/// must be the request's own where it is there; one of them must be.
pub(super) fn may_use_cookies(http: &HttpView<'_>) -> bool {
    let reads = matches!(http.method, "GET" | "HEAD");
    if reads && http.headers.values("upgrade").next().is_none() {
        return true;
    }
    match (line(&http.headers, "sec-fetch-site"), line(&http.headers, "origin")) {
        (Line::Absent, Line::One(origin)) => is_own(http, origin, Scheme::Compare),
        (Line::One(site), Line::Absent) => site == "same-origin",
        // Before a proxy that ends TLS the scheme is not the browser's.
        (Line::One(site), Line::One(origin)) => {
            site == "same-origin" && is_own(http, origin, Scheme::Ignore)
        }
        (Line::Absent, Line::Absent) | (Line::Unclear, _) | (_, Line::Unclear) => false,
    }
}

enum Line<'a> {
    Absent,
    One(&'a str),
    Unclear,
}

fn line<'a>(headers: &Headers<'a>, name: &str) -> Line<'a> {
    if headers.values(name).next().is_none() {
        return Line::Absent;
    }
    let text = headers.one(name).and_then(|value| str::from_utf8(value).ok());
    text.map_or(Line::Unclear, Line::One)
}

#[derive(Clone, Copy, PartialEq)]
enum Scheme {
    Compare,
    Ignore,
}

/// Scheme, host and port (RFC 6454 section 5). A scheme that the proxy does not tell is not
/// compared.
fn is_own(http: &HttpView<'_>, origin: &str, compare: Scheme) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default = match scheme {
        "http" => "80",
        "https" => "443",
        _other => return false,
    };
    let known = compare == Scheme::Ignore || http.scheme.is_empty() || http.scheme == scheme;
    let own = place(http.host, default);
    known && own.is_some() && own == place(authority, default)
}

/// Host and port.
fn place(authority: &str, default_port: &str) -> Option<(String, String)> {
    let host = target::host(authority)?.into_owned();
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    let port = port.filter(|port| port.bytes().all(|b| b.is_ascii_digit()));
    Some((host, port.unwrap_or(default_port).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, lines: &[(&str, &str)], expected: bool) {
        let headers = lines.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let (scheme, host) = ("https", "api.example.com");
        let http = HttpView { method, scheme, host, path: "/", headers: Headers(headers) };
        assert_eq!(may_use_cookies(&http), expected, "{method} {lines:?}");
    }

    const OWN: (&str, &str) = ("origin", "https://api.example.com");
    const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");

    #[test]
    fn reading_needs_no_origin() {
        for method in ["GET", "HEAD"] {
            check(method, &[], true);
            check(method, &[("origin", "https://evil")], true);
        }
    }

    #[test]
    fn what_may_change_something_needs_the_own_origin() {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "get", ""] {
            check(method, &[], false);
            check(method, &[OWN], true);
            check(method, &[SAME], true);
            check(method, &[SAME, OWN], true);
            check(method, &[("origin", "https://API.example.com:443")], true);
            check(method, &[SAME, ("origin", "http://api.example.com")], true);
        }
        for upgrade in ["websocket", ""] {
            check("GET", &[("upgrade", upgrade)], false);
            check("GET", &[("upgrade", upgrade), OWN], true);
        }
    }

    #[test]
    fn every_other_origin_is_foreign() {
        for origin in [
            "",
            "null",
            "https://evil",
            "http://api.example.com",
            "https://api.example.com:8443",
            "https://x.api.example.com",
            "https://api.example.com.evil",
            "api.example.com",
            "https://api.example.com@evil",
            "https://api.example.com/",
            "ftp://api.example.com",
            "https://api.example.com https://evil",
            "https://api.example.com,https://evil",
        ] {
            check("POST", &[("origin", origin)], false);
            if origin != "http://api.example.com" {
                check("POST", &[("origin", origin), SAME], false);
            }
            check("POST", &[OWN, ("origin", origin)], false);
        }
        for site in ["", "none", "same-site", "cross-site", "Same-Origin", "same-origin,x"] {
            check("POST", &[("sec-fetch-site", site)], false);
            check("POST", &[("sec-fetch-site", site), OWN], false);
        }
    }
}
