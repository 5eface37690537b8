//! The tokens that were asked about of late, each found by its slot and itself alone.
//!
//! It owns no token and knows no policy: the cache owns them. What the cache has dropped is found
//! only as long as a check, or the cache's own tidying, still holds it; a hit is looked at again.

use std::{
    mem::size_of,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwapWeak;

use crate::{
    clock::Mono,
    token_cache::{Entry, Key},
};

/// A table of a fixed size. Each key has four slots, side by side.
pub(super) struct Front {
    /// A power of two of them.
    sets: Box<[Set]>,
}

/// Four slots in one cache line, and the beginning of each one's key: to look at a wrong entry is to
/// wait for memory.
#[repr(align(64))]
struct Set {
    tags: [AtomicU64; SLOTS],
    slots: [ArcSwapWeak<Entry>; SLOTS],
}

const SLOTS: usize = 4;

/// One set for each so many bytes of the cache, that is, for two to four tokens.
const BYTES_A_SET: u64 = 4096;
/// So many are enough for any cache.
const MAX_SETS: u64 = 1 << 19;
/// What a slot keeps in memory of an entry that is gone: itself and its two counts.
const REST: usize = size_of::<Entry>() + 2 * size_of::<usize>();

impl Front {
    /// The front of a cache of so many bytes.
    pub(super) fn for_bytes(bytes: u64) -> Self {
        let sets = (bytes / BYTES_A_SET).clamp(1, MAX_SETS);
        // Rounded down to a power of two.
        let sets = 1_u64 << sets.ilog2();
        Self { sets: (0..sets).map(|_| Set::default()).collect() }
    }

    /// What it takes at most, in bytes, with what it keeps of entries that are gone.
    pub(super) fn bytes(&self) -> u64 {
        (self.sets.len() * (size_of::<Set>() + SLOTS * REST)) as u64
    }

    /// The entry of this key, if it stands here and somebody still holds it.
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        let own = tag(key);
        // Two threads that put at once may leave the tag of one with the entry of the other.
        let here = |(tag, slot): (&AtomicU64, &ArcSwapWeak<Entry>)| {
            let own = tag.load(Ordering::Relaxed) == own;
            own.then(|| slot.load().upgrade())?.filter(|entry| entry.key == *key)
        };
        self.set(key)?.tagged().find_map(here)
    }

    /// Puts an entry in place of one that is gone, or that nobody has asked about for a while.
    pub(super) fn put(&self, entry: &Arc<Entry>, now: Mono) {
        let is_free = |(_, slot): &(&AtomicU64, &ArcSwapWeak<Entry>)| {
            slot.load().upgrade().is_none_or(|known| !known.was_told(now))
        };
        // Where all are in use, one more token is asked of the cache: to take turns costs more.
        let free = self.set(&entry.key).and_then(|set| set.tagged().find(is_free));
        if let Some((its_tag, slot)) = free {
            slot.store(Arc::downgrade(entry));
            its_tag.store(tag(&entry.key), Ordering::Relaxed);
        }
    }

    /// Forgets this key.
    pub(super) fn remove(&self, key: &Key) {
        for slot in self.set(key).iter().flat_map(|set| &set.slots) {
            let known = slot.load();
            if known.upgrade().is_some_and(|entry| entry.key == *key) {
                // Another that came meanwhile stays.
                slot.compare_and_swap(&*known, Weak::new());
            }
        }
    }

    fn set(&self, key: &Key) -> Option<&Set> {
        #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
        let index = tag(key) as usize & (self.sets.len() - 1);
        self.sets.get(index)
    }
}

impl Set {
    fn tagged(&self) -> impl Iterator<Item = (&AtomicU64, &ArcSwapWeak<Entry>)> {
        self.tags.iter().zip(&self.slots)
    }
}

impl Default for Set {
    fn default() -> Self {
        let slots = [(); SLOTS].map(|()| ArcSwapWeak::new(Weak::new()));
        Self { tags: Default::default(), slots }
    }
}

fn tag(key: &Key) -> u64 {
    key.first_chunk().map_or(0, |first| u64::from_ne_bytes(*first))
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

    /// All of one set, whatever the size of the table, and of one tag.
    fn key(last: u8) -> Key {
        let mut key = [0; 32];
        key[31] = last;
        key
    }

    /// One that is asked about now.
    fn entry(key: Key) -> Arc<Entry> {
        let verified = verified(&orders(okta()), &[]);
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
    fn four_stand_side_by_side_and_a_fifth_waits_until_one_is_not_asked_about() {
        let entries = [0, 1, 2, 3, 4].map(|last| entry(key(last)));
        check(&front(&entries[..4]), &[0, 1, 2, 3]);
        let front = front(&entries);
        check(&front, &[0, 1, 2, 3]);
        front.put(&entries[4], T0.after(TELLS));
        check(&front, &[1, 2, 3, 4]);
    }

    #[test]
    fn keys_of_one_set_are_told_apart_by_their_tags() {
        let tagged = |tag: u8| {
            let mut key = key(0);
            key[7] = tag;
            key
        };
        let entries = [0, 1, 2, 3].map(|tag| entry(tagged(tag)));
        let front = front(&entries);
        for (tag, entry) in (0..).zip(&entries) {
            assert!(front.get(&tagged(tag)).is_some_and(|found| Arc::ptr_eq(&found, entry)));
        }
        front.remove(&tagged(2));
        let found = (0..5).filter(|tag| front.get(&tagged(*tag)).is_some());
        assert_eq!(found.collect::<Vec<_>>(), [0, 1, 3]);
    }

    #[test]
    fn an_entry_that_nobody_holds_is_gone_and_makes_room() {
        let [zero, one, two, three, four] = [0, 1, 2, 3, 4].map(|last| entry(key(last)));
        let front = front(&[zero, one.clone(), two.clone(), three.clone()]);
        check(&front, &[1, 2, 3]);
        front.put(&four, T0);
        check(&front, &[1, 2, 3, 4]);
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
    fn every_size_has_a_power_of_two_of_sets_and_a_bound() {
        let sets = |bytes| Front::for_bytes(bytes).sets.len();
        assert_eq!([1, 4096, 8191, 8192, 18_000, 1 << 20].map(sets), [1, 1, 1, 2, 4, 256]);
        assert_eq!(sets(u64::MAX), 1 << 19);
        assert!(Front::for_bytes(1).get(&[0xFF; 32]).is_none());
    }

    #[test]
    fn it_takes_less_than_a_fifth_of_the_cache() {
        for bytes in [1_u64 << 20, 100_000_000, 1 << 30] {
            assert!(Front::for_bytes(bytes).bytes() * 5 < bytes, "{bytes}");
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
