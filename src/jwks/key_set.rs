//! A set of keys (RFC 7517 section 5) and the choice of one for a token: pure.
//!
//! It does not know when a set was fetched; `jwks/store.rs` does.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::jwks::{
    algorithm::{Algorithm, AlgorithmSet},
    key::{Key, KeyError, Origin},
};

/// Upper bound on a fetched set, in bytes.
pub const MAX_SET_BYTES: usize = 512 * 1024;
/// Upper bound on the keys of a fetched set.
pub const MAX_SET_KEYS: usize = 100;
/// A token without `kid` is tried against at most this many keys.
pub const MAX_KEYS_WITHOUT_KID: usize = 4;

/// The usable keys of one source.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Arc<Key>>,
    /// The kids of keys that cannot be used: they are known all the same.
    unusable_kids: Vec<String>,
}

/// A document that is no usable set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum KeySetError {
    #[error("larger than 512 KiB")]
    TooLarge,
    #[error("not a JWK Set: a JSON object with an array `keys` is accepted")]
    NotASet,
    #[error("more than 100 keys")]
    TooManyKeys,
    #[error("no usable key")]
    NoUsableKey,
}

/// A key of the set that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its place in `keys`, from 0.
    pub index: usize,
    /// Why.
    pub error: KeyError,
}

/// The keys that may have signed one token: made only by [`KeySet::select`].
#[derive(Debug, Clone)]
pub struct Selected {
    keys: Vec<Arc<Key>>,
}

/// Why a set has no key for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoKey {
    /// Its `kid` is not in the set.
    UnknownKid,
    /// It has no `kid` and no key, or more than four, would fit.
    NoneFits,
    /// The key of its `kid` is not one for its `alg`.
    Mismatch,
}

impl KeySet {
    /// Parses a JWK Set. Unusable keys are skipped and reported.
    ///
    /// # Errors
    /// [`KeySetError`] if it is no set, breaks a bound or has no usable key.
    pub fn parse(bytes: &[u8], origin: Origin) -> Result<(Self, Vec<Skipped>), KeySetError> {
        if bytes.len() > MAX_SET_BYTES {
            return Err(KeySetError::TooLarge);
        }
        // Serde would read an array as the struct's fields in order.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(KeySetError::NotASet);
        }
        let document: Document<'_> =
            serde_json::from_slice(bytes).map_err(|_| KeySetError::NotASet)?;
        if document.keys.len() > MAX_SET_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let mut keys = Vec::with_capacity(document.keys.len());
        let (mut skipped, mut unusable_kids) = (Vec::new(), Vec::new());
        for (index, jwk) in document.keys.iter().enumerate() {
            match Key::parse(jwk.get(), origin) {
                Ok(key) => keys.push(Arc::new(key)),
                Err(error) => {
                    unusable_kids.extend(kid(jwk.get()));
                    skipped.push(Skipped { index, error });
                }
            }
        }
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey);
        }
        Ok((Self { keys, unusable_kids }, skipped))
    }

    /// This set with the keys that `before` already had taken from there, so that what was
    /// verified with them can be recognised by pointer.
    #[must_use]
    pub fn reusing(mut self, before: &Self) -> Self {
        for key in &mut self.keys {
            if let Some(same) = before.keys.iter().find(|old| old.same_as(key)) {
                *key = same.clone();
            }
        }
        self
    }

    /// The keys that may have signed a token with this header.
    ///
    /// # Errors
    /// [`NoKey`] if there is none.
    pub fn select(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Selected, NoKey> {
        let fitting = |key: &&Arc<Key>| key.fits(algorithm);
        let keys: Vec<Arc<Key>> = match kid {
            None => {
                let keys: Vec<_> = self.keys.iter().filter(fitting).cloned().collect();
                if keys.is_empty() || keys.len() > MAX_KEYS_WITHOUT_KID {
                    return Err(NoKey::NoneFits);
                }
                keys
            }
            Some(kid) => {
                let named = || self.keys.iter().filter(|k| k.kid.as_deref() == Some(kid));
                if named().next().is_none() {
                    let unusable = self.unusable_kids.iter().any(|known| known == kid);
                    return Err(if unusable { NoKey::Mismatch } else { NoKey::UnknownKid });
                }
                // A kid should be unique, but some issuers repeat it for each algorithm.
                named().filter(fitting).take(MAX_KEYS_WITHOUT_KID).cloned().collect()
            }
        };
        if keys.is_empty() { Err(NoKey::Mismatch) } else { Ok(Selected { keys }) }
    }

    /// Whether both have the same keys, whatever their order.
    #[must_use]
    pub fn same_keys(&self, other: &Self) -> bool {
        let has = |key: &Arc<Key>| other.keys.iter().any(|same| same.same_as(key));
        self.keys.len() == other.keys.len() && self.keys.iter().all(has)
    }

    /// Whether this very key is still one of the set.
    #[must_use]
    pub fn holds(&self, key: &Arc<Key>) -> bool {
        self.keys.iter().any(|k| Arc::ptr_eq(k, key))
    }

    /// Whether any key could verify any of `algorithms`.
    #[must_use]
    pub fn serves(&self, algorithms: AlgorithmSet) -> bool {
        self.keys.iter().any(|key| key.algorithms().any(|a| algorithms.contains(a)))
    }

    /// The keys, in the order of the document.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Key>> {
        self.keys.iter()
    }
}

impl Selected {
    /// The key whose signature it is, if any.
    #[must_use]
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], sig: &[u8]) -> Option<&Arc<Key>> {
        self.keys.iter().find(|key| key.verifies(algorithm, message, sig))
    }
}

/// The kid of a JWK, whatever else is in it.
fn kid(jwk: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Kid {
        kid: String,
    }
    serde_json::from_str::<Kid>(jwk).ok().map(|Kid { kid }| kid)
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// An oct key, since every 32 bytes are one. `n` makes it another key.
    fn oct(kid: Option<&str>, n: u8) -> Value {
        let k = char::from(b'A' + n).to_string().repeat(40) + "AAA";
        match kid {
            Some(kid) => json!({ "kty": "oct", "k": k, "alg": "HS256", "kid": kid }),
            None => json!({ "kty": "oct", "k": k, "alg": "HS256" }),
        }
    }

    fn ed25519(kid: &str) -> Value {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid })
    }

    fn set(keys: &[Value]) -> KeySet {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), Origin::Local).unwrap().0
    }

    #[track_caller]
    fn check(
        keys: &[Value],
        kid: Option<&str>,
        algorithm: Algorithm,
        expected: Result<usize, NoKey>,
    ) {
        let selected = set(keys).select(kid, algorithm).map(|selected| selected.keys.len());
        assert_eq!(selected, expected);
    }

    #[track_caller]
    fn check_document(document: impl AsRef<[u8]>, expected: KeySetError) {
        assert_eq!(KeySet::parse(document.as_ref(), Origin::Local).unwrap_err(), expected);
    }

    const HS: Algorithm = Algorithm::HS256;

    #[test]
    fn a_kid_must_match_exactly() {
        let keys = [oct(Some("a"), 0), oct(Some("b"), 1), oct(None, 2)];
        check(&keys, Some("a"), HS, Ok(1));
        for kid in ["A", "a ", "", "c"] {
            check(&keys, Some(kid), HS, Err(NoKey::UnknownKid));
        }
    }

    #[test]
    fn a_kid_is_never_answered_with_a_key_without_one() {
        check(&[oct(None, 0)], Some("a"), HS, Err(NoKey::UnknownKid));
    }

    #[test]
    fn a_kid_for_another_algorithm_is_a_mismatch() {
        let keys = [ed25519("e"), oct(Some("a"), 0)];
        check(&keys, Some("e"), HS, Err(NoKey::Mismatch));
        check(&keys, Some("a"), Algorithm::HS512, Err(NoKey::Mismatch));
    }

    #[test]
    fn a_repeated_kid_selects_those_that_fit() {
        check(&[ed25519("k"), oct(Some("k"), 0)], Some("k"), HS, Ok(1));
        let many: Vec<_> = (0..6).map(|n| oct(Some("k"), n)).collect();
        check(&many, Some("k"), HS, Ok(MAX_KEYS_WITHOUT_KID));
    }

    #[test]
    fn without_a_kid_up_to_four_that_fit_are_tried() {
        let keys = |count: u8| (0..count).map(|n| oct(Some(&n.to_string()), n)).collect::<Vec<_>>();
        check(&keys(4), None, HS, Ok(4));
        check(&keys(5), None, HS, Err(NoKey::NoneFits));
        check(&keys(4), None, Algorithm::ES256, Err(NoKey::NoneFits));
        let mut others = keys(4);
        others.extend((0..9).map(|_| ed25519("e")));
        check(&others, None, HS, Ok(4));
    }

    #[test]
    fn unusable_keys_are_skipped_and_reported() {
        let keys = [json!({}), ed25519("e"), json!(1), json!({ "kty": "oct", "k": "AA" })];
        let document = json!({ "keys": keys, "x": 1 }).to_string();
        let (set, skipped) = KeySet::parse(document.as_bytes(), Origin::Local).unwrap();
        assert_eq!(set.iter().len(), 1);
        let skipped: Vec<_> = skipped.into_iter().map(|s| (s.index, s.error)).collect();
        let expected =
            [(0, KeyError::Unsupported), (2, KeyError::NotAJwk), (3, KeyError::SymmetricTooShort)];
        assert_eq!(skipped, expected);
    }

    #[test]
    fn a_set_without_a_usable_key_is_none() {
        check_document(r#"{"keys":[]}"#, KeySetError::NoUsableKey);
        check_document(r#"{"keys":[{}]}"#, KeySetError::NoUsableKey);
        let document = json!({ "keys": [oct(None, 0)] }).to_string();
        let from_network = KeySet::parse(document.as_bytes(), Origin::Network);
        assert_eq!(from_network.unwrap_err(), KeySetError::NoUsableKey);
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in ["", "[]", "{}", "null", r#"{"keys":{}}"#, r#"{"keys":null}"#, "<html>", "{"] {
            check_document(text, KeySetError::NotASet);
        }
        check_document(b"{\"keys\":[\"\xff\"]}", KeySetError::NotASet);
        check_document(ed25519("e").to_string(), KeySetError::NotASet);
        check_document(r#"{"keys":[],"keys":[]}"#, KeySetError::NotASet);
    }

    #[test]
    fn a_set_has_at_most_100_keys_and_512_kib() {
        let keys = |count: usize| json!({ "keys": vec![ed25519("e"); count] }).to_string();
        assert!(KeySet::parse(keys(100).as_bytes(), Origin::Local).is_ok());
        check_document(keys(101), KeySetError::TooManyKeys);
        let padded = |length: usize| keys(1) + &" ".repeat(length - keys(1).len());
        assert!(KeySet::parse(padded(MAX_SET_BYTES).as_bytes(), Origin::Local).is_ok());
        check_document(padded(MAX_SET_BYTES + 1), KeySetError::TooLarge);
    }

    #[test]
    fn an_unchanged_key_stays_the_same_and_a_changed_one_does_not() {
        let before = set(&[oct(Some("a"), 0), oct(Some("b"), 1), oct(Some("c"), 2)]);
        let after = set(&[oct(Some("b"), 1), oct(Some("a"), 3)]).reusing(&before);
        let (old, new): (Vec<_>, Vec<_>) = (before.iter().collect(), after.iter().collect());
        assert!(Arc::ptr_eq(old[1], new[0]));
        assert!(after.holds(old[1]));
        assert!(!after.holds(old[0]), "the key of this kid changed");
        assert!(!after.holds(old[2]), "this kid is gone");
    }

    #[test]
    fn a_set_serves_algorithms_of_which_it_has_a_key() {
        let set = set(&[oct(None, 0)]);
        assert!(set.serves([HS, Algorithm::RS256].into_iter().collect()));
        assert!(!set.serves(AlgorithmSet::asymmetric()));
    }

    #[test]
    fn the_kid_of_an_unusable_key_is_known_and_fits_nothing() {
        let set = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"bad"},
            {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        let (set, skipped) = KeySet::parse(set.as_bytes(), Origin::Network).unwrap();
        assert_eq!(skipped.len(), 1);
        assert_eq!(set.select(Some("bad"), Algorithm::EdDSA).unwrap_err(), NoKey::Mismatch);
        assert_eq!(set.select(Some("new"), Algorithm::EdDSA).unwrap_err(), NoKey::UnknownKid);
    }

    #[test]
    fn an_array_is_no_set() {
        for text in ["[]", "[[]]", r#" [[{"kty":"oct","k":"AA"}]]"#] {
            let error = KeySet::parse(text.as_bytes(), Origin::Local).unwrap_err();
            assert_eq!(error, KeySetError::NotASet, "{text}");
        }
    }
}
