//! What is on disk: config files and the files they name, as bounded bytes.
//!
//! It parses nothing, and it never resolves a symlink for anyone: paths stay as written.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use crate::{
    config::compile::{SideFile, SideFiles},
    digest,
};

/// A SHA-256 over everything that a config depends on: equal as long as no byte has changed.
pub type Fingerprint = [u8; 32];

/// One config file, or what stands for it where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes, or why there are none.
    pub content: Result<Vec<u8>, String>,
}

/// The config files at `path`, in name order: the file itself, or every `*.yaml`, `*.yml` and
/// `*.json` directly in the folder whose name does not start with a dot. Never empty.
#[must_use]
pub fn sources(path: &Path) -> Vec<Source> {
    let failed = |reason: String| vec![Source { path: path.to_owned(), content: Err(reason) }];
    if !path.is_dir() {
        return vec![source(path.to_owned())];
    }
    match config_files(path) {
        Ok(files) if files.is_empty() => failed(NO_FILES.to_owned()),
        Ok(files) => files.into_iter().map(source).collect(),
        Err(error) => failed(unreadable(&error)),
    }
}

/// The content of each of `paths`, or why there is none.
#[must_use]
pub fn side_files<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> SideFiles {
    let mut files = SideFiles::new();
    for path in paths {
        files.entry(path.clone()).or_insert_with(|| match read(path) {
            Ok(bytes) => SideFile::Content(bytes.into()),
            Err(error) => SideFile::Unreadable(error.kind().to_string()),
        });
    }
    files
}

/// SHA-256 over names and bytes in name order, lower-case hex: for each file the length of its
/// name (u64, little-endian), the name, the length of the content, the content.
#[must_use]
pub fn config_hash(sources: &[Source]) -> String {
    let mut parts = Parts::default();
    for Source { path, content } in sources {
        let name = path.file_name().unwrap_or_default();
        parts.push(name.as_encoded_bytes());
        parts.push(content.as_deref().unwrap_or_default());
    }
    digest::hex(&digest::sha256(parts.0))
}

/// The fingerprint of these files, absent ones included.
#[must_use]
pub fn fingerprint(sources: &[Source], side: &SideFiles) -> Fingerprint {
    let mut parts = Parts::default();
    for Source { path, content } in sources {
        parts.push(path.as_os_str().as_encoded_bytes());
        match content {
            Ok(bytes) => parts.content(bytes),
            Err(reason) => parts.absence(reason),
        }
    }
    for (path, file) in side {
        parts.push(path.as_os_str().as_encoded_bytes());
        match file {
            SideFile::Content(bytes) => parts.content(bytes),
            SideFile::Unreadable(reason) => parts.absence(reason),
        }
    }
    digest::sha256(parts.0)
}

/// What a digest runs over: each part after its length, so that no two lists read alike.
#[derive(Default)]
struct Parts<'a>(Vec<Part<'a>>);

enum Part<'a> {
    Length([u8; 8]),
    Bytes(&'a [u8]),
}

impl AsRef<[u8]> for Part<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Length(length) => length,
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl<'a> Parts<'a> {
    fn push(&mut self, bytes: &'a [u8]) {
        self.0.push(Part::Length((bytes.len() as u64).to_le_bytes()));
        self.0.push(Part::Bytes(bytes));
    }

    fn content(&mut self, bytes: &'a [u8]) {
        self.0.push(Part::Bytes(b"+"));
        self.push(bytes);
    }

    fn absence(&mut self, reason: &'a str) {
        self.0.push(Part::Bytes(b"-"));
        self.push(reason.as_bytes());
    }
}

fn source(path: PathBuf) -> Source {
    let content = read(&path).map_err(|error| unreadable(&error));
    Source { path, content }
}

fn config_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let path = folder.join(entry?.file_name());
        if is_config_name(&path) && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn is_config_name(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let extension = path.extension().and_then(|extension| extension.to_str());
    !hidden && extension.is_some_and(|extension| ["yaml", "yml", "json"].contains(&extension))
}

/// Reads a regular file. A pipe or a device could block or never end.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !path.metadata()?.is_file() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

fn unreadable(error: &io::Error) -> String {
    format!("cannot be read: {}; a readable file or folder is accepted", error.kind())
}

/// Bound on every file that is read.
const MAX_BYTES: u64 = 8 * 1024 * 1024;
const NO_FILES: &str = "a folder without a config; *.yaml, *.yml or *.json whose name does not \
                        start with a dot is accepted";
