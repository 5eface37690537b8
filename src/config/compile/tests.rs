//! Whole configs, from text to meaning: names, providers, and what every test here needs.

mod conditions;
mod headers;
mod jwks;
mod policy;
mod protected_resource;
mod routes;
mod token_from;

use std::path::Path;

use crate::provider::{CaFile, KeySource};

use super::*;

fn compile_text(text: &str, side: &[(&str, &str)]) -> Result<Compiled, Problems> {
    let side = side
        .iter()
        .map(|(path, text)| (PathBuf::from(path), SideFile::Content(text.as_bytes().into())))
        .collect();
    compile(&[ConfigFile::read(Path::new("c"), text.as_bytes())], &side, &Providers::new())
}

/// `expected` are the starts of all problems, without `c:`.
#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    let problems = compile_text(text, &[]).map(|_| "accepted").unwrap_err();
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        let expected = format!("c:{expected}");
        assert!(problem.starts_with(&expected), "{problem} does not start with {expected}");
    }
}

#[track_caller]
fn accepted(text: &str) -> Compiled {
    compile_text(text, &[]).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A good provider on lines 1 to 5; more of it from line 6.
fn with(more: &str) -> String {
    let more = more.replace('\n', "\n  ");
    format!(
        "providers:\n- name: okta\n  issuer: https://okta\n  audiences: [api]\n  \
         jwks: {{uri: https://okta/keys}}\n  {more}"
    )
}

/// A policy on line 7, after a good provider.
fn with_policy(policy: &str) -> String {
    with("") + &format!("\npolicies: [{{name: p, {policy}}}]")
}

#[test]
fn an_explicitly_empty_config_is_one() {
    let compiled = accepted("providers: []");
    assert!(compiled.providers.is_empty() && compiled.warnings.is_empty());
}

#[test]
fn defaults_are_those_of_the_reference() {
    let compiled = accepted(&(with("") + "\npolicies: [{name: P, providers: [OKTA]}]"));
    let okta = &compiled.providers["okta"];
    let KeySource::Remote(keys) = &okta.keys else { panic!("remote") };
    let seconds = [keys.timeout, keys.refresh_interval, keys.refresh_cooldown, keys.max_stale];
    assert_eq!(seconds.map(|d| d.as_secs()), [5, 600, 30, 86400]);
    assert!(okta.enabled && keys.place.verify_tls && keys.place.ca == CaFile::None);
    assert_eq!((okta.leeway.as_secs(), okta.max_lifetime), (60, None));
    assert_eq!(okta.scope_claims.iter().map(|c| &*c.name).collect::<Vec<_>>(), ["scope", "scp"]);
    assert_eq!(&*compiled.policies["p"].realm, "api");
    assert!(compiled.policies["p"].accepts.owner_of("https://okta").is_some());
}

#[test]
fn five_mistakes_of_every_kind_are_five_problems() {
    refused(
        "providers:\n- name: a b\n  isuer: x\n  issuer: i\n  audiences: 5\n  jwks: {uri: http://x}\n\
         default_policy: nobody",
        &[
            "2:9: providers[0].name: not a name; accepted are 1 to 63",
            "3:3: providers[0].isuer: unknown key; did you mean `issuer`?",
            "5:14: providers[0].audiences: found a number",
            "6:15: providers[0].jwks.uri: http to another host than loopback",
            "7:17: default_policy: no policy has this name; accepted are (there is none)",
        ],
    );
}

#[test]
fn names_are_unique_ignoring_case() {
    refused(
        "policies: [{name: a, mode: anonymous},\n {name: A, mode: anonymous}]",
        &["2:9: policies[1].name: the name is taken at c:1:19; case does not count"],
    );
}

#[test]
fn one_issuer_stands_once_in_a_provider() {
    let text = with("").replace("issuer: https://okta", "issuers: [a, b, a]");
    refused(&text, &["3:19: providers[0].issuers[2]: the same issuer as at c:3:13"]);
}

#[test]
fn times_of_tokens_have_bounds() {
    for good in ["leeway: 0s", "leeway: 10m", "max_lifetime: 1s"] {
        accepted(&with(good));
    }
    refused(&with("leeway: 601s"), &["6:11: providers[0].leeway: out of range; 0s to 10m"]);
    refused(&with("max_lifetime: 0s"), &["6:17: providers[0].max_lifetime: out of range"]);
}

#[test]
fn token_types_ignore_case_and_the_application_prefix() {
    let compiled = accepted(&with("token_types: [Application/AT+jwt, JWT]"));
    let types = crate::provider::TokenTypes::OneOf(vec!["at+jwt".into(), "jwt".into()]);
    assert_eq!(compiled.providers["okta"].token_types, types);
    refused(
        &with("token_types: [application/]"),
        &["6:17: providers[0].token_types[0]: not a med"],
    );
}

#[test]
fn a_json_pointer_escapes_tildes() {
    accepted(&with("audience_claim: /a~0b~1c"));
    accepted(&with("audience_claim: a~b"));
    refused(&with("audience_claim: /a~b"), &["6:19: providers[0].audience_claim: not a JSON Po"]);
    refused(
        &with("scope_claims: [/~]"),
        &["6:18: providers[0].scope_claims[0]: not a JSON Pointer"],
    );
    refused(&with("required_claims: {/~2: x}"), &["6:21: providers[0].required_claims./~2: not a"]);
}
