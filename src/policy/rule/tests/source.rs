//! What is refused before any request: unknown names, computed patterns, what costs too much.

use super::*;

#[test]
fn an_unknown_name_is_refused_with_a_hint() {
    refused(
        "jwt.sub == \"a\"",
        "unknown name jwt.sub; did you mean `claims.sub`?; accepted are claims",
    );
    refused("auth.claims.sub == \"a\"", "unknown name auth.claims; did you mean `claims.`?");
    refused("token == \"a\"", "unknown name token; did you mean `claims.`?");
    refused("\"a\" in groups", "unknown name groups; a claim is read as claims.NAME");
    refused("scope == \"a\"", "did you mean `scopes`?");
    refused("request.url == \"a\"", "unknown name request.url; did you mean `request.path`?");
    refused("request == \"a\"", "unknown name request alone; accepted are request.method");
    refused("request[\"path\"] == \"a\"", "unknown name request alone");
    refused("foo", "unknown name foo; accepted are claims, provider, scopes, now, request");
    refused(".claims.sub == \"a\"", "unknown name");
    refused("claims.sub.foo()", "unknown function foo; accepted are has");
    refused("Foo{a: 1} == 1", "Foo");
}

#[test]
fn credentials_and_raw_names_are_kept_from_rules() {
    for name in ["authorization", "Authorization", "cookie", "proxy-authorization", ":path", "host"]
    {
        refused(&format!("request.headers[\"{name}\"] == \"a\""), "is never there: credentials");
    }
    refused("has(request.headers.cookie)", "is never there");
    refused("request.headers[\"X-Tenant\"] == \"a\"", "lower case");
}

#[test]
fn what_is_no_cel_is_refused_with_its_place() {
    refused("claims.sub ==", "not a CEL expression: line 1, character 14");
    refused("claims.sub = \"a\"", "not a CEL expression: line 1, character 12");
    refused("(", "not a CEL expression");
    refused("\"unclosed", "not a CEL expression");
    refused("", "not a CEL expression");
}

#[test]
fn patterns_are_literal_and_compiled_with_the_rule() {
    check(r#"claims.sub.matches("^a.*e$")"#, ALICE, true);
    check(r#"matches(claims.sub, r"^\w+$")"#, ALICE, true);
    check(r#"claims.sub.matches("^b")"#, ALICE, false);
    check(r#"claims.groups.exists(g, g.matches("^AI-"))"#, ALICE, true);
    refused("claims.sub.matches(claims.pattern)", "no string literal");
    refused(r#"claims.sub.matches("a" + "b")"#, "no string literal");
    refused("claims.sub.matches()", "no string literal");
    refused(r#"claims.sub.matches("(")"#, "not a pattern");
    refused(r#"claims.sub.matches("(a{1000}){1000}")"#, "not a pattern");
    refused(r#"claims.sub.matches("(?=a)")"#, "not a pattern");
}

#[test]
fn one_level_of_comprehension_is_accepted() {
    check("claims.groups.all(g, g.size() > 1)", ALICE, true);
    check("claims.groups.map(g, g.lowerAscii()) == [\"staff\", \"ai-users\"]", ALICE, true);
    check("claims.groups.filter(g, g != \"staff\") == [\"AI-Users\"]", ALICE, true);
    check("claims.groups.exists_one(g, g == \"staff\")", ALICE, true);
    check(
        "claims.groups.exists(g, g == \"x\") || claims.groups.exists(g, g == \"staff\")",
        ALICE,
        true,
    );
    let nested = "all, exists, exists_one, filter or map inside or after another";
    refused("claims.groups.exists(a, claims.groups.exists(b, a == b))", nested);
    refused("claims.groups.map(a, a + a).exists(b, b == \"\")", nested);
    refused("[claims.groups.map(a, a)].exists(b, true)", nested);
    refused("claims.groups.exists(claims, claims == \"a\")", "claims is taken");
    refused("claims.groups.exists(g, h == \"a\")", "unknown name h");
}

#[test]
fn a_text_is_bounded_in_length_and_depth() {
    refused(&format!("claims.sub == \"{}\"", "a".repeat(4096)), "longer than 4096 bytes");
    refused(&format!("{}true{}", "(".repeat(21), ")".repeat(21)), "nested too deep");
    refused(&format!("0 {} == 1", "+ 1".repeat(600)), "nested too deep");
    refused(&format!("1 {} == 1", "+ 1".repeat(100)), "nested too deep");
    refused(&format!("claims{} == 1", ".a".repeat(500)), "nested too deep");
    refused(&format!("{}true", "!".repeat(600)), "nested too deep");
    refused(&format!("{}true", "true?false:".repeat(30)), "nested too deep");
    let wide: Vec<_> = (0..90).map(|i| format!("claims.sub == \"{i}\"")).collect();
    check(&wide.join(" || "), ALICE, false);
    check(&format!("claims.sub in [{}]", vec!["\"alice\""; 300].join(",")), ALICE, true);
}

/// A thread of the server has 2 MiB; this leaves room for what called, in a build without
/// optimization, where each level takes ten times as much.
#[test]
fn no_accepted_text_exhausts_a_small_stack() {
    fn deep(open: &str, inner: &str, close: &str) -> Vec<String> {
        let counts = (4..24).chain([64, 500]);
        counts.map(|n| format!("{}{inner}{}", open.repeat(n), close.repeat(n))).collect()
    }
    let mut texts = deep("(", "true", ")");
    texts.extend(deep("[", "1", "]").iter().map(|list| format!("{list} == []")));
    texts.extend(deep("", "claims.n", " + 1").iter().map(|sum| format!("{sum} == 1")));
    texts.extend(deep("", "claims.n", ".a").iter().map(|path| format!("{path} == 1")));
    texts.extend(deep("!", "(claims.n == 1)", ""));
    texts.extend(deep("true ? false : ", "true", ""));
    texts.extend(deep("string(", "claims.n", ")").iter().map(|call| format!("{call} == \"\"")));
    let run = move || {
        let rules: Vec<Rule> = texts.iter().filter_map(|text| rule(Require, text).ok()).collect();
        assert!(rules.len() > 60, "{}", rules.len());
        for rule in rules {
            let _ = Rules::new(vec![rule]).check(&given(r#"{"n":1}"#));
        }
    };
    std::thread::Builder::new().stack_size(1536 * 1024).spawn(run).unwrap().join().unwrap();
}
