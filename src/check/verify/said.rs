//! What a token says of its kind, of whom it is for, and of what its provider asks.
//!
//! It looks at no times and no signature, and finds no provider.

use crate::{
    check::{
        claims::{Claims, Unusable},
        decision::Denial,
        token::Header,
    },
    policy::Policy,
    provider::{Audiences, Binding, Provider, TokenTypes},
};

/// RFC 8725 section 3.11: tokens of another kind, ID tokens among them, are told apart by `typ`.
pub(super) fn token_type(
    header: &Header,
    claims: &Claims,
    provider: &Provider,
) -> Result<(), Denial> {
    let is = |accepted: &str| header.typ.as_deref().is_some_and(|typ| is_type(typ, accepted));
    let accepted = match (&provider.token_types, &header.typ) {
        (TokenTypes::Default, None) => true,
        (TokenTypes::Default, Some(_)) => is("jwt") || is("at+jwt"),
        (TokenTypes::OneOf(types), _) => types.iter().any(|accepted| is(accepted)),
    };
    let bound = provider.cnf == Binding::Refuse && claims.member("cnf").is_some();
    if accepted && !bound { Ok(()) } else { Err(Denial::TokenTypeNotAllowed) }
}

/// RFC 7515 section 4.1.9: in any case, and `application/` may be left out.
fn is_type(typ: &str, accepted: &str) -> bool {
    const PREFIX: &str = "application/";
    let short = match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
        _ => typ,
    };
    short.eq_ignore_ascii_case(accepted)
}

pub(super) fn audience(claims: &Claims, provider: &Provider) -> Result<(), Denial> {
    match &provider.audiences {
        Audiences::Any => Ok(()),
        Audiences::OneOf(accepted) => has_audience(claims, provider, accepted),
    }
}

pub(super) fn policy_audiences(
    claims: &Claims,
    provider: &Provider,
    policy: &Policy,
) -> Result<(), Denial> {
    policy.audiences.iter().try_for_each(|accepted| has_audience(claims, provider, accepted))
}

/// RFC 7519 section 4.1.3: a string, or an array of strings.
fn has_audience(claims: &Claims, provider: &Provider, accepted: &[String]) -> Result<(), Denial> {
    let value = claims.find(&provider.audience_claim).ok_or(Denial::AudienceNotAllowed)?;
    let audiences = value.strings().map_err(|Unusable| Denial::ClaimsMalformed)?;
    let matches = audiences.iter().any(|audience| accepted.iter().any(|a| a == audience));
    if matches { Ok(()) } else { Err(Denial::AudienceNotAllowed) }
}

pub(super) fn required_claims(claims: &Claims, provider: &Provider) -> Result<(), Denial> {
    let holds = provider
        .required_claims
        .iter()
        .all(|(path, value)| claims.string(path).is_some_and(|claim| claim == *value));
    if holds { Ok(()) } else { Err(Denial::ClaimsRejected) }
}
