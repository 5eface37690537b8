//! The runs, floor and claimgate in turns, and what they measured.

use std::{path::PathBuf, sync::Arc, time::Instant};

use bytes::Bytes;
use tempfile::TempDir;

use crate::{
    Size,
    direct::{Signed, ask, authorizer},
    floor::Floor,
    gateway,
    in_process::{self, InProcess},
    keys::TestKey,
    latency::{self, Latency},
    load::{self, Outcome},
    process::Process,
    scale::{self, Scale},
    workload::{self, Workload},
};

/// Of the tokens.
pub(crate) const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];
/// Bare signatures, in rotation.
pub(crate) const SIGNATURES: usize = 500;

/// Room for every token of every run.
pub(crate) const CACHE: &str = "268435456";

/// Everything that the report shows.
pub(crate) struct Results {
    pub(crate) in_process: InProcess,
    pub(crate) paths: Vec<Pairs>,
    /// Requests a second through Envoy, by what decides.
    pub(crate) envoy: Vec<(String, Vec<f64>)>,
    pub(crate) scale: Scale,
    pub(crate) latency: Latency,
}

/// CPU per check in microseconds, floor and claimgate in turns.
pub(crate) struct Pairs {
    pub(crate) name: String,
    pub(crate) floor: Vec<f64>,
    pub(crate) ours: Vec<f64>,
    pub(crate) floor_rate: Vec<f64>,
    pub(crate) our_rate: Vec<f64>,
    /// The floor that verifies a bare signature for each check, too; none where none is needed.
    pub(crate) verifying: Vec<f64>,
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

struct Bench {
    size: Size,
    folder: TempDir,
    keys: Vec<(TestKey, Workload)>,
    floor: Process,
}

/// The first pairs alone.
pub(crate) async fn warm(size: Size) {
    Bench::new(size).await.warm().await;
}

/// Those without a network alone.
pub(crate) async fn process(size: Size) {
    let bench = Bench::new(size).await;
    in_process::run(&bench.keys, &bench.config(), &size);
}

/// Those at a given load alone.
pub(crate) async fn latency(size: Size) {
    let bench = Bench::new(size).await;
    latency::run(&bench.config(), &bench.keys[0].1.frames, &size).await;
}

/// Those through Envoy alone.
pub(crate) async fn envoy(size: Size) {
    Bench::new(size).await.through_envoy().await;
}

pub(crate) async fn all(size: Size) -> Results {
    let bench = Bench::new(size).await;
    let in_process = in_process::run(&bench.keys, &bench.config(), &size);
    let mut paths = vec![bench.warm().await];
    for (key, work) in &bench.keys {
        paths.push(bench.new_tokens(key, work).await);
    }
    let envoy = bench.through_envoy().await;
    let scale = scale::run(&bench.keys[1].0, &size).await;
    let latency = latency::run(&bench.config(), &bench.keys[0].1.frames, &size).await;
    Results { in_process, paths, envoy, scale, latency }
}

impl Bench {
    async fn new(size: Size) -> Self {
        let keys = ALGORITHMS.map(TestKey::new);
        let folder = tempfile::tempdir().unwrap();
        let config = workload::config(&keys.iter().collect::<Vec<_>>());
        std::fs::write(folder.path().join("claimgate.yaml"), config).unwrap();
        println!("signing {} tokens for each algorithm", size.tokens);
        let keys = keys.map(|key| {
            let work = Workload::new(&key, size.tokens, 1);
            (key, work)
        });
        let floor = Floor::Allows.start().await;
        Self { size, folder, keys: keys.into(), floor }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("claimgate.yaml")
    }

    /// A file with the answer to this request.
    fn answer(&self, frame: &Bytes) -> PathBuf {
        let file = self.folder.path().join("answer");
        let answer = ask(&authorizer(&self.config(), 0), in_process::message(frame));
        std::fs::write(&file, answer).unwrap();
        file
    }

    /// Every token was seen before.
    async fn warm(&self) -> Pairs {
        let frames = &self.keys[0].1.frames;
        let ours = Process::claimgate(&self.config(), CACHE).await;
        load::closed(ours.grpc, frames, frames.len()).await;
        load::closed(self.floor.grpc, frames, frames.len()).await;
        let mut pairs = Pairs::new("token seen before, RS256".to_owned());
        for _ in 0..self.size.pairs {
            pairs.floor(&self.floor, frames, self.size.warm).await;
            pairs.ours(&ours, frames, self.size.warm).await;
        }
        pairs.print();
        pairs
    }

    /// Each token is sent once to a process that has seen none.
    async fn new_tokens(&self, key: &TestKey, work: &Workload) -> Pairs {
        let mut pairs = Pairs::new(format!("new token, {}", key.alg));
        let verifying = Floor::Verifies(key.alg).start().await;
        let (first, rest) = work.frames.split_at(work.frames.len() / 20);
        let (first, rest) = (Arc::new(first.to_vec()), Arc::new(rest.to_vec()));
        for _ in 0..self.size.rounds {
            pairs.floor(&self.floor, &rest, rest.len()).await;
            let ours = Process::claimgate(&self.config(), CACHE).await;
            load::closed(ours.grpc, &first, first.len()).await;
            pairs.ours(&ours, &rest, rest.len()).await;
            let (cpu, _) = measured(&verifying, &rest, rest.len()).await;
            pairs.verifying.push(cpu);
        }
        pairs.print();
        pairs
    }

    /// One Envoy worker, 16 connections.
    async fn through_envoy(&self) -> Vec<(String, Vec<f64>)> {
        let (rs, es) = (&self.keys[0], &self.keys[1]);
        let warm = Process::claimgate(&self.config(), CACHE).await;
        let cold = Process::claimgate(&self.config(), "0").await;
        let answering = Floor::Answers(&self.answer(&rs.1.frames[0])).start().await;
        let verifying = Floor::Verifies(es.0.alg).start().await;
        let gateways = [
            ("floor", gateway::ext_authz(self.floor.grpc).await, rs),
            ("floor with claimgate's answer", gateway::ext_authz(answering.grpc).await, rs),
            ("claimgate, seen before, RS256", gateway::ext_authz(warm.grpc).await, rs),
            ("claimgate, seen before, ES256", gateway::ext_authz(warm.grpc).await, es),
            ("claimgate, cache off, RS256", gateway::ext_authz(cold.grpc).await, rs),
            ("claimgate, cache off, ES256", gateway::ext_authz(cold.grpc).await, es),
            ("floor that verifies, ES256", gateway::ext_authz(verifying.grpc).await, es),
            ("Envoy's jwt_authn, RS256", gateway::jwt_authn(&rs.0).await, rs),
            ("Envoy's jwt_authn, ES256", gateway::jwt_authn(&es.0).await, es),
        ];
        let mut rates: Vec<(String, Vec<f64>)> =
            gateways.iter().map(|(name, ..)| ((*name).to_owned(), Vec::new())).collect();
        // The first round fills the cache and is not counted.
        for round in 0..=self.size.envoy_rounds {
            for ((_, envoy, (_, work)), (_, rates)) in gateways.iter().zip(&mut rates) {
                let each = self.size.through_envoy;
                let (first, count) =
                    if round == 0 { (0, work.tokens.len()) } else { (round * each, each) };
                let run = load::through_envoy(envoy.listener, &work.tokens, first, count).await;
                rates.extend((round > 0).then(|| run.rate()));
            }
        }
        for (name, own) in &rates {
            let beside = beside(own, &rates[0].1);
            println!("through Envoy: {name}: {:.0}/s, {beside:.2} of the floor", median(own));
        }
        rates
    }
}

impl Pairs {
    fn new(name: String) -> Self {
        let [floor, ours, floor_rate, our_rate, verifying] = Default::default();
        Self { name, floor, ours, floor_rate, our_rate, verifying }
    }

    /// What claimgate takes beside the floor, as a ratio.
    pub(crate) fn ratio(&self) -> f64 {
        beside(&self.ours, &self.floor)
    }

    /// What it takes over the floor that verifies; NaN where none does.
    pub(crate) fn over(&self) -> f64 {
        let over = self.ours.iter().zip(&self.verifying).map(|(ours, bare)| ours - bare);
        median(&over.collect::<Vec<_>>())
    }

    async fn floor(&mut self, process: &Process, frames: &Arc<Vec<Bytes>>, count: usize) {
        let (cpu, rate) = measured(process, frames, count).await;
        self.floor.push(cpu);
        self.floor_rate.push(rate);
    }

    async fn ours(&mut self, process: &Process, frames: &Arc<Vec<Bytes>>, count: usize) {
        let (cpu, rate) = measured(process, frames, count).await;
        self.ours.push(cpu);
        self.our_rate.push(rate);
    }

    fn print(&self) {
        let (floor, ours) = (median(&self.floor), median(&self.ours));
        println!(
            "{}: floor {floor:.1} µs, claimgate {ours:.1} µs, verifying floor {:.1} µs, ratio {:.2}, over {:+.1}",
            self.name,
            median(&self.verifying),
            self.ratio(),
            self.over()
        );
    }
}

/// CPU microseconds per check, and checks a second.
async fn measured(process: &Process, frames: &Arc<Vec<Bytes>>, count: usize) -> (f64, f64) {
    let before = process.cpu();
    let run = load::closed(process.grpc, frames, count).await;
    ((process.cpu() - before) * 1e6 / count as f64, run.rate())
}

/// The median of the ratios of pairs.
pub(crate) fn beside(ours: &[f64], floor: &[f64]) -> f64 {
    median(&ours.iter().zip(floor).map(|(ours, floor)| ours / floor).collect::<Vec<_>>())
}

/// As [`beside`], of p50, p99 and p99.9.
pub(crate) fn ratios(ours: &[[f64; 3]], floor: &[[f64; 3]]) -> [f64; 3] {
    [0, 1, 2].map(|at| {
        let [ours, floor] = [ours, floor].map(|runs| runs.iter().map(|run| run[at]).collect());
        let (ours, floor): (Vec<f64>, Vec<f64>) = (ours, floor);
        beside(&ours, &floor)
    })
}

pub(crate) fn three(run: &Outcome) -> [f64; 3] {
    [0.5, 0.99, 0.999].map(|part| run.percentile(part))
}

/// A bare verify in microseconds, on average of so many.
pub(crate) fn verify(signed: &Signed, count: usize) -> f64 {
    let begun = Instant::now();
    (0..count).for_each(|_| signed.verify());
    begun.elapsed().as_secs_f64() * 1e6 / count as f64
}
