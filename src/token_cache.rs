//! Tokens that were verified before: what was proven, never a decision.
//!
//! It does not know whether a key still stands; the host asks the store on each hit.

use std::{collections::hash_map::RandomState, hash::BuildHasher, sync::Arc};

use moka::sync::Cache;

use crate::{check::verify::Verified, digest::sha256, policy::Policy, provider::Name};

/// SHA-256 of the whole token and all that its verification depended on.
type Key = [u8; 32];

/// A cache bounded in bytes.
pub struct TokenCache {
    /// None where the cache is off.
    tokens: Option<Cache<Key, Arc<Verified>>>,
    /// Keeps clients from choosing the cache's keys.
    secret: [u8; 16],
}

/// What an entry takes besides its claims: key, times, pointers, the cache's own.
const ENTRY_BYTES: usize = 512;

impl TokenCache {
    /// A cache of at most `bytes`; 0 turns it off. `evicted` is called for each entry dropped
    /// for room.
    pub fn new(bytes: u64, evicted: impl Fn() + Send + Sync + 'static) -> Self {
        let tokens = (bytes > 0).then(|| {
            Cache::builder()
                .max_capacity(bytes)
                .weigher(|_: &Key, verified: &Arc<Verified>| {
                    u32::try_from(verified.claims.size() + ENTRY_BYTES).unwrap_or(u32::MAX)
                })
                .eviction_listener(move |_, _, cause| {
                    if cause == moka::notification::RemovalCause::Size {
                        evicted();
                    }
                })
                .build()
        });
        // The standard library's hasher keys are random for each process.
        let mut secret = [0; 16];
        let halves = [0_u8, 1].map(|half| RandomState::new().hash_one(half).to_ne_bytes());
        for (to, from) in secret.iter_mut().zip(halves.as_flattened()) {
            *to = *from;
        }
        Self { tokens, secret }
    }

    /// The token as it was verified under this policy of this config.
    #[must_use]
    pub fn get(&self, generation: u64, policy: &Policy, token: &str) -> Option<Arc<Verified>> {
        self.tokens.as_ref()?.get(&self.key(generation, policy, token))
    }

    /// Keeps a verified token.
    pub fn put(&self, generation: u64, policy: &Policy, token: &str, verified: Arc<Verified>) {
        if let Some(tokens) = &self.tokens {
            tokens.insert(self.key(generation, policy, token), verified);
        }
    }

    /// Forgets everything: nothing that an older config verified can be asked for again.
    pub fn clear(&self) {
        if let Some(tokens) = &self.tokens {
            tokens.invalidate_all();
        }
    }

    /// Roughly the memory in use, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.tokens.as_ref().map_or(0, Cache::weighted_size)
    }

    /// A policy's name stands for its providers within one generation; an inline one is its
    /// providers. Every part is preceded by its length, so that no two sequences are alike.
    fn key(&self, generation: u64, policy: &Policy, token: &str) -> Key {
        let mut text = Vec::with_capacity(256 + token.len());
        text.extend_from_slice(&self.secret);
        text.extend_from_slice(&generation.to_ne_bytes());
        let mut part = |part: &str| {
            text.extend_from_slice(&part.len().to_ne_bytes());
            text.extend_from_slice(part.as_bytes());
        };
        part(token);
        part(policy.name.as_ref().map_or("", Name::as_str));
        if policy.name.is_none() {
            policy.accepts.members().iter().for_each(|name| part(name.as_str()));
        }
        for list in &policy.audiences {
            part("");
            list.iter().for_each(|audience| part(audience));
        }
        sha256([text])
    }
}
