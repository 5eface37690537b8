//! Many places, of which most misbehave.

use std::collections::BTreeMap;

use super::*;

/// What `https://KIND-N/` does is in its name.
struct Crowd {
    start: Instant,
    /// The seconds at which each host was asked, and how many asked in all at once.
    log: Mutex<BTreeMap<String, Vec<u64>>>,
    running: Arc<Mutex<usize>>,
    most: Arc<Mutex<usize>>,
}

impl Crowd {
    fn new() -> Arc<Self> {
        let log = Mutex::default();
        let (running, most) = (Arc::default(), Arc::default());
        Arc::new(Self { start: Instant::now(), log, running, most })
    }

    fn times(&self, host: &str) -> Vec<u64> {
        self.log.lock().unwrap().get(host).cloned().unwrap_or_default()
    }
}

/// Counts one fetch for as long as it lives.
struct Running(Arc<Mutex<usize>>);

impl Drop for Running {
    fn drop(&mut self) {
        *self.0.lock().unwrap() -= 1;
    }
}

impl FetchJwks for Crowd {
    fn fetch(&self, request: FetchRequest) -> Fetching {
        let host = request.url["https://".len()..].to_owned();
        let at = self.start.elapsed().as_secs();
        self.log.lock().unwrap().entry(host.clone()).or_default().push(at);
        let now = {
            let mut running = self.running.lock().unwrap();
            *running += 1;
            *running
        };
        let mut most = self.most.lock().unwrap();
        *most = now.max(*most);
        let running = Running(self.running.clone());
        Box::pin(async move {
            let _running = running;
            match host.split('-').next() {
                Some("hang") => std::future::pending().await,
                Some("refuse") => Err(FetchError::Connect),
                Some("garbage") => Ok(b"<html>".to_vec().into()),
                _healthy => {
                    sleep(Duration::from_millis(50)).await;
                    set("k").map(Into::into)
                }
            }
        })
    }
}

fn follow(crowd: &Arc<Crowd>, kinds: &[&str], options: &str) -> (Arc<KeyStore>, Refresher) {
    let hosts = kinds.iter().flat_map(|kind| (0..50).map(move |n| format!("{kind}-{n}")));
    let jwks: Vec<_> = hosts.map(|host| format!("uri: 'https://{host}', {options}")).collect();
    let store = Arc::new(KeyStore::default());
    let metrics = Arc::new(Metrics::new().unwrap());
    let refresher = Refresher::new(store.clone(), crowd.clone(), Clock::start(), metrics);
    let refresher = refresher.with_spread(|| 0.0);
    refresher.follow(&snapshot(&jwks.iter().map(|jwks| &**jwks).collect::<Vec<_>>()));
    (store, refresher)
}

#[tokio::test(start_paused = true)]
async fn fifty_healthy_places_are_fetched_on_time_beside_fifty_of_each_kind_that_is_not() {
    let crowd = Crowd::new();
    let kinds = ["hang", "refuse", "garbage", "healthy"];
    let (store, _refresher) = follow(&crowd, &kinds, "refresh_interval: 60s, timeout: 60s");
    pass(602).await;
    for n in 0..50 {
        let times = crowd.times(&format!("healthy-{n}"));
        assert_eq!(times, [0, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600], "healthy-{n}");
    }
    for kind in ["hang", "refuse", "garbage"] {
        let asked: usize = (0..50).map(|n| crowd.times(&format!("{kind}-{n}")).len()).sum();
        assert!(asked >= 150, "{kind} is asked again: {asked}");
    }
    assert!(*crowd.most.lock().unwrap() <= 160, "{}", crowd.most.lock().unwrap());
    let supplied = |(_, entry): &(JwksPlace, Arc<Entry>)| entry.state().keys.is_some();
    assert_eq!(store.places().into_iter().filter(supplied).count(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_begins_to_hang_delays_nobody_else_and_is_fetched_again() {
    let crowd = Crowd::new();
    let (_store, _refresher) = follow(&crowd, &["hang"], "refresh_interval: 60s, timeout: 5s");
    pass(60).await;
    for n in 0..50 {
        // 5 s each, and 1, 2, 4, 8, … s between them; some wait for a turn.
        let times = crowd.times(&format!("hang-{n}"));
        assert!(times.len() >= 4 && times[0] == 0, "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_of_many_places_is_asked_by_two_at_once_and_all_get_their_turn() {
    let crowd = Crowd::new();
    let jwks: Vec<_> = (0..40).map(|n| format!("uri: 'https://healthy-0/{n}'")).collect();
    let store = Arc::new(KeyStore::default());
    let metrics = Arc::new(Metrics::new().unwrap());
    let refresher = Refresher::new(store.clone(), crowd.clone(), Clock::start(), metrics);
    refresher.follow(&snapshot(&jwks.iter().map(|jwks| &**jwks).collect::<Vec<_>>()));
    pass(2).await;
    assert_eq!(*crowd.most.lock().unwrap(), 2);
    assert!(store.places().values().all(|entry| entry.state().keys.is_some()));
}
