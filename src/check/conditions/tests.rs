//! Subjects, claims and rules over tokens that are good in all else.

use super::*;
use crate::{
    check::{
        fixtures::{NOW, at, okta, orders, verified},
        request::Headers,
    },
    header::{HeaderTarget, OwnedHeaders},
    policy::{
        rule::{Effect, Rule, Rules},
        token_place::TokenHeader,
    },
    provider::{ClaimPath, Name},
};

/// What the conditions make of a token with these claims, sent with this request.
fn outcome(
    conditions: &Conditions,
    claims: &[(&str, &str)],
    http: &HttpView<'_>,
) -> Result<(), Unmet> {
    let owned = OwnedHeaders::new([&HeaderTarget::parse("x-auth-subject").unwrap()]);
    let asked = Asked { http, owned: &owned, now: at(NOW + 0.5) };
    let places = [TokenPlace::Header(TokenHeader::new("x-token".into(), None))];
    check(&verified(&orders(okta()), claims), conditions, &places, asked)
}

#[track_caller]
fn met(conditions: &Conditions, claims: &[(&str, &str)], expected: Result<(), &str>) {
    let unmet = outcome(conditions, claims, &HttpView::default()).map_err(|unmet| {
        assert_eq!(unmet.reason, Denial::RuleDenied.into());
        unmet.rule.unwrap()
    });
    assert_eq!(unmet, expected.map_err(str::to_owned), "{claims:?}");
}

fn subjects(subjects: &[&str]) -> Conditions {
    let subjects = subjects.iter().map(|&subject| subject.to_owned()).collect();
    Conditions { subjects, ..Conditions::default() }
}

fn claim(claim: &str, any_of: &[Scalar]) -> Conditions {
    let condition = ClaimCondition { claim: ClaimPath::parse(claim), any_of: any_of.to_vec() };
    Conditions { claims: vec![condition], ..Conditions::default() }
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

fn require(source: &str) -> Conditions {
    let rule = Rule::compile(Name::parse("one").unwrap(), Effect::Require, source).unwrap();
    Conditions { rules: Rules::new(vec![rule]), ..Conditions::default() }
}

const DENIED: Result<(), &str> = Err("claims[0]");

#[test]
fn no_condition_asks_for_nothing() {
    assert!(Conditions::default().is_empty());
    met(&Conditions::default(), &[("sub", "")], Ok(()));
}

#[test]
fn the_subject_is_one_of_the_list_exactly() {
    met(&subjects(&["bob", "alice"]), &[], Ok(()));
    met(&subjects(&["bob"]), &[], Err("subjects"));
    met(&subjects(&["Alice", "alice "]), &[], Err("subjects"));
    met(&subjects(&["alice"]), &[("sub", "")], Err("subjects"));
    met(&subjects(&["5"]), &[("sub", "5")], Err("subjects"));
    met(&subjects(&["alice"]), &[("sub", r#"["alice"]"#)], Err("subjects"));
}

#[test]
fn a_claim_or_one_of_its_elements_is_one_of_the_values() {
    let staff = claim("groups", &[text("staff"), text("admins")]);
    met(&staff, &[("groups", r#"["x","staff"]"#)], Ok(()));
    met(&staff, &[("groups", r#""admins""#)], Ok(()));
    met(&staff, &[("groups", r#"["x"]"#)], DENIED);
    met(&staff, &[("groups", r#"["Staff","staff "]"#)], DENIED);
    met(&staff, &[("groups", r#""x staff""#)], DENIED);
    met(&staff, &[("groups", "[]")], DENIED);
    met(&staff, &[("groups", r#"[["staff"]]"#)], DENIED);
    met(&staff, &[("groups", r#"{"staff":true}"#)], DENIED);
    met(&staff, &[], DENIED);
    let nested = claim("realm.roles", &[text("r")]);
    met(&nested, &[("realm", r#"{"roles":["r"]}"#)], Ok(()));
    met(&nested, &[("realm", r#"{"roles":["r"],"roles":["s"]}"#)], DENIED);
    met(&nested, &[("realm", r#"["r"]"#)], DENIED);
}

#[test]
fn values_of_other_types_are_not_equal() {
    let level = claim("level", &[Scalar::Integer(5)]);
    met(&level, &[("level", "5")], Ok(()));
    met(&level, &[("level", "[1,5]")], Ok(()));
    for other in ["\"5\"", "5.0", "5e0", "50", "true", "null", "9007199254740997"] {
        met(&level, &[("level", other)], DENIED);
    }
    for boolean in [true, false] {
        let asked = claim("x", &[Scalar::Boolean(boolean)]);
        met(&asked, &[("x", &boolean.to_string())], Ok(()));
        let others = [(!boolean).to_string(), format!("\"{boolean}\""), "null".into(), "0".into()];
        others.iter().for_each(|other| met(&asked, &[("x", other)], DENIED));
    }
    let proven = claim("email_verified", &[Scalar::Boolean(true)]);
    met(&proven, &[("email_verified", "true")], Ok(()));
    for other in ["false", "\"true\"", "1", "null"] {
        met(&proven, &[("email_verified", other)], DENIED);
    }
    met(&claim("a", &[text("null")]), &[("a", "null")], DENIED);
    met(&claim("a", &[text("true")]), &[("a", "true")], DENIED);
}

#[test]
fn every_condition_counts_and_the_first_that_fails_is_named() {
    let two = |rule: &str| Conditions {
        subjects: vec!["alice".to_owned()],
        claims: vec![
            ClaimCondition { claim: ClaimPath::parse("a"), any_of: vec![text("1")] },
            ClaimCondition { claim: ClaimPath::parse("b"), any_of: vec![text("2")] },
        ],
        ..require(rule)
    };
    let good = [("a", "\"1\""), ("b", "\"2\"")];
    met(&two("true"), &good, Ok(()));
    met(&two("false"), &good, Err("one"));
    met(&two("true"), &good[..1], Err("claims[1]"));
    met(&two("false"), &[("a", "\"x\""), ("sub", "\"bob\"")], Err("subjects"));
}

#[test]
fn a_rule_reads_claims_provider_scopes_and_the_clock() {
    met(&require(r#"claims.sub == "alice""#), &[], Ok(()));
    met(&require(r#"claims["a b"] == 1"#), &[("a b", "1")], Ok(()));
    met(&require(r#"provider == "okta" && "r" in scopes"#), &[("scope", "\"r w\"")], Ok(()));
    met(&require(r#""r" in scopes"#), &[], Err("one"));
    met(&require("now == 1700000000"), &[], Ok(()));
    met(&require("claims.exp - now <= 300"), &[], Ok(()));
    met(&require("claims.exp - now < 300"), &[], Err("one"));
    met(&require("claims.all(name, name != \"x\")"), &[("x", "1")], Err("one"));
}

#[track_caller]
fn asks(source: &str, http: &HttpView<'_>, expected: Result<(), Denial>) {
    let unmet = outcome(&require(source), &[], http).map_err(|unmet| unmet.reason);
    assert_eq!(unmet, expected.map_err(Reason::from), "{source}");
}

fn get<'a>(host: &'a str, path: &'a str) -> HttpView<'a> {
    HttpView { method: "GET", host, path, ..HttpView::default() }
}

#[test]
fn host_and_path_are_read_in_one_spelling() {
    let source = r#"request.host == "api.example.com" && request.path == "/a/b""#;
    for (host, path) in [
        ("api.example.com", "/a/b"),
        ("API.Example.com.:8080", "/a/b?x=/c"),
        ("api.example.com", "/%61/b"),
    ] {
        asks(source, &get(host, path), Ok(()));
    }
    asks(source, &get("api.example.com.evil", "/a/b"), Err(Denial::RuleDenied));
    asks(source, &get("api.example.com", "/A/b"), Err(Denial::RuleDenied));
}

#[test]
fn what_can_be_read_in_two_ways_is_malformed_where_a_rule_looks() {
    let path = r#"request.path.startsWith("/a") || true"#;
    for bad in ["/a/../b", "/a//b", "/a/%2e%2E/b", "/a%2fb", "/a;x", "/a\\b", "/a%00", "", "a"] {
        asks(path, &get("h", bad), Err(Denial::RequestMalformed));
        asks(r#"request.host == "h""#, &get("h", bad), Ok(()));
        asks("claims.sub == \"alice\"", &get("h", bad), Ok(()));
    }
    for bad in ["", "a b", "a,b", "a/b", "h:x"] {
        asks("request.host != \"h\"", &get(bad, "/"), Err(Denial::RequestMalformed));
        asks(r#"request.path == "/""#, &get(bad, "/"), Ok(()));
    }
    asks("request.method != \"DELETE\"", &HttpView::default(), Err(Denial::RequestMalformed));
}

#[test]
fn headers_are_read_without_credentials_and_identity_headers() {
    let lines: Vec<(&str, &[u8])> = vec![
        (":path", b"/x"),
        ("Host", b"h"),
        ("X-Tenant", b"acme"),
        ("x-list", b"a"),
        ("x-list", b"b"),
        ("x-raw", b"a\xff"),
        ("authorization", b"Bearer x"),
        ("Cookie", b"a=b"),
        ("proxy-authorization", b"x"),
        ("x-token", b"x"),
        ("X_Token", b"x"),
        ("x-auth-subject", b"root"),
        ("X_Auth_Subject", b"root"),
    ];
    let http = HttpView { headers: Headers(lines), ..get("h", "/") };
    asks(r#"request.headers["x-tenant"] == "acme""#, &http, Ok(()));
    asks(r#"request.headers["x-list"] == "a,b""#, &http, Ok(()));
    asks("request.headers[\"x-raw\"] == \"a\u{fffd}\"", &http, Ok(()));
    asks(r#"request.headers["x-tenant"] == "other""#, &http, Err(Denial::RuleDenied));
    asks("size(request.headers) == 3", &http, Ok(()));
    asks(r#""x-auth-subject" in request.headers"#, &http, Err(Denial::RuleDenied));
    let sees_secrets =
        r#"request.headers.exists(n, n.contains("auth") || n == "cookie" || n == ":path")"#;
    asks(sees_secrets, &http, Err(Denial::RuleDenied));
}
