//! CheckRequest bytes to a [`CheckView`]: a borrowing walk over the fields that count.
//!
//! It reads nothing into the request; a property test holds it to envoy-types. Field numbers are
//! those of `envoy/service/auth/v3` and `envoy/config/core/v3`.

mod metadata;

use crate::{
    check::request::{CheckView, EXTENSION_PREFIX, Headers, HttpView, RouteSources},
    grpc::{
        decode::metadata::{MAX_NESTING, message_entry, structure, typed},
        wire::{Fields, Texts, Undecodable, Wire},
    },
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
    let Parts { mut http, map, list_present, route } = parts;
    // With `encode_raw_headers` the map is empty; Envoy never fills both.
    if !list_present {
        http.headers = Headers(last_of_each(map));
    }
    Ok(CheckView { http, route })
}

/// What was found so far. A repeated sub-message is merged, as protobuf has it.
#[derive(Default)]
struct Parts<'a> {
    /// With the lines of `header_map`.
    http: HttpView<'a>,
    /// `headers`: one value a name.
    map: Vec<(&'a str, &'a [u8])>,
    list_present: bool,
    route: RouteSources<'a>,
}

/// A repeated key of a map keeps its last value. A map has no order.
fn last_of_each<'a>(mut map: Vec<(&'a str, &'a [u8])>) -> Vec<(&'a str, &'a [u8])> {
    // To look at each pair of few names is cheaper than to sort them.
    let repeats = |(at, line): (usize, &(&str, &[u8]))| {
        map.iter().skip(at + 1).any(|(later, _)| *later == line.0)
    };
    if map.len() <= USUAL_HEADERS && !map.iter().enumerate().any(repeats) {
        return map;
    }
    map.sort_by_key(|(name, _)| *name);
    map.dedup_by(|later, earlier| {
        let same = later.0 == earlier.0;
        if same {
            earlier.1 = later.1;
        }
        same
    });
    map
}

fn attribute_context<'a>(
    attributes: Wire<'a>,
    namespace: &str,
    parts: &mut Parts<'a>,
) -> Result<(), Undecodable> {
    for field in attributes.fields()? {
        match field? {
            (2, destination) => {
                for field in destination.fields()? {
                    if let (4, principal) = field? {
                        parts.route.principal = principal.text()?;
                    }
                }
            }
            (4, request) => {
                for field in request.fields()? {
                    if let (2, http) = field? {
                        http_request(http, parts)?;
                    }
                }
            }
            (10, extension) => {
                let (key, value) = text_entry(extension, &mut Texts::of(extension.bytes()?))?;
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
    let mut texts = Texts::of(http.bytes()?);
    for field in http.fields()? {
        match field? {
            (2, method) => parts.http.method = texts.text(method)?,
            (3, header) => {
                let (name, value) = text_entry(header, &mut texts)?;
                push(&mut parts.map, (name, value.as_bytes()));
            }
            (4, path) => parts.http.path = texts.text(path)?,
            (5, host) => parts.http.host = texts.text(host)?,
            (6, scheme) => parts.http.scheme = texts.text(scheme)?,
            (13, header_map) => {
                for field in header_map.fields()? {
                    if let (1, header) = field? {
                        parts.list_present = true;
                        push(&mut parts.http.headers.0, header_value(header, &mut texts)?);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Most requests have fewer headers than this: one allocation for all of them, and each pair of names
/// is compared. Its size in bytes is a power of two, which the allocator hands out soonest.
const USUAL_HEADERS: usize = 32;

fn push<'a>(headers: &mut Vec<(&'a str, &'a [u8])>, line: (&'a str, &'a [u8])) {
    if headers.capacity() == 0 {
        headers.reserve(USUAL_HEADERS);
    }
    headers.push(line);
}

/// `HeaderValue`: text in `value`, or bytes in `raw_value`.
fn header_value<'a>(
    header: Wire<'a>,
    texts: &mut Texts<'a>,
) -> Result<(&'a str, &'a [u8]), Undecodable> {
    let (mut name, mut value, mut raw) = ("", "", &[][..]);
    for field in header.fields()? {
        match field? {
            (1, key) => name = texts.text(key)?,
            (2, text) => value = texts.text(text)?,
            (3, bytes) => raw = bytes.bytes()?,
            _ => {}
        }
    }
    Ok((name, if raw.is_empty() { value.as_bytes() } else { raw }))
}

/// An entry of a `map<string, string>`.
fn text_entry<'a>(
    entry: Wire<'a>,
    texts: &mut Texts<'a>,
) -> Result<(&'a str, &'a str), Undecodable> {
    match plain_entry(entry.bytes()?) {
        Some((key, value)) => Ok((texts.text(key)?, texts.text(value)?)),
        None => any_entry(entry, texts),
    }
}

/// The usual shape, a key and a value of less than 128 bytes each in this order, which
/// [`any_entry`] reads alike.
fn plain_entry(entry: &[u8]) -> Option<(Wire<'_>, Wire<'_>)> {
    let &[0x0A, length @ 0..0x80, ref rest @ ..] = entry else { return None };
    let (key, rest) = rest.split_at_checked(length.into())?;
    let &[0x12, length @ 0..0x80, ref value @ ..] = rest else { return None };
    (value.len() == usize::from(length)).then_some((Wire::Bytes(key), Wire::Bytes(value)))
}

fn any_entry<'a>(
    entry: Wire<'a>,
    texts: &mut Texts<'a>,
) -> Result<(&'a str, &'a str), Undecodable> {
    let (mut key, mut value) = ("", "");
    for field in entry.fields()? {
        match field? {
            (1, text) => key = texts.text(text)?,
            (2, text) => value = texts.text(text)?,
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
                for (known, target) in [
                    (namespace, &mut route.filter),
                    (ENVOY_GATEWAY, &mut route.gateway),
                    (ISTIO, &mut route.istio),
                ] {
                    if key == known {
                        *target = Some(structure(&values, MAX_NESTING)?);
                    }
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

/// The namespace in which Envoy Gateway says what a route was made from.
const ENVOY_GATEWAY: &str = "envoy-gateway";
/// The namespace in which Istio says what a route was made from.
const ISTIO: &str = "istio";

#[cfg(test)]
mod tests;
