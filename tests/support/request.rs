//! CheckRequests as Envoy writes them, in either header mode and with every source of a policy.

use std::collections::HashMap;

use envoy_types::pb::{
    envoy::{
        config::core::v3::{HeaderMap, HeaderValue, Metadata},
        service::auth::v3::{
            AttributeContext, CheckRequest,
            attribute_context::{HttpRequest, Request},
        },
    },
    google::protobuf::{Any, ListValue, Struct, Value, value::Kind},
};
use prost::Message;

/// A request for `/` with nothing attached.
#[derive(Clone, Default)]
pub(crate) struct TestRequest {
    pub(crate) http: HttpRequest,
    pub(crate) extensions: HashMap<String, String>,
    pub(crate) route: Metadata,
    pub(crate) metadata_context: Option<Metadata>,
}

impl TestRequest {
    /// One with `Authorization: Bearer TOKEN`.
    pub(crate) fn bearer(token: &str) -> Self {
        Self::default().header("authorization", &format!("Bearer {token}"))
    }

    /// With this header in the map, as Envoy sends it by default.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.http.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With this line in `header_map`, as Envoy sends it under `encode_raw_headers`.
    pub(crate) fn raw_header(mut self, name: &str, value: &[u8]) -> Self {
        let line =
            HeaderValue { key: name.to_owned(), raw_value: value.to_vec(), ..Default::default() };
        self.http.header_map.get_or_insert_default().headers.push(line);
        self
    }

    /// With this context extension.
    pub(crate) fn extension(mut self, key: &str, value: &str) -> Self {
        self.extensions.insert(key.to_owned(), value.to_owned());
        self
    }

    /// With this Struct route metadata under `claimgate`.
    pub(crate) fn filter(mut self, policy: &serde_json::Value) -> Self {
        self.route.filter_metadata.insert("claimgate".to_owned(), structure(policy));
        self
    }

    /// With this TypedStruct route metadata under `claimgate`.
    pub(crate) fn typed_struct(self, policy: &serde_json::Value) -> Self {
        let inner = "type.googleapis.com/claimgate.v1.RoutePolicy";
        self.typed_struct_of(inner, policy)
    }

    /// With a TypedStruct of this inner type.
    pub(crate) fn typed_struct_of(self, inner: &str, policy: &serde_json::Value) -> Self {
        let typed = TypedStruct { type_url: inner.to_owned(), value: Some(structure(policy)) };
        self.typed("type.googleapis.com/xds.type.v3.TypedStruct", typed.encode_to_vec())
    }

    /// With any typed route metadata under `claimgate`.
    pub(crate) fn typed(mut self, type_url: &str, value: Vec<u8>) -> Self {
        let any = Any { type_url: type_url.to_owned(), value };
        self.route.typed_filter_metadata.insert("claimgate".to_owned(), any);
        self
    }

    /// With a bare RoutePolicy, as xDS carries it.
    pub(crate) fn route_policy(self, policy: &RoutePolicy) -> Self {
        self.typed("type.googleapis.com/claimgate.v1.RoutePolicy", policy.encode_to_vec())
    }

    pub(crate) fn build(self) -> CheckRequest {
        let Self { http, extensions, route, metadata_context } = self;
        CheckRequest {
            attributes: Some(AttributeContext {
                request: Some(Request { http: Some(http), ..Default::default() }),
                context_extensions: extensions,
                route_metadata_context: Some(route),
                metadata_context,
                ..Default::default()
            }),
        }
    }
}

/// `claimgate.v1.RoutePolicy`, written out here to hold the field numbers.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RoutePolicy {
    #[prost(string, tag = "1")]
    pub(crate) policy: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) providers: Vec<String>,
    #[prost(string, tag = "3")]
    pub(crate) mode: String,
    #[prost(string, repeated, tag = "4")]
    pub(crate) audiences: Vec<String>,
    #[prost(string, repeated, tag = "5")]
    pub(crate) scopes: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct TypedStruct {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(message, optional, tag = "2")]
    value: Option<Struct>,
}

/// A JSON object as a protobuf Struct.
pub(crate) fn structure(json: &serde_json::Value) -> Struct {
    let fields = json.as_object().unwrap();
    Struct { fields: fields.iter().map(|(name, json)| (name.clone(), value(json))).collect() }
}

fn value(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(value) => Kind::BoolValue(*value),
        Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
        Json::String(text) => Kind::StringValue(text.clone()),
        Json::Array(values) => {
            Kind::ListValue(ListValue { values: values.iter().map(value).collect() })
        }
        Json::Object(_) => Kind::StructValue(structure(json)),
    };
    Value { kind: Some(kind) }
}

/// An empty `header_map` value, to be filled.
pub(crate) fn raw_headers(lines: &[(&str, &[u8])]) -> HeaderMap {
    let lines = lines.iter().map(|(name, value)| HeaderValue {
        key: (*name).to_owned(),
        raw_value: value.to_vec(),
        ..Default::default()
    });
    HeaderMap { headers: lines.collect() }
}
