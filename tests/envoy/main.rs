//! A real client, a real Envoy, a real claimgate, a real upstream.
//!
//! Without an Envoy every test fails, unless `CLAIMGATE_TEST_WITHOUT_ENVOY=1` says otherwise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "../support.rs"]
mod support;

mod binary;
mod client;
mod credentials;
mod listener;
mod scripted;
mod stack;

mod answers;
mod behaviour;
mod cors;
mod fail_closed;
mod grpc_clients;
mod identity;
mod matrix;
mod metadata;
mod modes;
mod places;
mod readme;
mod resource;
mod rollout;
mod routes;
mod rules_matrix;
mod targets;
mod upgrades;
