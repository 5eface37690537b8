//! What is found where, what makes room, and what the cache says of itself.

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
fn a_token_that_is_too_large_has_no_place() {
    let cache = TokenCache::new(1 << 20);
    let has_place = |length| cache.place(&orders(okta()), &"a".repeat(length)).is_some();
    assert!(has_place(MAX_TOKEN_BYTES) && !has_place(MAX_TOKEN_BYTES + 1));
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
