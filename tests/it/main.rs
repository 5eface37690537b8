//! A real client on the real ports of a real server.

#[path = "../support.rs"]
mod support;

mod smoke;
