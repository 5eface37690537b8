//! What one refresh does: discovery where the place asks for it, then the set itself.
//!
//! It does not know when it is due (`jwks/refresh.rs`), and makes no request of its own.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    jwks::{
        discovery,
        fetch::{Body, FetchError, FetchJwks, FetchRequest, Fetched, Validators},
        key::Origin,
        key_set::{KeySet, KeySetError, Skipped},
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
        text: Vec<u8>,
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

/// Fetches what is at `place`. `known` is the version of the set that is there already; `timeout`
/// bounds all of it.
///
/// # Errors
/// [`FetchError`] if there is no usable set.
pub async fn obtain(
    fetch: Arc<dyn FetchJwks>,
    place: Arc<JwksPlace>,
    known: Option<Version>,
    timeout: Duration,
) -> Result<Obtained, FetchError> {
    let begun = Instant::now();
    let uri = match &place.at {
        KeysAt::Set { uri } => uri.clone(),
        KeysAt::Discovery { url, issuer, plain } => {
            let request =
                FetchRequest { url: url.clone(), place: place.clone(), known: None, timeout };
            match fetch.fetch(request).await?.body {
                Body::New(document) => discovery::jwks_uri(&document, issuer, *plain)?,
                Body::Unchanged => return Err(FetchError::Interrupted),
            }
        }
    };
    // Validators of one resource say nothing of another (RFC 9110 section 8.8).
    let known = known.filter(|known| known.uri == uri).map(|known| known.validators);
    let known = known.filter(|known| !known.is_empty());
    let timeout = timeout.saturating_sub(begun.elapsed());
    let request = FetchRequest { url: uri.clone(), place, known, timeout };
    let Fetched { body, validators, fresh_for } = fetch.fetch(request).await?;
    let set = match body {
        Body::New(text) => parsed(text)?,
        Body::Unchanged => NewSet::Unchanged,
    };
    Ok(Obtained { set, version: Version { uri, validators }, fresh_for })
}

fn parsed(text: Vec<u8>) -> Result<NewSet, KeySetError> {
    let (keys, skipped) = KeySet::parse(&text, Origin::Network)?;
    Ok(NewSet::Parsed { keys, skipped, text })
}
