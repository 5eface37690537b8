//! `subjects`, `claims` and `rules` of a policy -> [`Conditions`].
//!
//! What a rule may say is settled in `policy/rule.rs`.

use std::sync::Arc;

use crate::{
    config::{
        compile::{Names, claim_rule::claim_path},
        document::Spanned,
        file::{
            condition::{ClaimConditionFile, ConditionsFile, RuleFile},
            policy::PolicyFile,
        },
        problem::Findings,
    },
    policy::{
        Mode,
        conditions::{ClaimCondition, Conditions},
        rule::{Rule, Rules},
    },
    provider::Name,
};

/// A policy has at most this many rules: each runs on every request.
const MAX_RULES: usize = 64;

/// The conditions, none where nothing is asked; the outer none if something was refused.
pub(super) fn compile(
    written: &ConditionsFile,
    findings: &mut Findings,
) -> Option<Option<Arc<Conditions>>> {
    let claims: Vec<_> = written.claims.iter().map(|one| claim(one, findings)).collect();
    let rules = rules(&written.rules, findings);
    let subjects = written.subjects.iter().flatten().map(|subject| subject.value.clone());
    let conditions = Conditions {
        subjects: subjects.collect(),
        claims: claims.into_iter().collect::<Option<_>>()?,
        rules: Rules::new(rules?),
    };
    Some((!conditions.is_empty()).then(|| Arc::new(conditions)))
}

/// Says where a mode lets requests pass that the conditions were written for.
pub(super) fn warn_of_mode(written: &PolicyFile, mode: Option<Mode>, findings: &mut Findings) {
    let scopes = written
        .scopes
        .as_ref()
        .filter(|scopes| !scopes.all_of.is_empty() || !scopes.any_of.is_empty());
    let scopes = scopes.map(|scopes| (&scopes.place, "scopes"));
    let conditions = written.conditions.place().map(|place| (place, "rules"));
    let passes = match mode {
        Some(Mode::Optional) => "in mode optional a request without a credential passes",
        Some(Mode::Anonymous) => "in mode anonymous every request passes",
        Some(Mode::Strict | Mode::Permissive) | None => return,
    };
    for (place, what) in [scopes, conditions].into_iter().flatten() {
        findings.warn(place, format!("{passes} whatever the {what}"));
    }
}

fn claim(written: &ClaimConditionFile, findings: &mut Findings) -> Option<ClaimCondition> {
    let claim = claim_path(written.claim.as_ref()?, findings)?;
    Some(ClaimCondition { claim, any_of: written.any_of.clone()? })
}

fn rules(written: &[RuleFile], findings: &mut Findings) -> Option<Vec<Rule>> {
    if let Some(over) = written.get(MAX_RULES) {
        findings.refuse(&over.place, format!("one rule too many; {MAX_RULES} are accepted"));
        return None;
    }
    let mut names = Names::default();
    let mut rules = Vec::with_capacity(written.len());
    for rule in written {
        let name = rule.name.as_ref().and_then(|name| names.claim(name, findings));
        let Some((effect, Spanned { value, place })) = &rule.says else { continue };
        // The text is checked all the same where the name was refused.
        let Some(known) = name.clone().or(Name::parse("unnamed").ok()) else { continue };
        let compiled = findings.accept(place, Rule::compile(known, *effect, value));
        rules.extend(name.and(compiled));
    }
    (rules.len() == written.len()).then_some(rules)
}
