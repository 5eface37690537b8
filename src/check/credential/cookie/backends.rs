//! How backends read a `Cookie` line, and that none finds a token there that was not looked at.
//!
//! Each is written after the behaviour of one parser, laxer where that is shorter.

use proptest::prelude::*;

use super::*;
use crate::check::credential::{is_token68, name::decoded};

type Cookies = Vec<(Vec<u8>, Vec<u8>)>;
/// Its name, and how it reads.
type Backend = (&'static str, fn(&[u8]) -> Cookies);

fn pairs<'a>(parts: impl Iterator<Item = &'a [u8]>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    parts.filter_map(|part| {
        let end = part.iter().position(|b| *b == b'=')?;
        Some((&part[..end], &part[end + 1..]))
    })
}

/// Starlette: Latin-1, all of Unicode's white space stripped.
fn starlette(line: &[u8]) -> Cookies {
    let strip = |text: &[u8]| {
        let text: String = text.iter().map(|b| char::from(*b)).collect();
        let is_space = |c: char| c.is_whitespace() || ('\x1C'..='\x1F').contains(&c);
        text.trim_matches(is_space).chars().map(|c| c as u8).collect()
    };
    pairs(line.split(|b| *b == b';')).map(|(n, v)| (strip(n), strip(v))).collect()
}

/// Django: UTF-8, all of Unicode's white space stripped.
fn django(line: &[u8]) -> Cookies {
    let strip = |text: &[u8]| String::from_utf8_lossy(text).trim().as_bytes().to_vec();
    pairs(line.split(|b| *b == b';')).map(|(n, v)| (strip(n), strip(v))).collect()
}

/// Werkzeug 2.2.2: what cannot begin a name is skipped.
fn werkzeug(line: &[u8]) -> Cookies {
    let mut rest = line;
    let mut cookies = Vec::new();
    while let Some(start) = rest.iter().position(|b| !b"=;".contains(b)) {
        rest = &rest[start..];
        let end = rest.iter().position(|b| b"=;".contains(b)).unwrap_or(rest.len());
        let (name, value) = rest.split_at(end);
        let end = value.iter().position(|b| *b == b';').unwrap_or(value.len());
        let (value, next) = value.split_at(end);
        rest = next;
        let value = value.strip_prefix(b"=").unwrap_or_default();
        cookies.push((name.trim_ascii().to_vec(), value.trim_ascii().to_vec()));
    }
    cookies
}

/// ASP.NET Core: where nothing can be read, it goes on one byte further; names ignore case.
fn asp_net(line: &[u8]) -> Cookies {
    let is_octet = |b: u8| b.is_ascii_graphic() && !b"\",;\\".contains(&b);
    let run = |from: usize, is: &dyn Fn(u8) -> bool| {
        from + line[from..].iter().position(|b| !is(*b)).unwrap_or(line.len() - from)
    };
    let mut cookies = Vec::new();
    let mut at = 0;
    while at < line.len() {
        let start = run(at, &|b| b" \t,;".contains(&b));
        let name = run(start, &crate::header::is_token_byte);
        let equals = run(name, &|b| b == b' ');
        if name == start || line.get(equals) != Some(&b'=') {
            at += 1;
            continue;
        }
        let quote = usize::from(line.get(equals + 1) == Some(&b'"'));
        let end = run(equals + 1 + quote, &is_octet);
        let after =
            run(end + usize::from(quote > 0 && line.get(end) == Some(&b'"')), &|b| b == b' ');
        if line.get(after).is_some_and(|b| !b",;".contains(b)) {
            at += 1;
            continue;
        }
        let value = line[equals + 1 + quote..end].to_vec();
        cookies.push((decoded(&line[start..name].to_ascii_lowercase()).into_owned(), value));
        at = after;
    }
    cookies
}

/// PHP: names are folded and end at a NUL or an index.
fn php(line: &[u8]) -> Cookies {
    let fold = |name: &[u8]| -> Vec<u8> {
        let name = decoded(name.trim_ascii_start()).into_owned();
        let end = name.iter().position(|b| b"\0".contains(b)).unwrap_or(name.len());
        let name = &name[..end];
        let closed = name.contains(&b']');
        let end = name.iter().position(|b| closed && *b == b'[').unwrap_or(name.len());
        name[..end].iter().map(|b| if b" .[".contains(b) { b'_' } else { *b }).collect()
    };
    pairs(line.split(|b| *b == b';')).map(|(n, v)| (fold(n), v.to_vec())).collect()
}

/// Rack: a comma ends a cookie as well; names and values are decoded as those of forms.
fn rack(line: &[u8]) -> Cookies {
    let plain = |text: &[u8]| decoded(text).into_owned();
    let parts = line.split(|b| b";,".contains(b)).map(<[u8]>::trim_ascii_start);
    pairs(parts).map(|(n, v)| (plain(n), plain(v))).collect()
}

/// Python's `SimpleCookie`: white space ends a cookie as well.
fn simple_cookie(line: &[u8]) -> Cookies {
    let parts = line.split(|b| *b == b';' || b.is_ascii_whitespace());
    pairs(parts).map(|(n, v)| (n.to_vec(), v.to_vec())).collect()
}

const BACKENDS: [Backend; 7] = [
    ("Starlette", starlette),
    ("Django", django),
    ("Werkzeug", werkzeug),
    ("ASP.NET Core", asp_net),
    ("PHP", php),
    ("Rack", rack),
    ("SimpleCookie", simple_cookie),
];

fn line() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&[u8]; 28] = [
        b"sid",
        b"sid=",
        b"sid=t",
        b"; sid=u",
        b"my.sid=v",
        b"Sid",
        b"%73id",
        b"t",
        b"=",
        b";",
        b",",
        b" ",
        b"\t",
        b"\"",
        b"\\",
        b"\xA0",
        b"\xC2\xA0",
        b"\x85",
        b"\xE3\x80\x80",
        b"@",
        b"[",
        b"]",
        b"a=",
        b"!",
        b"%00",
        b"$",
        b".",
        b"\x1F",
    ];
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..9)
        .prop_map(|pieces| pieces.concat())
}

#[track_caller]
fn find(line: &[u8], name: &str) -> Vec<(&'static str, Vec<u8>)> {
    let read = |(who, read): &Backend| {
        let found = read(line).into_iter().filter(|(written, _)| *written == *name.as_bytes());
        found.map(|(_, value)| (*who, value)).collect::<Vec<_>>()
    };
    BACKENDS.iter().flat_map(read).filter(|(_, value)| !value.is_empty()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_backend_finds_a_token_that_was_not_looked_at(
        line in line(),
        name in prop::sample::select(&["sid", "my_sid"][..]),
    ) {
        let headers = Headers(vec![("cookie", line.as_slice())]);
        let found = find(&line, name);
        let values = values(&headers, name);
        match values.as_slice() {
            [] => prop_assert_eq!(found, []),
            // No JWT has padding, so nothing with it is verified.
            [Some(token)] if is_token68(token) && !token.contains('=') => {
                prop_assert!(found.iter().all(|(_, value)| *value.trim_ascii() == *token.as_bytes()), "{:?}", found);
            }
            _denied => {}
        }
        if let Ok(rest) = without(&headers, name) {
            prop_assert_eq!(find(rest.as_bytes(), name), []);
        }
    }
}

#[test]
fn every_backend_finds_the_plain_cookie() {
    let found: Vec<_> = find(b"a=b; sid=t", "sid").into_iter().map(|(who, _)| who).collect();
    assert_eq!(found, BACKENDS.map(|(who, _)| who));
}
