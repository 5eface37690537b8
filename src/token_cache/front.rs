//! The tokens that were asked about of late, each found with few looks into memory.
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
const _: () = assert!(size_of::<Set>() == 64, "a set is one cache line");

/// One set for each so many bytes of the cache, or up to twice as many: two to eight tokens.
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
        let its_tag = tag(key);
        let here = |(tag, slot): (&AtomicU64, &ArcSwapWeak<Entry>)| {
            let may_be = tag.load(Ordering::Relaxed) == its_tag;
            may_be.then(|| slot.load().upgrade())?.filter(|entry| entry.key == *key)
        };
        self.set(key)?.tagged().find_map(here)
    }

    /// Puts an entry in place of an earlier one of its key, or else of one that is gone or that nobody
    /// has asked about for a while.
    pub(super) fn put(&self, entry: &Arc<Entry>, now: Mono) {
        let mut free = None;
        for (tag, slot) in self.set(&entry.key).into_iter().flat_map(Set::tagged) {
            let seen = slot.load();
            let known = seen.upgrade();
            if known.as_ref().is_some_and(|known| known.key == entry.key) {
                free = Some((tag, slot, seen));
                break;
            }
            if free.is_none() && known.is_none_or(|known| !known.was_told(now)) {
                free = Some((tag, slot, seen));
            }
        }
        // Where all are in use, one more token is asked of the cache: to take turns costs more.
        let Some((its_tag, slot, seen)) = free else { return };
        let before = slot.compare_and_swap(&*seen, Arc::downgrade(entry));
        // Another thread that was here first keeps it. One that comes between this line and the next is
        // left with the wrong tag until it is put again.
        if Weak::ptr_eq(&before, &seen) {
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

    /// All of one set of a small table, each with a tag of its own.
    fn tagged(tag: u8) -> Key {
        let mut key = key(0);
        key[7] = tag;
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
    fn an_entry_stands_once_however_often_it_is_put() {
        let [first, second] = [0, 0].map(|tag| entry(tagged(tag)));
        let others = [1, 2, 3].map(|tag| entry(tagged(tag)));
        let front = front(&[others[0].clone(), first.clone()]);
        front.put(&first, T0);
        // The same token, verified once more.
        front.put(&second, T0);
        assert!(front.get(&tagged(0)).is_some_and(|found| Arc::ptr_eq(&found, &second)));
        others.iter().for_each(|other| front.put(other, T0));
        assert!((0..4).all(|tag| front.get(&tagged(tag)).is_some()));
    }

    #[test]
    fn a_wrong_tag_hides_an_entry_until_it_is_put_again() {
        let own = entry(tagged(1));
        let front = front(std::slice::from_ref(&own));
        let set = front.set(&own.key).unwrap();
        set.tags[0].store(tag(&tagged(2)), Ordering::Relaxed);
        assert!(front.get(&tagged(1)).is_none() && front.get(&tagged(2)).is_none());
        front.put(&own, T0);
        assert!(front.get(&tagged(1)).is_some());
        assert!(set.slots[1].load().upgrade().is_none());
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
                let own = entry(tagged(last));
                // Each turn is a while after the one before, so that all displace each other.
                front.put(&own, T0.after(TELLS * u32::try_from(turn).unwrap()));
                for last in 0..4 {
                    let key = tagged(last);
                    assert!(front.get(&key).is_none_or(|found| found.key == key));
                }
                if turn % 3 == 0 {
                    front.remove(&tagged(last));
                }
            }
        };
        thread::scope(|scope| {
            (0..4).for_each(|last| drop(scope.spawn(move || run(last))));
        });
    }
}
