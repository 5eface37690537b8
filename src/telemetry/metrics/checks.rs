//! `claimgate_checks_total`: the counter of each way a check can end, found without a lock.
//!
//! It does not choose the labels; `telemetry/metrics.rs` does.

use std::sync::OnceLock;

use prometheus::{IntCounter, IntCounterVec};

/// The values of `outcome`, `reason`, `provider` and `policy`.
pub(super) type Labels<'a> = [&'a str; 4];

/// The counters by their labels. prometheus finds one under a lock that all threads share; those
/// that were found before are kept here, where a look takes none.
pub(super) struct Checks {
    counters: IntCounterVec,
    found: Box<[OnceLock<Found>]>,
}

struct Found {
    labels: [Box<str>; 4],
    counter: IntCounter,
}

/// Far more than a usual config has ways to end a check; what finds no room takes the lock.
const ROOM: usize = 4096;
/// How far from its own place a counter may stand.
const REACH: usize = 4;

impl Checks {
    pub(super) fn new(counters: IntCounterVec) -> Self {
        let found = std::iter::repeat_with(OnceLock::new).take(ROOM).collect();
        Self { counters, found }
    }

    /// Counts one check.
    pub(super) fn count(&self, labels: Labels<'_>) {
        let first = hash(labels) % ROOM;
        for place in self.found.iter().cycle().skip(first).take(REACH) {
            let found = place.get_or_init(|| Found {
                labels: labels.map(Box::from),
                counter: self.counters.with_label_values(&labels),
            });
            if found.labels.iter().map(|label| &**label).eq(labels) {
                return found.counter.inc();
            }
        }
        self.counters.with_label_values(&labels).inc();
    }
}

/// FNV-1a (draft-eastlake-fnv): short names, and none that a client could choose.
fn hash(labels: Labels<'_>) -> usize {
    let bytes = labels.iter().flat_map(|label| label.bytes().chain([0]));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The upper bits are the better ones.
    usize::try_from(hash >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use prometheus::Opts;

    use super::*;

    fn checks() -> (Checks, IntCounterVec) {
        let labels = ["outcome", "reason", "provider", "policy"];
        let counters = IntCounterVec::new(Opts::new("checks", "Checks."), &labels).unwrap();
        (Checks::new(counters.clone()), counters)
    }

    #[test]
    fn each_way_to_end_has_its_own_counter() {
        let (checks, counters) = checks();
        let ways = [
            ["allowed", "", "a", "b"],
            ["allowed", "", "b", "a"],
            ["allowed", "", "", "b"],
            ["denied", "", "a", "b"],
        ];
        for (index, labels) in ways.iter().enumerate() {
            (0..=index).for_each(|_| checks.count(*labels));
        }
        let counts = ways.map(|labels| counters.with_label_values(&labels).get());
        assert_eq!(counts, [1, 2, 3, 4]);
    }

    #[test]
    fn more_ways_than_there_is_room_are_counted_all_the_same() {
        let (checks, counters) = checks();
        let names: Vec<String> = (0..3 * ROOM).map(|name| name.to_string()).collect();
        for _ in 0..2 {
            names.iter().for_each(|name| checks.count(["allowed", "", name, "p"]));
        }
        for name in &names {
            assert_eq!(counters.with_label_values(&["allowed", "", name, "p"]).get(), 2, "{name}");
        }
    }
}
