//! CheckRequest bytes to a [`CheckView`]: a borrowing walk over the fields that count.
//!
//! It reads nothing into the request; a property test holds it to envoy-types. Field numbers are
//! those of `envoy/service/auth/v3` and `envoy/config/core/v3`.

use crate::{
    check::request::{CheckView, EXTENSION_PREFIX, RouteSources, Typed, Value},
    grpc::wire::{Fields, Undecodable, Wire},
};

/// Reads a CheckRequest. `namespace` is the one of the route metadata that is ours.
///
/// # Errors
/// [`Undecodable`] if the bytes are no CheckRequest as far as it was read.
pub fn check_request<'a>(bytes: &'a [u8], namespace: &str) -> Result<CheckView<'a>, Undecodable> {
    let mut parts = Parts::default();
    for field in Fields(bytes) {
        if let (1, attributes) = field? {
            attribute_context(attributes, namespace, &mut parts)?;
        }
    }
    let Parts { map, list, list_present, route } = parts;
    // With `encode_raw_headers` the map is empty; Envoy never fills both.
    let headers = if list_present { list } else { map };
    let authorization = headers
        .into_iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        .map(|(_, value)| value)
        .collect();
    Ok(CheckView { authorization, route })
}

/// What was found so far. A repeated sub-message is merged, as protobuf has it.
#[derive(Default)]
struct Parts<'a> {
    /// `headers`: one value a name.
    map: Vec<(&'a str, &'a [u8])>,
    /// `header_map`: lines.
    list: Vec<(&'a str, &'a [u8])>,
    list_present: bool,
    route: RouteSources<'a>,
}

fn attribute_context<'a>(
    attributes: Wire<'a>,
    namespace: &str,
    parts: &mut Parts<'a>,
) -> Result<(), Undecodable> {
    for field in attributes.fields()? {
        match field? {
            (4, request) => {
                for field in request.fields()? {
                    if let (2, http) = field? {
                        http_request(http, parts)?;
                    }
                }
            }
            (10, extension) => {
                let (key, value) = text_entry(extension)?;
                if let Some(name) = key.strip_prefix(EXTENSION_PREFIX) {
                    put(&mut parts.route.extensions, name, value);
                }
            }
            (13, metadata) => route_metadata(metadata, namespace, &mut parts.route)?,
            _ => {}
        }
    }
    Ok(())
}

fn http_request<'a>(http: Wire<'a>, parts: &mut Parts<'a>) -> Result<(), Undecodable> {
    for field in http.fields()? {
        match field? {
            (3, header) => {
                let (name, value) = text_entry(header)?;
                if is_read(name) {
                    put(&mut parts.map, name, value.as_bytes());
                }
            }
            (13, header_map) => {
                for field in header_map.fields()? {
                    if let (1, header) = field? {
                        parts.list_present = true;
                        let (name, value) = header_value(header)?;
                        if is_read(name) {
                            parts.list.push((name, value));
                        }
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Only headers that a check reads are kept.
fn is_read(name: &str) -> bool {
    name.eq_ignore_ascii_case("authorization")
}

/// `HeaderValue`: text in `value`, or bytes in `raw_value`.
fn header_value(header: Wire<'_>) -> Result<(&str, &[u8]), Undecodable> {
    let (mut name, mut value, mut raw) = ("", "", &[][..]);
    for field in header.fields()? {
        match field? {
            (1, key) => name = key.text()?,
            (2, text) => value = text.text()?,
            (3, bytes) => raw = bytes.bytes()?,
            _ => {}
        }
    }
    Ok((name, if raw.is_empty() { value.as_bytes() } else { raw }))
}

/// An entry of a `map<string, string>`.
fn text_entry(entry: Wire<'_>) -> Result<(&str, &str), Undecodable> {
    let (mut key, mut value) = ("", "");
    for field in entry.fields()? {
        match field? {
            (1, text) => key = text.text()?,
            (2, text) => value = text.text()?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// A repeated key of a map keeps its last value.
fn put<'a, V>(map: &mut Vec<(&'a str, V)>, key: &'a str, value: V) {
    match map.iter_mut().find(|(known, _)| *known == key) {
        Some((_, known)) => *known = value,
        None => map.push((key, value)),
    }
}

fn route_metadata<'a>(
    metadata: Wire<'a>,
    namespace: &str,
    route: &mut RouteSources<'a>,
) -> Result<(), Undecodable> {
    for field in metadata.fields()? {
        match field? {
            (1, entry) => {
                let (key, values) = message_entry(entry)?;
                if key == namespace {
                    route.filter = Some(structure(&values, MAX_NESTING)?);
                }
            }
            (2, entry) => {
                let (key, values) = message_entry(entry)?;
                if key == namespace {
                    route.typed = Some(typed(&values)?);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// An entry of a `map<string, Message>`: the message's parts, to be merged.
fn message_entry(entry: Wire<'_>) -> Result<(&str, Vec<Fields<'_>>), Undecodable> {
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
const MAX_NESTING: usize = 4;

/// `google.protobuf.Struct`: a map of values.
fn structure<'a>(parts: &[Fields<'a>], nesting: usize) -> Result<Value<'a>, Undecodable> {
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
fn value<'a>(parts: &[Fields<'a>], nesting: usize) -> Result<Value<'a>, Undecodable> {
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
fn typed<'a>(parts: &[Fields<'a>]) -> Result<Typed<'a>, Undecodable> {
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
fn route_policy(message: &[u8]) -> Result<Value<'_>, Undecodable> {
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

#[cfg(test)]
mod tests;
