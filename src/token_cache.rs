//! Tokens that were verified before: what was proven, never a decision.
//!
//! It does not know whether a key or a provider still stands; the host asks on each hit. So a reload
//! costs only the tokens of what it changed.

mod front;

use std::{
    cell::RefCell,
    collections::hash_map::RandomState,
    hash::{BuildHasher, BuildHasherDefault, Hasher},
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use moka::{policy::EvictionPolicy, sync::Cache};

use crate::{
    check::{token::MAX_TOKEN_BYTES, verify::Verified},
    clock::Mono,
    digest::sha256_of,
    policy::Policy,
    provider::Name,
    token_cache::front::Front,
};

/// SHA-256 of the whole token and all that its verification depended on.
type Key = [u8; 32];

/// Where a token is kept.
#[derive(Clone, Copy)]
pub struct Place(Key);

/// A verified token, whether it is kept or not.
#[derive(Debug, Clone)]
pub struct Held(Arc<Entry>);

impl Deref for Held {
    type Target = Verified;

    fn deref(&self) -> &Verified {
        &self.0.verified
    }
}

/// One token, in one piece: each place in memory is waited for. The front may keep this much of it
/// after its end, all but the claims.
#[derive(Debug)]
struct Entry {
    /// All zeros where it is not kept.
    key: Key,
    /// When the cache was last told that it is asked about, in seconds on the monotonic clock.
    told: AtomicU64,
    verified: Verified,
}

/// A cache bounded in bytes. The token that was longest not asked about makes room first: tokens
/// are short-lived, so that how often one was seen says little about how often it will be.
pub struct TokenCache {
    /// None where the cache is off.
    kept: Option<Kept>,
    /// Keeps clients from choosing the cache's keys.
    secret: [u8; 16],
    /// How many were kept, less those that were freed.
    put: AtomicU64,
}

struct Kept {
    /// Owns the tokens. To ask it costs a walk over many places in memory, and it notes each time.
    tokens: Cache<Key, Arc<Entry>, BuildHasherDefault<DigestHasher>>,
    /// Finds those that are asked about again and again at once.
    front: Front,
}

/// So long the front answers without telling the cache that a token is asked about. Which token
/// was longest not asked about is known with this error: where new ones fill the whole cache in less
/// time, one that is in use may be dropped, and is verified once more.
const TELLS: Duration = Duration::from_secs(60);

/// What the cache says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Content {
    /// Roughly the memory in use, in bytes.
    pub bytes: u64,
    /// Tokens dropped so far to make room. One that two checks kept at once counts, too.
    pub evicted: u64,
}

/// A digest of which nobody can choose a bit is a hash as it is.
#[derive(Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }
    /// The digest's length, which precedes it: the same for all.
    fn write_usize(&mut self, _: usize) {}
    fn finish(&self) -> u64 {
        self.0
    }
}

/// What an entry takes besides its claims: key, times, pointers, and some ten pieces of the cache's.
const ENTRY_BYTES: usize = 768;

impl TokenCache {
    /// A cache of at most `bytes`; 0 turns it off.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let kept = (bytes > 0).then(|| Kept::new(bytes));
        // The standard library's hasher keys are random for each process.
        let mut secret = [0; 16];
        let halves = [0_u8, 1].map(|half| RandomState::new().hash_one(half).to_ne_bytes());
        for (to, from) in secret.iter_mut().zip(halves.as_flattened()) {
            *to = *from;
        }
        Self { kept, secret, put: AtomicU64::new(0) }
    }

    /// Where this token, verified under this policy, is kept; none where the cache is off, and for
    /// one that is too large to be accepted.
    #[must_use]
    pub fn place(&self, policy: &Policy, token: &str) -> Option<Place> {
        let fits = self.kept.is_some() && token.len() <= MAX_TOKEN_BYTES;
        fits.then(|| Place(self.key(policy, token)))
    }

    /// What is kept there, perhaps by an earlier config.
    #[must_use]
    pub fn get(&self, Place(key): Place, now: Mono) -> Option<Held> {
        let Kept { tokens, front } = self.kept.as_ref()?;
        let found = front.get(&key);
        if let Some(entry) = &found
            && entry.was_told(now)
        {
            return found.map(Held);
        }
        // To be asked for what it does not have costs the cache a note, too.
        let entry = if tokens.contains_key(&key) { tokens.get(&key)? } else { return None };
        entry.told.store(now.0.as_secs(), Ordering::Relaxed);
        if !found.is_some_and(|found| Arc::ptr_eq(&found, &entry)) {
            front.put(&entry, now);
        }
        Some(Held(entry))
    }

    /// Frees a place whose token does not stand any more.
    pub fn free(&self, Place(key): Place) {
        let Some(Kept { tokens, front }) = &self.kept else { return };
        front.remove(&key);
        if tokens.remove(&key).is_some() {
            self.put.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Holds a verified token, and keeps it where a place is given.
    pub fn hold(&self, verified: Verified, place: Option<Place>) -> Held {
        let Place(key) = place.unwrap_or(Place(Key::default()));
        let entry = Arc::new(Entry { key, told: AtomicU64::new(0), verified });
        // The front learns of it when it is asked about again: many new tokens never are.
        if let (Some(Kept { tokens, .. }), Some(_)) = (&self.kept, place) {
            self.put.fetch_add(1, Ordering::Relaxed);
            tokens.insert(key, entry.clone());
        }
        Held(entry)
    }

    /// What it holds, counted now.
    #[must_use]
    pub fn content(&self) -> Content {
        let Some(Kept { tokens, .. }) = &self.kept else { return Content::default() };
        // First what was kept, then what is left: one that comes in between is not taken for gone.
        let put = self.put.load(Ordering::Relaxed);
        tokens.run_pending_tasks();
        Content { bytes: tokens.weighted_size(), evicted: put.saturating_sub(tokens.entry_count()) }
    }

    /// A policy's name stands for its providers, which a hit looks at again; an inline one is its
    /// providers. Every part and every list is preceded by its length, so that no two are alike.
    fn key(&self, policy: &Policy, token: &str) -> Key {
        // In one piece, which is hashed soonest, and in the same place again and again.
        thread_local! {
            static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        TEXT.with_borrow_mut(|text| {
            text.clear();
            self.write_key(policy, token, text);
            sha256_of(text)
        })
    }

    fn write_key(&self, policy: &Policy, token: &str, text: &mut Vec<u8>) {
        text.extend_from_slice(&self.secret);
        let mut part = |part: &str| {
            text.extend_from_slice(&part.len().to_ne_bytes());
            text.extend_from_slice(part.as_bytes());
        };
        part(token);
        part(policy.name.as_ref().map_or("", Name::as_str));
        if policy.name.is_none() {
            part(&policy.accepts.members().len().to_string());
            policy.accepts.members().iter().for_each(|name| part(name.as_str()));
        }
        for list in &policy.audiences {
            part(&list.len().to_string());
            list.iter().for_each(|audience| part(audience));
        }
    }
}

impl Kept {
    fn new(bytes: u64) -> Self {
        let front = Front::for_bytes(bytes);
        let tokens = Cache::builder()
            .max_capacity(bytes.saturating_sub(front.bytes()))
            .weigher(|_: &Key, entry: &Arc<Entry>| {
                u32::try_from(entry.verified.claims.size() + ENTRY_BYTES).unwrap_or(u32::MAX)
            })
            // A listener would cost every insertion a lock of its own; see `content`.
            .eviction_policy(EvictionPolicy::lru())
            .build_with_hasher(BuildHasherDefault::default());
        Self { tokens, front }
    }
}

impl Entry {
    /// Whether the cache knows, near enough, when it was asked about.
    fn was_told(&self, now: Mono) -> bool {
        now.0.as_secs().saturating_sub(self.told.load(Ordering::Relaxed)) < TELLS.as_secs()
    }
}

#[cfg(test)]
mod tests;
