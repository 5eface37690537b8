//! What is known of a fetched key set, and when it is fetched: plain data.
//!
//! It decides nothing; `jwks/store.rs` reads it, `jwks/refresh.rs` makes the next one.

use std::{sync::Arc, time::Duration};

use crate::{
    clock::Mono,
    jwks::{fetch::FetchError, key_set::KeySet, obtain::Version},
    provider::Name,
};

/// When a set is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The enabled providers that share the set, for metrics and the log.
    pub providers: Vec<Name>,
    /// Bound on one fetch.
    pub timeout: Duration,
    /// Between planned refreshes.
    pub interval: Duration,
    /// At most one unplanned refresh in this time.
    pub cooldown: Duration,
}

/// What is known of one set: immutable, replaced after each fetch.
#[derive(Debug, Clone, Default)]
pub struct SetState {
    /// The newest usable set and when it was fetched.
    pub keys: Option<(Arc<KeySet>, Mono)>,
    /// Which version that set is.
    pub version: Option<Version>,
    /// Wall-clock seconds of that fetch.
    pub fetched_unix: Option<f64>,
    /// When the next planned fetch begins.
    pub next_refresh: Option<Mono>,
    /// Fetches that failed since the last one that succeeded.
    pub consecutive_failures: u32,
    /// The newest fetch's error; none if it succeeded.
    pub last_error: Option<FetchError>,
    /// Whether any fetch has finished.
    pub fetched_once: bool,
}

/// How well a provider is supplied with keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderState {
    /// Its keys are there and fresh.
    Ready,
    /// Its keys can be used, but the newest fetch failed.
    Stale,
    /// Its first fetch has not finished.
    Pending,
    /// It has no usable key.
    Unavailable,
    /// The operator switched it off.
    Disabled,
}

impl ProviderState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Ready, Self::Stale, Self::Pending, Self::Unavailable, Self::Disabled];

    /// As `/status` and metrics show it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Stale => "stale",
            Self::Pending => "pending",
            Self::Unavailable => "unavailable",
            Self::Disabled => "disabled",
        }
    }
}
