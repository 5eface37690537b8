//! `subjects`, `claims` and `rules` of a policy.

use super::{accepted, refused, with_policy};

#[test]
fn conditions_are_none_where_nothing_is_asked() {
    for nothing in ["providers: [okta]", "providers: [okta], rules: [], claims: []"] {
        assert!(accepted(&with_policy(nothing)).policies["p"].conditions.is_none());
    }
    let text = with_policy(
        "providers: [okta], subjects: [a], claims: [{claim: /a/b, any_of: [x]}], \
         rules: [{name: r, require: 'claims.a == 1'}, {name: d, deny: 'false'}]",
    );
    let compiled = accepted(&text);
    let conditions = compiled.policies["p"].conditions.as_ref().unwrap();
    assert_eq!((conditions.subjects.len(), conditions.claims.len()), (1, 1));
    let order: Vec<_> = conditions.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(order, ["d", "r"]);
}

/// The problem of one rule, after its place.
#[track_caller]
fn rule_refused(source: &str, expected: &str) {
    let text =
        with_policy(&format!("providers: [okta], rules: [{{name: r, require: \"{source}\"}}]"));
    refused(&text, &[&format!("7:68: policies[0].rules[0].require: {expected}")]);
}

#[test]
fn a_rule_is_compiled_with_its_problem_at_its_place() {
    rule_refused("jwt.sub == 'a'", "unknown name jwt.sub; did you mean `claims.sub`?");
    rule_refused("auth.claims.sub == 'a'", "unknown name auth.claims; did you mean `claims.`?");
    rule_refused("claims.sub ==", "not a CEL expression: line 1, character");
    rule_refused("claims.sub.matches(claims.p)", "matches() with a pattern that is no string");
    rule_refused("claims.sub.matches('(')", "not a pattern: ");
    rule_refused("claims.a.exists(x, claims.b.exists(y, x == y))", "all, exists, exists_one");
    rule_refused("claims.sub + 'a'", "not a condition; an expression that is true or false");
    rule_refused(&format!("claims.sub == '{}'", "a".repeat(4096)), "longer than 4096 bytes");
}

#[test]
fn all_problems_of_all_rules_are_reported_at_once() {
    refused(
        &with_policy(
            "providers: [okta], claims: [{claim: /a~b, any_of: [x]}], \
             rules: [{name: r, deny: foo}, {name: R, allow: bar}, {name: 'a b', allow: baz}]",
        ),
        &[
            "7:58: policies[0].claims[0].claim: not a JSON Pointer",
            "7:103: policies[0].rules[0].deny: unknown name foo",
            "7:116: policies[0].rules[1].name: the name is taken at c:7:94; case does not count",
            "7:126: policies[0].rules[1].allow: unknown name bar",
            "7:139: policies[0].rules[2].name: not a name",
            "7:153: policies[0].rules[2].allow: unknown name baz",
        ],
    );
}

#[test]
fn rule_names_are_unique_within_a_policy_only() {
    let rules = "providers: [okta], rules: [{name: r, deny: 'false'}]";
    accepted(
        &(with_policy(rules) + &format!("\n- {{name: q, {rules}}}"))
            .replace("policies: [", "policies:\n- ")
            .replace("}]}]", "}]}"),
    );
}

#[test]
fn a_policy_has_at_most_64_rules() {
    let rules = |n: usize| {
        let rules: Vec<_> = (0..n).map(|i| format!("{{name: r{i}, deny: 'false'}}")).collect();
        with_policy(&format!("providers: [okta], rules: [{}]", rules.join(", ")))
    };
    accepted(&rules(64));
    refused(&rules(65), &["7:"]);
}

#[test]
fn conditions_that_a_mode_passes_over_are_a_warning() {
    let warning = |mode: &str, key: &str| {
        let text = with_policy(&format!("mode: {mode}, providers: [okta], {key}"));
        accepted(&text).warnings.join("\n")
    };
    for key in
        ["rules: [{name: r, deny: 'false'}]", "subjects: [a]", "claims: [{claim: a, any_of: [b]}]"]
    {
        let optional = warning("optional", key);
        assert!(
            optional.contains(
                "in mode optional a request without a credential passes whatever the rules"
            ),
            "{optional}"
        );
        assert!(warning("anonymous", key).contains("in mode anonymous every request passes"));
        assert_eq!(warning("strict", key) + &warning("permissive", key), "");
    }
}
