//! A claimgate in this process, asked over its real ports.

use std::{panic::Location, path::PathBuf, sync::Arc, time::Duration};

use axum::http::Response;
use claimgate::{
    cli::demo::http::{exchange, get},
    jwks::fetch::HttpFetch,
    server::Server,
    settings::Settings,
};
use envoy_types::pb::envoy::service::auth::v3::{
    CheckResponse, authorization_client::AuthorizationClient,
};
use prost::Message as _;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::health_client::HealthClient;

use crate::support::{
    answer::Answer,
    grpc::{CHECK, RawClient},
    request::TestRequest,
};

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
        Self::run(settings, folder).await
    }

    /// Serves what stands at this path, and waits until it is ready.
    pub(crate) async fn serving(path: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let started = Self::run(Settings::loopback(path), folder).await;
        started.server.ready().await;
        started
    }

    async fn run(settings: Settings, folder: TempDir) -> Self {
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

    /// Asks once and holds the answer to this status and reason.
    #[track_caller]
    pub(crate) fn expect(
        &self,
        request: TestRequest,
        status: u32,
        reason: &str,
    ) -> impl Future<Output = Answer> + use<> {
        let (caller, reason) = (Location::caller(), reason.to_owned());
        let answer = self.check(request);
        async move {
            let answer = answer.await;
            assert_eq!((answer.status, answer.reason()), (status, &*reason), "asked at {caller}");
            answer
        }
    }

    /// Sends these bytes as the CheckRequest, with this `grpc-timeout`.
    pub(crate) async fn raw(&self, request: Vec<u8>, timeout: Option<Duration>) -> Answer {
        let client = RawClient::connect(self.server.grpc[0]).await;
        let answer = client.call(CHECK, request, timeout).await.expect("never a gRPC error");
        Answer::read(CheckResponse::decode(answer).unwrap())
    }

    /// A client of the health service, on a connection of its own.
    pub(crate) async fn health(&self) -> HealthClient<Channel> {
        let address = format!("http://{}", self.server.grpc[0]);
        HealthClient::new(Endpoint::from_shared(address).unwrap().connect().await.unwrap())
    }

    /// Replaces the config file at once, as an atomic rename does.
    pub(crate) fn rewrite(&self, config: &str) {
        let new = self.folder.path().join(".new");
        std::fs::write(&new, config).unwrap();
        std::fs::rename(&new, self.config()).unwrap();
    }

    /// Asks for `/status` until it is so, and returns it.
    pub(crate) async fn status_until(
        &self,
        is_so: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let asking = async {
            loop {
                let status = self.status().await;
                if is_so(&status) {
                    return status;
                }
            }
        };
        let bound = Duration::from_secs(60);
        tokio::time::timeout(bound, asking).await.expect("the status changes in a minute")
    }

    /// Asks for `/metrics` until this sample has at least this value.
    pub(crate) async fn metric_reaches(&self, sample: &str, least: f64) {
        let asking = async { while self.metric(sample).await.unwrap_or(0.0) < least {} };
        let bound = Duration::from_secs(60);
        tokio::time::timeout(bound, asking).await.expect("the metric moves in a minute");
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
