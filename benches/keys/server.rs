//! claimgate as a process of its own on a core of its own, and what it says of itself.

use std::{fs, net::SocketAddr, process::Command};

use axum::http::Response;
use claimgate::cli::demo::http::{exchange, get};
use tempfile::TempDir;

use crate::{cores, process::Process};

/// A running claimgate.
pub(crate) struct Claimgate {
    process: Process,
    _folder: TempDir,
}

/// What it had done at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Done {
    /// Processor time in seconds.
    pub(crate) cpu: f64,
    /// Checks that were allowed, and the seconds that they took inside.
    pub(crate) allowed: f64,
    pub(crate) inside: f64,
    /// Checks of any outcome.
    pub(crate) checks: f64,
    /// Fetches of keys, well or badly.
    pub(crate) fetches: f64,
}

impl Claimgate {
    /// Serves this config and waits until it is ready.
    pub(crate) async fn serving(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("claimgate.yaml");
        fs::write(&file, config).unwrap();
        let process = Process::claimgate(&file, "64000000").await;
        cores::give_one(process.id());
        let server = Self { process, _folder: folder };
        while server.get("/readyz").await.status() != 200 {
            tokio::task::yield_now().await;
        }
        server
    }

    pub(crate) fn grpc(&self) -> SocketAddr {
        self.process.grpc
    }

    /// Stands still until it goes on, so that it takes nothing from another that is measured.
    pub(crate) fn stand_still(&self) {
        signal("-STOP", self.process.id());
    }

    pub(crate) fn go_on(&self) {
        signal("-CONT", self.process.id());
    }

    pub(crate) async fn done(&self) -> Done {
        let (cpu, metrics) = (self.process.cpu(), self.get("/metrics").await.into_body());
        let sum = |name: &str, label: &str| -> f64 {
            let lines = metrics.lines().filter(|line| line.starts_with(name));
            let values = lines.filter(|line| line.contains(label));
            values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        let took = "claimgate_check_duration_seconds";
        Done {
            cpu,
            allowed: sum(&format!("{took}_count"), "\"allowed\""),
            inside: sum(&format!("{took}_sum"), "\"allowed\""),
            checks: sum(&format!("{took}_count"), ""),
            fetches: sum("claimgate_jwks_fetches_total", ""),
        }
    }

    async fn get(&self, path: &str) -> Response<String> {
        exchange(self.process.http, get(path, &[]).unwrap()).await.unwrap()
    }
}

impl Done {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu - before.cpu,
            allowed: self.allowed - before.allowed,
            inside: self.inside - before.inside,
            checks: self.checks - before.checks,
            fetches: self.fetches - before.fetches,
        }
    }
}

fn signal(name: &str, process: u32) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}
