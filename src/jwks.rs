//! Keys: parsed once, kept by where they come from, fetched before they are needed.

pub mod key;
pub mod key_set;
