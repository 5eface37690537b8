//! Keys: parsed once, kept by where they come from, fetched before they are needed.

pub mod algorithm;
pub mod discovery;
pub mod fetch;
pub mod key;
pub mod key_set;
pub mod lanes;
pub mod obtain;
pub mod pace;
pub mod refresh;
pub mod saved;
pub mod state;
pub mod store;
pub mod unknown;
