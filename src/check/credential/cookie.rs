//! A token in a cookie (RFC 6265 section 5.4), and the cookies without it.
//!
//! What some upstreams read as the cookie and others do not is found, and is no token.

use crate::check::{
    credential::name::{Reading, is_edge, read},
    decision::Denial,
    request::Headers,
};

/// Each value of the cookie; none for one that no token can be.
pub(super) fn values<'a>(headers: &Headers<'a>, name: &str) -> Vec<Option<&'a str>> {
    let value = |cookie: &'a [u8]| match reading(cookie, name) {
        Reading::Other => None,
        Reading::Exact => Some(value(cookie)),
        Reading::Lax => Some(None),
    };
    cookies(headers).filter_map(value).collect()
}

fn value(cookie: &[u8]) -> Option<&str> {
    // To some upstreams a comma ends a cookie, too, and Envoy may join lines with one.
    let text = str::from_utf8(cookie).ok().filter(|text| !text.contains(','))?;
    Some(text.split_once('=')?.1.trim_ascii())
}

/// The `Cookie` line of every other cookie; empty if there is none.
///
/// # Errors
/// `request_malformed` where one of them holds bytes that cannot be written again.
pub(crate) fn without(headers: &Headers<'_>, name: &str) -> Result<String, Denial> {
    let mut line = String::new();
    let others = cookies(headers).filter(|cookie| reading(cookie, name) == Reading::Other);
    for cookie in others.filter(|cookie| !cookie.is_empty()) {
        let text = str::from_utf8(cookie).ok();
        let plain = text.filter(|text| text.bytes().all(|b| (0x20..=0x7E).contains(&b)));
        if !line.is_empty() {
            line.push_str("; ");
        }
        line.push_str(plain.ok_or(Denial::RequestMalformed)?);
    }
    Ok(line)
}

fn cookies<'a>(headers: &Headers<'a>) -> impl Iterator<Item = &'a [u8]> {
    headers.values("cookie").flat_map(|line| line.split(|b| *b == b';')).map(<[u8]>::trim_ascii)
}

/// What stands between two semicolons is one cookie, but some upstreams begin another at a comma.
/// Where there is a space, a quote or another byte that no value has (RFC 6265 section 4.1.1), some
/// skip what they cannot read: there each `=` may end a name.
fn reading(cookie: &[u8], name: &str) -> Reading {
    let is_odd = cookie.iter().any(|b| is_no_value(*b));
    let mut rest = cookie;
    let mut is_first = true;
    while let Some((written, value)) = pair(rest) {
        match read(written.trim_ascii(), name) {
            Reading::Other if has_inner(written, name) => return Reading::Lax,
            Reading::Exact if is_first => return Reading::Exact,
            Reading::Exact | Reading::Lax => return Reading::Lax,
            Reading::Other => {}
        }
        let is_skipped = is_odd || written.last().is_none_or(|b| is_edge(*b));
        let comma = || value.iter().position(|b| *b == b',').unwrap_or(value.len());
        rest = value.get(if is_skipped { 0 } else { comma() }..).unwrap_or_default();
        is_first = false;
    }
    Reading::Other
}

/// What stands before and after the first `=` that a name may stand before.
fn pair(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = text.iter().position(|b| !is_edge(*b))?;
    let end = start + text.get(start..)?.iter().position(|b| *b == b'=')?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// Whether the name stands behind what no name has: ASP.NET skips that and reads on.
fn has_inner(written: &[u8], name: &str) -> bool {
    let end = written.iter().rposition(|b| !is_edge(*b)).map_or(0, |last| last + 1);
    let written = written.get(..end).unwrap_or_default();
    let start = written.iter().rposition(|b| is_edge(*b)).map_or(0, |last| last + 1);
    start > 0 && read(written.get(start..).unwrap_or_default(), name) != Reading::Other
}

fn is_no_value(byte: u8) -> bool {
    !byte.is_ascii_graphic() || matches!(byte, b'"' | b'\\' | b'!')
}

#[cfg(test)]
mod backends;
#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], expected: &[Option<&str>], without_it: Result<&str, Denial>) {
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        check_bytes(&lines, expected, without_it);
    }

    #[track_caller]
    fn check_bytes(lines: &[&[u8]], expected: &[Option<&str>], without_it: Result<&str, Denial>) {
        let headers = Headers(lines.iter().map(|line| ("Cookie", *line)).collect());
        assert_eq!(values(&headers, "sid"), expected, "{lines:?}");
        let line = without(&headers, "sid");
        assert_eq!(line.as_deref().map_err(|d| *d), without_it, "{lines:?}");
    }

    #[test]
    fn a_cookie_is_found_in_every_line_and_taken_out_alone() {
        check(&["sid=t"], &[Some("t")], Ok(""));
        check(&["a=1; sid = t ;b=2"], &[Some("t")], Ok("a=1; b=2"));
        check(&["a=1", "sid=t", "b=sid=x"], &[Some("t")], Ok("a=1; b=sid=x"));
        check(&["sid=", "sid=u"], &[Some(""), Some("u")], Ok(""));
        check(&["sid2=x; sid; my.sid=t; $Version=1"], &[], Ok("sid2=x; sid; my.sid=t; $Version=1"));
    }

    #[test]
    fn what_only_some_upstreams_read_as_the_cookie_is_no_token() {
        check(&["a=1,sid=t; b=2"], &[None], Ok("b=2"));
        check(&["sid=t,u"], &[None], Ok(""));
        check(&["%73id=t"], &[Some("t")], Ok(""));
        check(&["sid=t; %73id=u"], &[Some("t"), Some("u")], Ok(""));
    }

    #[test]
    fn what_a_lax_upstream_reads_as_the_cookie_is_found_and_is_no_token() {
        let odd: [&[u8]; 31] = [
            b"\xC2\xA0sid=t",
            b"\xC2\x85sid=t",
            b"\xE3\x80\x80sid=t",
            b"\xA0sid=t",
            b"\x85sid=t",
            b"sid\xA0=t",
            b"\x0Bsid\x1C=t",
            b"!sid=t",
            b"%A0sid=t",
            b"=sid=t",
            b"= =sid=t",
            b"Sid=t",
            b"%53ID=t",
            b"\"sid\"=t",
            b"sid[]=t",
            b"sid%00x=t",
            b"a=1,Sid=t",
            b"a=1 sid=t",
            b"a= sid =t",
            b"a=\"1\"sid=t",
            b"a=\"1,\\\"sid=t",
            b"a=1\xA0sid=t",
            b"a@sid=t",
            b"x y@ %73id =t",
            b"a=b=c d=\tsid=t",
            b"a\"=sid=t",
            b"a =sid=t",
            b"a=sid=\"t\"",
            b"a=b=sid=\"t\"",
            b"a=sid =t",
            b"\xFFsid=\xFF",
        ];
        for odd in odd {
            check_bytes(&[odd], &[None], Ok(""));
            let beside = [b"x=1; sid=u; ", odd, b";y=2"].concat();
            check_bytes(&[&beside], &[Some("u"), None], Ok("x=1; y=2"));
            check_bytes(&[odd, b"sid=u"], &[None, Some("u")], Ok(""));
        }
    }

    #[test]
    fn values_that_look_like_the_cookie_are_left_as_they_are() {
        for line in [
            "b=sid=x",
            "b=a:sid=x",
            "b=/?a&sid=x",
            "b=",
            "=",
            "= =",
            "=x",
            "xsid=t",
            "b=\"sid\"",
            "b=\"a sid\"; c==",
            "b=1 mysid=2",
            "sid",
        ] {
            check(&[line], &[], Ok(line));
        }
    }

    #[test]
    fn cookies_that_cannot_be_written_again_are_not_dropped_in_silence() {
        check(&["sid=t; a=é"], &[Some("t")], Err(Denial::RequestMalformed));
        check(&["sid=t; a=\t1"], &[Some("t")], Err(Denial::RequestMalformed));
    }
}
