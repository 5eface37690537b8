//! Keeps good sets on disk, beside the refreshes: a disk that hangs delays none of them.
//!
//! What is written, and how, `jwks/saved.rs` knows.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Semaphore, time::sleep};

use crate::{
    clock::Clock,
    jwks::saved::{Saved, SavedSet},
    provider::JwksPlace,
};

/// The folder, and the one turn to write there.
#[derive(Debug, Clone)]
pub(super) struct Saving {
    saved: Arc<Saved>,
    /// So that a disk that hangs takes one thread, and not one for each place.
    pub(super) turn: Arc<Semaphore>,
    trouble: Arc<Mutex<Option<io::ErrorKind>>>,
}

/// A set that was fetched, or confirmed.
#[derive(Debug, Clone)]
pub(super) struct Good {
    pub(super) place: Arc<JwksPlace>,
    pub(super) text: Arc<[u8]>,
    pub(super) fetched_unix: f64,
    pub(super) use_for: Duration,
}

impl Saving {
    pub(super) fn to(saved: Saved) -> Self {
        let (turn, trouble) = (Arc::new(Semaphore::new(1)), Arc::default());
        Self { saved: Arc::new(saved), turn, trouble }
    }

    pub(super) fn load(&self, place: &JwksPlace, now_unix: f64) -> Option<SavedSet> {
        self.saved.load(place, now_unix)
    }

    /// Keeps `good`. Where that fails, the keys are good all the same. Whoever drops this leaves
    /// what is being written to its end.
    pub(super) async fn keep(&self, good: Good, clock: Clock) {
        let mut tries = 1..=TRIES;
        let kept = loop {
            let kept = self.once(good.clone(), clock).await;
            let crowded = kept.as_ref().is_err_and(|kind| *kind == io::ErrorKind::WouldBlock);
            if !crowded || tries.next().is_none() {
                break kept;
            }
            // Another process is writing.
            sleep(PAUSE).await;
        };
        self.tell(kept.err());
    }

    async fn once(&self, good: Good, clock: Clock) -> Result<(), io::ErrorKind> {
        let turn = self.turn.clone().acquire_owned().await;
        let (saved, now_unix) = (self.saved.clone(), clock.now().unix);
        let saving = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let Good { place, text, fetched_unix, use_for } = good;
            saved.save(&place, &text, fetched_unix, use_for, now_unix)
        });
        let saved = saving.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        saved.map_err(|error| error.kind())
    }

    /// One line for each change.
    fn tell(&self, trouble: Option<io::ErrorKind>) {
        let mut before = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble {
            _ if *before == trouble => {}
            Some(error) => tracing::warn!(%error, "keys cannot be kept in the state folder"),
            None => tracing::info!("keys are kept in the state folder again"),
        }
        *before = trouble;
    }
}

const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);
