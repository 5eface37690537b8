//! `google.protobuf.Struct`, written member by member.
//!
//! It does not choose what is written; `grpc/encode.rs` does.

use serde_json::Value;

use crate::grpc::message::{Message, size};

/// The members of a Struct, each written once.
#[derive(Debug)]
pub struct Members<'m>(&'m mut Message);

/// Beyond this a double no longer tells integers apart (RFC 8259 section 6).
const MAX_EXACT: u64 = 1 << 53;

/// Writes the Struct that is field `field` of `to`.
pub fn structure(to: &mut Message, field: u32, write: impl FnOnce(&mut Members<'_>)) {
    to.message(field, |to| write(&mut Members(to)));
}

impl Members<'_> {
    /// Text.
    pub fn text(&mut self, name: &str, text: &str) {
        let value = size(text.len());
        self.0.begin([(1, size(name.len()) + size(value)), (1, name.len())]);
        self.0.encoded(name.as_bytes());
        self.0.begin([(2, value), (3, text.len())]);
        self.0.encoded(text.as_bytes());
    }

    /// A Struct.
    pub fn structure(&mut self, name: &str, write: impl FnOnce(&mut Members<'_>)) {
        self.member(name, |value| structure(value, 5, write));
    }

    /// Any JSON. An integer that a double would change is written as text.
    pub fn json(&mut self, name: &str, json: &Value) {
        self.member(name, |value| kind(value, json));
    }

    fn member(&mut self, name: &str, write: impl FnOnce(&mut Message)) {
        self.0.message(1, |entry| {
            entry.text(1, name);
            entry.message(2, write);
        });
    }
}

/// The one field of a `google.protobuf.Value`.
fn kind(to: &mut Message, json: &Value) {
    match json {
        Value::Null => to.number(1, 0),
        Value::Bool(is) => to.number(4, u64::from(*is)),
        Value::Number(number) => {
            let magnitude = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
            match number.as_f64() {
                Some(double) if magnitude.is_none_or(|magnitude| magnitude <= MAX_EXACT) => {
                    to.double(2, double);
                }
                _ => to.text(3, &number.to_string()),
            }
        }
        Value::String(text) => to.text(3, text),
        Value::Array(values) => to.message(6, |list| {
            for value in values {
                list.message(1, |to| kind(to, value));
            }
        }),
        Value::Object(members) => structure(to, 5, |to| {
            for (name, value) in members {
                to.json(name, value);
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::google::protobuf::{self, value::Kind};
    use prost::Message as _;
    use serde_json::json;

    use super::*;

    /// As protobuf's JSON mapping reads a Struct.
    fn read(structure: protobuf::Struct) -> Value {
        structure.fields.into_iter().map(|(name, value)| (name, read_value(value))).collect()
    }

    fn read_value(value: protobuf::Value) -> Value {
        match value.kind.unwrap() {
            Kind::NullValue(_) => Value::Null,
            Kind::NumberValue(number) => number.into(),
            Kind::StringValue(text) => text.into(),
            Kind::BoolValue(is) => is.into(),
            Kind::StructValue(inner) => read(inner),
            Kind::ListValue(list) => list.values.into_iter().map(read_value).collect(),
        }
    }

    #[track_caller]
    fn check(write: impl FnOnce(&mut Members<'_>), expected: &Value) {
        let mut to = Message::with_capacity(0);
        write(&mut Members(&mut to));
        let message = protobuf::Struct::decode(to.into_bytes().as_slice()).unwrap();
        assert_eq!(&read(message), expected);
    }

    #[test]
    fn members_are_text_structs_and_any_json() {
        check(|_| {}, &json!({}));
        check(|to| to.text("a", "é"), &json!({ "a": "é" }));
        check(|to| to.structure("a", |_| {}), &json!({ "a": {} }));
        let nested = |to: &mut Members<'_>| {
            to.text("a", "1");
            to.structure("b", |to| to.structure("c", |to| to.text("", "")));
        };
        check(nested, &json!({ "a": "1", "b": { "c": { "": "" } } }));
        let claims = json!({
            "null": null, "yes": true, "no": false, "list": [1.5, "x", [], {}, null],
            "object": { "roles": ["a", "b"], "long": "é".repeat(100) }, "minus": -0.25,
        });
        check(|to| to.json("claims", &claims), &json!({ "claims": claims }));
    }

    #[test]
    fn an_integer_that_a_double_would_change_is_text() {
        for (number, expected) in [
            (json!(9_007_199_254_740_992_u64), json!(9_007_199_254_740_992_f64)),
            (json!(9_007_199_254_740_993_u64), json!("9007199254740993")),
            (json!(-9_007_199_254_740_993_i64), json!("-9007199254740993")),
            (json!(u64::MAX), json!("18446744073709551615")),
            (json!(1), json!(1.0)),
            (json!(1e300), json!(1e300)),
        ] {
            check(|to| to.json("n", &number), &json!({ "n": expected }));
        }
    }
}
