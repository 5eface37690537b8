//! What the answers of a server change in the schedule.

use crate::jwks::fetch::{Body, Fetched, Validators};

use super::*;

/// Answers with an entity tag, a set of one key and a time of freshness; 304 to who knows them.
struct Tagged {
    start: Instant,
    tag: Mutex<&'static str>,
    fresh_for: Option<Duration>,
    /// Second, and the tag that was sent.
    log: Mutex<Vec<(u64, Option<String>)>>,
}

impl FetchJwks for Tagged {
    fn fetch(&self, request: FetchRequest) -> Fetching {
        let known = request.known.and_then(|known| known.etag);
        self.log.lock().unwrap().push((self.start.elapsed().as_secs(), known.clone()));
        let tag = *self.tag.lock().unwrap();
        let body = match known.as_deref() == Some(tag) {
            true => Body::Unchanged,
            false => Body::New(set(tag).unwrap()),
        };
        let etag = Some(tag.to_owned());
        let validators = Validators { etag, last_modified: None };
        let answer = Fetched { body, validators, fresh_for: self.fresh_for };
        Box::pin(async move { Ok(answer) })
    }
}

fn follow(fresh_for: Option<u64>, spread: fn() -> f64) -> (Arc<Tagged>, Arc<KeyStore>, Refresher) {
    let fresh_for = fresh_for.map(Duration::from_secs);
    let (tag, log) = (Mutex::new("a"), Mutex::default());
    let fake = Arc::new(Tagged { start: Instant::now(), tag, fresh_for, log });
    let store = Arc::new(KeyStore::default());
    let metrics = Arc::new(Metrics::new().unwrap());
    let refresher = Refresher::new(store.clone(), fake.clone(), Clock::start(), metrics);
    let refresher = refresher.with_spread(spread);
    refresher.follow(&snapshot(&[ONE]));
    (fake, store, refresher)
}

async fn check(fresh_for: Option<u64>, spread: fn() -> f64, expected: &[u64]) {
    let (fake, _store, _refresher) = follow(fresh_for, spread);
    pass(200).await;
    let times: Vec<_> = fake.log.lock().unwrap().iter().map(|(at, _)| *at).collect();
    assert_eq!(times, expected);
}

#[tokio::test(start_paused = true)]
async fn a_server_shortens_the_interval_to_thirty_seconds_at_least() {
    check(Some(70), || 0.0, &[0, 70, 140]).await;
    check(Some(5), || 0.0, &[0, 30, 60, 90, 120, 150, 180]).await;
    check(Some(5000), || 0.0, &[0, 100, 200]).await;
}

#[tokio::test(start_paused = true)]
async fn a_refresh_comes_up_to_a_tenth_early() {
    check(None, || 1.0, &[0, 90, 180]).await;
    check(None, || 0.5, &[0, 95, 190]).await;
}

#[test]
fn lots_are_drawn_from_nought_to_one_and_differ() {
    let lots: Vec<_> = (0..100).map(|_| keeper::random()).collect();
    assert!(lots.iter().all(|lot| (0.0..=1.0).contains(lot)));
    assert!(lots.iter().any(|lot| *lot < 0.5) && lots.iter().any(|lot| *lot > 0.5));
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_set_is_confirmed_and_a_changed_one_replaces_it() {
    let (fake, store, _refresher) = follow(None, || 0.0);
    pass(100).await;
    let state = || store.places().into_values().next().unwrap().state();
    let (keys, at) = state().keys.clone().unwrap();
    pass(100).await;
    let (same, later) = state().keys.clone().unwrap();
    assert!(Arc::ptr_eq(&keys, &same), "nothing came that could replace it");
    assert_eq!(later.since(at).as_secs(), 100, "304 is a success");
    *fake.tag.lock().unwrap() = "b";
    pass(100).await;
    assert_eq!(state().keys.clone().unwrap().0.iter().next().unwrap().kid.as_deref(), Some("b"));
    let tags: Vec<_> = fake.log.lock().unwrap().iter().map(|(_, tag)| tag.clone()).collect();
    assert_eq!(tags, [None, Some("a".into()), Some("a".into()), Some("a".into())]);
}
