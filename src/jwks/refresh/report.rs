//! What the log says of fetched keys: one line for each change, not for each fetch.
//!
//! It changes nothing; no key material and no fetched text reaches it but the names of keys' hosts.

use std::{collections::HashSet, time::Duration};

use crate::{
    clock::Now,
    jwks::{
        fetch::FetchError,
        key::KeyError,
        key_set::Skipped,
        state::{ProviderState, Schedule, SetState},
    },
    url,
};

/// What was logged of a place.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    state: Option<ProviderState>,
    error: Option<FetchError>,
    kids: HashSet<Option<String>>,
    /// Where the keys are, where that is another host than that of the discovery document.
    elsewhere: Option<String>,
    /// Why keys of the set are skipped; in which order the set has them may change each time.
    skipped: Vec<KeyError>,
}

impl Seen {
    /// Logs the keys of a fetched set that are skipped, if that has changed.
    pub(super) fn skipping(&mut self, skipped: &[Skipped], schedule: &Schedule) {
        let mut errors: Vec<_> = skipped.iter().map(|key| key.error).collect();
        errors.sort_unstable();
        if errors == self.skipped {
            return;
        }
        let providers = names(schedule);
        for key in skipped {
            tracing::warn!(providers, index = key.index, error = %key.error, "key skipped");
        }
        self.skipped = errors;
    }

    /// Logs what has changed since then.
    pub(super) fn follow(
        mut self,
        state: &SetState,
        schedule: &Schedule,
        place_url: &str,
        now: Now,
    ) -> Self {
        let skipped = std::mem::take(&mut self.skipped);
        let seen = Self { skipped, ..Self::of(state, schedule, place_url, now) };
        let providers = names(schedule);
        let supply = seen.state.map(ProviderState::label);
        if (seen.state, seen.error) != (self.state, self.error) || seen.kids != self.kids {
            let url = url::without_query(place_url);
            match seen.error {
                Some(error) => {
                    tracing::warn!(providers, state = supply, url, %error, "JWKS fetch failed");
                }
                None => {
                    let keys = state.keys.as_ref().map_or(0, |(set, _)| set.iter().len());
                    tracing::info!(providers, state = supply, keys, "JWKS fetched");
                }
            }
        }
        if let Some(host) = seen.elsewhere.as_ref().filter(|_| seen.elsewhere != self.elsewhere) {
            tracing::warn!(providers, host, "discovery names keys on another host than its own");
        }
        seen
    }

    fn of(state: &SetState, schedule: &Schedule, place_url: &str, now: Now) -> Self {
        let keys = state.keys.iter().flat_map(|(set, _)| set.iter());
        Self {
            state: Some(state.supply(schedule.max_stale, now.mono)),
            error: state.last_error,
            kids: keys.map(|key| key.kid.clone()).collect(),
            elsewhere: elsewhere(state, place_url).map(str::to_owned),
            skipped: Vec::new(),
        }
    }
}

/// The host of the keys, where it is not the one of `place_url`.
pub fn elsewhere<'s>(state: &'s SetState, place_url: &str) -> Option<&'s str> {
    let host = url::host(&state.version.as_ref()?.uri);
    (!host.eq_ignore_ascii_case(url::host(place_url))).then_some(host)
}

pub(super) fn read_from_disk(schedule: &Schedule, age: Duration) {
    let (providers, seconds) = (names(schedule), age.as_secs());
    tracing::info!(providers, age_seconds = seconds, "keys read from disk, not confirmed yet");
}

fn names(schedule: &Schedule) -> String {
    schedule.providers.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",")
}
