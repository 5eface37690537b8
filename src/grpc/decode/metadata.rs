//! The metadata of a route: `google.protobuf.Struct`, and the types that may be in an `Any`.
//!
//! It does not judge what a route says; `check/route.rs` does.

use crate::{
    check::request::{Typed, Value},
    grpc::{
        decode::put,
        wire::{Fields, Undecodable, Wire},
    },
};

/// An entry of a `map<string, Message>`: the message's parts, to be merged.
pub(super) fn message_entry(entry: Wire<'_>) -> Result<(&str, Vec<Fields<'_>>), Undecodable> {
    let (mut key, mut values) = ("", Vec::new());
    for field in entry.fields()? {
        match field? {
            (1, text) => key = text.text()?,
            (2, message) => values.push(message.fields()?),
            _ => {}
        }
    }
    Ok((key, values))
}

/// A route policy has a list inside a struct; what is nested deeper is `Other`.
pub(super) const MAX_NESTING: usize = 4;

/// `google.protobuf.Struct`: a map of values.
pub(super) fn structure<'a>(
    parts: &[Fields<'a>],
    nesting: usize,
) -> Result<Value<'a>, Undecodable> {
    let mut members = Vec::new();
    for field in parts.iter().copied().flatten() {
        if let (1, entry) = field? {
            let (name, parts) = message_entry(entry)?;
            put(&mut members, name, value(&parts, nesting)?);
        }
    }
    Ok(Value::Struct(members))
}

/// `google.protobuf.Value`: the last kind that is set counts; parts of a struct or list that
/// follow each other are merged.
pub(super) fn value<'a>(parts: &[Fields<'a>], nesting: usize) -> Result<Value<'a>, Undecodable> {
    let (mut kind, mut text, mut nested) = (0, "", Vec::new());
    for field in parts.iter().copied().flatten() {
        let (number, wire) = field?;
        match (number, wire) {
            (1 | 2 | 4, Wire::Scalar) => {}
            (3, wire) => text = wire.text()?,
            (5 | 6, wire) => {
                if kind != number {
                    nested.clear();
                }
                nested.push(wire.fields()?);
            }
            _ => continue,
        }
        kind = number;
    }
    match (kind, nesting.checked_sub(1)) {
        (3, _) => Ok(Value::String(text)),
        (5, Some(nesting)) => structure(&nested, nesting),
        (6, Some(nesting)) => list(&nested, nesting),
        _ => Ok(Value::Other),
    }
}

/// `google.protobuf.ListValue`.
fn list<'a>(parts: &[Fields<'a>], nesting: usize) -> Result<Value<'a>, Undecodable> {
    let mut values = Vec::new();
    for field in parts.iter().copied().flatten() {
        if let (1, element) = field? {
            values.push(value(&[element.fields()?], nesting)?);
        }
    }
    Ok(Value::List(values))
}

/// `google.protobuf.Any`: a RoutePolicy, or a TypedStruct of one. What it claims to be and is
/// not is the route's fault, so it is `Unexpected` and not [`Undecodable`].
pub(super) fn typed<'a>(parts: &[Fields<'a>]) -> Result<Typed<'a>, Undecodable> {
    let (mut type_url, mut message) = ("", &[][..]);
    for field in parts.iter().copied().flatten() {
        match field? {
            (1, text) => type_url = text.text()?,
            (2, bytes) => message = bytes.bytes()?,
            _ => {}
        }
    }
    let policy = match message_type(type_url) {
        "claimgate.v1.RoutePolicy" => route_policy(message),
        "xds.type.v3.TypedStruct" => typed_struct(message),
        _ => Err(Undecodable),
    };
    Ok(policy.map_or(Typed::Unexpected, Typed::Policy))
}

/// The type's full name: what follows the last `/`.
fn message_type(type_url: &str) -> &str {
    type_url.rsplit_once('/').map_or("", |(_, name)| name)
}

/// `xds.type.v3.TypedStruct`, which must be one of a RoutePolicy.
fn typed_struct(message: &[u8]) -> Result<Value<'_>, Undecodable> {
    let (mut type_url, mut values) = ("", Vec::new());
    for field in Fields(message) {
        match field? {
            (1, text) => type_url = text.text()?,
            (2, value) => values.push(value.fields()?),
            _ => {}
        }
    }
    if message_type(type_url) == "claimgate.v1.RoutePolicy" {
        structure(&values, MAX_NESTING)
    } else {
        Err(Undecodable)
    }
}

/// `claimgate.v1.RoutePolicy`, with an unknown field kept as one.
pub(super) fn route_policy(message: &[u8]) -> Result<Value<'_>, Undecodable> {
    let mut members: Vec<(&str, Value<'_>)> = Vec::new();
    for field in Fields(message) {
        let (number, text) = field?;
        let (name, repeated) = match number {
            1 => ("policy", false),
            2 => ("providers", true),
            3 => ("mode", false),
            4 => ("audiences", true),
            5 => ("scopes", true),
            _ => return Err(Undecodable),
        };
        let text = Value::String(text.text()?);
        match members.iter_mut().find(|(known, _)| *known == name) {
            Some((_, Value::List(values))) => values.push(text),
            Some((_, value)) => *value = text,
            None if repeated => members.push((name, Value::List(vec![text]))),
            None => members.push((name, text)),
        }
    }
    Ok(Value::Struct(members))
}
