//! Lookup, waiting and what an unknown kid causes, second by second.

use std::time::SystemTime;

use crate::{
    config::load::load,
    jwks::{algorithm::Algorithm, fetch::FetchError, key::Origin},
};

use super::*;

/// Points of Ed25519, of RFC 8037 and RFC 8032.
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const OTHER_X: &str = "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw";

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
            max_stale: remote.max_stale,
        };
        let entry = Arc::new(Entry::new(remote.place.clone(), schedule, SetState::default()));
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
        self.succeed_with(&[(kid, X)], second);
    }

    /// With keys of these kids and points.
    fn succeed_with(&self, keys: &[(&str, &str)], second: u64) {
        let jwk = |(kid, x): &(&str, &str)| {
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","kid":"{kid}"}}"#)
        };
        let keys = keys.iter().map(jwk).collect::<Vec<_>>().join(",");
        let set = format!(r#"{{"keys":[{keys}]}}"#);
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
fn a_kid_that_is_missed_again_and_again_is_asked_for_ever_more_rarely() {
    let fixture = Fixture::with_key("k");
    // The cool-down is 30 s, the interval 60 s.
    for (second, expected) in [(5, Answer::Wait), (40, Answer::Wait), (75, Answer::Wait)] {
        fixture.check(Some("new"), second, expected);
        fixture.succeed("k", second + 1);
    }
    fixture.check(Some("new"), 115, UNKNOWN);
    assert_eq!((fixture.demands(), fixture.entry.suppressed()), (3, 1));
    fixture.check(Some("other"), 115, Answer::Wait);
    fixture.succeed("k", 116);
    fixture.check(Some("new"), 150, Answer::Wait);
}

/// What a kid that was missed three times has to wait for after a set of these keys.
#[track_caller]
fn check_memory(keys: &[(&str, &str)], expected: Answer) {
    let fixture = Fixture::with_key("k");
    for second in [5, 40, 75] {
        fixture.check(Some("new"), second, Answer::Wait);
        fixture.succeed("k", second + 1);
    }
    fixture.succeed_with(keys, 80);
    fixture.check(Some("new"), 115, expected);
}

#[test]
fn any_change_of_keys_makes_every_kid_worth_a_refresh() {
    check_memory(&[("k", X)], UNKNOWN);
    check_memory(&[("k2", X)], Answer::Wait);
    check_memory(&[("k", X), ("k2", X)], Answer::Wait);
    check_memory(&[("k2", X), ("k", X)], Answer::Wait);
    check_memory(&[("k", OTHER_X)], Answer::Wait);
}

#[test]
fn a_key_that_is_taken_back_makes_every_kid_worth_a_refresh_and_a_new_order_does_not() {
    for (keys, expected) in
        [(&[("k", X)] as &[_], Answer::Wait), (&[("k2", OTHER_X), ("k", X)], UNKNOWN)]
    {
        let fixture = Fixture::new();
        let both = [("k", X), ("k2", OTHER_X)];
        fixture.succeed_with(&both, 0);
        for second in [5, 40, 75] {
            fixture.check(Some("new"), second, Answer::Wait);
            fixture.succeed_with(&both, second + 1);
        }
        fixture.succeed_with(keys, 80);
        fixture.check(Some("new"), 115, expected);
    }
}

#[test]
fn a_refresh_that_fails_tells_nothing_of_a_kid() {
    let fixture = Fixture::with_key("k");
    for second in [5, 40, 75, 110, 145] {
        fixture.check(Some("new"), second, Answer::Wait);
        fixture.fail(second + 1);
    }
    // Of those whose keys are old, too: the keys of second 0 are from then on.
    fixture.check(Some("new"), 180, Answer::Wait);
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
