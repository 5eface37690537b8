//! Sets on disk, beside the schedule.

use super::*;
use crate::jwks::{
    fetch::{Body, Fetched, Validators},
    saved::SavedSet,
};

struct Kept {
    folder: tempfile::TempDir,
    fixture: Fixture,
}

impl Kept {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut fixture = Fixture::new();
        fixture.refresher = fixture.refresher.saving_to(Some(Saved::open(folder.path()).unwrap()));
        Self { folder, fixture }
    }

    /// As another process finds it.
    fn read(&self) -> Option<SavedSet> {
        let place = self.fixture.store.places().into_keys().next().unwrap();
        Saved::open(self.folder.path()).unwrap().load(&place, f64::MAX)
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_delays_no_refresh() {
    let kept = Kept::new();
    let turn = kept.fixture.refresher.keeper.saving.as_ref().unwrap().turn.clone();
    let hanging = turn.acquire_owned().await;
    kept.fixture.refresher.follow(&snapshot(&[ONE]));
    pass(300).await;
    assert_eq!(kept.fixture.times(), [0, 100, 200, 300]);
    assert_eq!(kept.read(), None);
    drop(hanging);
    pass(1).await;
    assert!(kept.read().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_set_waits_for_another_process_that_writes() {
    let kept = Kept::new();
    let other = std::fs::File::open(kept.folder.path()).unwrap();
    other.lock().unwrap();
    kept.fixture.refresher.follow(&snapshot(&[ONE]));
    pass(2).await;
    assert_eq!(kept.read(), None);
    other.unlock().unwrap();
    pass(1).await;
    assert!(kept.read().is_some());
}

/// Calls each set after the first unchanged.
struct Unchanged;

impl FetchJwks for Unchanged {
    fn fetch(&self, request: FetchRequest) -> Fetching {
        let body = match request.known {
            Some(_) => Body::Unchanged,
            None => Body::New(set("new").unwrap()),
        };
        let validators = Validators { etag: Some("1".into()), last_modified: None };
        Box::pin(async { Ok(Fetched { body, validators, fresh_for: None }) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_set_that_is_confirmed_takes_the_place_of_whatever_is_on_disk() {
    let mut kept = Kept::new();
    let metrics = Arc::new(Metrics::new().unwrap());
    let store = kept.fixture.store.clone();
    let saved = Saved::open(kept.folder.path()).unwrap();
    kept.fixture.refresher = Refresher::new(store, Arc::new(Unchanged), Clock::start(), metrics)
        .saving_to(Some(saved))
        .with_spread(|| 0.0);
    kept.fixture.refresher.follow(&snapshot(&[ONE]));
    pass(1).await;
    let new = kept.read().unwrap();
    assert!(new.text.contains("new"));
    // It was not written, say, since the disk was full: an older one is there.
    let place = kept.fixture.store.places().into_keys().next().unwrap();
    let saved = Saved::open(kept.folder.path()).unwrap();
    let past = new.fetched_unix - 1.0;
    std::fs::read_dir(kept.folder.path()).unwrap().for_each(|entry| {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    });
    saved.save(&place, b"revoked", past, Duration::MAX, new.fetched_unix).unwrap();
    assert_eq!(kept.read().unwrap().text, "revoked");
    pass(100).await;
    assert_eq!(kept.read().unwrap().text, new.text);
}
