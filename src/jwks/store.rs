//! The fetched key sets: lookup, waiting, and what an unknown kid may cause.
//!
//! It does not fetch (`jwks/fetch.rs`) and does not keep the schedule (`jwks/refresh.rs`).

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::{
    check::{
        Keys,
        verify::{FoundKeys, KeyProblem, KeyQuery, Verified},
    },
    clock::{Mono, Now},
    jwks::{
        fetch::FetchError,
        key_set::{KeySet, NoKey},
    },
    provider::{JwksPlace, KeySource, Name, Provider, RemoteKeys},
};

/// At most this many checks wait for one place's keys at once; further ones are refused at once.
/// Well below the 1024 requests that Envoy keeps open to a cluster by default, and of each place
/// its own, so that one hanging issuer takes no room from the others.
pub const MAX_WAITERS: usize = 512;

/// Every fetched set of this process, by place.
#[derive(Debug, Default)]
pub struct KeyStore {
    places: ArcSwap<HashMap<JwksPlace, Arc<Entry>>>,
}

/// One place's set, and its refresh task's mailbox.
#[derive(Debug)]
pub struct Entry {
    /// Where it comes from.
    pub place: Arc<JwksPlace>,
    /// The strictest schedule of the providers that share it; changes with the config.
    pub schedule: ArcSwap<Schedule>,
    state: ArcSwap<SetState>,
    waiters: Arc<AtomicUsize>,
    demand: Mutex<Demand>,
    /// Counts demands; the refresh task watches it.
    demanded: watch::Sender<u64>,
    /// Counts finished fetches; checks that wait watch it.
    finished: watch::Sender<u64>,
    /// Counts changes of the schedule; the refresh task watches it.
    rescheduled: watch::Sender<u64>,
}

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

#[derive(Debug, Default)]
struct Demand {
    /// When the last unplanned refresh began or, once it has, ended.
    last: Option<Mono>,
    /// Whether the fetch under way is one.
    unplanned: bool,
    in_flight: bool,
    suppressed: u64,
}

/// A check's place among those that wait for one fetch.
#[derive(Debug)]
pub struct Ticket {
    finished: watch::Receiver<u64>,
    timeout: Duration,
    _place: Waiter,
}

#[derive(Debug)]
struct Waiter(Arc<AtomicUsize>);

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ticket {
    /// The most that any check waits for this provider's keys, `jwks.timeout`.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Waits until the fetch has finished, `jwks.timeout` has passed or `bound` has.
    pub async fn wait(mut self, bound: Duration) {
        let bound = bound.min(self.timeout);
        // Either way the check starts again, and finds what there is.
        let _ = tokio::time::timeout(bound, self.finished.changed()).await;
    }
}

impl KeyStore {
    /// The keys for a candidate, or what to wait for.
    pub fn keys(&self, query: KeyQuery<'_>, now: Now) -> Keys<Ticket> {
        let remote = match &query.provider.keys {
            KeySource::Local(set) => return select(set, None, query),
            KeySource::Unreadable => return Keys::None(KeyProblem::Unavailable),
            KeySource::Remote(remote) => remote,
        };
        let Some(entry) = self.entry(&remote.place) else {
            return Keys::None(KeyProblem::Unavailable);
        };
        loop {
            let state = entry.state.load_full();
            let answer = lookup(&state, remote, query, now);
            let Keys::None(otherwise @ (KeyProblem::Unknown | KeyProblem::Unavailable)) = answer
            else {
                return answer;
            };
            // Without a kid nothing says that a refresh would help, while there are keys.
            if otherwise == KeyProblem::Unknown && query.kid.is_none() {
                return Keys::None(otherwise);
            }
            match entry.want(&state, now, || entry.ticket(remote)) {
                Want::Wait(ticket) => return Keys::Wait(ticket),
                Want::InVain => return Keys::None(otherwise),
                Want::Crowded => return Keys::None(KeyProblem::Unavailable),
                Want::Overtaken => {}
            }
        }
    }

    /// Whether this very key is still in the provider's set, and the set fresh enough.
    #[must_use]
    pub fn holds(&self, verified: &Verified, now: Now) -> bool {
        match &verified.provider.keys {
            KeySource::Local(set) => set.holds(verified.key()),
            KeySource::Unreadable => false,
            KeySource::Remote(remote) => self.entry(&remote.place).is_some_and(|entry| {
                let state = entry.state.load();
                usable(&state, remote, now).is_some_and(|(set, _)| set.holds(verified.key()))
            }),
        }
    }

    /// How well `provider` is supplied now.
    #[must_use]
    pub fn provider_state(&self, provider: &Provider, now: Now) -> ProviderState {
        let remote = match &provider.keys {
            _ if !provider.enabled => return ProviderState::Disabled,
            KeySource::Local(_) => return ProviderState::Ready,
            KeySource::Unreadable => return ProviderState::Unavailable,
            KeySource::Remote(remote) => remote,
        };
        let Some(entry) = self.entry(&remote.place) else { return ProviderState::Pending };
        let state = entry.state();
        match (usable(&state, remote, now), state.last_error) {
            (Some(_), None) => ProviderState::Ready,
            (Some(_), Some(_)) => ProviderState::Stale,
            (None, _) if !state.fetched_once => ProviderState::Pending,
            (None, _) => ProviderState::Unavailable,
        }
    }

    /// The entry of a place, if the running config has it.
    #[must_use]
    pub fn entry(&self, place: &JwksPlace) -> Option<Arc<Entry>> {
        self.places.load().get(place).cloned()
    }

    /// Replaces the set of places: what the running config does not name is forgotten.
    pub fn replace(&self, places: HashMap<JwksPlace, Arc<Entry>>) {
        self.places.store(Arc::new(places));
    }

    /// Every place with its entry.
    #[must_use]
    pub fn places(&self) -> HashMap<JwksPlace, Arc<Entry>> {
        HashMap::clone(&self.places.load())
    }
}

impl Entry {
    /// An entry that was never fetched; its first fetch counts as under way.
    #[must_use]
    pub fn new(place: JwksPlace, schedule: Schedule) -> Self {
        Self {
            place: Arc::new(place),
            schedule: ArcSwap::from_pointee(schedule),
            state: ArcSwap::default(),
            waiters: Arc::default(),
            demand: Mutex::new(Demand { in_flight: true, ..Demand::default() }),
            demanded: watch::Sender::new(0),
            finished: watch::Sender::new(0),
            rescheduled: watch::Sender::new(0),
        }
    }

    /// Takes a new schedule, which holds at once.
    pub fn reschedule(&self, schedule: Schedule) {
        self.schedule.store(Arc::new(schedule));
        self.rescheduled.send_modify(|count| *count += 1);
    }

    /// Tells of new schedules.
    #[must_use]
    pub fn rescheduled(&self) -> watch::Receiver<u64> {
        self.rescheduled.subscribe()
    }

    /// What is known now.
    #[must_use]
    pub fn state(&self) -> Arc<SetState> {
        self.state.load_full()
    }

    /// Waits until somebody demands a refresh.
    pub async fn demanded(&self) {
        let mut demanded = self.demanded.subscribe();
        if !self.lock().in_flight {
            // The sender lives in `self`, so this ends only by a demand.
            let _ = demanded.changed().await;
        }
    }

    /// Waits until a first fetch has finished.
    pub async fn fetched_once(&self) {
        let mut finished = self.finished.subscribe();
        if !self.state.load().fetched_once {
            let _ = finished.changed().await;
        }
    }

    /// A fetch begins: checks may wait for it.
    pub fn begin(&self) {
        self.lock().in_flight = true;
    }

    /// A fetch has ended. The cool-down of an unplanned one counts from here, so that a slow issuer
    /// is not asked again by the very checks that waited for it.
    pub fn finish(&self, state: SetState, ended: Mono) {
        self.state.store(Arc::new(state));
        let mut demand = self.lock();
        demand.in_flight = false;
        if std::mem::take(&mut demand.unplanned) {
            demand.last = Some(ended);
        }
        drop(demand);
        self.finished.send_modify(|count| *count += 1);
    }

    /// How many unplanned refreshes the cool-down has prevented.
    #[must_use]
    pub fn suppressed(&self) -> u64 {
        self.lock().suppressed
    }

    /// A check found no key in `seen`: it waits for the fetch that is under way, or causes one if
    /// the cool-down has passed.
    fn want(
        &self,
        seen: &Arc<SetState>,
        now: Now,
        ticket: impl FnOnce() -> Option<Ticket>,
    ) -> Want {
        let mut demand = self.lock();
        if !Arc::ptr_eq(&self.state.load(), seen) {
            return Want::Overtaken;
        }
        let cooldown = self.schedule.load().cooldown;
        let cooled = demand.last.is_none_or(|last| now.mono.since(last) >= cooldown);
        if !demand.in_flight && !cooled {
            demand.suppressed += 1;
            return Want::InVain;
        }
        if !demand.in_flight {
            demand.in_flight = true;
            demand.unplanned = true;
            demand.last = Some(now.mono);
            self.demanded.send_modify(|count| *count += 1);
        }
        // The fetch goes on also where nobody may wait for it.
        ticket().map_or(Want::Crowded, Want::Wait)
    }

    fn ticket(&self, remote: &RemoteKeys) -> Option<Ticket> {
        let place = Waiter(self.waiters.clone());
        if self.waiters.fetch_add(1, Ordering::Relaxed) >= MAX_WAITERS {
            return None;
        }
        let finished = self.finished.subscribe();
        Some(Ticket { finished, timeout: remote.timeout, _place: place })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Demand> {
        // The data is sound after any panic: each change is a single assignment.
        self.demand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a check that found no key.
enum Want {
    /// It waits.
    Wait(Ticket),
    /// Waiting would not help: no fetch is under way, and the cool-down prevents one.
    InVain,
    /// Too many wait already.
    Crowded,
    /// A fetch has finished in between: it looks again.
    Overtaken,
}

fn lookup(state: &SetState, remote: &RemoteKeys, query: KeyQuery<'_>, now: Now) -> Keys<Ticket> {
    let Some((set, fetched_at)) = usable(state, remote, now) else {
        return Keys::None(KeyProblem::Unavailable);
    };
    let answer = select(set, Some(*fetched_at), query);
    // The newest fetch failed: nobody can tell whether the issuer has that kid by now.
    let untold = query.kid.is_some() && state.last_error.is_some();
    if untold && matches!(answer, Keys::None(KeyProblem::Unknown)) {
        return Keys::None(KeyProblem::Unavailable);
    }
    answer
}

fn usable<'s>(
    state: &'s SetState,
    remote: &RemoteKeys,
    now: Now,
) -> Option<&'s (Arc<KeySet>, Mono)> {
    state.keys.as_ref().filter(|(_, fetched_at)| now.mono.since(*fetched_at) <= remote.max_stale)
}

fn select<W>(set: &KeySet, fetched_at: Option<Mono>, query: KeyQuery<'_>) -> Keys<W> {
    match set.select(query.kid, query.algorithm) {
        Ok(keys) => Keys::Found(FoundKeys { keys, fetched_at }),
        Err(NoKey::UnknownKid | NoKey::NoneFits) => Keys::None(KeyProblem::Unknown),
        Err(NoKey::Mismatch) => Keys::None(KeyProblem::Mismatch),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use crate::{
        config::load::load,
        jwks::{algorithm::Algorithm, key::Origin},
    };

    use super::*;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    /// A provider with these `jwks`.
    fn provider(jwks: &str) -> Arc<Provider> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.yaml");
        let text = format!("providers: [{{ name: a, issuer: i, audiences: any, {jwks} }}]");
        std::fs::write(&path, text).unwrap();
        let snapshot = load(&path).unwrap().into_snapshot(1, SystemTime::UNIX_EPOCH);
        snapshot.providers["a"].clone()
    }

    const REMOTE: &str = "jwks: { uri: 'https://i', timeout: 1s, refresh_cooldown: 30s, \
                          refresh_interval: 60s, max_stale: 120s }";

    /// A store that knows the provider's place; its first fetch is under way.
    struct Fixture {
        store: KeyStore,
        entry: Arc<Entry>,
        provider: Arc<Provider>,
    }

    impl Fixture {
        fn new() -> Self {
            let provider = provider(REMOTE);
            let KeySource::Remote(remote) = &provider.keys else { panic!("remote") };
            let schedule = Schedule {
                providers: vec![provider.name.clone()],
                timeout: remote.timeout,
                interval: remote.refresh_interval,
                cooldown: remote.refresh_cooldown,
            };
            let entry = Arc::new(Entry::new(remote.place.clone(), schedule));
            let store = KeyStore::default();
            store.replace(HashMap::from([(remote.place.clone(), entry.clone())]));
            Self { store, entry, provider }
        }

        /// With the key of this kid, fetched at second 0.
        fn with_key(kid: &str) -> Self {
            let fixture = Self::new();
            fixture.succeed(kid, 0);
            fixture
        }

        fn succeed(&self, kid: &str, second: u64) {
            let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"{kid}"}}"#);
            let set = format!(r#"{{"keys":[{jwk}]}}"#);
            let (set, _) = KeySet::parse(set.as_bytes(), Origin::Network).unwrap();
            let keys = Some((Arc::new(set), at(second).mono));
            let state = SetState { keys, fetched_once: true, ..SetState::default() };
            self.entry.finish(state, at(second).mono);
        }

        fn fail(&self, second: u64) {
            let before = SetState::clone(&self.entry.state());
            let last_error = Some(FetchError::Timeout);
            let state = SetState { fetched_once: true, last_error, ..before };
            self.entry.finish(state, at(second).mono);
        }

        fn ask(&self, kid: Option<&str>, algorithm: Algorithm, second: u64) -> Keys<Ticket> {
            self.store.keys(KeyQuery { provider: &self.provider, kid, algorithm }, at(second))
        }

        /// Asks for an Ed25519 key of this kid.
        #[track_caller]
        fn check(&self, kid: Option<&str>, second: u64, expected: Answer) {
            assert_eq!(Answer::of(&self.ask(kid, Algorithm::EdDSA, second)), expected);
        }

        fn demands(&self) -> u64 {
            *self.entry.demanded.borrow()
        }

        #[track_caller]
        fn check_state(&self, second: u64, expected: ProviderState) {
            assert_eq!(self.store.provider_state(&self.provider, at(second)), expected);
        }
    }

    fn at(second: u64) -> Now {
        Now { unix: 0.0, mono: Mono(Duration::from_secs(second)) }
    }

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Answer {
        Found,
        Wait,
        None(KeyProblem),
    }

    impl Answer {
        fn of(keys: &Keys<Ticket>) -> Self {
            match keys {
                Keys::Found(_) => Self::Found,
                Keys::Wait(_) => Self::Wait,
                Keys::None(problem) => Self::None(*problem),
            }
        }
    }

    const UNKNOWN: Answer = Answer::None(KeyProblem::Unknown);
    const UNAVAILABLE: Answer = Answer::None(KeyProblem::Unavailable);

    #[test]
    fn the_first_fetch_is_waited_for_and_not_demanded() {
        let fixture = Fixture::new();
        fixture.check(Some("k"), 0, Answer::Wait);
        fixture.check(None, 0, Answer::Wait);
        assert_eq!(fixture.demands(), 0);
        fixture.succeed("k", 0);
        fixture.check(Some("k"), 0, Answer::Found);
        fixture.check(None, 0, Answer::Found);
    }

    #[test]
    fn unknown_kids_at_once_demand_one_refresh() {
        let fixture = Fixture::with_key("k");
        fixture.check(Some("new"), 5, Answer::Wait);
        fixture.check(Some("new"), 5, Answer::Wait);
        fixture.check(Some("newer"), 6, Answer::Wait);
        assert_eq!(fixture.demands(), 1);
        fixture.check(Some("k"), 6, Answer::Found);
        fixture.succeed("new", 7);
        fixture.check(Some("new"), 7, Answer::Found);
        fixture.check(Some("k"), 7, UNKNOWN);
    }

    #[test]
    fn inside_the_cool_down_nothing_is_demanded() {
        let fixture = Fixture::with_key("k");
        fixture.check(Some("new"), 5, Answer::Wait);
        fixture.succeed("k", 6);
        fixture.check(Some("new"), 6, UNKNOWN);
        fixture.check(Some("new"), 35, UNKNOWN);
        assert_eq!((fixture.demands(), fixture.entry.suppressed()), (1, 2));
        fixture.check(Some("new"), 36, Answer::Wait);
        assert_eq!((fixture.demands(), fixture.entry.suppressed()), (2, 2));
    }

    #[test]
    fn a_refresh_slower_than_the_cool_down_is_not_demanded_again_by_those_who_waited() {
        let fixture = Fixture::with_key("k");
        fixture.check(Some("new"), 5, Answer::Wait);
        fixture.succeed("k", 50);
        fixture.check(Some("new"), 50, UNKNOWN);
        assert_eq!(fixture.demands(), 1);
    }

    #[test]
    fn a_planned_refresh_under_way_is_waited_for_inside_the_cool_down() {
        let fixture = Fixture::with_key("k");
        fixture.check(Some("new"), 5, Answer::Wait);
        fixture.succeed("k", 6);
        fixture.entry.begin();
        fixture.check(Some("new"), 7, Answer::Wait);
        assert_eq!((fixture.demands(), fixture.entry.suppressed()), (1, 0));
    }

    #[test]
    fn a_failed_refresh_leaves_unknown_kids_open_and_known_ones_good() {
        let fixture = Fixture::with_key("k");
        fixture.check(Some("new"), 5, Answer::Wait);
        fixture.fail(6);
        fixture.check(Some("new"), 6, UNAVAILABLE);
        fixture.check(Some("k"), 6, Answer::Found);
        fixture.succeed("k", 7);
        fixture.check(Some("new"), 7, UNKNOWN);
    }

    #[test]
    fn without_a_kid_nothing_is_demanded_while_there_are_keys() {
        let fixture = Fixture::with_key("k");
        let answer = fixture.ask(None, Algorithm::ES256, 5);
        assert_eq!(Answer::of(&answer), UNKNOWN);
        fixture.fail(6);
        let answer = fixture.ask(None, Algorithm::ES256, 5);
        assert_eq!(Answer::of(&answer), UNKNOWN);
        assert_eq!(fixture.demands(), 0);
        fixture.check(None, 121, Answer::Wait);
        assert_eq!(fixture.demands(), 1);
    }

    #[test]
    fn a_key_for_another_algorithm_demands_nothing() {
        let fixture = Fixture::with_key("k");
        let answer = fixture.ask(Some("k"), Algorithm::ES256, 5);
        assert_eq!(Answer::of(&answer), Answer::None(KeyProblem::Mismatch));
        assert_eq!(fixture.demands(), 0);
    }

    #[test]
    fn keys_older_than_max_stale_are_not_used() {
        let fixture = Fixture::with_key("k");
        fixture.check(Some("k"), 120, Answer::Found);
        fixture.check(Some("k"), 121, Answer::Wait);
        fixture.fail(121);
        fixture.check(Some("k"), 122, UNAVAILABLE);
        fixture.check(None, 122, UNAVAILABLE);
    }

    #[test]
    fn the_state_of_a_provider_follows_its_fetches() {
        let fixture = Fixture::new();
        fixture.check_state(0, ProviderState::Pending);
        fixture.fail(6);
        fixture.check_state(0, ProviderState::Unavailable);
        fixture.succeed("k", 0);
        fixture.check_state(0, ProviderState::Ready);
        fixture.fail(6);
        fixture.check_state(120, ProviderState::Stale);
        fixture.check_state(121, ProviderState::Unavailable);
        fixture.succeed("k", 121);
        fixture.check_state(121, ProviderState::Ready);
    }

    #[test]
    fn a_disabled_provider_is_disabled_whatever_its_keys_are() {
        let store = KeyStore::default();
        for jwks in [REMOTE, "jwks: { file: gone.json }"] {
            let provider = provider(&format!("enabled: false, {jwks}"));
            assert_eq!(store.provider_state(&provider, at(0)), ProviderState::Disabled);
        }
    }

    #[test]
    fn local_keys_are_never_waited_for() {
        let store = KeyStore::default();
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"k"}}"#);
        let local = provider(&format!(r#"jwks: {{ inline: {{"keys":[{jwk}]}} }}"#));
        let ask = |provider: &Provider, kid| {
            let query = KeyQuery { provider, kid: Some(kid), algorithm: Algorithm::EdDSA };
            Answer::of(&store.keys(query, at(0)))
        };
        assert_eq!(ask(&local, "k"), Answer::Found);
        assert_eq!(ask(&local, "new"), UNKNOWN);
        let unreadable = provider("jwks: { file: gone.json }");
        assert_eq!(ask(&unreadable, "k"), UNAVAILABLE);
        assert_eq!(store.provider_state(&unreadable, at(0)), ProviderState::Unavailable);
        let forgotten = provider(REMOTE);
        assert_eq!(ask(&forgotten, "k"), UNAVAILABLE);
    }

    #[test]
    fn waiters_are_bounded_and_make_room_when_they_go() {
        let fixture = Fixture::new();
        let mut tickets: Vec<_> =
            (0..MAX_WAITERS).map(|_| fixture.ask(Some("k"), Algorithm::EdDSA, 0)).collect();
        assert!(tickets.iter().all(|ticket| Answer::of(ticket) == Answer::Wait));
        fixture.check(Some("k"), 0, UNAVAILABLE);
        tickets.pop();
        fixture.check(Some("k"), 0, Answer::Wait);
    }

    #[test]
    fn a_refresh_is_demanded_also_where_nobody_may_wait_for_it() {
        let fixture = Fixture::with_key("k");
        fixture.entry.waiters.store(MAX_WAITERS, Ordering::Relaxed);
        fixture.check(Some("new"), 5, UNAVAILABLE);
        assert_eq!(fixture.demands(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_with_the_fetch_or_at_the_smaller_bound() {
        let fixture = Fixture::new();
        let wait = async |bound: u64| {
            let Keys::Wait(ticket) = fixture.ask(Some("k"), Algorithm::EdDSA, 0) else {
                panic!("a fetch is under way")
            };
            let started = tokio::time::Instant::now();
            ticket.wait(Duration::from_millis(bound)).await;
            started.elapsed().as_millis()
        };
        assert!((300..310).contains(&wait(300).await));
        assert!((1000..1010).contains(&wait(5000).await), "jwks.timeout");
        let finish = async {
            tokio::task::yield_now().await;
            fixture.succeed("k", 0);
        };
        assert_eq!(tokio::join!(wait(5000), finish).0, 0);
    }
}
