//! The rules that cannot be run, since they look at a part of the request that was not given.
//!
//! It runs none: the policies are left with those that can be, and `serve`'s code runs these.

use std::sync::Arc;

use crate::{
    cli::explain::Arguments,
    policy::{
        Policy,
        conditions::Conditions,
        rule::{Effect, Part, Rule, Rules},
    },
    snapshot::Snapshot,
};

/// A rule that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// The policy's name, lower-case.
    policy: String,
    /// `NAME (--path)`.
    rule: String,
}

/// Takes the rules that cannot be run out of every policy. Where one `allow` cannot be run, none
/// is: another that does not hold would say nothing.
pub(super) fn leave_out(arguments: &Arguments, snapshot: &mut Snapshot) -> Vec<LeftOut> {
    let mut all = Vec::new();
    for (key, policy) in &mut snapshot.policies {
        let Some(conditions) = policy.conditions.as_deref() else { continue };
        let lacking = |rule: &Rule| rule.parts().find(|part| !is_given(arguments, *part));
        let out = conditions.rules.iter().filter_map(|rule| Some((rule, lacking(rule)?)));
        let out: Vec<(&Rule, Part)> = out.collect();
        if out.is_empty() {
            continue;
        }
        let no_allow = out.iter().any(|(rule, _)| rule.effect == Effect::Allow);
        let runs =
            |rule: &&Rule| lacking(rule).is_none() && !(no_allow && rule.effect == Effect::Allow);
        let rules = Rules::new(conditions.rules.iter().filter(runs).cloned().collect());
        all.extend(out.iter().map(|(rule, part)| LeftOut {
            policy: key.clone(),
            rule: format!("{} ({})", rule.name, flag(*part)),
        }));
        let (subjects, claims) = (conditions.subjects.clone(), conditions.claims.clone());
        let conditions = Some(Arc::new(Conditions { subjects, claims, rules }));
        *policy = Arc::new(Policy { conditions, ..Policy::clone(policy) });
    }
    // The default policy is one of them, held by itself.
    if let Some(name) = snapshot.default_policy.as_ref().and_then(|policy| policy.name.as_ref()) {
        snapshot.default_policy = snapshot.policies.get(&name.key()).cloned();
    }
    all
}

/// The rules of `policy` that are left out, for people; empty where there is none.
pub(super) fn of(left_out: &[LeftOut], policy: &Policy) -> String {
    let key = policy.name.as_ref().map(|name| name.key());
    let own = left_out.iter().filter(|out| key.as_deref() == Some(&*out.policy));
    own.map(|out| out.rule.as_str()).collect::<Vec<_>>().join(", ")
}

fn is_given(arguments: &Arguments, part: Part) -> bool {
    match part {
        Part::Method => arguments.method.is_some(),
        Part::Host => arguments.host.is_some(),
        Part::Path => arguments.path.is_some(),
        Part::Headers => !arguments.headers.is_empty(),
    }
}

fn flag(part: Part) -> &'static str {
    match part {
        Part::Method => "--method",
        Part::Host => "--host",
        Part::Path => "--path",
        Part::Headers => "--header",
    }
}
