//! The config path: bytes on disk, the document as written, its meaning, the snapshot it becomes.
//!
//! Reading order: [`load`] -> [`disk`] -> [`mod@file`] (on [`document`]) -> [`compile`], and [`watch`]
//! around them; all of them report [`problem`]s. Nothing here fetches keys or answers a request.

pub mod compile;
pub mod disk;
pub mod document;
pub mod file;
pub mod load;
mod presets;
pub mod problem;
pub mod watch;
