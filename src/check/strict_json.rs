//! What serde_json does not refuse by itself: duplicate members and deep nesting.
//!
//! It interprets nothing; RFC 8259 section 4 leaves duplicates open, and parsers that differ
//! about them are how one token means two things.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};

/// Upper bound on the nesting of a token's header and payload.
pub const MAX_DEPTH: usize = 32;

/// Any JSON value without duplicate members at any depth; names are compared unescaped.
#[derive(Debug)]
pub struct Unique;

/// A member name, borrowed where it has no escapes.
#[derive(Debug, Deserialize)]
pub struct MemberName<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// Whether any bracket of `json` is nested deeper than `limit`. Reads strings as JSON does, so
/// that it is exact for every text that parses.
#[must_use]
pub fn deeper_than(json: &str, limit: usize) -> bool {
    // Most texts have too few brackets to be deep, which is told without reading strings.
    if opening_brackets(json) <= limit {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' if depth == limit => return true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Counted in pieces whose number fits a byte: processors add many bytes at once.
fn opening_brackets(json: &str) -> usize {
    let in_piece = |piece: &[u8]| -> u8 {
        piece.iter().map(|byte| u8::from(matches!(byte, b'{' | b'['))).sum()
    };
    json.as_bytes().chunks(usize::from(u8::MAX)).map(in_piece).map(usize::from).sum()
}

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value without duplicate members")
    }
    fn visit_str<E>(self, _: &str) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Unique, A::Error> {
        while seq.next_element::<Unique>()?.is_some() {}
        Ok(Unique)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
        let mut seen = HashSet::new();
        while let Some(MemberName(name)) = map.next_key()? {
            map.next_value::<Unique>()?;
            if !seen.insert(name) {
                return Err(A::Error::custom("duplicate member"));
            }
        }
        Ok(Unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, limit: usize, expected: bool) {
        assert_eq!(deeper_than(json, limit), expected, "{json}");
    }

    #[test]
    fn depth_is_counted_not_brackets() {
        for (json, depth) in [("1", 0), ("[]", 1), ("[[],{},[{}]]", 3), (r#"{"a":{"b":[1]}}"#, 3)] {
            check(json, depth, false);
            if let Some(less) = depth.checked_sub(1) {
                check(json, less, true);
            }
        }
        check(&format!("[{}[]]", "[],{},".repeat(50)), 2, false);
    }

    #[test]
    fn no_bracket_is_lost_in_a_long_text() {
        for brackets in [254, 255, 256, 257, 1000] {
            check(&"[".repeat(brackets), brackets, false);
            check(&"{".repeat(brackets), brackets - 1, true);
        }
        let apart = format!("[{}", " ".repeat(300)).repeat(33);
        check(&apart, 33, false);
        check(&apart, 32, true);
    }

    #[test]
    fn brackets_inside_of_strings_do_not_count_wherever_the_string_ends() {
        let brackets = "[{".repeat(20);
        check(&format!(r#"["{brackets}"]"#), 1, false);
        check(&format!(r#"["\"{brackets}"]"#), 1, false);
        check(&format!(r#"["\\\"{brackets}"]"#), 1, false);
        check(&format!(r#"["a\\",[[]],"{brackets}"]"#), 2, true);
        check(&format!(r#"["\\",[],"{brackets}"]"#), 2, false);
        check(&format!(r#"["\u005c",[[]],"{brackets}"]"#), 2, true);
        check(&format!(r#"["]]]",[[]],"{brackets}"]"#), 2, true);
    }
}
