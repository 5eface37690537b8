//! Rules, subjects and claims of a policy, from the config to the answer.

use serde_json::{Value, json};

use crate::support::{
    claims, keys::ES256, provider, request::TestRequest, server::TestServer, with,
};

/// A policy of this name for each text, in this mode.
async fn serving(mode: &str, policies: &[(&str, &str)]) -> TestServer {
    let providers = provider("a", "https://a.example", &ES256.jwks());
    let policies: String = policies
        .iter()
        .map(|(name, keys)| format!("- {{ name: {name}, mode: {mode}, providers: [a], {keys} }}\n"))
        .collect();
    TestServer::start(&format!("providers:\n{providers}policies:\n{policies}")).await
}

fn token(name: &str, value: Value) -> TestRequest {
    TestRequest::bearer(&ES256.token(&with(claims("https://a.example"), name, value)))
}

fn under(request: TestRequest, policy: &str) -> TestRequest {
    request.filter(&json!({ "policy": policy }))
}

#[tokio::test]
async fn the_groups_example_lets_only_the_group_in() {
    let rule = r#"rules: [{ name: ai-users, require: '"AI-Users" in claims.groups' }]"#;
    let server = serving("strict", &[("ai", rule)]).await;
    let groups = |groups: Value| under(token("groups", groups), "ai");
    let answer = server.expect(groups(json!(["staff", "AI-Users"])), 200, "").await;
    assert_eq!(answer.header("x-auth-subject"), "alice");
    for other in [json!(["staff"]), json!("AI"), json!(["ai-users"]), json!([]), Value::Null] {
        let answer = server.expect(groups(other), 403, "rule_denied").await;
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"api\"");
        assert_eq!(answer.body, r#"{"error":"access_denied","error_description":"access denied"}"#);
        let metadata = ["subject", "rule"].map(|name| answer.metadata[name].as_str());
        assert_eq!((answer.code, metadata), (7, ["alice", "ai-users"]));
    }
    server.expect(groups(json!("the AI-Users")), 403, "rule_denied").await;
}

#[tokio::test]
async fn a_remembered_token_is_held_to_the_rules_of_each_request() {
    let rule = r#"rules: [{ name: get, require: 'request.method == "GET"' }]"#;
    let server = serving("strict", &[("get", rule)]).await;
    let token = ES256.token(&claims("https://a.example"));
    let request = |method: &str| {
        let mut request = under(TestRequest::bearer(&token), "get");
        request.http.method = method.to_owned();
        request
    };
    for (method, status) in [("GET", 200), ("DELETE", 403), ("GET", 200), ("get", 403)] {
        assert_eq!(server.check(request(method)).await.status, status, "{method}");
    }
    assert_eq!(server.metric("claimgate_token_cache_hits_total").await, Some(3.0));
}

#[tokio::test]
async fn scopes_come_before_rules_and_the_token_before_both() {
    let keys = "scopes: { all_of: [s] }, rules: [{ name: never, require: 'false' }]";
    let server = serving("strict", &[("both", keys)]).await;
    server.expect(under(token("scope", json!("s")), "both"), 403, "rule_denied").await;
    server.expect(under(token("scope", json!("x")), "both"), 403, "scope_insufficient").await;
    server.expect(under(token("aud", json!("x")), "both"), 401, "audience_not_allowed").await;
    server.expect(under(TestRequest::default(), "both"), 401, "credentials_missing").await;
}

#[tokio::test]
async fn modes_treat_a_failed_rule_as_a_missing_scope() {
    let keys = "rules: [{ name: never, require: 'false' }]";
    for (mode, bad, none) in [
        ("strict", (403, "rule_denied"), (401, "credentials_missing")),
        ("optional", (403, "rule_denied"), (200, "")),
        ("permissive", (200, "rule_denied"), (200, "credentials_missing")),
        ("anonymous", (200, ""), (200, "")),
    ] {
        let server = serving(mode, &[("p", keys)]).await;
        let answer = server.expect(under(token("a", json!(1)), "p"), bad.0, bad.1).await;
        assert!(answer.status != 200 || answer.is_anonymous(), "{mode}: {:?}", answer.headers);
        let removed = answer.removed.iter().any(|name| name == "authorization");
        assert_eq!(removed, mode == "permissive", "{mode}");
        server.expect(under(TestRequest::default(), "p"), none.0, none.1).await;
    }
}

#[tokio::test]
async fn a_path_that_reads_in_two_ways_is_malformed_in_every_mode_but_only_where_a_rule_looks() {
    let path = r#"rules: [{ name: path, deny: 'request.path.startsWith("/admin")' }]"#;
    let method = r#"rules: [{ name: method, deny: 'request.method == "DELETE"' }]"#;
    for mode in ["strict", "optional", "permissive"] {
        let server = serving(mode, &[("path", path), ("method", method)]).await;
        let request = |at: &str, policy: &str| {
            let mut request = under(token("a", json!(1)), policy);
            (request.http.method, request.http.path) = ("GET".to_owned(), at.to_owned());
            request
        };
        server.expect(request("/orders?x=/admin", "path"), 200, "").await;
        for trick in ["/x/../admin", "//admin", "/%2e/admin", "/x%2f..%2fadmin", "/;/admin"] {
            server.expect(request(trick, "path"), 400, "request_malformed").await;
            server.expect(request(trick, "method"), 200, "").await;
        }
        let denied = if mode == "permissive" { 200 } else { 403 };
        server.expect(request("/%61dmin", "path"), denied, "rule_denied").await;
    }
}

#[tokio::test]
async fn a_rule_compares_paths_with_their_case_unless_it_lowers_them() {
    let plain = r#"rules: [{ name: d, deny: 'request.path.startsWith("/admin")' }]"#;
    let lowered = r#"rules: [{ name: d, deny: 'request.path.lowerAscii().startsWith("/admin")' }]"#;
    let open = r#"rules: [{ name: o, require: 'request.path.startsWith("/open/")' }]"#;
    let policies = [("plain", plain), ("lowered", lowered), ("open", open)];
    let server = serving("strict", &policies).await;
    let request = |path: &str, policy: &str| {
        let mut request = under(token("a", json!(1)), policy);
        request.http.path = path.to_owned();
        request
    };
    for path in ["/Admin", "/ADMIN/x", "/%41dmin"] {
        server.expect(request(path, "plain"), 200, "").await;
        server.expect(request(path, "lowered"), 403, "rule_denied").await;
        server.expect(request(path, "open"), 403, "rule_denied").await;
    }
    for policy in ["plain", "lowered", "open"] {
        server.expect(request("/admin", policy), 403, "rule_denied").await;
        server.expect(request("/open/x", policy), 200, "").await;
    }
    server.expect(request("/Open/x", "open"), 403, "rule_denied").await;
}

/// A token of alice with `l: 5`, and without `gone`.
#[tokio::test]
async fn what_cannot_be_evaluated_denies_unless_the_other_side_of_an_operator_decides() {
    let table = [
        (r#"claims.gone == "x""#, false),
        (r#"claims.gone != "x""#, false),
        (r#"!(claims.gone == "x")"#, false),
        (r#"claims.gone == "x" || claims.sub == "bob""#, false),
        (r#"claims.gone == "x" && claims.sub == "alice""#, false),
        (r#"claims.gone == "x" ? true : true"#, false),
        (r#"claims.sub < 5"#, false),
        (r#"!(claims.sub < 5)"#, false),
        (r#"claims.l"#, false),
        // What the other side decides, in either order.
        (r#"claims.gone == "x" || claims.sub == "alice""#, true),
        (r#"claims.sub == "alice" || claims.gone == "x""#, true),
        (r#"!(claims.gone == "x" && claims.sub == "bob")"#, true),
        // Different types are not equal, and that is no error.
        (r#"claims.l == "5""#, false),
        (r#"claims.l != "5""#, true),
        (r#"claims.sub == 5"#, false),
        (r#"claims.l == 5.0"#, true),
    ];
    let rule = |(at, (source, _)): (usize, &(&str, bool))| {
        format!(
            "- {{ name: p{at}, providers: [a], rules: [{{ name: r, require: '{source}' }}] }}\n"
        )
    };
    let policies: String = table.iter().enumerate().map(rule).collect();
    let provider = provider("a", "https://a.example", &ES256.jwks());
    let server = TestServer::start(&format!("providers:\n{provider}policies:\n{policies}")).await;
    for (at, (source, met)) in table.into_iter().enumerate() {
        let answer = server.check(under(token("l", json!(5)), &format!("p{at}"))).await;
        let expected = if met { (200, "") } else { (403, "rule_denied") };
        assert_eq!((answer.status, answer.reason()), expected, "{source}");
    }
}

#[tokio::test]
async fn a_rule_sees_headers_but_no_credential_and_no_identity_header() {
    let secret = r#"rules: [{ name: blind, require: '!request.headers.exists(n, n in ["authorization", "cookie", "x-auth-subject", "x_auth_subject", "x-auth_subject", "x.auth.subject", "proxy_authorization"])' }]"#;
    let tenant =
        r#"rules: [{ name: tenant, require: 'request.headers["x-tenant"] == claims.tenant' }]"#;
    let server = serving("strict", &[("secret", secret), ("tenant", tenant)]).await;
    let of = |tenant: &str| token("tenant", json!("acme")).header("x-tenant", tenant);
    server.expect(under(of("acme"), "tenant"), 200, "").await;
    server.expect(under(of("other"), "tenant"), 403, "rule_denied").await;
    server.expect(under(token("tenant", json!("acme")), "tenant"), 403, "rule_denied").await;
    let names = [
        "cookie",
        "x-auth-subject",
        "x_auth_subject",
        "x-auth_subject",
        "X.Auth.Subject",
        "Proxy_Authorization",
    ];
    let forged = names.iter().fold(of("acme"), |request, name| request.header(name, "root"));
    server.expect(under(forged, "secret"), 200, "").await;
}

#[tokio::test]
async fn plain_forms_need_no_expression() {
    let server = serving(
        "strict",
        &[
            ("subjects", "subjects: [alice]"),
            ("others", "subjects: [bob]"),
            ("claims", "claims: [{ claim: realm.roles, any_of: [admin, 7] }]"),
        ],
    )
    .await;
    let roles = |roles: Value| under(token("realm", json!({ "roles": roles })), "claims");
    server.expect(under(token("a", json!(1)), "subjects"), 200, "").await;
    server.expect(under(token("a", json!(1)), "others"), 403, "rule_denied").await;
    server.expect(under(token("sub", json!("bob")), "subjects"), 403, "rule_denied").await;
    server.expect(roles(json!(["x", "admin"])), 200, "").await;
    server.expect(roles(json!([7])), 200, "").await;
    for other in [json!(["x"]), json!([]), json!(["7"]), json!({ "admin": true })] {
        server.expect(roles(other), 403, "rule_denied").await;
    }
    server.expect(under(token("a", json!(1)), "claims"), 403, "rule_denied").await;
}

#[tokio::test]
async fn a_policy_that_a_route_narrows_keeps_its_rules() {
    let server = serving("strict", &[("p", "rules: [{ name: never, require: 'false' }]")]).await;
    let narrowed = json!({ "policy": "p", "scopes": ["s"] });
    let request = token("scope", json!("s")).filter(&narrowed);
    server.expect(request, 403, "rule_denied").await;
}

#[tokio::test]
async fn a_reload_brings_the_rules_of_the_new_config() {
    let config = |says: &str| {
        let provider = provider("a", "https://a.example", &ES256.jwks());
        format!(
            "providers:\n{provider}policies:\n- {{ name: p, providers: [a], rules: [{{ name: r, require: '{says}' }}] }}\n"
        )
    };
    let server = TestServer::start(&config("true")).await;
    let request = under(token("a", json!(1)), "p");
    server.expect(request.clone(), 200, "").await;
    server.rewrite(&config("jwt.x"));
    let refused = |status: &Value| status["last_reload_error"].is_string();
    let status = server.status_until(refused).await;
    let error = status["last_reload_error"].as_str().unwrap();
    assert!(error.contains("policies[0].rules[0].require: unknown name jwt.x"), "{error}");
    server.expect(request.clone(), 200, "").await;
    server.rewrite(&config("false"));
    server.status_until(|status| status["generation"] == 2).await;
    server.expect(request, 403, "rule_denied").await;
}
