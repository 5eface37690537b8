//! Follows the files: an event or the next poll, then quiet, then the new config or the old one.
//!
//! It does not judge a config (`load.rs` does), does not swap it in (whoever is told does) and never
//! ends on an error. notify only says when to look; whether anything changed is told by the bytes.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use tokio::{sync::Notify, task, time};

use crate::config::{
    disk::Fingerprint,
    load::{self, Loaded, Reading},
    problem::Problems,
};

/// What the watcher knows of the config that is served.
#[derive(Debug, Clone)]
pub struct WatchState {
    /// The bytes that are served.
    served: Fingerprint,
    /// The bytes last looked at, served or refused.
    tried: Fingerprint,
    /// The side files of those.
    side: BTreeSet<PathBuf>,
}

impl From<&Loaded> for WatchState {
    fn from(loaded: &Loaded) -> Self {
        let Loaded { fingerprint, side, compiled: _, config_hash: _, inputs: _ } = loaded;
        Self { served: *fingerprint, tried: *fingerprint, side: side.clone() }
    }
}

/// What became of a change of the files.
#[derive(Debug)]
pub enum Reload {
    /// To be served from now on.
    Changed(Box<Loaded>),
    /// Not to be served; the old config stays.
    Refused(Problems),
    /// After a refusal the files are again what is served.
    Restored,
}

/// Follows what stands at `path`, for ever; drop the future to stop.
///
/// `first` is the state of the config that is served now. `on_change` is told of every change, one
/// after another, and serves what it gets.
pub async fn watch(path: PathBuf, first: WatchState, mut on_change: impl FnMut(Reload) + Send) {
    let path: Arc<Path> = path.into();
    let events = Arc::new(Notify::new());
    let mut state = first;
    let mut folders = Folders::default();
    loop {
        // First follow, then look: what changes in between is an event.
        folders = follow(folders, path.clone(), state.side.clone(), events.clone()).await;
        if has_changed(&path, &state).await
            && let Some(reading) = settled(&path).await
            && let Some(reload) = judge(reading, &mut state).await
        {
            on_change(reload);
            continue;
        }
        next_reason(&events).await;
    }
}

/// Waits for an event and the quiet after it, or for the next poll.
async fn next_reason(events: &Notify) {
    if time::timeout(POLL, events.notified()).await.is_ok() {
        let quiet = async { while time::timeout(QUIET, events.notified()).await.is_ok() {} };
        // Not being quiet in time is as good a reason to look.
        let _ = time::timeout(QUIET_AT_MOST, quiet).await;
    }
}

async fn has_changed(path: &Arc<Path>, state: &WatchState) -> bool {
    let (path, side) = (path.clone(), state.side.clone());
    let now = blocking(move || load::fingerprint(&path, &side)).await;
    now.is_some_and(|now| now != state.tried)
}

/// Reads until two readings in succession agree, so that nothing half-written is judged.
async fn settled(path: &Arc<Path>) -> Option<Reading> {
    let take = || {
        let path = path.clone();
        blocking(move || Reading::take(&path))
    };
    let mut last = take().await?;
    for _ in 0..MAX_READINGS {
        time::sleep(BETWEEN_READINGS).await;
        let next = take().await?;
        if next.fingerprint() == last.fingerprint() {
            return Some(next);
        }
        last = next;
    }
    // Something writes without pause; the newest reading is better than none.
    Some(last)
}

/// What was read, as news. None if it is none.
async fn judge(reading: Reading, state: &mut WatchState) -> Option<Reload> {
    let fingerprint = reading.fingerprint();
    if fingerprint == state.tried {
        return None;
    }
    state.tried = fingerprint;
    state.side = reading.side();
    if fingerprint == state.served {
        return Some(Reload::Restored);
    }
    match blocking(move || reading.compile()).await? {
        Ok(loaded) => {
            state.served = fingerprint;
            Some(Reload::Changed(Box::new(loaded)))
        }
        Err(problems) => Some(Reload::Refused(problems)),
    }
}

/// The folders that notify follows. Always folders, never files: editors and ConfigMaps replace
/// files, and a watch on a file stays with the old one.
#[derive(Default)]
struct Folders {
    watcher: Option<RecommendedWatcher>,
    followed: BTreeSet<PathBuf>,
}

impl Folders {
    /// Follows exactly the folders of these files. What cannot be followed is left to the polls,
    /// and tried again at each.
    fn follow(&mut self, path: &Path, side: &BTreeSet<PathBuf>, events: &Arc<Notify>) {
        let mut wanted: BTreeSet<PathBuf> = side.iter().map(|file| folder_of(file)).collect();
        wanted.insert(folder_of(path));
        if path.is_dir() {
            wanted.insert(path.to_owned());
        }
        if self.watcher.is_none() {
            self.watcher = watcher(events.clone());
        }
        let Some(watcher) = &mut self.watcher else { return };
        for old in self.followed.difference(&wanted) {
            // It may have vanished, and its watch with it.
            let _ = watcher.unwatch(old);
        }
        // Also those already followed: another folder may stand at the path by now.
        wanted.retain(|folder| watcher.watch(folder, RecursiveMode::NonRecursive).is_ok());
        self.followed = wanted;
    }
}

async fn follow(
    mut folders: Folders,
    path: Arc<Path>,
    side: BTreeSet<PathBuf>,
    events: Arc<Notify>,
) -> Folders {
    let followed = blocking(move || {
        folders.follow(&path, &side, &events);
        folders
    });
    followed.await.unwrap_or_default()
}

fn watcher(events: Arc<Notify>) -> Option<RecommendedWatcher> {
    let on_event = move |event: notify::Result<notify::Event>| {
        if event.map_or(true, |event| matters(event.kind)) {
            events.notify_one();
        }
    };
    notify::recommended_watcher(on_event).ok()
}

/// Reading is an event, too, also our own: only a close after writing counts.
fn matters(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

/// None if the work panicked or the runtime is going down; the next poll tries again.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    task::spawn_blocking(work).await.ok()
}

/// Changes that cause no event here (a link's target, a network file system) are seen by then.
const POLL: Duration = Duration::from_secs(10);
/// After the last event.
const QUIET: Duration = Duration::from_millis(100);
/// After the first event, however many follow.
const QUIET_AT_MOST: Duration = Duration::from_secs(1);
const BETWEEN_READINGS: Duration = Duration::from_millis(50);
const MAX_READINGS: usize = 20;

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, time::SystemTime};

    use tempfile::TempDir;
    use tokio::{sync::mpsc, task::JoinHandle};

    use crate::snapshot::{Snapshot, cell::SnapshotCell};

    use super::*;

    /// A watcher at work on a file or folder in a folder of its own.
    struct Watched {
        root: TempDir,
        cell: Arc<SnapshotCell>,
        reloads: mpsc::UnboundedReceiver<Reload>,
        task: JoinHandle<()>,
    }

    impl Drop for Watched {
        fn drop(&mut self) {
            self.task.abort();
        }
    }

    impl Watched {
        fn start(root: TempDir, config: &str) -> Self {
            let path = root.path().join(config);
            let loaded = load::load(&path).unwrap();
            let first = WatchState::from(&loaded);
            let cell = Arc::new(SnapshotCell::new(loaded.into_snapshot(1, SystemTime::UNIX_EPOCH)));
            let (sender, reloads) = mpsc::unbounded_channel();
            let on_change = move |reload| sender.send(reload).unwrap_or_default();
            let task = tokio::spawn(watch(path, first, on_change));
            Self { root, cell, reloads, task }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.root.path().join(name)
        }

        async fn next(&mut self) -> Reload {
            let next = time::timeout(Duration::from_secs(60), self.reloads.recv()).await;
            next.expect("a reload in a minute").unwrap()
        }

        /// The next good config, served; what was half-written before it may have been refused.
        async fn applied(&mut self) -> Arc<Snapshot> {
            loop {
                if let Reload::Changed(loaded) = self.next().await {
                    let generation = self.cell.load().generation + 1;
                    let next = loaded.into_snapshot(generation, SystemTime::UNIX_EPOCH);
                    return self.cell.replace(next);
                }
            }
        }

        async fn refused(&mut self) -> String {
            match self.next().await {
                Reload::Refused(problems) => problems.to_string(),
                Reload::Changed(_) | Reload::Restored => panic!("not refused"),
            }
        }
    }

    fn config(policy: &str) -> String {
        format!("policies: [{{name: {policy}, mode: anonymous}}]")
    }

    /// A root with `c.yaml` that names policy `a`.
    fn root() -> TempDir {
        let root = TempDir::new().unwrap();
        fs::write(root.path().join("c.yaml"), config("a")).unwrap();
        root
    }

    #[tokio::test]
    async fn a_plain_write_is_applied() {
        let mut watched = Watched::start(root(), "c.yaml");
        fs::write(watched.path("c.yaml"), config("b")).unwrap();
        let snapshot = watched.applied().await;
        assert_eq!(snapshot.generation, 2);
        assert!(snapshot.policy("b").is_some() && snapshot.policy("a").is_none());
    }

    #[tokio::test]
    async fn a_file_renamed_over_is_applied_each_time() {
        let mut watched = Watched::start(root(), "c.yaml");
        for (generation, policy) in [(2, "b"), (3, "c"), (4, "d")] {
            fs::write(watched.path("new"), config(policy)).unwrap();
            fs::rename(watched.path("new"), watched.path("c.yaml")).unwrap();
            let snapshot = watched.applied().await;
            assert!(snapshot.policy(policy).is_some());
            assert_eq!(snapshot.generation, generation);
        }
    }

    #[tokio::test]
    async fn a_deleted_file_is_an_error_until_it_is_there_again() {
        let mut watched = Watched::start(root(), "c.yaml");
        fs::remove_file(watched.path("c.yaml")).unwrap();
        assert!(watched.refused().await.contains("cannot be read: entity not found"));
        fs::write(watched.path("new"), config("b")).unwrap();
        fs::rename(watched.path("new"), watched.path("c.yaml")).unwrap();
        assert!(watched.applied().await.policy("b").is_some());
    }

    #[tokio::test]
    async fn a_config_map_swap_is_applied_each_time() {
        let root = TempDir::new().unwrap();
        let at = |name: &str| root.path().join(name);
        for (version, policy) in [("..1", "a"), ("..2", "b"), ("..3", "c")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("c.yaml"), config(policy)).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/c.yaml", at("c.yaml")).unwrap();
        let mut watched = Watched::start(root, "c.yaml");
        for (before, version, policy) in [("..1", "..2", "b"), ("..2", "..3", "c")] {
            symlink(version, watched.path("..data_tmp")).unwrap();
            fs::rename(watched.path("..data_tmp"), watched.path("..data")).unwrap();
            fs::remove_dir_all(watched.path(before)).unwrap();
            assert!(watched.applied().await.policy(policy).is_some());
        }
    }

    #[tokio::test]
    async fn a_bad_file_is_refused_and_restoring_is_no_new_generation() {
        let mut watched = Watched::start(root(), "c.yaml");
        for bad in ["polices: []", "policies: ["] {
            fs::write(watched.path("new"), bad).unwrap();
            fs::rename(watched.path("new"), watched.path("c.yaml")).unwrap();
            assert!(watched.refused().await.contains("c.yaml:"));
        }
        fs::write(watched.path("new"), config("a")).unwrap();
        fs::rename(watched.path("new"), watched.path("c.yaml")).unwrap();
        assert!(matches!(watched.next().await, Reload::Restored));
        fs::write(watched.path("new"), config("b")).unwrap();
        fs::rename(watched.path("new"), watched.path("c.yaml")).unwrap();
        assert_eq!(watched.applied().await.generation, 2);
    }

    #[tokio::test]
    async fn files_come_and_go_in_a_folder_and_the_folder_itself_is_replaced() {
        let root = TempDir::new().unwrap();
        fs::create_dir(root.path().join("d")).unwrap();
        fs::write(root.path().join("d/a.yaml"), config("a")).unwrap();
        let mut watched = Watched::start(root, "d");
        fs::write(watched.path("new"), config("b")).unwrap();
        fs::rename(watched.path("new"), watched.path("d/b.yaml")).unwrap();
        assert_eq!(watched.applied().await.policies.len(), 2);
        fs::remove_file(watched.path("d/a.yaml")).unwrap();
        assert!(watched.applied().await.policy("a").is_none());
        fs::create_dir(watched.path("e")).unwrap();
        fs::write(watched.path("e/c.yaml"), config("c")).unwrap();
        fs::rename(watched.path("d"), watched.path("old")).unwrap();
        fs::rename(watched.path("e"), watched.path("d")).unwrap();
        assert!(watched.applied().await.policy("c").is_some());
        fs::write(watched.path("d/c.yaml"), config("d")).unwrap();
        assert!(watched.applied().await.policy("d").is_some());
    }

    #[tokio::test]
    async fn a_side_file_that_appears_elsewhere_is_applied() {
        let root = root();
        fs::create_dir(root.path().join("keys")).unwrap();
        let text = "providers: [{name: a, issuer: i, audiences: any, jwks: {file: keys/k.json}}]";
        fs::write(root.path().join("c.yaml"), text).unwrap();
        let mut watched = Watched::start(root, "c.yaml");
        assert_eq!(watched.cell.load().warnings.len(), 1);
        let keys = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        fs::write(watched.path("new"), keys).unwrap();
        fs::rename(watched.path("new"), watched.path("keys/k.json")).unwrap();
        assert!(watched.applied().await.warnings.is_empty());
    }

    #[test]
    fn our_own_reading_is_no_event() {
        assert!(!matters(EventKind::Access(AccessKind::Open(AccessMode::Any))));
        assert!(!matters(EventKind::Access(AccessKind::Close(AccessMode::Read))));
        assert!(matters(EventKind::Access(AccessKind::Close(AccessMode::Write))));
    }
}
