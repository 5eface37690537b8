//! Known answers: the signed examples of RFC 7515, RFC 7520 and RFC 8037, through the very code
//! that verifies tokens, and each with every bit changed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claimgate::{
    check::token::Envelope,
    jwks::{algorithm::Algorithm, key::Origin, key_set::KeySet},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// One example.
#[derive(Deserialize)]
struct Vector {
    rfc: String,
    jwk: Value,
    header: Value,
    payload: String,
    jws: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../data/vectors.json")).unwrap()
}

/// Whether the JWS is a signature of one of these keys.
fn verifies(jws: &str, keys: &KeySet) -> bool {
    let Ok(envelope) = Envelope::parse(jws) else { return false };
    let Some(algorithm) = Algorithm::parse(&envelope.header.alg) else { return false };
    let Ok(selected) = keys.select(envelope.header.kid.as_deref(), algorithm) else { return false };
    let input = envelope.signing_input.as_bytes();
    selected.verify(algorithm, input, &envelope.signature).is_some()
}

fn keys(jwk: &Value) -> KeySet {
    let set = json!({ "keys": [jwk] }).to_string();
    KeySet::parse(set.as_bytes(), Origin::Local).unwrap().0
}

fn decoded(jws: &str, segment: usize) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(jws.split('.').nth(segment).unwrap()).unwrap()
}

#[test]
fn the_examples_are_what_the_rfcs_print() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 9);
    for Vector { rfc, header, payload, jws, .. } in vectors {
        let read: Value = serde_json::from_slice(&decoded(&jws, 0)).unwrap();
        assert_eq!(read, header, "{rfc}");
        assert_eq!(str::from_utf8(&decoded(&jws, 1)).unwrap(), payload, "{rfc}");
    }
}

#[test]
fn every_example_of_the_rfcs_is_verified() {
    for Vector { rfc, jwk, jws, .. } in vectors() {
        assert!(verifies(&jws, &keys(&jwk)), "{rfc}");
    }
}

#[test]
fn no_example_is_verified_once_a_bit_of_it_has_changed() {
    for Vector { rfc, jwk, jws, .. } in vectors() {
        let keys = keys(&jwk);
        let parts: Vec<&str> = jws.split('.').collect();
        for segment in 0..3 {
            let bytes = decoded(&jws, segment);
            for bit in 0..bytes.len() * 8 {
                let mut bytes = bytes.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let changed = URL_SAFE_NO_PAD.encode(bytes);
                let mut parts = parts.clone();
                parts[segment] = &changed;
                assert!(!verifies(&parts.join("."), &keys), "{rfc}: segment {segment}, bit {bit}");
            }
        }
    }
}

#[test]
fn no_example_is_verified_by_the_key_of_another() {
    let vectors = vectors();
    for one in &vectors {
        for other in vectors.iter().filter(|other| other.jwk != one.jwk) {
            assert!(!verifies(&one.jws, &keys(&other.jwk)), "{} {}", one.rfc, other.rfc);
        }
    }
}
