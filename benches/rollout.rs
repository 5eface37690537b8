//! Two servers behind a real Envoy, replaced ten times at 2,000 requests a second: sent and failed.
//!
//! It ends with an error where any request failed.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot go on has failed"
)]

#[path = "../tests/support.rs"]
mod support;

use claimgate::cli::demo::envoy;
use support::rollout::{Plan, roll};

fn main() {
    let envoy = envoy::find().expect("an Envoy: envoy/fetch gets one");
    let plan = Plan { rolls: 10, rate: 2000, connections: 16, settle: "3s", health_interval: "1s" };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let claimgate = env!("CARGO_BIN_EXE_claimgate");
    let figure = runtime.block_on(roll(claimgate, &envoy, &plan));
    let (sent, failed) = (figure.sent, figure.failed.len());
    println!("{} rolls at {} requests/s: {sent} sent, {failed} failed", plan.rolls, plan.rate);
    assert_eq!(figure.failed, [""; 0]);
}
