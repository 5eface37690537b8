//! claimgate decides, for Envoy, whose token this is and what the upstream may know about it.
//!
//! The modules in reading order. One request: [`grpc`] reads it, [`check`] decides it against a
//! [`snapshot`], with [`jwks`] for keys and [`token_cache`] for what was verified before. The
//! config: [`config`] turns files into a snapshot of [`provider`]s, [`policy`]s and [`routes`]. [`server`]
//! wires both, [`admin`] and [`telemetry`] show them, [`cli`] and [`settings`] start them.

pub mod admin;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod digest;
pub mod duration;
pub mod grpc;
pub mod header;
pub mod jwks;
pub mod policy;
pub mod provider;
pub mod routes;
pub mod server;
pub mod settings;
pub mod snapshot;
pub mod telemetry;
pub mod token_cache;
pub mod url;
