//! Rules on their own: what holds, and what is denied for want of a clear answer.

mod source;

use super::*;
use crate::policy::rule::Effect::{Allow, Deny, Require};

/// A verified token and a request.
struct Given {
    claims: Vec<(String, String)>,
    path: Result<&'static str, Unreadable>,
}

impl Facts for Given {
    fn claim(&self, name: &str) -> Option<&str> {
        self.claims.iter().find(|(own, _)| own == name).map(|(_, json)| json.as_str())
    }
    fn each_claim<'f>(&'f self, show: &mut dyn FnMut(&'f str, &'f str)) {
        self.claims.iter().for_each(|(name, json)| show(name, json));
    }
    fn provider(&self) -> &str {
        "okta"
    }
    fn scopes(&self) -> Vec<String> {
        vec!["read".to_owned(), "write".to_owned()]
    }
    fn now(&self) -> i64 {
        1_700_000_000
    }
    fn method(&self) -> Result<Cow<'_, str>, Unreadable> {
        Ok("GET".into())
    }
    fn path(&self) -> Result<Cow<'_, str>, Unreadable> {
        self.path.map(Cow::Borrowed)
    }
    fn host(&self) -> Result<Cow<'_, str>, Unreadable> {
        Ok("api.example.com".into())
    }
    fn headers(&self) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
        vec![("x-tenant".into(), "acme".into())]
    }
}

fn given(claims: &str) -> Given {
    let members: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(claims).unwrap();
    let claims = members.into_iter().map(|(name, raw)| (name, raw.get().to_owned())).collect();
    Given { claims, path: Ok("/orders/7") }
}

fn rule(effect: Effect, source: &str) -> Result<Rule, RuleError> {
    Rule::compile(Name::parse("r").unwrap(), effect, source)
}

/// What a requirement makes of these claims.
#[track_caller]
fn check(source: &str, claims: &str, expected: bool) {
    let rules = Rules::new(vec![rule(Require, source).unwrap_or_else(|e| panic!("{source}: {e}"))]);
    assert_eq!(rules.check(&given(claims)).is_ok(), expected, "{source} on {claims}");
}

/// Neither the requirement nor its opposite holds: it cannot be evaluated.
#[track_caller]
fn fails(source: &str, claims: &str) {
    check(source, claims, false);
    check(&format!("!({source})"), claims, false);
}

#[track_caller]
fn refused(source: &str, expected: &str) {
    let error = rule(Require, source).map(|_| "accepted").unwrap_err().to_string();
    assert!(error.contains(expected), "{source:.80}: {error}");
}

const ALICE: &str =
    r#"{"sub":"alice","groups":["staff","AI-Users"],"level":5,"realm":{"roles":["r"]},"a.b":1}"#;

#[test]
fn claims_are_read_by_name_path_and_index() {
    check(r#""AI-Users" in claims.groups"#, ALICE, true);
    check(r#""Admins" in claims.groups"#, ALICE, false);
    check(r#"claims.realm.roles[0] == "r""#, ALICE, true);
    check(r#"claims["a.b"] == 1"#, ALICE, true);
    check(r#"claims.sub == "bob""#, ALICE, false);
    check(r#"has(claims.level) && claims.level >= 5"#, ALICE, true);
    check(r#""level" in claims && !("x" in claims)"#, ALICE, true);
    check(r#"claims.?x.orValue("none") == "none""#, ALICE, true);
    check(r#"claims.all(name, name != "x")"#, ALICE, true);
    check(r#"size(claims.groups) == 2 && type(claims.level) == int"#, ALICE, true);
}

#[test]
fn the_other_variables_are_there() {
    check(r#"provider == "okta""#, ALICE, true);
    check(r#""read" in scopes && !("admin" in scopes)"#, ALICE, true);
    check("now - 1700000000 == 0", ALICE, true);
    check(r#"request.method == "GET" && request.host == "api.example.com""#, ALICE, true);
    check(r#"request.path.startsWith("/orders/")"#, ALICE, true);
    check(r#"request.headers["x-tenant"] == "acme""#, ALICE, true);
    check(r#"has(request.headers.authorization2)"#, ALICE, false);
    check(r#"request.method == "POST""#, ALICE, false);
}

#[test]
fn what_cannot_be_evaluated_neither_holds_nor_does_not() {
    fails(r#"claims.missing == "x""#, ALICE);
    fails(r#"claims.groups.role == "x""#, ALICE);
    fails(r#"claims.sub > 5"#, ALICE);
    fails("claims.groups[7] == \"x\"", ALICE);
    fails("1 / (claims.level - 5) == 0", ALICE);
    fails("9223372036854775807 + claims.level > 0", ALICE);
    fails(r#""a" in claims.level"#, ALICE);
    fails(r#"request.headers["x-other"] == "acme""#, ALICE);
    fails(r#"claims.level.matches("5")"#, ALICE);
}

#[test]
fn what_is_no_boolean_denies() {
    check("claims.level", ALICE, false);
    check("claims.sub", ALICE, false);
    check("claims.flag", r#"{"flag":"true"}"#, false);
    check("claims.flag", r#"{"flag":1}"#, false);
    check("claims.flag", r#"{"flag":true}"#, true);
    for source in ["1", "\"true\"", "[true]", "{}", "1 + 1", "size(claims.groups)", "null"] {
        refused(source, "not a condition");
    }
}

/// Which rule refuses, or none.
#[track_caller]
fn order(rules: &[(&str, Effect, &str)], expected: Option<&str>) {
    let rules = rules.iter().map(|(name, effect, source)| {
        Rule::compile(Name::parse(name).unwrap(), *effect, source).unwrap()
    });
    let rules = Rules::new(rules.collect());
    let refused = match rules.check(&given(ALICE)) {
        Ok(()) => None,
        Err(Refusal::Rule(rule)) => Some(rule.name.as_str().to_owned()),
        Err(Refusal::Request(_)) => Some("request".to_owned()),
    };
    assert_eq!(refused.as_deref(), expected);
}

#[test]
fn deny_comes_first_then_every_require_then_one_allow() {
    order(&[], None);
    order(&[("a", Allow, "true"), ("r", Require, "false"), ("d", Deny, "true")], Some("d"));
    order(&[("a", Allow, "false"), ("r", Require, "false"), ("d", Deny, "false")], Some("r"));
    order(&[("r", Require, "true"), ("s", Require, "false")], Some("s"));
    order(&[("a", Allow, "false"), ("b", Allow, "true")], None);
    order(&[("a", Allow, "false"), ("b", Allow, "false")], Some("a"));
    order(&[("d", Deny, "false")], None);
}

#[test]
fn a_rule_that_fails_denies_whatever_it_is_and_whatever_stands_beside_it() {
    order(&[("d", Deny, "claims.x")], Some("d"));
    order(&[("r", Require, "claims.x"), ("a", Allow, "true")], Some("r"));
    order(&[("a", Allow, "true"), ("b", Allow, "claims.x")], Some("b"));
    order(&[("a", Allow, "claims.x"), ("b", Allow, "true")], Some("a"));
}

#[test]
fn a_request_that_reads_in_two_ways_is_malformed_only_where_a_rule_looks() {
    let given = Given { path: Err(Unreadable), ..given(ALICE) };
    for (source, expected) in [
        (r#"request.path == "/""#, Err(true)),
        (r#"true || request.path == "/""#, Err(true)),
        (r#"claims.sub == "alice""#, Ok(())),
    ] {
        let rules = Rules::new(vec![rule(Require, source).unwrap()]);
        assert_eq!(
            rules.check(&given).map_err(|r| matches!(r, Refusal::Request(_))),
            expected,
            "{source}"
        );
    }
    let path = || rule(Require, r#"request.path == "/""#).unwrap();
    for (first, expected) in [("true", true), (r#"request.method == "PUT""#, false)] {
        let rules = Rules::new(vec![rule(Deny, first).unwrap(), path()]);
        assert!(matches!(rules.check(&given), Err(Refusal::Rule(_))) == expected, "{first}");
    }
    let others = vec![rule(Require, r#"request.method == "GET""#).unwrap(), path()];
    assert!(matches!(Rules::new(others).check(&given), Err(Refusal::Request(_))));
}

#[test]
fn integers_are_compared_as_they_were_written() {
    let big = |n: &str| format!(r#"{{"id":{n}}}"#);
    check("claims.id == 9007199254740993", &big("9007199254740993"), true);
    check("claims.id == 9007199254740993", &big("9007199254740992"), false);
    check("claims.id == 9007199254740992", &big("9007199254740993"), false);
    check("claims.id == 18446744073709551615u", &big("18446744073709551615"), true);
    check("claims.id == 18446744073709551615u", &big("18446744073709551614"), false);
    check("claims.id == -9223372036854775808", &big("-9223372036854775808"), true);
    check("9007199254740993 in claims.id", &big("[9007199254740992]"), false);
    check("claims.id == 1.5", &big("1.5"), true);
    check("claims.id == 1", &big("1.0"), true);
    check("claims.id == 1000", &big("1e3"), true);
    check("claims.id < 1", &big("-0.0"), true);
}

#[test]
fn a_number_that_would_be_rounded_cannot_be_evaluated() {
    for number in [
        "18446744073709551616",
        "-9223372036854775809",
        "9007199254740993.0",
        "1e16",
        "1e400",
        "1e-400",
        "0.1234567890123456",
    ] {
        fails("claims.id == 5", &format!(r#"{{"id":{number}}}"#));
        fails("claims.id.n != 5", &format!(r#"{{"id":{{"n":{number}}}}}"#));
        fails(r#"claims.size() == 1"#, &format!(r#"{{"id":[{number}]}}"#));
        check("claims.other == 1", &format!(r#"{{"id":{number},"other":1}}"#), true);
    }
    for literal in ["9007199254740993.0", "1e16", "-1e300"] {
        refused(&format!("claims.id == {literal}"), "no exact number");
    }
}

#[test]
fn claims_that_readers_could_read_in_two_ways_cannot_be_evaluated() {
    fails("claims.a.b == 1", r#"{"a":{"b":1,"b":2}}"#);
    fails(r#"claims.a != "x""#, r#"{"a":"\ud800"}"#);
    check("claims.a == \"\u{fc}\\n\"", r#"{"a":"\u00fc\n"}"#, true);
}

#[test]
fn a_rule_over_its_budget_denies_whatever_its_value() {
    let many =
        |n: usize| format!(r#"{{"l":[{}],"t":"{}"}}"#, vec!["1"; n].join(","), "a".repeat(12_000));
    for source in [
        "claims.l.all(x, x == 1)",
        "claims.l.exists(x, x == 2) || true",
        "claims.l.filter(x, x == 1).size() > 0",
        "claims.l.filter(x, x == 2).size() == 0",
        "claims.l.map(x, x + 1).size() > 0 || true",
        "!claims.l.exists_one(x, x == 1)",
    ] {
        check(source, &many(300), true);
        fails(source, &many(8_000));
    }
    check(r#"claims.l.all(x, claims.t.matches("a"))"#, &many(20), true);
    fails(r#"claims.l.all(x, claims.t.matches("b*$"))"#, &many(300));
}
