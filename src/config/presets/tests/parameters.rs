//! What is refused of `type` and `parameters`.

use super::{accepted, compile_provider, refused};

/// One parameter of an otherwise good provider.
#[track_caller]
fn check_parameters(kind: &str, parameters: &str, expected: &[&str]) {
    let text = format!("type: {kind}\nparameters: {{{parameters}}}\naudiences: [a]");
    if expected.is_empty() {
        accepted(&text);
    } else {
        refused(&text, expected);
    }
}

#[test]
fn an_unknown_type_is_one_problem_with_the_list() {
    refused(
        "type: oktaa\nparameters: {x: y}",
        &[
            "3:9: providers[0].type: unknown type; accepted are okta, auth0, entra, google, firebase, \
           keycloak, cognito, asgardeo, kubernetes, generic",
        ],
    );
    refused("type: Okta", &["3:9: providers[0].type: unknown type"]);
    refused("type: 5", &["3:9: providers[0].type: found a number"]);
    refused("type:", &["3:3: providers[0].type: a value is missing"]);
}

#[test]
fn parameters_stand_beside_a_type() {
    refused(
        "parameters: {domain: o.okta.com}\nissuer: https://i\naudiences: any",
        &["3:15: providers[0].parameters: parameters without `type`"],
    );
    refused("type: okta\nparameters: [a]", &["4:15: providers[0].parameters: found a list; a map"]);
    refused("type: okta\nparameters:", &["4:3: providers[0].parameters: a value is missing"]);
}

#[test]
fn missing_parameters_say_what_is_accepted() {
    for (kind, expected) in [
        ("okta", &["2:3: providers[0].parameters.domain: missing; a host name"][..]),
        ("auth0", &["2:3: providers[0].parameters.domain: missing; a host name"]),
        (
            "entra",
            &["2:3: providers[0].parameters.tenant: missing; exactly one of tenant, tenant_id"],
        ),
        (
            "firebase",
            &["2:3: providers[0].parameters.project: missing; exactly one of project, proj"],
        ),
        (
            "keycloak",
            &[
                "2:3: providers[0].parameters.realm: missing; a realm",
                "2:3: providers[0].parameters.url: missing; a URL",
            ],
        ),
        (
            "cognito",
            &[
                "2:3: providers[0].parameters.region: missing; a region",
                "2:3: providers[0].parameters.user_pool_id: missing; a user pool",
            ],
        ),
        ("asgardeo", &["2:3: providers[0].parameters.organization: missing; a name"]),
    ] {
        refused(&format!("type: {kind}\naudiences: [a]"), expected);
    }
}

#[test]
fn unknown_parameters_are_problems_at_their_place() {
    check_parameters(
        "okta",
        "domain: o.okta.com, server: x",
        &[
            "4:36: providers[0].parameters.server: unknown key; accepted are domain, authorization_se",
        ],
    );
    check_parameters(
        "asgardeo",
        "organisation: bifrost",
        &[
            "4:15: providers[0].parameters.organization: missing",
            "4:16: providers[0].parameters.organisation: unknown key; did you mean `organization`?",
        ],
    );
}

/// Parameters with `V` in place of one value, and values that are none.
const SMUGGLED: [(&str, &str, &[&str]); 10] = [
    (
        "auth0",
        "domain: 'V'",
        &[
            "localhost",
            "evil.com/x",
            "a.auth0.com@evil.com",
            "evil.com:8443",
            "evil.com?x=",
            "evil.com#",
            "Tenant.auth0.com",
            "https://t.auth0.com",
            "a..b.com",
            "-a.com",
            "a-.com",
            "a.com.",
            "a b.com",
            "127.0.0.1",
            "ä.com",
            "a%2eb.com",
        ],
    ),
    (
        "okta",
        "domain: o.okta.com, authorization_server: 'V'",
        &["a/b", "..", "a?b", "a%2fb", "a#", "a@b"],
    ),
    (
        "entra",
        "tenant: 'V'",
        &[
            "common",
            "organizations",
            "consumers",
            "Common",
            "9188040d-6c67-4c5b-b112-36a304b66dad",
            "9188040D-6C67-4C5B-B112-36A304B66DAD",
            "{tenantid}",
            "8eaef023-2b34-4da1-9baa-8bc8c9d6a49",
            "8eaef0232b344da19baa8bc8c9d6a490",
            "contoso.com/x",
            "../common",
        ],
    ),
    (
        "firebase",
        "project: 'V'",
        &["short", "Upper-case", "a/../b-project", "ends-with-", "1-project", "my.project"],
    ),
    ("keycloak", "url: 'https://kc', realm: 'V'", &["a/b", "..", ".", "a b", "a?b", "a%2f", "a#b"]),
    (
        "keycloak",
        "url: 'V', realm: shop",
        &[
            "kc.example.com",
            "ftp://kc",
            "https://",
            "https://u@kc",
            "https://kc?x",
            "https://kc#x",
            "https://kc/../x",
            "https://kc/./x",
            "https://kc//x",
            "https://kc/a%2fb",
            "https://kc\\x",
            "https://kc /x",
        ],
    ),
    (
        "cognito",
        "region: 'V', user_pool_id: eu-west-1_A1",
        &["eu", "eu-west", "eu-west-1.evil.com/", "EU-west-1", "eu-west-12"],
    ),
    (
        "cognito",
        "region: eu-west-1, user_pool_id: 'V'",
        &["A1", "eu-west-1_", "eu-west-1_a/b", "eu-west-2_A1", "eu-west-1_a.b"],
    ),
    ("asgardeo", "organization: 'V'", &["a/b", "..", "a.b", "a b", "a?"]),
    ("kubernetes", "api_server: 'V'", &["kubernetes.default.svc", "https://a@b", "https://a/../b"]),
];

#[test]
fn no_parameter_can_bring_another_host_or_path() {
    for (kind, template, bad) in SMUGGLED {
        for value in bad {
            let parameters = template.replace('V', value);
            let text = format!("type: {kind}\nparameters: {{{parameters}}}\naudiences: [a]");
            let problems = compile_provider(&text).map(|_| value).unwrap_err().to_string();
            assert_eq!(problems.lines().count(), 1, "{kind} {value}: {problems}");
            assert!(problems.contains(": providers[0].parameters."), "{problems}");
            assert!(problems.contains("accepted"), "{problems}");
        }
    }
}

#[test]
fn plain_http_to_another_host_is_refused_at_the_parameter() {
    check_parameters(
        "keycloak",
        "url: 'http://kc.example.com', realm: shop",
        &["4:21: providers[0].parameters.url: http to another host than loopback"],
    );
    check_parameters("keycloak", "url: 'http://127.0.0.1:8080', realm: shop", &[]);
    check_parameters("keycloak", "url: 'http://[::1]:8080', realm: shop", &[]);
}
