//! Tokens and issuers that others wrote, against a real server: made anew on each run.
//!
//! Behind the feature `interop`, since it needs npm and PyPI. `tests/interop/fetch` says how to
//! add one; its script stands here as `by_NAME`, its tests in `NAME.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "../support.rs"]
mod support;

#[path = "../envoy/binary.rs"]
mod binary;

mod issuers;
mod mcp;
mod peers;
mod program;
mod tokens;
