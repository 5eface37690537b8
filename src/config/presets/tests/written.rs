//! What stands beside a `type`, and what still must.

use super::{ASYMMETRIC, accepted, check, refused, remote, shown};
use crate::provider::CaFile;

#[test]
fn the_files_of_a_pod_go_to_the_api_server_alone() {
    let elsewhere = "type: kubernetes\naudiences: [a]\njwks: {uri: 'https://other.example.com/k'}";
    let compiled = accepted(elsewhere);
    let place = &remote(&compiled.providers["p"]).place;
    assert_eq!((&place.token_file, &place.ca), (&None, &CaFile::None));
    let discovered = "type: kubernetes\nissuer: https://oidc.example.com/id/1\naudiences: [a]\n\
                      discovery_url: https://oidc.example.com/id/1/.well-known/openid-configuration";
    let compiled = accepted(discovered);
    let place = &remote(&compiled.providers["p"]).place;
    assert_eq!(place.url(), "https://oidc.example.com/id/1/.well-known/openid-configuration");
    assert_eq!((&place.token_file, &place.ca), (&None, &CaFile::None));
}

#[test]
fn what_is_written_wins_over_the_preset() {
    check(
        "type: cognito\nparameters: {region: eu-west-1, user_pool_id: eu-west-1_A1}\n\
         issuer: https://idp\naudiences: any\naudience_claim: aud\nalgorithms: [ES256]\n\
         token_types: [JWT]\nrequired_claims: {token_use: id, 'custom:org': a}\n\
         jwks: {uri: 'https://idp/keys'}",
        [
            "iss https://idp",
            "keys https://idp/keys",
            "aud any",
            "claims token_use=id custom:org=a",
            "typ jwt",
            "alg ES256",
        ],
    );
}

#[test]
fn a_claim_beside_the_documented_one_does_not_switch_it_off() {
    let compiled = accepted(
        "type: keycloak\nparameters: {url: 'https://kc', realm: shop}\naudiences: [a]\n\
         required_claims: {azp: web}",
    );
    assert!(shown(&compiled.providers["p"]).contains(&"claims azp=web typ=Bearer".to_owned()));
}

#[test]
fn options_of_the_fetch_go_with_the_documented_address() {
    let compiled = accepted(
        "type: auth0\nparameters: {domain: t.auth0.com}\naudiences: [a]\njwks: {timeout: 9s}",
    );
    let keys = remote(&compiled.providers["p"]);
    assert_eq!(keys.place.url(), "https://t.auth0.com/.well-known/jwks.json");
    assert_eq!(keys.timeout.as_secs(), 9);
}

#[test]
fn only_firebase_knows_its_audience() {
    for kind in [
        "okta\nparameters: {domain: o.okta.com}",
        "auth0\nparameters: {domain: t.auth0.com}",
        "entra\nparameters: {tenant: 8eaef023-2b34-4da1-9baa-8bc8c9d6a490}",
        "google\nrequired_claims: {hd: example.com}",
        "keycloak\nparameters: {url: 'https://kc', realm: shop}",
        "cognito\nparameters: {region: eu-west-1, user_pool_id: eu-west-1_A1}",
        "asgardeo\nparameters: {organization: bifrost}",
        "kubernetes",
    ] {
        refused(&format!("type: {kind}"), &["2:3: providers[0].audiences: missing; a non-empty"]);
    }
}

#[test]
fn generic_is_as_if_no_type_were_written() {
    check(
        "type: generic\nissuer: https://idp\naudiences: [a]\njwks: {uri: 'https://idp/keys'}",
        ["iss https://idp", "keys https://idp/keys", "aud a", "claims ", "typ default", ASYMMETRIC],
    );
    refused(
        "type: generic",
        &["2:3: providers[0].audiences: missing", "2:3: providers[0].issuer: missing"],
    );
    let unknown = "type: generic\nparameters: {x: y}\nissuer: https://i\naudiences: any";
    refused(unknown, &["4:16: providers[0].parameters.x: unknown key"]);
}
