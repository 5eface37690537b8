//! A path -> everything a snapshot needs, or every problem: what `serve`, `validate` and the
//! watcher all go through.
//!
//! It makes no network call and does not decide when to load.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{
    config::{
        compile::{Compiled, Providers, SideFiles, compile},
        disk::{self, Fingerprint, Source},
        file::{ConfigFile, provider::JwksFile},
        problem::{Place, Problem, Problems},
    },
    snapshot::Snapshot,
};

/// A config that can be served.
#[derive(Debug)]
pub struct Loaded {
    /// What it means.
    pub compiled: Compiled,
    /// SHA-256 over the config files' names and bytes in name order, lower-case hex.
    pub config_hash: String,
    /// Every file that was read or tried: config files, then side files.
    pub inputs: Vec<PathBuf>,
    /// The side files among them.
    pub side: BTreeSet<PathBuf>,
    /// Over config and side files; differs as soon as one byte does.
    pub fingerprint: Fingerprint,
}

/// Loads the config at `path`, a file or a folder.
///
/// # Errors
/// Every problem of every file.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    Reading::take(path).compile()
}

/// The fingerprint of the config at `path` with these side files, without parsing anything. It is
/// [`Loaded::fingerprint`] as long as nothing has changed.
#[must_use]
pub fn fingerprint(path: &Path, side: &BTreeSet<PathBuf>) -> Fingerprint {
    disk::fingerprint(&disk::sources(path), &disk::side_files(side))
}

impl Loaded {
    /// The snapshot, as the `generation`th of the process.
    #[must_use]
    pub fn into_snapshot(self, generation: u64, applied_at: SystemTime) -> Snapshot {
        let Compiled {
            providers,
            policies,
            default_policy,
            routes,
            owned_headers,
            warnings,
            definitions,
        } = self.compiled;
        Snapshot {
            generation,
            config_hash: self.config_hash,
            applied_at,
            providers,
            policies,
            default_policy,
            routes,
            owned_headers,
            warnings,
            definitions,
            changes: None,
        }
    }
}

/// One look at the disk: every byte that a config depends on, read once.
#[derive(Debug)]
pub struct Reading {
    sources: Vec<Source>,
    files: Vec<ConfigFile>,
    side: SideFiles,
}

/// A look at the disk after another.
#[derive(Debug, PartialEq, Eq)]
pub enum Look<R> {
    /// Not a byte has changed, so the first reading stands.
    Same(R),
    /// Something else stands there.
    New(R),
}

impl Reading {
    /// Reads the config at `path` and the files that it names.
    #[must_use]
    pub fn take(path: &Path) -> Self {
        let sources = disk::sources(path);
        let files: Vec<ConfigFile> = sources.iter().map(config_file).collect();
        let providers = files.iter().flat_map(|file| file.providers.iter().flatten());
        let jwks = providers.filter_map(|provider| provider.jwks.as_ref());
        let side = disk::side_files(jwks.flat_map(JwksFile::side_files));
        Self { sources, files, side }
    }

    /// Looks again, and parses only what has changed since.
    #[must_use]
    pub fn again(self, path: &Path) -> Look<Self> {
        if fingerprint(path, &self.side()) == self.fingerprint() {
            Look::Same(self)
        } else {
            Look::New(Self::take(path))
        }
    }

    /// Over config and side files; differs as soon as one byte does.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        disk::fingerprint(&self.sources, &self.side)
    }

    /// The files that the config names.
    #[must_use]
    pub fn side(&self) -> BTreeSet<PathBuf> {
        self.side.keys().cloned().collect()
    }

    /// Gives the bytes their meaning.
    ///
    /// # Errors
    /// Every problem of every file.
    pub fn compile(self) -> Result<Loaded, Problems> {
        self.compile_after(&Providers::new())
    }

    /// As [`Reading::compile`], where these providers are served.
    ///
    /// # Errors
    /// Every problem of every file.
    pub fn compile_after(self, before: &Providers) -> Result<Loaded, Problems> {
        let fingerprint = self.fingerprint();
        let compiled = compile(&self.files, &self.side, before)?;
        let config_hash = disk::config_hash(&self.sources);
        let side = self.side();
        let config = self.sources.into_iter().map(|source| source.path);
        let inputs = config.chain(side.iter().cloned()).collect();
        Ok(Loaded { compiled, config_hash, inputs, side, fingerprint })
    }
}

fn config_file(Source { path, content }: &Source) -> ConfigFile {
    match content {
        Ok(bytes) => ConfigFile::read(path, bytes),
        Err(reason) => {
            let start = Place::start_of(&path.to_string_lossy());
            ConfigFile::broken(path, Problem::new(&start, reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use tempfile::TempDir;

    use super::*;
    use crate::config::compile::SideFile;

    /// A folder with these files.
    fn folder(files: &[(&str, &str)]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    /// Problems as text, with the folder left out.
    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let folder = folder(files);
        let problems = load(folder.path()).unwrap_err().to_string();
        let problems = problems.replace(&format!("{}/", folder.path().display()), "");
        let problems: Vec<_> = problems.lines().collect();
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.starts_with(expected), "{problem} does not start with {expected}");
        }
    }

    fn provider(name: &str) -> String {
        format!(
            "providers: [{{name: {name}, issuer: {name}, audiences: any, jwks: {{uri: 'https://i'}}}}]"
        )
    }

    #[test]
    fn a_folder_is_merged_whatever_stands_where() {
        let (a, b) = (provider("a"), "policies: [{name: p, providers: [A]}]\ndefault_policy: P\n");
        for (first, second) in [(a.as_str(), b), (b, a.as_str())] {
            let folder =
                folder(&[("1.yaml", first), ("2.json", second), ("3.yml", "providers: []")]);
            let compiled = load(folder.path()).unwrap().compiled;
            assert!(compiled.providers.contains_key("a"));
            assert_eq!(compiled.default_policy.unwrap().accepts.unknown, [""; 0]);
            assert!(compiled.warnings.is_empty());
        }
    }

    #[test]
    fn other_names_and_sub_folders_are_ignored() {
        let folder =
            folder(&[("a.yaml", "providers: []"), (".b.yaml", "x"), ("c.YAML", "x"), ("d", "x")]);
        fs::create_dir(folder.path().join("e.yaml")).unwrap();
        assert_eq!(load(folder.path()).unwrap().inputs, [folder.path().join("a.yaml")]);
    }

    #[test]
    fn a_folder_without_a_config_is_a_problem() {
        let folder = folder(&[("a.txt", "providers: []")]);
        let problem = load(folder.path()).unwrap_err().to_string();
        let expected = format!("{}:1:1: a folder without a config", folder.path().display());
        assert!(problem.starts_with(&expected), "{problem}");
    }

    #[test]
    fn a_missing_file_is_a_problem() {
        let problem = load(Path::new("/nowhere/c.yaml")).unwrap_err().to_string();
        assert!(problem.starts_with("/nowhere/c.yaml:1:1: cannot be read: entity not found"));
    }

    #[test]
    fn a_dangling_link_is_a_problem_and_not_an_absent_file() {
        let folder = folder(&[("a.yaml", "providers: []")]);
        std::os::unix::fs::symlink("gone", folder.path().join("b.yaml")).unwrap();
        let problem = load(folder.path()).unwrap_err().to_string();
        assert!(problem.contains("b.yaml:1:1: cannot be read: entity not found"), "{problem}");
    }

    #[test]
    fn names_and_default_policy_are_unique_over_all_files() {
        let a = format!(
            "{}\npolicies: [{{name: p, mode: anonymous}}]\ndefault_policy: p",
            provider("a")
        );
        let b = a.replace("name: a", "name: A").replace("name: p", "name: P");
        check(
            &[("1.yaml", &a), ("2.yaml", &b)],
            &[
                "2.yaml:1:20: providers[0].name: the name is taken at 1.yaml:1:20; case does not count",
                "2.yaml:2:19: policies[0].name: the name is taken at 1.yaml:2:19",
                "2.yaml:3:17: default_policy: already set at 1.yaml:3:17; one is accepted",
            ],
        );
    }

    #[test]
    fn a_broken_file_hides_no_problem_of_another_and_invents_none() {
        check(
            &[("1.yaml", "policies: ["), ("2.yaml", "default_policy: p\nx: 1")],
            &["1.yaml:", "2.yaml:2:1: x: unknown key"],
        );
    }

    #[test]
    fn nothing_at_all_is_no_config() {
        check(&[("1.yaml", "")], &["1.yaml:1:1: the document is empty"]);
        check(&[("1.yaml", "version: 1")], &["1.yaml:1:1: neither providers nor policies"]);
    }

    #[test]
    fn the_hash_covers_names_and_bytes_and_nothing_else() {
        let one = folder(&[("a.yaml", "providers: []")]);
        let hash = |folder: &TempDir| load(folder.path()).unwrap().config_hash;
        let mut bytes = 6_u64.to_le_bytes().to_vec();
        bytes.extend(b"a.yaml");
        bytes.extend(13_u64.to_le_bytes());
        bytes.extend(b"providers: []");
        let expected = crate::digest::hex(&crate::digest::sha256([bytes]));
        assert_eq!(hash(&one), expected);
        assert_eq!(load(&one.path().join("a.yaml")).unwrap().config_hash, expected);
        assert_eq!(hash(&folder(&[("a.yaml", "providers: []"), ("b.txt", "")])), expected);
        assert_ne!(hash(&folder(&[("b.yaml", "providers: []")])), expected);
        assert_ne!(hash(&folder(&[("a.yaml", "providers: [] ")])), expected);
    }

    #[test]
    fn the_hash_does_not_depend_on_the_order_of_creation() {
        let (a, b) = (("a.yaml", "providers: []"), ("b.yaml", "version: 1"));
        let hashes = [[a, b], [b, a]].map(|files| load(folder(&files).path()).unwrap().config_hash);
        assert_eq!(hashes[0], hashes[1]);
    }

    #[test]
    fn an_unreadable_side_file_is_a_warning_and_its_arrival_changes_the_fingerprint() {
        let text =
            "providers:\n- name: a\n  issuer: i\n  audiences: any\n  jwks: {file: keys.json}";
        let folder = folder(&[("c.yaml", text)]);
        let path = folder.path().join("c.yaml");
        let before = load(&path).unwrap();
        let keys = folder.path().join("keys.json");
        assert_eq!(before.inputs, [path.clone(), keys.clone()]);
        let expected = format!(
            "{}:5:16: providers[0].jwks.file: {} cannot be read (entity not found); \
             the provider is unavailable",
            path.display(),
            keys.display()
        );
        assert_eq!(before.compiled.warnings, [expected]);
        assert_eq!(fingerprint(&path, &before.side), before.fingerprint);
        fs::write(&keys, ED25519).unwrap();
        let after = load(&path).unwrap();
        assert_ne!(after.fingerprint, before.fingerprint);
        assert_eq!(after.config_hash, before.config_hash);
        assert_eq!(fingerprint(&path, &before.side), after.fingerprint);
        assert!(after.compiled.warnings.is_empty());
    }

    #[test]
    fn a_second_look_parses_only_what_has_changed() {
        let text =
            "providers:\n- name: a\n  issuer: i\n  audiences: any\n  jwks: {file: keys.json}";
        let folder = folder(&[("c.yaml", text)]);
        let (path, keys) = (folder.path().join("c.yaml"), folder.path().join("keys.json"));
        let first = Reading::take(&path);
        let parsed = first.files.as_ptr();
        let Look::Same(same) = first.again(&path) else { panic!("nothing has changed") };
        assert_eq!(same.files.as_ptr(), parsed);
        fs::write(&keys, ED25519).unwrap();
        let Look::New(new) = same.again(&path) else { panic!("the keys came") };
        assert!(matches!(new.side.get(&keys), Some(SideFile::Content(_))));
        fs::write(&path, format!("{text}\n- name: b")).unwrap();
        let Look::New(new) = new.again(&path) else { panic!("a provider came") };
        assert!(new.compile().is_err());
        fs::remove_file(&path).unwrap();
        let gone = Reading::take(&path);
        assert!(matches!(gone.again(&path), Look::Same(_)));
    }

    #[test]
    fn a_side_file_that_is_a_folder_counts_as_unreadable() {
        let text = "providers:\n- name: a\n  issuer: i\n  audiences: any\n  jwks: {file: .}";
        let folder = folder(&[("c.yaml", text)]);
        let warnings = load(folder.path()).unwrap().compiled.warnings;
        assert!(warnings[0].contains("cannot be read (is a directory)"), "{warnings:?}");
    }

    #[test]
    fn a_snapshot_carries_generation_time_and_hash() {
        let folder = folder(&[("a.yaml", &provider("a"))]);
        let loaded = load(folder.path()).unwrap();
        let hash = loaded.config_hash.clone();
        let snapshot = loaded.into_snapshot(7, SystemTime::UNIX_EPOCH);
        assert_eq!((snapshot.generation, snapshot.applied_at), (7, SystemTime::UNIX_EPOCH));
        assert_eq!(snapshot.config_hash, hash);
        assert!(snapshot.provider("A").is_some());
    }

    const ED25519: &str = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    #[test]
    fn a_provider_is_the_one_before_as_long_as_nothing_of_it_changes() {
        let provider =
            "{name: a, issuer: a, audiences: any, jwks: {uri: 'https://i', ca_file: ca.pem}}";
        let config = |provider: &str, more: &str| format!("providers: [{provider}]\n{more}");
        let policy = "policies: [{name: p, providers: [a]}]";
        let ca = "-----BEGIN CERTIFICATE-----";
        let folder = folder(&[("c.yaml", &config(provider, "")), ("ca.pem", ca)]);
        let before = load(folder.path()).unwrap().compiled.providers;
        let write = |name, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let same = || {
            let after = Reading::take(folder.path()).compile_after(&before).unwrap().compiled;
            let owner = after.policies["p"].accepts.owner_of("a").unwrap();
            assert!(Arc::ptr_eq(owner, &after.providers["a"]));
            Arc::ptr_eq(owner, &before["a"])
        };
        write("c.yaml", &config(provider, policy));
        assert!(same());
        write("ca.pem", &format!("{ca} other"));
        assert!(!same());
        write("ca.pem", ca);
        assert!(same());
        for other in [
            provider.replace("name: a", "name: A"),
            provider.replace("any", "[b]"),
            provider.replace("}}", "}, leeway: 1s}"),
        ] {
            write("c.yaml", &config(&other, policy));
            assert!(!same(), "{other}");
        }
    }
}
