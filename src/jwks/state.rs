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
    /// For how long any of the providers uses a set.
    pub max_stale: Duration,
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
    /// Whether the keys were read from disk and no fetch has confirmed them yet.
    pub unconfirmed: bool,
}

/// How well a provider is supplied with keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderState {
    /// Its keys are there and fresh.
    Ready,
    /// Its keys can be used, but the newest fetch failed, or they are from disk.
    Stale,
    /// Its first fetch has not finished.
    Pending,
    /// It has no usable key.
    Unavailable,
    /// The operator switched it off.
    Disabled,
}

impl SetState {
    /// The set, if it was fetched at most `max_stale` ago.
    #[must_use]
    pub fn usable(&self, max_stale: Duration, now: Mono) -> Option<&(Arc<KeySet>, Mono)> {
        self.keys.as_ref().filter(|(_, fetched_at)| now.since(*fetched_at) <= max_stale)
    }

    /// How well a provider is supplied that uses a set for `max_stale`.
    #[must_use]
    pub fn supply(&self, max_stale: Duration, now: Mono) -> ProviderState {
        match self.usable(max_stale, now) {
            Some(_) if self.last_error.is_none() && !self.unconfirmed => ProviderState::Ready,
            Some(_) => ProviderState::Stale,
            None if !self.fetched_once => ProviderState::Pending,
            None => ProviderState::Unavailable,
        }
    }
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
