//! What the upstream sees of a request's credentials: no bearer token but the verified one.
//!
//! It does not judge credentials; it is told how that ended.

use std::sync::Arc;

use crate::{
    check::{
        credential::{self, cookie, query},
        decision::{Allow, Caching, Credentials, Denial},
        request::HttpView,
    },
    header::{OwnedHeaders, is_token_byte, plain_name},
    policy::{
        ForwardToken, Mode, Policy,
        token_place::{AUTHORIZATION, BEARER, TokenHeader, TokenPlace},
    },
};

/// Where no place held a credential.
#[must_use]
pub fn missing(http: &HttpView<'_>, policy: &Policy) -> Credentials {
    without_unread(http, policy, None)
}

/// Where a credential failed: whatever stands in any place is taken off.
///
/// # Errors
/// `request_malformed` where the rest of the cookies cannot be written again.
pub fn failed(http: &HttpView<'_>, policy: &Policy) -> Result<Credentials, Denial> {
    let mut credentials = missing(http, policy);
    for place in &policy.token_from {
        if credential::look(http, place) != Err(Denial::CredentialsMissing) {
            take_off(http, place, &mut credentials)?;
        }
    }
    Ok(credentials)
}

/// Where the credential at `place` was verified; none for one that no request carried.
///
/// # Errors
/// `request_malformed` where the rest of the cookies cannot be written again.
pub fn verified(
    http: &HttpView<'_>,
    policy: &Policy,
    place: Option<usize>,
) -> Result<Credentials, Denial> {
    let mut credentials = without_unread(http, policy, place);
    let Some(place) = place.and_then(|place| policy.token_from.get(place)) else {
        return Ok(credentials);
    };
    if let TokenPlace::Query(_) = place {
        // RFC 6750 section 2.3: no cache may keep what such a URL gives.
        credentials.caching = Caching::Private;
    }
    match policy.forward_token {
        ForwardToken::Keep | ForwardToken::Copy(_) => {}
        ForwardToken::Remove => take_off(http, place, &mut credentials)?,
    }
    Ok(credentials)
}

/// Takes off what nobody has looked at: other spellings of the token's headers, what a backend may
/// take for a token in them, and an `Authorization` that no place names, unless it is seen to be of
/// another scheme. The place that `read` names held the token, so that nothing else stands there.
fn without_unread(http: &HttpView<'_>, policy: &Policy, read: Option<usize>) -> Credentials {
    let mut credentials = Credentials::default();
    let mut bearer_is_read = false;
    for (index, place) in policy.token_from.iter().enumerate() {
        let TokenPlace::Header(TokenHeader { name, scheme, other_forms }) = place else { continue };
        other_forms.iter().for_each(|form| take_off_header(form, &mut credentials));
        let Some(scheme) = scheme else { continue };
        bearer_is_read |= **name == *AUTHORIZATION && scheme.eq_ignore_ascii_case(BEARER);
        if read != Some(index) && looks_like(http, name, scheme) {
            take_off_header(name, &mut credentials);
        }
    }
    let harmless = || {
        http.headers.values(AUTHORIZATION).next().is_some()
            && credential::bearer(&http.headers) == Err(Denial::CredentialsMissing)
            && !looks_like(http, AUTHORIZATION, BEARER)
    };
    if !bearer_is_read && !harmless() {
        take_off_header(&AUTHORIZATION.into(), &mut credentials);
    }
    credentials
}

/// Whether a lax backend may find a token of `scheme` in this header though another scheme stands
/// there: some go on behind as many characters as the scheme has, some look for it anywhere, some
/// take a token that no scheme precedes.
fn looks_like(http: &HttpView<'_>, name: &str, scheme: &str) -> bool {
    let is_scheme = |text: &[u8]| {
        text.get(..scheme.len()).is_some_and(|text| text.eq_ignore_ascii_case(scheme.as_bytes()))
    };
    http.headers.values(name).any(|value| {
        let value = value.trim_ascii();
        let end = value.iter().position(|b| !is_token_byte(*b)).unwrap_or(value.len());
        let (written, rest) = value.split_at(end);
        if written.eq_ignore_ascii_case(scheme.as_bytes()) {
            return false;
        }
        let is_behind = |text: &[u8]| is_scheme(text) && text.ends_with(b" ");
        is_scheme(written)
            || written.contains(&b'.')
            || rest.windows(scheme.len() + 1).any(is_behind)
    })
}

fn take_off_header(name: &Arc<str>, credentials: &mut Credentials) {
    if !credentials.remove.contains(name) {
        credentials.remove.push(name.clone());
    }
}

/// Whether `Connection` names an owned header: a proxy behind this one would take it off before
/// the upstream (RFC 9110 section 7.6.1). Envoy hands on what stands there with every upgrade.
#[must_use]
pub fn loses_owned(http: &HttpView<'_>, owned: &OwnedHeaders) -> bool {
    let names = http.headers.values("connection").flat_map(|line| line.split(|b| *b == b','));
    names.map(<[u8]>::trim_ascii).any(|name| {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        owned.contains(&name) || plain_name(&name).is_some_and(|plain| owned.contains(&plain))
    })
}

/// Takes off what the client sent under a name that a backend may read as that of an owned header
/// or of the token's, such as `x-auth_subject`.
#[must_use]
pub fn without_aliases<'d>(
    mut allow: Allow<'d>,
    http: &HttpView<'_>,
    owned: &OwnedHeaders,
) -> Allow<'d> {
    let places = match allow.policy.mode {
        Mode::Anonymous => &[][..],
        Mode::Strict | Mode::Optional | Mode::Permissive => &allow.policy.token_from,
    };
    for (name, _) in &http.headers.0 {
        let Some(plain) = plain_name(name) else { continue };
        let name = name.to_ascii_lowercase();
        // What is known by its very name is settled already.
        let settled = owned.contains(&name)
            || places.iter().any(|place| place.header() == Some(&*name))
            || allow.credentials.remove.iter().any(|known| **known == *name);
        let is_alias =
            || owned.contains(&plain) || places.iter().any(|place| place.is_read_as(&plain));
        if !settled && is_alias() {
            allow.credentials.remove.push(name.into());
        }
    }
    allow
}

fn take_off(
    http: &HttpView<'_>,
    place: &TokenPlace,
    credentials: &mut Credentials,
) -> Result<(), Denial> {
    match place {
        TokenPlace::Header(TokenHeader { name, .. }) => take_off_header(name, credentials),
        TokenPlace::Query(name) => {
            let path = credentials.path.as_deref().unwrap_or(http.path);
            credentials.path = Some(query::without(path, name));
        }
        TokenPlace::Cookie(name) => {
            let headers = match &credentials.cookie {
                Some(line) => &[("cookie", line.as_bytes())].into_iter().collect(),
                None => &http.headers,
            };
            credentials.cookie = Some(cookie::without(headers, name)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
