//! `token_from` -> the places where a policy lets a request carry its token.
//!
//! Which header names the config itself sets is settled in `headers.rs`.

use std::sync::Arc;

use crate::{
    config::{
        compile::headers::Targets,
        document::Spanned,
        file::policy::{PlaceFile, TokenFromFile},
        problem::Findings,
    },
    header::{is_token_byte, plain_name, token_header},
    policy::token_place::{AUTHORIZATION, BEARER, TokenHeader, TokenPlace},
};

/// The places of one policy.
pub(super) fn compile(
    written: Option<&TokenFromFile>,
    targets: &mut Targets,
    findings: &mut Findings,
) -> Option<Vec<TokenPlace>> {
    let Some(TokenFromFile { place: whole, places: written }) = written else {
        return Some(vec![TokenPlace::authorization()]);
    };
    let mut places: Vec<TokenPlace> = Vec::with_capacity(written.len());
    let mut sound = true;
    for at in written {
        let Some(place) = place(at, targets, findings) else {
            sound = false;
            continue;
        };
        if places.iter().any(|known| is_same(known, &place)) {
            findings.refuse(&at.name().place, "the same place twice; each is accepted once");
        }
        places.push(place);
    }
    if written.len() > MAX_PLACES {
        findings.refuse(whole, format!("too many places; {MAX_PLACES} are accepted"));
    }
    sound.then_some(places)
}

fn place(
    written: &PlaceFile,
    targets: &mut Targets,
    findings: &mut Findings,
) -> Option<TokenPlace> {
    match written {
        PlaceFile::Header { name, scheme } => {
            let lower = findings.accept(&name.place, token_header(&name.value))?;
            targets.token(&lower, &name.place);
            let scheme = match scheme {
                Some(scheme) => Some(scheme_of(scheme, findings)?),
                None => (*lower == *AUTHORIZATION).then(|| BEARER.into()),
            };
            Some(TokenPlace::Header(TokenHeader::new(lower, scheme)))
        }
        PlaceFile::Query(name) => {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
            short(name, plain, "1 to 64 letters, digits and -._~ are accepted", findings)
                .map(TokenPlace::Query)
        }
        PlaceFile::Cookie(name) => {
            let plain = |b: u8| is_token_byte(b) && b != b'%';
            short(name, plain, "1 to 64 characters of a cookie name, but %, are accepted", findings)
                .map(TokenPlace::Cookie)
        }
    }
}

fn scheme_of(scheme: &Spanned<String>, findings: &mut Findings) -> Option<Arc<str>> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if !scheme.value.starts_with(|c: char| c.is_ascii_alphabetic()) {
        findings.refuse(&scheme.place, "not a scheme; one that starts with a letter is accepted");
        return None;
    }
    short(scheme, plain, "1 to 64 letters, digits and - are accepted", findings)
}

fn short(
    text: &Spanned<String>,
    plain: impl Fn(u8) -> bool,
    accepted: &str,
    findings: &mut Findings,
) -> Option<Arc<str>> {
    if (1..=64).contains(&text.value.len()) && text.value.bytes().all(plain) {
        return Some(text.value.as_str().into());
    }
    findings.refuse(&text.place, format!("no name that can be here; {accepted}"));
    None
}

/// Whether what one request sends could be read as both: a credential in one is then one in both.
fn is_same(one: &TokenPlace, other: &TokenPlace) -> bool {
    let plain = |name: &str| plain_name(name).unwrap_or_else(|| name.to_ascii_lowercase());
    match (one, other) {
        (
            TokenPlace::Header(TokenHeader { name, .. }),
            TokenPlace::Header(TokenHeader { name: other, .. }),
        )
        | (TokenPlace::Query(name), TokenPlace::Query(other))
        | (TokenPlace::Cookie(name), TokenPlace::Cookie(other)) => plain(name) == plain(other),
        _ => false,
    }
}

/// More would say that nobody knows where the token is.
const MAX_PLACES: usize = 8;
