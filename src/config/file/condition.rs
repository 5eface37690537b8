//! `subjects`, `claims` and `rules` of a policy as written.
//!
//! It judges shape only; rules are compiled by `config/compile/conditions.rs`.

use crate::{
    config::{
        document::{Spanned, mapping::Mapping, node::Node},
        problem::Place,
    },
    policy::{conditions::Scalar, rule::Effect},
};

/// What a policy asks beside scopes, as written.
#[derive(Debug)]
pub struct ConditionsFile {
    /// `subjects`.
    pub subjects: Option<Vec<Spanned<String>>>,
    /// `claims`.
    pub claims: Vec<ClaimConditionFile>,
    /// `rules`.
    pub rules: Vec<RuleFile>,
}

/// One element of `claims`.
#[derive(Debug)]
pub struct ClaimConditionFile {
    /// Where it starts.
    pub place: Place,
    /// `claim`.
    pub claim: Option<Spanned<String>>,
    /// `any_of`.
    pub any_of: Option<Vec<Scalar>>,
}

/// One element of `rules`.
#[derive(Debug)]
pub struct RuleFile {
    /// Where it starts.
    pub place: Place,
    /// `name`.
    pub name: Option<Spanned<String>>,
    /// The one of `deny`, `require`, `allow`, with its expression.
    pub says: Option<(Effect, Spanned<String>)>,
}

impl ConditionsFile {
    /// Reads these keys of a policy.
    pub(super) fn read(map: &mut Mapping<'_>) -> Self {
        Self {
            subjects: map.optional("subjects", |node| node.full_list(Node::text)),
            claims: map
                .optional("claims", |node| node.list(ClaimConditionFile::read))
                .unwrap_or_default(),
            rules: map.optional("rules", |node| node.list(RuleFile::read)).unwrap_or_default(),
        }
    }

    /// Where the first of them stands, if there is any.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        let subjects = self.subjects.iter().flatten().map(|subject| &subject.place);
        let claims = self.claims.iter().map(|claim| &claim.place);
        subjects.chain(claims).chain(self.rules.iter().map(|rule| &rule.place)).next()
    }
}

impl ClaimConditionFile {
    fn read(node: Node<'_>) -> Option<Self> {
        let mut map = node.mapping()?;
        let condition = Self {
            place: map.place().clone(),
            claim: map.required("claim", "the name or path of a claim", Node::text),
            any_of: map.required("any_of", "a list of values", |node| node.full_list(scalar)),
        };
        map.finish();
        Some(condition)
    }
}

impl RuleFile {
    fn read(node: Node<'_>) -> Option<Self> {
        let mut map = node.mapping()?;
        let only = map.exactly_one(&["allow", "deny", "require"]);
        let name = map.required("name", "a name of 1 to 63 characters", Node::text);
        let allow = map.optional("allow", Node::text).map(|source| (Effect::Allow, source));
        let deny = map.optional("deny", Node::text).map(|source| (Effect::Deny, source));
        let require = map.optional("require", Node::text).map(|source| (Effect::Require, source));
        let says = only.and(allow.or(deny).or(require));
        let rule = Self { place: map.place().clone(), name, says };
        map.finish();
        Some(rule)
    }
}

fn scalar(node: Node<'_>) -> Option<Scalar> {
    if let Some(boolean) = node.as_boolean() {
        return Some(Scalar::Boolean(boolean));
    }
    if node.is_string() {
        return node.text().map(|text| Scalar::Text(text.value));
    }
    match node.as_integer() {
        Some(integer) => Some(Scalar::Integer(integer)),
        None => node.refuse("not a value; a string, a whole number, true or false is accepted"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::file::ConfigFile;

    #[track_caller]
    fn check(keys: &str, expected: &[&str]) {
        let text = format!("policies:\n- name: a\n  {keys}");
        let file = ConfigFile::read(Path::new("c"), text.as_bytes());
        let problems: Vec<_> = file.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, expected) in problems.iter().zip(expected) {
            let expected = format!("c:3:{expected}");
            assert!(problem.starts_with(&expected), "{problem} does not start with {expected}");
        }
    }

    #[test]
    fn a_rule_has_a_name_and_one_expression() {
        check("rules: []", &[]);
        check("rules: [{name: a, allow: x}, {name: b, deny: y}, {name: c, require: z}]", &[]);
        check("rules: [{allow: x}]", &["11: policies[0].rules[0].name: missing; a name of"]);
        check("rules: [{name: a}]", &["11: policies[0].rules[0].allow: missing; exactly one of"]);
        check(
            "rules: [{name: a, allow: x, deny: y}]",
            &["31: policies[0].rules[0].deny: stands beside `allow`; exactly one of allow, deny"],
        );
        check("rules: [{name: a, allow: true}]", &["28: policies[0].rules[0].allow: found a bool"]);
        check(
            "rules: [{name: a, allow: ''}]",
            &["28: policies[0].rules[0].allow: an empty string"],
        );
        check("rules: [a]", &["11: policies[0].rules[0]: found a string; a mapping"]);
        check("rules: {a: b}", &["10: policies[0].rules: found a mapping; a list is accepted"]);
        check(
            "rules: [{name: a, require: x, if: y}]",
            &["33: policies[0].rules[0].if: unknown key"],
        );
    }

    #[test]
    fn a_claim_condition_has_a_claim_and_values_of_three_types() {
        check("claims: []", &[]);
        check("claims: [{claim: a.b, any_of: [x, 5, true]}]", &[]);
        check("claims: [{any_of: [x]}]", &["12: policies[0].claims[0].claim: missing"]);
        check("claims: [{claim: a}]", &["12: policies[0].claims[0].any_of: missing; a list of"]);
        check(
            "claims: [{claim: a, any_of: []}]",
            &["31: policies[0].claims[0].any_of: an empty list"],
        );
        for bad in ["1.5", "[x]", "{x: y}", "''"] {
            let place = "32: policies[0].claims[0].any_of[0]: ";
            check(&format!("claims: [{{claim: a, any_of: [{bad}]}}]"), &[place]);
        }
    }

    #[test]
    fn subjects_are_a_list_of_strings_with_something_in_it() {
        check("subjects: [alice, '7']", &[]);
        check("subjects: []", &["13: policies[0].subjects: an empty list"]);
        check("subjects: alice", &["13: policies[0].subjects: found a string; a list"]);
        check("subjects: [7]", &["14: policies[0].subjects[0]: found a number"]);
    }
}
