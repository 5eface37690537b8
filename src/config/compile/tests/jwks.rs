//! `jwks` and `algorithms`.

use crate::{
    provider::{CaFile, JwksPlace, KeySource, KeysAt, pem::Pem},
    url::UrlText,
};

use super::{accepted, compile_text, refused, with};

fn with_jwks(jwks: &str) -> String {
    with("").replace("{uri: https://okta/keys}", jwks)
}

const ED25519: &str = "{kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}";
const OCT: &str = "{kty: oct, k: AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow}";

#[test]
fn a_uri_is_https_or_loopback_or_permitted() {
    for good in [
        "{uri: http://localhost:1/k}",
        "{uri: 'http://[::1]/k'}",
        "{uri: http://127.1.1.1}",
        "{uri: http://idp/k, allow_http: true}",
    ] {
        accepted(&with_jwks(good));
    }
    for (bad, message) in [
        ("http://idp/k", "http to another host"),
        ("idp/k", "not a URL"),
        ("ftp://idp/k", "not a URL"),
        ("https://u:p@idp/", "a user name or password"),
        ("https://idp/#x", "a fragment"),
        ("'https://idp/a b'", "a character"),
    ] {
        let expected = format!("5:15: providers[0].jwks.uri: {message}");
        refused(&with_jwks(&format!("{{uri: {bad}}}")), &[&expected]);
    }
    refused(
        &with_jwks("{uri: http://idp/, allow_http: false}"),
        &["5:15: providers[0].jwks.uri: "],
    );
}

#[test]
fn a_url_with_a_password_is_not_repeated() {
    let problem = compile_text(&with_jwks("{uri: https://u:hush@idp/}"), &[]).unwrap_err();
    assert!(!problem.to_string().contains("hush"));
}

#[test]
fn fetch_times_have_bounds() {
    for good in [
        "timeout: 1s",
        "timeout: 60s",
        "refresh_interval: 30s",
        "refresh_cooldown: 1s",
        "refresh_interval: 1h, max_stale: 1h",
        "refresh_interval: 25h, max_stale: 25h",
    ] {
        accepted(&with_jwks(&format!("{{uri: https://i/, {good}}}")));
    }
    for (bad, expected) in [
        ("timeout: 0s", "5:36: providers[0].jwks.timeout: out of range; 1s to 60s"),
        ("timeout: 61s", "5:36: providers[0].jwks.timeout: out of range"),
        ("refresh_interval: 29s", "5:45: providers[0].jwks.refresh_interval: out of range; 30s"),
        ("refresh_cooldown: 0s", "5:45: providers[0].jwks.refresh_cooldown: out of range; 1s"),
        (
            "max_stale: 9m",
            "5:38: providers[0].jwks.max_stale: shorter than refresh_interval (600s)",
        ),
        (
            "refresh_interval: 25h",
            "5:45: providers[0].jwks.refresh_interval: longer than max_stale",
        ),
    ] {
        refused(&with_jwks(&format!("{{uri: https://i/, {bad}}}")), &[expected]);
    }
}

#[test]
fn options_of_fetching_stand_only_beside_uri() {
    let options = "allow_http: false,\nca_file: x,\nskip_tls_verification: true,\ntimeout: 5s,\n\
                   refresh_interval: 1h,\nrefresh_cooldown: 1m,\nmax_stale: 2h,\n\
                   proxy: http://p,\ntoken_file: t";
    let text = with_jwks(&format!("{{inline: {{keys: [{ED25519}]}},\n   {options}}}"))
        .replace(",\n", ",\n   ");
    let problems = compile_text(&text, &[]).unwrap_err();
    assert_eq!(problems.iter().len(), 9, "{problems}");
    for problem in problems.iter() {
        assert!(problem.message.starts_with("only keys from jwks.uri are fetched"), "{problem}");
    }
}

fn found(text: &str) -> JwksPlace {
    let compiled = accepted(text);
    let KeySource::Remote(keys) = &compiled.providers["okta"].keys else { panic!("remote") };
    keys.place.clone()
}

#[track_caller]
fn check_discovery(provider: &str, expected: &str) {
    let text = with("").replace("  jwks: {uri: https://okta/keys}\n", provider);
    let KeysAt::Discovery { url, issuer, .. } = found(&text).at else { panic!("discovery") };
    assert_eq!(url.0, expected);
    assert_eq!(&*issuer.0, "https://okta");
}

#[test]
fn without_jwks_or_a_source_in_it_keys_are_found_by_discovery() {
    let well_known = "https://okta/.well-known/openid-configuration";
    check_discovery("", well_known);
    check_discovery("  jwks: {}\n", well_known);
    check_discovery("  jwks: {timeout: 9s, token_file: t}\n", well_known);
    check_discovery("  discovery_url: https://else/x?y\n", "https://else/x?y");
    check_discovery("  discovery_url: http://[::1]:1/\n", "http://[::1]:1/");
    check_discovery("  discovery_url: http://else/\n  jwks: {allow_http: true}\n", "http://else/");
}

#[test]
fn jwks_wins_over_discovery_url() {
    let text = with("discovery_url: https://else/x");
    assert_eq!(found(&text).at, KeysAt::Set { uri: UrlText("https://okta/keys".to_owned()) });
}

#[test]
fn discovery_needs_a_url_that_may_be_fetched() {
    let without = with("").replace("  jwks: {uri: https://okta/keys}\n", "");
    for issuer in ["okta", "urn:okta", "http://okta", "https://okta/?a=b", "https://okta/#a"] {
        let text = without.replace("issuer: https://okta", &format!("issuer: '{issuer}'"));
        refused(&text, &["3:11: providers[0].issuer: without jwks the keys are found by"]);
    }
    for url in ["okta", "http://okta/", "https://u:p@okta/"] {
        let line = format!("discovery_url: '{url}'");
        refused(&(without.clone() + &line), &["5:18: providers[0].discovery_url: "]);
        refused(&with(&line), &["6:18: providers[0].discovery_url: "]);
    }
    refused(
        &(without + "algorithms: [HS256]"),
        &["5:16: providers[0].algorithms[0]: a symmetric algorithm with jwks.uri or discovery"],
    );
}

#[test]
fn a_proxy_is_a_url_without_a_path() {
    for good in ["http://proxy:3128", "https://proxy/", "http://[::1]:1"] {
        let jwks = format!("{{uri: https://i/, proxy: '{good}'}}");
        assert_eq!(found(&with_jwks(&jwks)).proxy.as_deref(), Some(good));
    }
    for bad in ["proxy:3128", "socks5://proxy", "http://u:p@proxy", "http://p/x", "http://p?x"] {
        let jwks = format!("{{uri: https://i/, proxy: '{bad}'}}");
        refused(&with_jwks(&jwks), &["5:34: providers[0].jwks.proxy: "]);
    }
}

#[test]
fn places_that_differ_in_any_way_are_not_shared() {
    let ways = ["", "proxy: http://p", "token_file: t", "skip_tls_verification: true"];
    let places: std::collections::HashSet<_> =
        ways.iter().map(|way| found(&with_jwks(&format!("{{uri: https://i/, {way}}}")))).collect();
    assert_eq!(places.len(), ways.len());
}

#[test]
fn a_token_for_a_server_that_is_not_verified_is_a_warning() {
    let jwks = "{uri: https://i/, token_file: t, skip_tls_verification: true}";
    assert_eq!(accepted(&with_jwks(jwks)).warnings.len(), 2);
}

#[test]
fn skipping_tls_verification_is_a_warning() {
    let compiled = accepted(&with_jwks("{uri: https://i/, skip_tls_verification: true}"));
    assert_eq!(compiled.warnings.len(), 1);
    let place = "c:5:50: providers[0].jwks.skip_tls_verification: ";
    assert!(compiled.warnings[0].starts_with(place), "{:?}", compiled.warnings);
    let KeySource::Remote(keys) = &compiled.providers["okta"].keys else { panic!("remote") };
    assert!(!keys.place.verify_tls);
}

#[test]
fn inline_sets_are_yaml_or_json_text() {
    for good in [
        format!("{{inline: {{keys: [{ED25519}]}}}}"),
        "{inline: '{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\
         \"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}'}"
            .to_owned(),
    ] {
        let compiled = accepted(&with_jwks(&good));
        assert!(matches!(compiled.providers["okta"].keys, KeySource::Local(_)));
    }
    for (bad, message) in [
        ("'no JSON'", "not a JWK Set"),
        ("{}", "not a JWK Set"),
        ("[a]", "not a JWK Set"),
        ("{keys: []}", "no usable key"),
        ("{keys: [{kty: RSA}]}", "no usable key"),
    ] {
        let expected = format!("5:18: providers[0].jwks.inline: {message}");
        refused(&with_jwks(&format!("{{inline: {bad}}}")), &[&expected]);
    }
}

#[test]
fn an_unusable_key_beside_a_usable_one_is_a_warning() {
    let compiled = accepted(&with_jwks(&format!("{{inline: {{keys: [{ED25519}, {{kty: x}}]}}}}")));
    let expected =
        "c:5:18: providers[0].jwks.inline: keys[1] is skipped: unsupported key type or curve";
    assert_eq!(compiled.warnings, [expected]);
}

#[test]
fn symmetric_keys_count_only_with_a_symmetric_algorithm_and_never_from_a_uri() {
    let jwks = with_jwks(&format!("{{inline: {{keys: [{OCT}]}}}}"));
    refused(&jwks, &["5:18: providers[0].jwks.inline: no usable key; one for any of RS256"]);
    accepted(&(jwks.clone() + "algorithms: [HS256]"));
    refused(&(jwks + "algorithms: [ES256]"), &["5:18: providers[0].jwks.inline: no usable key"]);
    refused(
        &with("algorithms: [RS256, HS256]"),
        &["6:23: providers[0].algorithms[1]: a symmetric algorithm with jwks.uri"],
    );
}

#[test]
fn algorithms_are_exact_names() {
    accepted(&with("algorithms: [Ed25519, ES512]"));
    for bad in ["none", "rs256", "RSA", "ES256K"] {
        let expected = "6:16: providers[0].algorithms[0]: unknown algorithm; accepted are RS256, ";
        refused(&with(&format!("algorithms: [{bad}]")), &[expected]);
    }
}

#[test]
fn side_files_are_found_from_the_config_file() {
    let keys = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\
                \"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
    let compiled = compile_text(&with_jwks("{file: k.json}"), &[("k.json", keys)]).unwrap();
    assert!(matches!(compiled.providers["okta"].keys, KeySource::Local(_)));
    let problem = compile_text(&with_jwks("{file: k.json}"), &[("k.json", "{}")]).unwrap_err();
    assert!(problem.to_string().starts_with("c:5:16: providers[0].jwks.file: not a JWK Set"));
}

#[test]
fn an_unreadable_file_is_a_warning_and_the_config_stands() {
    let compiled = accepted(&with_jwks("{file: k.json}"));
    assert!(matches!(compiled.providers["okta"].keys, KeySource::Unreadable));
    assert!(compiled.warnings[0].starts_with("c:5:16: providers[0].jwks.file: k.json cannot be"));
    let compiled = accepted(&with_jwks("{uri: https://i, ca_file: ca.pem}"));
    let KeySource::Remote(keys) = &compiled.providers["okta"].keys else { panic!("remote") };
    assert_eq!(keys.place.ca, CaFile::Unreadable);
    assert!(compiled.warnings[0].starts_with("c:5:35: providers[0].jwks.ca_file: ca.pem cannot"));
}

#[test]
fn a_ca_file_holds_a_certificate() {
    let text = with_jwks("{uri: https://i, ca_file: ca.pem}");
    let pem = "# CA\n-----BEGIN CERTIFICATE-----\n";
    let compiled = compile_text(&text, &[("ca.pem", pem)]).unwrap();
    let KeySource::Remote(keys) = &compiled.providers["okta"].keys else { panic!("remote") };
    assert_eq!(keys.place.ca, CaFile::Pem(Pem::new(pem.as_bytes().into())));
    let problem = compile_text(&text, &[("ca.pem", "-----BEGIN PRIVATE KEY-----")]).unwrap_err();
    assert!(problem.to_string().starts_with("c:5:35: providers[0].jwks.ca_file: ca.pem holds no"));
}
