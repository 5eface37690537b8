//! What one refresh does: discovery where the place asks for it, then the set itself.
//!
//! It does not know when it is due (`jwks/refresh.rs`), and makes no request of its own.

use std::{sync::Arc, time::Duration};

use tokio::time::{self, Instant};

use crate::{
    jwks::{
        discovery,
        fetch::{Body, FetchError, FetchJwks, FetchRequest, Fetched, Validators},
        key::Origin,
        key_set::{KeySet, Skipped},
        lanes::{Lane, Lanes},
    },
    provider::{JwksPlace, KeysAt},
};

/// What a refresh has brought.
#[derive(Debug)]
pub struct Obtained {
    /// The set, parsed.
    pub set: NewSet,
    /// Where it was found, and what tells it from its next version.
    pub version: Version,
    /// For how long its server calls it fresh; none if it does not say.
    pub fresh_for: Option<Duration>,
}

/// The set that was found.
#[derive(Debug)]
pub enum NewSet {
    /// This one.
    Parsed {
        /// Its usable keys.
        keys: KeySet,
        /// Its unusable ones.
        skipped: Vec<Skipped>,
        /// Its text.
        text: Arc<[u8]>,
    },
    /// The one that is there already.
    Unchanged,
}

/// One version of a set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// Where it was found.
    pub uri: String,
    /// To ask whether it has changed.
    pub validators: Validators,
}

/// One refresh, about to begin.
pub struct Obtaining {
    /// The lowest edge.
    pub fetch: Arc<dyn FetchJwks>,
    /// How many fetches may run beside it.
    pub lanes: Arc<Lanes>,
    /// In which of them it runs.
    pub lane: Lane,
    /// Where the set is.
    pub place: Arc<JwksPlace>,
    /// The version of the set that is there already.
    pub known: Option<Version>,
    /// Bounds the fetches, together; the turns that they wait for do not count.
    pub timeout: Duration,
}

impl Obtaining {
    /// Fetches what is at the place.
    ///
    /// # Errors
    /// [`FetchError`] if there is no usable set.
    pub async fn obtain(mut self) -> Result<Obtained, FetchError> {
        let uri = self.uri().await?;
        // Validators of one resource say nothing of another (RFC 9110 section 8.8).
        let known = self.known.take().filter(|known| known.uri == uri);
        let known = known.map(|known| known.validators).filter(|known| !known.is_empty());
        let asked = known.clone().unwrap_or_default();
        let Fetched { body, validators, fresh_for } = self.fetch(uri.clone(), known).await?;
        let (set, validators) = match body {
            Body::New(text) => (parsed(text).await?, validators),
            // A 304 need not repeat them (RFC 9110 section 15.4.5).
            Body::Unchanged if validators.is_empty() => (NewSet::Unchanged, asked),
            Body::Unchanged => (NewSet::Unchanged, validators),
        };
        Ok(Obtained { set, version: Version { uri, validators }, fresh_for })
    }

    /// Where the set itself is.
    async fn uri(&mut self) -> Result<String, FetchError> {
        let place = self.place.clone();
        let (url, issuer, plain) = match &place.at {
            KeysAt::Set { uri } => return Ok(uri.0.clone()),
            KeysAt::Discovery { url, issuer, plain } => (url, issuer, *plain),
        };
        match self.fetch(url.0.clone(), None).await?.body {
            Body::New(document) => Ok(discovery::jwks_uri(&document, &url.0, issuer, plain)?),
            Body::Unchanged => Err(FetchError::Interrupted),
        }
    }

    async fn fetch(
        &mut self,
        url: String,
        known: Option<Validators>,
    ) -> Result<Fetched, FetchError> {
        let _turn = self.lanes.turn(self.lane, &url).await;
        let (begun, timeout) = (Instant::now(), self.timeout);
        let request = FetchRequest { url, place: self.place.clone(), known, timeout };
        let fetched = time::timeout(timeout, self.fetch.fetch(request)).await;
        self.timeout = timeout.saturating_sub(begun.elapsed());
        fetched.unwrap_or(Err(FetchError::Timeout))
    }
}

/// A hundred keys take milliseconds, which checks must not wait for.
async fn parsed(text: Vec<u8>) -> Result<NewSet, FetchError> {
    let parsing = tokio::task::spawn_blocking(move || {
        let (keys, skipped) = KeySet::parse(&text, Origin::Network)?;
        Ok(NewSet::Parsed { keys, skipped, text: text.into() })
    });
    parsing.await.unwrap_or(Err(FetchError::Interrupted))
}
