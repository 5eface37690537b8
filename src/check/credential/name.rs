//! Whether a name in a request is that of a place, exactly or as some upstream reads it.
//!
//! It does not say where names begin and end: the query and cookies do.

use std::borrow::Cow;

use crate::{check::target::hex, header::is_token_byte};

/// What a name is to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reading {
    /// Another name, to every upstream.
    Other,
    /// The place's own name.
    Exact,
    /// One that only some upstreams read as the place's. What it names is never a token.
    Lax,
}

/// What `written`, as it stands in the request, is to the place of `name`.
pub(super) fn read(written: &[u8], name: &str) -> Reading {
    let decoded = decoded(written);
    if *decoded == *name.as_bytes() {
        Reading::Exact
    } else if is_read_as(&decoded, name) || decoded.contains(&b'%') && is_wide(&decoded, name) {
        Reading::Lax
    } else {
        Reading::Other
    }
}

/// Whether some upstream reads these bytes as `name`: ASP.NET ignores case, PHP folds a space, a
/// dot and an open bracket to `_` and ends a name at a NUL, `name[]` and `[name]` are lists and
/// members of maps to many, and Python strips more than ASCII white space.
fn is_read_as(bytes: &[u8], name: &str) -> bool {
    let name = trimmed(name.as_bytes());
    let until = |bytes: &'_ [u8], ends: &[u8]| bytes.iter().position(|b| ends.contains(b));
    let bytes = trimmed(bytes);
    let whole = bytes.get(..until(bytes, b"\0").unwrap_or(bytes.len())).unwrap_or_default();
    let cut = whole.get(..until(whole, b"[]").unwrap_or(whole.len())).unwrap_or_default();
    let is_name = |bytes: &[u8]| {
        bytes.len() == name.len() && bytes.iter().map(fold).eq(name.iter().map(fold))
    };
    !name.is_empty() && (is_name(trimmed(whole)) || is_name(trimmed(cut)))
}

/// Whether it is the name in the `%uXXXX` that ASP.NET decodes, too.
fn is_wide(bytes: &[u8], name: &str) -> bool {
    let mut parts = bytes.split(|b| *b == b'%');
    let mut narrow = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        let digits = part.get(1..5).and_then(|digits| str::from_utf8(digits).ok());
        match digits.filter(|_| part.starts_with(b"u")).and_then(|digits| digits.strip_prefix("00"))
        {
            Some(digits) if hex(digits).is_some() => {
                narrow.extend(hex(digits));
                narrow.extend_from_slice(part.get(5..).unwrap_or_default());
            }
            Some(_) | None => {
                narrow.push(b'%');
                narrow.extend_from_slice(part);
            }
        }
    }
    is_read_as(&narrow, name)
}

fn fold(byte: &u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'_' }
}

/// Whether a byte may stand around a name and be no part of it: what no token has, the space of
/// forms, and what Envoy writes for bytes that are no UTF-8.
pub(super) fn is_edge(byte: u8) -> bool {
    !is_token_byte(byte) || matches!(byte, b'+' | b'!')
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    let inner = |b: &u8| !is_edge(*b);
    let start = bytes.iter().position(inner).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(inner).map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}

/// Percent-decoded; what is no `%XX` stays.
pub(super) fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split(|b| *b == b'%');
    bytes.extend_from_slice(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.get(..2).and_then(|digits| str::from_utf8(digits).ok());
        match digits.and_then(hex) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(part.get(2..).unwrap_or_default());
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(part);
            }
        }
    }
    Cow::Owned(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &[u8], name: &str, expected: Reading) {
        assert_eq!(read(written, name), expected, "{:?}", String::from_utf8_lossy(written));
    }

    #[test]
    fn a_name_is_exact_as_it_is_and_percent_decoded() {
        for written in ["access_token", "%61ccess%5ftoken"] {
            check(written.as_bytes(), "access_token", Reading::Exact);
        }
        check(b"!", "!", Reading::Exact);
    }

    #[test]
    fn a_name_that_an_upstream_folds_or_trims_to_it_is_lax() {
        for written in [
            "Access_Token",
            "access.token",
            "access-token",
            "access token",
            "access%20token",
            "access+token",
            "access[token",
            "access_token[]",
            "access_token[0]",
            "access_token%5B%5D",
            "access_token[",
            "[access_token]",
            "]access_token]x",
            "+access_token",
            "%20access_token",
            "?access_token",
            "access_token%00x",
            "access.token%00[x",
            "%c2%a0access_token%E3%80%80",
            "%a0access_token",
            "!access_token",
            "\"access_token\"",
            "%u0061ccess_%u0054oken",
            "%25u0061ccess_token",
        ] {
            check(written.as_bytes(), "access_token", Reading::Lax);
        }
        check(b"\xA0sid", "sid", Reading::Lax);
        check(b"sid\x85", "sid", Reading::Lax);
        check(b"sid[a]", "sid", Reading::Lax);
        check(b"..Host-sid", "__Host-sid", Reading::Lax);
        check(b"sid", "sid!", Reading::Lax);
    }

    #[test]
    fn every_other_name_is_another() {
        for written in [
            "",
            "%",
            "%u",
            "%u00",
            "%u0161ccess_token",
            "%u00\u{e9}ccess_token",
            "%ua\u{e9}b",
            "%u0061ccess",
            "access_token%u00zz",
            "%x0061ccess_token",
            "accesstoken",
            "access_tokens",
            "access__token",
            "my_access_token",
            "_access_token",
            "access_token2",
            "x[access_token]",
            "%00",
            "%00access",
            "\u{e9}",
        ] {
            check(written.as_bytes(), "access_token", Reading::Other);
        }
        check(b"", "!", Reading::Other);
        check(b"\xFF", "!", Reading::Other);
        check(b"tt", "t", Reading::Other);
    }
}
