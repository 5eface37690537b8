//! Every option that names a header.

use super::{accepted, refused, with, with_policy};

#[test]
fn every_reserved_header_is_refused_wherever_a_header_stands() {
    for name in RESERVED {
        let rule = format!("claim_to_headers:\n- {{header: {name}, claim: sub}}");
        refused(&with(&rule), &["7:14: providers[0].claim_to_headers[0].header: "]);
        refused(
            &with(&format!("payload_header: {name}")),
            &["6:19: providers[0].payload_header: "],
        );
        refused(&format!("providers: []\nstrip_headers: [{name}]"), &["2:17: strip_headers[0]: "]);
        let forward = with_policy(&format!("providers: [okta], forward_token: {{header: {name}}}"));
        if name == "x-forwarded-authorization" {
            accepted(&forward);
        } else {
            refused(&forward, &["7:65: policies[0].forward_token.header: "]);
        }
    }
}

#[test]
fn one_provider_sets_a_header_once() {
    let rule = "claim_to_headers:\n- {claim: a, header: x-a}";
    let taken = "x-a is already set at c:7:24; choose another";
    refused(
        &with(&format!("{rule}\n- {{claim: b, header: X-A}}")),
        &[&format!("8:24: providers[0].claim_to_headers[1].header: {taken}")],
    );
    refused(&with(&format!("{rule}\n- {{claim: b, header: x_a}}")), &["8:24: "]);
    refused(&with(&format!("{rule}\n- {{claim: b, header: x.a}}")), &["8:24: "]);
    refused(
        &with(&format!("{rule}\npayload_header: x-a")),
        &[&format!("8:19: providers[0].payload_header: {taken}")],
    );
}

#[test]
fn the_forwarded_token_has_a_header_of_its_own() {
    let text = with("payload_header: x.a")
        + "\npolicies: [{name: p, providers: [okta], forward_token: {header: X-A}}]";
    refused(
        &text,
        &["7:65: policies[0].forward_token.header: provider okta sets this header, too"],
    );
}

#[test]
fn at_most_128_headers_are_owned_over_all() {
    let names: String = (0..128).map(|i| format!("- x-{i}\n")).collect();
    accepted(&(with("payload_header: x-0") + "\nstrip_headers:\n" + &names));
    refused(
        &(with("payload_header: x-a") + "\nstrip_headers:\n" + &names),
        &["135:3: strip_headers[127]: one header too many; 128 different ones in the whole config"],
    );
}

#[test]
fn headers_of_disabled_providers_and_of_every_option_are_owned() {
    let text = with(
        "enabled: false\npayload_header: x-p\nclaim_to_headers:\n- {value: issuer, header: X-C}",
    ) + "\npolicies: [{name: p, providers: [okta], forward_token: {header: x-f}}]\nstrip_headers: [s]";
    let owned = accepted(&text).owned_headers;
    let owned: Vec<&str> = owned.iter().map(|name| &**name).collect();
    assert_eq!(owned, ["s", "x-c", "x-f", "x-p", "x_c", "x_f", "x_p"]);
}

#[test]
fn claim_rules_name_a_known_value_and_format() {
    let rule = |rule: &str| with(&format!("claim_to_headers:\n- {{header: x, {rule}}}"));
    for good in [
        "claim: a, format: text",
        "claim: a, format: json",
        "claim: a, format: base64url",
        "value: provider",
        "value: issuer",
    ] {
        accepted(&rule(good));
    }
    let path = "providers[0].claim_to_headers[0]";
    refused(&rule("value: name"), &[&format!("7:24: {path}.value: unknown value; provider or")]);
    refused(
        &rule("claim: a, format: xml"),
        &[&format!("7:35: {path}.format: unknown format; text")],
    );
    refused(
        &rule("value: issuer, format: json"),
        &[&format!("7:40: {path}.format: a format besid")],
    );
}

const RESERVED: [&str; 46] = [
    "host",
    "authorization",
    "cookie",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "transfer-encoding",
    "expect",
    "via",
    "forwarded",
    "origin",
    "referer",
    "user-agent",
    "accept",
    "accept-language",
    "content-type",
    "content-length",
    "sec-fetch-mode",
    "proxy-authorization",
    "grpc-timeout",
    "traceparent",
    "tracestate",
    "x-request-id",
    "x-real-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method-override",
    "x-method-override",
    "x-api-key",
    "x-csrf-token",
    "csrf",
    "x-envoy-peer-metadata",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-client-cert",
    "x-forwarded-authorization",
    "Host",
    "Content_Type",
    "':path'",
    "a b",
    "'x:'",
    "ü",
];

#[test]
fn a_header_of_a_policy_is_one_of_its_own_and_owned() {
    let policy = |lines: &str| {
        with("claim_to_headers: [{claim: a, header: x-a}]\npayload_header: x-p")
            + &format!("\npolicies: [{{name: p, providers: [okta], claim_to_headers: [{lines}]}}]")
    };
    let compiled = accepted(&policy("{claim: b, header: x-b}, {value: issuer, header: x-c}"));
    let owned: Vec<&str> = compiled.owned_headers.iter().map(|name| &**name).collect();
    assert_eq!(owned, ["x-a", "x-b", "x-c", "x-p", "x_a", "x_b", "x_c", "x_p"]);
    let taken = "8:79: policies[0].claim_to_headers[0].header: provider okta sets this header, too";
    refused(&policy("{claim: b, header: X-A}"), &[taken]);
    refused(&policy("{claim: b, header: x_p}"), &["8:79: policies[0].claim_to_headers[0].header"]);
    refused(
        &policy("{claim: b, header: x-b}, {claim: c, header: x_b}"),
        &["8:104: policies[0].claim_to_headers[1].header: x-b is already set at c:8:79"],
    );
    refused(&policy("{claim: b, header: cookie}"), &["8:79: policies[0].claim_to_headers[0].h"]);
}

#[test]
fn on_overflow_is_omit_or_deny() {
    let rule = |more: &str| with(&format!("claim_to_headers: [{{claim: a, header: x-a{more}}}]"));
    for good in ["", ", on_overflow: omit", ", on_overflow: deny"] {
        accepted(&rule(good));
    }
    refused(
        &rule(", on_overflow: cut"),
        &["6:59: providers[0].claim_to_headers[0].on_overflow: unknown; omit or deny is accepted"],
    );
    refused(&rule(", on_overflow: true"), &["6:59: providers[0].claim_to_headers[0].on_overflow"]);
}

#[test]
fn metadata_claims_are_names_of_claims() {
    accepted(&with_policy("providers: [okta], metadata_claims: [sub, a.b, /a~1b]"));
    refused(
        &with_policy("providers: [okta], metadata_claims: [/a~b]"),
        &["7:59: policies[0].metadata_claims[0]: not a JSON Pointer"],
    );
    refused(&with_policy("providers: [okta], metadata_claims: sub"), &["7:58: policies[0].metad"]);
}

#[test]
fn two_providers_that_fill_one_header_are_told_apart_or_warned_about() {
    let warnings = |lines: &str, policy: &str| {
        let second = with(&format!("claim_to_headers: [{{claim: sub, header: x-sub}}{lines}]"))
            .replace("okta", "auth0");
        let second = second.strip_prefix("providers:\n").unwrap();
        let first = with("claim_to_headers: [{claim: email, header: x_sub}]");
        let text =
            format!("{first}\n{second}\npolicies: [{{name: p, providers: [okta, auth0]{policy}}}]");
        accepted(&text).warnings.len()
    };
    assert_eq!(warnings("", ""), 1);
    assert_eq!(warnings("", ", claim_to_headers: [{value: issuer, header: x-iss}]"), 0);
    assert_eq!(warnings("", ", claim_to_headers: [{claim: iss, header: x-iss}]"), 1);
    assert_eq!(warnings(", {value: provider, header: x-by}", ""), 0);
}
