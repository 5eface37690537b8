//! Keys of every kind that sign whatever they are given, sound or not.

use std::sync::LazyLock;

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        self as sig, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _,
        RsaEncoding, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A private key, its kid and the algorithm that its tokens name.
pub(crate) struct TestKey {
    /// `alg` of tokens and JWK.
    pub(crate) alg: &'static str,
    /// `kid` of tokens and JWK.
    pub(crate) kid: String,
    material: Material,
}

enum Material {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
    Mac(Box<hmac::Key>, Vec<u8>),
}

/// One shared key for each algorithm that is slow to make a key for.
pub(crate) static RS256: LazyLock<TestKey> = LazyLock::new(|| TestKey::new("RS256"));
/// A shared ES256 key.
pub(crate) static ES256: LazyLock<TestKey> = LazyLock::new(|| TestKey::new("ES256"));

impl TestKey {
    /// A new key for `alg`, with the kid `ALG-1`.
    pub(crate) fn new(alg: &'static str) -> Self {
        Self::with_kid(alg, &format!("{alg}-1"))
    }

    /// A new key for `alg`. RSA keys have 2048 bits.
    pub(crate) fn with_kid(alg: &'static str, kid: &str) -> Self {
        let rsa =
            |encoding| Material::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), encoding);
        let ec = |algorithm: &'static EcdsaSigningAlgorithm, curve| {
            Material::Ec(EcdsaKeyPair::generate(algorithm).unwrap(), curve)
        };
        let mac = |algorithm, length: u8| {
            let secret: Vec<u8> = (0..length).map(|i| i.wrapping_mul(31) ^ 0x5A).collect();
            Material::Mac(Box::new(hmac::Key::new(algorithm, &secret)), secret)
        };
        let material = match alg {
            "RS256" => rsa(&sig::RSA_PKCS1_SHA256),
            "RS384" => rsa(&sig::RSA_PKCS1_SHA384),
            "RS512" => rsa(&sig::RSA_PKCS1_SHA512),
            "PS256" => rsa(&sig::RSA_PSS_SHA256),
            "PS384" => rsa(&sig::RSA_PSS_SHA384),
            "PS512" => rsa(&sig::RSA_PSS_SHA512),
            "ES256" => ec(&sig::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            "ES384" => ec(&sig::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            "ES512" => ec(&sig::ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
            "EdDSA" => Material::Ed(Ed25519KeyPair::generate().unwrap()),
            "HS256" => mac(hmac::HMAC_SHA256, 32),
            "HS384" => mac(hmac::HMAC_SHA384, 48),
            "HS512" => mac(hmac::HMAC_SHA512, 64),
            other => panic!("no such algorithm: {other}"),
        };
        Self { alg, kid: kid.to_owned(), material }
    }

    /// The signature over any bytes.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.material {
            Material::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Material::Ec(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Material::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Material::Mac(key, _) => hmac::sign(key, message).as_ref().to_vec(),
        }
    }

    /// A JWS over these exact texts, whatever they are.
    pub(crate) fn jws(&self, header: &str, payload: &str) -> String {
        let input =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = URL_SAFE_NO_PAD.encode(self.sign(input.as_bytes()));
        format!("{input}.{signature}")
    }

    /// A token with these claims and this key's `alg` and `kid`.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(json!({ "alg": self.alg, "kid": self.kid }), claims)
    }

    /// A token with these claims and this whole header.
    #[expect(clippy::needless_pass_by_value, reason = "callers write `json!` in place")]
    pub(crate) fn token_with(&self, header: Value, claims: &Value) -> String {
        self.jws(&header.to_string(), &claims.to_string())
    }

    /// The JWK that verifies its tokens, with `alg`, `kid` and `use`.
    pub(crate) fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.material {
            Material::Rsa(pair, _) => {
                let public = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": encode(public.modulus().big_endian_without_leading_zero()),
                    "e": encode(public.exponent().big_endian_without_leading_zero()),
                })
            }
            Material::Ec(pair, curve) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
            }
            Material::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) })
            }
            Material::Mac(_, secret) => json!({ "kty": "oct", "k": encode(secret) }),
        };
        jwk["alg"] = self.alg.into();
        jwk["kid"] = self.kid.as_str().into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// A set of this key alone.
    pub(crate) fn jwks(&self) -> Value {
        set(&[self])
    }
}

/// A JWK Set of these keys.
pub(crate) fn set(keys: &[&TestKey]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() })
}
