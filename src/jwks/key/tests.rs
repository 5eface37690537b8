//! One key: what its JWK permits, and what it verifies.

use aws_lc_rs::{
    rsa::KeySize,
    signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair},
};
use serde_json::{Value, json};

use super::*;

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn ec(algorithm: &'static sig::EcdsaSigningAlgorithm, curve: &str) -> Value {
    let pair = EcdsaKeyPair::generate(algorithm).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
    json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y), "kid": "k" })
}

fn p256() -> Value {
    ec(&sig::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
}

fn ed25519() -> Value {
    let pair = Ed25519KeyPair::generate().unwrap();
    json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key()) })
}

/// A number of so many bits; whether it is a product of primes is nobody's question here.
fn rsa(bits: usize) -> Value {
    let mut n = vec![0xC5; bits.div_ceil(8)];
    n[0] = if bits.is_multiple_of(8) { 0xC5 } else { 1 << (bits % 8 - 1) };
    json!({ "kty": "RSA", "n": encode(n), "e": "AQAB" })
}

fn oct(length: usize) -> Value {
    json!({ "kty": "oct", "k": encode(vec![7; length]) })
}

fn with(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
    jwk[name] = value.into();
    jwk
}

#[track_caller]
fn check(jwk: &Value, expected: Result<&[Algorithm], KeyError>) {
    check_from(Origin::Local, jwk, expected);
}

#[track_caller]
fn check_from(origin: Origin, jwk: &Value, expected: Result<&[Algorithm], KeyError>) {
    let parsed = Key::parse(&jwk.to_string(), origin);
    let algorithms = parsed.map(|key| key.algorithms().collect::<Vec<_>>());
    assert_eq!(algorithms, expected.map(<[_]>::to_vec), "{jwk}");
}

#[test]
fn type_and_curve_settle_the_algorithms() {
    check(&p256(), Ok(&[ES256]));
    check(&ec(&sig::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"), Ok(&[ES384]));
    check(&ec(&sig::ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"), Ok(&[ES512]));
    check(&ed25519(), Ok(&[EdDSA]));
    check(&rsa(2048), Ok(&[RS256, RS384, RS512, PS256, PS384, PS512]));
    check(&oct(64), Ok(&[HS256, HS384, HS512]));
}

#[test]
fn what_is_no_key_of_a_known_type_is_refused() {
    check(&json!({}), Err(KeyError::Unsupported));
    check(&json!([]), Err(KeyError::NotAJwk));
    check(&json!({ "kty": "EC" }), Err(KeyError::Unsupported));
    check(&json!({ "kty": "X", "x": "AA" }), Err(KeyError::Unsupported));
    check(&with(p256(), "crv", "secp256k1"), Err(KeyError::Unsupported));
    check(&with(p256(), "crv", "Ed25519"), Err(KeyError::Unsupported));
    check(&with(ed25519(), "crv", "P-256"), Err(KeyError::Unsupported));
    check(&with(p256(), "kid", 1), Err(KeyError::NotAJwk));
    check(&with(p256(), "alg", 1), Err(KeyError::NotAJwk));
}

#[test]
fn a_key_for_another_use_is_refused() {
    check(&with(p256(), "use", "sig"), Ok(&[ES256]));
    check(&with(p256(), "use", "enc"), Err(KeyError::NotForVerifying));
    check(&with(p256(), "use", "other"), Err(KeyError::NotForVerifying));
    check(&with(p256(), "key_ops", vec!["verify"]), Ok(&[ES256]));
    check(&with(p256(), "key_ops", vec!["sign", "verify"]), Ok(&[ES256]));
    for operations in [vec![], vec!["sign"], vec!["encrypt", "wrapKey"]] {
        check(&with(p256(), "key_ops", operations), Err(KeyError::NotForVerifying));
    }
}

#[test]
fn a_declared_algorithm_is_the_only_one() {
    check(&with(rsa(2048), "alg", "PS384"), Ok(&[PS384]));
    check(&with(oct(64), "alg", "HS256"), Ok(&[HS256]));
    check(&with(ed25519(), "alg", "EdDSA"), Ok(&[EdDSA]));
    check(&with(ed25519(), "alg", "Ed25519"), Ok(&[EdDSA]));
    for alg in ["ES384", "RS256", "HS256", "es256", "ECDH-ES", "none", ""] {
        check(&with(p256(), "alg", alg), Err(KeyError::NotForVerifying));
    }
    for alg in ["RSA-OAEP", "HS256", "ES256"] {
        check(&with(rsa(2048), "alg", alg), Err(KeyError::NotForVerifying));
    }
}

#[test]
fn rsa_keys_have_2048_to_8192_bits() {
    let all = &[RS256, RS384, RS512, PS256, PS384, PS512];
    check(&rsa(2047), Err(KeyError::RsaSize));
    check(&rsa(1024), Err(KeyError::RsaSize));
    check(&rsa(8193), Err(KeyError::RsaSize));
    check(&rsa(8192), Ok(all));
    check(&with(rsa(2048), "n", ""), Err(KeyError::RsaSize));
    check(&with(rsa(2048), "n", "AA"), Err(KeyError::RsaSize));
}

#[test]
fn leading_zeros_of_an_integer_do_not_count() {
    let modulus = |zeros: usize, length: usize| {
        let n = [vec![0; zeros], vec![0xC5; length]].concat();
        with(rsa(2048), "n", encode(n))
    };
    check(&modulus(1, 256), Ok(&[RS256, RS384, RS512, PS256, PS384, PS512]));
    check(&modulus(256, 255), Err(KeyError::RsaSize));
    let zeros = with(rsa(2048), "e", encode([0, 1, 0, 1]));
    check(&zeros, Ok(&[RS256, RS384, RS512, PS256, PS384, PS512]));
}

#[test]
fn broken_material_is_refused() {
    for name in ["x", "y"] {
        for value in ["", "AA", "!", "AA=="] {
            check(&with(p256(), name, value), Err(KeyError::Malformed));
        }
    }
    let off_curve = with(with(p256(), "x", encode([1; 32])), "y", encode([1; 32]));
    check(&off_curve, Err(KeyError::Malformed));
    check(&with(ed25519(), "x", encode([1; 31])), Err(KeyError::Malformed));
    check(&with(rsa(2048), "n", "a b"), Err(KeyError::Malformed));
    check(&with(rsa(2048), "e", ""), Err(KeyError::Malformed));
    check(&with(oct(64), "k", "a+/"), Err(KeyError::Malformed));
}

#[test]
fn an_exponent_under_which_nothing_is_verified_is_refused() {
    let even = encode([1, 0, 0]);
    let long = encode([1, 0, 0, 0, 1, 1]);
    for exponent in ["AQ", "Ag", "AA", &even, &long] {
        check(&with(rsa(2048), "e", exponent), Err(KeyError::Malformed));
    }
    check(&with(rsa(2048), "e", "Aw"), Ok(&[RS256, RS384, RS512, PS256, PS384, PS512]));
    let even = with(rsa(2048), "n", encode([0xC4; 256]));
    check(&even, Err(KeyError::Malformed));
}

#[test]
fn an_exponent_of_one_lets_nobody_forge() {
    let Ok(key) = Key::parse(&with(rsa(2048), "e", "AQ").to_string(), Origin::Network) else {
        return;
    };
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"m");
    let info = [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04];
    let info = [&info[..], &[0x02, 0x01, 0x05, 0x00, 0x04, 0x20], digest.as_ref()].concat();
    let padding = vec![0xFF; 256 - 3 - info.len()];
    let forged = [&[0, 1], padding.as_slice(), &[0], &info].concat();
    assert!(!key.verifies(RS256, b"m", &forged));
}

#[test]
fn a_coordinate_has_the_full_size_of_its_field() {
    let key = p256();
    let x = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    let longer = [vec![0], x.clone()].concat();
    check(&with(key.clone(), "x", encode(longer)), Err(KeyError::Malformed));
    check(&with(key, "x", encode(&x[1..])), Err(KeyError::Malformed));
}

#[test]
fn symmetric_keys_are_as_long_as_the_output() {
    check(&oct(31), Err(KeyError::SymmetricTooShort));
    check(&oct(32), Ok(&[HS256]));
    check(&oct(48), Ok(&[HS256, HS384]));
    check(&with(oct(63), "alg", "HS512"), Err(KeyError::SymmetricTooShort));
    check(&oct(0), Err(KeyError::SymmetricTooShort));
}

#[test]
fn symmetric_keys_never_come_from_the_network() {
    check_from(Origin::Network, &oct(64), Err(KeyError::SymmetricFromNetwork));
    check_from(Origin::Network, &p256(), Ok(&[ES256]));
}

#[test]
fn a_signature_counts_only_under_its_algorithm() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let public = pair.public_key();
    let jwk = json!({
        "kty": "RSA",
        "n": encode(public.modulus().big_endian_without_leading_zero()),
        "e": encode(public.exponent().big_endian_without_leading_zero()),
    });
    let key = Key::parse(&jwk.to_string(), Origin::Network).unwrap();
    let mut signature = vec![0; pair.public_modulus_len()];
    let random = aws_lc_rs::rand::SystemRandom::new();
    pair.sign(&sig::RSA_PKCS1_SHA256, &random, b"m", &mut signature).unwrap();
    assert!(key.verifies(RS256, b"m", &signature));
    for algorithm in Algorithm::ALL.into_iter().filter(|a| *a != RS256) {
        assert!(!key.verifies(algorithm, b"m", &signature), "{algorithm:?}");
    }
    assert!(!key.verifies(RS256, b"n", &signature));
    assert!(!key.verifies(RS256, b"m", b""));
    assert!(!key.verifies(RS256, b"m", &signature[1..]));
}

#[test]
fn names_are_read_exactly() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
    }
    assert_eq!(Algorithm::parse("Ed25519"), Some(EdDSA));
    for name in ["", "none", "rs256", "RS256 ", "ES256K", "Ed448", "HS1"] {
        assert_eq!(Algorithm::parse(name), None, "{name}");
    }
}

#[test]
fn debug_shows_no_material() {
    let jwk = with(oct(32), "kid", "k");
    let key = Key::parse(&jwk.to_string(), Origin::Local).unwrap();
    let expected = r#"Key { kid: Some("k"), kind: Oct, algorithms: [HS256], .. }"#;
    assert_eq!(format!("{key:?}"), expected);
}
