//! Every algorithm end to end, and keys that are used for what they are not.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{
    claims, config,
    issuer::TestIssuer,
    keys::{ES256, RS256, TestKey},
    provider, remote,
    request::TestRequest,
    server::TestServer,
    with,
};

const ISSUER: &str = "https://a.example";

async fn serving(jwks: &Value, more: &str) -> TestServer {
    let provider = provider("a", ISSUER, jwks) + more;
    TestServer::start(&config(&[provider], "providers: [a]")).await
}

/// `token` with one bit of its `segment`th part changed.
fn flipped(token: &str, segment: usize, bit: usize) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut bytes = URL_SAFE_NO_PAD.decode(&parts[segment]).unwrap();
    bytes[bit / 8] ^= 1 << (bit % 8);
    parts[segment] = URL_SAFE_NO_PAD.encode(bytes);
    parts.join(".")
}

/// The lowest bit of the subject's first letter.
fn subject_bit(token: &str) -> usize {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    payload.windows(5).position(|five| five == b"alice").unwrap() * 8
}

/// A good token is allowed, and denied after any one bit of signature or payload has changed.
async fn check(alg: &'static str, more: &str) {
    let key = TestKey::new(alg);
    let server = serving(&key.jwks(), more).await;
    let token = key.token(&claims(ISSUER));
    let denied = async |token: &str| {
        server.expect(TestRequest::bearer(token), 401, "signature_invalid").await;
    };
    let bits = URL_SAFE_NO_PAD.decode(token.rsplit('.').next().unwrap()).unwrap().len() * 8;
    for bit in [0, bits / 2, bits - 1] {
        denied(&flipped(&token, 2, bit)).await;
    }
    denied(&flipped(&token, 1, subject_bit(&token))).await;
    denied(&format!("{}AAAA", token)).await;
    // Of the token's text, whatever bit: 13 and 8 share no factor. Unit tests try all for ES256.
    for bit in (0..token.len() * 8).step_by(13) {
        let mut bytes = token.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let text: String = bytes.into_iter().map(char::from).collect();
        let answer = server.check(TestRequest::bearer(&text)).await;
        assert_ne!(answer.status, 200, "{alg}: bit {bit}");
    }
    server.expect(TestRequest::bearer(&token), 200, "").await;
}

#[tokio::test]
async fn rsa_pkcs1_signatures_are_verified() {
    for alg in ["RS256", "RS384", "RS512"] {
        check(alg, "").await;
    }
}

#[tokio::test]
async fn rsa_pss_signatures_are_verified() {
    for alg in ["PS256", "PS384", "PS512"] {
        check(alg, "").await;
    }
}

#[tokio::test]
async fn ecdsa_and_eddsa_signatures_are_verified() {
    for alg in ["ES256", "ES384", "ES512", "EdDSA"] {
        check(alg, "").await;
    }
}

#[tokio::test]
async fn macs_are_verified_where_the_algorithm_is_named() {
    for alg in ["HS256", "HS384", "HS512"] {
        check(alg, &format!("  algorithms: [{alg}]\n")).await;
    }
}

#[tokio::test]
async fn ed25519_is_another_name_of_eddsa() {
    let key = TestKey::new("EdDSA");
    let server = serving(&key.jwks(), "").await;
    let named = |alg: &str| {
        let header = json!({ "alg": alg, "kid": key.kid });
        TestRequest::bearer(&key.token_with(header, &claims(ISSUER)))
    };
    server.expect(named("Ed25519"), 200, "").await;
    for alg in ["Ed448", "ed25519", "EDDSA"] {
        server.expect(named(alg), 401, "algorithm_not_allowed").await;
    }
}

#[tokio::test]
async fn an_algorithm_that_the_provider_does_not_name_is_not_allowed() {
    let set = crate::support::keys::set(&[&RS256, &ES256]);
    let server = serving(&set, "  algorithms: [ES256]\n").await;
    let request = TestRequest::bearer(&RS256.token(&claims(ISSUER)));
    server.expect(request, 401, "algorithm_not_allowed").await;
    let request = TestRequest::bearer(&ES256.token(&claims(ISSUER)));
    server.expect(request, 200, "").await;
}

#[tokio::test]
async fn a_name_that_is_no_algorithm_is_not_allowed() {
    let server = serving(&ES256.jwks(), "").await;
    for alg in ["", "es256", "ES256 ", "ES256K", "RSA-OAEP", "dir", "A128KW", "HS256", "ES257"] {
        let header = json!({ "alg": alg, "kid": ES256.kid });
        let request = TestRequest::bearer(&ES256.token_with(header, &claims(ISSUER)));
        server.expect(request, 401, "algorithm_not_allowed").await;
    }
}

#[tokio::test]
async fn alg_none_is_malformed_in_any_case() {
    let server = serving(&ES256.jwks(), "").await;
    for alg in ["none", "None", "nOnE"] {
        let header = json!({ "alg": alg, "kid": ES256.kid });
        let token = ES256.token_with(header, &claims(ISSUER));
        let unsigned = token.rsplit_once('.').unwrap().0.to_owned() + ".";
        for token in [token, unsigned] {
            server.expect(TestRequest::bearer(&token), 401, "token_malformed").await;
        }
    }
}

/// A token MACed with every form of the public key that an attacker could try.
fn maced_with_public_key(header: &Value) -> Vec<String> {
    let jwk = RS256.jwk();
    let modulus = jwk["n"].as_str().unwrap().to_owned();
    let forms = [URL_SAFE_NO_PAD.decode(&modulus).unwrap(), modulus.into(), jwk.to_string().into()];
    let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let input = format!("{}.{}", encode(header), encode(&claims(ISSUER)));
    let mac = |form: &Vec<u8>| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, form);
        let tag = hmac::sign(&key, input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    };
    forms.iter().map(mac).collect()
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let secret = TestKey::new("HS256");
    let both = crate::support::keys::set(&[&RS256, &secret]);
    let server = serving(&both, "  algorithms: [RS256, HS256]\n").await;
    let header = json!({ "alg": "HS256", "kid": RS256.kid });
    for token in maced_with_public_key(&header) {
        server.expect(TestRequest::bearer(&token), 401, "algorithm_not_allowed").await;
    }
    for token in maced_with_public_key(&json!({ "alg": "HS256" })) {
        server.expect(TestRequest::bearer(&token), 401, "signature_invalid").await;
    }
    let server = serving(&both, "").await;
    for token in maced_with_public_key(&header) {
        server.expect(TestRequest::bearer(&token), 401, "algorithm_not_allowed").await;
    }
}

#[tokio::test]
async fn a_key_with_an_algorithm_serves_no_other() {
    let pss = TestKey::with_kid("PS256", "k");
    let token = pss.token(&claims(ISSUER));
    let declared = json!({ "keys": [with(pss.jwk(), "alg", "RS256".into())] });
    let server = serving(&declared, "").await;
    server.expect(TestRequest::bearer(&token), 401, "algorithm_not_allowed").await;
    let header = json!({ "alg": "RS256", "kid": "k" });
    let mislabelled = TestRequest::bearer(&pss.token_with(header, &claims(ISSUER)));
    server.expect(mislabelled, 401, "signature_invalid").await;
    let open = json!({ "keys": [with(pss.jwk(), "alg", Value::Null)] });
    let server = serving(&open, "").await;
    server.expect(TestRequest::bearer(&token), 200, "").await;
}

#[tokio::test]
async fn a_symmetric_key_from_the_network_is_never_used() {
    let secret = TestKey::new("HS256");
    let issuer = TestIssuer::serving(&crate::support::keys::set(&[&secret, &ES256])).await;
    let from_network = remote("a", ISSUER, &issuer.jwks_uri(), "timeout: 5s");
    let server = TestServer::start(&config(&[from_network], "providers: [a]")).await;
    let token = secret.token(&claims(ISSUER));
    server.expect(TestRequest::bearer(&token), 401, "algorithm_not_allowed").await;
    let keys = server.status().await["providers"][0]["keys"].clone();
    assert_eq!(keys, json!([{ "kid": "ES256-1", "alg": "ES256", "kty": "EC" }]));
}

#[tokio::test]
async fn a_short_rsa_key_is_skipped_with_a_warning() {
    let n = URL_SAFE_NO_PAD.encode([0xC5; 128]);
    let short = json!({ "kty": "RSA", "n": n, "e": "AQAB", "kid": "short", "alg": "RS256" });
    let server = serving(&json!({ "keys": [short, ES256.jwk()] }), "").await;
    let header = json!({ "alg": "RS256", "kid": "short" });
    let request = TestRequest::bearer(&RS256.token_with(header, &claims(ISSUER)));
    server.expect(request, 401, "algorithm_not_allowed").await;
    let warnings = server.status().await["warnings"].to_string();
    assert!(warnings.contains("keys[0] is skipped"), "{warnings}");
}

#[tokio::test]
async fn a_token_without_kid_is_tried_with_at_most_four_keys() {
    let keys: Vec<_> = (0..5).map(|n| TestKey::with_kid("ES256", &n.to_string())).collect();
    let token = keys[3].token_with(json!({ "alg": "ES256" }), &claims(ISSUER));
    let set = |count: usize| crate::support::keys::set(&keys[..count].iter().collect::<Vec<_>>());
    let server = serving(&set(4), "").await;
    server.expect(TestRequest::bearer(&token), 200, "").await;
    let server = serving(&set(3), "").await;
    server.expect(TestRequest::bearer(&token), 401, "signature_invalid").await;
    let server = serving(&set(5), "").await;
    server.expect(TestRequest::bearer(&token), 401, "key_unknown").await;
}
