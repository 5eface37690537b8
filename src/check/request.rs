//! What a check reads of a request, borrowed from wherever the host keeps it.
//!
//! It does not know protobuf: a host fills a [`CheckView`] with plain names and values.

/// One request as a check sees it.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct CheckView<'a> {
    /// Every value of `Authorization`, in order; Envoy joins repeated lines with `,`.
    pub authorization: Vec<&'a [u8]>,
    /// What the proxy attached to the route, by source, strongest first.
    pub route: RouteSources<'a>,
}

/// The three places where a proxy can attach a policy to a route. The first that is present
/// wins, even if it is empty or wrong.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct RouteSources<'a> {
    /// Typed route metadata under the namespace.
    pub typed: Option<Typed<'a>>,
    /// Struct route metadata under the namespace.
    pub filter: Option<Value<'a>>,
    /// Context extensions whose key starts with `claimgate.`, with that prefix taken off.
    pub extensions: Vec<(&'a str, &'a str)>,
}

/// Typed route metadata (`google.protobuf.Any`).
#[derive(Debug, Clone, PartialEq)]
pub enum Typed<'a> {
    /// A RoutePolicy, bare or inside a TypedStruct.
    Policy(Value<'a>),
    /// Another type, or bytes that are not of the type they claim.
    Unexpected,
}

/// A `google.protobuf.Value`, borrowed.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Text.
    String(&'a str),
    /// A list.
    List(Vec<Value<'a>>),
    /// A struct; a repeated name keeps the last value, as protobuf has it.
    Struct(Vec<(&'a str, Value<'a>)>),
    /// Null, a number or a boolean, or nesting that no route policy has.
    Other,
}

/// The prefix of the context extensions that are ours.
pub const EXTENSION_PREFIX: &str = "claimgate.";
