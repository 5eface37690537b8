//! Payloads, and what is found in them.

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::Value;

use super::*;

fn claims(json: &str) -> Claims {
    Claims::parse(json.to_owned()).unwrap()
}

#[track_caller]
fn check(json: &str, path: &str, expected: Option<&str>) {
    let claims = claims(json);
    assert_eq!(claims.find(&ClaimPath::parse(path)).map(|v| v.0), expected, "{path}");
}

#[test]
fn an_exact_top_level_member_wins_over_a_path() {
    check(r#"{"a.b":1,"a":{"b":2}}"#, "a.b", Some("1"));
    check(r#"{"a":{"b":2}}"#, "a.b", Some("2"));
    check(r#"{"https://x.example/roles":["r"]}"#, "https://x.example/roles", Some(r#"["r"]"#));
    check(r#"{"/a":1,"a":2}"#, "/a", Some("1"));
}

#[test]
fn a_json_pointer_reaches_names_with_dots_and_slashes_and_elements() {
    check(r#"{"a.b":{"c/d":[1,{"e":2}]}}"#, "/a.b/c~1d/1/e", Some("2"));
    check(r#"{"a":[1]}"#, "/a/00", None);
    check(r#"{"a":[1]}"#, "/a/+0", None);
    check(r#"{"a":[1]}"#, "/a/1", None);
    check(r#"{"a":1}"#, "/a/b", None);
}

#[test]
fn a_nested_duplicate_is_not_chosen_among() {
    check(r#"{"a":{"b":1,"b":2}}"#, "a.b", None);
}

#[test]
fn a_name_written_with_escapes_is_found_by_its_text() {
    check(r#"{"\u0073ub":"x","z":1}"#, "sub", Some(r#""x""#));
}

/// Arrays of anything, with white space wherever JSON may have some.
fn array() -> impl Strategy<Value = String> {
    let text = "[ a\\[\\]{},:\"\\\\é]{0,6}".prop_map(|text: String| Value::from(text).to_string());
    let scalar = prop_oneof![text.clone(), Just("-1.5e3".to_owned()), Just("null".to_owned())];
    let space = || select(vec!["", " ", "\n\t"]);
    let value = scalar.prop_recursive(3, 20, 4, move |inner| {
        let list = vec((inner.clone(), space()), 0..4);
        let object = vec((text.clone(), inner), 0..3);
        prop_oneof![
            list.prop_map(|list| format!("[{}]", joined(&list))),
            object.prop_map(|members| {
                let member = |(name, value): &(String, String)| format!("{name} :{value}");
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
            }),
        ]
    });
    vec((value, space()), 0..5).prop_map(|list| format!("[{}]", joined(&list)))
}

fn joined(list: &[(String, &str)]) -> String {
    let padded: Vec<_> = list.iter().map(|(value, pad)| format!("{pad}{value}{pad}")).collect();
    if padded.is_empty() { " ".to_owned() } else { padded.join(",") }
}

proptest! {
    #[test]
    fn the_elements_of_an_array_are_those_that_serde_json_finds(json in array()) {
        let expected: Vec<&RawValue> = serde_json::from_str(&json).unwrap();
        let expected: Vec<Json<'_>> = expected.into_iter().map(|raw| Json(raw.get())).collect();
        let got: Option<Vec<_>> = Json(&json).elements().map(Iterator::collect);
        prop_assert_eq!(got, Some(expected));
    }

    #[test]
    fn a_string_is_read_as_serde_json_reads_it(
        text in "\\PC{0,20}|[\"\\\\/bfnrtu0-9dD]{0,12}", quoted in any::<bool>(),
    ) {
        let json = if quoted { Value::from(text).to_string() } else { format!("\"{text}\"") };
        // A claim is a part of a payload that was read.
        if let Ok(value) = serde_json::from_str::<Value>(&json) {
            let got = Json(&json).string();
            prop_assert_eq!(got.as_deref(), value.as_str());
        }
    }
}

/// Objects of these sizes are looked through in either way, also with one member more.
const SIZES: [usize; 6] = [1, 3, FEW - 1, FEW, FEW + 1, 300];

fn object(names: impl Iterator<Item = usize>) -> String {
    let members: Vec<_> = names.map(|n| format!(r#""m{}":{n}"#, n * 7 % 1000)).collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn each_member_of_few_or_many_is_found_by_its_name_and_no_other() {
    for size in SIZES {
        let claims = claims(&object(0..size));
        for n in 0..size {
            let value = n.to_string();
            let found = claims.member(&format!("m{}", n * 7 % 1000));
            assert_eq!(found.map(|v| v.0), Some(&*value), "{n} of {size}");
        }
        for name in ["", "m", "m0 ", "m00", "M0", "m1001"] {
            assert!(claims.member(name).is_none(), "{name:?} of {size}");
        }
        assert_eq!(claims.members().count(), size);
    }
}

#[test]
fn one_repeated_member_among_few_or_many_is_one_too_many() {
    for size in SIZES {
        for again in [0, size / 2, size - 1] {
            let json = object((0..size).chain([again]));
            assert!(Claims::parse(json).is_none(), "{again} of {size} twice");
        }
    }
    assert!(Claims::parse(r#"{"sub":1,"\u0073ub":2}"#.to_owned()).is_none());
}

#[test]
fn a_payload_is_read_the_short_way_unless_a_name_has_escapes() {
    assert!(plain_members(r#"{"sub":"\u0061","aud":["a",{"\n":1}]}"#).is_some());
    let escaped = r#"{"\u0073ub":"a"}"#;
    assert!(plain_members(escaped).is_none() && any_members(escaped).is_some());
}

#[test]
fn numbers_are_read_as_json_and_nothing_else() {
    assert_eq!(Json("1e3").number(), Some(1000.0));
    assert_eq!(Json("1e999").number(), Some(f64::INFINITY));
    assert_eq!(Json("\"1\"").number(), None);
    assert_eq!(Json("true").number(), None);
    assert_eq!(Json("null").number(), None);
}

#[test]
fn strings_takes_a_string_or_an_array_of_strings() {
    assert_eq!(Json(r#""a""#).strings().unwrap(), ["a"]);
    assert_eq!(Json(r#"["a","b"]"#).strings().unwrap(), ["a", "b"]);
    for json in ["1", "null", "{}", r#"["a",1]"#, r#"[["a"]]"#] {
        assert_eq!(Json(json).strings(), Err(Unusable), "{json}");
    }
}

#[test]
fn debug_shows_no_claim() {
    assert_eq!(format!("{:?}", claims(r#"{"sub":"alice"}"#)), "Claims(1 members)");
}

#[test]
fn a_date_is_a_number_from_0_to_2_to_the_53() {
    for date in ["0", "1.5", "1e3", "9007199254740992"] {
        assert!(Json(date).date().is_some(), "{date}");
    }
    for date in [
        "-1",
        "9007199254740993",
        "9007199254740992.5",
        "9.007199254740993e15",
        "1e16",
        "1e999",
        "\"1\"",
        "null",
        "true",
        "[1]",
    ] {
        assert_eq!(Json(date).date(), None, "{date}");
    }
}
