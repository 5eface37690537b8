//! claimgate decides, for Envoy, whose token this is and what the upstream may know about it.

pub mod admin;
pub mod check;
pub mod clock;
pub mod config;
pub mod digest;
pub mod duration;
pub mod grpc;
pub mod header;
pub mod jwks;
pub mod policy;
pub mod provider;
pub mod server;
pub mod settings;
pub mod snapshot;
pub mod telemetry;
pub mod token_cache;
