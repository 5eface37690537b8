//! The headers that a policy fills beside those of its providers: each has one source.
//!
//! Which names may be filled is settled in `header.rs` and `config/compile/headers.rs`.

use crate::{
    config::{
        compile::{
            claim_rule,
            headers::{Distinct, Targets},
        },
        file::policy::{ForwardTokenFile, PolicyFile},
        problem::{Findings, Place},
    },
    header::{HeaderTarget, plain},
    policy::ForwardToken,
    provider::{ClaimFrom, ClaimRule, Provider},
};

/// What a policy fills.
pub(super) struct PolicyHeaders {
    pub(super) claim_to_headers: Vec<ClaimRule>,
    pub(super) forward_token: ForwardToken,
}

/// The headers of a policy with these known providers.
pub(super) fn compile(
    written: &PolicyFile,
    known: &[&Provider],
    targets: &mut Targets,
    findings: &mut Findings,
) -> Option<PolicyHeaders> {
    let mut distinct = Distinct::default();
    let mut rules = Vec::with_capacity(written.claim_to_headers.len());
    for line in &written.claim_to_headers {
        let rule = claim_rule::compile(line, targets, &mut distinct, findings);
        let place = line.header.as_ref().map(|header| &header.place);
        if let (Some(rule), Some(place)) = (&rule, place) {
            refuse_taken(&rule.header, known, place, findings);
        }
        rules.push(rule);
    }
    let forward_token = forward_token(written, known, targets, &mut distinct, findings);
    let claim_to_headers: Vec<ClaimRule> = rules.into_iter().collect::<Option<_>>()?;
    warn_of_sharing(written, known, &claim_to_headers, findings);
    Some(PolicyHeaders { claim_to_headers, forward_token: forward_token? })
}

fn forward_token(
    written: &PolicyFile,
    known: &[&Provider],
    targets: &mut Targets,
    distinct: &mut Distinct,
    findings: &mut Findings,
) -> Option<ForwardToken> {
    match &written.forward_token {
        None | Some(ForwardTokenFile::Keep) => Some(ForwardToken::Keep),
        Some(ForwardTokenFile::Remove) => Some(ForwardToken::Remove),
        Some(ForwardTokenFile::Header(header)) => {
            let target = targets.forward(header, findings)?;
            distinct.claim(&target, &header.place, findings);
            refuse_taken(&target, known, &header.place, findings);
            Some(ForwardToken::Copy(target))
        }
    }
}

/// A header that one of the policy's providers fills is none that the policy can.
fn refuse_taken(
    target: &HeaderTarget,
    known: &[&Provider],
    place: &Place,
    findings: &mut Findings,
) {
    let owner = known
        .iter()
        .find(|provider| headers_of(provider).any(|header| fold(header) == fold(target)));
    if let Some(provider) = owner {
        let message = format!("provider {} sets this header, too", provider.name);
        findings.refuse(place, message + "; another one is accepted");
    }
}

/// Two issuers may give one name to two people: the upstream must be able to tell them apart.
fn warn_of_sharing(
    written: &PolicyFile,
    known: &[&Provider],
    own: &[ClaimRule],
    findings: &mut Findings,
) {
    let tells = |rules: &[ClaimRule]| {
        rules.iter().any(|rule| match rule.from {
            ClaimFrom::Provider | ClaimFrom::Issuer => true,
            ClaimFrom::Claim(_) => false,
        })
    };
    if tells(own) {
        return;
    }
    let untold: Vec<_> = known.iter().filter(|one| !tells(&one.claim_to_headers)).collect();
    for (index, first) in untold.iter().enumerate() {
        for second in untold.iter().skip(index + 1) {
            let is_shared = |header: &&HeaderTarget| {
                headers_of(second).any(|other| fold(other) == fold(header))
            };
            let Some(header) = headers_of(first).find(is_shared) else { continue };
            let (first, second, header) = (&first.name, &second.name, header.as_str());
            let message = format!(
                "providers {first} and {second} both set {header}, and nothing tells the upstream                  whose it is; a line of claim_to_headers with value: provider or value: issuer does"
            );
            findings.warn(&written.place, message);
        }
    }
}

fn headers_of(provider: &Provider) -> impl Iterator<Item = &HeaderTarget> {
    let of_claims = provider.claim_to_headers.iter().map(|rule| &rule.header);
    of_claims.chain(&provider.payload_header)
}

/// Hyphen, underscore and what else is no letter or digit count as one.
fn fold(header: &HeaderTarget) -> String {
    plain(header.as_str()).into_owned()
}
