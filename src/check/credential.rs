//! The one bearer token of a request, or why there is none (RFC 6750 section 2.1).
//!
//! It does not look inside the token.

use crate::{
    check::{decision::Denial, request::Headers},
    header::is_token_byte,
};

/// The bearer token among the values of `Authorization`.
///
/// # Errors
/// `credentials_missing`, `multiple_credentials` or `token_malformed`.
pub fn bearer<'a>(headers: &Headers<'a>) -> Result<&'a str, Denial> {
    let mut values = headers.values("authorization");
    let value = values.next().ok_or(Denial::CredentialsMissing)?.trim_ascii();
    if values.next().is_some() {
        return Err(Denial::MultipleCredentials);
    }
    // Envoy joins repeated lines with a comma, so `Basic A,Bearer B` is two credentials.
    if value.contains(&b',') {
        return Err(Denial::MultipleCredentials);
    }
    // A backend may trim or fold what is no plain text, and then see a bearer token after all.
    if !value.iter().all(|b| (0x20..=0x7E).contains(b)) {
        return Err(Denial::TokenMalformed);
    }
    let scheme_end = value.iter().position(|b| !is_token_byte(*b)).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(scheme_end);
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic);
    if !value.is_empty() && !(is_scheme && (rest.is_empty() || rest.starts_with(b" "))) {
        return Err(Denial::TokenMalformed);
    }
    if !scheme.eq_ignore_ascii_case(b"bearer") {
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

/// Whether `text` is what a scheme's credentials may be (RFC 9110 section 11.2).
#[must_use]
pub fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    !body.is_empty() && body.bytes().all(plain)
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

    proptest! {
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
