//! Every field of a policy: what it lets pass, and what it refuses. The table is held to the keys
//! that a config accepts.

use std::collections::BTreeSet;

use claimgate::config::load::Reading;
use serde_json::{Value, json};

use crate::support::{
    answer::Answer,
    claims,
    keys::{ES256, RS256},
    provider,
    request::TestRequest,
    server::TestServer,
    with,
};

/// A field, a policy that has it, and what is asked of it.
struct Field {
    name: &'static str,
    members: &'static str,
    cases: Vec<Case>,
}

/// A request, what it is answered, and what the answer shows, see [`shown`].
struct Case {
    request: TestRequest,
    status: u32,
    reason: &'static str,
    shows: &'static str,
}

/// A good token with these claims.
fn signed(members: &[(&str, Value)]) -> String {
    let add = |claims, (name, value): &(&str, Value)| with(claims, name, value.clone());
    ES256.token(&members.iter().fold(claims("https://a.example"), add))
}

fn bearer(members: &[(&str, Value)]) -> TestRequest {
    TestRequest::bearer(&signed(members))
}

fn to(mut request: TestRequest, method: &str, path: &str) -> TestRequest {
    (request.http.method, request.http.path) = (method.to_owned(), path.to_owned());
    request.http.host = "api.example.com".to_owned();
    request
}

/// A good token whose signature is another's.
fn forged() -> TestRequest {
    let header = json!({ "alg": "ES256", "kid": ES256.kid });
    TestRequest::bearer(&RS256.token_with(header, &claims("https://a.example")))
}

fn nobody() -> TestRequest {
    TestRequest::default()
}

fn allow(request: TestRequest, shows: &'static str) -> Case {
    Case { request, status: 200, reason: "", shows }
}

fn deny(request: TestRequest, status: u32, reason: &'static str) -> Case {
    Case { request, status, reason, shows: "" }
}

/// Denied, and the answer shows this.
fn deny_with(request: TestRequest, status: u32, reason: &'static str, shows: &'static str) -> Case {
    Case { request, status, reason, shows }
}

/// Each header that is set, `NAME: VALUE`; each that is taken off, `-NAME`; the dynamic metadata,
/// `NAME=VALUE`; and the body.
fn shown(answer: &Answer) -> String {
    let set = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
    let removed = answer.removed.iter().map(|name| format!("-{name}\n"));
    let told = answer.metadata.iter().map(|(name, value)| format!("{name}={value}\n"));
    set.chain(removed).chain(told).chain([answer.body.clone()]).collect()
}

/// Who may come: which tokens, of whom and for whom.
#[expect(clippy::too_many_lines, reason = "one table, a row a case")]
fn about_the_token() -> Vec<Field> {
    let audience = |list: &[&str]| bearer(&[("aud", json!(list))]);
    let scope = |text: &str| bearer(&[("scope", text.into())]);
    let team = |value: Value| bearer(&[("team", value)]);
    let other = TestRequest::bearer(&RS256.token(&claims("https://b.example")));
    vec![
        Field {
            name: "providers",
            members: "",
            cases: vec![
                allow(bearer(&[]), "x-auth-provider: a"),
                deny(other, 401, "issuer_not_allowed"),
                deny(bearer(&[("iss", "https://A.example".into())]), 401, "issuer_not_allowed"),
                deny(forged(), 401, "signature_invalid"),
            ],
        },
        Field {
            name: "mode",
            members: "mode: optional, scopes: { all_of: [read] }",
            cases: vec![
                allow(nobody(), "-x-auth-subject"),
                allow(scope("read"), "x-auth-subject: alice"),
                deny(forged(), 401, "signature_invalid"),
                deny(bearer(&[]), 403, "scope_insufficient"),
            ],
        },
        Field {
            name: "audiences",
            members: "audiences: [orders, o2]",
            cases: vec![
                allow(audience(&["test-api", "o2"]), ""),
                deny(audience(&["test-api"]), 401, "audience_not_allowed"),
                deny(audience(&["orders", "o2"]), 401, "audience_not_allowed"),
                deny(audience(&["test-api", "Orders"]), 401, "audience_not_allowed"),
            ],
        },
        Field {
            name: "scopes",
            members: "scopes: { all_of: [read, list], any_of: [x, y] }",
            cases: vec![
                allow(scope("y list z read"), ""),
                deny_with(scope("read x"), 403, "scope_insufficient", "scope=\"read list x y\""),
                deny(scope("read list"), 403, "scope_insufficient"),
                deny(scope("READ list x"), 403, "scope_insufficient"),
                deny(bearer(&[]), 403, "scope_insufficient"),
            ],
        },
        Field {
            name: "subjects",
            members: "subjects: [alice, bob]",
            cases: vec![
                allow(bearer(&[]), ""),
                deny_with(bearer(&[("sub", "Alice".into())]), 403, "rule_denied", "rule=subjects"),
                deny(bearer(&[("sub", Value::Null)]), 403, "rule_denied"),
                deny(bearer(&[("sub", json!(["alice"]))]), 403, "rule_denied"),
            ],
        },
        Field {
            name: "claims",
            members: "claims: [{ claim: team, any_of: [blue, 7] }, { claim: sub, any_of: [alice] }]",
            cases: vec![
                allow(team(json!(["red", "blue"])), ""),
                allow(team(json!(7)), ""),
                deny_with(team(json!("red")), 403, "rule_denied", "rule=claims[0]"),
                deny(team(json!("7")), 403, "rule_denied"),
                deny(bearer(&[]), 403, "rule_denied"),
            ],
        },
    ]
}

/// Which rules are run, and in which order they count.
fn about_rules() -> Vec<Field> {
    let of = |team: &str, method: &str| to(bearer(&[("team", team.into())]), method, "/");
    vec![Field {
        name: "rules",
        members: "rules: [{ name: a1, allow: 'claims.team == \"blue\"' }, { name: a2, allow: 'request.method == \"GET\"' }, { name: r, require: 'has(claims.sub)' }, { name: d, deny: 'claims.team == \"evil\"' }]",
        cases: vec![
            allow(of("blue", "POST"), ""),
            allow(of("red", "GET"), ""),
            deny_with(of("evil", "GET"), 403, "rule_denied", "rule=d"),
            deny(of("red", "POST"), 403, "rule_denied"),
            deny_with(
                to(bearer(&[("team", "blue".into()), ("sub", Value::Null)]), "GET", "/"),
                403,
                "rule_denied",
                "rule=r",
            ),
            // Without the claim no rule that reads it can be evaluated.
            deny(to(bearer(&[]), "GET", "/"), 403, "rule_denied"),
        ],
    }]
}

/// Where the token is, and what becomes of it.
#[expect(clippy::too_many_lines, reason = "one table, a row a case")]
fn about_the_credential() -> Vec<Field> {
    let token = signed(&[]);
    let cookie = |method: &str| to(nobody().header("cookie", &format!("sid={token}")), method, "/");
    let query = to(nobody(), "GET", &format!("/?t={token}"));
    let twice = query.clone().header("x-token", &token);
    let asks = |method: &str| {
        let request = nobody().header("access-control-request-method", "PUT");
        to(request.header("origin", "https://app.example"), method, "/")
    };
    vec![
        Field {
            name: "token_from",
            members: "token_from: [{ header: x-token }, { query: t }, { cookie: sid }]",
            cases: vec![
                allow(nobody().header("x-token", &token), ""),
                allow(query, "-authorization"),
                allow(cookie("GET"), ""),
                deny(bearer(&[]), 401, "credentials_missing"),
                deny(nobody().header("x-token", "x"), 401, "token_malformed"),
                deny(cookie("POST"), 400, "request_malformed"),
                deny(twice, 400, "multiple_credentials"),
            ],
        },
        Field {
            name: "allow_cors_preflight",
            members: "allow_cors_preflight: true",
            cases: vec![
                allow(asks("OPTIONS"), "-x-auth-subject"),
                deny(asks("GET"), 401, "credentials_missing"),
                deny(to(nobody(), "OPTIONS", "/"), 401, "credentials_missing"),
                deny(
                    asks("OPTIONS").header("authorization", "Basic x"),
                    401,
                    "credentials_missing",
                ),
                deny(asks("OPTIONS").header("authorization", "Bearer x"), 401, "token_malformed"),
            ],
        },
        Field {
            name: "forward_token",
            members: "forward_token: true",
            cases: vec![
                allow(bearer(&[]), "-x-copy"),
                deny(forged(), 401, "signature_invalid"),
                deny(nobody(), 401, "credentials_missing"),
            ],
        },
        Field {
            name: "forward_token",
            members: "forward_token: false",
            cases: vec![
                allow(bearer(&[]), "-authorization"),
                deny(forged(), 401, "signature_invalid"),
                deny(nobody(), 401, "credentials_missing"),
            ],
        },
        Field {
            name: "forward_token",
            members: "forward_token: { header: x-copy }",
            cases: vec![
                allow(bearer(&[]), "x-copy: Bearer ey"),
                deny(forged(), 401, "signature_invalid"),
                deny(nobody().header("x-copy", "Bearer x"), 401, "credentials_missing"),
            ],
        },
    ]
}

/// What upstream, proxy and log learn.
fn about_what_is_told() -> Vec<Field> {
    let team = |value: Value| bearer(&[("team", value)]);
    let long = json!("x".repeat(8193));
    vec![
        Field {
            name: "claim_to_headers",
            members: "claim_to_headers: [{ claim: team, header: x-team }, { claim: note, header: x-note, on_overflow: omit }]",
            cases: vec![
                allow(team("blue".into()), "x-team: blue"),
                allow(
                    nobody()
                        .header("x-team", "x")
                        .header("authorization", &format!("Bearer {}", signed(&[]))),
                    "-x-team",
                ),
                allow(bearer(&[("note", long.clone())]), "-x-note"),
                deny(team(long), 401, "claims_malformed"),
                deny(team(json!([null])), 401, "claims_malformed"),
            ],
        },
        Field {
            name: "metadata_claims",
            members: "metadata_claims: [team], subjects: [alice]",
            cases: vec![
                allow(team("blue".into()), "blue"),
                deny_with(
                    bearer(&[("team", "blue".into()), ("sub", "bob".into())]),
                    403,
                    "rule_denied",
                    "blue",
                ),
                // Nothing of a token that is not proven.
                deny_with(
                    bearer(&[("team", "blue".into()), ("aud", "x".into())]),
                    401,
                    "audience_not_allowed",
                    "!blue",
                ),
            ],
        },
    ]
}

/// What the client is told.
#[expect(clippy::too_many_lines, reason = "one table, a row a case")]
fn about_the_answer() -> Vec<Field> {
    const DOCUMENT: &str = "/.well-known/oauth-protected-resource/mcp";
    let elsewhere = || bearer(&[("aud", "x".into())]);
    vec![
        Field {
            name: "realm",
            members: "realm: shop",
            cases: vec![
                allow(bearer(&[]), "!realm="),
                deny_with(nobody(), 401, "credentials_missing", "Bearer realm=\"shop\""),
                deny_with(forged(), 401, "signature_invalid", "Bearer realm=\"shop\", error="),
            ],
        },
        Field {
            name: "resource_metadata",
            members: "resource_metadata: 'https://m.example/x'",
            cases: vec![
                allow(bearer(&[]), "!m.example"),
                deny_with(
                    nobody(),
                    401,
                    "credentials_missing",
                    "resource_metadata=\"https://m.example/x\"",
                ),
                deny_with(elsewhere(), 401, "audience_not_allowed", "=\"https://m.example/x\""),
            ],
        },
        Field {
            name: "protected_resource",
            members: "protected_resource: { resource: 'https://api.example.com/mcp' }",
            cases: vec![
                allow(to(nobody(), "GET", DOCUMENT), "outcome=answered"),
                allow(
                    to(forged(), "GET", DOCUMENT),
                    "\"authorization_servers\":[\"https://a.example\"]",
                ),
                allow(to(bearer(&[]), "POST", DOCUMENT), "outcome=allowed"),
                deny(to(nobody(), "POST", DOCUMENT), 401, "credentials_missing"),
                deny(to(nobody(), "GET", &format!("{DOCUMENT}/x")), 401, "credentials_missing"),
                deny_with(to(nobody(), "GET", "/mcp"), 401, "credentials_missing", DOCUMENT),
            ],
        },
        Field {
            name: "audience_failure_status",
            members: "audience_failure_status: 403, audiences: [orders]",
            cases: vec![
                allow(bearer(&[("aud", json!(["test-api", "orders"]))]), ""),
                deny(elsewhere(), 403, "audience_not_allowed"),
                deny(bearer(&[]), 403, "audience_not_allowed"),
                deny(forged(), 401, "signature_invalid"),
            ],
        },
    ]
}

fn fields() -> Vec<Field> {
    let parts = [
        about_the_token(),
        about_rules(),
        about_the_credential(),
        about_what_is_told(),
        about_the_answer(),
    ];
    parts.into_iter().flatten().collect()
}

/// A policy `pN` for the `N`th field.
fn config() -> String {
    let a = provider("a", "https://a.example", &ES256.jwks());
    let b = provider("b", "https://b.example", &RS256.jwks());
    let policy = |(at, field): (usize, &Field)| {
        format!("- {{ name: p{at}, providers: [a], {} }}\n", field.members)
    };
    let policies: String = fields().iter().enumerate().map(policy).collect();
    format!("providers:\n{a}{b}policies:\n{policies}")
}

#[tokio::test]
async fn every_field_lets_pass_and_refuses_what_it_should() {
    let server = TestServer::start(&config()).await;
    for (at, field) in fields().into_iter().enumerate() {
        let denials = field.cases.iter().filter(|case| case.status != 200).count();
        assert!(denials >= 2 && denials < field.cases.len(), "{}", field.members);
        for (number, case) in field.cases.into_iter().enumerate() {
            let what = format!("{}, case {number}", field.members);
            let request = case.request.filter(&json!({ "policy": format!("p{at}") }));
            let answer = server.check(request).await;
            assert_eq!((answer.status, answer.reason()), (case.status, case.reason), "{what}");
            let shown = shown(&answer);
            match case.shows.strip_prefix('!') {
                Some(hidden) => assert!(!shown.contains(hidden), "{what}: {shown}"),
                None => assert!(shown.contains(case.shows), "{what}: {shown}"),
            }
        }
    }
}

/// What the refusal of an unknown key says is accepted.
#[test]
fn the_table_has_every_field_that_a_policy_accepts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.yaml");
    let policy = "{ name: a, mode: anonymous, none-of-them: 1 }";
    std::fs::write(&file, format!("providers: []\npolicies: [{policy}]\n")).unwrap();
    let problems = Reading::take(&file).compile().map(|_| "accepted").unwrap_err().to_string();
    let (_, accepted) = problems.trim().split_once("unknown key; accepted are ").unwrap();
    let accepted: BTreeSet<_> = accepted.split(", ").filter(|key| *key != "name").collect();
    assert_eq!(fields().iter().map(|field| field.name).collect::<BTreeSet<_>>(), accepted);
}
