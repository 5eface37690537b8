//! The schedule, on a paused clock with a fetch that does as it is told.

mod freshness;
mod isolation;
mod report;
mod saving;

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use crate::{
    config::load::load,
    jwks::fetch::{FetchError, FetchRequest, Fetching},
};

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
    fn fetch(&self, request: FetchRequest) -> Fetching {
        let at = self.start.elapsed().as_secs();
        self.log.lock().unwrap().push((request.url, at, request.timeout.as_secs()));
        let (next, takes) = (self.next.lock().unwrap().clone(), *self.takes.lock().unwrap());
        Box::pin(async move {
            sleep(takes).await;
            assert_ne!(next, Err(FetchError::TlsSetup), "stands for a panic");
            next.map(Into::into)
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
        let refresher = Refresher::new(store.clone(), fake.clone(), Clock::start(), metrics)
            .with_spread(|| 0.0);
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
        places.into_iter().find(|(place, _)| place.url() == uri).map(|(_, entry)| entry)
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
    for bad in [Err(FetchError::Timeout), Ok(b"<html>".to_vec()), Ok(b"{\"keys\":[]}".to_vec())] {
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
    let second = "uri: 'https://one', timeout: 9s, refresh_interval: 90s, refresh_cooldown: 40s";
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
    *fixture.fake.takes.lock().unwrap() = Duration::from_secs(50);
    fixture
        .refresher
        .follow(&snapshot(&["uri: 'https://one', timeout: 60s, refresh_interval: 30s"]));
    pass(79).await;
    assert_eq!(fixture.times(), [0]);
    pass(1).await;
    assert_eq!(fixture.times(), [0, 80]);
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
