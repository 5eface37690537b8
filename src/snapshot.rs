//! The running config as the decision sees it: immutable, replaced as a whole.
//!
//! It holds no keys that were fetched; those are kept by `jwks/store.rs` under their place.

pub mod cell;
pub mod changes;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::SystemTime,
};

use crate::{
    header::OwnedHeaders,
    policy::Policy,
    provider::Provider,
    routes::Routes,
    snapshot::changes::{Changes, Definitions},
};

/// One loaded config.
#[derive(Debug)]
pub struct Snapshot {
    /// 1 for the first config of this process, one more for each that replaced it.
    pub generation: u64,
    /// SHA-256 over file names and bytes in name order, lower-case hex.
    pub config_hash: String,
    /// When it began to be served.
    pub applied_at: SystemTime,
    /// By lower-case name.
    pub providers: BTreeMap<String, Arc<Provider>>,
    /// By lower-case name.
    pub policies: HashMap<String, Arc<Policy>>,
    /// Used where a route says nothing.
    pub default_policy: Option<Arc<Policy>>,
    /// What the config itself says about routes.
    pub routes: Routes,
    /// Every header that a client must not be able to set.
    pub owned_headers: OwnedHeaders,
    /// What the operator should know, with its place.
    pub warnings: Vec<String>,
    /// What was written, by name.
    pub definitions: Definitions,
    /// What it says otherwise than the config before it; none for the first.
    pub changes: Option<Changes>,
}

impl Snapshot {
    /// The provider of that name, ignoring case.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers.get(&name.to_ascii_lowercase())
    }

    /// The policy of that name, ignoring case.
    #[must_use]
    pub fn policy(&self, name: &str) -> Option<&Arc<Policy>> {
        self.policies.get(&name.to_ascii_lowercase())
    }
}
