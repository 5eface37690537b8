//! A token in a cookie (RFC 6265 section 5.4), and the cookies without it.
//!
//! What some upstreams read as the cookie and others do not is found, and is no token.

use crate::check::{credential::query::decoded, decision::Denial, request::Headers};

/// Each value of the cookie; none for one that no token can be.
pub(super) fn values<'a>(headers: &Headers<'a>, name: &str) -> Vec<Option<&'a str>> {
    let value = |cookie: &'a [u8]| {
        // To some upstreams a comma ends a cookie, too, and Envoy may join lines with one.
        let text = str::from_utf8(cookie).ok().filter(|text| !text.contains(','))?;
        Some(text.split_once('=')?.1.trim_ascii())
    };
    cookies(headers).filter(|cookie| is_named(cookie, name)).map(value).collect()
}

/// The `Cookie` line of every other cookie; empty if there is none.
///
/// # Errors
/// `request_malformed` where one of them holds bytes that cannot be written again.
pub(crate) fn without(headers: &Headers<'_>, name: &str) -> Result<String, Denial> {
    let mut line = String::new();
    for cookie in cookies(headers).filter(|cookie| !cookie.is_empty() && !is_named(cookie, name)) {
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

fn is_named(cookie: &[u8], name: &str) -> bool {
    cookie.split(|b| *b == b',').any(|pair| {
        let Some(end) = pair.iter().position(|b| *b == b'=') else { return false };
        let written = pair.get(..end).unwrap_or_default().trim_ascii();
        // Some upstreams decode names.
        str::from_utf8(written).is_ok_and(|written| *decoded(written) == *name.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], expected: &[Option<&str>], without_it: Result<&str, Denial>) {
        let headers = Headers(lines.iter().map(|line| ("Cookie", line.as_bytes())).collect());
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
        check(&["Sid=t; sid2=x; sid"], &[], Ok("Sid=t; sid2=x; sid"));
    }

    #[test]
    fn what_only_some_upstreams_read_as_the_cookie_is_no_token() {
        check(&["a=1,sid=t; b=2"], &[None], Ok("b=2"));
        check(&["sid=t,u"], &[None], Ok(""));
        check(&["%73id=t"], &[Some("t")], Ok(""));
        check(&["sid=t; %73id=u"], &[Some("t"), Some("u")], Ok(""));
    }

    #[test]
    fn cookies_that_cannot_be_written_again_are_not_dropped_in_silence() {
        check(&["sid=t; a=é"], &[Some("t")], Err(Denial::RequestMalformed));
        check(&["sid=t; a=\t1"], &[Some("t")], Err(Denial::RequestMalformed));
    }
}
