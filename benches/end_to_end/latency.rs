//! How long checks take at a given load, claimgate beside its floor, each on a core of its own.

use std::{path::Path, sync::Arc};

use bytes::Bytes;

use crate::{
    Size, cores,
    floor::Floor,
    load,
    process::Process,
    runs::{CACHE, ratios, three},
};

/// p50, p99 and p99.9 in milliseconds.
pub(crate) struct Latency {
    /// Checks a second: half of what saturates the floor.
    pub(crate) rate: f64,
    /// At that rate, in turns.
    pub(crate) floor: Vec<[f64; 3]>,
    pub(crate) ours: Vec<[f64; 3]>,
    pub(crate) curve: Vec<Point>,
}

/// What it takes at one rate.
pub(crate) struct Point {
    pub(crate) rate: f64,
    pub(crate) floor: [f64; 3],
    pub(crate) ours: [f64; 3],
}

/// The last of all runs: this process does not come back to the servers' core, nor to its priority.
pub(crate) async fn run(config: &Path, frames: &Arc<Vec<Bytes>>, size: &Size) -> Latency {
    cores::stand_aside();
    let (floor, ours) = (Floor::Allows.start().await, Process::claimgate(config, CACHE).await);
    for server in [&floor, &ours] {
        cores::give_one(server.id());
        cores::go_first(server.id());
    }
    cores::go_first(std::process::id());
    load::closed(ours.grpc, frames, frames.len()).await;
    load::closed(floor.grpc, frames, frames.len()).await;
    let saturation = load::closed(floor.grpc, frames, size.warm).await.rate();
    let at = |server: &Process, rate| {
        let (grpc, frames, seconds) = (server.grpc, frames.clone(), size.seconds.div_ceil(2));
        async move { three(&load::open(grpc, &frames, rate, seconds).await) }
    };
    let rate = saturation / 2.0;
    let mut seen = Latency { rate, floor: Vec::new(), ours: Vec::new(), curve: Vec::new() };
    // Pairs of percentiles scatter more than others.
    for _ in 0..size.rounds {
        seen.floor.push(at(&floor, rate).await);
        seen.ours.push(at(&ours, rate).await);
    }
    println!(
        "at {rate:.0}/s: floor {:.2?}, claimgate {:.2?}, ratios {:.2?}",
        seen.floor,
        seen.ours,
        ratios(&seen.ours, &seen.floor)
    );
    for part in [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8] {
        let rate = saturation * part;
        let (floor, ours) = (at(&floor, rate).await, at(&ours, rate).await);
        seen.curve.push(Point { rate, floor, ours });
    }
    seen
}
