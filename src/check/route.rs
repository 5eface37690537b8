//! Which policy a request gets: the first source that is present, never two merged.
//!
//! It reads what the proxy attached to the route. Only where the config's own `routes` go by host
//! or path does what the client sends count.

mod table;
mod written;

use std::borrow::Cow;

use crate::{
    check::{
        decision::{Fault, Reason},
        request::CheckView,
        route::written::written,
    },
    policy::{AcceptsState, Mode, Policy},
    snapshot::Snapshot,
};

/// A reference of a route that the running config does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownReference {
    /// What it should have been.
    pub kind: ReferenceKind,
    /// The name, as the route spells it.
    pub name: String,
}

/// What a route refers to by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReferenceKind {
    /// A policy.
    Policy,
    /// A provider.
    Provider,
}

impl ReferenceKind {
    /// As `/status` shows it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Provider => "provider",
        }
    }
}

/// The policy of one request, and what of its route could not be found.
#[derive(Debug)]
pub struct Resolved<'s> {
    /// The policy, or why there is none.
    pub policy: Result<Cow<'s, Policy>, Reason>,
    /// Names that were not found: never ignored in silence, also where others still work.
    pub unknown: Vec<UnknownReference>,
}

/// Chooses the policy of a request.
#[must_use]
pub fn resolve<'s>(view: &CheckView<'_>, snapshot: &'s Snapshot) -> Resolved<'s> {
    let mut unknown = Vec::new();
    let policy = match written(&view.route, snapshot.routes.annotations) {
        Ok(Some(written)) => written.resolve(snapshot, &mut unknown).map_err(Reason::from),
        Ok(None) => configured(view, snapshot),
        Err(fault) => Err(fault.into()),
    };
    let policy = policy.and_then(|policy| note_unknown(policy, &mut unknown).map_err(Reason::from));
    Resolved { policy, unknown }
}

/// The policy that the config itself has for the request.
fn configured<'s>(view: &CheckView<'_>, snapshot: &'s Snapshot) -> Result<Cow<'s, Policy>, Reason> {
    let entry = table::policy(view, &snapshot.routes)?;
    let policy = entry.or(snapshot.default_policy.as_deref());
    Ok(Cow::Borrowed(policy.ok_or(Fault::RoutePolicyMissing)?))
}

/// Records the names that a policy of the config could not resolve, and refuses one that has no
/// provider left.
fn note_unknown<'s>(
    policy: Cow<'s, Policy>,
    unknown: &mut Vec<UnknownReference>,
) -> Result<Cow<'s, Policy>, Fault> {
    unknown.extend(
        policy
            .accepts
            .unknown
            .iter()
            .map(|name| UnknownReference { kind: ReferenceKind::Provider, name: name.clone() }),
    );
    match policy.accepts.state() {
        AcceptsState::Some => Ok(policy),
        AcceptsState::AllDisabled => Err(Fault::ProviderDisabled),
        AcceptsState::AllUnknown => Err(Fault::ProviderUnknown),
        AcceptsState::Nobody if policy.mode == Mode::Anonymous => Ok(policy),
        AcceptsState::Nobody => Err(Fault::RoutePolicyInvalid),
    }
}

#[cfg(test)]
mod tests;
