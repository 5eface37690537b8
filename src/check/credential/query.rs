//! A token in the query (RFC 6750 section 2.3), and a path without it.
//!
//! What some upstreams read as the parameter and others do not is found, and is no token.

use std::borrow::Cow;

use crate::check::credential::name::{Reading, decoded, read};

/// Each value of the parameter, decoded; none for one that no token can be.
pub(super) fn values<'a>(path: &'a str, name: &str) -> Vec<Option<Cow<'a, str>>> {
    let value = |part: &'a str| match reading(part, name) {
        Reading::Other => None,
        Reading::Exact => Some(value(part)),
        Reading::Lax => Some(None),
    };
    parts(path).filter_map(value).collect()
}

fn value(part: &str) -> Option<Cow<'_, str>> {
    let (_, value) = part.split_once('=').unwrap_or((part, ""));
    match decoded(value.as_bytes()) {
        Cow::Borrowed(_) => Some(Cow::Borrowed(value)),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

/// The path with every parameter of that name taken out, the rest as it was.
pub(crate) fn without(path: &str, name: &str) -> String {
    let kept: Vec<&str> = parts(path).filter(|p| reading(p, name) == Reading::Other).collect();
    let (bare, _query) = path.split_once('?').unwrap_or((path, ""));
    if kept.is_empty() { bare.to_owned() } else { format!("{bare}?{}", kept.join("&")) }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split_once('?').into_iter().flat_map(|(_, query)| query.split('&'))
}

fn reading(part: &str, name: &str) -> Reading {
    let named = |pair: &str| {
        let (written, _value) = pair.split_once('=').unwrap_or((pair, ""));
        read(written.as_bytes(), name)
    };
    match part.split(';').map(named).max() {
        // To some upstreams a semicolon ends a parameter, too.
        Some(Reading::Exact) if part.contains(';') => Reading::Lax,
        strongest => strongest.unwrap_or(Reading::Other),
    }
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
    fn what_only_some_upstreams_read_as_the_parameter_is_found_and_is_no_token() {
        for odd in [
            "Access_Token=t",
            "access.token=t",
            "access%20token=t",
            "access+token",
            "access[token=t",
            "access_token[]=t",
            "access_token[0]=t",
            "access_token%5b%5D=t",
            "[access_token]=t",
            "%00=;[access_token]=t",
            "+access_token=t",
            "access_token%00=t",
            "%u0061ccess_token=t",
        ] {
            check(&format!("/?x=1&{odd}&y"), &[None], "/?x=1&y");
            check(&format!("/?{odd}&access_token=u"), &[None, Some("u")], "/");
        }
        check("/??access_token=t", &[None], "/");
    }

    #[test]
    fn other_parameters_are_left_as_they_are() {
        for path in [
            "/",
            "/?",
            "/access_token=t",
            "/?access_tokens=t&&",
            "/?%=",
            "/?token2=t&my_access_token=t&access=t&x[access_token]=t&x=access_token=t",
        ] {
            check(path, &[], path);
        }
    }
}
