//! One config file as written: values with places, no meaning yet.
//!
//! Types, missing keys and unknown keys are settled here; what a value means, and whether it may
//! stand, is `compile.rs`.

pub mod claim_rule;
pub mod condition;
pub mod policy;
pub mod provider;
pub mod route;

use std::path::Path;

use crate::{
    config::{
        document::{Document, Spanned, node::Node},
        file::{policy::PolicyFile, provider::ProviderFile, route::RouteFile},
        problem::{Place, Problem},
    },
    snapshot::changes::Definition,
};

/// A config file. Where a value is absent although it is required, `problems` says so.
#[derive(Debug)]
pub struct ConfigFile {
    /// The start of the file.
    pub place: Place,
    /// Whether the outermost mapping could be read, so that what is absent was not written.
    pub outline: Outline,
    /// `providers`; none if the key is absent.
    pub providers: Option<Vec<ProviderFile>>,
    /// `policies`; none if the key is absent.
    pub policies: Option<Vec<PolicyFile>>,
    /// `default_policy`.
    pub default_policy: Option<Spanned<String>>,
    /// `routes`; none if the key is absent.
    pub routes: Option<Vec<RouteFile>>,
    /// `route_policies`.
    pub route_policies: Option<Spanned<String>>,
    /// `route_annotations`.
    pub route_annotations: Option<Spanned<bool>>,
    /// `strip_headers`.
    pub strip_headers: Vec<Spanned<String>>,
    /// Every key but `providers` and `policies`, with what is written under it.
    pub settings: Vec<(String, Definition)>,
    /// What reading has found.
    pub problems: Vec<Problem>,
}

/// Whether a file could be read as a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outline {
    /// Yes; single values may still be missing.
    Whole,
    /// No: nothing is known about what it says.
    Broken,
}

impl ConfigFile {
    /// Reads `bytes`, the content of `path`. Relative paths in it start at its folder.
    #[must_use]
    pub fn read(path: &Path, bytes: &[u8]) -> Self {
        let document = match Document::parse(&path.to_string_lossy(), bytes) {
            Ok(document) => document,
            Err(problem) => return Self::broken(path, problem),
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut file = Self::empty(path);
        file.fill(document.root(), folder);
        file.problems = document.into_problems();
        file
    }

    /// A file of which nothing is known but this problem.
    #[must_use]
    pub fn broken(path: &Path, problem: Problem) -> Self {
        Self { problems: vec![problem], ..Self::empty(path) }
    }

    fn empty(path: &Path) -> Self {
        Self {
            place: Place::start_of(&path.to_string_lossy()),
            outline: Outline::Broken,
            providers: None,
            policies: None,
            default_policy: None,
            routes: None,
            route_policies: None,
            route_annotations: None,
            strip_headers: Vec::new(),
            settings: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn fill(&mut self, root: Node<'_>, folder: &Path) {
        let Some(mut root) = root.mapping() else { return };
        self.outline = Outline::Whole;
        self.settings = root.definitions(|key| !["providers", "policies"].contains(&key));
        root.optional("version", version);
        let provider = |node: Node<'_>| ProviderFile::read(node, folder);
        self.providers = root.optional("providers", |node| node.list(provider));
        self.policies = root.optional("policies", |node| node.list(PolicyFile::read));
        self.default_policy = root.optional("default_policy", Node::text);
        self.routes = root.optional("routes", |node| node.list(RouteFile::read));
        self.route_policies = root.optional("route_policies", Node::text);
        self.route_annotations = root.optional("route_annotations", Node::boolean);
        self.strip_headers =
            root.optional("strip_headers", |node| node.list(Node::text)).unwrap_or_default();
        root.finish();
    }
}

fn version(node: Node<'_>) -> Option<i64> {
    let at = node.clone();
    match node.integer()?.value {
        1 => Some(1),
        _other => at.refuse("an unknown version; 1 is accepted"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let file = ConfigFile::read(Path::new("dir/c.yaml"), text.as_bytes());
        let problems: Vec<_> = file.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.starts_with(expected), "{problem}");
        }
    }

    #[test]
    fn an_explicitly_empty_list_is_a_config() {
        check("providers: []", &[]);
        check("{\"version\": 1, \"providers\": [], \"policies\": []}", &[]);
    }

    #[test]
    fn only_version_1_is_known() {
        check("version: 2", &["dir/c.yaml:1:10: version: an unknown version; 1 is accepted"]);
        check("version: '1'", &["dir/c.yaml:1:10: version: found a string; a whole number"]);
    }

    #[test]
    fn the_outermost_node_is_a_mapping() {
        check("- a", &["dir/c.yaml:1:1: found a list; a mapping is accepted"]);
        check("5", &["dir/c.yaml:1:1: found a number"]);
    }

    #[test]
    fn every_mistake_of_shape_is_reported_at_once() {
        check(
            "version: one\nproviders: {}\npolicies:\ndefault_policy: []\nstrip_headers: [5]\nx: 1",
            &[
                "dir/c.yaml:1:10: version: found a string",
                "dir/c.yaml:2:12: providers: found a mapping; a list is accepted",
                "dir/c.yaml:3:1: policies: a value is missing",
                "dir/c.yaml:4:17: default_policy: found a list; a string",
                "dir/c.yaml:5:17: strip_headers[0]: found a number",
                "dir/c.yaml:6:1: x: unknown key; accepted are version, providers, policies",
            ],
        );
    }
}
