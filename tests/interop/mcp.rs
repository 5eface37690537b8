//! The official MCP client, through a real Envoy: it finds the authorization server by what
//! claimgate says alone, and gets in.

use claimgate::cli::demo::envoy::{self, Envoy};

use crate::{
    binary::binary,
    peers::lines,
    program::Program,
    support::{AUDIENCE, server::TestServer},
};

/// An MCP server that knows nothing of OAuth behind Envoy and claimgate, and an issuer.
struct Mcp {
    /// The MCP server as clients know it.
    url: String,
    issuer: String,
    _servers: (TestServer, Envoy),
    _programs: [Program; 2],
}

impl Mcp {
    /// With these members in the policy `mcp`, in which `URL` is the server's; none where the
    /// tests are to run without Envoy.
    async fn start(members: &str) -> Option<Self> {
        let binary = binary()?;
        let mut programs = ["by_oidc_provider.mjs", "by_mcp_server.mjs"].map(Program::start);
        let issuer = programs[0].line().await;
        let upstream = programs[1].line().await.parse().unwrap();
        let config = |members: &str| {
            format!(
                "providers:\n- name: a\n  issuer: {issuer}\n  audiences: [{AUDIENCE}]\n  \
                 claim_to_headers: [{{ claim: sub, header: x-auth-subject }}]\npolicies:\n\
                 - {{ name: mcp, providers: [a]{members} }}\n"
            )
        };
        // Where Envoy listens is known once it runs, and it runs once claimgate does.
        let server = TestServer::start(&config("")).await;
        let listener = envoy::config(server.server.grpc[0], upstream);
        let envoy = Envoy::start(binary, &listener).await.unwrap();
        let url = format!("http://{}/mcp", envoy.listener);
        server.rewrite(&config(&members.replace("URL", &url)));
        server.status_until(|status| members.is_empty() || status["generation"] == 2).await;
        Some(Self { url, issuer, _servers: (server, envoy), _programs: programs })
    }

    /// What the client says of this step.
    async fn client(&self, step: &'static str) -> String {
        let url = self.url.clone();
        let ran = tokio::task::spawn_blocking(move || lines("by_mcp_client.mjs", &[step, &url]));
        ran.await.unwrap().concat()
    }
}

const RESOURCE: &str = ", protected_resource: { resource: 'URL', scopes_supported: [orders.read] }";

#[tokio::test]
async fn the_official_client_finds_the_authorization_server() {
    let Some(mcp) = Mcp::start(RESOURCE).await else { return };
    let found = format!("{} {}", mcp.url, mcp.issuer);
    for step in ["challenge", "well-known"] {
        assert_eq!(mcp.client(step).await, found, "{step}");
    }
}

#[tokio::test]
async fn the_official_client_gets_in_with_nothing_but_the_url() {
    let Some(mcp) = Mcp::start(RESOURCE).await else { return };
    assert_eq!(mcp.client("connect").await, format!("{} alice", mcp.issuer));
}

#[tokio::test]
async fn without_a_protected_resource_the_client_finds_nothing() {
    let Some(mcp) = Mcp::start("").await else { return };
    for step in ["challenge", "well-known", "connect"] {
        let said = mcp.client(step).await;
        assert!(said.starts_with("failed: "), "{step}: {said}");
    }
}

#[tokio::test]
async fn a_resource_of_another_name_is_refused_by_the_client() {
    let elsewhere = RESOURCE.replace("'URL'", "https://elsewhere.example/mcp");
    let Some(mcp) = Mcp::start(&elsewhere).await else { return };
    let said = mcp.client("connect").await;
    assert!(said.starts_with("failed: "), "{said}");
}
