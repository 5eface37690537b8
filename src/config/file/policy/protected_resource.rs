//! `protected_resource` of a policy as written.
//!
//! It judges shape only; it does not know which issuers the policy has.

use crate::config::{
    document::{Spanned, node::Node},
    problem::Place,
};

/// `protected_resource`.
#[derive(Debug)]
pub struct ProtectedResourceFile {
    /// Where it starts.
    pub place: Place,
    /// `resource`.
    pub resource: Option<Spanned<String>>,
    /// `authorization_servers`.
    pub authorization_servers: Option<Vec<Spanned<String>>>,
    /// `scopes_supported`.
    pub scopes_supported: Option<Vec<Spanned<String>>>,
    /// `resource_name`.
    pub resource_name: Option<Spanned<String>>,
}

impl ProtectedResourceFile {
    pub(super) fn read(node: Node<'_>) -> Option<Self> {
        let mut map = node.mapping()?;
        let list = |node: Node<'_>| node.full_list(Node::text);
        let resource = Self {
            place: map.place().clone(),
            resource: map.required("resource", "the URL of the resource", Node::text),
            authorization_servers: map.optional("authorization_servers", list),
            scopes_supported: map.optional("scopes_supported", list),
            resource_name: map.optional("resource_name", Node::text),
        };
        map.finish();
        Some(resource)
    }
}
