//! What the targets share: one config, and a host that never waits.
//!
//! The config's key is public, so that no input can ever be signed by it: nothing may be allowed
//! with claims.

use std::{convert::Infallible, time::SystemTime};

use claimgate::{
    check::{
        Host, Keys, Recalled,
        verify::{FoundKeys, KeyProblem, KeyQuery, Verified},
    },
    clock::{Mono, Now},
    config::load::load,
    policy::Policy,
    provider::KeySource,
    snapshot::Snapshot,
};

/// Two providers, a policy in each mode; the strict one is the default.
const CONFIG: &str = r#"
providers:
- name: a
  issuer: https://a.example
  audiences: [api]
  jwks: { inline: { keys: [ { kty: EC, crv: P-256, kid: k, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM } ] } }
  claim_to_headers:
  - { claim: sub, header: x-auth-subject }
  - { claim: a.b, header: x-auth-nested }
policies:
- { name: strict, providers: [a] }
- { name: optional, providers: [a], mode: optional }
- { name: permissive, providers: [a], mode: permissive }
default_policy: strict
"#;

/// The config as the decision sees it.
pub fn snapshot() -> Snapshot {
    let file = std::env::temp_dir().join(format!("claimgate-fuzz-{}.yaml", std::process::id()));
    std::fs::write(&file, CONFIG).expect("a folder for temporary files");
    let loaded = load(&file).expect("a good config");
    std::fs::remove_file(&file).expect("the file that was just written");
    loaded.into_snapshot(1, SystemTime::UNIX_EPOCH)
}

/// A moment at which tokens may be in date.
pub fn now() -> Now {
    Now { unix: 1_700_000_000.0, mono: Mono(std::time::Duration::ZERO) }
}

/// Keys from the config alone.
pub struct Offline;

impl Host for Offline {
    type Wait = Infallible;
    type Place = ();
    type Held = Box<Verified>;

    fn keys(&self, query: KeyQuery<'_>, _: Now) -> Keys<Infallible> {
        let KeySource::Local(set) = &query.provider.keys else {
            return Keys::None(KeyProblem::Unavailable);
        };
        match set.select(query.kid, query.algorithm) {
            Ok(keys) => Keys::Found(FoundKeys { keys, fetched_at: None }),
            Err(_) => Keys::None(KeyProblem::Unknown),
        }
    }

    fn recall(&self, _: &str, _: &Policy, _: Now) -> Recalled<Box<Verified>, ()> {
        Recalled::New(None)
    }

    fn hold(&self, verified: Verified, _: Option<()>) -> Box<Verified> {
        verified.into()
    }
}
