//! The rules of ARCHITECTURE.md that a compiler does not hold.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the decision and the data stand: nothing there may wait, read a clock or do I/O.
const PURE: &[&str] = &[
    "src/check.rs",
    "src/check/",
    "src/provider.rs",
    "src/policy.rs",
    "src/policy/",
    "src/routes.rs",
    "src/jwks/key.rs",
    "src/jwks/key_set.rs",
    "src/config/file",
    "src/config/compile",
    "src/config/presets",
];

/// Each external crate's one home: where else it is named is a design change.
const HOMES: &[(&str, &[&str])] = &[
    ("arc_swap", &["src/snapshot/cell.rs", "src/jwks/store.rs", "src/token_cache/front.rs"]),
    ("aws_lc_rs", &["src/jwks/key.rs", "src/digest.rs", "src/cli/demo/issuer.rs"]),
    ("axum", &["src/admin.rs", "src/cli/demo/"]),
    ("cel", &["src/policy/rule"]),
    ("clap", &["src/cli", "src/settings.rs", "src/main.rs"]),
    ("envoy_types", &["src/cli/demo/"]),
    ("hyper", &["src/server/", "src/cli/demo/http.rs"]),
    ("jsonwebtoken", &["src/jwks/key.rs", "src/cli/demo/issuer.rs"]),
    ("moka", &["src/token_cache.rs"]),
    ("notify", &["src/config/watch.rs"]),
    ("prometheus", &["src/telemetry/metrics", "src/server.rs"]),
    ("httpdate", &["src/jwks/fetch/"]),
    ("regex", &["src/policy/rule"]),
    ("reqwest", &["src/jwks/fetch/"]),
    ("rustix", &["src/jwks/saved.rs", "src/config/watch.rs"]),
    ("rustls", &["src/jwks/fetch/"]),
    ("rustls_native_certs", &["src/jwks/fetch/trust.rs"]),
    ("saphyr", &["src/config/document"]),
    ("thread_local", &["src/telemetry/metrics/tally.rs"]),
    ("tonic", &["src/grpc/encode.rs", "src/server"]),
];

/// Long-lived tasks start here; the demo's end with it, and the parser of a rule with its rule.
const SPAWNERS: &[&str] =
    &["src/server", "src/jwks/refresh", "src/config/watch.rs", "src/cli/demo/", "src/policy/rule/"];

/// What a clock, a wait or the network looks like in source.
const IMPURE: &[&str] = &[
    "async fn",
    ".await",
    "tokio",
    "tonic",
    "reqwest",
    "moka",
    "notify",
    "envoy_types",
    "SystemTime::now",
];

const HARD_LIMIT: usize = 300;
const FUNCTION_LIMIT: usize = 50;

struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Lines of code: no tests, no comments, no blank lines.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        // Unit tests in a file of their own are tests all the same.
        let tests = self.path.ends_with("/tests.rs") || self.path.contains("/tests/");
        let text = if tests { "" } else { self.text.as_str() };
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with("//")
        })
    }
}

/// Every file under `folder`, with paths from the root of the project.
fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

fn is_in(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

/// Whether `line` names the crate, and not a word that contains it.
fn names(line: &str, krate: &str) -> bool {
    let bounded = |text: &str, at: usize| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '"')
    };
    line.match_indices(krate).any(|(at, _)| {
        let after = &line[at + krate.len()..];
        bounded(line, at) && (after.starts_with("::") || after.starts_with(';'))
    })
}

#[track_caller]
fn none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

#[test]
fn the_decision_does_no_io_and_reads_no_clock() {
    let mut found = Vec::new();
    for source in sources("src").iter().filter(|source| is_in(&source.path, PURE)) {
        for (number, line) in source.code() {
            if IMPURE.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{number}: {line}", source.path));
            }
        }
    }
    none(&found, "nothing under check/ and in the data modules waits, does I/O or reads a clock");
}

#[test]
fn every_crate_has_one_home() {
    let mut found = Vec::new();
    for source in sources("src") {
        for (krate, homes) in HOMES {
            let strays = source.code().filter(|(_, line)| names(line, krate));
            for (number, line) in strays.filter(|_| !is_in(&source.path, homes)) {
                found.push(format!("{}:{number}: {line}", source.path));
            }
        }
    }
    none(&found, "a crate is used outside of its home");
}

#[test]
fn every_home_is_lived_in() {
    let sources = sources("src");
    let mut found = Vec::new();
    for (krate, homes) in HOMES {
        for home in *homes {
            let lived_in = sources.iter().any(|source| {
                source.path.starts_with(home) && source.code().any(|(_, line)| names(line, krate))
            });
            if !lived_in {
                found.push(format!("{krate} is not used in {home}"));
            }
        }
    }
    none(&found, "the table of homes names a place that is none");
}

/// Whether `line` starts a task. What only leaves a worker for a moment of blocking ends by itself.
fn spawns(line: &str) -> bool {
    line.replace("spawn_blocking", "").contains("spawn")
}

#[test]
fn long_lived_tasks_start_in_few_places() {
    let mut found = Vec::new();
    for source in sources("src").iter().filter(|source| !is_in(&source.path, SPAWNERS)) {
        for (number, line) in source.code().filter(|(_, line)| spawns(line)) {
            found.push(format!("{}:{number}: {line}", source.path));
        }
    }
    none(&found, "a task starts outside of server, jwks/refresh, config/watch and the demo");
}

#[test]
fn files_are_small_and_say_what_they_are_for() {
    let mut found = Vec::new();
    for source in sources("src") {
        let lines = source.code().count();
        if lines > HARD_LIMIT {
            found.push(format!("{}: {lines} lines of code", source.path));
        }
        if !source.text.starts_with("//! ") {
            found.push(format!("{}: does not begin with a `//!` sentence", source.path));
        }
    }
    none(&found, "a file is over 300 lines of code or does not say what it is for");
}

#[test]
fn functions_are_short() {
    let mut found = Vec::new();
    for source in sources("src") {
        let mut start: Option<(usize, usize, &str)> = None;
        for (count, (number, line)) in source.code().enumerate() {
            let text = line.trim_start();
            let indent = line.len() - text.len();
            let begins = text.starts_with("fn ") || text.contains(" fn ") && !text.starts_with('"');
            match start {
                None if begins && !text.ends_with(';') => start = Some((indent, count, line)),
                Some((depth, first, name)) if indent == depth && text.starts_with('}') => {
                    if count - first > FUNCTION_LIMIT {
                        found.push(format!("{}:{number}: {}", source.path, name.trim()));
                    }
                    start = None;
                }
                _ => {}
            }
        }
    }
    none(&found, "a function is over 50 lines of code");
}

#[test]
fn no_file_is_a_drawer() {
    let drawers = ["mod.rs", "util", "common", "helpers", "manager"];
    let found = sources("src").into_iter().chain(sources("tests")).map(|source| source.path);
    let drawers = found.filter(|path| {
        let name = path.rsplit('/').next().unwrap_or_default();
        drawers.iter().any(|drawer| name.starts_with(drawer))
    });
    none(&drawers.collect::<Vec<_>>(), "a name that says nothing");
}

#[test]
fn nothing_is_left_undone() {
    // Written apart, so that this file does not find itself.
    let marks =
        [["to", "do!("], ["unimple", "mented!("], ["db", "g!("], ["TO", "DO"], ["FIX", "ME"]]
            .map(|parts| parts.concat());
    let ignored = ["#[ign", "ore"].concat();
    let sleeps = ["thread::", "sleep"].concat();
    let mut found = Vec::new();
    for source in sources("src").iter().chain(&sources("tests")).chain(&sources("benches")) {
        for (index, line) in source.text.lines().enumerate() {
            let undone = marks.iter().chain([&ignored, &sleeps]).any(|mark| line.contains(mark));
            if undone {
                found.push(format!("{}:{}: {line}", source.path, index + 1));
            }
        }
    }
    none(&found, "something is left undone, ignored or slept over");
}

#[test]
fn the_architecture_names_every_crate_and_every_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let architecture = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let mut found = Vec::new();
    let dependencies = manifest.split("dependencies]").skip(1);
    let lines = dependencies.flat_map(|section| section.split("\n[").next().unwrap_or("").lines());
    for krate in lines.filter_map(|line| line.split_once(" = ").map(|(name, _)| name)) {
        if !architecture.contains(&format!("`{krate}`")) {
            found.push(format!("crate {krate}"));
        }
    }
    let lib = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    for module in lib.lines().filter_map(|line| line.strip_prefix("pub mod ")) {
        let module = module.trim_end_matches(';');
        if !architecture.contains(&format!("`{module}")) {
            found.push(format!("module {module}"));
        }
    }
    assert!(architecture.lines().count() <= 150, "ARCHITECTURE.md is over 150 lines");
    none(&found, "ARCHITECTURE.md does not name it");
}

/// The security checklists are worth what their tests are.
#[test]
fn every_test_that_the_checklists_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let sources: Vec<Source> = sources("src").into_iter().chain(sources("tests")).collect();
    let lines = text.lines().filter(|line| line.starts_with("| ") && !line.contains("| tests |"));
    let (mut found, mut named) = (Vec::new(), 0);
    for line in lines {
        let tests = line.trim_end_matches(" |").rsplit("| ").next().unwrap_or_default();
        let tests: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        named += tests.len();
        if tests.is_empty() {
            found.push(format!("no test: {line}"));
        }
        for test in tests {
            let head = format!("fn {test}(");
            if !sources.iter().any(|source| source.text.contains(&head)) {
                found.push(format!("there is no {test}"));
            }
        }
    }
    assert!(named > 50, "the checklists were not read");
    none(&found, "SECURITY.md names a test that does not exist");
}
