//! How one JSON value is written into a header: safe bytes only, and distinct values stay distinct.
//!
//! It does not look claims up and knows no header names.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::check::{
    claims::{Json, Unusable},
    strict_json::Unique,
};

/// `format: text`: scalars as they are, arrays of scalars joined by `,`, objects as JSON, all
/// percent-encoded. Null, `""` and `[]` are empty.
pub(super) fn text(value: Json<'_>) -> Result<Cow<'_, str>, Unusable> {
    if let Some(elements) = value.elements() {
        let mut joined = String::with_capacity(value.0.len());
        for (index, element) in elements.enumerate() {
            if index > 0 {
                joined.push(',');
            }
            // An element that is null would read as an absent one.
            let scalar = scalar(element).ok_or(Unusable)?.ok_or(Unusable)?;
            percent_encode(&scalar, Comma::Encode, &mut joined);
        }
        return Ok(joined.into());
    }
    match scalar(value) {
        Some(None) => Ok("".into()),
        Some(Some(Cow::Borrowed(plain))) if is_plain(plain) => Ok(plain.into()),
        Some(Some(scalar)) => Ok(percent_encoded(&scalar).into()),
        None => Ok(percent_encoded(&compact(value)?).into()),
    }
}

/// `format: json`: the token's own JSON without white space, in ASCII.
pub(super) fn json(value: Json<'_>) -> Result<String, Unusable> {
    if is_absent(value) { Ok(String::new()) } else { compact(value) }
}

/// `format: base64url`: a scalar's text, or the JSON of an array or object.
pub(super) fn base64url(value: Json<'_>) -> Result<String, Unusable> {
    if is_absent(value) {
        return Ok(String::new());
    }
    let text = match scalar(value) {
        Some(text) => text.unwrap_or_default(),
        None => compact(value)?.into(),
    };
    Ok(URL_SAFE_NO_PAD.encode(&*text))
}

fn is_absent(value: Json<'_>) -> bool {
    value.0 == "null"
        || value.string().is_some_and(|s| s.is_empty())
        || value.elements().is_some_and(|mut elements| elements.next().is_none())
}

/// A scalar's text; `Some(None)` for null; none for arrays, objects and broken strings.
fn scalar(value: Json<'_>) -> Option<Option<Cow<'_, str>>> {
    match value.0.as_bytes().first()? {
        b'{' | b'[' => None,
        b'"' => value.string().map(Some),
        b'n' => Some(None),
        _ => Some(Some(Cow::Borrowed(value.0))),
    }
}

/// The value without white space between tokens, every character beyond printable ASCII written
/// as `\uXXXX`.
fn compact(value: Json<'_>) -> Result<String, Unusable> {
    let mut out = String::with_capacity(value.0.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in value.0.chars() {
        if !in_string {
            in_string = c == '"';
            if !c.is_ascii_whitespace() {
                out.push(c);
            }
            continue;
        }
        in_string = escaped || c != '"';
        escaped = !escaped && c == '\\';
        if (' '..='~').contains(&c) {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    // Lone surrogates and repeated members: another reader may see another value.
    serde_json::from_str::<Unique>(&out).map_err(|_| Unusable)?;
    Ok(out)
}

#[derive(Clone, Copy, PartialEq)]
enum Comma {
    Keep,
    Encode,
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    percent_encode(text, Comma::Keep, &mut encoded);
    encoded
}

/// Whether there is nothing to encode, but for commas. Spaces are not looked into: it says no.
fn is_plain(text: &str) -> bool {
    // All are looked at, many together: most text is plain.
    text.bytes().fold(true, |plain, byte| plain & (0x21..=0x7E).contains(&byte) & (byte != b'%'))
}

/// Keeps 0x21 to 0x7E but `%`, and spaces that have something on either side.
fn percent_encode(text: &str, comma: Comma, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if is_plain(text) && (comma == Comma::Keep || !text.contains(',')) {
        return out.push_str(text);
    }
    let last = text.len().saturating_sub(1);
    for (index, byte) in text.bytes().enumerate() {
        let keep = match byte {
            b'%' => false,
            b',' => comma == Comma::Keep,
            b' ' => index != 0 && index != last,
            _ => (0x21..=0x7E).contains(&byte),
        };
        if keep {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 0xF)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(json: &str, expected: Result<&str, Unusable>) {
        assert_eq!(text(Json(json)).as_deref(), expected.as_ref().copied(), "{json}");
    }

    #[test]
    fn scalars_are_percent_encoded() {
        check(r#""alice""#, Ok("alice"));
        check(r#""a b,c""#, Ok("a b,c"));
        check(r#"" a ""#, Ok("%20a%20"));
        check(r#""100%""#, Ok("100%25"));
        check(r#""a\r\nx-admin: 1\u0000""#, Ok("a%0D%0Ax-admin: 1%00"));
        check(r#""é""#, Ok("%C3%A9"));
        check("9007199254740993", Ok("9007199254740993"));
        check("1E+2", Ok("1E+2"));
        check("true", Ok("true"));
    }

    #[test]
    fn null_and_empty_values_are_absent() {
        for absent in ["null", r#""""#, "[]"] {
            check(absent, Ok(""));
            assert_eq!(json(Json(absent)), Ok(String::new()));
            assert_eq!(base64url(Json(absent)), Ok(String::new()));
        }
    }

    #[test]
    fn arrays_of_scalars_are_joined_and_keep_their_borders() {
        check(r#"["a","b"]"#, Ok("a,b"));
        check(r#"["a,b"]"#, Ok("a%2Cb"));
        check("[1,true]", Ok("1,true"));
        check(r#"["a",["b"]]"#, Err(Unusable));
        check(r#"["a",{}]"#, Err(Unusable));
        check(r#"["a",null]"#, Err(Unusable));
    }

    #[test]
    fn objects_become_compact_json() {
        check("{ \"a\" : [ 1 , \"x y\" ] }", Ok(r#"{"a":[1,"x y"]}"#));
        assert_eq!(json(Json("{\"a\":\"é😀\"}")), Ok(r#"{"a":"\u00e9\ud83d\ude00"}"#.into()));
        assert_eq!(json(Json("{\"a\":\n1.50}")), Ok(r#"{"a":1.50}"#.into()));
    }

    #[test]
    fn broken_escapes_are_unusable() {
        check(r#""\ud800""#, Err(Unusable));
        check(r#"{"a":"\ud800"}"#, Err(Unusable));
    }

    #[test]
    fn base64url_carries_text_or_json() {
        assert_eq!(base64url(Json(r#""a""#)), Ok("YQ".into()));
        assert_eq!(base64url(Json(r#"["a"]"#)), Ok(URL_SAFE_NO_PAD.encode(r#"["a"]"#)));
    }

    /// Texts whose characters are hard to keep apart, and any other.
    fn string() -> impl Strategy<Value = String> {
        prop_oneof!["[ ,%a-c20-5CÉ\\u{0}\\n\\\\\"]{0,6}", any::<String>()]
    }

    fn not_empty(text: String) -> String {
        if text.is_empty() { "%".to_owned() } else { text }
    }

    fn quoted(text: &str) -> String {
        serde_json::to_string(text).unwrap()
    }

    fn list(texts: &[String]) -> String {
        serde_json::to_string(texts).unwrap()
    }

    /// Any JSON value with white space and escapes as serde_json writes them.
    fn value() -> impl Strategy<Value = serde_json::Value> {
        let scalar = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            string().prop_map(Into::into),
        ];
        scalar.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map(string(), inner, 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    fn is_safe(text: &str) -> bool {
        text.trim_matches(' ') == text && text.bytes().all(|b| (0x20..=0x7E).contains(&b))
    }

    proptest! {
        #[test]
        fn two_strings_are_never_written_alike(a in string(), b in string()) {
            let (left, right) = (quoted(&a), quoted(&b));
            prop_assert_eq!(a == b, text(Json(&left)) == text(Json(&right)));
        }

        #[test]
        fn two_lists_of_non_empty_strings_are_never_written_alike(
            a in prop::collection::vec(string().prop_map(not_empty), 0..4),
            b in prop::collection::vec(string().prop_map(not_empty), 0..4),
        ) {
            let (left, right) = (list(&a), list(&b));
            prop_assert_eq!(a == b, text(Json(&left)) == text(Json(&right)));
        }

        #[test]
        fn text_is_printable_ascii_without_spaces_at_its_ends(value in value()) {
            let json = serde_json::to_string_pretty(&value).unwrap();
            // Only an array may be refused: what stands in it cannot always be joined.
            match text(Json(&json)) {
                Ok(text) => prop_assert!(is_safe(&text), "{:?}", text),
                Err(Unusable) => prop_assert!(value.is_array()),
            }
        }

        #[test]
        fn json_is_printable_ascii_and_parses_back(value in value()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let written = json(Json(&pretty)).unwrap();
            prop_assert!(is_safe(&written), "{:?}", written);
            if !written.is_empty() {
                let back: serde_json::Value = serde_json::from_str(&written).unwrap();
                prop_assert_eq!(back, value);
            }
        }

        #[test]
        fn base64url_is_safe(value in value()) {
            let json = value.to_string();
            let written = base64url(Json(&json)).unwrap();
            prop_assert!(written.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
        }
    }
}
