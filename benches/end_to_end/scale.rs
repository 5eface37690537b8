//! Many providers and many tokens: memory, start, reload, and latency beside one of each.

use std::{
    fmt::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use claimgate::cli::demo::http::{exchange, get};

use crate::{
    Size,
    keys::TestKey,
    load,
    process::Process,
    runs::{CACHE, three},
    workload::{self, Workload},
};

/// What the large config costs. Times in milliseconds, memory in MiB.
pub(crate) struct Scale {
    pub(crate) idle_memory: f64,
    pub(crate) start_of_a_thousand: f64,
    pub(crate) start_of_all: f64,
    pub(crate) full_memory: f64,
    pub(crate) reload: f64,
    pub(crate) one: [f64; 3],
    pub(crate) all: [f64; 3],
    pub(crate) during_reload: [f64; 3],
    pub(crate) rate: f64,
}

/// Key sets of the large config.
const SETS: usize = 100;

pub(crate) async fn run(key: &TestKey, size: &Size) -> Scale {
    let folder = tempfile::tempdir().unwrap();
    for set in 0..SETS {
        let path = folder.path().join(format!("set-{set}.json"));
        std::fs::write(path, key.jwks().to_string()).unwrap();
    }
    let config = |count| write(folder.path(), count, "");
    let rate = 8_000.0;

    let small = Process::claimgate(&config(1), CACHE).await;
    let idle_memory = small.memory();
    let one_token = Workload::new(key, 1, 1);
    load::open(small.grpc, &one_token.frames, rate, 1).await;
    let one = three(&load::open(small.grpc, &one_token.frames, rate, size.seconds).await);
    drop(small);

    let thousand = Process::claimgate(&config(1000), CACHE).await;
    let start_of_a_thousand = milliseconds(thousand.started_in);
    drop(thousand);

    println!("signing {} tokens of {} issuers", size.cached, size.providers);
    let work = Workload::new(key, size.cached, size.providers);
    let large = Process::claimgate(&config(size.providers), CACHE).await;
    let start_of_all = milliseconds(large.started_in);
    load::closed(large.grpc, &work.frames, work.frames.len()).await;
    let all = three(&load::open(large.grpc, &work.frames, rate, size.seconds).await);
    let full_memory = large.memory();

    let (grpc, frames, seconds) = (large.grpc, work.frames.clone(), size.seconds.max(4));
    let loaded = tokio::spawn(async move { load::open(grpc, &frames, rate, seconds).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    write(folder.path(), size.providers, "# changed\n");
    let reload = milliseconds(generation_2(&large).await);
    let during_reload = three(&loaded.await.unwrap());
    let scale = Scale {
        idle_memory,
        start_of_a_thousand,
        start_of_all,
        full_memory,
        reload,
        one,
        all,
        during_reload,
        rate,
    };
    scale.print();
    scale
}

impl Scale {
    fn print(&self) {
        println!(
            "idle {:.0} MiB, full {:.0} MiB; start {:.0} ms (1,000), {:.0} ms (all); reload {:.0} ms; \
             p50, p99, p99.9 ms: one {:?}, all {:?}, reload {:?}",
            self.idle_memory,
            self.full_memory,
            self.start_of_a_thousand,
            self.start_of_all,
            self.reload,
            self.one,
            self.all,
            self.during_reload
        );
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Writes a config of `count` providers, replacing the file at once.
fn write(folder: &Path, count: usize, head: &str) -> std::path::PathBuf {
    let mut text = format!("{head}providers:\n");
    for n in 0..count {
        let set = folder.join(format!("set-{}.json", n % SETS));
        text.push_str(&workload::provider(n, &format!("file: {}", set.display())));
    }
    let names: Vec<String> = (0..count).map(|n| format!("p{n}")).collect();
    writeln!(text, "policies:\n- {{ name: bench, providers: [{}] }}", names.join(", ")).unwrap();
    text.push_str("default_policy: bench\n");
    let (new, file) = (folder.join(".new"), folder.join("claimgate.yaml"));
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, &file).unwrap();
    file
}

/// How long it takes until the second config is served.
async fn generation_2(process: &Process) -> Duration {
    let begun = Instant::now();
    loop {
        let metrics = exchange(process.http, get("/metrics", &[]).unwrap()).await.unwrap();
        if metrics.body().contains("claimgate_config_generation 2") {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "no reload");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
