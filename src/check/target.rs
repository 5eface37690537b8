//! Host and path of a request in the one form in which names of the config are compared.
//!
//! The client wrote both. What a proxy, claimgate and an upstream may read in different ways is
//! not mended here but refused.

use std::{borrow::Cow, net::Ipv6Addr};

/// `host` in lower case, without port and trailing dot; none where it is no host.
#[must_use]
pub fn host(host: &str) -> Option<Cow<'_, str>> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (host.get(..address.len() + 2)?, port)
        }
        None => {
            let end = host.find(':').unwrap_or(host.len());
            let (name, port) = host.split_at(end);
            (name.strip_suffix('.').unwrap_or(name), port)
        }
    };
    if !port.is_empty() {
        let digits = port.strip_prefix(':')?;
        let sound = (1..=5).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        sound.then_some(())?;
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let sound =
        name.starts_with('[') || name.split('.').all(|l| !l.is_empty() && l.bytes().all(plain));
    sound.then(|| lower(name))
}

fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}

/// `path`, which has no query, with its unreserved characters decoded once and the hexadecimal
/// digits of the others in upper case (RFC 3986 section 6.2.2); none where more than one reading is
/// left: a `.` or `..` segment, `//`, a backslash, `;`, an encoded slash, backslash, percent or
/// NUL, overlong UTF-8, or what no path may hold.
#[must_use]
pub fn path(path: &str) -> Option<Cow<'_, str>> {
    let sound = |b: u8| b.is_ascii_graphic() && !b"\\;\"<>^`{|}#?".contains(&b);
    if !path.starts_with('/') || !path.bytes().all(sound) {
        return None;
    }
    let path = if path.contains('%') {
        Cow::Owned(decoded(path).filter(|path| !is_overlong(path))?)
    } else {
        Cow::Borrowed(path)
    };
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let inner_empty = segment.is_empty() && segments.peek().is_some();
        if inner_empty || segment == "." || segment == ".." {
            return None;
        }
    }
    Some(path)
}

/// Each `%XX` decoded or in upper case.
fn decoded(path: &str) -> Option<String> {
    let mut parts = path.split('%');
    let mut decoded = parts.next()?.to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let byte = hex(digits)?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            decoded.push(char::from(byte));
        } else if b"/\\%\0".contains(&byte) {
            return None;
        } else {
            decoded.push('%');
            decoded.push_str(&digits.to_ascii_uppercase());
        }
        decoded.push_str(rest);
    }
    Some(decoded)
}

/// Whether it has an overlong form, which lax decoders of UTF-8 read as a shorter character
/// (RFC 3629 section 10): `%C0%AF` as a slash, `%C0%AE` as a dot.
fn is_overlong(path: &str) -> bool {
    path.match_indices('%').any(|(at, _)| {
        let pair = path.get(at + 1..).and_then(|rest| Some((rest.get(..2)?, rest.get(2..5)?)));
        let byte = |digits| hex(digits).unwrap_or_default();
        pair.and_then(|(lead, trail)| Some((byte(lead), byte(trail.strip_prefix('%')?))))
            .is_some_and(|pair| match pair {
                (0xC0 | 0xC1, trail) => (0x80..=0xBF).contains(&trail),
                (0xE0, trail) => (0x80..=0x9F).contains(&trail),
                (0xF0, trail) => (0x80..=0x8F).contains(&trail),
                // The forms of five and six bytes that RFC 2279 had.
                (0xF8, trail) => (0x80..=0x87).contains(&trail),
                (0xFC, trail) => (0x80..=0x83).contains(&trail),
                _other => false,
            })
    })
}

/// The byte that two hexadecimal digits name.
#[must_use]
pub fn hex(digits: &str) -> Option<u8> {
    let sound = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if sound { u8::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_host(text: &str, expected: Option<&str>) {
        assert_eq!(host(text).as_deref(), expected, "{text:?}");
    }

    #[track_caller]
    fn check_path(text: &str, expected: Option<&str>) {
        assert_eq!(path(text).as_deref(), expected, "{text:?}");
    }

    #[test]
    fn a_host_is_compared_in_lower_case_without_port_and_trailing_dot() {
        check_host("api.example.com", Some("api.example.com"));
        check_host("API.Example.com.:8080", Some("api.example.com"));
        check_host("svc_a", Some("svc_a"));
        check_host("127.0.0.1:1", Some("127.0.0.1"));
        check_host("[::1]:443", Some("[::1]"));
        check_host("[FE80::1]", Some("[fe80::1]"));
    }

    #[test]
    fn a_host_that_may_be_read_in_two_ways_is_none() {
        for text in [
            "", ".", ":80", "a..b", "a..", ".a", "a b", "a,b", "a@b", "u:p@b", "a:80:81", "a:",
            "a:x", "a:+1", "a:123456", "a/b", "a\\b", "a?b", "a#b", "a%2eb", "é", "*", "[::1",
            "[x]", "[::1].", "[::1]x", "::1", "a\0", " a", "a ", "a;b",
        ] {
            check_host(text, None);
        }
    }

    #[test]
    fn unreserved_characters_of_a_path_are_decoded_once() {
        check_path("/", Some("/"));
        check_path("/orders/", Some("/orders/"));
        check_path("/%6Frders/%7e%2D", Some("/orders/~-"));
        check_path("/a%20b/%c3%a9", Some("/a%20b/%C3%A9"));
        check_path("/a.b/..c/...", Some("/a.b/..c/..."));
        check_path("/a%3Bb:@!$&'()*+,=", Some("/a%3Bb:@!$&'()*+,="));
        // Latin-1, and the shortest forms of two, three and four bytes.
        check_path("/%C0-propos/%e0", Some("/%C0-propos/%E0"));
        check_path("/%f8%88%fc%84%F8b%FC", Some("/%F8%88%FC%84%F8b%FC"));
        check_path("/%C2%80%E0%A0%80%F0%90%80%80", Some("/%C2%80%E0%A0%80%F0%90%80%80"));
    }

    #[test]
    fn a_path_that_may_be_read_in_two_ways_is_none() {
        for text in [
            "",
            "*",
            "orders",
            "http://a/b",
            "//",
            "//a",
            "/a//b",
            "/a//",
            "/.",
            "/..",
            "/./a",
            "/a/../b",
            "/a/..",
            "/a/%2e%2E/b",
            "/a/.%2e",
            "/%2e",
            "/a;x",
            "/a\\b",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a%25b",
            "/a%252e",
            "/a%00",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a/..%c0%afb",
            "/a/%C0%AE%c0%ae/b",
            "/%c1%81dmin",
            "/a%E0%80%AFb",
            "/a%f0%80%80%afb",
            "/a%F8%80%80%80%AFb",
            "/a%f8%87%bf%bf%bfb",
            "/a%FC%80%80%80%80%AFb",
            "/a%fc%83%bf%bf%bf%bfb",
            "/a%+1",
            "/a b",
            "/a\tb",
            "/é",
            "/a#b",
            "/a?b",
            "/a\"b",
            "/{a}",
        ] {
            check_path(text, None);
        }
    }
}
