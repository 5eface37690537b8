//! What the config files mean together: everything of a snapshot, or every problem at once.
//!
//! Pure: it reads no file (side files are handed in as bytes), no clock and no network.

mod algorithms;
mod claim_rule;
mod conditions;
mod headers;
mod keys;
mod policy;
mod policy_headers;
mod protected_resource;
mod provider;
mod remote;
mod routes;
mod token_from;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
};

use crate::{
    config::{
        compile::headers::Targets,
        document::Spanned,
        file::{ConfigFile, Outline},
        problem::{Findings, Place, Problems},
    },
    header::OwnedHeaders,
    policy::Policy,
    provider::{Name, Provider},
    routes::Routes,
    snapshot::changes::Definitions,
};

/// Everything of a snapshot that follows from the files.
#[derive(Debug)]
pub struct Compiled {
    /// By lower-case name.
    pub providers: Providers,
    /// By lower-case name.
    pub policies: HashMap<String, Arc<Policy>>,
    /// Used where a route says nothing.
    pub default_policy: Option<Arc<Policy>>,
    /// What the config itself says about routes.
    pub routes: Routes,
    /// Every header that a client must not be able to set.
    pub owned_headers: OwnedHeaders,
    /// What the operator should know, each with its place, in the order of the places.
    pub warnings: Vec<String>,
    /// What was written, by name.
    pub definitions: Definitions,
}

/// Providers by their lower-case names.
pub type Providers = BTreeMap<String, Arc<Provider>>;

/// The content of the files that the config names, by path.
pub type SideFiles = BTreeMap<PathBuf, SideFile>;

/// A file that the config names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SideFile {
    /// Its bytes.
    Content(Arc<[u8]>),
    /// Why it cannot be read.
    Unreadable(String),
}

impl SideFile {
    fn content(&self) -> Option<&[u8]> {
        match self {
            Self::Content(bytes) => Some(bytes),
            Self::Unreadable(_) => None,
        }
    }
}

/// Compiles `files`, in the order given, with the side files that they name. A provider that is
/// defined as one of `before` is that one: what was remembered of its tokens keeps no old config.
///
/// # Errors
/// Every problem of every file, those of reading included.
pub fn compile(
    files: &[ConfigFile],
    side: &SideFiles,
    before: &Providers,
) -> Result<Compiled, Problems> {
    let mut findings = Findings::default();
    for file in files {
        findings.extend(file.problems.iter().cloned());
    }
    refuse_nothing(files, &mut findings);
    let mut targets = Targets::default();
    let providers = providers(files, (side, before), &mut targets, &mut findings);
    let policies = policies(files, &providers, &mut targets, &mut findings);
    for name in files.iter().flat_map(|file| &file.strip_headers) {
        targets.target(name, &mut findings);
    }
    let default_policy = default_policy(files, &policies, &mut findings);
    let routes = routes::compile(files, &policies, &mut findings);
    let owned_headers = targets.owned(&mut findings);
    let warnings = findings.into_warnings()?;
    let (policies, definitions) = (policies.compiled, definitions(files, side));
    Ok(Compiled {
        providers,
        policies,
        default_policy,
        routes,
        owned_headers,
        warnings,
        definitions,
    })
}

/// What was written, by name.
fn definitions(files: &[ConfigFile], side: &SideFiles) -> Definitions {
    let mut all = Definitions::default();
    for file in files {
        for provider in file.providers.iter().flatten() {
            let Some(name) = &provider.name else { continue };
            all.providers.insert(&name.value, provider::definition(provider, side));
        }
        for policy in file.policies.iter().flatten() {
            let Some(name) = &policy.name else { continue };
            all.policies.insert(&name.value, policy.definition);
        }
        for (key, definition) in &file.settings {
            all.settings.insert(key, *definition);
        }
    }
    all
}

/// The policies that compiled, and the names of all.
#[derive(Default)]
struct Policies {
    compiled: HashMap<String, Arc<Policy>>,
    names: Names,
}

/// Names of one kind, unique ignoring case over all files.
#[derive(Default)]
struct Names {
    first: BTreeMap<String, Spanned<Name>>,
}

impl Names {
    /// The name, if it is one and the first of its kind.
    fn claim(&mut self, written: &Spanned<String>, findings: &mut Findings) -> Option<Name> {
        let place = &written.place;
        let name = findings.accept(place, Name::parse(&written.value))?;
        if let Some(first) = self.first.get(&name.key()) {
            let first = first.place.position();
            findings.refuse(place, format!("the name is taken at {first}; case does not count"));
            return None;
        }
        let claimed = Spanned { value: name.clone(), place: place.clone() };
        self.first.insert(name.key(), claimed);
        Some(name)
    }

    /// The names as written, for a message.
    fn list(&self) -> String {
        let shown = self.first.values().take(MAX_LISTED).map(|name| name.value.to_string());
        let mut shown: Vec<String> = shown.collect();
        if self.first.len() > MAX_LISTED {
            shown.push("…".to_owned());
        }
        if shown.is_empty() { "(there is none)".to_owned() } else { shown.join(", ") }
    }
}

fn providers(
    files: &[ConfigFile],
    (side, before): (&SideFiles, &Providers),
    targets: &mut Targets,
    findings: &mut Findings,
) -> Providers {
    let mut names = Names::default();
    let mut providers = Providers::new();
    for written in files.iter().flat_map(|file| file.providers.iter().flatten()) {
        let name = written.name.as_ref().and_then(|name| names.claim(name, findings));
        let provider = provider::compile(written, name, side, targets, findings);
        if let Some(provider) = provider {
            let key = provider.name.key();
            let same = before.get(&key).filter(|same| same.definition == provider.definition);
            let provider = same.cloned().unwrap_or_else(|| Arc::new(provider));
            providers.insert(key, provider);
        }
    }
    providers
}

fn policies(
    files: &[ConfigFile],
    providers: &Providers,
    targets: &mut Targets,
    findings: &mut Findings,
) -> Policies {
    let mut policies = Policies::default();
    for written in files.iter().flat_map(|file| file.policies.iter().flatten()) {
        let name = written.name.as_ref().and_then(|name| policies.names.claim(name, findings));
        let policy = policy::compile(written, name.clone(), providers, targets, findings);
        if let (Some(name), Some(policy)) = (name, policy) {
            policies.compiled.insert(name.key(), Arc::new(policy));
        }
    }
    policies
}

/// `default_policy`, written at most once over all files.
fn default_policy(
    files: &[ConfigFile],
    policies: &Policies,
    findings: &mut Findings,
) -> Option<Arc<Policy>> {
    let mut written = files.iter().filter_map(|file| file.default_policy.as_ref());
    let first = written.next()?;
    for second in written {
        let first = first.place.position();
        findings.refuse(&second.place, format!("already set at {first}; one is accepted"));
    }
    let key = first.value.to_ascii_lowercase();
    if !policies.names.first.contains_key(&key) && all_names_are_known(files) {
        let names = policies.names.list();
        findings.refuse(&first.place, format!("no policy has this name; accepted are {names}"));
    }
    policies.compiled.get(&key).cloned()
}

/// Whether no policy may be there that could not be read.
fn all_names_are_known(files: &[ConfigFile]) -> bool {
    files.iter().all(|file| {
        file.outline == Outline::Whole && file.policies.iter().flatten().all(|p| p.name.is_some())
    })
}

/// Files without `providers` and `policies` are a mistake, not an empty config.
fn refuse_nothing(files: &[ConfigFile], findings: &mut Findings) {
    let nothing = files.iter().all(|file| {
        file.outline == Outline::Whole && file.providers.is_none() && file.policies.is_none()
    });
    let silent = files.iter().all(|file| file.problems.is_empty());
    if nothing && silent {
        let place = files.first().map_or_else(|| Place::start_of(""), |file| file.place.clone());
        findings.refuse(&place, "neither providers nor policies; `providers: []` is accepted");
    }
}

/// A message lists at most this many names.
const MAX_LISTED: usize = 20;

#[cfg(test)]
mod tests;
