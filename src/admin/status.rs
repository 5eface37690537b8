//! The running server's state, as `/status` and `/metrics` show it.
//!
//! It shows no key material, no token and no fetched text.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use tokio::sync::watch;

use crate::{
    clock::Now,
    grpc::Authorizer,
    jwks::{
        algorithm::Algorithm,
        key::Key,
        key_set::KeySet,
        refresh::report,
        state::{ProviderState, SetState},
        store::Entry,
    },
    provider::{KeySource, Provider},
    snapshot::{Snapshot, changes::Changes},
    telemetry::{
        metrics::jwks::{FetchSample, ProviderSample},
        references::Counted,
    },
};

/// Where the state is read.
#[derive(Clone)]
pub struct Status {
    /// Config, keys and counters.
    pub authorizer: Arc<Authorizer>,
    /// Whether checks should be sent here.
    pub ready: watch::Receiver<bool>,
}

/// The document of `/status`.
#[derive(Debug, Serialize)]
pub struct Report {
    version: &'static str,
    generation: u64,
    config_hash: String,
    applied_at: String,
    last_reload_error: Option<String>,
    /// What the newest reload changed; null for the first config of the process.
    changes: Option<Changes>,
    providers: Vec<ProviderReport>,
    unknown_references: Vec<Counted>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ProviderReport {
    name: String,
    description: Option<String>,
    issuers: Vec<String>,
    state: &'static str,
    keys: Vec<KeyReport>,
    fetched_at: Option<String>,
    next_refresh_at: Option<String>,
    consecutive_failures: u32,
    last_error: Option<String>,
    skip_tls_verification: bool,
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct KeyReport {
    kid: Option<String>,
    /// None where the key permits several.
    alg: Option<&'static str>,
    kty: &'static str,
}

impl Status {
    /// The document of `/status`.
    #[must_use]
    pub fn report(&self) -> Report {
        let Authorizer { cell, references, clock, .. } = &*self.authorizer;
        let (snapshot, now) = (cell.load(), clock.now());
        Report {
            version: env!("CARGO_PKG_VERSION"),
            generation: snapshot.generation,
            config_hash: snapshot.config_hash.clone(),
            applied_at: rfc3339(snapshot.applied_at),
            last_reload_error: cell.last_reload_error().map(|error| error.to_string()),
            changes: snapshot.changes.clone(),
            providers: snapshot.providers.values().map(|p| self.provider(p, now)).collect(),
            unknown_references: references.counted(),
            warnings: self.warnings(&snapshot),
        }
    }

    /// The text of `/metrics`.
    #[must_use]
    pub fn metrics(&self) -> String {
        let Authorizer { cell, store, metrics, tokens, clock, .. } = &*self.authorizer;
        let (snapshot, now) = (cell.load(), clock.now());
        let sample = |provider| {
            let fetched = self.fetched(provider);
            let state = store.provider_state(provider, now);
            let set = keys(provider, state, fetched.as_ref().map(|(_, state)| &**state));
            ProviderSample {
                name: provider.name.as_str(),
                state,
                keys: set.map_or(0, |set| i64::try_from(set.iter().len()).unwrap_or(i64::MAX)),
                skips_tls_verification: provider.skips_tls_verification(),
                fetches: fetched.map(|(entry, state)| FetchSample {
                    consecutive_failures: state.consecutive_failures,
                    suppressed: entry.suppressed(),
                    last_success_unix: state.fetched_unix,
                }),
            }
        };
        let samples: Vec<_> = snapshot.providers.values().map(|p| sample(p)).collect();
        metrics.text(&samples, tokens.content())
    }

    /// What the config makes worth knowing, and what discovery has.
    fn warnings(&self, snapshot: &Snapshot) -> Vec<String> {
        let elsewhere = snapshot.providers.values().filter_map(|provider| {
            let (entry, state) = self.fetched(provider)?;
            let host = report::elsewhere(&state, entry.place.url())?;
            let name = &provider.name;
            Some(format!("provider {name}: discovery names keys on another host, {host}"))
        });
        snapshot.warnings.iter().cloned().chain(elsewhere).collect()
    }

    fn provider(&self, provider: &Provider, now: Now) -> ProviderReport {
        let fetched = self.fetched(provider);
        let state = fetched.as_ref().map(|(_, state)| &**state);
        let next = state.and_then(|state| state.next_refresh);
        let supply = self.authorizer.store.provider_state(provider, now);
        ProviderReport {
            name: provider.name.to_string(),
            description: provider.description.clone(),
            issuers: provider.issuers.iter().map(|issuer| issuer.0.to_string()).collect(),
            state: supply.label(),
            keys: keys(provider, supply, state)
                .iter()
                .flat_map(|set| set.iter().map(|key| KeyReport::of(key)))
                .collect(),
            fetched_at: state.and_then(|state| state.fetched_unix).map(unix_rfc3339),
            next_refresh_at: next
                .map(|next| unix_rfc3339(now.unix + next.since(now.mono).as_secs_f64())),
            consecutive_failures: state.map_or(0, |state| state.consecutive_failures),
            last_error: state.and_then(|state| state.last_error).map(|error| error.to_string()),
            skip_tls_verification: provider.skips_tls_verification(),
            labels: provider.labels.iter().cloned().collect(),
        }
    }

    fn fetched(&self, provider: &Provider) -> Option<(Arc<Entry>, Arc<SetState>)> {
        let KeySource::Remote(remote) = &provider.keys else { return None };
        let entry = self.authorizer.store.entry(&remote.place)?;
        let state = entry.state();
        Some((entry, state))
    }
}

impl KeyReport {
    fn of(key: &Key) -> Self {
        let mut algorithms = key.algorithms().map(Algorithm::name);
        let alg = algorithms.next().filter(|_| algorithms.next().is_none());
        Self { kid: key.kid.clone(), alg, kty: key.kind.name() }
    }
}

/// The keys that a check may use: none once they are too old.
fn keys(
    provider: &Provider,
    supply: ProviderState,
    state: Option<&SetState>,
) -> Option<Arc<KeySet>> {
    match &provider.keys {
        KeySource::Local(set) => Some(set.clone()),
        KeySource::Unreadable => None,
        KeySource::Remote(_)
            if matches!(supply, ProviderState::Unavailable | ProviderState::Pending) =>
        {
            None
        }
        KeySource::Remote(_) => state?.keys.as_ref().map(|(set, _)| set.clone()),
    }
}

fn unix_rfc3339(unix: f64) -> String {
    // Clocks of this century fit; anything else reads as the epoch.
    rfc3339(UNIX_EPOCH + Duration::try_from_secs_f64(unix).unwrap_or_default())
}

fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}
