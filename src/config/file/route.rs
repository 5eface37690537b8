//! One element of `routes` as written.
//!
//! It judges shape only; it does not look up the policy.

use crate::config::{
    document::{Spanned, node::Node},
    problem::Place,
};

/// A route as written. Required values that are absent have been reported.
#[derive(Debug)]
pub struct RouteFile {
    /// Where it starts.
    pub place: Place,
    /// What it goes by, if that is clear.
    pub by: Option<RouteByFile>,
    /// `policy`.
    pub policy: Option<Spanned<String>>,
}

/// What a route goes by.
#[derive(Debug)]
pub enum RouteByFile {
    /// `authority`.
    Authority(Spanned<String>),
    /// `workload`.
    Workload(Spanned<String>),
    /// `istio`.
    Istio(Spanned<String>),
    /// `host`, `path_prefix` or both.
    Target {
        /// `host`.
        host: Option<Spanned<String>>,
        /// `path_prefix`.
        path_prefix: Option<Spanned<String>>,
    },
}

impl RouteFile {
    /// Reads one element of `routes`.
    pub(super) fn read(node: Node<'_>) -> Option<Self> {
        let mut map = node.mapping()?;
        let path_alone = map.has("path_prefix") && !map.has("host");
        let target = if path_alone { "path_prefix" } else { "host" };
        let kind = map.exactly_one(&["authority", "workload", "istio", target]);
        let mut text = |key| map.optional(key, Node::text);
        let (authority, workload, istio) = (text("authority"), text("workload"), text("istio"));
        let (host, path_prefix) = (text("host"), text("path_prefix"));
        let by = match kind {
            Some("authority") => authority.map(RouteByFile::Authority),
            Some("workload") => workload.map(RouteByFile::Workload),
            Some("istio") => istio.map(RouteByFile::Istio),
            // A value that could not be read has been reported; half an entry must not count.
            Some(_target) if host.is_some() == map.has("host") => (path_prefix.is_some()
                == map.has("path_prefix"))
            .then_some(RouteByFile::Target { host, path_prefix }),
            Some(_) | None => None,
        };
        let policy = map.required("policy", "the name of a policy", Node::text);
        let route = Self { place: map.place().clone(), by, policy };
        map.finish();
        Some(route)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::file::ConfigFile;

    #[track_caller]
    fn check(route: &str, expected: &[&str]) {
        let file = ConfigFile::read(Path::new("c"), format!("routes:\n- {route}").as_bytes());
        let problems: Vec<_> = file.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, expected) in problems.iter().zip(expected) {
            let expected = format!("c:2:{expected}");
            assert!(problem.starts_with(&expected), "{problem} does not start with {expected}");
        }
    }

    #[test]
    fn a_route_goes_by_one_thing() {
        check("{authority: a, policy: p}", &[]);
        check("{workload: a/b, policy: p}", &[]);
        check("{istio: a/b, policy: p}", &[]);
        check("{host: a, policy: p}", &[]);
        check("{path_prefix: /a, policy: p}", &[]);
        check("{host: a, path_prefix: /a, policy: p}", &[]);
        check("{policy: p}", &["3: routes[0].authority: missing; exactly one of"]);
        check("{authority: a, istio: a/b, policy: p}", &["18: routes[0].istio: stands beside"]);
        check("{authority: a, host: b, policy: p}", &["18: routes[0].host: stands beside"]);
        check("{istio: a, path_prefix: /, policy: p}", &["14: routes[0].path_prefix: stands"]);
        check("{authority: a, host: b, path_prefix: /, policy: p}", &["18: routes[0].host: stan"]);
    }

    #[test]
    fn a_route_names_a_policy() {
        check("{authority: a}", &["3: routes[0].policy: missing; the name of a policy"]);
        check("{authority: a, policy: [p]}", &["26: routes[0].policy: found a list"]);
        check("{authority: a, policy: p, mode: strict}", &["29: routes[0].mode: unknown key"]);
        check("{authority: 1, policy: p}", &["15: routes[0].authority: found a number"]);
        check("a", &["3: routes[0]: found a string; a mapping"]);
    }
}
