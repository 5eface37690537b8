//! Many providers and many tokens: memory, start, reload, and latency beside one of each.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use claimgate::cli::demo::http::{exchange, get};

use crate::{
    Size,
    keys::TestKey,
    load::{self, Outcome},
    process::Process,
    runs::{CACHE, ratios, three},
    workload::{self, Workload},
};

/// What the large config costs. Times in milliseconds, memory in MiB.
pub(crate) struct Scale {
    pub(crate) idle_memory: f64,
    pub(crate) start_of_a_thousand: f64,
    pub(crate) start_of_all: f64,
    pub(crate) full_memory: f64,
    pub(crate) reload: Vec<f64>,
    /// p50, p99 and p99.9 of one provider and one token, and of all, in turns.
    pub(crate) one: Vec<[f64; 3]>,
    pub(crate) all: Vec<[f64; 3]>,
    /// The same of all while nothing changes, and over a reload, in turns.
    pub(crate) steady: Vec<[f64; 3]>,
    pub(crate) reloading: Vec<[f64; 3]>,
    pub(crate) rate: f64,
}

/// Checks a second of each run.
const RATE: f64 = 8_000.0;
/// Key sets of the large config.
const SETS: usize = 100;

pub(crate) async fn run(key: &TestKey, size: &Size) -> Scale {
    let folder = tempfile::tempdir().unwrap();
    for set in 0..SETS {
        let path = folder.path().join(format!("set-{set}.json"));
        std::fs::write(path, key.jwks().to_string()).unwrap();
    }
    let config = |count| replace(folder.path(), &written(folder.path(), count, ""));

    let small = folder.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let small = replace(&small, &written(folder.path(), 1, ""));
    let small = Process::claimgate(&small, CACHE).await;
    let idle_memory = small.memory();
    let one_token = Workload::new(key, 1, 1);

    let thousand = Process::claimgate(&config(1000), CACHE).await;
    let start_of_a_thousand = milliseconds(thousand.started_in);
    drop(thousand);

    println!("signing {} tokens of {} issuers", size.cached, size.providers);
    let work = Workload::new(key, size.cached, size.providers);
    let large = Process::claimgate(&config(size.providers), CACHE).await;
    let start_of_all = milliseconds(large.started_in);
    load::closed(large.grpc, &work.frames, work.frames.len()).await;
    let full_memory = large.memory();

    let (mut one, mut all) = (Vec::new(), Vec::new());
    for _ in 0..size.rounds {
        let seconds = size.seconds.div_ceil(2);
        one.push(three(&load::open(small.grpc, &one_token.frames, RATE, seconds).await));
        all.push(three(&load::open(large.grpc, &work.frames, RATE, seconds).await));
    }
    drop(small);

    let (steady, reloading, reload) = reloads(&large, &work, folder.path(), size).await;
    let scale = Scale {
        idle_memory,
        start_of_a_thousand,
        start_of_all,
        full_memory,
        reload,
        one,
        all,
        steady,
        reloading,
        rate: RATE,
    };
    scale.print();
    scale
}

/// Runs in which nothing changes and runs over a reload, in turns, and how long each reload took.
async fn reloads(
    large: &Process,
    work: &Workload,
    folder: &Path,
    size: &Size,
) -> (Vec<[f64; 3]>, Vec<[f64; 3]>, Vec<f64>) {
    let (mut steady, mut reloading, mut reload) = (Vec::new(), Vec::new(), Vec::new());
    let beside = folder.join("beside");
    std::fs::create_dir(&beside).unwrap();
    for pair in 0..size.rounds {
        let text = written(folder, size.providers, &format!("# changed {pair}\n"));
        let seconds = size.seconds.max(4);
        // Where nothing changes, the same is written where nobody looks.
        steady.push(three(&changing(large, work, seconds, &beside, &text).await.0));
        let (outcome, changed) = changing(large, work, seconds, folder, &text).await;
        reloading.push(three(&outcome));
        // Not asked meanwhile: an answer takes long with so many providers.
        reload.push((served_since(large, pair + 2).await - changed) * 1e3);
    }
    (steady, reloading, reload)
}

/// A run in whose second second `text` becomes the config of a folder, and when it did.
async fn changing(
    large: &Process,
    work: &Workload,
    seconds: u64,
    folder: &Path,
    text: &str,
) -> (Outcome, f64) {
    let (grpc, frames) = (large.grpc, work.frames.clone());
    let loaded = tokio::spawn(async move { load::open(grpc, &frames, RATE, seconds).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (folder, text) = (folder.to_owned(), text.to_owned());
    // Away from the threads that make the load.
    let change = move || {
        replace(&folder, &text);
        unix()
    };
    let changed = tokio::task::spawn_blocking(change).await.unwrap();
    (loaded.await.unwrap(), changed)
}

impl Scale {
    fn print(&self) {
        println!(
            "all {:.2?}\none {:.2?}\nreloading {:.2?}\nsteady {:.2?}",
            self.all, self.one, self.reloading, self.steady
        );
        println!(
            "idle {:.0} MiB, full {:.0} MiB; start {:.0} ms (1,000), {:.0} ms (all); reload {:.0?} ms; \
             p50, p99, p99.9 as ratios: all to one {:.2?}, over a reload to steady {:.2?}",
            self.idle_memory,
            self.full_memory,
            self.start_of_a_thousand,
            self.start_of_all,
            self.reload,
            ratios(&self.all, &self.one),
            ratios(&self.reloading, &self.steady),
        );
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A config of `count` providers with the sets of a folder.
fn written(sets: &Path, count: usize, head: &str) -> String {
    let mut text = format!("{head}providers:\n");
    for n in 0..count {
        let set = sets.join(format!("set-{}.json", n % SETS));
        text.push_str(&workload::provider(n, &format!("file: {}", set.display())));
    }
    let names: Vec<String> = (0..count).map(|n| format!("p{n}")).collect();
    writeln!(text, "policies:\n- {{ name: bench, providers: [{}] }}", names.join(", ")).unwrap();
    text.push_str("default_policy: bench\n");
    text
}

/// Puts a config in place of the folder's, at once.
fn replace(folder: &Path, text: &str) -> PathBuf {
    let (new, file) = (folder.join(".new"), folder.join("claimgate.yaml"));
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, &file).unwrap();
    file
}

/// When the newest config began to be served, in Unix seconds. It must be this one.
async fn served_since(process: &Process, generation: usize) -> f64 {
    let metrics = exchange(process.http, get("/metrics", &[]).unwrap()).await.unwrap().into_body();
    assert!(metrics.contains(&format!("claimgate_config_generation {generation}\n")), "no reload");
    let line = |line: &str| {
        line.strip_prefix("claimgate_config_last_reload_success_timestamp_seconds ")?.parse().ok()
    };
    metrics.lines().find_map(line).unwrap()
}

fn unix() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}
