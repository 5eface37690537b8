//! The tokens that were asked about of late, each found by its slot and itself alone.
//!
//! It owns no token and knows no policy: the cache owns them. What the cache has dropped is found
//! only as long as a check, or the cache's own tidying, still holds it; a hit is looked at again.

use std::{
    mem::size_of,
    sync::{Arc, Weak},
};

use arc_swap::ArcSwapWeak;

use crate::{
    clock::Mono,
    token_cache::{Entry, Key},
};

/// A table of a fixed size. Each key has two slots, side by side.
pub(super) struct Front {
    /// A power of two of them.
    pairs: Box<[Pair]>,
}

type Pair = [ArcSwapWeak<Entry>; 2];

/// One pair for each so many bytes of the cache, that is, for about two tokens.
const BYTES_A_PAIR: u64 = 2048;
/// So many are enough for any cache.
const MAX_PAIRS: u64 = 1 << 20;
/// What a slot keeps in memory of an entry that is gone: itself and its two counts.
const REST: usize = size_of::<Entry>() + 2 * size_of::<usize>();

impl Front {
    /// The front of a cache of so many bytes.
    pub(super) fn for_bytes(bytes: u64) -> Self {
        let pairs = (bytes / BYTES_A_PAIR).clamp(1, MAX_PAIRS);
        // Rounded down to a power of two.
        let pairs = 1_u64 << pairs.ilog2();
        let empty = || [Weak::new(), Weak::new()].map(ArcSwapWeak::new);
        Self { pairs: (0..pairs).map(|_| empty()).collect() }
    }

    /// What it takes at most, in bytes, with what it keeps of entries that are gone.
    pub(super) fn bytes(&self) -> u64 {
        (self.pairs.len() * (size_of::<Pair>() + 2 * REST)) as u64
    }

    /// The entry of this key, if it stands here and somebody still holds it.
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        let here = |slot: &ArcSwapWeak<Entry>| slot.load().upgrade();
        self.pair(key).iter().filter_map(here).find(|entry| entry.key == *key)
    }

    /// Puts an entry in place of one that is gone, or that nobody has asked about for a while.
    pub(super) fn put(&self, entry: &Arc<Entry>, now: Mono) {
        let is_free = |slot: &&ArcSwapWeak<Entry>| {
            slot.load().upgrade().is_none_or(|known| !known.was_told(now))
        };
        // Where both are in use, a third token is asked of the cache: to take turns costs more.
        if let Some(slot) = self.pair(&entry.key).iter().find(is_free) {
            slot.store(Arc::downgrade(entry));
        }
    }

    /// Forgets this key.
    pub(super) fn remove(&self, key: &Key) {
        for slot in self.pair(key) {
            let known = slot.load();
            if known.upgrade().is_some_and(|entry| entry.key == *key) {
                // Another that came meanwhile stays.
                slot.compare_and_swap(&*known, Weak::new());
            }
        }
    }

    fn pair(&self, key: &Key) -> &[ArcSwapWeak<Entry>] {
        let hash = key.first_chunk().map_or(0, |first| u64::from_ne_bytes(*first));
        #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
        let index = hash as usize & (self.pairs.len() - 1);
        self.pairs.get(index).map_or(&[], |pair| pair)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicU64, thread, time::Duration};

    use super::*;
    use crate::{
        check::fixtures::{okta, orders, verified},
        token_cache::TELLS,
    };

    const T0: Mono = Mono(Duration::from_secs(1_000_000));

    /// All of one pair, whatever the size of the table.
    fn key(last: u8) -> Key {
        let mut key = [0; 32];
        key[31] = last;
        key
    }

    /// One that is asked about now.
    fn entry(key: Key) -> Arc<Entry> {
        let verified = verified(&orders(okta()), &[]).into();
        Arc::new(Entry { key, told: AtomicU64::new(T0.0.as_secs()), verified })
    }

    /// A front in which these stand, put there in order.
    fn front(entries: &[Arc<Entry>]) -> Front {
        let front = Front::for_bytes(1 << 20);
        entries.iter().for_each(|entry| front.put(entry, T0));
        front
    }

    #[track_caller]
    fn check(front: &Front, expected: &[u8]) {
        let found: Vec<u8> = (0..5).filter(|last| front.get(&key(*last)).is_some()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_entry_is_found_by_its_whole_key() {
        let mut near = key(0);
        near[30] = 1;
        let entries = [entry(key(0))];
        let front = front(&entries);
        check(&front, &[0]);
        assert!(Arc::ptr_eq(&front.get(&key(0)).unwrap(), &entries[0]));
        assert!(front.get(&near).is_none());
    }

    #[test]
    fn two_stand_side_by_side_and_a_third_waits_until_one_is_not_asked_about() {
        let entries = [0, 1, 2].map(|last| entry(key(last)));
        check(&front(&entries[..2]), &[0, 1]);
        let front = front(&entries);
        check(&front, &[0, 1]);
        front.put(&entries[2], T0.after(TELLS));
        check(&front, &[1, 2]);
    }

    #[test]
    fn an_entry_that_nobody_holds_is_gone_and_makes_room() {
        let [zero, one, two] = [0, 1, 2].map(|last| entry(key(last)));
        let front = front(&[zero, one.clone()]);
        check(&front, &[1]);
        front.put(&two, T0);
        check(&front, &[1, 2]);
    }

    #[test]
    fn one_key_is_removed_and_its_neighbour_stays() {
        let entries = [0, 1].map(|last| entry(key(last)));
        let front = front(&entries);
        front.remove(&key(2));
        check(&front, &[0, 1]);
        front.remove(&key(0));
        check(&front, &[1]);
    }

    #[test]
    fn every_size_has_a_power_of_two_of_pairs_and_a_bound() {
        let pairs = |bytes| Front::for_bytes(bytes).pairs.len();
        assert_eq!([1, 2048, 4095, 4096, 9000, 1 << 20].map(pairs), [1, 1, 1, 2, 4, 512]);
        assert_eq!(pairs(u64::MAX), 1 << 20);
        assert!(Front::for_bytes(1).get(&[0xFF; 32]).is_none());
    }

    #[test]
    fn it_takes_less_than_a_tenth_of_the_cache() {
        for bytes in [1_u64 << 20, 100_000_000, 1 << 30] {
            assert!(Front::for_bytes(bytes).bytes() * 10 < bytes, "{bytes}");
        }
    }

    #[test]
    fn threads_that_put_get_and_remove_never_find_another_s() {
        let front = Front::for_bytes(1);
        let run = |last: u8| {
            for turn in 0..3000_u64 {
                let own = entry(key(last));
                // Each turn is a while after the one before, so that all displace each other.
                front.put(&own, T0.after(TELLS * u32::try_from(turn).unwrap()));
                for last in 0..4 {
                    assert!(front.get(&key(last)).is_none_or(|found| found.key == key(last)));
                }
                if turn % 3 == 0 {
                    front.remove(&key(last));
                }
            }
        };
        thread::scope(|scope| {
            (0..4).for_each(|last| drop(scope.spawn(move || run(last))));
        });
    }
}
