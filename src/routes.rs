//! The config's own table of routes: which policy belongs to a name that the proxy knows.
//!
//! It does not read requests; `check/route.rs` finds the names.

use std::{
    collections::HashMap,
    fmt::{self, Display},
    sync::Arc,
};

use crate::policy::Policy;

/// What one entry of `routes` goes by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RouteMatch {
    /// The `:authority` by which the proxy calls, as a plain host.
    Authority(String),
    /// `NAMESPACE/SERVICE-ACCOUNT` of the workload that the request is for.
    Workload(String),
    /// `NAMESPACE/NAME` of Istio's VirtualService, or of an HTTPRoute.
    Istio(String),
    /// Host and path of the request, both in their plain form.
    Target(HostMatch, String),
}

/// The hosts of an entry, strongest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostMatch {
    /// This one.
    Exact(String),
    /// Every one that ends so; with its leading dot.
    Suffix(String),
    /// Every one: the entry goes by the path alone.
    Any,
}

impl HostMatch {
    fn covers(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => host == name,
            Self::Suffix(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
            Self::Any => true,
        }
    }

    /// Exact ones first, then the longer suffix.
    fn weakness(&self) -> (u8, usize) {
        match self {
            Self::Exact(_) => (0, 0),
            Self::Suffix(suffix) => (1, usize::MAX - suffix.len()),
            Self::Any => (2, 0),
        }
    }
}

impl Display for RouteMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authority(name) => write!(f, "authority {name}"),
            Self::Workload(name) => write!(f, "workload {name}"),
            Self::Istio(name) => write!(f, "istio {name}"),
            Self::Target(HostMatch::Exact(host), path) => write!(f, "{host}{path}"),
            Self::Target(HostMatch::Suffix(suffix), path) => write!(f, "*{suffix}{path}"),
            Self::Target(HostMatch::Any, path) => f.write_str(path),
        }
    }
}

/// Whether routes may spell out policies of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InlinePolicies {
    /// They may.
    #[default]
    Accept,
    /// Only policies that the config names count.
    Refuse,
}

/// Whether Envoy Gateway's annotations may name a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Annotations {
    /// They are not looked at.
    #[default]
    Ignore,
    /// They may.
    Read,
}

/// What the config says about routes.
#[derive(Debug, Default)]
pub struct Routes {
    /// `route_policies`.
    pub inline: InlinePolicies,
    /// `route_annotations`.
    pub annotations: Annotations,
    names: HashMap<RouteMatch, Arc<Policy>>,
    /// Strongest first.
    targets: Vec<Target>,
}

#[derive(Debug)]
struct Target {
    host: HostMatch,
    path_prefix: String,
    policy: Arc<Policy>,
}

impl Routes {
    /// A table of these entries, which differ from each other.
    #[must_use]
    pub fn new(
        inline: InlinePolicies,
        annotations: Annotations,
        entries: impl IntoIterator<Item = (RouteMatch, Arc<Policy>)>,
    ) -> Self {
        let mut routes = Self { inline, annotations, ..Self::default() };
        for (matching, policy) in entries {
            if let RouteMatch::Target(host, path_prefix) = matching {
                routes.targets.push(Target { host, path_prefix, policy });
            } else {
                routes.names.insert(matching, policy);
            }
        }
        let strength =
            |target: &Target| (target.host.weakness(), usize::MAX - target.path_prefix.len());
        routes.targets.sort_by_key(strength);
        routes
    }

    /// Whether any entry goes by a name of the proxy.
    #[must_use]
    pub fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    /// The policy of the entry that goes by this name.
    #[must_use]
    pub fn named(&self, name: &RouteMatch) -> Option<&Policy> {
        self.names.get(name).map(Arc::as_ref)
    }

    /// Whether any entry goes by the host.
    #[must_use]
    pub fn looks_at_hosts(&self) -> bool {
        self.targets.iter().any(|target| target.host != HostMatch::Any)
    }

    /// Whether any entry goes by the path.
    #[must_use]
    pub fn looks_at_paths(&self) -> bool {
        self.targets.iter().any(|target| target.path_prefix != "/")
    }

    /// The policy of the strongest entry for host and path: an exact host before a suffix, a
    /// longer suffix before a shorter one, then the longest prefix.
    #[must_use]
    pub fn targeted(&self, host: &str, path: &str) -> Option<&Policy> {
        let fits =
            |target: &&Target| target.host.covers(host) && has_prefix(path, &target.path_prefix);
        self.targets.iter().find(fits).map(|target| &*target.policy)
    }
}

/// Whether `prefix`, which has no trailing slash but for `/` itself, covers `path` in whole
/// segments.
fn has_prefix(path: &str, prefix: &str) -> bool {
    prefix == "/"
        || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixtures::policy;

    fn table() -> Routes {
        let target = |host, path: &str| RouteMatch::Target(host, path.to_owned());
        let exact = |host: &str| HostMatch::Exact(host.to_owned());
        let suffix = |suffix: &str| HostMatch::Suffix(suffix.to_owned());
        let entries = [
            ("path", target(HostMatch::Any, "/open")),
            ("suffix", target(suffix(".example.com"), "/")),
            ("deep", target(suffix(".example.com"), "/a/b")),
            ("longer", target(suffix(".api.example.com"), "/")),
            ("exact", target(exact("api.example.com"), "/a")),
            ("named", RouteMatch::Workload("shop/orders".into())),
        ];
        let entries = entries.map(|(name, matching)| (matching, Arc::new(policy(name, &[]))));
        Routes::new(InlinePolicies::Accept, Annotations::Ignore, entries)
    }

    #[track_caller]
    fn check(host: &str, path: &str, expected: Option<&str>) {
        let table = table();
        let found = table.targeted(host, path);
        let name = found.and_then(|policy| policy.name.as_ref()).map(|name| name.as_str());
        assert_eq!(name, expected, "{host}{path}");
    }

    #[test]
    fn an_exact_host_comes_before_a_suffix_and_a_longer_suffix_before_a_shorter() {
        check("api.example.com", "/a/b", Some("exact"));
        check("api.example.com", "/b", Some("suffix"));
        check("x.api.example.com", "/a", Some("longer"));
        check("y.x.example.com", "/", Some("suffix"));
        check("example.com", "/a", None);
        check(".example.com", "/a", None);
        check("evilexample.com", "/", None);
        check("api.example.com.evil", "/a", None);
    }

    #[test]
    fn the_longest_prefix_in_whole_segments_wins() {
        check("x.example.com", "/a/b", Some("deep"));
        check("x.example.com", "/a/b/", Some("deep"));
        check("x.example.com", "/a/b/c", Some("deep"));
        check("x.example.com", "/a/bc", Some("suffix"));
        check("other", "/open/x", Some("path"));
        check("other", "/opener", None);
        check("other", "/", None);
    }

    #[test]
    fn a_name_is_one_of_its_own_kind() {
        let table = table();
        assert!(table.named(&RouteMatch::Workload("shop/orders".into())).is_some());
        assert!(table.named(&RouteMatch::Istio("shop/orders".into())).is_none());
        assert!(table.named(&RouteMatch::Workload("shop/Orders".into())).is_none());
    }
}
