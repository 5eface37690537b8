//! What is read of a CheckRequest, held to envoy-types by properties and to the proto by name.

use envoy_types::pb::{
    envoy::{
        config::core::v3::{HeaderMap, HeaderValue, Metadata},
        service::auth::v3::{
            AttributeContext, CheckRequest,
            attribute_context::{HttpRequest, Peer, Request},
        },
    },
    google::protobuf::{self, Any, ListValue, Struct, value::Kind},
};
use proptest::{collection::vec, prelude::*};
use prost::Message;

use super::{metadata::route_policy, *};
use crate::check::request::{Typed, Value};

mod reference;

const NAMESPACE: &str = "claimgate";

/// Length-delimited field `number`, written by hand: also what no encoder writes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut out);
    out.extend_from_slice(bytes);
    out
}

/// Our view of any bytes must be that of envoy-types, wherever that can read them.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let ours = check_request(bytes, NAMESPACE);
    if let Ok(message) = CheckRequest::decode(bytes) {
        prop_assert!(ours.is_ok(), "refused {message:?}");
        reference::agrees(&message, ours.unwrap_or_default())?;
    }
    Ok(())
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["authorization", "Authorization", "AUTHORIZATION", "authorization ", "x", ".{0,3}"]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["claimgate", "claimgate", "istio", "envoy-gateway", "Claimgate", "other", ""]
}

fn header() -> impl Strategy<Value = HeaderValue> {
    (name(), ".{0,4}", prop_oneof![Just(Vec::new()), vec(any::<u8>(), 0..4)])
        .prop_map(|(key, value, raw_value)| HeaderValue { key, value, raw_value })
}

fn value() -> impl Strategy<Value = protobuf::Value> {
    let kind = |kind| protobuf::Value { kind: Some(kind) };
    let leaf = prop_oneof![
        Just(protobuf::Value { kind: None }),
        Just(kind(Kind::NullValue(0))),
        any::<bool>().prop_map(move |b| kind(Kind::BoolValue(b))),
        any::<f64>().prop_map(move |n| kind(Kind::NumberValue(n))),
        ".{0,4}".prop_map(move |text| kind(Kind::StringValue(text))),
    ];
    leaf.prop_recursive(6, 20, 3, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3)
                .prop_map(move |values| kind(Kind::ListValue(ListValue { values }))),
            structs(inner).prop_map(move |fields| kind(Kind::StructValue(fields))),
        ]
    })
}

fn structs(values: impl Strategy<Value = protobuf::Value>) -> impl Strategy<Value = Struct> {
    let name = prop_oneof!["policy", "providers", "mode", "x", ".{0,3}"];
    vec((name, values), 0..4).prop_map(|fields| Struct { fields: fields.into_iter().collect() })
}

fn typed() -> impl Strategy<Value = Any> {
    let (policy, typed) = ("claimgate.v1.RoutePolicy", "xds.type.v3.TypedStruct");
    let url = |name: &str| {
        prop_oneof![
            Just(format!("type.googleapis.com/{name}")),
            Just(format!("/{name}")),
            Just(name.to_owned()),
            Just(format!("a/{name}/")),
        ]
    };
    let message = reference::route_policy().prop_map(|policy| policy.encode_to_vec());
    let structs = (url(policy), proptest::option::of(structs(value())))
        .prop_map(|(type_url, value)| reference::TypedStruct { type_url, value }.encode_to_vec());
    prop_oneof![(url(policy), message), (url(typed), structs), (".{0,4}", vec(any::<u8>(), 0..9))]
        .prop_map(|(type_url, value)| Any { type_url, value })
}

fn request() -> impl Strategy<Value = CheckRequest> {
    let extension = prop_oneof!["claimgate\\.(policy|mode|x)?", "claimgate", "policy", ".{0,3}"];
    let http = (
        vec((name(), ".{0,4}"), 0..4),
        proptest::option::of(vec(header(), 0..4).prop_map(|headers| HeaderMap { headers })),
        [".{0,3}", ".{0,3}", ".{0,3}", ".{0,3}", ".{0,3}"],
    );
    let metadata = (vec((key(), structs(value())), 0..3), vec((key(), typed()), 0..3));
    (http, vec((extension, ".{0,4}"), 0..4), metadata).prop_map(
        |((headers, header_map, texts), extensions, (filter, typed))| {
            let headers = headers.into_iter().collect();
            let [method, scheme, host, path, principal] = texts;
            let http = HttpRequest { method, scheme, host, path, headers, ..Default::default() };
            let http = HttpRequest { header_map, query: "q".into(), ..http };
            let metadata = Metadata {
                filter_metadata: filter.into_iter().collect(),
                typed_filter_metadata: typed.into_iter().collect(),
            };
            let attributes = AttributeContext {
                request: Some(Request { http: Some(http), ..Request::default() }),
                destination: Some(Peer { principal, ..Peer::default() }),
                source: Some(Peer { principal: "client".into(), ..Peer::default() }),
                context_extensions: extensions.into_iter().collect(),
                metadata_context: Some(metadata.clone()),
                route_metadata_context: Some(metadata),
                ..AttributeContext::default()
            };
            CheckRequest { attributes: Some(attributes) }
        },
    )
}

/// A `google.protobuf.Value` as no encoder writes it: kinds that repeat and replace each other.
fn loose_value() -> impl Strategy<Value = Vec<u8>> {
    let leaf = value().prop_map(|value| value.encode_to_vec());
    leaf.prop_recursive(4, 24, 3, |inner| {
        let list = vec(inner.clone(), 0..3)
            .prop_map(|values| values.iter().flat_map(|value| field(1, value)).collect::<Vec<_>>());
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|kinds| kinds.concat()),
            list.prop_map(|list| field(6, &list)),
            loose_struct(inner).prop_map(|fields| field(5, &fields)),
        ]
    })
}

/// A `google.protobuf.Struct` whose entries repeat names and have any number of values.
fn loose_struct(value: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    vec(("[ab]?", vec(value, 0..3)), 0..3).prop_map(|entries| {
        let entry = |(name, values): &(String, Vec<Vec<u8>>)| {
            let values = values.iter().flat_map(|value| field(2, value));
            let entry: Vec<u8> = field(1, name.as_bytes()).into_iter().chain(values).collect();
            field(1, &entry)
        };
        entries.iter().flat_map(entry).collect()
    })
}

/// Changes that keep some of a message's shape.
#[derive(Debug, Clone)]
enum Change {
    Set(usize, u8),
    Remove(usize, usize),
    Repeat(usize, usize),
    Insert(usize, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<usize>(), 0..8_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (any::<usize>(), 0..40_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        (any::<usize>(), vec(any::<u8>(), 1..4)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let place = |at: usize| at % (bytes.len() + 1);
        let range = |at: usize, length: usize| place(at)..(place(at) + length).min(bytes.len());
        match change {
            Change::Set(at, byte) => {
                let at = place(*at);
                bytes.get_mut(at).into_iter().for_each(|old| *old = *byte);
            }
            Change::Remove(at, length) => drop(bytes.drain(range(*at, *length))),
            Change::Repeat(at, length) => {
                let range = range(*at, *length);
                let (at, part) = (range.end, bytes[range].to_vec());
                drop(bytes.splice(at..at, part));
            }
            Change::Insert(at, more) => {
                let at = place(*at);
                drop(bytes.splice(at..at, more.iter().copied()));
            }
        }
    }
    bytes
}

#[test]
fn a_usual_entry_is_read_the_short_way() {
    for (key, value) in [("", ""), ("accept", "*/*"), ("é", &"é".repeat(63))] {
        let entry = [field(1, key.as_bytes()), field(2, value.as_bytes())].concat();
        let read = plain_entry(&entry).map(|(key, value)| (key.text(), value.text()));
        assert_eq!(read, Some((Ok(key), Ok(value))));
    }
    let other_order = [field(2, b"value"), field(1, b"key")].concat();
    assert_eq!(plain_entry(&other_order), None);
    // One character from the end of a text and the key of the field behind it (16, `82 01`): the
    // bytes of the message are UTF-8, those of the text are not.
    let entry = b"\x0a\x01\xc3\x82\x01\x01a";
    assert!(str::from_utf8(entry).is_ok());
    assert_eq!(text_entry(Wire::Bytes(entry), &mut Texts::of(entry)), Err(Undecodable));
}

proptest! {
    /// Mostly entries with something amiss: a length, a byte, an end.
    #[test]
    fn the_short_way_through_an_entry_reads_what_the_long_one_does(
        (key, value) in (vec(any::<u8>(), 0..4), vec(any::<u8>(), 0..140)),
        (texts, text) in (any::<bool>(), ".{0,40}"),
        (at, byte) in (0_usize..12, prop_oneof![Just(None), any::<u8>().prop_map(Some)]),
        tail in vec(any::<u8>(), 0..3),
    ) {
        let value = if texts { text.as_bytes() } else { &value };
        let key = if texts { "é-name".as_bytes() } else { &key };
        let mut entry = [field(1, key), field(2, value), tail].concat();
        if let (Some(byte), Some(place)) = (byte, entry.get_mut(at)) {
            *place = byte;
        }
        if let Some((key, value)) = plain_entry(&entry) {
            let read = key.text().and_then(|key| Ok((key, value.text()?)));
            prop_assert_eq!(any_entry(Wire::Bytes(&entry), &mut Texts::of(&entry)), read);
        }
    }

    #[test]
    fn what_is_read_of_a_request_is_what_envoy_types_reads(request in request()) {
        check(&request.encode_to_vec())?;
    }

    #[test]
    fn two_messages_one_after_the_other_are_merged(one in request(), other in request()) {
        check(&[one.encode_to_vec(), other.encode_to_vec()].concat())?;
    }

    #[test]
    fn repeated_kinds_and_entries_are_merged_as_protobuf_has_it(
        metadata in loose_struct(loose_value()),
        more in loose_struct(loose_value()),
    ) {
        let key = field(1, NAMESPACE.as_bytes());
        let entry = [key, field(2, &metadata), field(2, &more)].concat();
        check(&field(1, &field(13, &field(1, &entry))))?;
        let any = field(1, b"/xds.type.v3.TypedStruct");
        let typed = [field(1, b"/claimgate.v1.RoutePolicy"), field(2, &metadata), field(2, &more)];
        let any = [any, field(2, &typed.concat())].concat();
        let entry = [field(1, NAMESPACE.as_bytes()), field(2, &any)].concat();
        check(&field(1, &field(13, &field(2, &entry))))?;
    }

    #[test]
    fn a_damaged_request_is_refused_or_read_as_envoy_types_reads_it(
        request in request(),
        changes in vec(change(), 1..4),
    ) {
        check(&changed(request.encode_to_vec(), &changes))?;
    }

    #[test]
    fn any_bytes_are_refused_or_read_as_envoy_types_reads_them(bytes in any::<Vec<u8>>()) {
        check(&bytes)?;
        check(&field(1, &bytes))?;
        check(&field(1, &field(13, &bytes)))?;
        let entry = [field(1, NAMESPACE.as_bytes()), field(2, &bytes)].concat();
        check(&field(1, &field(13, &field(1, &entry))))?;
        check(&field(1, &field(13, &field(2, &entry))))?;
    }
}

#[test]
fn a_list_in_two_parts_is_one_list() {
    let text = |text: &str| field(1, &field(3, text.as_bytes()));
    let parts = [field(6, &text("a")), field(6, &text("b"))].concat();
    let read = value_of(&parts);
    assert_eq!(read, Value::List(vec![Value::String("a"), Value::String("b")]));
    let broken = [field(6, &text("a")), field(3, b"x"), field(6, &text("b"))].concat();
    assert_eq!(value_of(&broken), Value::List(vec![Value::String("b")]));
}

fn value_of(bytes: &[u8]) -> Value<'_> {
    metadata::value(&[Fields(bytes)], MAX_NESTING).unwrap()
}

#[test]
fn only_the_namespace_that_was_asked_for_counts() {
    let fields = Struct { fields: [("policy".to_owned(), protobuf::Value::default())].into() };
    let filter_metadata = [("a".to_owned(), fields)].into();
    let metadata = Metadata { filter_metadata, ..Metadata::default() };
    let attributes =
        AttributeContext { route_metadata_context: Some(metadata), ..Default::default() };
    let bytes = CheckRequest { attributes: Some(attributes) }.encode_to_vec();
    assert!(check_request(&bytes, "a").unwrap().route.filter.is_some());
    assert!(check_request(&bytes, "b").unwrap().route.filter.is_none());
    assert!(check_request(&bytes, "").unwrap().route.filter.is_none());
}

#[test]
fn the_proto_has_the_fields_that_are_read_and_no_other() {
    let proto = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
    let files = protox::compile(["claimgate/v1/route_policy.proto"], [proto]).unwrap();
    let file = files.file.first().unwrap();
    let message = file.message_type.first().unwrap();
    assert_eq!(format!("{}.{}", file.package(), message.name()), "claimgate.v1.RoutePolicy");
    // LABEL_REPEATED and TYPE_STRING of google/protobuf/descriptor.proto.
    let (repeated, string) = (Some(3), Some(9));
    for described in &message.field {
        assert_eq!(described.r#type, string, "{}", described.name());
        let text = Value::String("x");
        let value = if described.label == repeated { Value::List(vec![text]) } else { text };
        let bytes = field(u8::try_from(described.number()).unwrap(), b"x");
        let expected = Value::Struct(vec![(described.name(), value)]);
        assert_eq!(route_policy(&bytes), Ok(expected));
    }
    let numbers: Vec<_> = message.field.iter().map(|described| described.number()).collect();
    let read = (1..=15).filter(|number| route_policy(&field(*number, b"x")).is_ok());
    assert_eq!(numbers, read.map(i32::from).collect::<Vec<_>>());
}

#[test]
fn a_route_policy_with_a_field_of_another_version_is_unexpected() {
    for message in [field(6, b"x"), [field(1, b"orders"), field(6, b"")].concat(), vec![0x08, 1]] {
        let any = Any { type_url: "/claimgate.v1.RoutePolicy".into(), value: message };
        let bytes = any.encode_to_vec();
        assert_eq!(super::typed(&[Fields(&bytes)]), Ok(Typed::Unexpected));
    }
}
