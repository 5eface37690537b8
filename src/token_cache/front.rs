//! The tokens that were asked about of late, each found by a look at one or two places in memory.
//!
//! It owns no token and knows no policy: what the cache has dropped is gone here, too.

use std::sync::{Arc, Weak};

use arc_swap::ArcSwapWeak;

use crate::token_cache::{Entry, Key};

/// A table of a fixed size. Each key has two slots, side by side, and displaces what stands there.
pub(super) struct Front {
    /// A power of two of them.
    pairs: Box<[[ArcSwapWeak<Entry>; 2]]>,
}

/// One pair for each so many bytes of the cache, that is, for about each token that it has room for.
const BYTES_A_PAIR: u64 = 1024;
/// A front takes at most 16 MiB.
const MAX_PAIRS: u64 = 1 << 20;

impl Front {
    /// The front of a cache of so many bytes.
    pub(super) fn for_bytes(bytes: u64) -> Self {
        let pairs = (bytes / BYTES_A_PAIR).clamp(1, MAX_PAIRS).next_power_of_two();
        let empty = || [Weak::new(), Weak::new()].map(ArcSwapWeak::new);
        Self { pairs: (0..pairs).map(|_| empty()).collect() }
    }

    /// The entry of this key, if it stands here and the cache, or a check, still holds it.
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        let here = |slot: &ArcSwapWeak<Entry>| slot.load().upgrade();
        self.pair(key).iter().filter_map(here).find(|entry| entry.key.as_ref() == Some(key))
    }

    /// Puts the entry of this key in place of one that is gone, or of another.
    pub(super) fn put(&self, entry: &Arc<Entry>, key: &Key) {
        let pair = self.pair(key);
        let is_free = |slot: &&ArcSwapWeak<Entry>| slot.load().strong_count() == 0;
        // Any bit that did not choose the pair.
        let other = usize::from(key[31] & 1);
        if let Some(slot) = pair.iter().find(is_free).or(pair.get(other)) {
            slot.store(Arc::downgrade(entry));
        }
    }

    /// Forgets this key.
    pub(super) fn remove(&self, key: &Key) {
        for slot in self.pair(key) {
            let known = slot.load();
            if known.upgrade().is_some_and(|entry| entry.key.as_ref() == Some(key)) {
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
    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::check::fixtures::{okta, orders, verified};

    /// All of one pair, whatever the size of the table.
    fn key(last: u8) -> Key {
        let mut key = [0; 32];
        key[31] = last;
        key
    }

    fn entry(key: Key) -> Arc<Entry> {
        let verified = verified(&orders(okta()), &[]);
        Arc::new(Entry { key: Some(key), told: AtomicU64::new(0), verified })
    }

    /// A front in which these stand, put there in order.
    fn front(entries: &[Arc<Entry>]) -> Front {
        let front = Front::for_bytes(1 << 20);
        entries.iter().for_each(|entry| front.put(entry, &entry.key.unwrap()));
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
    fn two_stand_side_by_side_and_a_third_displaces_one() {
        let entries = [0, 1, 2, 3].map(|last| entry(key(last)));
        check(&front(&entries[..2]), &[0, 1]);
        check(&front(&entries[..3]), &[1, 2]);
        check(&front(&entries), &[2, 3]);
    }

    #[test]
    fn an_entry_that_nobody_holds_is_gone_and_makes_room() {
        let [zero, one, two] = [0, 1, 2].map(|last| entry(key(last)));
        let front = front(&[zero, one.clone()]);
        check(&front, &[1]);
        front.put(&two, &key(2));
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
        assert_eq!([1, 1024, 3000, 1 << 20].map(pairs), [1, 1, 2, 1024]);
        assert_eq!(pairs(u64::MAX), 1 << 20);
        let front = Front::for_bytes(1);
        assert!(front.get(&[0xFF; 32]).is_none());
    }
}
