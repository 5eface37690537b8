//! What others can do to the checks of good tokens: floods of unknown kids, rotations, issuers that
//! hang, refuse and answer garbage. Prints each figure; docs/keys.md says what they mean.
//!
//! It measures no single check (`benches/check.rs`), and judges only what does not depend on the
//! machine: fetches and failures. Ratios are medians of pairs, each pair measured in turn.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot go on has failed"
)]

#[path = "../../tests/support.rs"]
mod support;

mod flood;
mod isolation;
mod load;
mod rotation;

fn main() {
    println!("keys: what others do to the checks of good tokens\n");
    flood::run();
    rotation::run();
    isolation::run();
}
