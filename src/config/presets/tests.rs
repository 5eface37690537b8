//! Each preset against what its provider documents (the pages are named in `documented.rs`).

mod parameters;
mod written;

use std::path::{Path, PathBuf};

use crate::{
    config::{
        compile::{Compiled, SideFile, SideFiles, compile},
        file::ConfigFile,
        problem::Problems,
    },
    provider::{Audiences, KeySource, Provider, RemoteKeys, TokenTypes},
};

const CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
const TENANT: &str = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490";

fn compile_provider(provider: &str) -> Result<Compiled, Problems> {
    let text = format!("providers:\n- name: p\n  {}", provider.replace('\n', "\n  "));
    let pem = SideFile::Content(b"-----BEGIN CERTIFICATE-----"[..].into());
    let side = SideFiles::from([(PathBuf::from(CA), pem)]);
    compile(&[ConfigFile::read(Path::new("c"), text.as_bytes())], &side, &Default::default())
}

#[track_caller]
fn accepted(provider: &str) -> Compiled {
    compile_provider(provider).unwrap_or_else(|problems| panic!("{problems}"))
}

/// `expected` are the starts of all problems, without `c:`.
#[track_caller]
fn refused(provider: &str, expected: &[&str]) {
    let problems = compile_provider(provider).map(|_| "accepted").unwrap_err();
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), expected.len(), "{provider}\n{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        let expected = format!("c:{expected}");
        assert!(problem.starts_with(&expected), "{problem} does not start with {expected}");
    }
}

fn remote(provider: &Provider) -> &RemoteKeys {
    let KeySource::Remote(keys) = &provider.keys else { panic!("{:?}", provider.keys) };
    keys
}

/// Everything that a preset may say, one line each.
fn shown(provider: &Provider) -> Vec<String> {
    let issuers: Vec<_> = provider.issuers.iter().map(|issuer| &*issuer.0).collect();
    let audiences = match &provider.audiences {
        Audiences::Any => "any".to_owned(),
        Audiences::OneOf(audiences) => audiences.join(" "),
    };
    let claims = provider.required_claims.iter();
    let claims: Vec<_> = claims.map(|(path, value)| format!("{}={value}", path.name)).collect();
    let types = match &provider.token_types {
        TokenTypes::Default => "default".to_owned(),
        TokenTypes::OneOf(types) => types.join(" "),
    };
    let algorithms: Vec<_> = provider.algorithms.iter().map(|algorithm| algorithm.name()).collect();
    vec![
        format!("iss {}", issuers.join(" ")),
        format!("keys {}", remote(provider).place.url()),
        format!("{} {audiences}", provider.audience_claim.name),
        format!("claims {}", claims.join(" ")),
        format!("typ {types}"),
        format!("alg {}", algorithms.join(" ")),
    ]
}

/// The documented values of a provider that is written as its page shows it.
#[track_caller]
fn check(provider: &str, expected: [&str; 6]) {
    assert_eq!(shown(&accepted(provider).providers["p"]), expected, "{provider}");
}

const ASYMMETRIC: &str = "alg RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA";

#[test]
fn okta_is_a_custom_authorization_server() {
    for (more, server) in
        [("", "default"), (", authorization_server: aus9o8wzkhc1NKo4n5d6", "aus9o8wzkhc1NKo4n5d6")]
    {
        check(
            &format!(
                "type: okta\nparameters: {{domain: your-org.okta.com{more}}}\naudiences: [api://default]"
            ),
            [
                &format!("iss https://your-org.okta.com/oauth2/{server}"),
                &format!("keys https://your-org.okta.com/oauth2/{server}/v1/keys"),
                "aud api://default",
                "claims ",
                "typ default",
                "alg RS256",
            ],
        );
    }
}

#[test]
fn auth0_ends_its_issuer_with_a_slash() {
    check(
        "type: auth0\nparameters: {domain: tenant.eu.auth0.com}\naudiences: ['https://orders']",
        [
            "iss https://tenant.eu.auth0.com/",
            "keys https://tenant.eu.auth0.com/.well-known/jwks.json",
            "aud https://orders",
            "claims ",
            "typ at+jwt jwt",
            "alg RS256 PS256",
        ],
    );
}

#[test]
fn entra_has_two_issuers_and_one_tenant() {
    let expected = [
        &*format!(
            "iss https://login.microsoftonline.com/{TENANT}/v2.0 https://sts.windows.net/{TENANT}/"
        ),
        &format!("keys https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys"),
        "aud api://orders",
        &format!("claims tid={TENANT}"),
        "typ jwt",
        "alg RS256",
    ];
    for tenant in [TENANT.to_owned(), TENANT.to_uppercase()] {
        for name in ["tenant", "tenant_id"] {
            check(
                &format!(
                    "type: entra\nparameters: {{{name}: {tenant}}}\naudiences: [api://orders]"
                ),
                expected,
            );
        }
    }
}

#[test]
fn entra_takes_a_domain_with_the_issuer_that_names_its_tenant() {
    let with = |issuers: &str| {
        format!(
            "type: entra\nparameters: {{tenant: contoso.onmicrosoft.com}}\naudiences: [a]\n{issuers}"
        )
    };
    let v1 = format!("https://sts.windows.net/{TENANT}/");
    let v2 = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let keys = "keys https://login.microsoftonline.com/contoso.onmicrosoft.com/discovery/v2.0/keys";
    let tid = format!("claims tid={TENANT}");
    let both = format!("issuers: ['{v1}', '{v2}']");
    let iss = format!("iss {v1} {v2}");
    check(&with(&both), [&iss, keys, "aud a", &tid, "typ jwt", "alg RS256"]);
    let iss = format!("iss {v2}");
    check(&with(&format!("issuer: {v2}")), [&iss, keys, "aud a", &tid, "typ jwt", "alg RS256"]);
    refused(&with(""), &["2:3: providers[0].issuer: missing; tokens name a tenant by its id"]);
    for other in [
        "https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0",
        "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        "https://login.microsoftonline.com/common/v2.0",
        "https://evil.example.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0",
    ] {
        refused(
            &with(&format!("issuer: {other}")),
            &["6:11: providers[0].issuer: not an issuer of"],
        );
    }
    let mixed =
        format!("issuers: ['{v2}', 'https://sts.windows.net/{}/']", TENANT.replace('8', "9"));
    refused(&with(&mixed), &["6:92: providers[0].issuers[1]: not an issuer of one tenant"]);
}

#[test]
fn google_has_two_issuers_and_needs_a_claim() {
    let with =
        |claims: &str| format!("type: google\naudiences: [c.apps.googleusercontent.com]\n{claims}");
    check(
        &with("required_claims: {hd: example.com}"),
        [
            "iss https://accounts.google.com accounts.google.com",
            "keys https://www.googleapis.com/oauth2/v3/certs",
            "aud c.apps.googleusercontent.com",
            "claims hd=example.com",
            "typ default",
            "alg RS256",
        ],
    );
    let missing = "2:3: providers[0].required_claims: missing; at least one claim";
    refused(&with(""), &[missing]);
    let empty = "5:20: providers[0].required_claims: none that says whom to let in";
    refused(&with("required_claims: {}"), &[empty]);
    refused(&with("required_claims: {iss: accounts.google.com, aud: c, azp: c}"), &[empty]);
}

#[test]
fn firebase_says_its_audience() {
    let expected = |audience| {
        [
            "iss https://securetoken.google.com/my-project-1",
            "keys https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
            audience,
            "claims ",
            "typ default",
            "alg RS256",
        ]
    };
    check("type: firebase\nparameters: {project: my-project-1}", expected("aud my-project-1"));
    check("type: firebase\nparameters: {project_id: my-project-1}", expected("aud my-project-1"));
    let explicit = "type: firebase\nparameters: {project: my-project-1}\naudiences: [other]";
    check(explicit, expected("aud other"));
}

#[test]
fn keycloak_tells_access_tokens_by_the_claim_typ() {
    for url in ["https://kc.example.com/auth", "https://kc.example.com/auth/"] {
        check(
            &format!(
                "type: keycloak\nparameters: {{url: '{url}', realm: shop}}\naudiences: [orders]"
            ),
            [
                "iss https://kc.example.com/auth/realms/shop",
                "keys https://kc.example.com/auth/realms/shop/protocol/openid-connect/certs",
                "aud orders",
                "claims typ=Bearer",
                "typ default",
                ASYMMETRIC,
            ],
        );
    }
}

#[test]
fn cognito_names_the_client_and_the_use() {
    check(
        "type: cognito\nparameters: {region: eu-west-1, user_pool_id: eu-west-1_A1b2C3d4E}\n\
         audiences: [1example23456789]",
        [
            "iss https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A1b2C3d4E",
            "keys https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A1b2C3d4E/.well-known/jwks.json",
            "client_id 1example23456789",
            "claims token_use=access",
            "typ default",
            "alg RS256",
        ],
    );
}

#[test]
fn asgardeo_types_its_access_tokens() {
    check(
        "type: asgardeo\nparameters: {organization: bifrost}\naudiences: [client]",
        [
            "iss https://api.asgardeo.io/t/bifrost/oauth2/token",
            "keys https://api.asgardeo.io/t/bifrost/oauth2/jwks",
            "aud client",
            "claims ",
            "typ at+jwt",
            "alg RS256",
        ],
    );
}

#[test]
fn kubernetes_asks_the_api_server_as_a_pod_does() {
    let compiled = accepted("type: kubernetes\naudiences: [orders]");
    let provider = &compiled.providers["p"];
    let place = &remote(provider).place;
    assert_eq!(
        shown(provider),
        [
            "iss https://kubernetes.default.svc.cluster.local",
            "keys https://kubernetes.default.svc/openid/v1/jwks",
            "aud orders",
            "claims ",
            "typ default",
            ASYMMETRIC,
        ]
    );
    let token = Path::new("/var/run/secrets/kubernetes.io/serviceaccount/token");
    assert_eq!(place.token_file.as_deref(), Some(token));
    assert!(matches!(place.ca, crate::provider::CaFile::Pem(_)));
}
