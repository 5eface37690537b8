//! Servers that are replaced behind Envoy while requests come.

use crate::{
    binary::binary,
    support::rollout::{Plan, roll},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_each_of_two_servers_is_replaced() {
    let Some(envoy) = binary() else { return };
    let plan = Plan { rolls: 2, rate: 200, connections: 4, settle: "2s", health_interval: "0.1s" };
    let figure = roll(env!("CARGO_BIN_EXE_claimgate"), envoy, &plan).await;
    assert_eq!(figure.failed, [""; 0], "of {}", figure.sent);
    assert!(figure.sent > 100, "the load was none: {}", figure.sent);
}
