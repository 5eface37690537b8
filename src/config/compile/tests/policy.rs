//! `policies` and `default_policy`.

use super::{accepted, refused, with_policy};

#[test]
fn default_policy_names_a_policy_ignoring_case() {
    let policies = "policies: [{name: b, mode: anonymous}, {name: a, mode: anonymous}]\n";
    assert!(accepted(&format!("{policies}default_policy: A")).default_policy.is_some());
    let problem = "2:17: default_policy: no policy has this name; accepted are a, b";
    refused(&format!("{policies}default_policy: c"), &[problem]);
}

#[test]
fn a_policy_names_a_provider_unless_it_is_anonymous() {
    accepted("policies: [{name: p, mode: anonymous}]");
    accepted("policies: [{name: p, mode: anonymous, providers: []}]");
    let place = "1:12: policies[0].providers: no provider; the name of at least one";
    refused("policies: [{name: p}]", &[place]);
    refused("policies: [{name: p, mode: permissive}]", &[place]);
    refused("policies: [{name: p, providers: []}]", &["1:33: policies[0].providers: no provider"]);
    refused("policies: [{name: p, mode: none}]", &["1:28: policies[0].mode: unknown mode; strict"]);
    refused("policies: [{name: p, mode: Strict}]", &["1:28: policies[0].mode: unknown mode"]);
}

#[test]
fn an_unknown_provider_is_a_warning_and_counts_as_unknown() {
    let compiled = accepted(&with_policy("providers: [okta, Entra]"));
    assert_eq!(compiled.policies["p"].accepts.unknown, ["Entra"]);
    let warning = "c:7:40: policies[0].providers[1]: no provider has the name Entra; it counts as";
    assert!(compiled.warnings[0].starts_with(warning), "{:?}", compiled.warnings);
    refused(&with_policy("providers: ['a b']"), &["7:34: policies[0].providers[0]: not a name"]);
}

#[test]
fn two_providers_of_a_policy_share_no_issuer() {
    refused(
        &with_policy("providers: [okta, OKTA]"),
        &[
            "7:40: policies[0].providers[1]: two providers of one policy share the issuer https://okta",
        ],
    );
}

#[test]
fn scopes_fit_into_a_challenge() {
    for bad in ["'a b'", "'a\"'", "'a\\'", "ä"] {
        let text = with_policy(&format!("providers: [okta], scopes: {{all_of: [{bad}]}}"));
        refused(&text, &["7:59: policies[0].scopes.all_of[0]: not one scope"]);
    }
    let compiled = accepted(&with_policy("providers: [okta], scopes: {all_of: [a], any_of: []}"));
    assert_eq!(compiled.policies["p"].scopes.all_of, ["a"]);
}

#[test]
fn scopes_in_mode_optional_are_a_warning() {
    let text = with_policy("mode: optional, providers: [okta], scopes: {any_of: [r]}");
    assert!(
        accepted(&text).warnings[0].starts_with("c:7:65: policies[0].scopes: in mode optional")
    );
    let none = with_policy("mode: optional, providers: [okta], scopes: {any_of: []}");
    assert!(accepted(&none).warnings.is_empty());
}

#[test]
fn texts_of_the_challenge_are_safe_in_quotes() {
    let long = "a".repeat(129);
    for bad in ["'a\"b'", "'a\\b'", "ä", "\"a\\nb\"", long.as_str()] {
        let text = with_policy(&format!("providers: [okta], realm: {bad}"));
        refused(&text, &["7:48: policies[0].realm: not a realm"]);
    }
    for bad in ["/relative", "'https://x/\"'", "'https://x/\\'", "urn:x", "https://x/#f"] {
        let text = with_policy(&format!("providers: [okta], resource_metadata: {bad}"));
        refused(&text, &["7:60: policies[0].resource_metadata: "]);
    }
    let good = "providers: [okta], realm: my api, resource_metadata: https://x/.well-known/y";
    assert_eq!(&*accepted(&with_policy(good)).policies["p"].realm, "my api");
}

#[test]
fn the_audience_failure_status_is_401_or_403() {
    use crate::policy::AudienceFailure::{Forbidden, Unauthorized};
    for (status, failure) in [(401, Unauthorized), (403, Forbidden)] {
        let text = with_policy(&format!("providers: [okta], audience_failure_status: {status}"));
        assert_eq!(accepted(&text).policies["p"].audience_failure, failure);
    }
    refused(
        &with_policy("providers: [okta], audience_failure_status: 404"),
        &["7:66: policies[0].audience_failure_status: another status; 401 or 403"],
    );
}
