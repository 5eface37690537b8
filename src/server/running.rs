//! The parts that change with the config, and what a reload does to them.
//!
//! It does not read files (`config/watch.rs` does) and answers nobody.

use std::{path::PathBuf, sync::Arc};

use crate::{
    clock::Clock,
    config::watch::{Reload, WatchState, watch},
    grpc::Authorizer,
    jwks::{
        fetch::FetchJwks, refresh::Refresher, saved::Saved, state::ProviderState, store::KeyStore,
    },
    server::StartError,
    settings::Settings,
    snapshot::{Snapshot, cell::SnapshotCell, changes::Difference},
    telemetry::{metrics::Metrics, references::References},
    token_cache::TokenCache,
};

/// The parts that change with the config.
pub(super) struct RunningConfig {
    pub(super) authorizer: Arc<Authorizer>,
    pub(super) refresher: Refresher,
}

impl RunningConfig {
    pub(super) fn new(
        first: Snapshot,
        settings: &Settings,
        fetch: Arc<dyn FetchJwks>,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new()?);
        let store = Arc::new(KeyStore::default());
        let refresher = Refresher::new(store.clone(), fetch, clock, metrics.clone())
            .saving_to(state_dir(settings)?);
        let tokens = TokenCache::new(settings.token_cache_size);
        let authorizer = Arc::new(Authorizer {
            cell: Arc::new(SnapshotCell::new(first)),
            store,
            tokens,
            metrics,
            references: References::default(),
            clock,
            namespace: settings.metadata_namespace.clone(),
        });
        Ok(Self { authorizer, refresher })
    }

    /// The first config begins to be served.
    pub(super) fn begin(&self) {
        let first = self.authorizer.cell.load();
        self.refresher.follow(&first);
        self.applied(&first);
    }

    /// The enabled providers whose tokens cannot be verified now.
    pub(super) fn without_keys(&self) -> Vec<String> {
        let Authorizer { cell, store, clock, .. } = &*self.authorizer;
        let (snapshot, now) = (cell.load(), clock.now());
        let supplied = [ProviderState::Ready, ProviderState::Stale, ProviderState::Disabled];
        let without = snapshot
            .providers
            .values()
            .filter(|provider| !supplied.contains(&store.provider_state(provider, now)));
        without.map(|provider| provider.name.to_string()).collect()
    }

    /// The files changed.
    pub(super) fn change(&self, reload: Reload) {
        match reload {
            Reload::Changed(loaded) => {
                let Authorizer { cell, clock, .. } = &*self.authorizer;
                let before = cell.load();
                let mut next = loaded.into_snapshot(before.generation + 1, clock.wall());
                next.changes = Some(next.definitions.since(&before.definitions));
                // New places are there before a check can ask for them, old ones until none can.
                self.refresher.follow(&next);
                let next = cell.replace(next);
                for header in before.owned_headers.without(&next.owned_headers) {
                    tracing::warn!(header, "clients can set this header from now on");
                }
                self.refresher.forget_all_but(&next);
                self.applied(&next);
            }
            Reload::Restored => {
                tracing::info!("the files are again what is served");
                self.authorizer.metrics.restored();
                self.authorizer.cell.clear_reload_error();
            }
            Reload::Refused(problems) => {
                self.authorizer.metrics.refused();
                tracing::error!("config refused, the last good one stays:\n{problems}");
                self.authorizer.cell.set_reload_error(problems.to_string());
            }
        }
    }

    fn applied(&self, snapshot: &Snapshot) {
        self.authorizer.metrics.applied(snapshot, self.authorizer.clock.now().unix);
        let (generation, hash) = (snapshot.generation, &snapshot.config_hash);
        tracing::info!(generation, hash, providers = snapshot.providers.len(), "config applied");
        if let Some(changes) = &snapshot.changes {
            log_changes("provider", &changes.providers);
            log_changes("policy", &changes.policies);
            log_changes("setting", &changes.settings);
        }
        for warning in &snapshot.warnings {
            tracing::warn!("{warning}");
        }
    }
}

/// Follows the config files for as long as the server runs.
pub(super) async fn follow_files(path: PathBuf, watched: WatchState, config: Arc<RunningConfig>) {
    watch(path, watched, move |reload| config.change(reload)).await;
}

/// One line for each kind of which anything changed.
fn log_changes(kind: &'static str, difference: &Difference) {
    let Difference { added, removed, changed } = difference;
    if !(added.is_empty() && removed.is_empty() && changed.is_empty()) {
        let [added, removed, changed] = [added, removed, changed].map(|names| names.join(","));
        tracing::info!(kind, added, removed, changed, "config changed");
    }
}

fn state_dir(settings: &Settings) -> Result<Option<Saved>, StartError> {
    let path = settings.state_dir.as_ref();
    let open = |path: &PathBuf| {
        Saved::open(path).map_err(|source| StartError::StateDir { path: path.clone(), source })
    };
    path.map(open).transpose()
}
