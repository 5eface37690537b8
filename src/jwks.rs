//! Keys: parsed once, kept by where they come from, fetched before they are needed.

pub mod algorithm;
pub mod fetch;
pub mod key;
pub mod key_set;
pub mod refresh;
pub mod state;
pub mod store;
