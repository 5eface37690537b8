//! A set of keys (RFC 7517 section 5) and the choice of one for a token: pure.
//!
//! It does not know when a set was fetched; `jwks/store.rs` does.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{
    jwks::key::{Algorithm, Key, KeyError, Origin},
    provider::AlgorithmSet,
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
        let document: Document<'_> =
            serde_json::from_slice(bytes).map_err(|_| KeySetError::NotASet)?;
        if document.keys.len() > MAX_SET_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let mut keys = Vec::with_capacity(document.keys.len());
        let mut skipped = Vec::new();
        for (index, jwk) in document.keys.iter().enumerate() {
            match Key::parse(jwk.get(), origin) {
                Ok(key) => keys.push(Arc::new(key)),
                Err(error) => skipped.push(Skipped { index, error }),
            }
        }
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey);
        }
        Ok((Self { keys }, skipped))
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
                    return Err(NoKey::UnknownKid);
                }
                // A kid should be unique, but some issuers repeat it for each algorithm.
                named().filter(fitting).take(MAX_KEYS_WITHOUT_KID).cloned().collect()
            }
        };
        if keys.is_empty() { Err(NoKey::Mismatch) } else { Ok(Selected { keys }) }
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

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}
