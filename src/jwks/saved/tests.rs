//! What is believed of what is on disk, and what is not.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use tempfile::TempDir;

use super::*;
use crate::url::UrlText;

const NOW: f64 = 1_700_000_000.0;

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
        saved.save(&place("https://a/"), Some(b"old"), NOW - 60.0, NOW).unwrap();
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
    let save = |text: Option<&[u8]>, at| {
        fixture.saved.save(&place("https://a/"), text, at, NOW).unwrap();
    };
    save(Some(b"new"), NOW - 30.0);
    fixture.check(Some(("new", -30.0)));
    save(Some(b"older"), NOW - 40.0);
    fixture.check(Some(("new", -30.0)));
    save(None, NOW - 10.0);
    fixture.check(Some(("new", -10.0)));
}

#[test]
fn a_set_of_the_future_is_discarded_and_written_over() {
    let fixture = Fixture::new();
    let a = place("https://a/");
    fixture.saved.save(&a, Some(b"future"), NOW + 1.0, NOW + 1.0).unwrap();
    fixture.check(None);
    fixture.saved.save(&a, Some(b"new"), NOW, NOW).unwrap();
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
        JwksPlace { ca: CaFile::Pem(b"x".as_slice().into()), ..a.clone() },
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
    fixture.saved.save(&place("https://a/"), Some(b"new"), NOW, NOW).unwrap();
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
    assert!(fixture.saved.save(&place("https://a/"), Some(b"new"), NOW, NOW).is_err());
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
fn what_a_killed_process_left_is_removed() {
    let fixture = Fixture::new();
    fs::write(fixture.path().join("x.json.0.tmp"), "").unwrap();
    Saved::open(&fixture.path()).unwrap();
    fixture.file();
}
