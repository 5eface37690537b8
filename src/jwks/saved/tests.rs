//! What is believed of what is on disk, and what is not.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    sync::atomic::{AtomicBool, Ordering},
};

use tempfile::TempDir;

use super::*;
use crate::{provider::pem::Pem, url::UrlText};

const NOW: f64 = 1_700_000_000.0;
const HOUR: f64 = 3600.0;
/// For how long sets are used here.
const DAY: Duration = Duration::from_secs(24 * 3600);

fn place(uri: &str) -> JwksPlace {
    JwksPlace {
        at: KeysAt::Set { uri: UrlText(uri.to_owned()) },
        ca: CaFile::None,
        verify_tls: true,
        proxy: None,
        token_file: None,
    }
}

struct Fixture {
    folder: TempDir,
    saved: Saved,
}

impl Fixture {
    /// With the set `old` of `https://a/`, fetched a minute ago.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved::open(&folder.path().join("state")).unwrap();
        saved.save(&place("https://a/"), b"old", NOW - 60.0, DAY, NOW).unwrap();
        Self { folder, saved }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The only file.
    fn file(&self) -> PathBuf {
        let mut files = fs::read_dir(self.path()).unwrap();
        let file = files.next().unwrap().unwrap().path();
        assert!(files.next().is_none(), "one file a place, and no leftovers");
        file
    }

    #[track_caller]
    fn check(&self, expected: Option<(&str, f64)>) {
        let read = self.saved.load(&place("https://a/"), NOW);
        let read = read.as_ref().map(|set| (&*set.text, set.fetched_unix - NOW));
        assert_eq!(read, expected);
    }

    fn rewrite(&self, change: impl Fn(&str) -> String) {
        let text = fs::read_to_string(self.file()).unwrap();
        fs::write(self.file(), change(&text)).unwrap();
    }
}

const OLD: Option<(&str, f64)> = Some(("old", -60.0));

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_set_is_found_again_by_another_process() {
    let mut fixture = Fixture::new();
    fixture.check(OLD);
    fixture.saved = Saved::open(&fixture.path()).unwrap();
    fixture.check(OLD);
    let file = fixture.file();
    assert_eq!((mode(&fixture.path()), mode(&file)), (0o700, 0o600));
    let name = file.file_stem().unwrap().to_str().unwrap();
    assert!(name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
}

#[test]
fn a_newer_set_replaces_an_older_one_and_never_the_other_way_round() {
    let fixture = Fixture::new();
    let save = |text: &[u8], at| {
        fixture.saved.save(&place("https://a/"), text, at, DAY, NOW).unwrap();
    };
    save(b"new", NOW - 30.0);
    fixture.check(Some(("new", -30.0)));
    save(b"older", NOW - 40.0);
    fixture.check(Some(("new", -30.0)));
    save(b"new", NOW - 10.0);
    fixture.check(Some(("new", -10.0)));
}

#[test]
fn a_set_of_the_future_is_discarded_and_written_over() {
    let fixture = Fixture::new();
    let a = place("https://a/");
    fixture.saved.save(&a, b"future", NOW + 1.0, DAY, NOW + 1.0).unwrap();
    fixture.check(None);
    fixture.saved.save(&a, b"new", NOW, DAY, NOW).unwrap();
    fixture.check(Some(("new", 0.0)));
}

#[test]
fn a_set_is_of_one_place_alone() {
    let fixture = Fixture::new();
    let a = place("https://a/");
    let discovery = KeysAt::Discovery {
        url: UrlText("https://a/".into()),
        issuer: crate::provider::Issuer("i".into()),
        plain: PlainHttp::Loopback,
    };
    for other in [
        place("https://b/"),
        JwksPlace { at: discovery, ..a.clone() },
        JwksPlace { ca: CaFile::Pem(Pem::new(b"x".as_slice().into())), ..a.clone() },
        JwksPlace { verify_tls: false, ..a.clone() },
        JwksPlace { proxy: Some("http://p".into()), ..a.clone() },
        JwksPlace { token_file: Some("t".into()), ..a.clone() },
    ] {
        assert_eq!(fixture.saved.load(&other, NOW), None);
        // Not even under the name of the other.
        let name = file_name(&identity(&other));
        fs::copy(fixture.file(), fixture.path().join(&name)).unwrap();
        assert_eq!(fixture.saved.load(&other, NOW), None);
        fs::remove_file(fixture.path().join(name)).unwrap();
    }
    fixture.check(OLD);
}

#[test]
fn what_this_program_did_not_write_is_not_read() {
    for change in [
        |_: &str| String::new(),
        |text: &str| text[..text.len() - 1].to_owned(),
        |text: &str| text.replace('{', "{\"x\":1,"),
        |text: &str| text.replace("\"fetched_at\":1", "\"fetched_at\":-1"),
        |text: &str| text.replace("\"fetched_at\":1", "\"fetched_at\":\"1\",\"x\":1"),
    ] {
        let fixture = Fixture::new();
        fixture.rewrite(change);
        fixture.check(None);
    }
}

#[test]
fn a_file_that_others_may_touch_is_not_read() {
    for mode in [0o640, 0o604, 0o620, 0o602] {
        let fixture = Fixture::new();
        fs::set_permissions(fixture.file(), fs::Permissions::from_mode(mode)).unwrap();
        fixture.check(None);
    }
}

#[test]
fn a_link_is_not_followed() {
    let fixture = Fixture::new();
    let (file, elsewhere) = (fixture.file(), fixture.folder.path().join("elsewhere"));
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    fixture.check(None);
    fs::remove_file(&file).unwrap();
    fs::hard_link(&elsewhere, &file).unwrap();
    fixture.check(None);
    fs::remove_file(&file).unwrap();
    symlink(&elsewhere, &file).unwrap();
    let before = fs::read(&elsewhere).unwrap();
    fixture.saved.save(&place("https://a/"), b"new", NOW, DAY, NOW).unwrap();
    assert_eq!(fs::read(&elsewhere).unwrap(), before, "the link was replaced, not its target");
    fixture.check(Some(("new", 0.0)));
}

#[test]
fn what_is_no_file_is_not_read() {
    let fixture = Fixture::new();
    let file = fixture.file();
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    fixture.check(None);
    assert!(fixture.saved.save(&place("https://a/"), b"new", NOW, DAY, NOW).is_err());
    assert!(fixture.file().is_dir(), "no leftover");
}

#[test]
fn the_folder_is_ours_alone_and_no_link() {
    let root = tempfile::tempdir().unwrap();
    let open = root.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    Saved::open(&open).unwrap();
    assert_eq!(mode(&open), 0o700);
    Saved::open(&root.path().join("a/b/")).unwrap();
    let link = root.path().join("link");
    symlink(&open, &link).unwrap();
    assert!(Saved::open(&link).is_err());
    assert!(Saved::open(&root.path().join("link/")).is_err());
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(Saved::open(&file).is_err());
}

#[test]
fn what_a_killed_process_left_is_removed_and_what_another_is_writing_is_not() {
    let fixture = Fixture::new();
    let leftover = fixture.path().join("x.json.0.tmp");
    fs::write(&leftover, "").unwrap();
    let writing = fixture.saved.exclusive().unwrap();
    Saved::open(&fixture.path()).unwrap();
    assert!(leftover.exists());
    drop(writing);
    Saved::open(&fixture.path()).unwrap();
    fixture.file();
}

#[test]
fn while_another_process_writes_nothing_is_written_and_all_is_read() {
    let fixture = Fixture::new();
    let other = Saved::open(&fixture.path()).unwrap();
    let writing = other.exclusive().unwrap();
    let save = || fixture.saved.save(&place("https://a/"), b"new", NOW, DAY, NOW);
    assert_eq!(save().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    fixture.check(OLD);
    drop(writing);
    save().unwrap();
    fixture.check(Some(("new", 0.0)));
}

/// Each of two processes writes its sets out of order, while a third one reads.
#[test]
fn two_processes_never_tear_a_set_nor_put_an_older_one_over_a_newer() {
    const SETS: u64 = 60;
    const BEGUN: f64 = NOW - 3600.0;
    let fixture = Fixture::new();
    let a = place("https://a/");
    let text = |at: u64| format!("{at} {}", "x".repeat(100 * (at as usize % 7)));
    let write = |saved: &Saved, odd: u64| {
        for n in 0..SETS {
            // 2, 1, 0, 5, 4, 3, …
            let at = 2 * (n / 3 * 3 + 2 - n % 3) + odd;
            let save = || saved.save(&a, text(at).as_bytes(), BEGUN + at as f64, DAY, NOW);
            while save().map_err(|error| error.kind()) == Err(io::ErrorKind::WouldBlock) {
                std::thread::yield_now();
            }
        }
    };
    let [first, second, reader] = [(); 3].map(|()| Saved::open(&fixture.path()).unwrap());
    fs::remove_file(fixture.file()).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut newest = 0;
            while !over.load(Ordering::Relaxed) {
                let Some(set) = reader.load(&a, NOW) else {
                    assert_eq!(newest, 0, "torn or gone");
                    continue;
                };
                let at = (set.fetched_unix - BEGUN) as u64;
                assert!(at >= newest, "{at} over {newest}");
                assert_eq!(set.text, text(at));
                newest = at;
            }
        });
        let writers = [scope.spawn(|| write(&first, 0)), scope.spawn(|| write(&second, 1))];
        let written = writers.map(|writer| writer.join());
        over.store(true, Ordering::Relaxed);
        assert!(written.iter().all(Result::is_ok));
    });
    let newest = reader.load(&a, NOW).unwrap().fetched_unix;
    assert_eq!(newest - BEGUN, (2 * (SETS - 1) + 1) as f64);
    fixture.file();
}

#[test]
fn what_nobody_uses_any_more_is_removed_after_a_month() {
    let fixture = Fixture::new();
    let foreign = fixture.path().join("notes.json");
    fs::write(&foreign, "{}").unwrap();
    let (old, b) = (fixture.path().join(file_name(&identity(&place("https://a/")))), "https://b/");
    let last_use = NOW - 60.0 + DAY.as_secs_f64();
    for (now, is_there) in [(last_use + SPARE - HOUR, true), (last_use + SPARE + HOUR, false)] {
        let saved = Saved::open(&fixture.path()).unwrap();
        saved.save(&place(b), b"b", now, DAY, now).unwrap();
        assert_eq!(old.exists(), is_there, "{now}");
        assert_eq!(saved.load(&place(b), now).unwrap().text, "b");
    }
    assert!(foreign.exists(), "it is none of ours");
}

#[test]
fn a_process_that_runs_for_long_looks_each_day_for_what_nobody_uses() {
    let fixture = Fixture::new();
    let old = fixture.file();
    let last_use = NOW - 60.0 + DAY.as_secs_f64();
    let begun = last_use + SPARE - HOUR;
    for (after, is_there) in [(0.0, true), (23.0 * HOUR, true), (24.0 * HOUR, false)] {
        let now = begun + after;
        fixture.saved.save(&place("https://b/"), b"b", now, DAY, now).unwrap();
        assert_eq!(old.exists(), is_there, "{after}");
    }
}
