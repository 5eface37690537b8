//! Pairs of measurements, one with something beside the good tokens, and their ratios.

use std::time::Duration;

use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};

use crate::{
    load::{ask, client, connect},
    server::{Claimgate, Done},
    support::request::TestRequest,
};

/// Good tokens are asked about one at a time and at this pace at most, so that no client queues.
const PACE: Duration = Duration::from_micros(500);
/// Checks of good tokens in each half of a pair.
pub(crate) const CHECKS: usize = 20_000;
/// Pairs behind each ratio.
pub(crate) const PAIRS: usize = 11;

/// A runtime for issuers.
pub(crate) fn issuers() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// What good tokens saw, and what claimgate did meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Of each check, sorted.
    took: Vec<Duration>,
    done: Done,
}

impl Seen {
    /// The latency that 99 of 100 checks do not exceed, in microseconds.
    pub(crate) fn p99(&self) -> f64 {
        self.took[self.took.len() * 99 / 100].as_secs_f64() * 1e6
    }

    /// What a good check took inside claimgate, on average, in microseconds.
    pub(crate) fn inside(&self) -> f64 {
        self.done.inside / self.done.allowed * 1e6
    }

    /// Processor time of a check of whatever outcome, in microseconds.
    pub(crate) fn cpu(&self) -> f64 {
        self.done.cpu / self.done.checks * 1e6
    }

    pub(crate) fn fetches(&self) -> f64 {
        self.done.fetches
    }
}

/// [`CHECKS`] checks of these tokens in turn, one each [`PACE`]; every one must be allowed.
pub(crate) fn good(server: &Claimgate, runtime: &Runtime, tokens: &[String]) -> Seen {
    let address = server.grpc();
    let requests: Vec<_> = tokens.iter().map(|token| TestRequest::bearer(token).build()).collect();
    let before = runtime.block_on(server.done());
    let took = client(move || async move {
        let mut client = connect(address).await;
        let mut ticks = tokio::time::interval(PACE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut took = Vec::with_capacity(CHECKS);
        for n in 0..CHECKS {
            ticks.tick().await;
            let begun = Instant::now();
            let (status, reason) = ask(&mut client, requests[n % requests.len()].clone()).await;
            took.push(begun.elapsed());
            assert_eq!(status, 200, "a good token failed: {reason}");
        }
        took.sort();
        took
    });
    let took = took.join().unwrap();
    Seen { took, done: runtime.block_on(server.done()).since(before) }
}

/// The median of the ratios of pairs, with their least and greatest, and the medians themselves.
pub(crate) fn ratio(pairs: &[(Seen, Seen)], figure: fn(&Seen) -> f64) -> String {
    let of = |pick: &dyn Fn(&(Seen, Seen)) -> f64| {
        let mut all: Vec<f64> = pairs.iter().map(pick).collect();
        all.sort_by(f64::total_cmp);
        (all[0], all[all.len() / 2], all[all.len() - 1])
    };
    let (least, median, most) = of(&|(with, without)| figure(with) / figure(without));
    let (with, without) = (of(&|pair| figure(&pair.0)).1, of(&|pair| figure(&pair.1)).1);
    format!("{median:.2} ({least:.2} to {most:.2}; medians {with:.0} µs and {without:.0} µs)")
}

/// The figures of pairs of which the first has something beside it.
pub(crate) fn print(pairs: &[(Seen, Seen)], to: &str) {
    println!("  as a ratio to {to}:");
    println!("    p99 at the client       {}", ratio(pairs, Seen::p99));
    println!("    mean inside claimgate   {}", ratio(pairs, Seen::inside));
    println!("    processor time a check  {}", ratio(pairs, Seen::cpu));
}
