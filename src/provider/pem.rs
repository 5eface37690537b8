//! The content of a `ca_file`, which may be the bundle of all roots: compared by its digest.
//!
//! It does not read certificates (`jwks/fetch/trust.rs` does).

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use crate::digest;

/// Certificates (RFC 7468 section 5). A key set is found by its place in every check, and the
/// certificates are a part of that: so they are hashed once, when the file is read.
#[derive(Debug, Clone)]
pub struct Pem {
    bytes: Arc<[u8]>,
    digest: [u8; 32],
}

impl Pem {
    /// The content of a file.
    #[must_use]
    pub fn new(bytes: Arc<[u8]>) -> Self {
        let digest = digest::sha256_of(&bytes);
        Self { bytes, digest }
    }

    /// The content.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the content.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl PartialEq for Pem {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Pem {}

impl Hash for Pem {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher as _, RandomState};

    use super::*;

    #[test]
    fn files_are_told_apart_by_their_content() {
        let [one, same, other] = ["a", "a", "b"].map(|text| Pem::new(text.as_bytes().into()));
        let hashes = RandomState::new();
        assert_eq!(one, same);
        assert_eq!(hashes.hash_one(&one), hashes.hash_one(&same));
        assert_ne!(one, other);
        assert_ne!(hashes.hash_one(&one), hashes.hash_one(&other));
        assert_eq!(one.bytes(), b"a");
    }
}
