//! Which policy a request gets: the first source that is present, never two merged.
//!
//! It reads only what the proxy attached to the route; nothing that a client sends gets here.

use std::{borrow::Cow, sync::Arc};

use crate::{
    check::{
        decision::Fault,
        request::{RouteSources, Typed, Value},
    },
    policy::{
        Accepts, AcceptsState, AudienceFailure, DEFAULT_REALM, ForwardToken, Mode, Policy,
        ScopeRule,
    },
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
    pub policy: Result<Cow<'s, Policy>, Fault>,
    /// Names that were not found: never ignored in silence, also where others still work.
    pub unknown: Vec<UnknownReference>,
}

/// Chooses the policy of a request.
#[must_use]
pub fn resolve<'s>(route: &RouteSources<'_>, snapshot: &'s Snapshot) -> Resolved<'s> {
    let mut unknown = Vec::new();
    let policy = written(route)
        .and_then(|written| match written {
            Some(written) => written.resolve(snapshot, &mut unknown),
            None => default(snapshot),
        })
        .and_then(|policy| note_unknown(policy, &mut unknown));
    Resolved { policy, unknown }
}

fn default(snapshot: &Snapshot) -> Result<Cow<'_, Policy>, Fault> {
    let policy = snapshot.default_policy.as_deref().ok_or(Fault::RoutePolicyMissing)?;
    Ok(Cow::Borrowed(policy))
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

/// A route policy as the route spells it, with names and lists that are not empty.
#[derive(Debug, Default, PartialEq)]
struct Written<'a> {
    policy: Option<&'a str>,
    providers: Option<Vec<&'a str>>,
    mode: Option<Mode>,
    audiences: Option<Vec<&'a str>>,
    scopes: Option<Vec<&'a str>>,
}

const INVALID: Fault = Fault::RoutePolicyInvalid;

/// The first source that is present.
fn written<'a>(route: &RouteSources<'a>) -> Result<Option<Written<'a>>, Fault> {
    if let Some(typed) = &route.typed {
        return match typed {
            Typed::Policy(value) => Written::from_value(value).map(Some),
            Typed::Unexpected => Err(INVALID),
        };
    }
    if let Some(value) = &route.filter {
        return Written::from_value(value).map(Some);
    }
    if !route.extensions.is_empty() {
        return Written::from_extensions(&route.extensions).map(Some);
    }
    Ok(None)
}

impl<'a> Written<'a> {
    fn from_value(value: &Value<'a>) -> Result<Self, Fault> {
        let Value::Struct(fields) = value else { return Err(INVALID) };
        let mut written = Self::default();
        // A repeated name keeps the last value, as protobuf has it.
        for (name, value) in fields {
            match *name {
                "policy" => written.policy = Some(text(value)?),
                "providers" => written.providers = Some(list_or_commas(value)?),
                "mode" => written.mode = Some(mode(text(value)?)?),
                "audiences" => written.audiences = Some(list(value)?),
                "scopes" => written.scopes = Some(list(value)?),
                _ => return Err(INVALID),
            }
        }
        written.checked()
    }

    fn from_extensions(extensions: &[(&'a str, &'a str)]) -> Result<Self, Fault> {
        let mut written = Self::default();
        for &(name, value) in extensions {
            match name {
                "policy" => written.policy = Some(not_empty(value)?),
                "providers" => written.providers = Some(commas(value)?),
                "mode" => written.mode = Some(mode(value)?),
                "audiences" => written.audiences = Some(commas(value)?),
                "scopes" => written.scopes = Some(commas(value)?),
                _ => return Err(INVALID),
            }
        }
        written.checked()
    }

    /// `policy`, which `audiences` and `scopes` may narrow; or `providers` with what else there
    /// is; or `mode: anonymous` alone.
    fn checked(self) -> Result<Self, Fault> {
        let narrows = self.audiences.is_some() || self.scopes.is_some();
        let sound = match (self.policy, &self.providers, self.mode) {
            (Some(_), None, None) | (None, Some(_), _) => true,
            (None, None, Some(Mode::Anonymous)) => !narrows,
            _ => false,
        };
        if sound { Ok(self) } else { Err(INVALID) }
    }

    fn resolve<'s>(
        &self,
        snapshot: &'s Snapshot,
        unknown: &mut Vec<UnknownReference>,
    ) -> Result<Cow<'s, Policy>, Fault> {
        let Some(name) = self.policy else { return self.inline(snapshot).map(Cow::Owned) };
        let Some(policy) = snapshot.policy(name) else {
            unknown.push(UnknownReference { kind: ReferenceKind::Policy, name: name.to_owned() });
            return Err(Fault::PolicyUnknown);
        };
        if self.audiences.is_none() && self.scopes.is_none() {
            return Ok(Cow::Borrowed(policy));
        }
        let mut narrowed = Policy::clone(policy);
        narrowed.audiences.extend(self.audiences.as_deref().map(owned));
        narrowed.scopes.all_of.extend(self.scopes.as_deref().map(owned).unwrap_or_default());
        Ok(Cow::Owned(narrowed))
    }

    fn inline(&self, snapshot: &Snapshot) -> Result<Policy, Fault> {
        let (mut providers, mut unknown) = (Vec::new(), Vec::new());
        for name in self.providers.as_deref().unwrap_or_default() {
            match snapshot.provider(name) {
                Some(provider) => providers.push(Arc::clone(provider)),
                None => unknown.push((*name).to_owned()),
            }
        }
        Ok(Policy {
            name: None,
            mode: self.mode.unwrap_or(Mode::Strict),
            accepts: Accepts::new(&providers, unknown).map_err(|_| INVALID)?,
            audiences: self.audiences.as_deref().map(owned).into_iter().collect(),
            scopes: ScopeRule {
                all_of: self.scopes.as_deref().map(owned).unwrap_or_default(),
                any_of: Vec::new(),
            },
            forward_token: ForwardToken::Keep,
            realm: DEFAULT_REALM.into(),
            resource_metadata: None,
            audience_failure: AudienceFailure::Unauthorized,
        })
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn text<'a>(value: &Value<'a>) -> Result<&'a str, Fault> {
    match value {
        Value::String(text) => not_empty(text),
        Value::List(_) | Value::Struct(_) | Value::Other => Err(INVALID),
    }
}

fn list<'a>(value: &Value<'a>) -> Result<Vec<&'a str>, Fault> {
    match value {
        Value::List(values) if !values.is_empty() => values.iter().map(text).collect(),
        Value::List(_) | Value::String(_) | Value::Struct(_) | Value::Other => Err(INVALID),
    }
}

fn list_or_commas<'a>(value: &Value<'a>) -> Result<Vec<&'a str>, Fault> {
    if let Value::String(text) = value { commas(text) } else { list(value) }
}

fn commas(text: &str) -> Result<Vec<&str>, Fault> {
    text.split(',').map(|part| not_empty(part.trim_ascii())).collect()
}

fn not_empty(text: &str) -> Result<&str, Fault> {
    if text.is_empty() { Err(INVALID) } else { Ok(text) }
}

fn mode(text: &str) -> Result<Mode, Fault> {
    Mode::parse(text).ok_or(INVALID)
}

#[cfg(test)]
mod tests;
