//! `cargo bench --bench keys [-- flood | rotation | isolation]`: what others can do to the checks of good tokens: floods of unknown kids, rotations, issuers that
//! hang, refuse and answer garbage. Prints each figure; docs/keys.md says what they mean.
//!
//! It measures no single check (`benches/check.rs`), and judges only what does not depend on the
//! machine: fetches and failures. Ratios are medians of pairs, each pair measured in turn.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a benchmark that cannot go on has failed, and it measures time"
)]

#[path = "../../tests/support.rs"]
mod support;

#[path = "../support/cores.rs"]
mod cores;
mod flood;
mod isolation;
mod load;
mod pairs;
#[path = "../end_to_end/process.rs"]
mod process;
mod rotation;
mod server;

fn main() {
    println!("keys: what others do to the checks of good tokens\n");
    cores::stand_aside();
    let only = std::env::args().find(|word| !word.starts_with('-') && !word.contains('/'));
    for (name, run) in
        [("flood", flood::run as fn()), ("rotation", rotation::run), ("isolation", isolation::run)]
    {
        if only.as_deref().is_none_or(|only| only == name) {
            run();
            println!();
        }
    }
}
