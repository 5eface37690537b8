//! The signature algorithms of JWS, and sets of them.
//!
//! It does not know keys.

/// A JWS signature algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864 section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the algorithms' registered ones")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    /// Ed25519; `alg` is `EdDSA` or `Ed25519`.
    EdDSA,
    HS256,
    HS384,
    HS512,
}

use Algorithm::{
    ES256, ES384, ES512, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512,
};

impl Algorithm {
    /// Every algorithm that claimgate verifies.
    pub const ALL: [Self; 13] =
        [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, HS256, HS384, HS512];

    /// The algorithm that `alg` names; the match is exact (RFC 7515 section 4.1.1).
    #[must_use]
    pub fn parse(alg: &str) -> Option<Self> {
        if alg == "Ed25519" {
            return Some(EdDSA);
        }
        Self::ALL.into_iter().find(|a| a.name() == alg)
    }

    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            RS256 => "RS256",
            RS384 => "RS384",
            RS512 => "RS512",
            PS256 => "PS256",
            PS384 => "PS384",
            PS512 => "PS512",
            ES256 => "ES256",
            ES384 => "ES384",
            ES512 => "ES512",
            EdDSA => "EdDSA",
            HS256 => "HS256",
            HS384 => "HS384",
            HS512 => "HS512",
        }
    }

    /// Whether signer and verifier share the key.
    #[must_use]
    pub fn is_symmetric(self) -> bool {
        matches!(self, HS256 | HS384 | HS512)
    }
}

/// A set of signature algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlgorithmSet(u16);

impl AlgorithmSet {
    /// Every asymmetric algorithm: the default.
    #[must_use]
    pub fn asymmetric() -> Self {
        Algorithm::ALL.into_iter().filter(|a| !a.is_symmetric()).collect()
    }

    /// Whether `algorithm` is in the set.
    #[must_use]
    pub fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & (1 << algorithm as u16) != 0
    }

    /// The members in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(move |a| self.contains(*a))
    }
}

impl FromIterator<Algorithm> for AlgorithmSet {
    fn from_iter<T: IntoIterator<Item = Algorithm>>(algorithms: T) -> Self {
        Self(algorithms.into_iter().fold(0, |set, a| set | 1 << a as u16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_algorithms_are_the_asymmetric_ones() {
        let default = AlgorithmSet::asymmetric();
        for algorithm in Algorithm::ALL {
            assert_eq!(default.contains(algorithm), !algorithm.is_symmetric(), "{algorithm:?}");
        }
        assert_eq!(default.iter().count(), 10);
    }

    #[test]
    fn a_set_holds_what_it_was_made_of_and_no_other() {
        for algorithm in Algorithm::ALL {
            let set: AlgorithmSet = [algorithm, algorithm].into_iter().collect();
            assert_eq!(set.iter().collect::<Vec<_>>(), [algorithm]);
        }
    }
}
