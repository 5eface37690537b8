//! `claimgate_checks_total`: the counter of each way a check can end, found without a lock.
//!
//! It does not choose the labels; `telemetry/metrics.rs` does. `telemetry/metrics/tally.rs` counts.

use std::{ptr, sync::OnceLock};

use prometheus::{IntCounter, IntCounterVec};

use crate::{
    provider::{Name, fnv1a},
    telemetry::metrics::tally::{ROOM, Tallies},
};

/// The values of `outcome`, `reason`, `provider` and `policy`.
pub(super) type Labels<'a> = [Label<'a>; 4];

/// One value: a text of ours, or a name of the config.
#[derive(Debug, Clone, Copy)]
pub(super) enum Label<'a> {
    Text(&'static str),
    Name(&'a Name),
}

/// The counters by their labels. prometheus finds one under a lock that all threads share; those
/// that were found before are kept here, where a look takes none.
pub(super) struct Checks {
    counters: IntCounterVec,
    found: Box<[OnceLock<Found>]>,
}

struct Found {
    labels: [Kept; 4],
    counter: IntCounter,
}

/// As [`Label`].
enum Kept {
    Text(&'static str),
    Name(Name),
}

/// How far from its own place a counter may stand.
const REACH: usize = 4;

impl Checks {
    pub(super) fn new(counters: IntCounterVec) -> Self {
        let found = std::iter::repeat_with(OnceLock::new).take(ROOM).collect();
        Self { counters, found }
    }

    /// Counts one check.
    pub(super) fn count(&self, labels: Labels<'_>, tallies: &Tallies) {
        let find = || self.counters.with_label_values(&labels.map(Label::text));
        let first = hash(labels) % ROOM;
        let ends = &tallies.own().ends;
        for place in (first..first + REACH).map(|place| place % ROOM) {
            let (Some(found), Some(end)) = (self.found.get(place), ends.get(place)) else { break };
            let found =
                found.get_or_init(|| Found { labels: labels.map(Kept::from), counter: find() });
            if found.labels.iter().zip(labels).all(|(kept, label)| kept.is(label)) {
                return end.add(1);
            }
        }
        // What finds no room takes the lock.
        find().inc();
    }

    /// Brings the counters up to what was counted; for one thread at a time.
    pub(super) fn add_up(&self, tallies: &Tallies) {
        for (place, found) in self.found.iter().enumerate() {
            if let Some(Found { counter, .. }) = found.get() {
                raise(counter, tallies.sum(|tally| tally.ends.get(place)));
            }
        }
    }
}

/// Brings a counter up to `to`: it never falls.
pub(super) fn raise(counter: &IntCounter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}

impl<'a> Label<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Text(text) => text,
            Self::Name(name) => name.as_str(),
        }
    }

    fn hash(self) -> u32 {
        match self {
            Self::Text(text) => fnv1a(text),
            Self::Name(name) => name.hash(),
        }
    }
}

impl From<Label<'_>> for Kept {
    fn from(label: Label<'_>) -> Self {
        match label {
            Label::Text(text) => Self::Text(text),
            Label::Name(name) => Self::Name(name.clone()),
        }
    }
}

impl Kept {
    fn is(&self, label: Label<'_>) -> bool {
        let (kept, asked) = match self {
            Self::Text(text) => (*text, label.text()),
            Self::Name(name) => (name.as_str(), label.text()),
        };
        // It is the very same text but after a reload.
        ptr::eq(kept, asked) || kept == asked
    }
}

/// Of all but the outcome, which the reason nearly tells.
fn hash([_outcome, reason, provider, policy]: Labels<'_>) -> usize {
    let [reason, provider, policy] = [reason, provider, policy].map(Label::hash);
    (reason ^ provider.rotate_left(11) ^ policy.rotate_left(22)) as usize
}

#[cfg(test)]
mod tests {
    use prometheus::Opts;

    use super::*;

    struct Counted {
        checks: Checks,
        tallies: Tallies,
        counters: IntCounterVec,
    }

    fn counted() -> Counted {
        let labels = ["outcome", "reason", "provider", "policy"];
        let counters = IntCounterVec::new(Opts::new("checks", "Checks."), &labels).unwrap();
        let checks = Checks::new(counters.clone());
        Counted { checks, tallies: Tallies::default(), counters }
    }

    /// The names are made anew, as each reload does.
    fn count(to: &Counted, outcome: &'static str, reason: &'static str, names: [&str; 2]) {
        let names = names.map(|name| Name::parse(name).ok());
        let [provider, policy] = &names;
        let [provider, policy] =
            [provider, policy].map(|name| name.as_ref().map_or(Label::Text(""), Label::Name));
        to.checks.count([Label::Text(outcome), Label::Text(reason), provider, policy], &to.tallies);
    }

    #[test]
    fn each_way_to_end_has_its_own_counter() {
        let counted = counted();
        let ways = [
            ["allowed", "", "a", "b"],
            ["allowed", "", "b", "a"],
            ["allowed", "", "", "b"],
            ["denied", "", "a", "b"],
            ["denied", "x", "a", "b"],
            ["allowed", "x", "a", "b"],
        ];
        for (index, [outcome, reason, provider, policy]) in ways.into_iter().enumerate() {
            (0..=index).for_each(|_| count(&counted, outcome, reason, [provider, policy]));
        }
        // To add up again adds nothing.
        for _ in 0..2 {
            counted.checks.add_up(&counted.tallies);
            let counts = ways.map(|labels| counted.counters.with_label_values(&labels).get());
            assert_eq!(counts, [1, 2, 3, 4, 5, 6]);
        }
    }

    #[test]
    fn more_ways_than_there_is_room_are_counted_all_the_same() {
        let counted = counted();
        let names: Vec<String> = (0..3 * ROOM).map(|name| name.to_string()).collect();
        for _ in 0..2 {
            names.iter().for_each(|name| count(&counted, "allowed", "", [name, "p"]));
        }
        counted.checks.add_up(&counted.tallies);
        for name in &names {
            let counter = counted.counters.with_label_values(&["allowed", "", name, "p"]);
            assert_eq!(counter.get(), 2, "{name}");
        }
    }
}
