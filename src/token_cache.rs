//! Tokens that were verified before: what was proven, never a decision.
//!
//! It does not know whether a key or a provider still stands; the host asks on each hit. So a reload
//! costs only the tokens of what it changed.

mod front;

use std::{
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
    check::verify::Verified, clock::Mono, digest::sha256_of, policy::Policy, provider::Name,
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

/// One token. The front may keep this much of it after its end, so the rest stands elsewhere.
#[derive(Debug)]
struct Entry {
    /// All zeros where it is not kept.
    key: Key,
    /// When the cache was last told that it is asked about, in seconds on the monotonic clock.
    told: AtomicU64,
    verified: Box<Verified>,
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

    /// Where this token, verified under this policy, is kept; none where the cache is off.
    #[must_use]
    pub fn place(&self, policy: &Policy, token: &str) -> Option<Place> {
        self.kept.as_ref().map(|_| Place(self.key(policy, token)))
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
        let (told, verified) = (AtomicU64::new(0), Box::new(verified));
        let entry = Arc::new(Entry { key, told, verified });
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

    const T0: Mono = Mono(Duration::from_secs(1_000_000));

    fn keep(cache: &TokenCache, place: Place) -> Held {
        cache.hold(verified(&orders(okta()), &[]), Some(place))
    }

    type Asked<'a> = (&'a Policy, &'a str);

    /// Whether what is kept under one question is found by another.
    #[track_caller]
    fn check(kept: Asked<'_>, asked: Asked<'_>, expected: bool) {
        let cache = TokenCache::new(1 << 20);
        let place = |(policy, token): Asked<'_>| cache.place(policy, token).unwrap();
        keep(&cache, place(kept));
        for _ in 0..3 {
            assert_eq!(cache.get(place(asked), T0).is_some(), expected, "{kept:?} {asked:?}");
        }
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
        keep(&off, place);
        assert!(off.get(place, T0).is_none());
        assert_eq!(off.content(), Content::default());
    }

    /// Keeps this many tokens in a cache of so many bytes: how many it dropped for room.
    fn dropped(bytes: u64, tokens: usize) -> u64 {
        let (cache, policy) = (TokenCache::new(bytes), orders(okta()));
        for n in 0..tokens {
            let place = cache.place(&policy, &n.to_string()).unwrap();
            keep(&cache, place);
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
            keep(&cache, place(n));
            // Twice in each moment: the cache is told once.
            let now = T0.after(TELLS * n.try_into().unwrap());
            let asked = [0, 0].map(|n| cache.get(place(n), now).is_some());
            assert_eq!(asked, [true, true], "{n}");
            assert!(cache.content().bytes <= 1 << 18);
        }
        assert!(cache.get(place(1), T0).is_none() && cache.get(place(999), T0).is_some());
    }

    #[test]
    fn the_cache_is_told_of_a_token_that_is_asked_about_once_in_a_while() {
        let (cache, policy) = (TokenCache::new(1 << 20), orders(okta()));
        let place = cache.place(&policy, "t").unwrap();
        let held = keep(&cache, place);
        assert!(cache.get(place, T0).is_some());
        // What the cache has dropped is found as long as somebody holds it and nobody asks it.
        cache.kept.as_ref().unwrap().tokens.invalidate(&place.0);
        assert!(cache.get(place, T0.after(TELLS).before(Duration::from_millis(1))).is_some());
        assert!(cache.get(place, T0.after(TELLS)).is_none());
        drop(held);
    }

    #[test]
    fn a_freed_token_is_not_found_though_somebody_holds_it() {
        let (cache, policy) = (TokenCache::new(1 << 20), orders(okta()));
        let place = cache.place(&policy, "t").unwrap();
        let held = keep(&cache, place);
        assert!(cache.get(place, T0).is_some());
        cache.free(place);
        assert!(cache.get(place, T0).is_none());
        drop(held);
    }

    #[test]
    fn a_freed_place_was_not_dropped_for_room() {
        let (cache, policy) = (TokenCache::new(1 << 20), orders(okta()));
        let place = cache.place(&policy, "t").unwrap();
        for _ in 0..2 {
            keep(&cache, place);
            cache.free(place);
            cache.free(place);
            assert!(cache.get(place, T0).is_none());
        }
        assert_eq!(cache.content(), Content::default());
        keep(&cache, place);
        assert_eq!(cache.content().evicted, 0);
    }

    #[test]
    fn two_processes_do_not_share_their_keys() {
        let (one, other) = (TokenCache::new(1), TokenCache::new(1));
        let policy = orders(okta());
        assert_ne!(one.key(&policy, "t"), other.key(&policy, "t"));
    }
}
