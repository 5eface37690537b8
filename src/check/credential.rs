//! The one credential of a request, or why there is none (RFC 6750 section 2).
//!
//! It does not look inside the token.

pub(crate) mod cookie;
mod name;
mod origin;
pub(crate) mod query;

use std::borrow::Cow;

use crate::{
    check::{
        decision::Denial,
        request::{Headers, HttpView},
    },
    header::is_token_byte,
    policy::token_place::{AUTHORIZATION, BEARER, TokenHeader, TokenPlace},
};

/// The one credential of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented<'a> {
    /// The token.
    pub token: Cow<'a, str>,
    /// The place of the policy's `token_from` that held it; none where no request carries it.
    pub place: Option<usize>,
}

/// The credential that stands in exactly one of `places`.
///
/// # Errors
/// `credentials_missing`, `multiple_credentials` or `token_malformed`; `request_malformed` for a
/// cookie in a request that another site may have caused.
pub fn find<'a>(http: &HttpView<'a>, places: &[TokenPlace]) -> Result<Presented<'a>, Denial> {
    let mut found = None;
    for (index, place) in places.iter().enumerate() {
        let looked = look(http, place);
        if looked == Err(Denial::CredentialsMissing) {
            continue;
        }
        if found.replace((index, place, looked)).is_some() {
            return Err(Denial::MultipleCredentials);
        }
    }
    let (index, place, looked) = found.ok_or(Denial::CredentialsMissing)?;
    let token = looked?;
    if matches!(place, TokenPlace::Cookie(_)) && !origin::may_use_cookies(http) {
        return Err(Denial::RequestMalformed);
    }
    Ok(Presented { token, place: Some(index) })
}

/// What stands in one place.
///
/// # Errors
/// `credentials_missing`, `multiple_credentials` or `token_malformed`.
pub fn look<'a>(http: &HttpView<'a>, place: &TokenPlace) -> Result<Cow<'a, str>, Denial> {
    match place {
        TokenPlace::Header(TokenHeader { name, scheme: Some(scheme), .. }) => {
            after_scheme(&http.headers, name, scheme).map(Cow::Borrowed)
        }
        TokenPlace::Header(TokenHeader { name, scheme: None, .. }) => {
            let value = single(&http.headers, name)?;
            let text = str::from_utf8(value).ok().map(Cow::Borrowed);
            alone(vec![text])
        }
        TokenPlace::Query(name) => alone(query::values(http.path, name)),
        TokenPlace::Cookie(name) => {
            let values = cookie::values(&http.headers, name).into_iter();
            alone(values.map(|value| value.map(Cow::Borrowed)).collect())
        }
    }
}

/// The only one of these values, as a token.
fn alone(mut values: Vec<Option<Cow<'_, str>>>) -> Result<Cow<'_, str>, Denial> {
    if values.len() > 1 {
        return Err(Denial::MultipleCredentials);
    }
    match values.pop().ok_or(Denial::CredentialsMissing)? {
        Some(token) if is_token68(&token) => Ok(token),
        Some(_) | None => Err(Denial::TokenMalformed),
    }
}

/// The bearer token of `Authorization`.
///
/// # Errors
/// `credentials_missing`, `multiple_credentials` or `token_malformed`.
pub fn bearer<'a>(headers: &Headers<'a>) -> Result<&'a str, Denial> {
    after_scheme(headers, AUTHORIZATION, BEARER)
}

/// The one value of a header.
fn single<'a>(headers: &Headers<'a>, name: &str) -> Result<&'a [u8], Denial> {
    let mut values = headers.values(name);
    let value = values.next().ok_or(Denial::CredentialsMissing)?.trim_ascii();
    // Envoy joins repeated lines with a comma, so `Basic A,Bearer B` is two credentials.
    if values.next().is_some() || value.contains(&b',') {
        return Err(Denial::MultipleCredentials);
    }
    Ok(value)
}

/// The token behind `scheme` in the one value of a header.
fn after_scheme<'a>(headers: &Headers<'a>, name: &str, scheme: &str) -> Result<&'a str, Denial> {
    match plainly_after_scheme(headers, name, scheme) {
        Some(token) => Ok(token),
        None => read_after_scheme(headers, name, scheme),
    }
}

fn read_after_scheme<'a>(
    headers: &Headers<'a>,
    name: &str,
    scheme: &str,
) -> Result<&'a str, Denial> {
    let value = single(headers, name)?;
    // A backend may trim or fold what is no plain text, and then see a token after all.
    if !value.iter().fold(true, |plain, b| plain & (0x20..=0x7E).contains(b)) {
        return Err(Denial::TokenMalformed);
    }
    let scheme_end = value.iter().position(|b| !is_token_byte(*b)).unwrap_or(value.len());
    let (written, rest) = value.split_at(scheme_end);
    let is_scheme = written.first().is_some_and(u8::is_ascii_alphabetic);
    if !value.is_empty() && !(is_scheme && (rest.is_empty() || rest.starts_with(b" "))) {
        return Err(Denial::TokenMalformed);
    }
    if !written.eq_ignore_ascii_case(scheme.as_bytes()) {
        return Err(Denial::CredentialsMissing);
    }
    let token = rest.trim_ascii_start();
    let spaces = rest.len() - token.len();
    let separated = spaces > 0 && rest.iter().take(spaces).all(|b| *b == b' ');
    match str::from_utf8(token) {
        Ok(token) if separated && is_token68(token) => Ok(token),
        _ => Err(Denial::TokenMalformed),
    }
}

/// The usual shape, `Bearer TOKEN` in one line, which [`read_after_scheme`] accepts too, after a
/// look at all that it could be instead.
fn plainly_after_scheme<'a>(headers: &Headers<'a>, name: &str, scheme: &str) -> Option<&'a str> {
    let (written, rest) = headers.one(name)?.split_at_checked(scheme.len())?;
    let token = rest.strip_prefix(b" ")?;
    // Without an early end many bytes are looked at together.
    let is_plain = !token.is_empty() && token.iter().fold(true, |good, b| good & is_of_jws(*b));
    let is_scheme = written.first().is_some_and(u8::is_ascii_alphabetic)
        && written.eq_ignore_ascii_case(scheme.as_bytes());
    if is_scheme && is_plain { str::from_utf8(token).ok() } else { None }
}

/// Whether `text` is what a scheme's credentials may be (RFC 9110 section 11.2).
#[must_use]
pub fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let plain = |b: u8| is_of_jws(b) | (b == b'~') | (b == b'+');
    // Without an early end many bytes are looked at together; a token is nearly always good.
    !body.is_empty() && body.bytes().fold(true, |good, b| good & plain(b))
}

/// What a JWS is made of, and `/`: from `-` to `9` stand `-`, `.`, `/` and the digits. Few
/// comparisons, all made.
fn is_of_jws(byte: u8) -> bool {
    (byte | 0x20).is_ascii_lowercase() | (b'-'..=b'9').contains(&byte) | (byte == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(values: &[&str], expected: Result<&str, Denial>) {
        let lines = values.iter().map(|value| ("Authorization", value.as_bytes()));
        assert_eq!(bearer(&Headers(lines.collect())), expected, "{values:?}");
    }

    #[test]
    fn a_jws_after_its_scheme_is_read_the_short_way() {
        for value in ["Bearer a-Z_0.9.x", "bearer a"] {
            let headers = Headers(vec![("Authorization", value.as_bytes())]);
            let token = plainly_after_scheme(&headers, AUTHORIZATION, "Bearer");
            assert_eq!(token, value.get("Bearer ".len()..));
        }
    }

    #[test]
    fn the_scheme_is_read_in_any_case_with_one_or_more_spaces() {
        check(&["Bearer abc"], Ok("abc"));
        check(&["bEARER   abc.def~+/-_=="], Ok("abc.def~+/-_=="));
        check(&[" Bearer abc "], Ok("abc"));
    }

    #[test]
    fn another_scheme_is_no_credential() {
        for value in ["", "Basic QTpC", "BearerX abc", "Bearer2", "Digest a=b", "abc"] {
            check(&[value], Err(Denial::CredentialsMissing));
        }
        check(&[], Err(Denial::CredentialsMissing));
    }

    #[test]
    fn the_scheme_without_one_token_is_malformed() {
        for value in [
            "Bearer",
            "bearer ",
            "Bearer\tabc",
            "Bearer a b",
            "Bearer =",
            "Bearer é",
            "Bearer=abc",
            "Bearer \"abc\"",
            "Bearer a=b",
            "Bearer a\u{0}",
            "\u{a0}Bearer abc",
            "\u{85}Bearer abc",
            "\"Bearer abc\"",
            "=Bearer abc",
            "!Bearer abc",
            ":Bearer abc",
            "Basic\tabc",
            "Basic é",
        ] {
            check(&[value], Err(Denial::TokenMalformed));
        }
    }

    #[test]
    fn two_values_are_multiple_whatever_their_schemes() {
        check(&["Bearer a", "Bearer a"], Err(Denial::MultipleCredentials));
        check(&["Basic a", ""], Err(Denial::MultipleCredentials));
        for value in
            ["Basic A,Bearer B", "Bearer A,Bearer A", "Bearer A, Basic B", ",", "Bearer a,"]
        {
            check(&[value], Err(Denial::MultipleCredentials));
        }
    }

    /// Places `x-token`, `x-scheme` with a scheme, the query `t` and the cookie `sid`.
    #[track_caller]
    fn check_places(
        method: &str,
        path: &str,
        lines: &[(&str, &str)],
        expected: Result<&str, Denial>,
    ) {
        let header = |name: &str, scheme: Option<&str>| {
            TokenPlace::Header(TokenHeader::new(name.into(), scheme.map(Into::into)))
        };
        let (query, cookie) = (TokenPlace::Query("t".into()), TokenPlace::Cookie("sid".into()));
        let places = [header("x-token", None), header("x-scheme", Some("Token")), query, cookie];
        let headers = lines.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let http = HttpView { method, scheme: "https", host: "a", path, headers };
        let found = find(&http, &places);
        let got = found.as_ref().map(|found| &*found.token).map_err(|denial| *denial);
        assert_eq!(got, expected, "{method} {path} {lines:?}");
    }

    #[test]
    fn a_token_is_found_in_each_place_that_is_named() {
        check_places("GET", "/", &[("X-Token", " abc ")], Ok("abc"));
        check_places("GET", "/", &[("x-scheme", "token abc")], Ok("abc"));
        check_places("GET", "/?%74=%61bc", &[], Ok("abc"));
        check_places("GET", "/", &[("cookie", "a=b; sid=abc")], Ok("abc"));
        check_places("POST", "/?t=abc", &[], Ok("abc"));
        let other = [("authorization", "Bearer x"), ("x-scheme", "Basic x")];
        check_places("GET", "/?t=abc", &other, Ok("abc"));
    }

    #[test]
    fn no_other_place_counts() {
        for lines in [&[("authorization", "Bearer abc")][..], &[("x-scheme", "Bearer abc")]] {
            check_places("GET", "/?tt=abc", lines, Err(Denial::CredentialsMissing));
        }
        check_places("GET", "/", &[("x_token", "abc")], Err(Denial::CredentialsMissing));
        check_places("GET", "/t=abc", &[], Err(Denial::CredentialsMissing));
    }

    #[test]
    fn two_places_or_two_values_are_multiple_whatever_they_hold() {
        let multiple = Err(Denial::MultipleCredentials);
        check_places("GET", "/?t=abc", &[("x-token", "abc")], multiple);
        check_places("GET", "/?t=abc", &[("x-token", "")], multiple);
        check_places("GET", "/?t=abc&%74=abc", &[], multiple);
        check_places("GET", "/?t", &[("cookie", "sid=abc")], multiple);
        check_places("GET", "/", &[("cookie", "sid=abc; sid=abc")], multiple);
        check_places("GET", "/", &[("cookie", "sid=abc; Sid=abc")], multiple);
        check_places("GET", "/?t=abc&T=abc", &[], multiple);
        check_places("GET", "/", &[("x-token", "abc,abc")], multiple);
        check_places("GET", "/", &[("x-token", "abc"), ("x-token", "abc")], multiple);
        check_places("GET", "/", &[("x-token", "abc"), ("x-scheme", "Token abc")], multiple);
    }

    #[test]
    fn what_stands_in_a_place_and_is_no_token_is_malformed() {
        let malformed = Err(Denial::TokenMalformed);
        for value in ["", "Bearer abc", "a b", "=", "\"abc\"", "é"] {
            check_places("GET", "/", &[("x-token", value)], malformed);
            check_places("GET", "/", &[("cookie", &format!("sid={value}"))], malformed);
        }
        for query in
            ["t", "t=", "t=%20", "t=a%2Cb", "t=%ff", "a;t=abc", "t=abc;a", "T=abc", "t[]=abc"]
        {
            check_places("GET", &format!("/?{query}"), &[], malformed);
        }
        for cookie in ["a=b,sid=abc", "SID=abc", "\u{a0}sid=abc", "=sid=abc", "a=b sid=abc"] {
            check_places("GET", "/", &[("cookie", cookie)], malformed);
        }
    }

    #[test]
    fn a_cookie_is_no_credential_of_what_another_site_may_have_caused() {
        let cookie = ("cookie", "sid=abc");
        let foreign = [cookie, ("origin", "https://evil")];
        check_places("POST", "/", &[cookie], Err(Denial::RequestMalformed));
        check_places("POST", "/", &foreign, Err(Denial::RequestMalformed));
        check_places(
            "GET",
            "/",
            &[cookie, ("upgrade", "websocket")],
            Err(Denial::RequestMalformed),
        );
        check_places("GET", "/", &foreign, Ok("abc"));
        check_places("POST", "/", &[cookie, ("origin", "https://a")], Ok("abc"));
    }

    proptest! {
        #[test]
        fn the_short_way_to_a_token_accepts_nothing_that_the_long_one_does_not(
            values in prop::collection::vec("[bB]earer {0,2}[ -~]{0,6}|[ -~é]{0,9}", 0..3),
            scheme in "Bearer|2a|a",
        ) {
            let lines = values.iter().map(|value| ("authorization", value.as_bytes()));
            let headers = Headers(lines.collect());
            if let Some(token) = plainly_after_scheme(&headers, AUTHORIZATION, &scheme) {
                prop_assert_eq!(read_after_scheme(&headers, AUTHORIZATION, &scheme), Ok(token));
            }
        }

        #[test]
        fn token68_is_what_rfc_9110_says(text in "[ -~é]{0,6}=?|[\\x00-\\x7f]") {
            let body = text.trim_end_matches('=');
            let known = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
            prop_assert_eq!(is_token68(&text), !body.is_empty() && body.chars().all(known));
        }

        #[test]
        fn whatever_is_accepted_is_one_token68_after_the_scheme(
            values in prop::collection::vec(
                prop_oneof!["[ -~]{0,3}[Bb]earer ?[ -~]{0,9}".prop_map(String::into_bytes), any::<Vec<u8>>()],
                0..3,
            ),
        ) {
            let lines = values.iter().map(|value| ("authorization", value.as_slice()));
            if let Ok(token) = bearer(&Headers(lines.collect())) {
                prop_assert_eq!(values.len(), 1);
                prop_assert!(is_token68(token));
                prop_assert!(values[0].trim_ascii().ends_with(token.as_bytes()));
            }
        }
    }
}
