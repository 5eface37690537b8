//! Envoy with one worker: before a gRPC authorizer, or with its own jwt_authn.

use std::net::SocketAddr;

use claimgate::cli::demo::envoy::Envoy;

use crate::{binary::binary, keys::TestKey};

/// Envoy that asks the authorizer at `grpc`.
pub(crate) async fn ext_authz(grpc: SocketAddr) -> Envoy {
    let filter = r#"
          - name: envoy.filters.http.ext_authz
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
              transport_api_version: V3
              grpc_service: { envoy_grpc: { cluster_name: authorizer }, timeout: 5s }
              encode_raw_headers: true"#;
    let cluster = format!(
        r#"
  clusters:
  - name: authorizer
    type: STATIC
    connect_timeout: 1s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{ http2_protocol_options: {{}} }}
    load_assignment:
      cluster_name: authorizer
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {} }} }} }}"#,
        grpc.port()
    );
    start(filter, &cluster).await
}

/// Envoy that verifies by itself, without its token cache.
pub(crate) async fn jwt_authn(key: &TestKey) -> Envoy {
    let jwks = key.jwks().to_string();
    let filter = format!(
        r#"
          - name: envoy.filters.http.jwt_authn
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
              providers:
                bench:
                  issuer: https://issuer-0.example
                  audiences: [bench-api]
                  forward: true
                  local_jwks: {{ inline_string: '{jwks}' }}
              rules:
              - match: {{ prefix: / }}
                requires: {{ provider_name: bench }}"#
    );
    start(&filter, "").await
}

async fn start(filter: &str, clusters: &str) -> Envoy {
    let config = format!(
        r#"
admin:
  address: {{ socket_address: {{ address: 127.0.0.1, port_value: 0 }} }}
static_resources:
  listeners:
  - name: ingress
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: 0 }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{ prefix: / }}
                direct_response: {{ status: 200 }}
          http_filters:{filter}
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router{clusters}
"#
    );
    Envoy::start(binary().expect("a benchmark beside Envoy needs it"), &config).await.unwrap()
}
