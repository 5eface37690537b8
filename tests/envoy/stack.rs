//! Envoy before an upstream, with claimgate deciding: one for each test.

use claimgate::cli::demo::{envoy::Envoy, upstream::Upstream};
use serde_json::json;

use crate::{
    binary::binary,
    client::{Reply, Request},
    credentials::ISSUER,
    listener::Listener,
    support::{self, keys::ES256, server::TestServer},
};

/// Everything that runs. Dropping it ends it all.
pub(crate) struct Stack {
    pub(crate) claimgate: TestServer,
    pub(crate) envoy: Envoy,
    pub(crate) upstream: Upstream,
}

impl Stack {
    /// Starts it with this listener; none where the tests are to run without Envoy.
    pub(crate) async fn start(listener: &Listener) -> Option<Self> {
        Self::serving(&config(), listener).await
    }

    /// The same with this config of claimgate.
    pub(crate) async fn serving(config: &str, listener: &Listener) -> Option<Self> {
        let binary = binary()?;
        let claimgate = TestServer::start(config).await;
        let upstream = Upstream::start().await.unwrap();
        let config = listener.config(claimgate.server.grpc[0], upstream.address);
        let envoy = Envoy::start(binary, &config).await.unwrap();
        Some(Self { claimgate, envoy, upstream })
    }

    /// Sends a request to Envoy.
    pub(crate) async fn send(&self, request: &Request) -> Reply {
        request.send(self.envoy.listener).await.unwrap()
    }
}

/// The policies that `/p/NAME` of [`listener`] and the example's routes name.
pub(crate) const POLICIES: [&str; 8] =
    ["strict", "optional", "permissive", "anonymous", "scoped", "narrow", "removed", "copied"];

/// The example with a route `/p/NAME` for each of [`POLICIES`], and two that are wrong.
pub(crate) fn listener() -> Listener {
    let faults = Listener::default()
        .metadata("/unknown-provider", &json!({ "providers": ["nobody"] }))
        .metadata("/invalid", &json!({ "mode": "maybe" }));
    POLICIES.iter().fold(faults, |listener, name| {
        listener.metadata(&format!("/p/{name}"), &json!({ "policy": name }))
    })
}

fn config() -> String {
    let demo = support::provider("demo", ISSUER, &ES256.jwks());
    format!(
        "\
providers:
{demo}policies:
- {{ name: orders, providers: [demo], scopes: {{ all_of: [orders.read] }} }}
- {{ name: strict, providers: [demo] }}
- {{ name: optional, providers: [demo], mode: optional }}
- {{ name: permissive, providers: [demo], mode: permissive }}
- {{ name: anonymous, mode: anonymous }}
- {{ name: scoped, providers: [demo], scopes: {{ all_of: [admin] }}, realm: admins }}
- {{ name: narrow, providers: [demo], audiences: [elsewhere] }}
- {{ name: removed, providers: [demo], forward_token: false }}
- {{ name: copied, providers: [demo], forward_token: {{ header: x-copied-token }} }}
- {{ name: default, providers: [demo] }}
default_policy: default
strip_headers: [x-user-roles]
"
    )
}
