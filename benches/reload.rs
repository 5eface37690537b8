//! A thousand reloads of the config file while 16 connections check: what they saw, beside the same
//! load without reloads.
//!
//! It ends with an error where any answer was wrong. Ratios are medians of pairs, measured in turn.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot go on has failed"
)]

#[path = "keys/load.rs"]
mod load;
#[path = "../tests/support.rs"]
mod support;

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread::JoinHandle,
    time::Duration,
};

use load::{Seen, ask, client, connect, ratio, servers};
use support::{claims, config, keys::ES256, provider, request::TestRequest, server::TestServer};
use tokio::time::{Instant, interval};

const PAIRS: usize = 5;
const RELOADS: u64 = 200;
/// Longer than a change takes to be served, so that none is skipped.
const BETWEEN: Duration = Duration::from_millis(220);
const CONNECTIONS: u32 = 16;
/// Checks of all connections together come at this distance.
const PACE: Duration = Duration::from_millis(1);
const A: &str = "https://a.example";
const B: &str = "https://b.example";

fn trusting(providers: &str) -> String {
    let both = [provider("a", A, &ES256.jwks()), provider("b", B, &ES256.jwks())];
    config(&both, &format!("providers: [{providers}]"))
}

fn main() {
    let runtime = servers();
    let server = runtime.block_on(TestServer::start(&trusting("a")));
    let address = server.server.grpc[0];
    let (mut p99, mut worst) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let with = beside(address, || {
            for number in 0..RELOADS {
                server.rewrite(&trusting(if number % 2 == 0 { "a, b" } else { "a" }));
                runtime.block_on(async { tokio::time::sleep(BETWEEN).await });
            }
        });
        let alone = beside(address, || {
            let time = BETWEEN * u32::try_from(RELOADS).unwrap();
            runtime.block_on(async { tokio::time::sleep(time).await });
        });
        p99.push((with.p99(), alone.p99()));
        worst.push((*with.took.last().unwrap(), *alone.took.last().unwrap()));
    }
    let generation = runtime.block_on(server.status())["generation"].as_u64().unwrap();
    println!("{} reloads of {} changes", generation - 1, RELOADS * PAIRS as u64);
    println!("p99 with reloads, ratio to without: {}", ratio(&p99));
    println!("slowest check, ratio to without: {}", ratio(&worst));
}

/// What 16 connections saw while `work` was done. No answer may be wrong.
fn beside(server: SocketAddr, work: impl FnOnce()) -> Seen {
    let done: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
    let askers: Vec<JoinHandle<Seen>> =
        (0..CONNECTIONS).map(|_| client(move || keep_asking(server, done))).collect();
    work();
    done.store(true, Ordering::Relaxed);
    let mut all = Seen::default();
    for asker in askers {
        all.took.append(&mut asker.join().unwrap().took);
    }
    all.took.sort();
    all
}

/// `a` is trusted by every config, `b` by every other one.
async fn keep_asking(server: SocketAddr, done: &AtomicBool) -> Seen {
    let mut client = connect(server).await;
    let [a, b] = [A, B].map(|issuer| TestRequest::bearer(&ES256.token(&claims(issuer))).build());
    let (mut seen, mut ticks) = (Seen::default(), interval(PACE * CONNECTIONS));
    let mut number = 0;
    while !done.load(Ordering::Relaxed) {
        ticks.tick().await;
        number += 1;
        let of_b = number % 4 == 0;
        let begun = Instant::now();
        let (status, reason) = ask(&mut client, if of_b { b.clone() } else { a.clone() }).await;
        seen.took.push(begun.elapsed());
        let fits = status == 200 || of_b && (status, &*reason) == (401, "issuer_not_allowed");
        assert!(fits, "a wrong answer: {status} {reason}");
    }
    seen
}
