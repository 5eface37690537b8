//! What YAML becomes which tree, and what is no tree: each with its place.

use super::*;

/// As JSON, or `LINE:COLUMN: ` and what is wrong.
fn read(text: &str) -> String {
    match parse(text) {
        Ok(Some(yaml)) => serde_json::to_string(&yaml).unwrap_or_else(|error| error.to_string()),
        Ok(None) => "nothing".to_owned(),
        Err(Broken { mark, message }) => format!("{mark}: {message}"),
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(read(text), expected, "{text}");
}

#[track_caller]
fn check_depth(text: &str, expected: Option<usize>) {
    let read = read(text);
    let expected = expected.map(|line| format!("{line}:"));
    assert_eq!(read.ends_with(TOO_DEEP), expected.is_some(), "{text}: {read}");
    assert!(read.starts_with(&expected.unwrap_or_default()), "{text}: {read}");
}

fn lists(levels: usize) -> String {
    format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn a_tree_is_what_is_written() {
    check("{b: 1, a: [x, 'y', \"z\\n\"], c: {}}", r#"{"a":["x","y","z\n"],"b":1,"c":{}}"#);
    check(
        "- ~\n- null\n-\n- true\n- 0x1f\n- -7\n- 1.5\n- yes",
        "[null,null,null,true,31,-7,1.5,\"yes\"]",
    );
    check("a: |\n  two\n  lines\nb: >-\n  one\n  line", r#"{"a":"two\nlines\n","b":"one line"}"#);
    check("? a\n? b\n: c", r#"{"a":null,"b":"c"}"#);
    check("5", "5");
}

#[test]
fn tags_are_the_core_schemas() {
    check("[!!str 5, !!int 5, !!seq [a], !!map {a: b}]", r#"["5",5,["a"],{"a":"b"}]"#);
    for own in
        ["!own [a]", "!own {a: b}", "!own x", "! x", "!own", "!own 'x'", "!!int a", "!!bool yes"]
    {
        check(&format!("a: {own}"), "no JSON");
    }
}

#[test]
fn what_json_has_not_is_an_error_there() {
    check("[.inf]", "no JSON");
    check("[.nan]", "no JSON");
    check("{5: a}", "a key is no string");
}

#[test]
fn an_alias_is_what_it_stands_for_where_it_stands() {
    check("a: &a {x: [1]}\nb: *a\n*a : c", "a key is no string");
    check("a: &a {x: [1]}\nb: *a", r#"{"a":{"x":[1]},"b":{"x":[1]}}"#);
    check("&k a: &v b\n*v : *k", r#"{"a":"b","b":"a"}"#);
    check("a: &a [*a]", "no JSON");
    check("a: &a 1\nb: &a 2\nc: *a", r#"{"a":1,"b":2,"c":2}"#);
    let Ok(Some(Yaml { value: Value::Sequence(items), .. })) = parse("- &a [x]\n-  *a") else {
        panic!("two items");
    };
    assert_eq!(items[1].mark, Mark::new(2, 4));
}

#[test]
fn a_key_twice_is_refused_at_the_second() {
    let twice = "not YAML: duplicated key in mapping";
    check("a: 1\n\"a\": 2", &format!("2:1: {twice}"));
    check("a: {b: 1, b: 2}", &format!("1:11: {twice}"));
    check("&k a: 1\n*k : 2", &format!("2:1: {twice}"));
    check("a: 1\nA: 2", r#"{"A":2,"a":1}"#);
}

#[test]
fn one_document_is_read_and_the_second_refused() {
    for nothing in ["", "# no more\n", "---\n", "~", "{}", "{}\n---\na: 1"] {
        check(nothing, "nothing");
    }
    check("a: 1\n---\n  b: 2\n---\nc: 3", &format!("3:3: {SECOND}"));
    check(
        "a: 1\n---\n[",
        "4:1: not YAML: while parsing a node, did not find expected node content",
    );
}

#[test]
fn collections_are_counted_however_they_are_written() {
    check_depth(&lists(64), None);
    check_depth(&lists(65), Some(1));
    let block = |levels: usize| -> String {
        (0..levels).map(|level| format!("{}a:\n", " ".repeat(level))).collect()
    };
    check_depth(&block(64), None);
    check_depth(&block(65), Some(65));
    for deep in ["- ", "[", "? "] {
        check_depth(&deep.repeat(100), Some(1));
    }
    check_depth(&format!("a:\n- {}\n- {{b: {}}}", lists(62), lists(61)), None);
    check_depth(&format!("a:\n- {}\n- {{b: {}}}", lists(62), lists(62)), Some(3));
}

/// Whoever recursed before counting would overflow the stack. The parser has a limit of its own,
/// which flow collections meet first: it looks ahead for the end of a key.
#[test]
fn absurd_depth_is_refused() {
    for deep in ["- ", "[", "{a: ", "? "] {
        assert!(parse(&deep.repeat(100_000)).is_err(), "{deep}");
    }
}

#[test]
fn an_alias_is_as_deep_as_what_it_stands_for() {
    let text = |levels| format!("a: &a {}\nb: &b [*a]\nc: [*b]", lists(levels));
    check_depth(&text(61), None);
    check_depth(&text(62), Some(3));
    check_depth(&format!("a: &a 1\nb: {}", lists(63).replace('1', "*a")), None);
}

#[test]
fn aliases_of_aliases_and_lone_carriage_returns_hide_no_depth() {
    let mut folded = String::from("a0: &a0 [x]\n");
    for n in 1..40 {
        folded += &format!("a{n}: &a{n} [[[[*a{}]]]]\n", n - 1);
    }
    check_depth(&folded, Some(17));
    let returns: String = (0..1000).map(|n| format!("{}a:\r", " ".repeat(n))).collect();
    check_depth(&returns, Some(65));
}

#[test]
fn aliases_stand_for_so_much_and_no_more() {
    let list = |values: usize| format!("[{}]", vec!["1"; values - 1].join(","));
    let text = |values| format!("a: &a {}\nb: *a\nc: &c {{x: 1}}\nd: *c", list(values));
    assert!(read(&text(MAX_UNFOLDED - 3)).starts_with('{'));
    check(&text(MAX_UNFOLDED - 2), &format!("4:4: {TOO_MUCH}"));
    check(&text(MAX_UNFOLDED + 1), &format!("2:4: {TOO_MUCH}"));
}
