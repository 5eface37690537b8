//! The kids that a set was searched for in vain: they cause no fetch for a while.
//!
//! It holds no kid, only what it hashes to under a key of this process, and few of those.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use crate::clock::Mono;

/// What is remembered of one set. Whoever changes the keys of the set clears it.
#[derive(Debug, Default)]
pub struct UnknownKids {
    hasher: RandomState,
    missed: HashMap<Kid, Missed>,
}

/// A kid that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kid(u64);

#[derive(Debug)]
struct Missed {
    times: u32,
    /// No fetch for its sake before this.
    until: Mono,
}

impl UnknownKids {
    /// The kid as it is remembered.
    #[must_use]
    pub fn kid(&self, text: &str) -> Kid {
        Kid(self.hasher.hash_one(text))
    }

    /// Whether it was missed so recently that a fetch for its sake is not worth it.
    #[must_use]
    pub fn remembers(&self, kid: Kid, now: Mono) -> bool {
        self.missed.get(&kid).is_some_and(|missed| now < missed.until)
    }

    /// A fetch for the sake of `kid` has ended without it. It counts as unknown for `cooldown`,
    /// also the second time, then for twice as long each time, at most for `most`: a key that is
    /// late is found soon, and one that never comes is asked for ever more rarely.
    pub fn missed(&mut self, kid: Kid, cooldown: Duration, most: Duration, now: Mono) {
        // Whatever is over for as long as it can have lasted is forgotten.
        self.missed.retain(|_, missed| now < missed.until.after(most.max(cooldown)));
        if self.missed.len() >= MOST_KIDS && !self.missed.contains_key(&kid) {
            return;
        }
        let missed = self.missed.entry(kid).or_insert(Missed { times: 0, until: now });
        missed.times = missed.times.saturating_add(1);
        let doubled = cooldown.saturating_mul(1 << missed.times.saturating_sub(2).min(16));
        missed.until = now.after(doubled.min(most).max(cooldown));
    }

    /// The keys have changed: nothing is known of any kid.
    pub fn clear(&mut self) {
        self.missed.clear();
    }
}

/// Only kids for which there was a fetch come here, one in each cool-down.
const MOST_KIDS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(second: u64) -> Mono {
        Mono(Duration::from_secs(second))
    }

    fn missed(kids: &mut UnknownKids, kid: &str, second: u64) {
        let kid = kids.kid(kid);
        kids.missed(kid, 10 * SECOND, 30 * SECOND, at(second));
    }

    /// Remembered at each second before `until`, and no longer.
    #[track_caller]
    fn check(kids: &UnknownKids, kid: &str, from: u64, until: u64) {
        let remembers = |second| kids.remembers(kids.kid(kid), at(second));
        assert!((from..until).all(remembers) && !remembers(until));
    }

    #[test]
    fn a_kid_is_remembered_for_longer_each_time_up_to_a_bound() {
        let mut kids = UnknownKids::default();
        check(&kids, "a", 0, 0);
        for (second, until) in [(0, 10), (10, 20), (20, 40), (40, 70), (70, 100)] {
            missed(&mut kids, "a", second);
            check(&kids, "a", second, until);
            check(&kids, "b", second, second);
        }
    }

    #[test]
    fn what_is_over_for_long_begins_anew() {
        let mut kids = UnknownKids::default();
        for second in [0, 10, 20] {
            missed(&mut kids, "a", second);
        }
        missed(&mut kids, "a", 70);
        check(&kids, "a", 70, 80);
    }

    #[test]
    fn the_memory_is_bounded_and_expires() {
        let mut kids = UnknownKids::default();
        for n in 0..2 * MOST_KIDS {
            missed(&mut kids, &n.to_string(), 0);
        }
        assert_eq!(kids.missed.len(), MOST_KIDS);
        missed(&mut kids, "late", 40);
        assert_eq!(kids.missed.len(), 1);
        kids.clear();
        check(&kids, "late", 40, 40);
    }
}
