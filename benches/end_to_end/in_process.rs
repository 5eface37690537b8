//! Checks without a network: bytes in to bytes out, with the allocator of the binary.
//!
//! `benches/check.rs` counts their allocations.

use std::{
    path::Path,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use claimgate::grpc::Authorizer;

use crate::{
    Size,
    direct::{Signed, allowed, ask, authorizer},
    keys::TestKey,
    runs::{SIGNATURES, median, verify},
    workload::Workload,
};

/// Each figure once for each pair.
pub(crate) struct InProcess {
    /// Microseconds of a check of the one token that is asked about.
    pub(crate) hot: Vec<f64>,
    /// Of one of many that were seen before.
    pub(crate) crowd: Vec<f64>,
    pub(crate) new: Vec<New>,
    /// Checks of two threads in the time in which one made one.
    pub(crate) two_threads: Vec<f64>,
}

/// Tokens that were not seen before, and the bare verification.
pub(crate) struct New {
    pub(crate) alg: &'static str,
    pub(crate) check: Vec<f64>,
    pub(crate) verify: Vec<f64>,
}

/// As the servers of the other runs: room for every token.
const CACHE: u64 = 1 << 28;
/// Checks that are timed together, as many as one Envoy of the other runs has under way; the request
/// of each comes fresh from its socket before.
const BATCH: usize = 16;

pub(crate) fn run(keys: &[(TestKey, Workload)], config: &Path, size: &Size) -> InProcess {
    let (key, work) = &keys[1];
    let server = authorizer(config, CACHE);
    let one = vec![message(&work.frames[0]); BATCH];
    allowed(&server, &one[0]);
    let crowd: Vec<Bytes> = Workload::new(key, size.cached, 1).frames.iter().map(message).collect();
    crowd.iter().for_each(|request| drop(ask(&server, request.clone())));
    // In an order in which no neighbour helps.
    let mixed = |n: usize| crowd[n * 7919 % crowd.len()].clone();
    let mixed: Vec<Bytes> = (0..size.cached / 2).map(mixed).collect();
    let mut seen = InProcess {
        hot: Vec::new(),
        crowd: Vec::new(),
        new: keys.iter().map(|(key, _)| New::of(key.alg)).collect(),
        two_threads: Vec::new(),
    };
    for _ in 0..size.pairs {
        let hot: Vec<f64> = (0..300).map(|_| micros(&server, &one)).collect();
        seen.hot.push(median(&hot));
        seen.crowd.push(micros(&server, &mixed));
        for (new, (key, work)) in seen.new.iter_mut().zip(keys) {
            new.pair(key, work, config);
        }
    }
    // Without other work in between, which would leave its traces in one of the two.
    for _ in 0..size.rounds {
        let alone = together(&server, &mixed, 1);
        seen.two_threads.push(2.0 * alone / together(&server, &mixed, 2));
    }
    seen.print();
    seen
}

impl New {
    fn of(alg: &'static str) -> Self {
        Self { alg, check: Vec::new(), verify: Vec::new() }
    }

    fn pair(&mut self, key: &TestKey, work: &Workload, config: &Path) {
        let signed = Signed::new(key, SIGNATURES);
        let server = authorizer(config, CACHE);
        let requests: Vec<Bytes> = work.frames.iter().take(4000).map(message).collect();
        let (first, rest) = requests.split_at(requests.len() / 2);
        micros(&server, first);
        // In turns of a few milliseconds, since the machine's pace changes from second to second.
        let turns =
            rest.chunks(BATCH).map(|batch| (micros(&server, batch), verify(&signed, BATCH)));
        let (check, verify): (Vec<f64>, Vec<f64>) = turns.unzip();
        self.check.push(median(&check));
        self.verify.push(median(&verify));
    }
}

impl InProcess {
    fn print(&self) {
        let (hot, crowd, two) = (median(&self.hot), median(&self.crowd), median(&self.two_threads));
        println!("in process: hot {hot:.2} µs, crowd {crowd:.2} µs, two threads {two:.2} x one");
        println!("two threads, each pair: {:.2?}", self.two_threads);
        for New { alg, check, verify } in &self.new {
            println!("in process: new {alg} {:.1} µs, verify {:.1}", median(check), median(verify));
        }
    }
}

/// A frame without its prefix.
pub(crate) fn message(frame: &Bytes) -> Bytes {
    frame.slice(5..)
}

/// Microseconds of one check, on average.
fn micros(server: &Authorizer, requests: &[Bytes]) -> f64 {
    let mut took = Duration::ZERO;
    for batch in requests.chunks(BATCH) {
        let fresh: Vec<Bytes> = batch.iter().map(|b| Bytes::copy_from_slice(b)).collect();
        let begun = Instant::now();
        fresh.into_iter().for_each(|request| drop(ask(server, request)));
        took += begun.elapsed();
    }
    took.as_secs_f64() * 1e6 / requests.len() as f64
}

/// Microseconds of one check, where so many threads check at once, each its part.
fn together(server: &Authorizer, requests: &[Bytes], threads: usize) -> f64 {
    let start = Barrier::new(threads);
    let run = |part: &[Bytes]| {
        start.wait();
        micros(server, part)
    };
    thread::scope(|scope| {
        let parts = requests.chunks(requests.len().div_ceil(threads));
        let threads: Vec<_> = parts.map(|part| scope.spawn(move || run(part))).collect();
        let took: Vec<f64> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        took.iter().sum::<f64>() / took.len() as f64
    })
}
