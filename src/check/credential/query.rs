//! A token in the query (RFC 6750 section 2.3), and a path without it.
//!
//! Names are compared percent-decoded: `?%61ccess_token=` names the same parameter to an upstream.

use std::borrow::Cow;

use crate::check::target::hex;

/// Each value of the parameter, decoded; none for one that no token can be.
pub(super) fn values<'a>(path: &'a str, name: &str) -> Vec<Option<Cow<'a, str>>> {
    let value = |part: &'a str| {
        // To some upstreams a semicolon ends a parameter, too.
        if part.contains(';') {
            return None;
        }
        let (_, value) = part.split_once('=').unwrap_or((part, ""));
        match decoded(value) {
            Cow::Borrowed(bytes) => str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        }
    };
    parts(path).filter(|part| is_named(part, name)).map(value).collect()
}

/// The path with every parameter of that name taken out, the rest as it was.
pub(crate) fn without(path: &str, name: &str) -> String {
    let kept: Vec<&str> = parts(path).filter(|part| !is_named(part, name)).collect();
    let (bare, _query) = path.split_once('?').unwrap_or((path, ""));
    if kept.is_empty() { bare.to_owned() } else { format!("{bare}?{}", kept.join("&")) }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split_once('?').into_iter().flat_map(|(_, query)| query.split('&'))
}

fn is_named(part: &str, name: &str) -> bool {
    part.split(';').any(|pair| {
        let (written, _value) = pair.split_once('=').unwrap_or((pair, ""));
        *decoded(written) == *name.as_bytes()
    })
}

/// Percent-decoded; what is no `%XX` stays.
pub(super) fn decoded(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        match part.split_at_checked(2).and_then(|(digits, rest)| Some((hex(digits)?, rest))) {
            Some((byte, rest)) => {
                bytes.push(byte);
                bytes.extend_from_slice(rest.as_bytes());
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    Cow::Owned(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &[Option<&str>], without_it: &str) {
        let found = values(path, "access_token");
        let found: Vec<_> = found.iter().map(|value| value.as_deref()).collect();
        assert_eq!((found.as_slice(), &*without(path, "access_token")), (expected, without_it));
    }

    #[test]
    fn names_and_values_are_percent_decoded() {
        check("/a?access_token=t", &[Some("t")], "/a");
        check("/a?x=%41&%61ccess%5Ftoken=%74%2E&y", &[Some("t.")], "/a?x=%41&y");
        check("/?access_token=a&access_token=b", &[Some("a"), Some("b")], "/");
        check("/?access_token", &[Some("")], "/");
        check("/?access_token=", &[Some("")], "/");
        check("/?access_token=%ff&x", &[None], "/?x");
        check("/?access_token=a%2&b=?", &[Some("a%2")], "/?b=?");
    }

    #[test]
    fn a_parameter_behind_a_semicolon_is_found_and_is_no_token() {
        check("/?x=1;access_token=t&y", &[None], "/?y");
        check("/?access_token=t;x=1", &[None], "/");
    }

    #[test]
    fn other_parameters_are_left_as_they_are() {
        for path in
            ["/", "/?", "/access_token=t", "/?Access_token=t", "/?access_tokens=t&&", "/?%="]
        {
            check(path, &[], path);
        }
    }
}
