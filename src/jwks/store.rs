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
        key_set::{KeySet, NoKey},
        state::{ProviderState, Schedule, SetState},
        unknown::{Kid, UnknownKids},
    },
    provider::{JwksPlace, KeySource, Provider, RemoteKeys},
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

#[derive(Debug, Default)]
struct Demand {
    /// When the last unplanned refresh began or, once it has, ended.
    last: Option<Mono>,
    /// Whether the fetch under way is one.
    unplanned: bool,
    in_flight: bool,
    /// For whose sake the fetch under way is, if there are usable keys besides.
    sought: Option<Kid>,
    unknown: UnknownKids,
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
            let sought = query.kid.filter(|_| otherwise == KeyProblem::Unknown);
            match entry.want(&state, sought, now, || entry.ticket(remote)) {
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
            KeySource::Remote(remote) => {
                self.places.load().get(&remote.place).is_some_and(|entry| {
                    let state = entry.state.load();
                    let usable = state.usable(remote.max_stale, now.mono);
                    usable.is_some_and(|(set, _)| set.holds(verified.key()))
                })
            }
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
        entry.state().supply(remote.max_stale, now.mono)
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
    /// An entry that was never fetched; its first fetch counts as under way. `state` is what is
    /// known without one.
    #[must_use]
    pub fn new(place: JwksPlace, schedule: Schedule, state: SetState) -> Self {
        Self {
            place: Arc::new(place),
            schedule: ArcSwap::from_pointee(schedule),
            state: ArcSwap::from_pointee(state),
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

    /// Waits until there are keys, or a first fetch has finished.
    pub async fn fetched_once(&self) {
        let mut finished = self.finished.subscribe();
        let state = self.state();
        if state.keys.is_none() && !state.fetched_once {
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
        let found = state.last_error.is_none();
        let changed = !same_keys(&self.state.load(), &state);
        self.state.store(Arc::new(state));
        let mut demand = self.lock();
        demand.in_flight = false;
        let sought = demand.sought.take();
        if changed {
            demand.unknown.clear();
        } else if let Some(kid) = sought.filter(|_| found) {
            let schedule = self.schedule.load();
            demand.unknown.missed(kid, schedule.cooldown, schedule.interval, ended);
        }
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
    /// the cool-down has passed and the kid that it `sought` was not missed before.
    fn want(
        &self,
        seen: &Arc<SetState>,
        sought: Option<&str>,
        now: Now,
        ticket: impl FnOnce() -> Option<Ticket>,
    ) -> Want {
        let mut demand = self.lock();
        if !Arc::ptr_eq(&self.state.load(), seen) {
            return Want::Overtaken;
        }
        let cooldown = self.schedule.load().cooldown;
        let cooled = demand.last.is_none_or(|last| now.mono.since(last) >= cooldown);
        let sought = sought.map(|kid| demand.unknown.kid(kid));
        let remembered = sought.is_some_and(|kid| demand.unknown.remembers(kid, now.mono));
        if !demand.in_flight && (!cooled || remembered) {
            demand.suppressed += 1;
            return Want::InVain;
        }
        if !demand.in_flight {
            demand.in_flight = true;
            demand.unplanned = true;
            demand.sought = sought;
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
    let Some((set, fetched_at)) = state.usable(remote.max_stale, now.mono) else {
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

fn same_keys(before: &SetState, after: &SetState) -> bool {
    match (&before.keys, &after.keys) {
        (Some((before, _)), Some((after, _))) => before.same_keys(after),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn select<W>(set: &KeySet, fetched_at: Option<Mono>, query: KeyQuery<'_>) -> Keys<W> {
    match set.select(query.kid, query.algorithm) {
        Ok(keys) => Keys::Found(FoundKeys { keys, fetched_at }),
        Err(NoKey::UnknownKid | NoKey::NoneFits) => Keys::None(KeyProblem::Unknown),
        Err(NoKey::Mismatch) => Keys::None(KeyProblem::Mismatch),
    }
}

#[cfg(test)]
mod tests;
