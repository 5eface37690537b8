//! One element of `claim_to_headers`, of a provider or a policy, as written.
//!
//! It judges shape only; what the names mean is settled by `config/compile/claim_rule.rs`.

use crate::config::document::{Spanned, node::Node};

/// One element of `claim_to_headers`.
#[derive(Debug)]
pub struct ClaimToHeaderFile {
    /// `claim` or `value`; absent if there was not exactly one good one.
    pub from: Option<ClaimFromFile>,
    /// `header`.
    pub header: Option<Spanned<String>>,
    /// `format`.
    pub format: Option<Spanned<String>>,
    /// `on_overflow`.
    pub on_overflow: Option<Spanned<String>>,
}

/// What fills a header.
#[derive(Debug)]
pub enum ClaimFromFile {
    /// `claim`.
    Claim(Spanned<String>),
    /// `value`.
    Value(Spanned<String>),
}

impl ClaimToHeaderFile {
    /// Reads one element of `claim_to_headers`.
    pub(super) fn read(node: Node<'_>) -> Option<Self> {
        let mut map = node.mapping()?;
        let only = map.exactly_one(&["claim", "value"]);
        let claim = map.optional("claim", Node::text).map(ClaimFromFile::Claim);
        let value = map.optional("value", Node::text).map(ClaimFromFile::Value);
        let rule = Self {
            from: only.and(claim.or(value)),
            header: map.required("header", "a header name", Node::text),
            format: map.optional("format", Node::text),
            on_overflow: map.optional("on_overflow", Node::text),
        };
        map.finish();
        Some(rule)
    }
}
