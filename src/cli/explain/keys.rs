//! The keys that tokens are explained with: from the config, or fetched once.
//!
//! It keeps no schedule and remembers no token.

use std::{convert::Infallible, sync::Arc};

use crate::{
    check::{
        Host, Keys, Recalled,
        verify::{KeyProblem, KeyQuery, Verified},
    },
    clock::{Clock, Now},
    jwks::{
        fetch::HttpFetch, key_set::KeySet, refresh::Refresher, state::ProviderState,
        store::KeyStore,
    },
    policy::Policy,
    provider::{KeySource, Name, Provider},
    snapshot::Snapshot,
    telemetry::metrics::Metrics,
};

/// Every key set as it was found.
pub(super) struct Fetched {
    store: Arc<KeyStore>,
}

impl Fetched {
    /// Fetches the sets of these providers, each once, well or badly.
    pub(super) async fn of(
        snapshot: &mut Snapshot,
        providers: &[Name],
        clock: Clock,
    ) -> Result<Self, String> {
        let metrics = Arc::new(Metrics::new().map_err(|error| error.to_string())?);
        let store = Arc::new(KeyStore::default());
        let refresher = Refresher::new(store.clone(), Arc::new(HttpFetch), clock, metrics);
        let all = snapshot.providers.clone();
        snapshot.providers.retain(|key, _| providers.iter().any(|name| name.key() == *key));
        refresher.follow(snapshot);
        snapshot.providers = all;
        refresher.fetched_once().await;
        // With the refresher its tasks end: nothing is fetched again.
        drop(refresher);
        Ok(Self { store })
    }

    /// The provider's set, or why there is none.
    pub(super) fn set(&self, provider: &Provider) -> Result<Arc<KeySet>, String> {
        match &provider.keys {
            KeySource::Local(set) => Ok(set.clone()),
            KeySource::Unreadable => Err("jwks.file cannot be read".to_owned()),
            KeySource::Remote(remote) => {
                let state = self.store.entry(&remote.place).map(|entry| entry.state());
                let state = state.ok_or("nothing was fetched")?;
                match (&state.keys, &state.last_error) {
                    (Some((set, _)), _) => Ok(set.clone()),
                    (None, Some(error)) => Err(format!("the fetch failed: {error}")),
                    (None, None) => Err("nothing was fetched".to_owned()),
                }
            }
        }
    }
}

impl Host for Fetched {
    type Wait = Infallible;
    type Place = ();
    type Held = Box<Verified>;

    fn keys(&self, query: KeyQuery<'_>, now: Now) -> Keys<Infallible> {
        match self.store.keys(query, now) {
            Keys::Found(found) => Keys::Found(found),
            Keys::None(problem) => Keys::None(problem),
            // The one fetch has just been: what it did not bring is not there.
            Keys::Wait(_) => Keys::None(match self.store.provider_state(query.provider, now) {
                ProviderState::Ready => KeyProblem::Unknown,
                ProviderState::Stale
                | ProviderState::Pending
                | ProviderState::Unavailable
                | ProviderState::Disabled => KeyProblem::Unavailable,
            }),
        }
    }

    fn recall(&self, _: &str, _: &Policy, _: Now) -> Recalled<Box<Verified>, ()> {
        Recalled::New(None)
    }

    fn hold(&self, verified: Verified, _: Option<()>) -> Box<Verified> {
        verified.into()
    }
}
