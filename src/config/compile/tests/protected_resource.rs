//! The document that clients read about a resource, and where it is served.

use serde_json::{Value, json};

use super::*;

/// The document and its URL.
#[track_caller]
fn document(policy: &str) -> (Value, String) {
    let compiled = accepted(&with_policy(&format!("providers: [okta], {policy}")));
    let policy = &compiled.policies["p"];
    let resource = policy.protected_resource.as_ref().unwrap();
    let url = policy.resource_metadata.as_ref().unwrap().to_string();
    (serde_json::from_str(&resource.document).unwrap(), url)
}

#[track_caller]
fn refuse(resource: &str, expected: &str) {
    let text = format!("providers: [okta], protected_resource: {{{resource}}}");
    refused(&with_policy(&text), &[expected]);
}

#[test]
fn by_default_the_issuers_of_the_policy_s_providers_are_the_servers() {
    let (document, url) = document("protected_resource: {resource: 'https://api:8/mcp'}");
    let expected = json!({
        "resource": "https://api:8/mcp",
        "authorization_servers": ["https://okta"],
        "bearer_methods_supported": ["header"],
    });
    assert_eq!(document, expected);
    assert_eq!(url, "https://api:8/.well-known/oauth-protected-resource/mcp");
}

#[test]
fn everything_may_be_said() {
    let (document, url) = document(
        "protected_resource: {resource: 'http://127.0.0.1:1', authorization_servers: ['https://as'], \
         scopes_supported: [mcp.read], resource_name: 'A \"B\"'}, \
         token_from: [{query: access_token}, {cookie: c}, {header: x-t}]",
    );
    let expected = json!({
        "resource": "http://127.0.0.1:1",
        "authorization_servers": ["https://as"],
        "scopes_supported": ["mcp.read"],
        "bearer_methods_supported": ["query"],
        "resource_name": "A \"B\"",
    });
    assert_eq!(document, expected);
    assert_eq!(url, "http://127.0.0.1:1/.well-known/oauth-protected-resource");
}

#[test]
fn an_address_that_the_operator_gives_wins_in_the_challenge() {
    let text = "resource_metadata: 'https://x/y', protected_resource: {resource: 'https://a/mcp'}";
    assert_eq!(document(text).1, "https://x/y");
}

#[test]
fn what_no_client_could_use_is_refused() {
    refuse("", "7:61: policies[0].protected_resource.resource: missing; the URL of the resource");
    let at = "7:72: policies[0].protected_resource.resource:";
    for (url, message) in [
        ("api", "not a URL"),
        ("http://api/mcp", "http to another host than loopback; https"),
        ("https://api/mcp#a", "a fragment"),
        ("https://api/mcp?a=b", "a query in the URL"),
        ("https://u:p@api/", "a user name"),
    ] {
        refuse(&format!("resource: '{url}'"), &format!("{at} {message}"));
    }
    let more = |key: &str, value: &str| format!("resource: 'https://a', {key}: {value}");
    let of = |column: u32, rest: &str| format!("7:{column}: policies[0].protected_resource.{rest}");
    refuse(&more("authorization_servers", "[]"), &of(108, "authorization_servers: an empty list"));
    refuse(
        &more("authorization_servers", "['http://as']"),
        &of(109, "authorization_servers[0]: http to another host than loopback"),
    );
    refuse(&more("scopes_supported", "['a b']"), &of(104, "scopes_supported[0]: not one scope"));
    refuse(&more("resource_name", r#""a\nb""#), &of(100, "resource_name: not a name"));
    refuse(&more("name", "x"), &of(85, "name: unknown key"));
}

#[test]
fn an_issuer_that_is_no_url_is_no_server_and_none_at_all_is_warned_about() {
    let policy = "providers: [okta], protected_resource: {resource: 'https://a'}";
    let text = with_policy(policy).replace("issuer: https://okta", "issuers: [okta, 'https://b']");
    let document = |text: &str| {
        let compiled = accepted(text);
        let resource = compiled.policies["p"].protected_resource.clone().unwrap();
        let document: Value = serde_json::from_str(&resource.document).unwrap();
        (document["authorization_servers"].clone(), compiled.warnings)
    };
    assert_eq!(document(&text).0, json!(["https://b"]));
    let (servers, warnings) = document(&text.replace("[okta, 'https://b']", "[okta]"));
    assert_eq!((servers, warnings.len()), (Value::Null, 1));
    assert!(warnings[0].contains("clients find no server"), "{warnings:?}");
}
