//! A policy as the route itself spells it: shape, and what it comes to in the running config.
//!
//! It does not know the config's own `routes`.

use std::{borrow::Cow, sync::Arc};

use crate::{
    check::{
        decision::Fault,
        request::{RouteSources, Typed, Value},
        route::{ReferenceKind, UnknownReference, table},
    },
    policy::{
        Accepts, AudienceFailure, DEFAULT_REALM, ForwardToken, Mode, Policy, Preflight, ScopeRule,
        token_place::TokenPlace,
    },
    routes::{Annotations, InlinePolicies},
    snapshot::Snapshot,
};

/// A route policy as the route spells it, with names and lists that are not empty.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Written<'a> {
    policy: Option<&'a str>,
    providers: Option<Vec<&'a str>>,
    mode: Option<Mode>,
    audiences: Option<Vec<&'a str>>,
    scopes: Option<Vec<&'a str>>,
}

const INVALID: Fault = Fault::RoutePolicyInvalid;

/// The first source that is present.
pub(super) fn written<'a>(
    route: &RouteSources<'a>,
    annotations: Annotations,
) -> Result<Option<Written<'a>>, Fault> {
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
    match annotations {
        Annotations::Read => Written::from_annotations(&table::annotation(route)),
        Annotations::Ignore => Ok(None),
    }
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

    /// Both forms of the annotation may be there: they must agree.
    fn from_annotations(annotations: &[&Value<'a>]) -> Result<Option<Self>, Fault> {
        let mut written = None;
        for annotation in annotations {
            let name = text(annotation)?;
            if written.is_some_and(|known| known != name) {
                return Err(INVALID);
            }
            written = Some(name);
        }
        Ok(written.map(|name| Self { policy: Some(name), ..Self::default() }))
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

    /// The policy that it names, narrowed, or that it is.
    pub(super) fn resolve<'s>(
        &self,
        snapshot: &'s Snapshot,
        unknown: &mut Vec<UnknownReference>,
    ) -> Result<Cow<'s, Policy>, Fault> {
        let Some(name) = self.policy else {
            return match snapshot.routes.inline {
                InlinePolicies::Accept => self.inline(snapshot).map(Cow::Owned),
                InlinePolicies::Refuse => Err(INVALID),
            };
        };
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
            conditions: None,
            claim_to_headers: Vec::new(),
            metadata_claims: Vec::new(),
            token_from: vec![TokenPlace::authorization()],
            preflight: Preflight::Check,
            forward_token: ForwardToken::Keep,
            realm: DEFAULT_REALM.into(),
            resource_metadata: None,
            protected_resource: None,
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
