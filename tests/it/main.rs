//! A real client on the real ports of a real server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "../support.rs"]
mod support;

mod algorithms;
mod answers;
mod cli;
mod config_map;
mod credentials;
mod dates;
mod discovery;
mod drain;
mod endpoints;
mod explain;
mod faults;
mod fetch;
mod flood;
mod framing;
mod identity;
mod keys;
mod modes;
mod outage;
mod own_routes;
mod policy_fields;
mod presets;
mod provider_pages;
mod proxies;
mod readme;
mod references;
mod refusals;
mod reload;
mod remembered;
mod restart;
mod routes;
mod rules;
mod secrets;
mod smoke;
mod tls;
mod tokens;
mod unavailable;
mod vectors;
mod verified;
mod waiting;
