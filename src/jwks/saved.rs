//! The last good set of each place on disk, for a restart while its issuer is gone.
//!
//! It does not decide whether a set is young enough, and parses no keys. Whoever can write here can
//! make tokens: folder and files are of this user alone, and no link is followed.

use std::{
    fs::{DirBuilder, File},
    hash::{BuildHasher as _, RandomState},
    io::{self, Read as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::{
    fs::{
        AtFlags, Dir, FileType, Mode, OFlags, Stat, fchmod, fstat, fsync, openat, renameat,
        unlinkat,
    },
    process::geteuid,
};
use serde::{Deserialize, Serialize};

use crate::{
    digest,
    provider::{CaFile, JwksPlace, KeysAt, PlainHttp},
};

/// The folder of `--state-dir`, held open.
#[derive(Debug)]
pub struct Saved {
    folder: File,
    writing: Mutex<Swept>,
}

/// When files that are of no more use were last looked for, in Unix seconds.
type Swept = Option<f64>;

/// The right to write: this thread's among those of this process, and this process's among all
/// that have the same folder. It is the folder itself that is locked, so no file is left of it.
struct Writing<'s> {
    folder: &'s File,
    swept: MutexGuard<'s, Swept>,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        // Closing the folder would do it too.
        let _ = self.folder.unlock();
    }
}

/// A set that was good once.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedSet {
    /// Its text, as it was fetched.
    pub text: String,
    /// When, in Unix seconds.
    pub fetched_unix: f64,
}

/// The content of a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// Which place it is of: the name of the file says so too.
    place: String,
    fetched_at: f64,
    /// For how many seconds the config that wrote it uses a set.
    use_for: f64,
    set: String,
}

impl Saved {
    /// Opens the folder at `path`, or makes it; takes everybody else's rights to it away.
    ///
    /// # Errors
    /// If it is a link or no folder, is owned by another user, or cannot be had.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Without a slash at the end, behind which a link would be followed.
        let path: PathBuf = path.components().collect();
        DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = File::from(rustix::fs::open(&path, flags, Mode::empty())?);
        if fstat(&folder)?.st_uid != geteuid().as_raw() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "owned by another user"));
        }
        fchmod(&folder, Mode::RWXU)?;
        let saved = Self { folder, writing: Mutex::default() };
        // While another process writes, what it writes is no leftover.
        if let Ok(writing) = saved.exclusive() {
            saved.remove(is_leftover)?;
            drop(writing);
        }
        Ok(saved)
    }

    /// The set of `place`, unless it is of the future, or not what this program wrote.
    #[must_use]
    pub fn load(&self, place: &JwksPlace, now_unix: f64) -> Option<SavedSet> {
        let id = identity(place);
        let Document { place, fetched_at, set, use_for: _ } = self.read(&file_name(&id))?;
        let is_past = (0.0..=now_unix).contains(&fetched_at);
        (place == id && is_past).then_some(SavedSet { text: set, fetched_unix: fetched_at })
    }

    fn read(&self, name: &str) -> Option<Document> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.folder, name, flags, Mode::empty()).ok()?;
        if !is_ours(&fstat(&file).ok()?) {
            return None;
        }
        let mut text = String::new();
        File::from(file).take(MAX_BYTES).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Keeps the set of `place` that was fetched, or confirmed, at `fetched_unix` and is used for
    /// `use_for`. A newer one that is there stays.
    ///
    /// # Errors
    /// If it cannot be written, or, as [`io::ErrorKind::WouldBlock`], another process is writing
    /// just now; what was there is there still.
    pub fn save(
        &self,
        place: &JwksPlace,
        text: &[u8],
        fetched_unix: f64,
        use_for: Duration,
        now_unix: f64,
    ) -> io::Result<()> {
        let mut writing = self.exclusive()?;
        let before = self.load(place, now_unix);
        if before.is_some_and(|before| before.fetched_unix > fetched_unix) {
            return Ok(());
        }
        let set = String::from_utf8(text.to_vec()).map_err(io::Error::other)?;
        let (id, use_for) = (identity(place), use_for.as_secs_f64());
        let document = Document { place: id.clone(), fetched_at: fetched_unix, use_for, set };
        self.replace(&file_name(&id), &serde_json::to_vec(&document)?)?;
        if writing.swept.is_none_or(|swept| now_unix - swept >= SWEEP_EVERY) {
            *writing.swept = Some(now_unix);
            // The set is kept, whatever else is.
            let _ = self.remove(|name| is_leftover(name) || self.is_spent(name, now_unix));
        }
        Ok(())
    }

    fn exclusive(&self) -> io::Result<Writing<'_>> {
        let swept = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.folder.try_lock()?;
        Ok(Writing { folder: &self.folder, swept })
    }

    /// Removes the files whose names are such. Only while writing.
    fn remove(&self, which: impl Fn(&str) -> bool) -> io::Result<()> {
        for entry in Dir::read_from(&self.folder)? {
            let entry = entry?;
            if let Some(name) = entry.file_name().to_str().ok().filter(|name| which(name)) {
                // What is no file stays.
                let _ = unlinkat(&self.folder, name, AtFlags::empty());
            }
        }
        Ok(())
    }

    /// Whether it is a set that nobody will use any more: of a place that no config names, or of
    /// an issuer that is gone for long.
    fn is_spent(&self, name: &str, now_unix: f64) -> bool {
        let document = self.read(name).filter(|document| file_name(&document.place) == name);
        document.is_some_and(|document| document.fetched_at + document.use_for + SPARE < now_unix)
    }

    /// Writes beside the file, then takes its place: a reader finds the old or the new one whole.
    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let unique = RandomState::new().hash_one(name);
        let temporary = format!("{name}.{unique:016x}{TEMPORARY}");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let file = openat(&self.folder, &*temporary, flags | OFlags::CLOEXEC, OURS)?;
        let mut file = File::from(file);
        let written = file
            .write_all(content)
            .and_then(|()| file.sync_all())
            .and_then(|()| Ok(renameat(&self.folder, &*temporary, &self.folder, name)?));
        if written.is_err() {
            // Whatever went wrong with the first is the error to tell of.
            let _ = unlinkat(&self.folder, &*temporary, AtFlags::empty());
        }
        written?;
        Ok(fsync(&self.folder)?)
    }
}

/// A regular file of this user alone, under one name; under none, if it was replaced just now.
fn is_ours(stat: &Stat) -> bool {
    let mode = Mode::from_raw_mode(stat.st_mode);
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && stat.st_uid == geteuid().as_raw()
        && stat.st_nlink <= 1
        && !mode.intersects(Mode::RWXG | Mode::RWXO)
}

/// What a process that was killed while it wrote has left.
fn is_leftover(name: &str) -> bool {
    name.ends_with(TEMPORARY)
}

/// SHA-256 of everything that tells a place from another, as hex: a URL may hold a secret.
fn identity(place: &JwksPlace) -> String {
    let JwksPlace { at, ca, verify_tls, proxy, token_file } = place;
    let at = match at {
        KeysAt::Set { uri } => vec!["set", &uri.0],
        KeysAt::Discovery { url, issuer, plain } => {
            let plain = if *plain == PlainHttp::Anywhere { "anywhere" } else { "loopback" };
            vec!["discovery", &url.0, &issuer.0, plain]
        }
    };
    let ca = match ca {
        CaFile::None => None,
        CaFile::Unreadable => Some(String::new()),
        CaFile::Pem(pem) => Some(digest::hex(pem.digest())),
    };
    let token_file = token_file.as_ref().map(|file| file.to_string_lossy());
    let parts = serde_json::json!([at, ca, verify_tls, proxy, token_file]);
    digest::hex(&digest::sha256([parts.to_string()]))
}

fn file_name(id: &str) -> String {
    format!("{id}.json")
}

const OURS: Mode = Mode::RUSR.union(Mode::WUSR);
/// A set of 512 KiB, of which each character may be escaped, fits.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
const TEMPORARY: &str = ".tmp";
/// Seconds. A config that comes back, or is told to use old sets for longer, still finds them.
const SPARE: f64 = 30.0 * 24.0 * 3600.0;
/// Seconds.
const SWEEP_EVERY: f64 = 24.0 * 3600.0;

#[cfg(test)]
mod tests;
