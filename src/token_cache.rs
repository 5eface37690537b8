//! Tokens that were verified before: what was proven, never a decision.
//!
//! It does not know whether a key or a provider still stands; the host asks on each hit. So a reload
//! costs only the tokens of what it changed.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, BuildHasherDefault, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use moka::{policy::EvictionPolicy, sync::Cache};

use crate::{check::verify::Verified, digest::sha256_of, policy::Policy, provider::Name};

/// SHA-256 of the whole token and all that its verification depended on.
type Key = [u8; 32];

/// Where a token is kept.
#[derive(Clone, Copy)]
pub struct Place(Key);

/// A cache bounded in bytes. The token that was longest not asked about makes room first: tokens
/// are short-lived, so that how often one was seen says little about how often it will be.
pub struct TokenCache {
    /// None where the cache is off.
    tokens: Option<Cache<Key, Arc<Verified>, BuildHasherDefault<DigestHasher>>>,
    /// Keeps clients from choosing the cache's keys.
    secret: [u8; 16],
    /// How many were kept, less those that were freed.
    put: AtomicU64,
}

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

/// What an entry takes besides its claims: key, times, pointers, the cache's own.
const ENTRY_BYTES: usize = 512;

impl TokenCache {
    /// A cache of at most `bytes`; 0 turns it off.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let tokens = (bytes > 0).then(|| {
            Cache::builder()
                .max_capacity(bytes)
                .weigher(|_: &Key, verified: &Arc<Verified>| {
                    u32::try_from(verified.claims.size() + ENTRY_BYTES).unwrap_or(u32::MAX)
                })
                // A listener would cost every insertion a lock of its own; see `content`.
                .eviction_policy(EvictionPolicy::lru())
                .build_with_hasher(BuildHasherDefault::default())
        });
        // The standard library's hasher keys are random for each process.
        let mut secret = [0; 16];
        let halves = [0_u8, 1].map(|half| RandomState::new().hash_one(half).to_ne_bytes());
        for (to, from) in secret.iter_mut().zip(halves.as_flattened()) {
            *to = *from;
        }
        Self { tokens, secret, put: AtomicU64::new(0) }
    }

    /// Where this token, verified under this policy, is kept; none where the cache is off.
    #[must_use]
    pub fn place(&self, policy: &Policy, token: &str) -> Option<Place> {
        self.tokens.as_ref().map(|_| Place(self.key(policy, token)))
    }

    /// What is kept there, perhaps by an earlier config.
    #[must_use]
    pub fn get(&self, place: Place) -> Option<Arc<Verified>> {
        self.tokens.as_ref()?.get(&place.0)
    }

    /// Frees a place whose token does not stand any more.
    pub fn free(&self, place: Place) {
        if self.tokens.as_ref().is_some_and(|tokens| tokens.remove(&place.0).is_some()) {
            self.put.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Keeps a verified token at its place.
    pub fn put(&self, place: Place, verified: Arc<Verified>) {
        if let Some(tokens) = &self.tokens {
            self.put.fetch_add(1, Ordering::Relaxed);
            tokens.insert(place.0, verified);
        }
    }

    /// What it holds, counted now.
    #[must_use]
    pub fn content(&self) -> Content {
        let Some(tokens) = &self.tokens else { return Content::default() };
        // First what was kept, then what is left: one that comes in between is not taken for gone.
        let put = self.put.load(Ordering::Relaxed);
        tokens.run_pending_tasks();
        Content { bytes: tokens.weighted_size(), evicted: put.saturating_sub(tokens.entry_count()) }
    }

    /// A policy's name stands for its providers, which a hit looks at again; an inline one is its
    /// providers. Every part and every list is preceded by its length, so that no two are alike.
    fn key(&self, policy: &Policy, token: &str) -> Key {
        let mut text = Vec::with_capacity(256 + token.len());
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
        sha256_of(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        check::fixtures::{okta, orders, policy as named, provider, verified},
        policy::{Accepts, Policy},
        provider::Provider,
    };

    fn inline(members: &[&str]) -> Policy {
        let provider = |name: &&str| Arc::new(provider(name, &format!("https://{name}")));
        let providers: Vec<Arc<Provider>> = members.iter().map(provider).collect();
        let accepts = Accepts::new(&providers, Vec::new()).unwrap();
        Policy { name: None, accepts, ..orders(okta()) }
    }

    fn narrowed(policy: Policy, audiences: &[&[&str]]) -> Policy {
        let lists = audiences.iter().map(|list| list.iter().map(|&a| a.to_owned()).collect());
        Policy { audiences: lists.collect(), ..policy }
    }

    type Asked<'a> = (&'a Policy, &'a str);

    /// Whether what is kept under one question is found by another.
    #[track_caller]
    fn check(kept: Asked<'_>, asked: Asked<'_>, expected: bool) {
        let cache = TokenCache::new(1 << 20);
        let place = |(policy, token): Asked<'_>| cache.place(policy, token).unwrap();
        cache.put(place(kept), Arc::new(verified(&orders(okta()), &[])));
        assert_eq!(cache.get(place(asked)).is_some(), expected, "{kept:?} {asked:?}");
    }

    #[test]
    fn a_token_is_found_under_the_same_policy() {
        let policy = orders(okta());
        check((&policy, "a"), (&policy.clone(), "a"), true);
        check((&inline(&["a", "b"]), "a"), (&inline(&["a", "b"]), "a"), true);
    }

    #[test]
    fn another_token_finds_nothing() {
        let policy = orders(okta());
        for asked in ["b", "aa", ""] {
            check((&policy, "a"), (&policy, asked), false);
        }
    }

    #[test]
    fn another_policy_finds_nothing() {
        let kept = orders(okta());
        check((&kept, "t"), (&named("other", &[Arc::new(okta())]), "t"), false);
        check((&kept, "t"), (&inline(&["okta"]), "t"), false);
        check((&kept, "t"), (&inline(&["orders"]), "t"), false);
        check((&inline(&["orders"]), "t"), (&kept, "t"), false);
    }

    #[test]
    fn other_inline_providers_find_nothing_wherever_their_names_divide() {
        let kept = inline(&["ab", "c"]);
        for other in [&["a", "bc"][..], &["abc"], &["ab"], &["c"], &["ab", "c", "d"], &[]] {
            check((&kept, "t"), (&inline(other), "t"), false);
        }
    }

    #[test]
    fn other_audiences_find_nothing_wherever_they_divide() {
        let kept = narrowed(orders(okta()), &[&["ab", "c"]]);
        let others: [&[&[&str]]; 7] = [
            &[],
            &[&["a", "bc"]],
            &[&["abc"]],
            &[&["ab"]],
            &[&["ab"], &["c"]],
            &[&["ab", "c"], &["c"]],
            &[&["ab", "c", "c"]],
        ];
        for other in others {
            check((&kept, "t"), (&narrowed(orders(okta()), other), "t"), false);
        }
    }

    #[test]
    fn the_parts_of_a_key_are_not_taken_for_each_other() {
        let providers_as_audience = narrowed(inline(&["a"]), &[&["b"]]);
        for other in [inline(&["a", "b"]), narrowed(inline(&["b"]), &[&["a"]]), inline(&["ab"])] {
            check((&providers_as_audience, "t"), (&other, "t"), false);
        }
        check((&orders(okta()), "ta"), (&named("aorders", &[]), "t"), false);
    }

    #[test]
    fn size_0_is_off() {
        let (off, on) = (TokenCache::new(0), TokenCache::new(1 << 20));
        let policy = orders(okta());
        assert!(off.place(&policy, "t").is_none());
        let place = on.place(&policy, "t").unwrap();
        off.put(place, Arc::new(verified(&policy, &[])));
        assert!(off.get(place).is_none());
        assert_eq!(off.content(), Content::default());
    }

    /// Keeps this many tokens in a cache of so many bytes: how many it dropped for room.
    fn dropped(bytes: u64, tokens: usize) -> u64 {
        let (cache, policy) = (TokenCache::new(bytes), orders(okta()));
        for n in 0..tokens {
            let place = cache.place(&policy, &n.to_string()).unwrap();
            cache.put(place, Arc::new(verified(&policy, &[])));
        }
        let Content { bytes: held, evicted } = cache.content();
        assert!(held <= bytes, "{held}");
        evicted
    }

    #[test]
    fn tokens_beyond_its_size_make_room_and_are_counted() {
        assert_eq!(dropped(1 << 20, 100), 0);
        let kept = 1000 - dropped(1 << 18, 1000);
        assert!((100..=512).contains(&kept), "{kept}");
    }

    #[test]
    fn the_token_that_was_longest_not_asked_about_makes_room() {
        let (cache, policy) = (TokenCache::new(1 << 18), orders(okta()));
        let place = |n: usize| cache.place(&policy, &n.to_string()).unwrap();
        for n in 0..1000 {
            cache.put(place(n), Arc::new(verified(&policy, &[])));
            assert!(cache.get(place(0)).is_some(), "{n}");
            assert!(cache.content().bytes <= 1 << 18);
        }
        assert!(cache.get(place(1)).is_none() && cache.get(place(999)).is_some());
    }

    #[test]
    fn a_freed_place_was_not_dropped_for_room() {
        let (cache, policy) = (TokenCache::new(1 << 20), orders(okta()));
        let place = cache.place(&policy, "t").unwrap();
        for _ in 0..2 {
            cache.put(place, Arc::new(verified(&policy, &[])));
            cache.free(place);
            cache.free(place);
            assert!(cache.get(place).is_none());
        }
        assert_eq!(cache.content(), Content::default());
        cache.put(place, Arc::new(verified(&policy, &[])));
        assert_eq!(cache.content().evicted, 0);
    }

    #[test]
    fn two_processes_do_not_share_their_keys() {
        let (one, other) = (TokenCache::new(1), TokenCache::new(1));
        let policy = orders(okta());
        assert_ne!(one.key(&policy, "t"), other.key(&policy, "t"));
    }
}
