//! When key sets are fetched: at once, before they are old, and on demand. One task a place.
//!
//! It does not answer checks (`jwks/store.rs`); a check that is dropped leaves its fetch running.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch::Receiver, task::JoinHandle};

use crate::{
    clock::{Clock, Now},
    jwks::{
        fetch::{FetchError, FetchJwks},
        key_set::Skipped,
        lanes::{Lane, Lanes},
        obtain::{NewSet, Obtained, Obtaining, Version},
        pace,
        state::{Schedule, SetState},
        store::{Entry, KeyStore},
    },
    provider::{JwksPlace, KeySource},
    snapshot::Snapshot,
    telemetry::metrics::Metrics,
};

/// Keeps the store's sets fresh. Dropping it ends its tasks.
pub struct Refresher {
    store: Arc<KeyStore>,
    tools: Tools,
    tasks: Mutex<HashMap<JwksPlace, JoinHandle<()>>>,
}

/// What the task of each place needs.
#[derive(Clone)]
struct Tools {
    fetch: Arc<dyn FetchJwks>,
    lanes: Arc<Lanes>,
    clock: Clock,
    metrics: Arc<Metrics>,
    spread: fn() -> f64,
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
        let tools = Tools { fetch, lanes, clock, metrics, spread: random };
        Self { store, tools, tasks: Mutex::default() }
    }

    /// Draws lots for the waits by this, from 0 to 1, instead of at random.
    #[must_use]
    pub fn with_spread(mut self, spread: fn() -> f64) -> Self {
        self.tools.spread = spread;
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
            let entry = Arc::new(Entry::new(place.clone(), schedule));
            let keep = keep_fresh(entry.clone(), self.tools.clone());
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

    /// Waits until every place was fetched once, well or badly.
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
            })
            .or_insert_with(|| Schedule {
                providers: vec![provider.name.clone()],
                timeout: remote.timeout,
                interval: remote.refresh_interval,
                cooldown: remote.refresh_cooldown,
            });
    }
    schedules
}

/// Fetches one place for as long as the config names it.
async fn keep_fresh(entry: Arc<Entry>, tools: Tools) {
    let mut rescheduled = entry.rescheduled();
    loop {
        entry.begin();
        // A task of its own, so that a panic in it is a failed fetch and no end of them.
        let fetched = tokio::spawn(tools.obtaining(&entry).obtain()).await;
        let fetched = fetched.unwrap_or(Err(FetchError::Interrupted));
        let (before, schedule) = (entry.state(), entry.schedule.load_full());
        let wait = tools.wait(&before, &fetched, &schedule);
        let mut state = after(&before, fetched, &schedule, tools.clock.now());
        state.next_refresh = Some(tools.clock.now().mono.after(wait));
        log_change(&before, &state, &schedule, entry.place.url());
        tools.metrics.jwks_fetched(&schedule.providers, state.last_error);
        entry.finish(state, tools.clock.now().mono);
        tokio::select! {
            () = next_fetch(&entry, &mut rescheduled, wait) => {}
            () = entry.demanded() => {}
        }
    }
}

/// Waits until the planned refresh is due; a new schedule may bring it forward.
async fn next_fetch(entry: &Entry, rescheduled: &mut Receiver<u64>, mut wait: Duration) {
    let begun = tokio::time::Instant::now();
    loop {
        let due = tokio::time::sleep_until(begun + wait);
        tokio::select! {
            () = due => return,
            Ok(()) = rescheduled.changed() => wait = wait.min(entry.schedule.load().interval),
        }
    }
}

impl Tools {
    fn obtaining(&self, entry: &Entry) -> Obtaining {
        let state = entry.state();
        Obtaining {
            fetch: self.fetch.clone(),
            lanes: self.lanes.clone(),
            lane: match state.last_error {
                _ if !state.fetched_once => Lane::New,
                Some(_) => Lane::Failing,
                None => Lane::Healthy,
            },
            place: entry.place.clone(),
            known: known(&state),
            timeout: entry.schedule.load().timeout,
        }
    }

    /// Until the next planned fetch.
    fn wait(
        &self,
        before: &SetState,
        fetched: &Result<Obtained, FetchError>,
        schedule: &Schedule,
    ) -> Duration {
        match fetched {
            Ok(set) => pace::planned(schedule.interval, set.fresh_for, (self.spread)()),
            Err(_) => {
                let failures = before.consecutive_failures.saturating_add(1);
                pace::retry(failures, schedule.interval, (self.spread)())
            }
        }
    }
}

/// The version of the set that is there.
fn known(state: &SetState) -> Option<Version> {
    state.keys.is_some().then(|| state.version.clone())?
}

/// From 0 to 1: nobody gains by foreseeing it.
fn random() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or_default();
    f64::from(bits) / f64::from(u32::MAX)
}

/// The state after a fetch. A fetch that gave no usable key replaces nothing.
fn after(
    before: &SetState,
    fetched: Result<Obtained, FetchError>,
    schedule: &Schedule,
    now: Now,
) -> SetState {
    let mut state = SetState { fetched_once: true, ..before.clone() };
    match fetched {
        Ok(Obtained { set, version, fresh_for: _wait }) => {
            let old = before.keys.as_ref().map(|(set, _)| set.clone());
            state.keys = match set {
                NewSet::Parsed { keys, skipped, text: _ } => {
                    warn_of(&skipped, schedule);
                    let keys = old.into_iter().fold(keys, |keys, old| keys.reusing(&old));
                    Some((Arc::new(keys), now.mono))
                }
                NewSet::Unchanged => old.map(|old| (old, now.mono)),
            };
            state.version = Some(version);
            state.fetched_unix = Some(now.unix);
            state.consecutive_failures = 0;
            state.last_error = None;
        }
        Err(error) => {
            state.consecutive_failures = before.consecutive_failures.saturating_add(1);
            state.last_error = Some(error);
        }
    }
    state
}

fn warn_of(skipped: &[Skipped], schedule: &Schedule) {
    for key in skipped {
        let provider = schedule.providers.first().map(ToString::to_string);
        tracing::warn!(provider, index = key.index, error = %key.error, "key skipped");
    }
}

/// One line for each change of state, not for each fetch.
fn log_change(before: &SetState, after: &SetState, schedule: &Schedule, uri: &str) {
    let providers =
        schedule.providers.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",");
    match (before.last_error, after.last_error) {
        (was, Some(error)) if was != Some(error) => {
            let has_keys = after.keys.is_some();
            // A query may carry a secret.
            let uri = uri.split('?').next();
            tracing::warn!(providers, uri, %error, has_keys, "JWKS fetch failed");
        }
        (_, Some(_)) => {}
        (was, None) => {
            let kids = |state: &SetState| -> HashSet<Option<String>> {
                let set = state.keys.iter().flat_map(|(set, _)| set.iter());
                set.map(|key| key.kid.clone()).collect()
            };
            if was.is_some() || kids(before) != kids(after) {
                let keys = after.keys.as_ref().map_or(0, |(set, _)| set.iter().len());
                tracing::info!(providers, keys, "JWKS fetched");
            }
        }
    }
}

#[cfg(test)]
mod tests;
