//! Files that change in every way that editors and ConfigMaps know, on a real disk.

use std::{fs, os::unix::fs::symlink, time::SystemTime};

use rustix::process::getpriority_process;
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

/// What is told where the first change panics, after which the file is `then`: the failure, and
/// then what stands there, whatever was served before.
async fn check_after_a_panic(then: &str) {
    let root = root();
    let path = root.path().join("c.yaml");
    let (sender, mut told) = mpsc::unbounded_channel();
    let tried = std::sync::atomic::AtomicBool::new(false);
    let on_change = move |reload| {
        sender.send(reload).unwrap_or_default();
        assert!(tried.swap(true, std::sync::atomic::Ordering::Relaxed), "on purpose");
    };
    let first = WatchState::from(&load::load(&path).unwrap());
    let task = tokio::spawn(watch(path.clone(), first, on_change));
    let mut next = async || time::timeout(Duration::from_secs(60), told.recv()).await;
    let write = |policy: &str| {
        fs::write(root.path().join("new"), config(policy)).unwrap();
        fs::rename(root.path().join("new"), &path).unwrap();
    };
    write("b");
    assert!(matches!(next().await, Ok(Some(Reload::Changed(_)))));
    let Ok(Some(Reload::Refused(problems))) = next().await else { panic!("not told") };
    assert!(problems.to_string().contains("c.yaml:1:1: claimgate itself failed"), "{problems}");
    write(then);
    let Ok(Some(Reload::Changed(loaded))) = next().await else { panic!("not applied") };
    assert!(loaded.compiled.policies.contains_key(then));
    task.abort();
}

#[tokio::test]
async fn a_change_that_cannot_be_served_for_a_panic_is_tried_again() {
    check_after_a_panic("b").await;
}

/// The panic may have come when the change was served already.
#[tokio::test]
async fn the_old_config_is_applied_when_it_is_back_after_a_panic() {
    check_after_a_panic("a").await;
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

/// A reading of this number, which is no config but a defect.
impl Readable for u8 {
    fn fingerprint(&self) -> Fingerprint {
        [*self; 32]
    }

    fn side(&self) -> BTreeSet<PathBuf> {
        BTreeSet::new()
    }

    fn compile(self, _: &Providers) -> Result<Loaded, Problems> {
        panic!("on purpose")
    }
}

/// What is settled on where one reading after another is this, the first lost one included.
async fn check_settled(
    readings: impl IntoIterator<Item = Option<u8>>,
    expected: Result<Option<u8>, Lost>,
) {
    let mut readings = readings.into_iter();
    let take = |last| {
        let next = readings.next().flatten();
        let look = |next| if last == Some(next) { Look::Same(next) } else { Look::New(next) };
        std::future::ready(next.map(look).ok_or(Lost))
    };
    assert_eq!(settled(take).await, expected);
}

#[tokio::test(start_paused = true)]
async fn only_what_was_read_twice_in_succession_is_judged() {
    check_settled([1, 1].map(Some), Ok(Some(1))).await;
    check_settled([1, 2, 1, 2, 3, 3, 4].map(Some), Ok(Some(3))).await;
    check_settled([Some(1), None, Some(1)], Err(Lost)).await;
    check_settled((0..=u8::MAX).map(Some), Ok(None)).await;
}

#[tokio::test]
async fn a_panic_while_compiling_is_lost_work_and_not_an_absence_of_news() {
    let served = Some([0; 32]);
    let mut state =
        WatchState { served, tried: served, side: BTreeSet::new(), providers: Arc::default() };
    assert!(matches!(judge(1, &mut state).await, Err(Lost)));
    assert_eq!(state.served, served);
}

/// A look at a file with a defect is made again at the next reason, and finds the old bytes then.
#[tokio::test]
async fn bytes_that_were_lost_are_looked_at_again() {
    let root = root();
    let path: Arc<Path> = root.path().join("c.yaml").into();
    let loaded = load::load(&path).unwrap();
    let mut state = WatchState::from(&loaded);
    assert!(matches!(news(&path, &mut state).await, Ok(None)));
    assert_eq!(tell(Err(Lost), &mut state, &Arc::new(drop)).await, Err(Lost));
    assert!(matches!(news(&path, &mut state).await, Ok(Some(Reload::Restored))));
    assert!(matches!(news(&path, &mut state).await, Ok(None)));
}

#[test]
fn our_own_reading_is_no_event() {
    assert!(!matters(EventKind::Access(AccessKind::Open(AccessMode::Any))));
    assert!(!matters(EventKind::Access(AccessKind::Close(AccessMode::Read))));
    assert!(matters(EventKind::Access(AccessKind::Close(AccessMode::Write))));
}

/// A provider that is withdrawn must be refused within a second of the event.
#[test]
fn from_an_event_to_the_news_is_less_than_a_second() {
    assert!(QUIET_AT_MOST + BETWEEN_READINGS * 4 < Duration::from_secs(1));
}

#[tokio::test]
async fn what_takes_long_gives_way_and_nothing_else_does() {
    let priority = || getpriority_process(None).unwrap();
    let before = priority();
    for _ in 0..2 {
        assert_eq!(blocking(priority).await, Ok((before + GIVES_WAY).min(19)));
    }
    assert_eq!(task::spawn_blocking(priority).await.unwrap(), before);
    assert_eq!(priority(), before);
}

#[tokio::test]
async fn what_takes_long_can_start_what_goes_on_after_it() {
    let started = blocking(|| tokio::spawn(async { 1 })).await.unwrap();
    assert_eq!(started.await.unwrap(), 1);
}
