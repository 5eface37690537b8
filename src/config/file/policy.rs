//! One element of `policies` as written.
//!
//! It judges shape only; it does not look up the providers that a policy names.

pub mod protected_resource;

use crate::{
    config::{
        document::{Spanned, mapping::Mapping, node::Node},
        file::{
            claim_rule::ClaimToHeaderFile, condition::ConditionsFile,
            policy::protected_resource::ProtectedResourceFile,
        },
        problem::Place,
    },
    snapshot::changes::Definition,
};

/// A policy as written. Required values that are absent have been reported.
#[derive(Debug)]
pub struct PolicyFile {
    /// Where it starts.
    pub place: Place,
    /// `name`.
    pub name: Option<Spanned<String>>,
    /// `providers`.
    pub providers: Vec<Spanned<String>>,
    /// Where `providers` is, or would be, if it is absent or `[]`.
    pub names_nobody: Option<Place>,
    /// `mode`.
    pub mode: Option<Spanned<String>>,
    /// `audiences`.
    pub audiences: Option<Vec<String>>,
    /// `scopes`.
    pub scopes: Option<ScopesFile>,
    /// `subjects`, `claims` and `rules`.
    pub conditions: ConditionsFile,
    /// `token_from`.
    pub token_from: Option<TokenFromFile>,
    /// `allow_cors_preflight`.
    pub allow_cors_preflight: Option<Spanned<bool>>,
    /// `claim_to_headers`.
    pub claim_to_headers: Vec<ClaimToHeaderFile>,
    /// `metadata_claims`.
    pub metadata_claims: Vec<Spanned<String>>,
    /// `forward_token`.
    pub forward_token: Option<ForwardTokenFile>,
    /// `realm`.
    pub realm: Option<Spanned<String>>,
    /// `resource_metadata`.
    pub resource_metadata: Option<Spanned<String>>,
    /// `protected_resource`.
    pub protected_resource: Option<ProtectedResourceFile>,
    /// `audience_failure_status`.
    pub audience_failure_status: Option<Spanned<i64>>,
    /// All of it.
    pub definition: Definition,
}

/// `scopes`.
#[derive(Debug)]
pub struct ScopesFile {
    /// Where it starts.
    pub place: Place,
    /// `all_of`.
    pub all_of: Vec<Spanned<String>>,
    /// `any_of`.
    pub any_of: Vec<Spanned<String>>,
}

/// `token_from`.
#[derive(Debug)]
pub struct TokenFromFile {
    /// Where it starts.
    pub place: Place,
    /// Its elements.
    pub places: Vec<PlaceFile>,
}

/// One element of `token_from`.
#[derive(Debug)]
pub enum PlaceFile {
    /// `{ header: NAME, scheme: NAME }`.
    Header {
        /// `header`.
        name: Spanned<String>,
        /// `scheme`.
        scheme: Option<Spanned<String>>,
    },
    /// `{ query: NAME }`.
    Query(Spanned<String>),
    /// `{ cookie: NAME }`.
    Cookie(Spanned<String>),
}

/// `forward_token`.
#[derive(Debug)]
pub enum ForwardTokenFile {
    /// `true`.
    Keep,
    /// `false`.
    Remove,
    /// `{ header: NAME }`.
    Header(Spanned<String>),
}

impl PolicyFile {
    /// Reads one element of `policies`.
    pub(super) fn read(node: Node<'_>) -> Option<Self> {
        let definition = node.definition();
        let mut map = node.mapping()?;
        let (providers, names_nobody) = providers(&mut map);
        let policy = Self {
            place: map.place().clone(),
            name: map.required("name", "a name of 1 to 63 characters", Node::text),
            providers,
            names_nobody,
            mode: map.optional("mode", Node::text),
            audiences: map.optional("audiences", |node| node.full_list(plain_text)),
            scopes: map.optional("scopes", ScopesFile::read),
            conditions: ConditionsFile::read(&mut map),
            token_from: map.optional("token_from", TokenFromFile::read),
            allow_cors_preflight: map.optional("allow_cors_preflight", Node::boolean),
            claim_to_headers: map
                .optional("claim_to_headers", |node| node.list(ClaimToHeaderFile::read))
                .unwrap_or_default(),
            metadata_claims: map
                .optional("metadata_claims", |node| node.list(Node::text))
                .unwrap_or_default(),
            forward_token: map.optional("forward_token", forward_token),
            realm: map.optional("realm", Node::text),
            resource_metadata: map.optional("resource_metadata", Node::text),
            protected_resource: map.optional("protected_resource", ProtectedResourceFile::read),
            audience_failure_status: map.optional("audience_failure_status", Node::integer),
            definition,
        };
        map.finish();
        Some(policy)
    }
}

impl TokenFromFile {
    fn read(node: Node<'_>) -> Option<Self> {
        let place = node.place().clone();
        Some(Self { place, places: node.full_list(PlaceFile::read)? })
    }
}

impl PlaceFile {
    fn read(node: Node<'_>) -> Option<Self> {
        let mut map = node.mapping()?;
        let kind = map.exactly_one(&["header", "query", "cookie"]);
        let mut text = |key| map.optional(key, Node::text);
        let (header, query, cookie) = (text("header"), text("query"), text("cookie"));
        let place = match kind {
            Some("header") => {
                let scheme = text("scheme");
                header.map(|name| Self::Header { name, scheme })
            }
            Some("query") => query.map(Self::Query),
            Some("cookie") => cookie.map(Self::Cookie),
            Some(_) | None => None,
        };
        map.finish();
        place
    }

    /// The name in it.
    #[must_use]
    pub fn name(&self) -> &Spanned<String> {
        match self {
            Self::Header { name, .. } | Self::Query(name) | Self::Cookie(name) => name,
        }
    }
}

impl ScopesFile {
    fn read(node: Node<'_>) -> Option<Self> {
        let mut map = node.mapping()?;
        let mut list = |key| map.optional(key, |node| node.list(Node::text)).unwrap_or_default();
        let (all_of, any_of) = (list("all_of"), list("any_of"));
        let scopes = Self { place: map.place().clone(), all_of, any_of };
        map.finish();
        Some(scopes)
    }
}

fn providers(map: &mut Mapping<'_>) -> (Vec<Spanned<String>>, Option<Place>) {
    let absent = (!map.has("providers")).then(|| map.place().field("providers"));
    let mut empty = None;
    let list = map.optional("providers", |node| {
        empty = node.is_empty_list().then(|| node.place().clone());
        node.list(Node::text)
    });
    (list.unwrap_or_default(), absent.or(empty))
}

fn forward_token(node: Node<'_>) -> Option<ForwardTokenFile> {
    if let Some(keep) = node.as_boolean() {
        return Some(if keep { ForwardTokenFile::Keep } else { ForwardTokenFile::Remove });
    }
    if !node.is_mapping() {
        return node.refuse("true, false or a mapping { header: NAME } is accepted");
    }
    let mut map = node.mapping()?;
    let header = map.required("header", "a header name", Node::text);
    map.finish();
    header.map(ForwardTokenFile::Header)
}

fn plain_text(node: Node<'_>) -> Option<String> {
    Some(node.text()?.value)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::file::ConfigFile;

    #[track_caller]
    fn check(policy: &str, expected: &[&str]) {
        let file = ConfigFile::read(Path::new("c"), format!("policies:\n- {policy}").as_bytes());
        let problems: Vec<_> = file.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, expected) in problems.iter().zip(expected) {
            let expected = format!("c:2:{expected}");
            assert!(problem.starts_with(&expected), "{problem} does not start with {expected}");
        }
    }

    #[test]
    fn a_policy_needs_only_a_name_here() {
        check("{name: a}", &[]);
        check("{mode: anonymous}", &["3: policies[0].name: missing"]);
        check("orders", &["3: policies[0]: found a string; a mapping"]);
    }

    #[test]
    fn wrong_types_are_never_coerced() {
        check("{name: a, mode: 1}", &["19: policies[0].mode: found a number"]);
        check("{name: a, providers: p}", &["24: policies[0].providers: found a string; a list"]);
        check("{name: a, providers: [1]}", &["25: policies[0].providers[0]: found a number"]);
        check("{name: a, audiences: any}", &["24: policies[0].audiences: found a string; a list"]);
        check("{name: a, audiences: []}", &["24: policies[0].audiences: an empty list"]);
        check("{name: a, scopes: [r]}", &["21: policies[0].scopes: found a list; a mapping"]);
        check("{name: a, scopes: {all_of: r}}", &["30: policies[0].scopes.all_of: found a string"]);
        check(
            "{name: a, scopes: {any: [r]}}",
            &["22: policies[0].scopes.any: unknown key; accept"],
        );
        check(
            "{name: a, audience_failure_status: '403'}",
            &["38: policies[0].audience_failure_status: found a string; a whole number"],
        );
    }

    #[test]
    fn forward_token_is_a_boolean_or_names_a_header() {
        check("{name: a, forward_token: false}", &[]);
        check("{name: a, forward_token: {header: x}}", &[]);
        check("{name: a, forward_token: no}", &["28: policies[0].forward_token: true, false or a"]);
        check("{name: a, forward_token: {}}", &["28: policies[0].forward_token.header: missing"]);
        check(
            "{name: a, forward_token: {header: x, b: c}}",
            &["40: policies[0].forward_token.b: unknown key; accepted are header"],
        );
    }

    #[test]
    fn a_place_of_a_token_is_one_thing() {
        check("{name: a, token_from: [{header: authorization}]}", &[]);
        check("{name: a, token_from: [{header: x, scheme: y}, {query: z}, {cookie: c}]}", &[]);
        check("{name: a, token_from: []}", &["25: policies[0].token_from: an empty list"]);
        check("{name: a, token_from: [{}]}", &["26: policies[0].token_from[0].header: missing"]);
        check("{name: a, token_from: [x]}", &["26: policies[0].token_from[0]: found a string"]);
        check("{name: a, token_from: {header: x}}", &["25: policies[0].token_from: found a mapp"]);
        let two = ["38: policies[0].token_from[0].query: stands beside `header`"];
        check("{name: a, token_from: [{header: x, query: y}]}", &two);
        let scheme = ["37: policies[0].token_from[0].scheme: unknown key"];
        check("{name: a, token_from: [{query: x, scheme: y}]}", &scheme);
        check("{name: a, allow_cors_preflight: 1}", &["35: policies[0].allow_cors_preflight: fou"]);
    }

    #[test]
    fn a_misspelt_key_is_unknown() {
        let expected = "13: policies[0].metadata_claim: unknown key";
        check("{name: a, metadata_claim: []}", &[expected]);
    }
}
