//! When key sets are fetched: at once, before they are old, and on demand. One task a place.
//!
//! It does not answer checks (`jwks/store.rs`); a check that is dropped leaves its fetch running.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch::Receiver, task::JoinHandle};

use crate::{
    clock::Clock,
    jwks::{
        fetch::{FetchError, FetchJwks},
        key::Origin,
        key_set::{KeySet, Skipped},
        store::{Entry, KeyStore, Schedule, SetState},
    },
    provider::{JwksPlace, KeySource},
    snapshot::Snapshot,
    telemetry::metrics::Metrics,
};

/// Keeps the store's sets fresh. Dropping it ends its tasks.
pub struct Refresher {
    store: Arc<KeyStore>,
    fetch: Arc<dyn FetchJwks>,
    clock: Clock,
    metrics: Arc<Metrics>,
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
        Self { store, fetch, clock, metrics, tasks: Mutex::default() }
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
            let (fetch, metrics) = (self.fetch.clone(), self.metrics.clone());
            let keep = keep_fresh(entry.clone(), fetch, self.clock, metrics);
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
async fn keep_fresh(
    entry: Arc<Entry>,
    fetch: Arc<dyn FetchJwks>,
    clock: Clock,
    metrics: Arc<Metrics>,
) {
    let mut rescheduled = entry.rescheduled();
    loop {
        entry.begin();
        let fetching = fetch.fetch(entry.place.clone(), entry.schedule.load().timeout);
        // A task of its own, so that a panic in it is a failed fetch and no end of them.
        let fetched = tokio::spawn(async move { parsed(&fetching.await?) }).await;
        let fetched = fetched.unwrap_or(Err(FetchError::Interrupted));
        let (before, schedule) = (entry.state(), entry.schedule.load_full());
        let (state, wait) = after(&before, fetched, &schedule, clock);
        log_change(&before, &state, &schedule, &entry.place.uri);
        metrics.jwks_fetched(&schedule.providers, state.last_error);
        entry.finish(state, clock.now().mono);
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

fn parsed(document: &[u8]) -> Parsed {
    Ok(KeySet::parse(document, Origin::Network)?)
}

/// What a fetch has brought.
type Parsed = Result<(KeySet, Vec<Skipped>), FetchError>;

/// The state after a fetch, and how long until the next planned one. A fetch that gave no usable
/// key replaces nothing.
fn after(
    before: &SetState,
    fetched: Parsed,
    schedule: &Schedule,
    clock: Clock,
) -> (SetState, Duration) {
    let now = clock.now();
    let mut state = SetState { fetched_once: true, ..before.clone() };
    let wait = match fetched {
        Ok((set, skipped)) => {
            for key in skipped {
                let place = schedule.providers.first().map(ToString::to_string);
                tracing::warn!(provider = place, index = key.index, error = %key.error, "key skipped");
            }
            let set = match &before.keys {
                Some((old, _)) => set.reusing(old),
                None => set,
            };
            state.keys = Some((Arc::new(set), now.mono));
            state.fetched_unix = Some(now.unix);
            state.consecutive_failures = 0;
            state.last_error = None;
            schedule.interval
        }
        Err(error) => {
            state.consecutive_failures = before.consecutive_failures.saturating_add(1);
            state.last_error = Some(error);
            retry_after(state.consecutive_failures).min(schedule.interval)
        }
    };
    state.next_refresh = Some(now.mono.after(wait));
    (state, wait)
}

/// 1, 2, 4, … seconds, at most one minute.
fn retry_after(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(1).min(6)).min(Duration::from_secs(60))
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
mod tests {
    use std::time::SystemTime;

    use tokio::time::{Instant, sleep};

    use crate::{config::load::load, jwks::fetch::Fetching};

    use super::*;

    /// Fetches what the test says, and writes down when.
    struct FakeFetch {
        start: Instant,
        next: Mutex<Result<Vec<u8>, FetchError>>,
        takes: Mutex<Duration>,
        /// Place, second, time-out.
        log: Mutex<Vec<(String, u64, u64)>>,
    }

    impl FetchJwks for FakeFetch {
        fn fetch(&self, place: Arc<JwksPlace>, timeout: Duration) -> Fetching {
            let at = self.start.elapsed().as_secs();
            self.log.lock().unwrap().push((place.uri.clone(), at, timeout.as_secs()));
            let (next, takes) = (self.next.lock().unwrap().clone(), *self.takes.lock().unwrap());
            Box::pin(async move {
                sleep(takes).await;
                assert_ne!(next, Err(FetchError::TlsSetup), "stands for a panic");
                next
            })
        }
    }

    struct Fixture {
        fake: Arc<FakeFetch>,
        store: Arc<KeyStore>,
        refresher: Refresher,
    }

    impl Fixture {
        fn new() -> Self {
            let fake = Arc::new(FakeFetch {
                start: Instant::now(),
                next: Mutex::new(set("k")),
                takes: Mutex::default(),
                log: Mutex::default(),
            });
            let store = Arc::new(KeyStore::default());
            let metrics = Arc::new(Metrics::new().unwrap());
            let refresher = Refresher::new(store.clone(), fake.clone(), Clock::start(), metrics);
            Self { fake, store, refresher }
        }

        fn answer(&self, next: Result<Vec<u8>, FetchError>) {
            *self.fake.next.lock().unwrap() = next;
        }

        /// The seconds at which anything was fetched.
        fn times(&self) -> Vec<u64> {
            self.fake.log.lock().unwrap().iter().map(|(_, at, _)| *at).collect()
        }

        fn entry(&self, uri: &str) -> Option<Arc<Entry>> {
            let places = self.store.places();
            places.into_iter().find(|(place, _)| place.uri == uri).map(|(_, entry)| entry)
        }
    }

    fn set(kid: &str) -> Result<Vec<u8>, FetchError> {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","kid":"{kid}"}}"#);
        Ok(format!(r#"{{"keys":[{jwk}]}}"#).into_bytes())
    }

    /// A config of providers `p0`, `p1`, … with these `jwks`.
    fn snapshot(jwks: &[&str]) -> Snapshot {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.yaml");
        let provider = |(n, jwks): (usize, &&str)| {
            format!("- {{ name: p{n}, issuer: i, audiences: any, jwks: {{ {jwks} }} }}\n")
        };
        let providers: String = jwks.iter().enumerate().map(provider).collect();
        std::fs::write(&path, format!("providers:\n{providers}")).unwrap();
        load(&path).unwrap().into_snapshot(1, SystemTime::UNIX_EPOCH)
    }

    const ONE: &str = "uri: 'https://one', refresh_interval: 100s";
    const TWO: &str = "uri: 'https://two', refresh_interval: 100s";

    /// Lets so many seconds of the paused clock pass, and a moment more.
    async fn pass(seconds: u64) {
        sleep(Duration::from_secs(seconds) + Duration::from_millis(10)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_set_is_fetched_at_once_and_then_on_time() {
        let fixture = Fixture::new();
        fixture.refresher.follow(&snapshot(&[ONE]));
        fixture.refresher.fetched_once().await;
        pass(300).await;
        assert_eq!(fixture.times(), [0, 100, 200, 300]);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_retried_ever_later_and_at_most_a_minute_apart() {
        let fixture = Fixture::new();
        fixture.answer(Err(FetchError::Timeout));
        fixture.refresher.follow(&snapshot(&[ONE]));
        pass(183).await;
        assert_eq!(fixture.times(), [0, 1, 3, 7, 15, 31, 63, 123, 183]);
        assert_eq!(fixture.entry("https://one").unwrap().state().consecutive_failures, 9);
    }

    #[tokio::test(start_paused = true)]
    async fn retries_are_never_rarer_than_planned_refreshes() {
        let fixture = Fixture::new();
        fixture.answer(Err(FetchError::Timeout));
        fixture.refresher.follow(&snapshot(&["uri: 'https://one', refresh_interval: 30s"]));
        pass(91).await;
        assert_eq!(fixture.times(), [0, 1, 3, 7, 15, 31, 61, 91]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_refresh_keeps_the_keys_and_a_good_one_forgets_the_failures() {
        let fixture = Fixture::new();
        fixture.refresher.follow(&snapshot(&[ONE]));
        pass(1).await;
        for bad in [Err(FetchError::Timeout), Ok(b"<html>".to_vec()), Ok(b"{\"keys\":[]}".to_vec())]
        {
            fixture.answer(bad);
            pass(100).await;
            let state = fixture.entry("https://one").unwrap().state();
            assert!(state.keys.is_some() && state.last_error.is_some());
            assert!(state.consecutive_failures >= 1);
            fixture.answer(set("k"));
            pass(60).await;
            let state = fixture.entry("https://one").unwrap().state();
            assert_eq!((state.consecutive_failures, state.last_error), (0, None));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_in_a_fetch_is_a_failed_fetch() {
        let fixture = Fixture::new();
        fixture.answer(Err(FetchError::TlsSetup));
        fixture.refresher.follow(&snapshot(&[ONE]));
        fixture.refresher.fetched_once().await;
        let state = fixture.entry("https://one").unwrap().state();
        assert_eq!(state.last_error, Some(FetchError::Interrupted));
        fixture.answer(set("k"));
        pass(1).await;
        assert!(fixture.entry("https://one").unwrap().state().keys.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn providers_that_share_a_place_share_the_strictest_schedule() {
        let fixture = Fixture::new();
        let first = "uri: 'https://one', timeout: 2s, refresh_interval: 60s, refresh_cooldown: 5s";
        let second =
            "uri: 'https://one', timeout: 9s, refresh_interval: 90s, refresh_cooldown: 40s";
        fixture.refresher.follow(&snapshot(&[first, second]));
        pass(120).await;
        assert_eq!(fixture.times(), [0, 60, 120]);
        assert_eq!(fixture.fake.log.lock().unwrap()[0].2, 9);
        let schedule = fixture.entry("https://one").unwrap().schedule.load_full();
        assert_eq!(schedule.cooldown, Duration::from_secs(40));
        assert_eq!(schedule.providers.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn places_that_differ_only_in_trust_are_not_shared() {
        let fixture = Fixture::new();
        let lax = "uri: 'https://one', skip_tls_verification: true";
        fixture.refresher.follow(&snapshot(&[ONE, lax]));
        pass(1).await;
        assert_eq!(fixture.times(), [0, 0]);
        assert_eq!(fixture.store.places().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_config_fetches_new_places_and_keeps_the_keys_of_others() {
        let fixture = Fixture::new();
        fixture.refresher.follow(&snapshot(&[ONE]));
        pass(10).await;
        let keys = fixture.entry("https://one").unwrap().state().keys.clone().unwrap().0;
        let next = snapshot(&["uri: 'https://one', refresh_interval: 50s", TWO]);
        fixture.refresher.follow(&next);
        fixture.refresher.forget_all_but(&next);
        pass(1).await;
        assert_eq!(fixture.times(), [0, 10]);
        let kept = fixture.entry("https://one").unwrap();
        assert!(Arc::ptr_eq(&kept.state().keys.clone().unwrap().0, &keys));
        assert_eq!(kept.schedule.load().interval, Duration::from_secs(50));
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_interval_holds_at_once() {
        let fixture = Fixture::new();
        fixture.refresher.follow(&snapshot(&["uri: 'https://one', refresh_interval: 10m"]));
        pass(10).await;
        fixture.refresher.follow(&snapshot(&["uri: 'https://one', refresh_interval: 30s"]));
        pass(60).await;
        assert!(fixture.times().len() >= 2, "{:?}", fixture.times());
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_is_named_no_more_is_forgotten_and_not_fetched() {
        let fixture = Fixture::new();
        fixture.refresher.follow(&snapshot(&[ONE, TWO]));
        pass(1).await;
        let next = snapshot(&[ONE]);
        fixture.refresher.follow(&next);
        assert!(fixture.entry("https://two").is_some(), "old until no check can ask for it");
        fixture.refresher.forget_all_but(&next);
        assert!(fixture.entry("https://two").is_none());
        pass(100).await;
        assert_eq!(fixture.times(), [0, 0, 100]);
        fixture.refresher.follow(&snapshot(&[ONE, TWO]));
        assert!(fixture.entry("https://two").unwrap().state().keys.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn disabled_providers_are_not_fetched() {
        let fixture = Fixture::new();
        let mut snapshot = snapshot(&[ONE]);
        let mut off = Arc::try_unwrap(snapshot.providers.remove("p0").unwrap()).unwrap();
        off.enabled = false;
        snapshot.providers.insert("p0".to_owned(), Arc::new(off));
        fixture.refresher.follow(&snapshot);
        fixture.refresher.fetched_once().await;
        pass(100).await;
        assert_eq!(fixture.times(), [0; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_fetch_is_one_fetch() {
        let fixture = Fixture::new();
        *fixture.fake.takes.lock().unwrap() = Duration::from_secs(500);
        fixture.refresher.follow(&snapshot(&[ONE]));
        pass(499).await;
        assert_eq!(fixture.times(), [0]);
        pass(101).await;
        assert_eq!(fixture.times(), [0, 600]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unchanged_key_is_the_same_key_after_a_refresh() {
        let fixture = Fixture::new();
        fixture.refresher.follow(&snapshot(&[ONE]));
        pass(1).await;
        let key = |fixture: &Fixture| {
            let (set, _) = fixture.entry("https://one").unwrap().state().keys.clone().unwrap();
            set.iter().next().unwrap().clone()
        };
        let before = key(&fixture);
        pass(100).await;
        assert!(Arc::ptr_eq(&before, &key(&fixture)));
        fixture.answer(set("new"));
        pass(100).await;
        assert!(!Arc::ptr_eq(&before, &key(&fixture)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_tasks_end_with_the_refresher() {
        let Fixture { fake, store: _store, refresher } = Fixture::new();
        refresher.follow(&snapshot(&[ONE]));
        pass(1).await;
        drop(refresher);
        pass(1000).await;
        assert_eq!(fake.log.lock().unwrap().len(), 1);
    }
}
