//! Where a policy may let a token stand.

use super::*;
use crate::policy::{
    Preflight,
    token_place::{
        TokenHeader,
        TokenPlace::{self, Cookie, Header, Query},
    },
};

#[track_caller]
fn check(places: &str, expected: &[TokenPlace]) {
    let text = with_policy(&format!("providers: [okta], token_from: [{places}]"));
    assert_eq!(accepted(&text).policies["p"].token_from, expected, "{places}");
}

#[track_caller]
fn refuse(places: &str, expected: &[&str]) {
    let expected: Vec<_> = expected.iter().map(|start| format!("7:{start}")).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    refused(&with_policy(&format!("providers: [okta], token_from: [{places}]")), &expected);
}

fn header(name: &str, scheme: Option<&str>) -> TokenPlace {
    Header(TokenHeader::new(name.into(), scheme.map(Into::into)))
}

#[test]
fn the_scheme_is_bearer_for_authorization_and_none_for_other_headers() {
    let compiled = accepted(&with_policy("providers: [okta]"));
    assert_eq!(compiled.policies["p"].token_from, [TokenPlace::authorization()]);
    check("{header: Authorization}", &[header("authorization", Some("Bearer"))]);
    check("{header: authorization, scheme: DPoP}", &[header("authorization", Some("DPoP"))]);
    check("{header: X-API-Key}", &[header("x-api-key", None)]);
    check("{header: x-token, scheme: Bearer}", &[header("x-token", Some("Bearer"))]);
    check(
        "{header: x-t}, {query: access_token}, {cookie: __Host-sid}",
        &[header("x-t", None), Query("access_token".into()), Cookie("__Host-sid".into())],
    );
}

#[test]
fn names_that_no_token_can_stand_under_are_refused() {
    for name in ["cookie", "host", "x-csrf-token", "sec-websocket-protocol", "':path'", "'a b'"] {
        refuse(&format!("{{header: {name}}}"), &["63: policies[0].token_from[0].header:"]);
    }
    for name in ["a b", "a[b]", "a%41", "é", "a&b", "a=b", "a;b", "a+b"] {
        refuse(&format!("{{query: '{name}'}}"), &["62: policies[0].token_from[0].query: no name"]);
    }
    for name in ["a b", "a=b", "a;b", "a,b", "é", "a%41"] {
        refuse(&format!("{{cookie: '{name}'}}"), &["63: policies[0].token_from[0].cookie: no na"]);
    }
    for scheme in ["'a b'", "'1'", "'a,'", "-"] {
        let places = format!("{{header: x-t, scheme: '{}'}}", scheme.trim_matches('\''));
        refuse(&places, &["76: policies[0].token_from[0].scheme: no"]);
    }
}

#[test]
fn a_place_stands_once_and_there_are_few() {
    refuse("{query: a}, {query: a}", &["74: policies[0].token_from[1].query: the same place"]);
    refuse("{query: a.b}, {query: A_b}", &["76: policies[0].token_from[1].query: the same place"]);
    refuse(
        "{cookie: sid}, {cookie: SID}",
        &["78: policies[0].token_from[1].cookie: the same place"],
    );
    refuse("{header: x-a}, {header: X_A}", &["78: policies[0].token_from[1].header: the same"]);
    check("{query: a}, {cookie: a}", &[Query("a".into()), Cookie("a".into())]);
    let many: Vec<_> = (0..9).map(|n| format!("{{query: a{n}}}")).collect();
    refuse(&many.join(", "), &["53: policies[0].token_from: too many places; 8 are"]);
}

#[test]
fn a_token_is_not_read_from_a_header_that_the_config_sets_or_strips() {
    let text = with_policy("providers: [okta], token_from: [{header: x-user-id}]");
    let message = "63: policies[0].token_from[0].header: a header that this config sets or strips";
    refused(&(text.clone() + "\nstrip_headers: [x_user_id]"), &[&format!("7:{message}")]);
    refused(&(text.clone() + "\nstrip_headers: [x.user_id]"), &[&format!("7:{message}")]);
    let forward = "providers: [okta], token_from: [{header: x-t}], forward_token: {header: X-T}";
    refused(&with_policy(forward), &[&format!("7:{message}")]);
    accepted(&(text + "\nstrip_headers: [x-user]"));
}

#[test]
fn preflights_are_checked_unless_a_policy_allows_them() {
    let preflight = |policy| accepted(&with_policy(policy)).policies["p"].preflight;
    assert_eq!(preflight("providers: [okta]"), Preflight::Check);
    assert_eq!(preflight("providers: [okta], allow_cors_preflight: false"), Preflight::Check);
    assert_eq!(preflight("providers: [okta], allow_cors_preflight: true"), Preflight::Allow);
}
