//! What a verified token may do on this route, and what the upstream learns of it.
//!
//! It proves nothing about the token: it is given a `Verified`.

use std::borrow::Cow;

use crate::{
    check::{
        claims::Unusable,
        decision::Denial,
        verify::{Statement, Verified},
    },
    header::HeaderTarget,
    policy::{ForwardToken, Policy},
    provider::{ClaimFrom, ClaimRule, Overflow},
};

/// Upper bound on one identity header's value, in bytes.
pub const MAX_HEADER_BYTES: usize = 8 * 1024;
/// Upper bound on all identity headers' values together, in bytes.
pub const MAX_HEADERS_BYTES: usize = 32 * 1024;

/// Whether the token has the policy's scopes.
///
/// # Errors
/// `scope_insufficient`.
pub fn scopes(statement: &Statement, policy: &Policy) -> Result<(), Denial> {
    let rule = &policy.scopes;
    if rule.all_of.is_empty() && rule.any_of.is_empty() {
        return Ok(());
    }
    let granted = statement.scopes();
    let has = |scope: &String| granted.contains(scope);
    let enough =
        rule.all_of.iter().all(has) && (rule.any_of.is_empty() || rule.any_of.iter().any(has));
    if enough { Ok(()) } else { Err(Denial::ScopeInsufficient) }
}

/// The headers that the provider and the policy ask for, none of them empty.
///
/// # Errors
/// `claims_malformed` where a claim cannot be written, or is too large and not `on_overflow: omit`.
pub fn identity_headers<'d>(
    verified: &'d Verified,
    policy: &'d Policy,
    token: &str,
) -> Result<Vec<(&'d HeaderTarget, Cow<'d, str>)>, Denial> {
    let provider = &verified.provider;
    let rules = provider.claim_to_headers.iter().chain(&policy.claim_to_headers);
    // A power of two of them is what the allocator hands out soonest.
    let mut headers = Vec::with_capacity((rules.size_hint().0 + 2).next_power_of_two());
    // Those that may be left out stand last, so that they make room for the others.
    let mut optional = Vec::new();
    for rule in rules {
        let Some(value) = value(verified, rule)? else { continue };
        match rule.overflow {
            Overflow::Deny => headers.push((&rule.header, value)),
            Overflow::Omit => optional.push((&rule.header, value)),
        }
    }
    if let Some(header) = &provider.payload_header {
        headers.push((header, verified.claims.base64url().into()));
    }
    if let ForwardToken::Copy(header) = &policy.forward_token {
        headers.push((header, format!("Bearer {token}").into()));
    }
    let mut total: usize = headers.iter().map(|(_, value)| value.len()).sum();
    let fits = headers.iter().all(|(_, value)| value.len() <= MAX_HEADER_BYTES);
    if !fits || total > MAX_HEADERS_BYTES {
        return Err(Denial::ClaimsMalformed);
    }
    for (header, value) in optional {
        if value.len() <= MAX_HEADER_BYTES && total + value.len() <= MAX_HEADERS_BYTES {
            total += value.len();
            headers.push((header, value));
        }
    }
    Ok(headers)
}

/// What one rule writes; none where its claim is absent or empty.
fn value<'d>(verified: &'d Verified, rule: &ClaimRule) -> Result<Option<Cow<'d, str>>, Denial> {
    let claim = match &rule.from {
        ClaimFrom::Claim(path) => verified.claims.find(path),
        ClaimFrom::Issuer => verified.claims.member("iss"),
        ClaimFrom::Provider => return Ok(Some(verified.provider.name.as_str().into())),
    };
    let Some(claim) = claim else { return Ok(None) };
    let value = claim.header_value(rule.format).map_err(|Unusable| Denial::ClaimsMalformed)?;
    Ok(Some(value).filter(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests;
