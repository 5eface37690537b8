//! A claimgate in this process, asked over its real ports.

use std::{path::PathBuf, sync::Arc};

use axum::http::Response;
use claimgate::{
    cli::demo::http::{exchange, get},
    jwks::fetch::HttpFetch,
    server::Server,
    settings::Settings,
};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use tempfile::TempDir;
use tonic::transport::Channel;

use crate::support::{answer::Answer, request::TestRequest};

/// A running server and a connection to it.
pub(crate) struct TestServer {
    pub(crate) server: Server,
    pub(crate) client: AuthorizationClient<Channel>,
    folder: TempDir,
}

impl TestServer {
    /// Serves this config and waits until it is ready.
    pub(crate) async fn start(config: &str) -> Self {
        let started = Self::with(config, |_| {}).await;
        started.server.ready().await;
        started
    }

    /// Serves this config with changed settings; does not wait until it is ready.
    pub(crate) async fn with(config: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("claimgate.yaml");
        std::fs::write(&file, config).unwrap();
        let mut settings = Settings::loopback(file);
        change(&mut settings);
        let server = Server::start(settings, Arc::new(HttpFetch)).await.unwrap();
        let client =
            AuthorizationClient::connect(format!("http://{}", server.grpc[0])).await.unwrap();
        Self { server, client, folder }
    }

    /// The config file.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("claimgate.yaml")
    }

    /// Asks once.
    #[track_caller]
    pub(crate) fn check(&self, request: TestRequest) -> impl Future<Output = Answer> + use<> {
        let mut client = self.client.clone();
        async move {
            let response = client.check(request.build()).await.expect("never a gRPC error");
            Answer::read(response.into_inner())
        }
    }

    /// GETs a path of the HTTP port.
    pub(crate) async fn get(&self, path: &str) -> Response<String> {
        exchange(self.server.http, get(path, &[]).unwrap()).await.unwrap()
    }

    /// `/status` as JSON.
    pub(crate) async fn status(&self) -> serde_json::Value {
        serde_json::from_str(self.get("/status").await.body()).unwrap()
    }

    /// The value of one sample of `/metrics`, such as `claimgate_jwks_keys{provider="a"}`.
    pub(crate) async fn metric(&self, sample: &str) -> Option<f64> {
        let text = self.get("/metrics").await.into_body();
        let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.map(|value| value.parse().unwrap())
    }
}
