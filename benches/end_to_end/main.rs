//! claimgate beside its floor, end to end: real processes, real ports, a real Envoy.
//!
//! `cargo bench --bench end_to_end -- full` takes about ten minutes and writes docs/benchmarks.md;
//! `-- short` takes one and writes the same to the system's temporary folder. For a profiler, `-- warm`
//! runs only the first pairs, `-- process` only what needs no network, `-- envoy` only what goes
//! through Envoy, `-- latency` only the runs at a given load, `-- scale` only the large config. Envoy
//! is fetched where there is none. The floor is a tonic server with the same settings that decodes
//! each CheckRequest with envoy-types and always allows. Nothing here runs under `cargo bench`
//! without one of these words.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a benchmark that cannot go on has failed, and it measures time"
)]

#[path = "../../tests/envoy/binary.rs"]
mod binary;
#[path = "../support/cores.rs"]
mod cores;
#[path = "../support/direct.rs"]
mod direct;
mod floor;
mod gateway;
mod in_process;
#[path = "../../tests/support/keys.rs"]
mod keys;
mod latency;
mod load;
mod plot;
mod process;
mod report;
mod runs;
mod scale;
mod workload;

use std::path::Path;

use floor::Floor;
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How much is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Distinct tokens of each algorithm.
    pub(crate) tokens: usize,
    /// Checks of one warm run.
    pub(crate) warm: usize,
    /// Alternating pairs of floor and claimgate.
    pub(crate) pairs: usize,
    /// Requests of one run through Envoy, and runs of each: short ones, since the machine's own pace
    /// changes from second to second.
    pub(crate) through_envoy: usize,
    pub(crate) envoy_rounds: usize,
    /// Pairs of what scatters most: new tokens, and latency.
    pub(crate) rounds: usize,
    /// Seconds of one run at a fixed rate.
    pub(crate) seconds: u64,
    /// Providers and tokens of the large config.
    pub(crate) providers: usize,
    pub(crate) cached: usize,
}

const FULL: Size = Size {
    tokens: 20_000,
    warm: 60_000,
    pairs: 5,
    through_envoy: 5_000,
    envoy_rounds: 48,
    rounds: 15,
    seconds: 5,
    providers: 10_000,
    cached: 100_000,
};

const SHORT: Size = Size {
    tokens: 4_000,
    warm: 20_000,
    pairs: 5,
    through_envoy: 2_000,
    envoy_rounds: 8,
    rounds: 5,
    seconds: 1,
    providers: 10_000,
    cached: 20_000,
};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    match arguments.next().as_deref() {
        Some("floor") => {
            let port = arguments.next().and_then(|port| port.parse().ok()).expect("port");
            let (does, what) = (arguments.next(), arguments.next().unwrap_or_default());
            floor::serve(
                port,
                match does.as_deref() {
                    None => Floor::Allows,
                    Some("answers") => Floor::Answers(Path::new(&what)),
                    Some(_) => Floor::Verifies(&what),
                },
            );
        }
        Some("full") => run(FULL, &root.join("docs")),
        Some("short") => run(SHORT, &std::env::temp_dir().join("claimgate-benchmarks")),
        Some("scale") => {
            runtime().block_on(scale::run(&keys::TestKey::new("ES256"), &FULL));
        }
        Some("process") => {
            runtime().block_on(runs::process(Size { tokens: 4_000, ..FULL }));
        }
        Some("latency") => {
            runtime().block_on(runs::latency(FULL));
        }
        Some("envoy") => {
            runtime().block_on(runs::envoy(FULL));
        }
        Some("warm") => {
            runtime().block_on(runs::warm(Size { tokens: 2_000, ..FULL }));
        }
        _ => println!("say `-- full` (docs/benchmarks.md, ten minutes) or `-- short` (one)"),
    }
}

fn run(size: Size, folder: &Path) {
    let results = runtime().block_on(runs::all(size));
    report::write(folder, &size, &results);
    println!("{}", folder.join("benchmarks.md").display());
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().enable_all().build().unwrap()
}
