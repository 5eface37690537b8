//! Scopes and identity headers of tokens that are good in all else.

use std::collections::BTreeSet;

use super::*;
use crate::{
    check::fixtures::{HEADER, okta, orders, payload, sign, target, verified},
    policy::ScopeRule,
    provider::{ClaimPath, ClaimRule, Format, Overflow, Provider},
};

fn rule(claim: &str, header: &str) -> ClaimRule {
    let from = ClaimFrom::Claim(ClaimPath::parse(claim));
    ClaimRule { from, header: target(header), format: Format::Text, overflow: Overflow::Deny }
}

#[track_caller]
fn check_scopes(all: &[&str], any: &[&str], claims: &[(&str, &str)], expected: Result<(), Denial>) {
    let owned = |scopes: &[&str]| scopes.iter().map(|&scope| scope.to_owned()).collect();
    let scopes = ScopeRule { all_of: owned(all), any_of: owned(any) };
    let policy = Policy { scopes, ..orders(okta()) };
    assert_eq!(super::scopes(&verified(&policy, claims), &policy), expected, "{claims:?}");
}

/// The headers that `provider` and `policy` make of a token with these claims.
fn headers(provider: Provider, claims: &[(&str, &str)]) -> Result<Vec<(String, String)>, Denial> {
    let policy = orders(provider);
    let verified = verified(&policy, claims);
    let headers = identity_headers(&verified, &policy, "TOKEN")?.into_iter();
    Ok(headers.map(|(name, value)| (name.as_str().to_owned(), value.into_owned())).collect())
}

#[track_caller]
fn check_header(claim: &str, claims: &[(&str, &str)], expected: Result<Option<&str>, Denial>) {
    let provider = Provider { claim_to_headers: vec![rule(claim, "x-claim")], ..okta() };
    let expected: Result<Vec<_>, _> = expected
        .map(|value| value.into_iter().map(|v| ("x-claim".to_owned(), v.to_owned())).collect());
    assert_eq!(headers(provider, claims), expected, "{claims:?}");
}

const DENIED: Result<(), Denial> = Err(Denial::ScopeInsufficient);

#[test]
fn a_policy_without_scopes_asks_for_none() {
    check_scopes(&[], &[], &[], Ok(()));
    check_scopes(&[], &[], &[("scope", "1")], Ok(()));
}

#[test]
fn every_one_of_all_of_is_needed() {
    check_scopes(&["a", "b"], &[], &[("scope", r#""b x  a""#)], Ok(()));
    check_scopes(&["a", "b"], &[], &[("scope", r#""a""#)], DENIED);
    check_scopes(&["a"], &[], &[], DENIED);
}

#[test]
fn one_of_any_of_is_needed_besides_all_of_all_of() {
    check_scopes(&[], &["a", "b"], &[("scope", r#""b""#)], Ok(()));
    check_scopes(&[], &["a", "b"], &[("scope", r#""c""#)], DENIED);
    check_scopes(&["a"], &["b", "c"], &[("scope", r#""a""#)], DENIED);
    check_scopes(&["a"], &["b", "c"], &[("scope", r#""b""#)], DENIED);
    check_scopes(&["a"], &["b", "c"], &[("scope", r#""a c""#)], Ok(()));
}

#[test]
fn both_scope_claims_count_as_text_or_as_an_array() {
    check_scopes(&["a", "b"], &[], &[("scope", r#""a""#), ("scp", r#"["b"]"#)], Ok(()));
    check_scopes(&["a", "b"], &[], &[("scope", r#"["a"]"#), ("scp", r#""b""#)], Ok(()));
    check_scopes(&["a"], &[], &[("scope", "1"), ("scp", r#"["a"]"#)], Ok(()));
}

#[test]
fn a_scope_is_compared_whole_and_exactly() {
    for scope in [r#""A""#, r#""aa""#, r#""a,b""#, r#""a\tb""#, r#""""#, r#"["a b"]"#, r#"[" a"]"#]
    {
        check_scopes(&["a"], &[], &[("scope", scope)], DENIED);
    }
}

#[test]
fn a_scope_claim_of_another_shape_grants_nothing() {
    for scope in ["1", "null", "true", r#"{"a":true}"#, r#"["a",1]"#, r#"[["a"]]"#] {
        check_scopes(&["a"], &[], &[("scope", scope)], DENIED);
    }
}

#[test]
fn the_scope_claims_are_those_of_the_provider() {
    let provider = || Provider { scope_claims: vec![ClaimPath::parse("perms.list")], ..okta() };
    let verified =
        verified(&orders(provider()), &[("scope", r#""a""#), ("perms", r#"{"list":["b"]}"#)]);
    assert_eq!(verified.scopes(), ["b"]);
}

#[test]
fn a_claim_becomes_a_header() {
    check_header("sub", &[], Ok(Some("alice")));
    check_header("groups", &[("groups", r#"["a","b,c"]"#)], Ok(Some("a,b%2Cc")));
    check_header("a.b", &[("a", r#"{"b":1.50}"#)], Ok(Some("1.50")));
}

#[test]
fn a_claim_that_is_absent_or_empty_makes_no_header() {
    check_header("gone", &[], Ok(None));
    check_header("sub.x", &[], Ok(None));
    for empty in ["null", r#""""#, "[]"] {
        check_header("x", &[("x", empty)], Ok(None));
    }
}

#[test]
fn a_claim_that_cannot_be_written_refuses_the_token() {
    for value in [r#"["a",{}]"#, r#"["a",null]"#, r#"[["a"]]"#, r#""\ud800""#, r#"{"a":"\udfff"}"#]
    {
        check_header("x", &[("x", value)], Err(Denial::ClaimsMalformed));
    }
}

#[test]
fn the_names_of_provider_and_issuer_come_from_what_was_verified() {
    let named = |from, header| ClaimRule {
        from,
        header: target(header),
        format: Format::Text,
        overflow: Overflow::Deny,
    };
    let claim_to_headers =
        vec![named(ClaimFrom::Provider, "x-provider"), named(ClaimFrom::Issuer, "x-issuer")];
    let got = headers(Provider { claim_to_headers, ..okta() }, &[("provider", r#""evil""#)]);
    let expected = [("x-provider", "okta"), ("x-issuer", "https://okta")];
    assert_eq!(got.unwrap(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn the_payload_header_is_the_token_s_second_segment() {
    let provider = Provider { payload_header: Some(target("x-payload")), ..okta() };
    let claims = [("x", "\"é\"")];
    let token = sign(HEADER, &payload(&claims));
    let got = headers(provider, &claims).unwrap();
    assert_eq!(got, [("x-payload".to_owned(), token.split('.').nth(1).unwrap().to_owned())]);
}

#[test]
fn the_forwarded_copy_is_the_whole_credential() {
    let forward_token = ForwardToken::Copy(target("x-forward"));
    let policy = Policy { forward_token, ..orders(okta()) };
    let verified = verified(&policy, &[]);
    let got = identity_headers(&verified, &policy, "a.b.c").unwrap();
    assert_eq!(got, [(&target("x-forward"), "Bearer a.b.c".into())]);
}

#[track_caller]
fn check_sizes(lengths: &[usize], expected: Result<(), Denial>) {
    let name = |index: usize| format!("c{index}");
    let rules = (0..lengths.len()).map(|index| rule(&name(index), &format!("x-{index}")));
    // Each `%` takes three bytes, so that the token stays within its own bound.
    let value = |length: usize| format!("\"{}{}\"", "%".repeat(length / 3), "a".repeat(length % 3));
    let claims: Vec<_> =
        lengths.iter().enumerate().map(|(index, length)| (name(index), value(*length))).collect();
    let claims: Vec<_> = claims.iter().map(|(name, value)| (&**name, &**value)).collect();
    let got = headers(Provider { claim_to_headers: rules.collect(), ..okta() }, &claims);
    assert_eq!(got.map(|_| ()), expected, "{lengths:?}");
}

#[test]
fn one_header_has_at_most_8_kib_as_it_is_written() {
    check_sizes(&[8192], Ok(()));
    check_sizes(&[8193], Err(Denial::ClaimsMalformed));
    check_sizes(&[1, 8193], Err(Denial::ClaimsMalformed));
}

#[test]
fn all_headers_together_have_at_most_32_kib() {
    check_sizes(&[8192; 4], Ok(()));
    check_sizes(&[8192, 8192, 8192, 8192, 1], Err(Denial::ClaimsMalformed));
    check_sizes(&[6554; 5], Err(Denial::ClaimsMalformed));
}

/// Which of these headers are left, where every one of `optional` may be left out.
#[track_caller]
fn check_omitted(needed: &[usize], optional: &[usize], left: &[&str]) {
    let lengths: Vec<usize> = needed.iter().chain(optional).copied().collect();
    // Headers of one length share a claim, so that the token stays within its own bound.
    let text = |length: usize| format!("\"{}{}\"", "%".repeat(length / 3), "a".repeat(length % 3));
    let distinct: BTreeSet<usize> = lengths.iter().copied().collect();
    let claims: Vec<_> = distinct.into_iter().map(|n| (format!("c{n}"), text(n))).collect();
    let rules = lengths.iter().enumerate().map(|(index, length)| ClaimRule {
        overflow: if index < needed.len() { Overflow::Deny } else { Overflow::Omit },
        ..rule(&format!("c{length}"), &format!("x-{index}"))
    });
    let provider = Provider { claim_to_headers: rules.collect(), ..okta() };
    let claims: Vec<_> = claims.iter().map(|(name, value)| (&**name, &**value)).collect();
    let got = headers(provider, &claims).unwrap();
    let names: Vec<_> = got.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, left, "{needed:?} {optional:?}");
}

#[test]
fn what_may_be_left_out_is_where_it_or_all_together_would_be_too_long() {
    check_omitted(&[], &[8192], &["x-0"]);
    check_omitted(&[], &[8193], &[]);
    check_omitted(&[8192; 3], &[8192], &["x-0", "x-1", "x-2", "x-3"]);
    check_omitted(&[8192, 8192, 8192, 1], &[8192], &["x-0", "x-1", "x-2", "x-3"]);
    check_omitted(&[8192, 8192, 8192, 1], &[8192, 8191], &["x-0", "x-1", "x-2", "x-3", "x-5"]);
    check_omitted(&[8192, 8192], &[8192, 8191, 2], &["x-0", "x-1", "x-2", "x-3"]);
    check_omitted(&[8192, 8192], &[8192, 8191, 1], &["x-0", "x-1", "x-2", "x-3", "x-4"]);
}

#[test]
fn the_bounds_hold_for_the_payload_and_the_forwarded_copy_too() {
    let provider = Provider { payload_header: Some(target("x-payload")), ..okta() };
    let large = format!("\"{}\"", "a".repeat(7000));
    assert_eq!(headers(provider, &[("x", &large)]), Err(Denial::ClaimsMalformed));
    let forward_token = ForwardToken::Copy(target("x-forward"));
    let policy = Policy { forward_token, ..orders(okta()) };
    let token = "a".repeat(MAX_HEADER_BYTES);
    let verified = verified(&policy, &[]);
    let got = identity_headers(&verified, &policy, &token);
    assert_eq!(got, Err(Denial::ClaimsMalformed));
}
