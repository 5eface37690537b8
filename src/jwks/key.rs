//! One verification key, parsed once when its set is loaded, and the signature algorithms.
//!
//! It does not choose a key for a token (`jwks/key_set.rs`). jsonwebtoken reads the JWK; the
//! signature goes to aws-lc-rs directly, since jsonwebtoken builds the key anew on each verify,
//! has no ES512 and does not bound RSA keys.

use std::fmt;

use aws_lc_rs::{hmac, signature as sig};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use thiserror::Error;

use crate::jwks::algorithm::Algorithm::{
    self, ES256, ES384, ES512, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512,
};

/// One usable key of a set.
///
/// Its `Debug` shows kid, type and algorithms, never material.
pub struct Key {
    /// `kid`, if the JWK has one.
    pub kid: Option<String>,
    /// `kty`.
    pub kind: KeyKind,
    /// Every algorithm it may verify, each with the material parsed for it; never empty.
    verifiers: Vec<(Algorithm, Verifier)>,
    /// The whole JWK as text, to tell an unchanged key from a changed one.
    jwk: String,
}

/// `kty` (RFC 7518 section 6.1, RFC 8037 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the registered ones")]
pub enum KeyKind {
    RSA,
    EC,
    OKP,
    Oct,
}

impl KeyKind {
    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RSA => "RSA",
            Self::EC => "EC",
            Self::OKP => "OKP",
            Self::Oct => "oct",
        }
    }
}

/// Who wrote a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// An issuer's server: symmetric keys are refused.
    Network,
    /// The operator, in `jwks.file` or `jwks.inline`.
    Local,
}

/// Why a JWK of a set cannot be used. It is skipped; the others still work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum KeyError {
    #[error("not a JWK")]
    NotAJwk,
    #[error("unsupported key type or curve")]
    Unsupported,
    #[error("use, key_ops or alg do not permit verifying signatures")]
    NotForVerifying,
    #[error("RSA modulus outside 2048 to 8192 bits")]
    RsaSize,
    #[error("malformed key material")]
    Malformed,
    #[error("symmetric key from the network")]
    SymmetricFromNetwork,
    #[error("symmetric key shorter than the algorithm's output")]
    SymmetricTooShort,
}

/// `alg` as text: jsonwebtoken's enum knows neither ES512 nor Ed25519.
#[derive(Deserialize)]
struct DeclaredAlg {
    alg: Option<String>,
}

enum Verifier {
    Public(sig::ParsedPublicKey),
    Mac(Box<hmac::Key>),
}

impl Key {
    /// Parses one JWK (RFC 7517 section 4). `jwk` is its text.
    ///
    /// # Errors
    /// [`KeyError`] if it is not a key that can verify signatures here.
    pub fn parse(jwk: &str, origin: Origin) -> Result<Self, KeyError> {
        let parsed: Jwk = serde_json::from_str(jwk).map_err(|_| KeyError::NotAJwk)?;
        let declared: DeclaredAlg = serde_json::from_str(jwk).map_err(|_| KeyError::NotAJwk)?;
        let (kind, candidates) = candidates(&parsed, origin)?;
        let permitted: Vec<Algorithm> =
            candidates.iter().copied().filter(|a| permits(&parsed, &declared, *a)).collect();
        if permitted.is_empty() {
            return Err(KeyError::NotForVerifying);
        }
        let mut verifiers = Vec::with_capacity(permitted.len());
        let mut last = KeyError::Malformed;
        for algorithm in permitted {
            match verifier(&parsed.algorithm, algorithm) {
                Ok(verifier) => verifiers.push((algorithm, verifier)),
                Err(error) => last = error,
            }
        }
        if verifiers.is_empty() {
            return Err(last);
        }
        Ok(Self { kid: parsed.common.key_id, kind, verifiers, jwk: jwk.to_owned() })
    }

    /// Whether type, curve, `alg`, `use` and `key_ops` agree with `algorithm`.
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.verifiers.iter().any(|(a, _)| *a == algorithm)
    }

    /// The algorithms it may verify, in a fixed order.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.verifiers.iter().map(|(a, _)| *a)
    }

    /// Whether both were read from the same JWK text.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.jwk == other.jwk
    }

    /// Whether `signature` is this key's over `message`. False for an algorithm that does not fit.
    #[must_use]
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let Some((_, verifier)) = self.verifiers.iter().find(|(a, _)| *a == algorithm) else {
            return false;
        };
        match verifier {
            Verifier::Public(key) => key.verify_sig(message, signature).is_ok(),
            Verifier::Mac(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("kind", &self.kind)
            .field("algorithms", &self.algorithms().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// What the key type and curve alone allow.
#[expect(clippy::wildcard_enum_match_arm, reason = "jsonwebtoken may name more curves and types")]
fn candidates(jwk: &Jwk, origin: Origin) -> Result<(KeyKind, &'static [Algorithm]), KeyError> {
    match (&jwk.algorithm, origin) {
        (AlgorithmParameters::RSA(_), _) => {
            Ok((KeyKind::RSA, &[RS256, RS384, RS512, PS256, PS384, PS512]))
        }
        (AlgorithmParameters::EllipticCurve(ec), _) => match ec.curve {
            EllipticCurve::P256 => Ok((KeyKind::EC, &[ES256])),
            EllipticCurve::P384 => Ok((KeyKind::EC, &[ES384])),
            EllipticCurve::P521 => Ok((KeyKind::EC, &[ES512])),
            _ => Err(KeyError::Unsupported),
        },
        (AlgorithmParameters::OctetKeyPair(okp), _) => match okp.curve {
            EllipticCurve::Ed25519 => Ok((KeyKind::OKP, &[EdDSA])),
            _ => Err(KeyError::Unsupported),
        },
        (AlgorithmParameters::OctetKey(_), Origin::Local) => {
            Ok((KeyKind::Oct, &[HS256, HS384, HS512]))
        }
        (AlgorithmParameters::OctetKey(_), Origin::Network) => Err(KeyError::SymmetricFromNetwork),
        _ => Err(KeyError::Unsupported),
    }
}

/// What `use`, `key_ops` and `alg` leave of it (RFC 7517 sections 4.2 to 4.4).
fn permits(jwk: &Jwk, declared: &DeclaredAlg, algorithm: Algorithm) -> bool {
    let common = &jwk.common;
    let use_ok = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
    let ops_ok =
        common.key_operations.as_ref().is_none_or(|ops| ops.contains(&KeyOperations::Verify));
    let alg_ok = declared.alg.as_deref().is_none_or(|alg| Algorithm::parse(alg) == Some(algorithm));
    use_ok && ops_ok && alg_ok
}

#[expect(clippy::wildcard_enum_match_arm, reason = "jsonwebtoken may name more curves and types")]
fn verifier(parameters: &AlgorithmParameters, algorithm: Algorithm) -> Result<Verifier, KeyError> {
    match parameters {
        AlgorithmParameters::RSA(rsa) => {
            let (n, e) = (integer(&rsa.n)?, integer(&rsa.e)?);
            if !(2048..=8192).contains(&bits(&n)) {
                return Err(KeyError::RsaSize);
            }
            // aws-lc would parse others, and then verify nothing with them.
            if !is_odd(&n) || !is_odd(&e) || !(2..=33).contains(&bits(&e)) {
                return Err(KeyError::Malformed);
            }
            sig::RsaPublicKeyComponents { n: &n, e: &e }
                .to_parsed_public_key(rsa_parameters(algorithm)?)
                .map(Verifier::Public)
                .map_err(|_| KeyError::Malformed)
        }
        AlgorithmParameters::EllipticCurve(ec) => {
            let (curve, size) = ec_parameters(algorithm)?;
            let (x, y) = (decode(&ec.x)?, decode(&ec.y)?);
            // RFC 7518 section 6.2.1.2: each coordinate has the full size of the field.
            if x.len() != size || y.len() != size {
                return Err(KeyError::Malformed);
            }
            let point = [&[0x04], x.as_slice(), y.as_slice()].concat();
            public(curve, &point)
        }
        AlgorithmParameters::OctetKeyPair(okp) => public(&sig::ED25519, &decode(&okp.x)?),
        AlgorithmParameters::OctetKey(oct) => {
            let secret = decode(&oct.value)?;
            let mac = mac_parameters(algorithm)?;
            // RFC 7518 section 3.2: at least as long as the hash output.
            if secret.len() < mac.digest_algorithm().output_len() {
                return Err(KeyError::SymmetricTooShort);
            }
            Ok(Verifier::Mac(Box::new(hmac::Key::new(mac, &secret))))
        }
        _ => Err(KeyError::Unsupported),
    }
}

fn public(
    algorithm: &'static dyn sig::VerificationAlgorithm,
    bytes: &[u8],
) -> Result<Verifier, KeyError> {
    sig::ParsedPublicKey::new(algorithm, bytes)
        .map(Verifier::Public)
        .map_err(|_| KeyError::Malformed)
}

fn rsa_parameters(algorithm: Algorithm) -> Result<&'static sig::RsaParameters, KeyError> {
    match algorithm {
        RS256 => Ok(&sig::RSA_PKCS1_2048_8192_SHA256),
        RS384 => Ok(&sig::RSA_PKCS1_2048_8192_SHA384),
        RS512 => Ok(&sig::RSA_PKCS1_2048_8192_SHA512),
        PS256 => Ok(&sig::RSA_PSS_2048_8192_SHA256),
        PS384 => Ok(&sig::RSA_PSS_2048_8192_SHA384),
        PS512 => Ok(&sig::RSA_PSS_2048_8192_SHA512),
        ES256 | ES384 | ES512 | EdDSA | HS256 | HS384 | HS512 => Err(KeyError::Unsupported),
    }
}

/// The verification parameters and the size of a coordinate in bytes.
fn ec_parameters(
    algorithm: Algorithm,
) -> Result<(&'static sig::EcdsaVerificationAlgorithm, usize), KeyError> {
    match algorithm {
        ES256 => Ok((&sig::ECDSA_P256_SHA256_FIXED, 32)),
        ES384 => Ok((&sig::ECDSA_P384_SHA384_FIXED, 48)),
        ES512 => Ok((&sig::ECDSA_P521_SHA512_FIXED, 66)),
        RS256 | RS384 | RS512 | PS256 | PS384 | PS512 | EdDSA | HS256 | HS384 | HS512 => {
            Err(KeyError::Unsupported)
        }
    }
}

fn mac_parameters(algorithm: Algorithm) -> Result<hmac::Algorithm, KeyError> {
    match algorithm {
        HS256 => Ok(hmac::HMAC_SHA256),
        HS384 => Ok(hmac::HMAC_SHA384),
        HS512 => Ok(hmac::HMAC_SHA512),
        RS256 | RS384 | RS512 | PS256 | PS384 | PS512 | ES256 | ES384 | ES512 | EdDSA => {
            Err(KeyError::Unsupported)
        }
    }
}

fn decode(text: &str) -> Result<Vec<u8>, KeyError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Malformed)
}

/// A Base64urlUInt (RFC 7518 section 2), without the leading zeros that some issuers write.
fn integer(text: &str) -> Result<Vec<u8>, KeyError> {
    let bytes = decode(text)?;
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    Ok(bytes.get(zeros..).unwrap_or_default().to_vec())
}

fn is_odd(integer: &[u8]) -> bool {
    integer.last().is_some_and(|last| last & 1 == 1)
}

fn bits(integer: &[u8]) -> usize {
    integer.first().map_or(0, |top| integer.len() * 8 - top.leading_zeros() as usize)
}

#[cfg(test)]
mod tests;

/// Keys that sign, for the tests of every module: kept here, at the one home of aws-lc-rs.
#[cfg(test)]
pub(crate) mod fixtures {
    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
    };
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    /// An ES256 key that signs whatever it is given, sound or not.
    pub(crate) struct SigningKey {
        kid: String,
        pair: EcdsaKeyPair,
    }

    impl SigningKey {
        /// A new key.
        pub(crate) fn new(kid: &str) -> Self {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
            Self { kid: kid.to_owned(), pair }
        }

        /// A JWS over these exact texts.
        pub(crate) fn jws(&self, header: &str, payload: &str) -> String {
            let encode = |text: &[u8]| URL_SAFE_NO_PAD.encode(text);
            let input = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
            let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
            format!("{input}.{}", encode(signature.as_ref()))
        }

        /// The JWK that verifies what it signs.
        pub(crate) fn jwk(&self) -> serde_json::Value {
            let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
            let encode = |coordinate: &[u8]| URL_SAFE_NO_PAD.encode(coordinate);
            serde_json::json!({
                "kty": "EC", "crv": "P-256", "kid": self.kid, "x": encode(x), "y": encode(y),
            })
        }
    }
}
