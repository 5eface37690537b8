//! A mounted ConfigMap, written as the kubelet's atomic writer does it.
//!
//! The steps and their order are those of Kubernetes' `pkg/volume/util/atomic_writer.go`: a new
//! timestamped folder, the files in it, `..data_tmp` -> it, renamed over `..data`, then the names
//! that users see (links through `..data`), then away with what is old.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

const DATA: &str = "..data";
const NEW_DATA: &str = "..data_tmp";

/// A mounted volume.
pub(crate) struct AtomicWriter {
    root: TempDir,
    written: u32,
}

impl AtomicWriter {
    /// A volume with this payload.
    pub(crate) fn mount(payload: &[(&str, &str)]) -> Self {
        let mut volume = Self { root: tempfile::tempdir().unwrap(), written: 0 };
        volume.write(payload);
        volume
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().to_owned()
    }

    /// Makes the volume hold exactly this payload. The same payload again writes nothing.
    pub(crate) fn write(&mut self, payload: &[(&str, &str)]) {
        let text = |(name, content): &(&str, &str)| ((*name).to_owned(), (*content).to_owned());
        let payload: BTreeMap<String, String> = payload.iter().map(text).collect();
        let old = fs::read_link(self.at(DATA)).ok();
        if old.is_some() && self.held() == payload {
            return;
        }
        let stale: Vec<String> = self
            .names()
            .into_iter()
            .filter(|name| !name.starts_with("..") && !payload.contains_key(name))
            .collect();
        self.written += 1;
        let folder = format!("..2026_11_25_04_00_00.{:09}", self.written);
        fs::create_dir(self.at(&folder)).unwrap();
        fs::set_permissions(self.at(&folder), Permissions::from_mode(0o755)).unwrap();
        for (name, content) in &payload {
            let file = self.at(&folder).join(name);
            fs::write(&file, content).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        }
        symlink(&folder, self.at(NEW_DATA)).unwrap();
        fs::rename(self.at(NEW_DATA), self.at(DATA)).unwrap();
        for name in payload.keys() {
            if fs::symlink_metadata(self.at(name)).is_err() {
                symlink(Path::new(DATA).join(name), self.at(name)).unwrap();
            }
        }
        for name in stale {
            fs::remove_file(self.at(&name)).unwrap();
        }
        if let Some(old) = old {
            fs::remove_dir_all(self.at(old.to_str().unwrap())).unwrap();
        }
    }

    fn held(&self) -> BTreeMap<String, String> {
        let names = self.names().into_iter().filter(|name| !name.starts_with(".."));
        names.map(|name| (name.clone(), fs::read_to_string(self.at(&name)).unwrap())).collect()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.root.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }
}
