//! An identity provider on loopback: one key, a JWK Set, tokens on demand.
//!
//! It is no OpenID provider: it has no discovery document and no token endpoint.

use std::io;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::{Router, routing::get};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

/// An issuer with an ES256 key. Dropping it ends its server.
pub struct Issuer {
    /// Its `iss`.
    pub url: String,
    key: EncodingKey,
    kid: &'static str,
    _server: JoinSet<()>,
}

impl Issuer {
    /// Makes a key and serves its JWK Set at `/jwks.json`.
    ///
    /// # Errors
    /// If no port is to be had or no key can be made.
    pub async fn start(kid: &'static str) -> io::Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        let pkcs8 = pair.and_then(|pair| pair.to_pkcs8v1()).map_err(io::Error::other)?;
        let key = EncodingKey::from_ec_der(pkcs8.as_ref());
        let jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).map_err(io::Error::other)?;
        let mut jwk = serde_json::to_value(jwk)?;
        jwk["kid"] = kid.into();
        jwk["use"] = "sig".into();
        let set = json!({ "keys": [jwk] }).to_string();

        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let routes = Router::new().route("/jwks.json", get(async move || set.clone()));
        let mut server = JoinSet::new();
        server.spawn(async move {
            // It ends with the demo.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { url, key, kid, _server: server })
    }

    /// A token with these claims and this issuer's `iss`, where they have none.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn token(&self, mut claims: Value) -> io::Result<String> {
        if claims.get("iss").is_none() {
            claims["iss"] = self.url.as_str().into();
        }
        let header = Header { kid: Some(self.kid.to_owned()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(io::Error::other)
    }
}
