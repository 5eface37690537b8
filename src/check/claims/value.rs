//! A claim as the proxy's dynamic metadata holds it, where every number is a double.
//!
//! It looks no claim up and encodes nothing.

use serde_json::{Map, Number, Value};

use crate::check::claims::{Json, Object};

/// Doubles hold every decimal of this many digits apart from its neighbours.
const MAX_DIGITS: usize = 15;
/// Doubles beyond it skip integers.
const MAX_EXACT: u64 = 1 << 53;

impl Json<'_> {
    /// The value; a number that a double would round is the text that the token wrote. None for
    /// broken text and for objects that repeat a member.
    #[must_use]
    pub fn value(self) -> Option<Value> {
        Some(match self.0.as_bytes().first()? {
            b'{' => {
                let Object(members) = serde_json::from_str(self.0).ok()?;
                let mut map = Map::new();
                for (name, raw) in members {
                    let repeated = map.insert(name.into_owned(), Json(raw.get()).value()?);
                    if repeated.is_some() {
                        return None;
                    }
                }
                Value::Object(map)
            }
            b'[' => self.elements()?.map(Json::value).collect::<Option<Value>>()?,
            b'"' => Value::String(self.string()?.into_owned()),
            b't' => Value::Bool(true),
            b'f' => Value::Bool(false),
            b'n' => Value::Null,
            _ => number(self.0),
        })
    }
}

fn number(json: &str) -> Value {
    let text = || Value::String(json.to_owned());
    if let Ok(integer) = json.parse::<i64>() {
        return if integer.unsigned_abs() <= MAX_EXACT { integer.into() } else { text() };
    }
    let mantissa = json.split(['e', 'E']).next().unwrap_or_default();
    let digits = mantissa.trim_start_matches(['-', '0', '.']);
    let digits = digits.bytes().filter(u8::is_ascii_digit).count();
    let double = json.parse::<f64>().ok().filter(|d| digits == 0 || d.is_normal());
    match double.filter(|_| digits <= MAX_DIGITS).and_then(Number::from_f64) {
        Some(number) => number.into(),
        None => text(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(json: &str, expected: impl Into<Option<Value>>) {
        assert_eq!(Json(json).value(), expected.into(), "{json}");
    }

    #[test]
    fn values_keep_their_types() {
        check(r#""a\u00fc""#, Some(json!("aü")));
        check(
            r#"[1,"a",true,null,[],{"b":2.5}]"#,
            Some(json!([1, "a", true, null, [], { "b": 2.5 }])),
        );
        check("-9007199254740992", Some(json!(-9_007_199_254_740_992_i64)));
        check("false", Some(json!(false)));
        check("1e3", Some(json!(1000.0)));
        check("0.0", Some(json!(0.0)));
    }

    #[test]
    fn numbers_that_a_double_would_round_are_text() {
        for number in [
            "9007199254740993",
            "-9007199254740993",
            "18446744073709551616",
            "0.1234567890123456",
            "1e400",
            "1e-400",
            "123456789012345678901234567890",
        ] {
            check(number, Some(json!(number)));
            check(&format!("{{\"n\":[{number}]}}"), Some(json!({ "n": [number] })));
        }
    }

    #[test]
    fn what_readers_could_read_in_two_ways_is_absent() {
        check(r#"{"a":1,"a":1}"#, None);
        check(r#"[{"a":1,"\u0061":2}]"#, None);
        check(r#""\ud800""#, None);
    }
}
