//! What every check counts, by each thread for itself: no two cores write to one place.
//!
//! It is added up where `/metrics` is read, which is rarely.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use thread_local::ThreadLocal;

/// The counts of all threads, also of those that ended.
#[derive(Default)]
pub(super) struct Tallies(ThreadLocal<Tally>);

/// The counts of one thread, apart from the next thread's by two cache lines, which processors
/// fetch together.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Tally {
    /// By the place of their counter.
    pub(super) ends: Box<[Count]>,
    /// As [`OUTCOMES`].
    durations: [Durations; OUTCOMES.len()],
    /// Tokens that were recalled.
    pub(super) hits: Count,
    /// Tokens that were not.
    pub(super) misses: Count,
}

/// A count that only one thread adds to, and others may read.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

#[derive(Debug, Default)]
struct Durations {
    /// By the first bound that is not exceeded, then those that exceed them all.
    counts: [Count; BOUNDS.len() + 1],
    nanoseconds: Count,
}

/// As many as a config has ways to end a check, and far more than a usual one has.
pub(super) const ROOM: usize = 4096;

/// How a check can end: [`Decision::outcome`](crate::check::decision::Decision::outcome).
const OUTCOMES: [&str; 4] = ["allowed", "answered", "denied", "fault"];

/// From 10 µs to 10 s.
const BOUNDS: [Duration; 17] = [
    Duration::from_micros(10),
    Duration::from_micros(25),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

impl Tallies {
    /// Those of this thread.
    pub(super) fn own(&self) -> &Tally {
        self.0.get_or_default()
    }

    /// One count of all threads together.
    pub(super) fn sum<'t>(&'t self, of: impl Fn(&'t Tally) -> Option<&'t Count>) -> u64 {
        self.0.iter().filter_map(of).map(Count::get).fold(0, u64::wrapping_add)
    }

    /// The histogram of how long checks took, by outcome.
    pub(super) fn durations(&self, name: &str, help: &str) -> MetricFamily {
        let one = |(at, outcome): (usize, &&str)| {
            let mut label = LabelPair::default();
            label.set_name("outcome".to_owned());
            label.set_value((*outcome).to_owned());
            let mut metric = Metric::from_label(vec![label]);
            metric.set_histogram(self.histogram(at));
            metric
        };
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(OUTCOMES.iter().enumerate().map(one).collect());
        family
    }

    fn histogram(&self, outcome: usize) -> Histogram {
        let durations = |tally| Tally::durations(tally, outcome);
        let count = |at| self.sum(move |tally| durations(tally)?.counts.get(at));
        let mut so_far = 0_u64;
        let bucket = |(at, bound): (usize, &Duration)| {
            so_far = so_far.wrapping_add(count(at));
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound.as_secs_f64());
            bucket.set_cumulative_count(so_far);
            bucket
        };
        let mut histogram = Histogram::default();
        histogram.set_bucket(BOUNDS.iter().enumerate().map(bucket).collect());
        histogram.set_sample_count(so_far.wrapping_add(count(BOUNDS.len())));
        let nanoseconds = self.sum(|tally| Some(&durations(tally)?.nanoseconds));
        histogram.set_sample_sum(Duration::from_nanos(nanoseconds).as_secs_f64());
        histogram
    }
}

impl Tally {
    /// Counts one check.
    pub(super) fn took(&self, outcome: &str, took: Duration) {
        let Some(at) = OUTCOMES.iter().position(|known| *known == outcome) else { return };
        let Some(Durations { counts, nanoseconds }) = self.durations(at) else { return };
        let bucket = BOUNDS.iter().position(|bound| took <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = counts.get(bucket) {
            count.add(1);
        }
        nanoseconds.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    fn durations(&self, outcome: usize) -> Option<&Durations> {
        self.durations.get(outcome)
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            ends: std::iter::repeat_with(Count::default).take(ROOM).collect(),
            durations: Default::default(),
            hits: Count::default(),
            misses: Count::default(),
        }
    }
}

impl Count {
    /// For the thread whose tally it stands in: two that add at once would lose one.
    pub(super) fn add(&self, more: u64) {
        self.0.store(self.get().wrapping_add(more), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn durations_are_counted_under_the_bound_that_they_do_not_exceed() {
        let tallies = Tallies::default();
        let took = |nanos| tallies.own().took("denied", Duration::from_nanos(nanos));
        [0, 10_000, 10_001, 25_000, 10_000_000_000, 10_000_000_001].into_iter().for_each(took);
        let family = tallies.durations("d", "h");
        for metric in family.get_metric() {
            let histogram = metric.get_histogram();
            let buckets = histogram.get_bucket().iter();
            let seen: Vec<_> = buckets.map(|b| (b.upper_bound(), b.cumulative_count())).collect();
            let denied = metric.get_label()[0].value() == "denied";
            let expected = if denied { [2, 4, 4, 5, 6] } else { [0; 5] };
            let [first, second, third, .., last] = *seen else { panic!("{seen:?}") };
            assert_eq!([first.0, second.0, third.0, last.0], [0.00001, 0.000025, 0.00005, 10.0]);
            let counts = [first.1, second.1, third.1, last.1, histogram.get_sample_count()];
            assert_eq!(counts, expected);
            let sum = if denied { 20.000_045_002 } else { 0.0 };
            assert!((histogram.get_sample_sum() - sum).abs() < 1e-9);
        }
        let outcomes = family.get_metric().iter().map(|metric| metric.get_label()[0].value());
        assert!(outcomes.eq(OUTCOMES));
    }

    #[test]
    fn what_threads_counted_is_added_up_also_after_their_end() {
        let tallies = Tallies::default();
        for _ in 0..2 {
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| (0..1000).for_each(|_| tallies.own().hits.add(1)));
                }
            });
        }
        tallies.own().hits.add(3);
        assert_eq!(tallies.sum(|tally| Some(&tally.hits)), 8003);
        assert_eq!(tallies.sum(|tally| Some(&tally.misses)), 0);
        assert_eq!(tallies.sum(|tally| tally.ends.get(ROOM)), 0);
    }
}
