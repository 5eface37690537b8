//! The same view made of what envoy-types has decoded.

use super::*;

/// `claimgate.v1.RoutePolicy` that tells an absent text from an empty one.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RoutePolicy {
    #[prost(string, optional, tag = "1")]
    policy: Option<String>,
    #[prost(string, repeated, tag = "2")]
    providers: Vec<String>,
    #[prost(string, optional, tag = "3")]
    mode: Option<String>,
    #[prost(string, repeated, tag = "4")]
    audiences: Vec<String>,
    #[prost(string, repeated, tag = "5")]
    scopes: Vec<String>,
}

/// `xds.type.v3.TypedStruct`, which envoy-types lacks.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TypedStruct {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<Struct>,
}

pub(super) fn route_policy() -> impl Strategy<Value = RoutePolicy> {
    let (text, texts) = (|| proptest::option::of("[a-z,]{0,3}"), || vec("[a-z,]{0,3}", 0..3));
    (text(), texts(), text(), texts(), texts()).prop_map(
        |(policy, providers, mode, audiences, scopes)| RoutePolicy {
            policy,
            providers,
            mode,
            audiences,
            scopes,
        },
    )
}

/// Whether `ours` is the view of `message`.
pub(super) fn agrees(message: &CheckRequest, ours: CheckView<'_>) -> Result<(), TestCaseError> {
    let mut ours = sorted(ours);
    let nothing = AttributeContext::default();
    let attributes = message.attributes.as_ref().unwrap_or(&nothing);
    let http = attributes.request.as_ref().and_then(|request| request.http.as_ref());
    let empty = HttpRequest::default();
    let request = http.unwrap_or(&empty);
    let http_view = HttpView {
        method: &request.method,
        scheme: &request.scheme,
        host: &request.host,
        path: &request.path,
        headers: Headers(lines(request)),
    };
    let extensions = attributes.context_extensions.iter();
    let extensions = extensions
        .filter_map(|(key, value)| Some((key.strip_prefix("claimgate.")?, value.as_str())));
    let metadata = attributes.route_metadata_context.as_ref();
    let filter = |name| metadata.and_then(|m| m.filter_metadata.get(name));
    let filter = |name| filter(name).map(|fields| structure(fields, MAX_NESTING));
    let any = metadata.and_then(|m| m.typed_filter_metadata.get(NAMESPACE));
    // Where the bytes are not of their type, only the presence is held.
    let (typed, readable) = match any.map(typed) {
        Some(Some(typed)) => (Some(typed), true),
        Some(None) => (ours.route.typed.clone(), ours.route.typed.is_some()),
        None => (None, true),
    };
    let route = RouteSources {
        typed,
        filter: filter(NAMESPACE),
        gateway: filter("envoy-gateway"),
        istio: filter("istio"),
        extensions: extensions.collect(),
        authority: "",
        principal: attributes.destination.as_ref().map_or("", |peer| &peer.principal),
    };
    if !is_list(request) {
        ours.http.headers.0.sort_unstable();
    }
    let expected = sorted(CheckView { http: http_view, route });
    prop_assert!(readable);
    prop_assert_eq!(ours, expected);
    Ok(())
}

/// The lines of a header_map in their order; a map, which has none, sorted.
fn lines(http: &HttpRequest) -> Vec<(&str, &[u8])> {
    match &http.header_map {
        Some(map) if is_list(http) => {
            let raw = |line: &HeaderValue| !line.raw_value.is_empty();
            let pick = |line| if raw(line) { &line.raw_value } else { line.value.as_bytes() };
            map.headers.iter().map(|line| (line.key.as_str(), pick(line))).collect()
        }
        _ => {
            let lines = http.headers.iter().map(|(k, v)| (k.as_str(), v.as_bytes()));
            let mut lines: Vec<_> = lines.collect();
            lines.sort_unstable();
            lines
        }
    }
}

fn is_list(http: &HttpRequest) -> bool {
    http.header_map.as_ref().is_some_and(|map| !map.headers.is_empty())
}

fn structure(fields: &Struct, nesting: usize) -> Value<'_> {
    let members = fields.fields.iter().map(|(name, v)| (name.as_str(), value(v, nesting)));
    Value::Struct(members.collect())
}

fn value(value_: &protobuf::Value, nesting: usize) -> Value<'_> {
    match &value_.kind {
        Some(Kind::StringValue(text)) => Value::String(text),
        Some(Kind::StructValue(fields)) if nesting > 0 => structure(fields, nesting - 1),
        Some(Kind::ListValue(ListValue { values })) if nesting > 0 => {
            Value::List(values.iter().map(|element| value(element, nesting - 1)).collect())
        }
        _ => Value::Other,
    }
}

/// None where prost cannot read what the type promises.
fn typed(any: &Any) -> Option<Typed<'_>> {
    let (_, name) = any.type_url.rsplit_once('/').unwrap_or_default();
    match name {
        "claimgate.v1.RoutePolicy" => {
            let policy = RoutePolicy::decode(&*any.value).ok()?;
            Some(if only_known(&any.value) { typed_policy(policy) } else { Typed::Unexpected })
        }
        "xds.type.v3.TypedStruct" => {
            let typed = TypedStruct::decode(&*any.value).ok()?;
            let (_, name) = typed.type_url.rsplit_once('/').unwrap_or_default();
            if name != "claimgate.v1.RoutePolicy" {
                return Some(Typed::Unexpected);
            }
            let fields: &Struct = Box::leak(Box::new(typed.value.unwrap_or_default()));
            Some(Typed::Policy(structure(fields, MAX_NESTING)))
        }
        _ => Some(Typed::Unexpected),
    }
}

fn only_known(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let (tag, kind) = prost::encoding::decode_key(&mut bytes).unwrap();
        let context = prost::encoding::DecodeContext::default();
        prost::encoding::skip_field(kind, tag, &mut bytes, context).unwrap();
        if tag > 5 {
            return false;
        }
    }
    true
}

fn typed_policy(policy: RoutePolicy) -> Typed<'static> {
    let policy: &'static RoutePolicy = Box::leak(Box::new(policy));
    let RoutePolicy { policy, providers, mode, audiences, scopes } = policy;
    let text = |text: &'static Option<String>| text.as_deref().map(Value::String);
    let list = |list: &'static Vec<String>| {
        let texts = list.iter().map(|text| Value::String(text));
        if list.is_empty() { None } else { Some(Value::List(texts.collect())) }
    };
    let members = [
        ("policy", text(policy)),
        ("providers", list(providers)),
        ("mode", text(mode)),
        ("audiences", list(audiences)),
        ("scopes", list(scopes)),
    ];
    let present = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
    Typed::Policy(Value::Struct(present.collect()))
}

/// The view with everything in order that has none in protobuf.
fn sorted(mut view: CheckView<'_>) -> CheckView<'_> {
    view.route.extensions.sort_unstable();
    let RouteSources { filter, gateway, istio, .. } = &mut view.route;
    [filter, gateway, istio].into_iter().flatten().for_each(sort);
    if let Some(Typed::Policy(value)) = &mut view.route.typed {
        sort(value);
    }
    view
}

fn sort(value: &mut Value<'_>) {
    match value {
        Value::Struct(members) => {
            members.sort_by_key(|(name, _)| *name);
            members.iter_mut().for_each(|(_, value)| sort(value));
        }
        Value::List(values) => values.iter_mut().for_each(sort),
        Value::String(_) | Value::Other => {}
    }
}
