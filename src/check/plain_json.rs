//! The members of a JSON object as nearly every token has it, found in one pass.
//!
//! It decides nothing: what it does not read takes the long way through serde_json, and whatever it
//! reads serde_json reads alike (RFC 8259).

use std::ops::Range;

use crate::check::strict_json::MAX_DEPTH;

/// Hands `member` where each name, without its quotes, and value of an object stand, in order,
/// duplicates included.
///
/// None where the text is no JSON object, is nested deeper than [`MAX_DEPTH`] or writes a name with
/// escapes, and where `member` has none: then nothing is known of the text.
pub fn each_member(
    json: &str,
    mut member: impl FnMut(Range<usize>, Range<usize>) -> Option<()>,
) -> Option<()> {
    let mut text = Text { length: json.len(), rest: json.as_bytes() };
    text.space();
    text.between(*b"{}", |text| {
        let name = text.name()?;
        text.colon()?;
        let start = text.at();
        text.value(MAX_DEPTH - 1)?;
        member(name, start..text.at())
    })?;
    text.space();
    text.rest.is_empty().then_some(())
}

/// What is left of a text of this length.
struct Text<'a> {
    length: usize,
    rest: &'a [u8],
}

impl Text<'_> {
    #[inline]
    fn at(&self) -> usize {
        self.length - self.rest.len()
    }

    #[inline]
    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.rest.split_first()?;
        (*first == byte).then(|| self.rest = rest)
    }

    #[inline]
    fn space(&mut self) {
        while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    #[inline]
    fn colon(&mut self) -> Option<()> {
        self.space();
        self.take(b':')?;
        self.space();
        Some(())
    }

    /// An object or array, from one of these to the other; `each` reads one member or element.
    #[inline]
    fn between(
        &mut self,
        [open, end]: [u8; 2],
        mut each: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.take(open)?;
        self.space();
        if self.take(end).is_some() {
            return Some(());
        }
        loop {
            each(self)?;
            self.space();
            if self.take(b',').is_none() {
                return self.take(end);
            }
            self.space();
        }
    }

    /// A string without escapes, without its quotes.
    #[inline]
    fn name(&mut self) -> Option<Range<usize>> {
        self.take(b'"')?;
        let start = self.at();
        self.skip(plain_length(self.rest));
        let end = self.at();
        self.take(b'"')?;
        Some(start..end)
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.rest.first()? {
            b'"' => self.string(),
            b'{' => {
                let depth = depth.checked_sub(1)?;
                self.between(*b"{}", |text| {
                    text.string()?;
                    text.colon()?;
                    text.value(depth)
                })
            }
            b'[' => {
                let depth = depth.checked_sub(1)?;
                self.between(*b"[]", |text| text.value(depth))
            }
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }

    fn string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            self.skip(plain_length(self.rest));
            if self.take(b'"').is_some() {
                return Some(());
            }
            self.escape()?;
        }
    }

    fn escape(&mut self) -> Option<()> {
        let length = match self.rest {
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'\\', b'u', digits @ ..] => {
                let digits = digits.first_chunk::<4>()?;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(6)?
            }
            _ => return None,
        };
        self.skip(length);
        Some(())
    }

    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(literal)?;
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let _sign = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if self.take(b'e').or_else(|| self.take(b'E')).is_some() {
            let _sign = self.take(b'+').or_else(|| self.take(b'-'));
            self.digits()?;
        }
        Some(())
    }

    /// At least one.
    fn digits(&mut self) -> Option<()> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.skip(count);
        (count > 0).then_some(())
    }
}

/// How many bytes stand before the first `"`, `\` or control character, eight looked at together.
#[inline]
fn plain_length(text: &[u8]) -> usize {
    /// This byte in all eight places.
    const fn all(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    // The top bit of each byte that is below `limit`, and perhaps of others, but only behind one
    // that is: to subtract borrows from what follows.
    let below = |word: u64, limit: u8| word.wrapping_sub(all(limit)) & !word;
    let mut rest = text;
    while let Some((word, after)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*word);
        let quote = below(word ^ all(b'"'), 1);
        let backslash = below(word ^ all(b'\\'), 1);
        let found = (quote | backslash | below(word, b' ')) & all(0x80);
        if found != 0 {
            return text.len() - rest.len() + (found.trailing_zeros() / 8) as usize;
        }
        rest = after;
    }
    let plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | 0..b' ');
    text.len() - rest.len() + rest.iter().take_while(plain).count()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::*;
    use crate::check::{claims::Object, strict_json::deeper_than};

    fn members(json: &str) -> Option<Vec<(&str, &str)>> {
        let mut members = Vec::new();
        each_member(json, |name, value| {
            members.push((json.get(name)?, json.get(value)?));
            Some(())
        })?;
        Some(members)
    }

    #[track_caller]
    fn check(json: &str, expected: Option<&[(&str, &str)]>) {
        assert_eq!(members(json).as_deref(), expected, "{json}");
    }

    #[test]
    fn members_are_found_as_they_stand() {
        check("{}", Some(&[]));
        check(" {\n} ", Some(&[]));
        check(r#"{"a":1,"a":[]}"#, Some(&[("a", "1"), ("a", "[]")]));
        check(
            "{ \"é\" :\t\"x\\\"\\u00E9\" , \"\" : -0.5e+3 }",
            Some(&[("é", r#""x\"\u00E9""#), ("", "-0.5e+3")]),
        );
        check(
            r#"{"a":{"\n":[true,{},[ ]]},"b":null}"#,
            Some(&[("a", r#"{"\n":[true,{},[ ]]}"#), ("b", "null")]),
        );
    }

    #[test]
    fn what_is_unusual_or_no_object_is_not_read() {
        for json in [
            "",
            " ",
            "[]",
            "1",
            "{",
            "}",
            "{}}",
            "{} x",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a":1 "b":2}"#,
            r#"{a:1}"#,
            r#"{"\u0061":1}"#,
            r#"{"a":01}"#,
            r#"{"a":+1}"#,
            r#"{"a":-}"#,
            r#"{"a":1.}"#,
            r#"{"a":.5}"#,
            r#"{"a":1e}"#,
            r#"{"a":tru}"#,
            r#"{"a":nulll}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":[1}"#,
            r#"{"a":{"b":1]}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\u00g0"}"#,
            r#"{"a":"\u0"}"#,
            r#"{"a":"}"#,
            "{\"a\":\"\n\"}",
            "{\"\u{1}\":1}",
            "{\"a\":\u{a0}1}",
            "{\"a\":NaN}",
        ] {
            check(json, None);
        }
    }

    #[test]
    fn nesting_beyond_32_is_not_read() {
        let nested = |open: &str, close: &str, depth: usize| {
            format!(r#"{{"a":{}1{}}}"#, open.repeat(depth - 1), close.repeat(depth - 1))
        };
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            assert!(members(&nested(open, close, MAX_DEPTH)).is_some());
            assert!(members(&nested(open, close, MAX_DEPTH + 1)).is_none());
            assert!(members(&nested(open, close, 100_000)).is_none());
        }
    }

    #[test]
    fn the_end_of_a_string_is_found_in_every_place_of_a_word() {
        for before in 0..40 {
            for end in ["\"", "\\", "\u{0}", "\u{1f}"] {
                // Bytes beside the bounds, and such as borrow from what follows.
                for (plain, after) in
                    [("a", "\u{0}\u{0}"), ("!", "\"#"), ("]", "\\["), ("\u{7f}", " ")]
                {
                    let text = plain.repeat(before) + end + after + "!#[] \u{7f}éabc\"";
                    assert_eq!(plain_length(text.as_bytes()), before, "{text:?}");
                }
            }
            assert_eq!(plain_length("é".repeat(before).as_bytes()), 2 * before);
        }
    }

    /// Objects with white space wherever JSON may have some, of which a few characters may be amiss.
    fn nearly_an_object() -> impl Strategy<Value = String> {
        let string = r#""([ -!#-\[\]-~é]|\\["\\/bfnrtu]|\\u[0-9a-fA-F]{4}){0,9}""#;
        let scalar = prop_oneof![
            4 => string,
            4 => "-?(0|[1-9][0-9]{0,3})([.][0-9]{1,2})?([eE][+-]?[0-9]{1,2})?",
            1 => "[-+]?[0-9.eE]{0,3}|true|false|null|[a-z]{1,4}",
        ];
        let space = || "[ \n\r\t]{0,2}";
        let value = scalar.prop_recursive(4, 20, 4, move |inner| {
            let element = (space(), inner.clone(), space()).prop_map(|(a, b, c)| a + &b + &c);
            let member = (string, space(), inner).prop_map(|(a, b, c)| format!("{a}{b}:{b}{c}"));
            prop_oneof![
                vec(element, 0..4).prop_map(|list| format!("[{}]", list.join(","))),
                vec(member, 0..4).prop_map(|list| format!("{{{}}}", list.join(","))),
            ]
        });
        let member = (space(), string, space(), value);
        let object = (vec(member, 0..5), space()).prop_map(|(members, end)| {
            let member = |(a, name, b, value)| format!("{a}{name}{b}:{a}{value}{b}");
            format!(
                "{end}{{{}}}{end}",
                members.into_iter().map(member).collect::<Vec<_>>().join(",")
            )
        });
        let amiss = vec((any::<Index>(), "[ -~\u{0}-\u{1f}é]?", any::<bool>()), 0..2);
        (object, amiss).prop_map(|(object, amiss)| {
            amiss.into_iter().fold(object, |object, (at, other, instead)| {
                let mut chars: Vec<char> = object.chars().collect();
                let at = at.index(chars.len());
                let end = at + usize::from(instead);
                chars.splice(at..end, other.chars());
                chars.into_iter().collect()
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_read_is_what_serde_json_reads(json in nearly_an_object()) {
            let Ok(Object(expected)) = serde_json::from_str(&json) else {
                prop_assert_eq!(members(&json), None);
                return Ok(());
            };
            let escaped = expected.iter().any(|(name, _)| matches!(name, Cow::Owned(_)));
            let expected: Vec<_> = expected.iter().map(|(name, value)| (&**name, value.get())).collect();
            let usual = !escaped && !deeper_than(&json, MAX_DEPTH);
            prop_assert_eq!(members(&json), usual.then_some(expected));
        }
    }
}
