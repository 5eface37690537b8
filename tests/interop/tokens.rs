//! Tokens of other libraries: each algorithm accepted, each segment tampered refused.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    peers::lines,
    support::{claims, config, provider, request::TestRequest, server::TestServer},
};

const ISSUER: &str = "https://a.example";
const ALGORITHMS: &str = "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, \
                          HS256, HS384, HS512";

/// `token` with one bit of a byte of its `segment`th part changed.
fn flipped(token: &str, segment: usize, byte: usize) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut bytes = URL_SAFE_NO_PAD.decode(&parts[segment]).unwrap();
    bytes[byte] ^= 1 << (byte % 8);
    parts[segment] = URL_SAFE_NO_PAD.encode(bytes);
    parts.join(".")
}

/// The script's tokens, one for each of these algorithms.
async fn check(script: &'static str, algorithms: &[&str]) {
    let claims = claims(ISSUER).to_string();
    let made = tokio::task::spawn_blocking(move || lines(script, &[&claims])).await.unwrap();
    let made: Vec<Value> = made.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let named: Vec<_> = made.iter().map(|one| one["alg"].as_str().unwrap()).collect();
    assert_eq!(named, algorithms);
    let keys: Vec<_> = made.iter().map(|one| &one["jwk"]).collect();
    let provider = provider("a", ISSUER, &json!({ "keys": keys }))
        + &format!("  algorithms: [{ALGORITHMS}]\n");
    let server = TestServer::start(&config(&[provider], "providers: [a]")).await;
    for one in &made {
        let token = one["token"].as_str().unwrap();
        let answer = server.expect(TestRequest::bearer(token), 200, "").await;
        assert_eq!(answer.header("x-auth-subject"), "alice", "{}", one["alg"]);
        for segment in 0..3 {
            let part = token.split('.').nth(segment).unwrap();
            for byte in 0..URL_SAFE_NO_PAD.decode(part).unwrap().len() {
                let answer =
                    server.check(TestRequest::bearer(&flipped(token, segment, byte))).await;
                assert_eq!(answer.status, 401, "{} {segment} {byte}", one["alg"]);
                assert!(segment != 2 || answer.reason() == "signature_invalid", "{}", one["alg"]);
            }
        }
    }
}

#[tokio::test]
async fn tokens_of_npm_jose_are_accepted_and_refused_once_tampered() {
    let algorithms = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
        "Ed25519", "HS256", "HS384", "HS512",
    ];
    check("by_jose.mjs", &algorithms).await;
}

#[tokio::test]
async fn tokens_of_pyjwt_are_accepted_and_refused_once_tampered() {
    let algorithms = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "HS256",
        "HS384", "HS512", "EdDSA",
    ];
    check("by_pyjwt.py", &algorithms).await;
}

#[tokio::test]
async fn tokens_of_joserfc_are_accepted_and_refused_once_tampered() {
    let algorithms = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "HS256",
        "HS384", "HS512", "EdDSA", "Ed25519",
    ];
    check("by_joserfc.py", &algorithms).await;
}
