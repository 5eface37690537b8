//! The atomic swap: readers take the running snapshot, the config path replaces it.
//!
//! It does not load configs (`config/load.rs`) nor decide when to (`config/watch.rs`).

use std::{ops::Deref, sync::Arc};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use tokio::sync::watch;

use crate::snapshot::Snapshot;

/// The one place where "the current config" lives.
#[derive(Debug)]
pub struct SnapshotCell {
    current: ArcSwap<Snapshot>,
    last_reload_error: ArcSwapOption<String>,
    /// Counts swaps; checks that wait for keys watch it.
    replaced: watch::Sender<u64>,
}

/// The snapshot that was the running one when it was lent.
#[derive(Debug)]
pub struct Lent(Guard<Arc<Snapshot>>);

impl Lent {
    /// For keeping after all.
    #[must_use]
    pub fn keep(self) -> Arc<Snapshot> {
        Guard::into_inner(self.0)
    }
}

impl Deref for Lent {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.0
    }
}

impl SnapshotCell {
    /// A cell that serves `first`.
    #[must_use]
    pub fn new(first: Snapshot) -> Self {
        Self {
            current: ArcSwap::from_pointee(first),
            last_reload_error: ArcSwapOption::empty(),
            replaced: watch::Sender::new(0),
        }
    }

    /// The running snapshot, for keeping.
    #[must_use]
    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The running snapshot for one run of a check: threads that take it at once share no count.
    #[must_use]
    pub fn lend(&self) -> Lent {
        Lent(self.current.load())
    }

    /// Serves `next` from now on.
    pub fn replace(&self, next: Snapshot) -> Arc<Snapshot> {
        let next = Arc::new(next);
        self.current.store(next.clone());
        self.last_reload_error.store(None);
        self.replaced.send_modify(|count| *count += 1);
        next
    }

    /// Waits until another config is served than `seen`.
    pub async fn replaced(&self, seen: &Arc<Snapshot>) {
        let mut replaced = self.replaced.subscribe();
        if Arc::ptr_eq(&self.current.load(), seen) {
            // The sender lives in `self`, so this ends only by a swap.
            let _ = replaced.changed().await;
        }
    }

    /// The files again equal what is served.
    pub fn clear_reload_error(&self) {
        self.last_reload_error.store(None);
    }

    /// The files changed to something that cannot be served.
    pub fn set_reload_error(&self, problems: String) {
        self.last_reload_error.store(Some(Arc::new(problems)));
    }

    /// Why the files are not what is served, if they are not.
    #[must_use]
    pub fn last_reload_error(&self) -> Option<Arc<String>> {
        self.last_reload_error.load_full()
    }
}
