//! One element of `providers` -> [`Provider`].
//!
//! It knows nothing of other providers; names are compared by the caller.

use std::{collections::HashMap, time::Duration};

use crate::{
    config::{
        compile::{
            SideFile, SideFiles, algorithms,
            claim_rule::{self, claim_path},
            headers::{Distinct, Targets},
            keys,
        },
        document::Spanned,
        file::provider::{AudiencesFile, JwksFile, ProviderFile},
        problem::{Findings, Place},
    },
    header::HeaderTarget,
    provider::{
        Audiences, Binding, ClaimPath, ClaimRule, Expiry, Issuer, Name, Provider, TokenTypes,
    },
    snapshot::changes::Definition,
};

/// The provider, if nothing about it was refused. Without a `name` (it was refused) the rest is
/// checked all the same.
pub(super) fn compile(
    written: &ProviderFile,
    name: Option<Name>,
    side: &SideFiles,
    targets: &mut Targets,
    findings: &mut Findings,
) -> Option<Provider> {
    let issuers = issuers(&written.issuers, findings);
    let algorithms = algorithms::compile(written, findings);
    let keys = keys::compile(written, algorithms, side, findings);
    let token_types = token_types(written.token_types.as_deref(), findings);
    let required_claims = required_claims(&written.required_claims, findings);
    let leeway = leeway(written.leeway.as_ref(), findings);
    let max_lifetime = max_lifetime(written.max_lifetime.as_ref(), findings);
    let audience_claim = audience_claim(written.audience_claim.as_ref(), findings);
    let scope_claims = scope_claims(written.scope_claims.as_deref(), findings);
    let (claim_to_headers, payload_header) = headers(written, targets, findings);
    Some(Provider {
        name: name?,
        description: written.description.clone(),
        labels: written.labels.clone(),
        enabled: written.enabled.unwrap_or(true),
        issuers,
        audiences: audiences(written.audiences.as_ref()?),
        keys: keys?,
        algorithms: algorithms?,
        token_types: token_types?,
        required_claims: required_claims?,
        cnf: if written.accept_unbound == Some(true) { Binding::Ignore } else { Binding::Refuse },
        leeway: leeway?,
        expiry: if written.require_exp == Some(false) { Expiry::Permit } else { Expiry::Require },
        max_lifetime,
        audience_claim: audience_claim?,
        scope_claims: scope_claims?,
        claim_to_headers: claim_to_headers?,
        payload_header,
        definition: definition(written, side),
    })
}

/// What was written, and the files that it depends on.
pub(super) fn definition(written: &ProviderFile, side: &SideFiles) -> Definition {
    let needed = written.jwks.iter().flat_map(JwksFile::side_files);
    let content = needed.map(|path| side.get(path).and_then(SideFile::content));
    content.fold(written.definition, Definition::with)
}

fn issuers(written: &[Spanned<String>], findings: &mut Findings) -> Vec<Issuer> {
    let mut first: HashMap<&str, &Place> = HashMap::new();
    for Spanned { value, place } in written {
        if let Some(first) = first.insert(value, place) {
            let first = first.position();
            findings.refuse(place, format!("the same issuer as at {first}; once is accepted"));
        }
    }
    written.iter().map(|issuer| Issuer(issuer.value.as_str().into())).collect()
}

fn audiences(written: &AudiencesFile) -> Audiences {
    match written {
        AudiencesFile::Any => Audiences::Any,
        AudiencesFile::OneOf(list) => Audiences::OneOf(list.clone()),
    }
}

/// Lower-case and without `application/`, as tokens' `typ` is compared (RFC 7515 section 4.1.9).
fn token_types(written: Option<&[Spanned<String>]>, findings: &mut Findings) -> Option<TokenTypes> {
    let Some(written) = written else {
        return Some(TokenTypes::Default);
    };
    let mut types = Vec::with_capacity(written.len());
    for Spanned { value, place } in written {
        let lower = value.to_ascii_lowercase();
        let short = lower.strip_prefix("application/").unwrap_or(&lower);
        if short.is_empty() || !short.bytes().all(|b| b.is_ascii_graphic()) {
            findings.refuse(place, "not a media type; one such as JWT or at+jwt is accepted");
            return None;
        }
        types.push(short.to_owned());
    }
    Some(TokenTypes::OneOf(types))
}

fn required_claims(
    written: &[(Spanned<String>, String)],
    findings: &mut Findings,
) -> Option<Vec<(ClaimPath, String)>> {
    let claims: Vec<_> = written
        .iter()
        .map(|(claim, value)| Some((claim_path(claim, findings)?, value.clone())))
        .collect();
    claims.into_iter().collect()
}

fn audience_claim(written: Option<&Spanned<String>>, findings: &mut Findings) -> Option<ClaimPath> {
    match written {
        Some(claim) => claim_path(claim, findings),
        None => Some(ClaimPath::parse("aud")),
    }
}

fn scope_claims(
    written: Option<&[Spanned<String>]>,
    findings: &mut Findings,
) -> Option<Vec<ClaimPath>> {
    let Some(written) = written else {
        return Some(["scope", "scp"].map(ClaimPath::parse).to_vec());
    };
    let claims: Vec<_> = written.iter().map(|claim| claim_path(claim, findings)).collect();
    claims.into_iter().collect()
}

/// What `claim_to_headers` and `payload_header` set; no header twice.
fn headers(
    written: &ProviderFile,
    targets: &mut Targets,
    findings: &mut Findings,
) -> (Option<Vec<ClaimRule>>, Option<HeaderTarget>) {
    let mut distinct = Distinct::default();
    let mut rules = Vec::with_capacity(written.claim_to_headers.len());
    for rule in &written.claim_to_headers {
        rules.push(claim_rule::compile(rule, targets, &mut distinct, findings));
    }
    let payload_header = written.payload_header.as_ref().and_then(|header| {
        let target = targets.target(header, findings)?;
        distinct.claim(&target, &header.place, findings);
        Some(target)
    });
    (rules.into_iter().collect(), payload_header)
}

fn leeway(written: Option<&Spanned<Duration>>, findings: &mut Findings) -> Option<Duration> {
    let Some(Spanned { value, place }) = written else {
        return Some(Duration::from_secs(60));
    };
    if *value > Duration::from_secs(600) {
        findings.refuse(place, "out of range; 0s to 10m is accepted");
        return None;
    }
    Some(*value)
}

fn max_lifetime(written: Option<&Spanned<Duration>>, findings: &mut Findings) -> Option<Duration> {
    let Spanned { value, place } = written?;
    if value.is_zero() {
        findings.refuse(place, "out of range; more than 0s is accepted");
    }
    Some(*value)
}
