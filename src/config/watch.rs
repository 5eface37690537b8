//! Follows the files: an event or the next poll, then quiet, then the new config or the old one.
//!
//! It does not judge a config (`load.rs` does), does not swap it in (whoever is told does) and never
//! ends on an error. notify only says when to look; whether anything changed is told by the bytes.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use rustix::process::nice;
use tokio::{runtime::Handle, sync::Notify, task, time};

use crate::config::{
    compile::Providers,
    disk::Fingerprint,
    load::{self, Loaded, Look, Reading},
    problem::{Place, Problem, Problems},
};

/// What the watcher knows of the config that is served.
#[derive(Debug, Clone)]
pub struct WatchState {
    /// The bytes that are served. None if nobody can tell.
    served: Option<Fingerprint>,
    /// The bytes last looked at, served or refused. None if they are to be looked at again.
    tried: Option<Fingerprint>,
    /// The side files of those.
    side: BTreeSet<PathBuf>,
    /// Those that are served.
    providers: Arc<Providers>,
}

impl From<&Loaded> for WatchState {
    fn from(loaded: &Loaded) -> Self {
        let Loaded { fingerprint, side, compiled, config_hash: _, inputs: _ } = loaded;
        Self {
            served: Some(*fingerprint),
            tried: Some(*fingerprint),
            side: side.clone(),
            providers: Arc::new(compiled.providers.clone()),
        }
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
/// after another, and serves what it gets; like all that takes long here, it runs beside the
/// threads that answer.
pub async fn watch(
    path: PathBuf,
    first: WatchState,
    on_change: impl Fn(Reload) + Send + Sync + 'static,
) {
    let (path, on_change): (Arc<Path>, _) = (path.into(), Arc::new(on_change));
    let events = Arc::new(Notify::new());
    let mut state = first;
    let mut folders = Folders::default();
    loop {
        // First follow, then look: what changes in between is an event.
        folders = follow(folders, path.clone(), state.side.clone(), events.clone()).await;
        let news = news(&path, &mut state).await;
        match tell(news, &mut state, &on_change).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(Lost) => {
                let (path, on_change) = (path.clone(), on_change.clone());
                // Should this be lost, too, the log has the panic.
                let _ = blocking(move || on_change(Reload::Refused(failed(&path)))).await;
            }
        }
        next_reason(&events).await;
    }
}

/// Tells what is new. Whether anything was.
async fn tell<F>(
    news: Result<Option<Reload>, Lost>,
    state: &mut WatchState,
    on_change: &Arc<F>,
) -> Result<bool, Lost>
where
    F: Fn(Reload) + Send + Sync + 'static,
{
    match news {
        Ok(None) => Ok(false),
        Ok(Some(reload)) => {
            let on_change = on_change.clone();
            let told = blocking(move || on_change(reload)).await;
            if told.is_err() {
                // Before or after the swap? Whatever stands there next is to be applied.
                (state.served, state.tried) = (None, None);
            }
            told.map(|()| true)
        }
        Err(Lost) => {
            state.tried = None;
            Err(Lost)
        }
    }
}

/// One look at the files.
async fn news(path: &Arc<Path>, state: &mut WatchState) -> Result<Option<Reload>, Lost> {
    if !has_changed(path, state).await? {
        return Ok(None);
    }
    match settled(|last| take(path.clone(), last)).await? {
        Some(reading) => judge(reading, state).await,
        None => Ok(None),
    }
}

fn failed(path: &Path) -> Problems {
    let place = Place::start_of(&path.to_string_lossy());
    let message = "claimgate itself failed on this config, and the log says where; it is tried \
                   again within 10 s";
    Problems::new(vec![Problem::new(&place, message)])
}

/// Waits for an event and the quiet after it, or for the next poll.
async fn next_reason(events: &Notify) {
    if time::timeout(POLL, events.notified()).await.is_ok() {
        let quiet = async { while time::timeout(QUIET, events.notified()).await.is_ok() {} };
        // Not being quiet in time is as good a reason to look.
        let _ = time::timeout(QUIET_AT_MOST, quiet).await;
    }
}

async fn has_changed(path: &Arc<Path>, state: &WatchState) -> Result<bool, Lost> {
    let (path, side) = (path.clone(), state.side.clone());
    let now = blocking(move || load::fingerprint(&path, &side)).await?;
    Ok(state.tried != Some(now))
}

async fn take(path: Arc<Path>, last: Option<Reading>) -> Result<Look<Reading>, Lost> {
    blocking(move || match last {
        Some(last) => last.again(&path),
        None => Look::New(Reading::take(&path)),
    })
    .await
}

/// Reads until two readings in succession agree: a file that is half-written can be good YAML.
/// None if they never do; the next event or poll tries again.
async fn settled<R, F>(mut take: impl FnMut(Option<R>) -> F) -> Result<Option<R>, Lost>
where
    F: Future<Output = Result<Look<R>, Lost>>,
{
    let mut last = None;
    for _ in 0..MAX_READINGS {
        match take(last).await? {
            Look::Same(reading) => return Ok(Some(reading)),
            Look::New(reading) => last = Some(reading),
        }
        time::sleep(BETWEEN_READINGS).await;
    }
    tracing::warn!("the config is written without a pause; it is not applied before it rests");
    Ok(None)
}

/// Something that was read and may be a config.
trait Readable: Send + 'static {
    fn fingerprint(&self) -> Fingerprint;
    fn side(&self) -> BTreeSet<PathBuf>;
    fn compile(self, before: &Providers) -> Result<Loaded, Problems>;
}

impl Readable for Reading {
    fn fingerprint(&self) -> Fingerprint {
        Self::fingerprint(self)
    }

    fn side(&self) -> BTreeSet<PathBuf> {
        Self::side(self)
    }

    fn compile(self, before: &Providers) -> Result<Loaded, Problems> {
        self.compile_after(before)
    }
}

/// What was read, as news. None if it is none.
async fn judge(reading: impl Readable, state: &mut WatchState) -> Result<Option<Reload>, Lost> {
    let fingerprint = reading.fingerprint();
    if state.tried == Some(fingerprint) {
        return Ok(None);
    }
    state.tried = Some(fingerprint);
    state.side = reading.side();
    if state.served == Some(fingerprint) {
        return Ok(Some(Reload::Restored));
    }
    let before = state.providers.clone();
    Ok(Some(match blocking(move || reading.compile(&before)).await? {
        Ok(loaded) => {
            state.providers = Arc::new(loaded.compiled.providers.clone());
            state.served = Some(fingerprint);
            Reload::Changed(Box::new(loaded))
        }
        Err(problems) => Reload::Refused(problems),
    }))
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

/// Work that panicked, or was not begun as the runtime is going down.
#[derive(Debug, PartialEq, Eq)]
struct Lost;

/// Work that takes long, on a thread that lets those go first that answer: a large config takes a
/// second of processor time.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Lost> {
    let runtime = Handle::current();
    let giving_way = move || {
        let _inside = runtime.enter();
        // On Linux each thread has a priority of its own. Where it stays, the work is just in the way.
        if cfg!(target_os = "linux") {
            let _ = nice(GIVES_WAY);
        }
        work()
    };
    let run = || thread::scope(|scope| scope.spawn(giving_way).join());
    task::spawn_blocking(run).await.ok().and_then(Result::ok).ok_or(Lost)
}

/// A third of the share of a thread that answers, so that a busy server, too, follows its config soon.
const GIVES_WAY: i32 = 5;

/// Changes that cause no event here (a link's target, a network file system) are seen by then.
const POLL: Duration = Duration::from_secs(10);
/// After the last event.
const QUIET: Duration = Duration::from_millis(100);
/// After the first event, however many follow: a removed provider must be gone within a second,
/// also where another program writes into the folder all the time.
const QUIET_AT_MOST: Duration = Duration::from_millis(500);
const BETWEEN_READINGS: Duration = Duration::from_millis(50);
const MAX_READINGS: usize = 20;

#[cfg(test)]
mod tests;
