//! When key sets are fetched: at once, before they are old, and on demand. One task a place.
//!
//! It does not answer checks (`jwks/store.rs`); a check that is dropped leaves its fetch running.

mod keeper;
pub mod report;
mod saving;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::task::JoinHandle;

use self::{keeper::Keeper, saving::Saving};
use crate::{
    clock::Clock,
    jwks::{
        fetch::FetchJwks,
        saved::Saved,
        state::Schedule,
        store::{Entry, KeyStore},
    },
    provider::{JwksPlace, KeySource},
    snapshot::Snapshot,
    telemetry::metrics::Metrics,
};

/// Keeps the store's sets fresh. Dropping it ends its tasks.
pub struct Refresher {
    store: Arc<KeyStore>,
    keeper: Keeper,
    tasks: Mutex<HashMap<JwksPlace, JoinHandle<()>>>,
}

impl Refresher {
    /// A refresher that fetches nothing before the first [`Refresher::follow`].
    #[must_use]
    pub fn new(
        store: Arc<KeyStore>,
        fetch: Arc<dyn FetchJwks>,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Self {
        let lanes = Arc::default();
        let spread = keeper::random;
        let keeper = Keeper { fetch, lanes, clock, metrics, saving: None, spread };
        Self { store, keeper, tasks: Mutex::default() }
    }

    /// Keeps each good set here, and begins with what is there.
    #[must_use]
    pub fn saving_to(mut self, saved: Option<Saved>) -> Self {
        self.keeper.saving = saved.map(Saving::to);
        self
    }

    /// Draws lots for the waits by this, from 0 to 1, instead of at random.
    #[must_use]
    pub fn with_spread(mut self, spread: fn() -> f64) -> Self {
        self.keeper.spread = spread;
        self
    }

    /// Makes the store hold what `snapshot` names besides what it holds: new places are fetched
    /// at once, others keep their keys and take the new schedule.
    pub fn follow(&self, snapshot: &Snapshot) {
        let mut entries = self.store.places();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, schedule) in schedules(snapshot) {
            if let Some(entry) = entries.get(&place) {
                entry.reschedule(schedule);
                continue;
            }
            let state = self.keeper.remembered(&place, &schedule);
            let entry = Arc::new(Entry::new(place.clone(), schedule, state));
            let keep = self.keeper.clone().keep_fresh(entry.clone());
            tasks.insert(place.clone(), tokio::spawn(keep));
            entries.insert(place, entry);
        }
        self.store.replace(entries);
    }

    /// Forgets the places that `snapshot` does not name.
    pub fn forget_all_but(&self, snapshot: &Snapshot) {
        let wanted = schedules(snapshot);
        let mut entries = self.store.places();
        entries.retain(|place, _| wanted.contains_key(place));
        self.store.replace(entries);
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|place, task| {
            let stays = wanted.contains_key(place);
            if !stays {
                task.abort();
            }
            stays
        });
    }

    /// Waits until every place has keys, or was fetched once, well or badly.
    pub async fn fetched_once(&self) {
        for entry in self.store.places().values() {
            entry.fetched_once().await;
        }
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).values() {
            task.abort();
        }
    }
}

/// The places that the enabled providers name: the shortest interval and the longest cool-down
/// hold where some share one.
fn schedules(snapshot: &Snapshot) -> HashMap<JwksPlace, Schedule> {
    let mut schedules: HashMap<JwksPlace, Schedule> = HashMap::new();
    for provider in snapshot.providers.values().filter(|provider| provider.enabled) {
        let KeySource::Remote(remote) = &provider.keys else { continue };
        schedules
            .entry(remote.place.clone())
            .and_modify(|shared| {
                shared.providers.push(provider.name.clone());
                shared.timeout = shared.timeout.max(remote.timeout);
                shared.interval = shared.interval.min(remote.refresh_interval);
                shared.cooldown = shared.cooldown.max(remote.refresh_cooldown);
                shared.max_stale = shared.max_stale.max(remote.max_stale);
            })
            .or_insert_with(|| Schedule {
                providers: vec![provider.name.clone()],
                timeout: remote.timeout,
                interval: remote.refresh_interval,
                cooldown: remote.refresh_cooldown,
                max_stale: remote.max_stale,
            });
    }
    schedules
}

#[cfg(test)]
mod tests;
