//! Variants of `envoy/envoy.yaml`, made by replacing text that must be there.

use std::net::SocketAddr;

use claimgate::cli::demo::envoy;
use serde_json::Value;

/// Before this line of the example, routes can be put in.
const LAST_ROUTE: &str = "              # Nothing said: `default_policy`.\n";

/// A config of Envoy, without its ports.
#[derive(Clone, Default)]
pub(crate) struct Listener {
    replacements: Vec<(String, String)>,
    routes: String,
}

impl Listener {
    /// The example with `from` replaced; it is there exactly once.
    pub(crate) fn replace(mut self, from: &str, to: &str) -> Self {
        assert_eq!(envoy::CONFIG.matches(from).count(), 1, "{from:?} in envoy/envoy.yaml");
        self.replacements.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Headers as a map of text instead of as lines of bytes.
    pub(crate) fn header_map(self) -> Self {
        self.replace("encode_raw_headers: true", "encode_raw_headers: false")
    }

    /// What is not answered is let pass.
    pub(crate) fn fail_open(self) -> Self {
        self.replace("failure_mode_allow: false", "failure_mode_allow: true")
    }

    /// With these lines in the ext_authz filter.
    pub(crate) fn filter(self, lines: &str) -> Self {
        let anchor = "              transport_api_version: V3\n";
        let lines: String = lines.lines().map(|l| format!("              {l}\n")).collect();
        self.replace(anchor, &format!("{anchor}{lines}"))
    }

    /// With these lines in the connection manager.
    pub(crate) fn manager(self, lines: &str) -> Self {
        let anchor = "          stat_prefix: ingress\n";
        let lines: String = lines.lines().map(|l| format!("          {l}\n")).collect();
        self.replace(anchor, &format!("{anchor}{lines}"))
    }

    /// Without what makes one spelling of each path.
    pub(crate) fn unmended(self) -> Self {
        let spelling = "          normalize_path: true\n          merge_slashes: true\n          path_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT\n";
        self.replace(spelling, "")
    }

    /// Shows `claimgate`'s dynamic metadata of each answer as `x-outcome`, `x-reason` and so on.
    pub(crate) fn shows_metadata(self) -> Self {
        let header = |name: &&str| {
            let value =
                format!("%DYNAMIC_METADATA(envoy.filters.http.ext_authz:claimgate:{name})%");
            format!(r#"{{ header: {{ key: x-{name}, value: "{value}" }} }}"#)
        };
        let names = ["outcome", "reason", "policy", "provider", "subject"];
        let headers = names.iter().map(header).collect::<Vec<_>>().join(", ");
        let host = "            - name: upstream\n";
        let added = format!("{host}              response_headers_to_add: [{headers}]\n");
        self.replace(host, &added)
    }

    /// With one more route, whose keys beside match and cluster are these, as flow YAML.
    pub(crate) fn route(mut self, prefix: &str, keys: &str) -> Self {
        let comma = if keys.is_empty() { "" } else { ", " };
        self.routes.push_str(&format!(
            "              - {{ match: {{ path_separated_prefix: {prefix} }}, \
             route: {{ cluster: upstream }}{comma}{keys} }}\n"
        ));
        self
    }

    /// With these routes, a list in YAML, before all others.
    pub(crate) fn first(self, routes: &str) -> Self {
        let anchor = "              routes:\n";
        let lines: String = routes.lines().map(|l| format!("              {l}\n")).collect();
        self.replace(anchor, &format!("{anchor}{lines}"))
    }

    /// With a route whose Struct metadata is this.
    pub(crate) fn metadata(self, prefix: &str, policy: &Value) -> Self {
        self.route(prefix, &format!("metadata: {{ filter_metadata: {{ claimgate: {policy} }} }}"))
    }

    /// With a route whose TypedStruct metadata is this.
    pub(crate) fn typed(self, prefix: &str, inner: &str, policy: &Value) -> Self {
        let typed = format!(
            r#"{{ "@type": type.googleapis.com/xds.type.v3.TypedStruct, type_url: "{inner}", value: {policy} }}"#
        );
        self.route(
            prefix,
            &format!("metadata: {{ typed_filter_metadata: {{ claimgate: {typed} }} }}"),
        )
    }

    /// With a route whose context extensions are these.
    pub(crate) fn extensions(self, prefix: &str, extensions: &Value) -> Self {
        self.route(prefix, &check_settings(extensions))
    }

    /// The whole config.
    pub(crate) fn config(&self, claimgate: SocketAddr, upstream: SocketAddr) -> String {
        let mut config = envoy::config(claimgate, upstream);
        for (from, to) in &self.replacements {
            assert_eq!(config.matches(from).count(), 1, "{from:?} was replaced already");
            config = config.replace(from, to);
        }
        assert_eq!(config.matches(LAST_ROUTE).count(), 1);
        config.replace(LAST_ROUTE, &format!("{}{LAST_ROUTE}", self.routes))
    }
}

/// `typed_per_filter_config` of a route or a virtual host with these context extensions.
pub(crate) fn check_settings(extensions: &Value) -> String {
    format!(
        r#"typed_per_filter_config: {{ envoy.filters.http.ext_authz: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, check_settings: {{ context_extensions: {extensions} }} }} }}"#
    )
}
