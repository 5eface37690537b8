//! The task of one place: fetch, wait until it is time again or somebody asks, and so on.
//!
//! It does not know the config; whoever changes the schedule tells its entry.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use tokio::sync::watch::Receiver;

use super::{
    report::Seen,
    saving::{Good, Saving},
};
use crate::{
    clock::{Clock, Now},
    jwks::{
        fetch::{FetchError, FetchJwks},
        key::Origin,
        key_set::KeySet,
        lanes::{Lane, Lanes},
        obtain::{NewSet, Obtained, Obtaining, Version},
        pace,
        refresh::report,
        saved::SavedSet,
        state::{Schedule, SetState},
        store::Entry,
    },
    provider::JwksPlace,
    telemetry::metrics::Metrics,
};

/// What the task of each place needs.
#[derive(Clone)]
pub(super) struct Keeper {
    pub(super) fetch: Arc<dyn FetchJwks>,
    pub(super) lanes: Arc<Lanes>,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) saving: Option<Saving>,
    /// Draws lots from 0 to 1.
    pub(super) spread: fn() -> f64,
}

impl Keeper {
    /// What is on disk of a place that was never fetched.
    pub(super) fn remembered(&self, place: &JwksPlace, schedule: &Schedule) -> SetState {
        let now = self.clock.now();
        let set = self.saving.as_ref().and_then(|saving| saving.load(place, now.unix));
        let Some(SavedSet { text, fetched_unix }) = set else { return SetState::default() };
        let age = Duration::try_from_secs_f64(now.unix - fetched_unix).unwrap_or(Duration::MAX);
        let keys = KeySet::parse(text.as_bytes(), Origin::Network);
        let (Ok((keys, _)), true) = (keys, age <= schedule.max_stale) else {
            return SetState::default();
        };
        report::read_from_disk(schedule, age);
        SetState {
            keys: Some((Arc::new(keys), now.mono.before(age))),
            fetched_unix: Some(fetched_unix),
            unconfirmed: true,
            ..SetState::default()
        }
    }

    /// Fetches one place for as long as the config names it.
    pub(super) async fn keep_fresh(self, entry: Arc<Entry>) {
        let mut rescheduled = entry.rescheduled();
        let mut seen = Seen::default();
        // Of the set that is there: what is confirmed is kept anew, whole, since what is on disk
        // may be another set, of another process or from before a failure to write.
        let mut text = None;
        loop {
            entry.begin();
            // A task of its own, so that a panic in it is a failed fetch and no end of them.
            let fetched = tokio::spawn(self.obtaining(&entry).obtain()).await;
            let fetched = fetched.unwrap_or(Err(FetchError::Interrupted));
            let (before, schedule) = (entry.state(), entry.schedule.load_full());
            let wait = self.wait(&before, &fetched, &schedule);
            text = new_text(&fetched).or(text).filter(|_| self.saving.is_some());
            let now = self.clock.now();
            if let Ok(Obtained { set: NewSet::Parsed { skipped, .. }, .. }) = &fetched {
                seen.skipping(skipped, &schedule);
            }
            let mut state = after(&before, fetched, now);
            state.next_refresh = Some(now.mono.after(wait));
            seen = seen.follow(&state, &schedule, entry.place.url(), now);
            self.metrics.jwks_fetched(&schedule.providers, state.last_error);
            let good = state.fetched_unix.filter(|_| state.last_error.is_none());
            entry.finish(state, now.mono);
            let good = good.zip(text.clone()).map(|(fetched_unix, text)| {
                let (place, use_for) = (entry.place.clone(), schedule.max_stale);
                Good { place, text, fetched_unix, use_for }
            });
            tokio::select! {
                () = next_fetch(&entry, &mut rescheduled, wait) => {}
                () = entry.demanded() => {}
                () = self.keep(good) => {}
            }
        }
    }

    /// Keeps a good set on disk, and then never ends.
    async fn keep(&self, good: Option<Good>) {
        if let Some((saving, good)) = self.saving.as_ref().zip(good) {
            saving.keep(good, self.clock).await;
        }
        std::future::pending().await
    }

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

/// The text of a set that is new.
fn new_text(fetched: &Result<Obtained, FetchError>) -> Option<Arc<[u8]>> {
    match fetched {
        Ok(Obtained { set: NewSet::Parsed { text, .. }, .. }) => Some(text.clone()),
        Ok(Obtained { set: NewSet::Unchanged, .. }) | Err(_) => None,
    }
}

/// The version of the set that is there.
fn known(state: &SetState) -> Option<Version> {
    state.keys.is_some().then(|| state.version.clone())?
}

/// From 0 to 1: nobody gains by foreseeing it.
pub(super) fn random() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or_default();
    f64::from(bits) / f64::from(u32::MAX)
}

/// The state after a fetch. A fetch that gave no usable key replaces nothing.
fn after(before: &SetState, fetched: Result<Obtained, FetchError>, now: Now) -> SetState {
    let mut state = SetState { fetched_once: true, ..before.clone() };
    match fetched {
        Ok(Obtained { set, version, fresh_for: _wait }) => {
            let old = before.keys.as_ref().map(|(set, _)| set.clone());
            state.keys = match set {
                NewSet::Parsed { keys, skipped: _told, text: _ } => {
                    let keys = old.into_iter().fold(keys, |keys, old| keys.reusing(&old));
                    Some((Arc::new(keys), now.mono))
                }
                NewSet::Unchanged => old.map(|old| (old, now.mono)),
            };
            state.version = Some(version);
            state.fetched_unix = Some(now.unix);
            state.consecutive_failures = 0;
            state.last_error = None;
            state.unconfirmed = false;
        }
        Err(error) => {
            state.consecutive_failures = before.consecutive_failures.saturating_add(1);
            state.last_error = Some(error);
        }
    }
    state
}
