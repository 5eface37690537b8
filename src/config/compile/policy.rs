//! One element of `policies` -> [`Policy`], against the providers of the config.
//!
//! Routes' own inline policies are not read here; `check/route.rs` does that per request.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    config::{
        compile::{
            claim_rule::claim_path,
            conditions,
            headers::Targets,
            policy_headers::{self, PolicyHeaders},
            protected_resource, token_from,
        },
        document::Spanned,
        file::policy::{PolicyFile, ScopesFile},
        problem::{Findings, Place},
    },
    policy::{
        Accepts, AudienceFailure, DEFAULT_REALM, Mode, Policy, Preflight, ScopeRule,
        protected_resource::ProtectedResource, token_place::TokenPlace,
    },
    provider::{Issuer, Name, Provider},
    url,
};

/// The policy, if nothing about it was refused. Without a `name` (it was refused) the rest is
/// checked all the same.
pub(super) fn compile(
    written: &PolicyFile,
    name: Option<Name>,
    providers: &BTreeMap<String, Arc<Provider>>,
    targets: &mut Targets,
    findings: &mut Findings,
) -> Option<Policy> {
    let mode = mode(written.mode.as_ref(), findings);
    if let (Some(mode), Some(place)) = (mode, &written.names_nobody) {
        refuse_nobody(mode, place, findings);
    }
    let scopes = scopes(written.scopes.as_ref(), findings);
    conditions::warn_of_mode(written, mode, findings);
    let conditions = conditions::compile(&written.conditions, findings);
    let named = named(&written.providers, providers, findings);
    let token_from = token_from::compile(written.token_from.as_ref(), targets, findings);
    let known: Vec<&Provider> = named.known.iter().map(|(provider, _)| &***provider).collect();
    let headers = policy_headers::compile(written, &known, targets, findings);
    let metadata_claims: Vec<_> =
        written.metadata_claims.iter().map(|claim| claim_path(claim, findings)).collect();
    let protected = protected(written, &named, token_from.as_deref(), findings);
    let accepts = accepts(written, named, findings);
    let realm = realm(written.realm.as_ref(), findings);
    let resource_metadata = resource_metadata(written.resource_metadata.as_ref(), findings);
    let failure = audience_failure(written.audience_failure_status.as_ref(), findings);
    let PolicyHeaders { claim_to_headers, forward_token } = headers?;
    Some(Policy {
        name: Some(name?),
        mode: mode?,
        accepts: accepts?,
        audiences: written.audiences.iter().cloned().collect(),
        scopes: scopes?,
        conditions: conditions?,
        token_from: token_from?,
        preflight: match written.allow_cors_preflight.as_ref().map(|allow| allow.value) {
            Some(true) => Preflight::Allow,
            Some(false) | None => Preflight::Check,
        },
        claim_to_headers,
        metadata_claims: metadata_claims.into_iter().collect::<Option<_>>()?,
        forward_token,
        realm: realm?,
        resource_metadata: resource_metadata
            .or_else(|| protected.as_ref().map(|resource| resource.metadata_url.as_str().into())),
        protected_resource: protected,
        audience_failure: failure?,
    })
}

fn protected(
    written: &PolicyFile,
    named: &Named<'_>,
    places: Option<&[TokenPlace]>,
    findings: &mut Findings,
) -> Option<Arc<ProtectedResource>> {
    let providers: Vec<_> = named.known.iter().map(|(provider, _)| (*provider).clone()).collect();
    let resource = written.protected_resource.as_ref()?;
    protected_resource::compile(resource, &providers, places?, findings)
}

fn mode(written: Option<&Spanned<String>>, findings: &mut Findings) -> Option<Mode> {
    let Some(Spanned { value, place }) = written else {
        return Some(Mode::Strict);
    };
    let mode = Mode::parse(value);
    if mode.is_none() {
        findings
            .refuse(place, "unknown mode; strict, optional, permissive or anonymous is accepted");
    }
    mode
}

fn refuse_nobody(mode: Mode, place: &Place, findings: &mut Findings) {
    match mode {
        Mode::Anonymous => {}
        Mode::Strict | Mode::Optional | Mode::Permissive => {
            let message = "no provider; the name of at least one is accepted, or mode: anonymous";
            findings.refuse(place, message);
        }
    }
}

/// The providers that a policy names.
struct Named<'a> {
    known: Vec<(&'a Arc<Provider>, &'a Place)>,
    unknown: Vec<String>,
}

fn named<'a>(
    written: &'a [Spanned<String>],
    providers: &'a BTreeMap<String, Arc<Provider>>,
    findings: &mut Findings,
) -> Named<'a> {
    let mut named = Named { known: Vec::new(), unknown: Vec::new() };
    for Spanned { value, place } in written {
        let Some(name) = findings.accept(place, Name::parse(value)) else { continue };
        if let Some(provider) = providers.get(&name.key()) {
            named.known.push((provider, place));
        } else {
            findings.warn(place, format!("no provider has the name {name}; it counts as unknown"));
            named.unknown.push(value.clone());
        }
    }
    named
}

fn accepts(written: &PolicyFile, named: Named<'_>, findings: &mut Findings) -> Option<Accepts> {
    let providers: Vec<Arc<Provider>> = named.known.iter().map(|(p, _)| (*p).clone()).collect();
    match Accepts::new(&providers, named.unknown) {
        Ok(accepts) => Some(accepts),
        Err(shared) => {
            let Issuer(issuer) = &shared.0;
            let sharing = |(p, _): &&(&Arc<Provider>, &Place)| p.issuers.contains(&shared.0);
            let second = named.known.iter().filter(sharing).nth(1);
            let place = second.map_or(&written.place, |(_, place)| *place);
            let message = format!("two providers of one policy share the issuer {issuer}");
            findings.refuse(place, message + "; each issuer is accepted once");
            None
        }
    }
}

/// RFC 6749 section 3.3. The scopes also stand in a quoted-string of the challenge.
fn scopes(written: Option<&ScopesFile>, findings: &mut Findings) -> Option<ScopeRule> {
    let Some(ScopesFile { place: _, all_of, any_of }) = written else {
        return Some(ScopeRule::default());
    };
    let mut list = |written: &[Spanned<String>]| {
        let mut scopes = Vec::with_capacity(written.len());
        for Spanned { value, place } in written {
            if !value.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\') {
                let message = "not one scope; characters 0x21-0x7E without \" and \\ are accepted";
                findings.refuse(place, message);
                return None;
            }
            scopes.push(value.clone());
        }
        Some(scopes)
    };
    let (all_of, any_of) = (list(all_of), list(any_of));
    Some(ScopeRule { all_of: all_of?, any_of: any_of? })
}

/// It stands in a quoted-string (RFC 9110 section 5.6.4) without any escape.
fn realm(written: Option<&Spanned<String>>, findings: &mut Findings) -> Option<Arc<str>> {
    let Some(Spanned { value, place }) = written else {
        return Some(DEFAULT_REALM.into());
    };
    let fits = |b: u8| (0x20..=0x7E).contains(&b) && b != b'"' && b != b'\\';
    if !value.bytes().all(fits) || !(1..=128).contains(&value.len()) {
        let message =
            "not a realm; 1 to 128 printable ASCII characters without \" and \\ are accepted";
        findings.refuse(place, message);
        return None;
    }
    Some(value.as_str().into())
}

fn resource_metadata(
    written: Option<&Spanned<String>>,
    findings: &mut Findings,
) -> Option<Arc<str>> {
    let Spanned { value, place } = written?;
    findings.accept(place, url::parse(value))?;
    Some(value.as_str().into())
}

fn audience_failure(
    written: Option<&Spanned<i64>>,
    findings: &mut Findings,
) -> Option<AudienceFailure> {
    match written.map(|status| status.value) {
        None | Some(401) => Some(AudienceFailure::Unauthorized),
        Some(403) => Some(AudienceFailure::Forbidden),
        Some(_other) => {
            if let Some(Spanned { place, .. }) = written {
                findings.refuse(place, "another status; 401 or 403 is accepted");
            }
            None
        }
    }
}
